"""How the switches' verbs give their command: to the daemon, or to the journal when none runs."""

from __future__ import annotations

import getpass
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from runner.cli import output
from runner.cli.progress import Working
from runner.errors import JournalBusy, RunnerError, UsageError

if TYPE_CHECKING:
    from runner.core.events import Command
    from runner.journal import Journal, JournalReader
    from runner.settings import Settings

REFUSED: Final = 1
PATIENCE: Final = 10.0
LOOK_EVERY = 0.1

OFFLINE: Final = frozenset({"enable", "disable", "pause", "resume", "kill", "unlock"})
"""Verbs that the journal can take while nobody runs: the next start begins like that."""

NOT_SENT: Final = (
    "no runner runs in {folder}: nothing could be sent to the exchange, orders and positions are "
    "as they were. Cancel them in the exchange's app, or start the runner: runner run --dir "
    "{folder}"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a command; `runs` are what it began on each symbol."""

    done: bool
    text: str
    runs: tuple[str, ...] = ()
    more: Mapping[str, Any] | None = None


def order(folder: Path, verb: str, *, as_json: bool, key: str = "", **data: Any) -> None:
    """Give the command, print what came of it; ends with exit code 1 when it was refused.

    `key` names a command that was given in another way, too.
    """
    from runner.cli.accounts import settings_of
    from runner.cli.reading import journal_of

    settings = settings_of(folder)
    told = {"who": who(), "at": time.time_ns() // 1_000_000, **data}
    with Working("waiting for the runner"):
        answer = give(folder, settings, verb, told, key)
    ends: list[dict[str, Any]] = []
    if answer.runs and answer.done and _runs_here(folder, settings):
        if not as_json:
            click.echo(answer.text)
        with journal_of(folder, settings) as journal, Working("waiting for the exchange"):
            ends = _ends(journal, answer.runs)
    elif not as_json:
        click.echo(answer.text)
    failed = [end for end in ends if end["status"] != "done"]
    if as_json:
        found = {"done": answer.done, "text": answer.text, "runs": ends}
        output.document({**found, **(answer.more or {})})
    else:
        for end in ends:
            click.echo(f"  {end['symbol']}: {end['told']}")
        if failed:
            click.echo(f"see runner explain {failed[0]['run_id']} --dir {folder}", err=True)
    sys.exit(0 if answer.done and not failed else REFUSED)


def who() -> str:
    """The name of the user who gives the command, for the journal."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def give(
    folder: Path, settings: Settings, verb: str, data: Mapping[str, Any], key: str = ""
) -> Answer:
    """Have the leader do it, or do what can be done without one. Raises RunnerError."""
    from runner.cli.commanding import command
    from runner.connecting import wall_ms

    if not _runs_here(folder, settings):
        if verb not in OFFLINE:
            raise UsageError(NOT_SENT.format(folder=folder))
        try:
            return _alone(folder, settings, verb, data)
        except JournalBusy:
            pass  # somebody leads it all the same
    told = command(folder, settings, verb, data, wall_ms(), PATIENCE, key)
    if told.waits:
        text = (
            "no runner took it yet; it is kept and done first once one can. If it is urgent, act "
            "in the exchange's app"
        )
        raise RunnerError(text)
    data = told.data or {}
    more = {key: data[key] for key in ("run", "outcome") if key in data}
    return Answer(told.done, told.text, tuple(data.get("runs", ())), more)


def _runs_here(folder: Path, settings: Settings) -> bool:
    """True when a daemon may take it: one of this folder, or one elsewhere on the same journal."""
    from runner.journal.database import is_server
    from runner.ops.presence import process_in

    return is_server(settings.journal) or process_in(folder) is not None


def _alone(folder: Path, settings: Settings, verb: str, data: Mapping[str, Any]) -> Answer:
    """The journal takes it now: whoever starts next finds it so."""
    from runner.cli.commanding import alone
    from runner.cli.reading import journal_of, started
    from runner.core.events import Command

    key = f"{verb}-{data['at']}-{os.getpid()}"
    event = Command(verb, key, **data)
    with journal_of(folder, settings) as reader:
        account = started(reader).get("account", "")
    answer = alone(
        folder, settings, lambda journal: _decided(folder, settings, journal, event, account)
    )
    if verb == "kill":
        text = f"killed by {event.who} from the next start on. {NOT_SENT.format(folder=folder)}; "
        return Answer(True, f"{text}it cancels everything first")
    return answer


def _decided(
    folder: Path, settings: Settings, journal: Journal, event: Command, account: str
) -> Answer:
    from runner.cli.rules import rules_of
    from runner.core import commands
    from runner.core.prices import PriceBoard
    from runner.core.running import World
    from runner.core.state import Work
    from runner.core.view import View
    from runner.remembering import remembered

    state = remembered(journal)
    view = View(PriceBoard(settings.stale_after), {})
    limits = settings.limits(account)
    world = World(rules_of(folder), view, settings.namespace, account, journal.seen, limits)
    work = Work(state, event.at)
    commands.command(work, world, event)
    decision = work.apply(state.revisions)
    journal.own()
    journal.commit([decision])
    record = next(each for each in decision.records if each.kind == "command")
    text = f"{record.text} (no runner runs: it holds from the next start)"
    return Answer(record.data["done"], text)


GOING_ON: Final = (
    "still going on: the exchange has not answered yet. Under a ban (418) nothing can be sent "
    "until it ends, the log says when; a countdown that is set cancels plain orders without us, "
    "stops stay. If it is urgent, act in the exchange's app"
)


def _ends(journal: JournalReader, run_ids: tuple[str, ...]) -> list[dict[str, Any]]:
    """How the runs ended, or stand after a while."""
    deadline = time.monotonic() + PATIENCE
    while True:
        runs = [journal.run(run_id) for run_id in run_ids]
        over = all(run is not None and run["status"] != "running" for run in runs)
        if over or time.monotonic() >= deadline:
            return [_end(journal, run) for run in runs if run is not None]
        time.sleep(LOOK_EVERY)


def _end(journal: JournalReader, run: dict[str, Any]) -> dict[str, Any]:
    records = journal.records(run_id=run["run_id"], kinds=("run",))
    said = [record["text"].removeprefix("sweep: ") for record in records]
    told = said[0] if said else GOING_ON
    return {
        "run_id": run["run_id"],
        "symbol": run["symbol"],
        "status": run["status"],
        "told": run["reason"] or told,
    }


def confirmed(question: str, yes: bool) -> None:
    """Ask on a terminal; without one --yes must be given. Raises UsageError or Abort."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nobody can be asked here: say --yes to do it")
    click.confirm(question, abort=True)
