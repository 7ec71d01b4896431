"""Changed files are noticed by content, whatever an editor does to the folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.rulebook import watch as module
from runner.rulebook.watch import Watch

OLD, NEW = "version: 1\nrules: []\n", "version: 1\nrules: [ ]"
assert len(OLD) == len(NEW)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one rule file."""
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "a.yaml").write_text(OLD)
    return folder


def renamed_over(folder: Path) -> None:
    (folder / ".a.yaml.swp").write_text(NEW)
    (folder / ".a.yaml.swp").rename(folder / "a.yaml")


def rewritten(folder: Path) -> None:
    (folder / "a.yaml").write_text(NEW)


def moved_aside_and_written(folder: Path) -> None:
    (folder / "a.yaml").rename(folder / "a.yaml~")
    (folder / "a.yaml").write_text(NEW)


def linked(folder: Path) -> None:
    (folder.parent / "elsewhere").write_text(NEW)
    (folder / "a.yaml").unlink()
    (folder / "a.yaml").symlink_to(folder.parent / "elsewhere")


def folder_swapped(folder: Path) -> None:
    other = folder.parent / "other"
    other.mkdir()
    (other / "a.yaml").write_text(NEW)
    folder.rename(folder.parent / "gone")
    other.rename(folder)


def same_time_and_size(folder: Path) -> None:
    told = (folder / "a.yaml").stat()
    (folder / "a.yaml").write_text(NEW)
    os.utime(folder / "a.yaml", ns=(told.st_atime_ns, told.st_mtime_ns))


def one_more(folder: Path) -> None:
    (folder / "b.yml").write_text(NEW)


def removed(folder: Path) -> None:
    (folder / "a.yaml").unlink()


def folder_removed(folder: Path) -> None:
    (folder / "a.yaml").unlink()
    folder.rmdir()


def dangling(folder: Path) -> None:
    (folder / "b.yaml").symlink_to(folder / "nowhere")


def a_pipe(folder: Path) -> None:
    os.mkfifo(folder / "b.yaml")


@pytest.mark.parametrize(
    "edit",
    [
        renamed_over,
        rewritten,
        moved_aside_and_written,
        linked,
        folder_swapped,
        same_time_and_size,
        one_more,
        removed,
        folder_removed,
        dangling,
        a_pipe,
    ],
)
def test_every_way_to_edit_is_noticed(folder: Path, edit: Callable[[Path], None]) -> None:
    """Also what leaves time and size as they were, right after the first look."""
    watch = Watch(folder)
    assert watch.began
    edit(folder)
    assert watch.digest() != watch.began


def test_what_is_no_change(folder: Path) -> None:
    """A touch, a copy of the same content, an editor's own files and notes beside the rules."""
    watch = Watch(folder)
    os.utime(folder / "a.yaml", ns=(1, 1))
    assert watch.digest() == watch.began
    (folder / "copy").write_text(OLD)
    (folder / "copy").rename(folder / "a.yaml")
    for name in (".a.yaml.swp", "a.yaml~", "4913", "README.md", "a.tests.yaml"):
        (folder / name).write_text(NEW)
    assert watch.digest() == watch.began


def test_tests_belong_to_it_where_they_are_required(folder: Path) -> None:
    """With `tests` an edited test is a change too, an editor's copy of it is none."""
    watch = Watch(folder, tests=True)
    (folder / ".a.tests.yaml").write_text(NEW)
    assert watch.digest() == watch.began
    (folder / "a.tests.yaml").write_text(NEW)
    assert watch.digest() != watch.began


def test_a_folder_at_rest_is_not_read_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the same names, times and sizes: from then on the content is taken as known."""
    watch = Watch(folder)
    watch.digest()
    monkeypatch.setattr(module, "_content", lambda path: pytest.fail(f"read {path}"))
    assert watch.digest() == watch.began


def test_a_file_that_may_not_be_read_is_another_content(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that turns unreadable is a change, not an error."""
    watch = Watch(folder)

    def refuse(*args: object) -> None:
        raise PermissionError(13, "no")

    monkeypatch.setattr(Path, "open", refuse)
    assert watch.digest() != watch.began


def test_a_large_file_is_read_to_the_limit_only(folder: Path) -> None:
    """Of more than a rule file may have, only the beginning is read; its size still counts."""
    with (folder / "b.yaml").open("wb") as file:
        file.truncate(1 << 40)
    watch = Watch(folder)
    with (folder / "b.yaml").open("wb") as file:
        file.truncate(1 << 39)
    assert watch.digest() != watch.began
