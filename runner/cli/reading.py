"""Opens a folder's journal for the verbs that only read, also beside a running daemon."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from runner.cli.accounts import settings_of
from runner.cli.options import NEWEST
from runner.cli.output import note
from runner.errors import ConfigurationError, JournalError
from runner.journal import JournalReader, place_of
from runner.settings import Settings

T = TypeVar("T")


def journal_of(
    folder: Path, settings: Settings | None = None, *, older: bool = False
) -> JournalReader:
    """The journal of a folder, read-only; `older`: also of an older runner, to copy it.

    Mistakes in runner.yaml keep nobody from reading the journal that lies in the folder. Raises
    JournalError when none is there.
    """
    chosen = settings or readable(folder)
    path = place_of(folder, chosen.journal)
    if isinstance(path, Path) and not path.exists():
        raise JournalError(
            f"there is no journal {path}: nothing ran in this folder yet. "
            f"Start it with: runner run --dir {folder} --paper; or name another --dir"
        )
    return JournalReader.open(path, older=older)


def readable(folder: Path) -> Settings:
    """The settings; where they have mistakes those of a runner without runner.yaml, and a remark.

    Raises ConfigurationError when no such journal is there either.
    """
    try:
        return settings_of(folder)
    except ConfigurationError:
        usual = Settings()
        path = place_of(folder, usual.journal)
        if not isinstance(path, Path) or not path.exists():
            raise
        note(
            "runner.yaml has mistakes (runner check): a runner that runs goes on with what it "
            f"read, none can start; what follows is of {path}"
        )
        return usual


def started(journal: JournalReader) -> dict[str, Any]:
    """What the newest start said of itself: account, hook, exchange (of --paper), pid, version,
    and `at`, `running` (False once it stopped as asked, then `stopped_at` and `how`); empty before
    the first start.
    """
    found = journal.records(limit=1, kinds=("started", "stopped"))
    starts = journal.records(limit=1, kinds=("started",))
    if not starts:
        return {}
    told = {**starts[-1]["data"], "at": starts[-1]["at"], "running": True}
    if found[-1]["kind"] == "stopped":
        told |= {"running": False, "stopped_at": found[-1]["at"], "how": found[-1]["text"]}
    return told


def newest(
    read: Callable[[int | None], list[T]], limit: int | None, as_json: bool, noun: str
) -> list[T]:
    """The newest rows: all with --json, else 50, with a remark when there are more."""
    if limit == 0 or (limit is None and as_json):
        return read(None)
    if limit is not None:
        return read(limit)
    rows = read(NEWEST + 1)
    if len(rows) > NEWEST:
        note(f"the newest {NEWEST} {noun}; --limit 0 shows all")
    return rows[-NEWEST:]
