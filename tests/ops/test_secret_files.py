"""Secrets as files: private from the first moment, in two slots, and never half a pair."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from runner.errors import ConfigurationError
from runner.ops.secret_files import NEXT, finish, promote, warning, write, written_at

NAMES = ("key", "secret")


def slots(folder: Path) -> dict[str, str]:
    """What lies in the folder."""
    return {path.name: path.read_text().strip() for path in sorted(folder.iterdir())}


def test_a_secret_is_written_whole_and_private(tmp_path: Path) -> None:
    """0600 whatever the umask, the folder 0700; an older value is replaced, nothing else left."""
    path = tmp_path / "secrets" / "key"
    before = os.umask(0)
    try:
        write(path, "one")
        write(path, "two")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert slots(path.parent) == {"key": "two"}
    assert written_at(path) is not None
    assert written_at(tmp_path) is None


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """With the cure, and without the value."""
    (tmp_path / "secrets").write_text("a file")
    with pytest.raises(ConfigurationError, match="May this user write there") as caught:
        write(tmp_path / "secrets" / "key", "Geheimnis")
    assert "Geheimnis" not in str(caught.value)


def test_the_next_slot_moves_into_use_whole(tmp_path: Path) -> None:
    """Both files or none."""
    write(tmp_path / "key", "old")
    write(tmp_path / f"key{NEXT}", "new")
    assert not promote(tmp_path, NAMES)
    write(tmp_path / f"secret{NEXT}", "new")
    assert promote(tmp_path, NAMES)
    assert slots(tmp_path) == {"key": "new", "secret": "new"}


def test_a_change_that_ended_between_two_files_is_completed(tmp_path: Path) -> None:
    """A key must never be read with another key's secret; what was not begun stays as it is."""
    for name, value in (("key", "new"), ("secret", "old"), (f"secret{NEXT}", "new")):
        write(tmp_path / name, value)
    finish(tmp_path, NAMES)
    finish(tmp_path, NAMES)
    assert slots(tmp_path) == {"key": "new", "secret": "new"}
    for name in NAMES:
        write(tmp_path / f"{name}{NEXT}", "newer")
    finish(tmp_path, NAMES)
    assert slots(tmp_path)["secret"] == "new"


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (0, ""),
        (75, ""),
        (76, "14 days left of 90: make a new one"),
        (82, "8 days left of 90: make a new one"),
        (83, "7 days left of 90: make a new one this week"),
        (89, "1 days left of 90: make a new one this week"),
        (90, "older than 90 days: make a new one now, and revoke this one"),
        (400, "older than 90 days: make a new one now, and revoke this one"),
    ],
)
def test_a_key_that_grows_old_is_warned_of(days: int, said: str) -> None:
    """Two weeks and one week before it is 90 days old, and then."""
    assert warning(days) == said
