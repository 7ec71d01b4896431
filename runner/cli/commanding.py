"""How a verb has the journal changed: through its leader's inbox, or alone when nobody leads."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from runner.cli.reading import journal_of
from runner.connecting import wall_ms
from runner.core.decision import Received
from runner.journal import Journal, JournalReader, inbox_of, place_of
from runner.remembering import lead
from runner.settings import Settings

T = TypeVar("T")

PATIENCE = 10.0
"""Seconds that a verb waits for the leader's answer."""

LOOK_EVERY = 0.1


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a command: `done` is False when it was refused, or still waits.

    `data` is the record's.
    """

    done: bool
    text: str
    waits: bool = False
    data: Mapping[str, Any] | None = None


def command(
    folder: Path,
    settings: Settings,
    kind: str,
    data: Mapping[str, Any],
    now: int,
    patience: float = PATIENCE,
    key: str = "",
) -> Told:
    """Leave a command for the leader and wait for its answer, which is a record of the journal.

    `key` names a command that was handed in already, too.
    """
    key = key or f"{kind}-{now}-{os.getpid()}"
    with journal_of(folder, settings) as reader:
        newest = reader.records(limit=1)
        after = newest[-1]["seq"] if newest else 0
        with inbox_of(place_of(folder, settings.journal)) as inbox:
            inbox.put(Received(key, kind, data, now))
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            for record in reader.records(after=after, kinds=("command",)):
                if record["data"].get("command") == key:
                    found = record["data"]
                    return Told(bool(found["done"]), record["text"], data=found)
            time.sleep(LOOK_EVERY)
    return Told(False, "nobody leads now: the runner takes it up when it starts", waits=True)


def alone(folder: Path, settings: Settings, change: Callable[[Journal], T]) -> T:
    """Change the journal while no runner does. Raises JournalBusy when one leads."""
    journal = lead(folder, settings, wall_ms)
    try:
        return change(journal)
    finally:
        journal.close()


def upgraded(file: Path) -> None:
    """Bring a journal that nobody uses up to this runner. Raises JournalError, and changes nothing.

    It sets no room aside beside the file.
    """
    with JournalReader.open(file, older=True) as reader:
        namespace = reader.namespace
    Journal.open(file, namespace, wall_ms, wal_bytes=0, reserve=0).close()
