"""`runner init`: what it leaves passes `check` and `test`, and nothing is ever overwritten."""

from __future__ import annotations

import os
import pty
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from runner.venues.paper.symbols import built_in
from tests.cli.calling import call

WRITTEN = [
    ".gitignore",
    "rules/first.tests.yaml",
    "rules/first.yaml",
    "runner.yaml",
    "schemas/rules.v1.schema.json",
    "schemas/settings.v1.schema.json",
    "schemas/tests.v1.schema.json",
    "secrets/tv",
]


def files(folder: Path) -> list[str]:
    """Every file below."""
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


@pytest.mark.parametrize("account", ["paper", "demo"])
def test_the_folder_passes_check_and_test(tmp_path: Path, account: str) -> None:
    """Every file is there, `check` finds no error, and both tests of the rule pass."""
    folder = tmp_path / "my"
    made = call("init", folder, "--yes", "--account", account)
    assert made.exit_code == 0, made.output
    assert files(folder) == WRITTEN
    checked = call("check", "--dir", folder)
    assert checked.exit_code == 0, checked.output
    assert "1 rule in 1 file checked" in checked.stdout
    played = call("test", "--dir", folder)
    assert played.exit_code == 0, played.output
    assert "2 ok. Every rule has a test." in played.stdout


@pytest.mark.parametrize("symbol", sorted(built_in()))
def test_every_symbol_that_it_takes_passes(tmp_path: Path, symbol: str) -> None:
    """The amounts fit each symbol's steps and least notional; small letters do."""
    made = call("init", tmp_path / "my", "--yes", "--symbol", symbol.lower(), "--path", "eth-5m")
    assert made.exit_code == 0, made.output
    played = call("test", tmp_path / "my" / "rules")
    assert played.exit_code == 0, played.output


def test_the_editor_finds_the_schemas(tmp_path: Path) -> None:
    """Each file's first line names a schema that was written beside it."""
    call("init", tmp_path, "--yes")
    for name in ("runner.yaml", "rules/first.yaml", "rules/first.tests.yaml"):
        path = tmp_path / name
        first = path.read_text("utf-8").splitlines()[0]
        found = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
        assert found, first
        assert (path.parent / found[1]).is_file()


def test_the_secret_is_private_and_new(tmp_path: Path) -> None:
    """Random, mode 0600, in no repository, and shown nowhere."""
    first = call("init", tmp_path / "a", "--yes")
    call("init", tmp_path / "b", "--yes")
    path = tmp_path / "a" / "secrets" / "tv"
    value = path.read_text("utf-8").strip()
    assert len(value) == 32
    assert value != (tmp_path / "b" / "secrets" / "tv").read_text("utf-8").strip()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert value not in first.output
    ignored = (tmp_path / "a" / ".gitignore").read_text("utf-8").splitlines()
    assert {"secrets/", "journal.db*"} <= set(ignored)


def test_it_says_what_is_next(tmp_path: Path) -> None:
    """The next verbs on stderr; on stdout nothing but the message, as `runner alert` shows it."""
    made = call("init", tmp_path / "my", "--yes", "--path", "tv")
    assert made.stdout == call("alert", "first", "--dir", tmp_path / "my").stdout
    assert "{{strategy.order.action}}" in made.stdout
    assert "http://127.0.0.1:8080/hook/tv" in made.stderr
    for verb in ("check", "test", "run", "alert", "positions"):
        assert f"  runner {verb} " in made.stderr
    assert "--paper" in made.stderr


def test_a_demo_account_needs_its_keys(tmp_path: Path) -> None:
    """Then the keys are the next thing, and the run is not on paper."""
    made = call("init", tmp_path, "--yes", "--account", "demo")
    assert f"runner secrets set demo_key --dir {tmp_path}" in made.stderr
    assert "--paper" not in made.stderr
    assert "address: demo" in (tmp_path / "runner.yaml").read_text("utf-8")


@pytest.mark.parametrize("name", [name for name in WRITTEN if name != ".gitignore"])
def test_nothing_is_overwritten(tmp_path: Path, name: str) -> None:
    """With one of the files there, none is written: exit 1, and its name."""
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    made = call("init", tmp_path, "--yes")
    assert (made.exit_code, made.stdout) == (1, "")
    assert str(path) in made.stderr
    assert files(tmp_path) == [name]
    assert path.read_text() == "mine"


def test_a_link_to_nowhere_is_a_file_too(tmp_path: Path) -> None:
    """A dangling link is neither followed nor replaced."""
    (tmp_path / "runner.yaml").symlink_to(tmp_path / "elsewhere")
    made = call("init", tmp_path, "--yes")
    assert made.exit_code == 1
    assert "runner.yaml" in made.stderr
    assert files(tmp_path) == []


def test_a_gitignore_stays_as_it_is(tmp_path: Path) -> None:
    """A folder that is a repository already keeps its own, with a remark what it should name."""
    (tmp_path / ".gitignore").write_text("mine\n")
    made = call("init", tmp_path, "--yes")
    assert made.exit_code == 0
    assert (tmp_path / ".gitignore").read_text() == "mine\n"
    assert "secrets/" in made.stderr


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A file in the place of a folder: exit 1, what to do, and nothing of it stays."""
    (tmp_path / "rules").write_text("a file")
    made = call("init", tmp_path, "--yes")
    assert made.exit_code == 1
    assert "cannot be written" in made.stderr
    assert files(tmp_path) == ["rules"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--symbol", "BTCUSD", "--yes"], "BTCUSDT"),
        (["--path", "My Path", "--yes"], "a-z, 0-9 and -"),
        (["--account", "live", "--yes"], "paper"),
        (["--symbol", "BTCUSDT"], "say --yes for the defaults, or give --path, --account"),
    ],
)
def test_what_cannot_be_is_usage(tmp_path: Path, words: list[str], said: str) -> None:
    """Exit 2 with what could be instead, and nothing written."""
    made = call("init", tmp_path, *words)
    assert made.exit_code == 2
    assert said in made.stderr
    assert files(tmp_path) == []


def test_with_every_option_nothing_is_asked(tmp_path: Path) -> None:
    """Then --yes is not needed without a terminal."""
    words = ["--symbol", "ETHUSDT", "--path", "eth", "--account", "paper"]
    assert call("init", tmp_path, *words).exit_code == 0


def test_on_a_terminal_it_asks(tmp_path: Path) -> None:
    """Three questions with their defaults; what is typed is taken."""
    ours, theirs = pty.openpty()
    os.write(ours, b"ETHUSDT\n\n\n")
    done = subprocess.run(
        [sys.executable, "-m", "runner", "init", str(tmp_path / "my")],
        stdin=theirs,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    os.close(theirs)
    os.close(ours)
    assert [name in done.stderr for name in ("[BTCUSDT]", "[first]", "[paper]")] == [True] * 3
    text = (tmp_path / "my" / "rules" / "first.yaml").read_text("utf-8")
    assert "symbol: ETHUSDT" in text
    assert "path: first\n" in text
