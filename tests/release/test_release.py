"""`make release`: what lies in its folder, holds everything, and runs by itself."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from runner import __version__
from tests.conftest import REPOSITORY

# pip's words when there is no index to ask: then nothing is proven here, and nothing is wrong
NO_INDEX = re.compile(r"No matching distribution|connection|resolution|timed out", re.IGNORECASE)


def made(folder: Path) -> str:
    """What `make release` prints when it fills the folder."""
    done = subprocess.run(
        ["make", "release", f"DIST={folder}", f"PYTHON={sys.executable}"],
        check=False,
        cwd=REPOSITORY,
        env={k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "MAKEFLAGS")},
        capture_output=True,
        text=True,
        timeout=900,
    )
    if done.returncode and not folder.exists() and NO_INDEX.search(done.stderr):
        pytest.skip(f"pip reaches no package index: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def wheel(folder: Path) -> zipfile.ZipFile:
    """The wheel that was made, opened."""
    return zipfile.ZipFile(folder / f"order_runner-{__version__}-py3-none-any.whl")


def tracked(*folders: str) -> set[str]:
    """What git keeps below these folders, and is still there."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", *folders],
        check=True,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    return {name for name in listed if name and (REPOSITORY / name).is_file()}


def the_demo_ran_from_the_wheel_alone(printed: str) -> None:
    """In an environment of its own, in an empty folder; pip finds no dependency missing."""
    assert f"runner {__version__} (Python 3." in printed
    assert "every order once, none lost, none unexplained" in printed


def the_wheel_holds_every_file_of_the_package(folder: Path) -> None:
    """Code, templates, migrations, example rules, schemas; the wheel is built from the sdist."""
    with wheel(folder) as opened:
        packed = set(opened.namelist())
    moved = {re.sub("^(rules|schemas)/", r"runner/_data/\1/", name) for name in packed}
    wanted = tracked("runner") | {f"runner/_data/{each}" for each in tracked("rules", "schemas")}
    assert wanted - moved == set()
    assert not any("__pycache__" in name or "/tests/" in name for name in packed)


def the_version_stands_in_one_place(folder: Path) -> None:
    """runner/__init__.py names it; wheel and sdist repeat it, pyproject.toml does not."""
    with wheel(folder) as opened:
        metadata = opened.read(f"order_runner-{__version__}.dist-info/METADATA").decode()
    assert f"\nVersion: {__version__}\n" in metadata
    with tarfile.open(folder / f"order_runner-{__version__}.tar.gz") as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    assert {"runner/__init__.py", "Makefile", "tests/conftest.py", "docs/quickstart.md"} <= names
    assert f'"{__version__}"' not in (REPOSITORY / "pyproject.toml").read_text("utf-8")


def the_list_of_parts_names_what_was_installed(folder: Path) -> None:
    """CycloneDX: this version, its dependencies as locked, and no path of the machine."""
    text = (folder / "sbom.cdx.json").read_text("utf-8")
    parts = json.loads(text)
    assert parts["bomFormat"] == "CycloneDX"
    assert parts["metadata"]["component"]["name"] == "order-runner"
    assert parts["metadata"]["component"]["version"] == __version__
    lock = (REPOSITORY / "requirements.lock").read_text("utf-8")
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock, re.MULTILINE))
    listed = {
        re.sub(r"[-_.]+", "-", part["name"]).lower(): part["version"]
        for part in parts["components"]
    }
    assert {"flask", "sqlalchemy", "click", "requests"} <= listed.keys()
    assert {name: listed[name] for name in listed.keys() & locked.keys()} == {
        name: locked[name] for name in listed.keys() & locked.keys()
    }
    assert "file:" not in text
    assert str(folder.parent) not in text


def the_sums_are_those_of_the_files(folder: Path) -> None:
    """SHA256SUMS names every other file."""
    lines = (folder / "SHA256SUMS").read_text("utf-8").splitlines()
    sums = {name: digest for digest, name in (line.split("  ") for line in lines)}
    files = {path.name for path in folder.iterdir()} - {"SHA256SUMS"}
    assert sums.keys() == files
    assert {name: sha256((folder / name).read_bytes()).hexdigest() for name in files} == sums


def test_a_release_is_whole_and_runs(tmp_path: Path) -> None:
    """Wheel, sdist, list of parts and sums; one test, since making them takes a minute."""
    if not (REPOSITORY / ".git").exists():
        pytest.skip("this is no git checkout: nobody can say what belongs to it")
    folder = tmp_path / "dist"
    the_demo_ran_from_the_wheel_alone(made(folder))
    the_wheel_holds_every_file_of_the_package(folder)
    the_version_stands_in_one_place(folder)
    the_list_of_parts_names_what_was_installed(folder)
    the_sums_are_those_of_the_files(folder)
