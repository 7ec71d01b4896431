"""`runner dashboard`: the pages that show and switch the runner, and their password."""

from __future__ import annotations

import os
import secrets
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli import options, output
from runner.errors import ConfigurationError, RunnerError, UsageError

if TYPE_CHECKING:
    from runner.settings import Settings

DEFAULT = ("127.0.0.1", 8081)
LOOK_EVERY = 0.2
NICE = 10
"""Beside the daemon: alerts and orders go first where the processor is scarce."""

CONFIGURATION = 78


@click.group(
    invoke_without_command=True,
    epilog="""Example: runner dashboard password --dir my\n
    Example: runner dashboard --dir my""",
)
@options.directory
@click.option(
    "--dashboard",
    "address",
    type=options.place,
    metavar="HOST:PORT",
    help="Where it is shown, or unix:PATH; goes before runner.yaml. Default: 127.0.0.1:8081.",
)
@click.option("--beside", "descriptor", type=int, hidden=True)
@click.pass_context
def dashboard(
    ctx: click.Context, folder: Path, address: tuple[str, int] | None, descriptor: int | None
) -> None:
    """Serve the dashboard of DIR by itself, until Ctrl-C; `runner run --dashboard` does it too.

    It reads the journal, also while no runner runs, and gives commands as the command line does.
    It needs a password: runner dashboard password.
    """
    if ctx.invoked_subcommand is not None:
        return
    from runner.cli.stopping import stop_requests
    from runner.dashboard.server import listen
    from runner.settings import load

    try:
        settings = load(folder)
        if descriptor is not None:
            listener = socket.socket(fileno=descriptor)
        else:
            listener = listen(*(address or settings.dashboard or DEFAULT))
        with stop_requests() as stop:
            if descriptor is not None:
                with suppress(OSError):  # a sandbox may forbid it
                    os.nice(NICE)
                _end_with_parent(stop.ask)
            _serve(folder, settings, listener, stop.wait, quiet=descriptor is not None)
    except ConfigurationError as error:
        output.note(f"runner: {error}")
        sys.exit(CONFIGURATION)


@dashboard.command(epilog="Example: runner dashboard password --dir my")
@options.directory
@click.option("--print", "shown", is_flag=True, help="Print the hash instead of keeping it.")
def password(folder: Path, shown: bool) -> None:
    """Set the dashboard's password; its argon2id hash goes to DIR/secrets/dashboard.

    Asked twice on a terminal; in a pipe the first line of stdin is taken. Who was logged in must
    log in again.
    """
    from runner.dashboard.passwords import SECRET, hash_of, objection
    from runner.settings import load

    elsewhere = SECRET in load(folder).secrets and not shown
    if elsewhere:
        raise UsageError(
            f"runner.yaml says where the secret {SECRET} is kept: write there what "
            "runner dashboard password --print shows"
        )
    chosen = _asked()
    wrong = objection(chosen)
    if wrong:
        raise UsageError(wrong)
    if shown:
        click.echo(hash_of(chosen))
        return
    path = folder / "secrets" / SECRET
    _keep(path, hash_of(chosen))
    click.echo(f"the password is set, its hash is in {path}")


def _asked() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt="Once more"))
    return sys.stdin.readline().rstrip("\r\n")


def _keep(path: Path, text: str) -> None:
    """Write it whole or not at all, for this user only. Raises RunnerError."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{text}\n")
        unfinished.replace(path)
    except OSError as error:
        raise RunnerError(
            f"cannot write {path}: {error.strerror}; be the runner's user, or print the hash with "
            "--print"
        ) from error


def _serve(
    folder: Path,
    settings: Settings,
    listener: socket.socket,
    stopped: Callable[[float], bool],
    *,
    quiet: bool,
) -> None:
    """Serve until asked to stop. Raises ConfigurationError for an open address without password."""
    from runner import logs
    from runner.cli.desk import FolderDesk
    from runner.dashboard.app import several
    from runner.dashboard.passwords import is_hash
    from runner.dashboard.server import DashboardServer, is_private, leave, url_of

    names = _accounts(settings)
    desks = {name: FolderDesk(folder, settings, name) for name in names}
    desk, url = desks[names[0]], url_of(listener)
    logs.configure(registered_secrets=desk.secrets)
    guarded = is_hash(desk.password() or "")
    if not guarded and not is_private(listener):
        listener.close()
        raise ConfigurationError(
            f"the dashboard has no password, so it is not shown on {url}: set one "
            f"with runner dashboard password --dir {folder}, or choose 127.0.0.1"
        )
    served = DashboardServer(several(desks, settings.trusted_proxies), listener)
    served.start()
    if not quiet:
        click.echo(f"DASHBOARD {served.url}")
        sys.stdout.flush()
    if not guarded:
        output.note(f"the dashboard has no password yet: runner dashboard password --dir {folder}")
    for each in desks.values():
        each.warm()
    while not stopped(LOOK_EVERY):
        pass
    served.stop()
    if not quiet:
        leave(url)


def _accounts(settings: Settings) -> list[str]:
    """The accounts to choose from, the default one first; "" where there is no choice."""
    if len(settings.accounts) < 2:
        return [""]
    default = settings.account().name
    return [default, *(name for name in settings.accounts if name != default)]


def _end_with_parent(ask: Callable[[], None]) -> None:
    """Stop when stdin ends: the daemon holds its other end as long as it lives."""

    def watch() -> None:
        while os.read(0, 1):
            pass
        ask()

    threading.Thread(target=watch, name="parent", daemon=True).start()
