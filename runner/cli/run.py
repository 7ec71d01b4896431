"""`runner run`: the daemon."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from runner.cli import options, output
from runner.cli.stopping import StopRequests, stop_requests
from runner.errors import (
    ConfigurationError,
    JournalAway,
    JournalBusy,
    JournalError,
    RunnerError,
    VenueError,
)

if TYPE_CHECKING:
    from runner.app import App
    from runner.cell import Cell
    from runner.connecting import Place
    from runner.dispatcher import Observer
    from runner.settings import Settings
    from runner.standby import Front
    from runner.venues.registry import Adapter

CONFIGURATION = 78
"""EX_CONFIG of sysexits.h: starting again cannot help, systemd does not try."""

FAILED = 1
LOOK_EVERY = 0.05
READY_EVERY = 0.005
MOST_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Accepted:
    """What would be refused, had the user not said that it is meant."""

    restored: bool = False
    env_secrets: bool = False
    unexercised: str = ""
    exercised: tuple[Path, ...] = ()


@click.command(epilog="Example: runner run --dir my --paper --hook 127.0.0.1:8080")
@options.directory
@click.option("--paper", is_flag=True, help="Trade on the embedded paper exchange, without keys.")
@click.option(
    "--live",
    is_flag=True,
    help="Trade with real money: a live account starts with this only, and after a check-up.",
)
@click.option(
    "--hook",
    type=options.address,
    metavar="HOST:PORT",
    help="Where alerts come in; goes before runner.yaml. Default: 127.0.0.1:8080.",
)
@click.option(
    "--dashboard",
    type=options.place,
    metavar="HOST:PORT",
    help="Show the dashboard there, or on unix:PATH; goes before runner.yaml. Default: not at all.",
)
@click.option(
    "--accept-restored-journal",
    "restored",
    is_flag=True,
    help="The journal was restored from a backup: ask the exchange before each first send.",
)
@click.option(
    "--accept-env-secrets",
    "env_secrets",
    is_flag=True,
    help="Trade live although the API key comes from the environment.",
)
@click.option(
    "--exercised-in",
    "exercised",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="With --live: rules may have fired for the runner of this folder, too; may be repeated.",
)
@click.option(
    "--accept-unexercised",
    "unexercised",
    default="",
    metavar="REASON",
    help="Trade live with rules that never fired on paper or the demo exchange; the journal keeps "
    "the reason.",
)
def run(
    folder: Path,
    paper: bool,
    live: bool,
    hook: tuple[str, int] | None,
    dashboard: tuple[str, int] | None,
    restored: bool,
    env_secrets: bool,
    unexercised: str,
    exercised: tuple[Path, ...],
) -> None:
    """Run the daemon on DIR/rules/*.yaml, until SIGTERM or Ctrl-C; a second one ends it at once.

    Exit 0: stopped as asked, 1: a thread, the exchange or the journal failed, 78: rules,
    settings or the folder are wrong.
    """
    from runner.ops.steady import hushed

    # until it can reload, a SIGHUP must not end it
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with hushed(), stop_requests() as stop:
        try:
            accepted = Accepted(restored, env_secrets, unexercised, exercised)
            _run(folder, paper, live, hook, dashboard, stop, accepted)
        except RunnerError as error:
            text = str(error).rstrip()
            output.note(text if "\n" in text else f"runner: {text}")
            sys.exit(_code(error))


def _code(error: RunnerError) -> int:
    """A busy journal may be free at the next try; a folder that is read-only will not."""
    if isinstance(error, JournalBusy | JournalAway):
        return FAILED
    return CONFIGURATION if isinstance(error, ConfigurationError | JournalError) else FAILED


def _run(
    folder: Path,
    paper: bool,
    live: bool,
    hook: tuple[str, int] | None,
    dashboard: tuple[str, int] | None,
    stop: StopRequests,
    accepted: Accepted,
) -> None:
    from runner import logs
    from runner.app import App
    from runner.arming import Arming, journals_of
    from runner.cli.doctor import admit
    from runner.cli.rules import rules_of
    from runner.connecting import Place, embedded_paper, on_paper
    from runner.leading import share_of
    from runner.ops.notify_systemd import Pulse, notify, watchdog_seconds
    from runner.ops.secret_files import finish
    from runner.ops.steady import hush, settle
    from runner.rulebook.shelf import FILE_NAME, Shelf
    from runner.settings import load
    from runner.sharing import traded
    from runner.standby import stand_by

    hush()
    settings = load(folder)
    if hook is not None:
        settings = replace(settings, hook=hook)
    shelf = Shelf(folder / FILE_NAME)
    place = Place(folder, shelf)
    rules_of(folder, shelf=shelf)
    with ExitStack() as stack:
        _show(folder, settings, dashboard or settings.dashboard, stack)
        shares = [share_of(settings, name) for name in traded(place, settings)]
        embedded = [share for share in shares if paper or on_paper(share)]
        real = [share for share in shares if share not in embedded]
        late: dict[str, VenueError] = {}

        def admitted(name: str) -> None:
            if any(share.account().name == name for share in real):
                admit(folder, share_of(settings, name), live, accepted.env_secrets)

        for share in real:
            account = share.account()
            finish(folder / "secrets", (account.api_key, account.api_secret))
            try:
                admitted(account.name)
            except VenueError as error:
                if len(shares) == 1:
                    raise
                late[account.name] = error
        server = embedded_paper(place, settings, embedded) if embedded else None
        if server is not None:
            stack.callback(server.stop)
        front = _front(place, settings, stack)
        journals = None
        if front is not None:
            say = partial(_standing_by, front)
            journals = stand_by(place, settings, front.accounts, accepted.restored, stop.wait, say)
            if journals is None:
                return
        app = App(
            place,
            settings,
            server,
            partial(_shown, several=len(shares) > 1),
            only_paper=paper,
            accept_restored=accepted.restored,
            journals=journals,
            hook_server=front.server if front is not None else None,
            arming=Arming(
                frozenset(share.account().name for share in real if live),
                accepted.unexercised,
                tuple(place for each in accepted.exercised for place in journals_of(each)),
            ),
            admit=admitted,
            late=late,
        )
        for share in real:
            _claim_key(app, share, folder, stack)
        logs.configure_as(settings.log, folder, app.secrets.values)
        stack.callback(app.stop)
        _take_hangups(app, folder, stack)
        app.start()
        if front is not None:
            front.app = app
        if _wait_ready(app, stop):
            shelf.rest()
            settle()
            notify("READY=1")
            click.echo(_ready(app))
            for one in app.roster.late.values():
                click.echo(f"WAITING account {one.name} cannot begin yet: {one.why}")
            sys.stdout.flush()
            pulse = Pulse(partial(notify, "WATCHDOG=1"), watchdog_seconds())
            while not stop.wait(LOOK_EVERY):
                app.watch()
                pulse.feed(app.turned_at())
        notify("STOPPING=1")


def _show(
    folder: Path, settings: Settings, address: tuple[str, int] | None, stack: ExitStack
) -> None:
    if address is not None:
        from runner.cli.beside import show

        show(folder, settings, address, stack)


def _shown(account: str, *, several: bool) -> list[Observer]:
    from runner.connecting import wall_ms
    from runner.shown import Shown

    return [Shown(wall_ms, account if several else "")]


def _claim_key(app: App, share: Settings, folder: Path, stack: ExitStack) -> None:
    """Be the only one with this key on this machine, and change it when asked to.

    Runners that stand by for each other share a key on purpose: the journal's lease parts them.
    """
    from runner.journal.database import is_server
    from runner.ops.key_lock import claim
    from runner.rotating import KeyRotation, address_of

    account = share.account()
    if not is_server(share.journal):
        try:
            claimed = claim(address_of(account), app.secrets.get(account.api_key), account.name)
        except RunnerError:
            app.give_back()
            raise
        stack.callback(claimed.close)

    def rotate(cell: Cell) -> None:
        rotation = KeyRotation(folder, share, app.secrets, cast("Adapter", cell.venue))
        rotation.start()
        stack.callback(rotation.stop)

    app.roster.attend(account.name, rotate)


def _front(place: Place, settings: Settings, stack: ExitStack) -> Front | None:
    """Where the journal is on a server others may lead: alerts are taken all the same."""
    from runner.journal.database import is_server
    from runner.standby import Front

    if not is_server(settings.journal):
        return None
    front = Front(place, settings)
    front.server.start()
    stack.callback(front.server.stop)
    return front


def _standing_by(front: Front, why: str) -> None:
    from runner.ops.notify_systemd import notify

    notify("READY=1")
    click.echo(f"STANDBY alerts at {front.server.url}/hook/…: {why}")
    sys.stdout.flush()


def _take_hangups(app: App, folder: Path, stack: ExitStack) -> None:
    """SIGHUP reloads from now on, and `runner reload` finds this process."""
    from runner.leading import share_of
    from runner.ops.presence import announce

    signal.signal(signal.SIGHUP, lambda *_: app.reloader.ask())
    stack.callback(signal.signal, signal.SIGHUP, signal.SIG_IGN)
    apart = {name: share_of(app.settings, name).apart for name in app.accounts}
    presence = announce(folder, apart)
    if presence is not None:
        stack.callback(os.close, presence)


def _wait_ready(app: App, stop: StopRequests) -> bool:
    """True once alerts are taken, False when a stop was asked for before."""
    while not stop.wait(READY_EVERY):
        app.watch()
        if app.ready():
            return True
    return False


def _ready(app: App) -> str:
    ids = list(app.rules.rules)
    shown = ", ".join(ids[:MOST_SHOWN]) + (", …" if len(ids) > MOST_SHOWN else "")
    count = "1 rule" if len(ids) == 1 else f"{len(ids)} rules"
    return f"READY alerts at {app.hook_server.url}/hook/… on {_where(app)}, {count}: {shown}"


def _where(app: App) -> str:
    names = [cell.name for cell in app.cells.values()]
    return f"account {names[0]}" if len(names) == 1 else f"accounts {', '.join(names)}"
