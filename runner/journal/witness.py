"""The witness: a small file in another place that tells how far the journal had come.

A journal that is behind its witness was restored from a backup or rolled back: orders may be out
there that it does not know.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from runner.errors import JournalError, JournalRestored

log = logging.getLogger(__name__)

EVERY: Final = 60_000
"""Ms between two sightings."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """How far a journal had come: its lead's epoch, its newest run and record; `at` in ms."""

    journal_id: str
    epoch: int
    run_seq: int
    record_seq: int
    at: int


class Witness:
    """The file; None as its path means that nobody watches."""

    def __init__(self, path: Path | None) -> None:
        """Nothing is read yet."""
        self.path: Final = path
        self._written_at: int | None = None

    def read(self) -> Sighting | None:
        """The last sighting; None when there is none. Raises JournalError for a damaged file."""
        if self.path is None or not self.path.exists():
            return None
        try:
            return Sighting(**json.loads(self.path.read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise JournalError(
                f"the journal's witness {self.path} cannot be read ({error}): if the journal is "
                "surely the newest, remove the file"
            ) from error

    def due(self, now: int) -> bool:
        """True when the next sighting shall be written; the distance, for clocks are set back."""
        if self.path is None:
            return False
        return self._written_at is None or abs(now - self._written_at) >= EVERY

    def write(self, sighting: Sighting) -> None:
        """Remember it, durably. Raises JournalError when it cannot be written."""
        if self.path is None:
            return
        unfinished = self.path.with_name(self.path.name + ".new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with unfinished.open("w") as file:
                file.write(json.dumps(asdict(sighting)))
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self.path)
        except OSError as error:
            raise JournalError(
                f"cannot write the journal's witness {self.path}: {error.strerror}; name a place "
                "this user may write in, under witness: in runner.yaml"
            ) from error
        self._written_at = sighting.at

    def follow(self, sighting: Sighting) -> None:
        """As `write`, but a failure is only logged: an older witness is true, too."""
        self._written_at = sighting.at
        try:
            self.write(sighting)
        except JournalError as error:
            log.warning("%s", error)


def behind(name: str, journal: Sighting, witness: Sighting | None) -> JournalRestored | None:
    """The error for a journal that is older than its witness, or not the same; else None."""
    if witness is None:
        return None
    if journal.journal_id != witness.journal_id:
        what = "is not the journal that was used here before"
    elif journal.epoch < witness.epoch:
        lost = witness.epoch - journal.epoch
        what = f"is older than its witness: {lost} later starts of the runner are missing"
    elif journal.run_seq < witness.run_seq or journal.record_seq < witness.record_seq:
        what = (
            f"is older than its witness: {max(witness.run_seq - journal.run_seq, 0)} runs and "
            f"{max(witness.record_seq - journal.record_seq, 0)} records are missing"
        )
    else:
        return None
    return JournalRestored(f"{name} {what}. {CURE}")


CURE: Final = (
    "If it was restored on purpose, start once with --accept-restored-journal: every order is "
    "then asked for at the exchange before it is sent. Else put the newest journal back"
)
