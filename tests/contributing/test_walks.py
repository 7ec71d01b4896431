"""The walks of CONTRIBUTING.md, followed to the letter in a copy of the repository."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

GUIDE = (REPOSITORY / "CONTRIBUTING.md").read_text("utf-8")
COPIED = ("runner", "tests", "schemas", "docs", "rules", "pyproject.toml", "README.md")
WALKS = ("a trigger", "an action", "a venue")
# what must still hold when the walk is done: ranks, committed schemas, pages, examples
AFTER = (
    "tests/test_imports.py",
    "tests/test_schemas.py",
    "tests/docs/test_reference.py",
    "tests/docs/test_examples.py",
)

_SECTION = re.compile(r"^## Walk: (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_STEP = re.compile(
    r"^\*\*`(?P<file>\S+)`\*\*\n|^```(?P<kind>python|diff|sh)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Step:
    """One block of a walk: a new file, a change of one, or commands."""

    kind: str
    file: str
    text: str


def steps(walk: str) -> list[Step]:
    """The blocks of a walk in order; a block belongs to the file named last before it."""
    found, file = [], ""
    for step in _STEP.finditer(dict(_SECTION.findall(GUIDE))[walk]):
        if step["file"]:
            file = step["file"]
        else:
            found.append(Step(step["kind"], file, step["text"]))
    return found


def changed(before: str, diff: str) -> str:
    """The text with one change made. Its old lines must stand in it exactly once."""
    lines = diff.splitlines(keepends=True)
    old = "".join(line[1:] for line in lines if not line.startswith("+"))
    new = "".join(line[1:] for line in lines if not line.startswith("-"))
    assert before.count(old) == 1, f"CONTRIBUTING.md shows lines that are not there:\n{old}"
    return before.replace(old, new)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The repository, without what is not kept."""
    unkept = shutil.ignore_patterns("__pycache__", ".*")
    for name in COPIED:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=unkept)
        else:
            shutil.copy(source, tmp_path / name)
    (tmp_path / "CONTRIBUTING.md").write_text("", "utf-8")
    (tmp_path / "CHANGELOG.md").write_text("", "utf-8")
    return tmp_path


def run(folder: Path, *arguments: str) -> str:
    """What this Python prints when it is run in the folder; a failure shows all of it."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    environment = {k: v for k, v in environment.items() if not k.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, *arguments],
        check=False,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def follow(folder: Path, step: Step) -> None:
    """Do what one block says."""
    file = folder / step.file
    if step.kind == "python":
        assert not file.exists(), f"{step.file} is there already: choose another example"
        file.write_text(step.text, "utf-8")
    elif step.kind == "diff":
        file.write_text(changed(file.read_text("utf-8"), step.text), "utf-8")
    else:
        for line in step.text.splitlines():
            program, *arguments = shlex.split(line)
            assert program == ".venv/bin/python"
            run(folder, *arguments)


def test_the_guide_has_the_three_walks() -> None:
    """Each with at least a file, a change and commands."""
    assert tuple(dict(_SECTION.findall(GUIDE))) == WALKS
    for walk in WALKS:
        assert {step.kind for step in steps(walk)} == {"python", "diff", "sh"}


@pytest.mark.parametrize("walk", WALKS)
def test_a_walk_leads_to_its_end(walk: str, copy: Path) -> None:
    """Every step works, its own tests pass, and so do those that watch over the registries."""
    for step in steps(walk):
        follow(copy, step)
    new = sorted({step.file for step in steps(walk) if step.kind != "sh"})
    run(copy, "-m", "ruff", "check", "--no-cache", *new)
    run(copy, "-m", "ruff", "format", "--check", "--no-cache", *new)
    assert str(copy) in run(copy, "-c", "import runner; print(runner.__file__)")
    run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", *AFTER)


def test_a_change_that_does_not_fit_is_found() -> None:
    """Lines that the code no longer has fail the walk, and are shown."""
    assert changed("a\nb\n", " a\n-b\n+c\n") == "a\nc\n"
    with pytest.raises(AssertionError, match="lines that are not there"):
        changed("a\nb\n", "-d\n+c\n")
