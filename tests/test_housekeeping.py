"""What the tree promises about itself: locks, docstrings, lengths, words, no trace of a machine."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-release.lock")
LONGEST_FILE = 400

# Written so that they do not find themselves.
LEFT_OPEN = re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X])\b")
REGISTRIES = re.compile(r"pypi\.org|pythonhosted|npmjs|deb\.debian")
MACHINE_PATH = re.compile(r"(?<![\w.:~-])/(?:home|root|Users|work)/\w")
UNUSED_WORDS = {"signal", "strategy", "bot", "manager", "helper", "helpers", "utils", "base"}


def tracked() -> dict[str, str]:
    """Return the text of every file that git keeps, by its path in the repository."""
    if not (REPOSITORY / ".git").exists():
        pytest.skip("not a git checkout: there is no list of the files that belong to it")
    git = ["git", "-c", "safe.directory=*", "-C", str(REPOSITORY), "ls-files", "-z"]
    listed = subprocess.run(git, check=True, capture_output=True, text=True).stdout
    texts = {}
    for name in filter(None, listed.split("\0")):
        path = REPOSITORY / name
        if path.is_file():
            texts[name] = path.read_text("utf-8", errors="replace")
    return texts


def python_files(folder: str) -> dict[str, str]:
    """Return the source of every Python file under a folder of the repository."""
    return {
        str(path.relative_to(REPOSITORY)): path.read_text("utf-8")
        for path in sorted((REPOSITORY / folder).rglob("*.py"))
    }


def locked(name: str) -> dict[str, str]:
    """Return package -> version of a lock file."""
    text = (REPOSITORY / name).read_text("utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


def lines_with(pattern: re.Pattern[str], texts: dict[str, str]) -> list[str]:
    """Return `file:line: text` of every line in which the pattern is found."""
    return [
        f"{name}:{number}: {line.strip()}"
        for name, text in texts.items()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


@pytest.mark.parametrize("name", LOCKS)
def test_lock_holds_names_versions_and_hashes_only(name: str) -> None:
    """A lock file has no address, and a hash for every package."""
    text = (REPOSITORY / name).read_text("utf-8")
    assert "://" not in text
    assert not re.search(r"^-", text, re.MULTILINE), "an option of pip got into the lock"
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert blocks
    assert [block for block in blocks if "--hash=sha256:" not in block] == []


def test_locks_fit_the_project_file() -> None:
    """What pyproject.toml asks for is in the locks; if not, `make lock` was forgotten."""
    pyproject = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    project, extras = pyproject["project"], pyproject["project"]["optional-dependencies"]
    run, development, release = (locked(name) for name in LOCKS)
    to_run = project["dependencies"] + extras["build"]
    wanted = [
        to_run,
        to_run + extras["test"] + extras["docs"],
        pyproject["dependency-groups"]["release"],
    ]
    for name, versions, lines in zip(LOCKS, (run, development, release), wanted, strict=True):
        for line in lines:
            asked = Requirement(line)
            version = versions.get(canonicalize_name(asked.name), "missing")
            assert version != "missing", f"{asked.name} is not in {name}: make lock"
            assert asked.specifier.contains(version), f"{asked} against {version} in {name}"
    assert run.items() <= development.items(), "the two locks disagree: make lock"


def test_every_module_says_what_it_is_for() -> None:
    """The first line of each module under runner/ is a sentence."""
    silent = [
        name
        for name, text in python_files("runner").items()
        if not (ast.get_docstring(ast.parse(text)) or "").strip()
    ]
    assert silent == []


def test_every_test_states_the_behaviour() -> None:
    """Each test function has a docstring."""
    silent = [
        f"{name}:{node.lineno} {node.name}"
        for name, text in python_files("tests").items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        if not ast.get_docstring(node)
    ]
    assert silent == []


def test_no_file_is_long() -> None:
    """A file under runner/ holds one idea, and no more than 400 lines."""
    lengths = {name: len(text.splitlines()) for name, text in python_files("runner").items()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_words_that_mean_nothing_are_not_used() -> None:
    """No module or class is named with a word that says nothing here (manager, helper, base …)."""
    found = []
    for name, text in python_files("runner").items():
        classes = [
            node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef)
        ]
        spelled = [word for each in classes for word in re.findall(r"[A-Z][a-z]+", each)]
        words = {word.lower() for word in [*spelled, *Path(name).stem.split("_")]}
        found += [f"{name}: {word}" for word in sorted(words & UNUSED_WORDS)]
    assert found == []


def test_nothing_is_left_open() -> None:
    """No file says that something is still to be done."""
    assert lines_with(LEFT_OPEN, tracked()) == []


def test_no_trace_of_a_machine() -> None:
    """No file holds a path of the machine it was written on, or of this one."""
    here = re.compile(re.escape(f"{REPOSITORY}/"))
    texts = tracked()
    assert lines_with(MACHINE_PATH, texts) + lines_with(here, texts) == []


def test_no_package_registry_is_named() -> None:
    """Where packages come from is the machine's setting: no file names a registry's host."""
    texts = tracked()
    texts.pop("tests/test_housekeeping.py", None)
    assert lines_with(REGISTRIES, texts) == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (LEFT_OPEN, "# TO|DO: later"),
        (MACHINE_PATH, "see /ho|me/ann/notes"),
        (MACHINE_PATH, "folder = '/ro|ot/x'"),
        (REGISTRIES, "--index-url ht|tps://py|pi.org/simple"),
    ],
)
def test_the_patterns_find_what_they_look_for(pattern: re.Pattern[str], line: str) -> None:
    """Each search finds a made-up example (broken by | here), and a clean line passes."""
    whole = line.replace("|", "")
    assert lines_with(pattern, {"file": f"clean\n{whole}\n"}) == [f"file:2: {whole}"]
