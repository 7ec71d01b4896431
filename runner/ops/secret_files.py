"""Secrets that are files: written whole and private, in two slots, the next one and that in use."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from runner.durably import sync_folder
from runner.errors import ConfigurationError

NEXT = "_next"
"""What a name ends with in the slot of the key that is about to be used."""

DAY = 86_400
MILD, URGENT, OVERDUE = 76, 83, 90
"""Days: a key should not grow older than 90; it is said two weeks and one week before."""


def write(path: Path, value: str) -> None:
    """Put a secret into a file that only this user may read, whole or not at all.

    Raises ConfigurationError where the folder does not let us.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkstemp makes it 0600 before anything is in it
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(value + "\n")
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise ConfigurationError(
            f"the secret {path.name} cannot be written to {path}: {error.strerror}. May this user "
            "write there?"
        ) from None


def promote(folder: Path, names: Sequence[str]) -> bool:
    """Move the next slots of these names into use, in this order; False when there are none.

    A crash in between leaves a later name's slot without the first one's: `finish` tells it.
    """
    slots = [(folder / f"{name}{NEXT}", folder / name) for name in names]
    if not all(slot.is_file() for slot, _ in slots):
        return False
    for slot, used in slots:
        slot.replace(used)
    sync_folder(folder)
    return True


def finish(folder: Path, names: Sequence[str]) -> None:
    """Complete a change that ended between two files: key and secret must fit each other.

    Harmless where nothing was begun: the first name's slot is the first to go.
    """
    first, *others = names
    if (folder / f"{first}{NEXT}").exists():
        return
    for name in others:
        with suppress(FileNotFoundError):
            (folder / f"{name}{NEXT}").replace(folder / name)


def written_at(path: Path) -> int | None:
    """When a secret's file was written, in UTC ms; None without such a file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return int(status.st_mtime * 1000) if stat.S_ISREG(status.st_mode) else None


def warning(days: int) -> str:
    """What to say of a key of this age in days; "" while it is young enough."""
    if days >= OVERDUE:
        return f"older than {OVERDUE} days: make a new one now, and revoke this one"
    if days >= URGENT:
        return f"{OVERDUE - days} days left of {OVERDUE}: make a new one this week"
    if days >= MILD:
        return f"{OVERDUE - days} days left of {OVERDUE}: make a new one"
    return ""
