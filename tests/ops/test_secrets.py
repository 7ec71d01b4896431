"""Secrets: found where they belong, refused where others can read them, repeated nowhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from runner.errors import ConfigurationError
from runner.ops import secrets as module
from runner.ops.secrets import Secrets

VALUE = "Geheimnis-17"


@dataclass(frozen=True, slots=True)
class Source:
    """What the settings say."""

    env: str | None = None
    file: str | None = None
    command: tuple[str, ...] = ()
    vault: Mapping[str, str] = field(default_factory=dict)
    aws: Mapping[str, str] = field(default_factory=dict)


def put(path: Path, content: str | bytes = VALUE + "\n", mode: int = 0o600) -> Path:
    """Write a secret's file."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return path


def secrets(
    folder: Path, source: Source | None = None, environ: Mapping[str, str] | None = None
) -> Secrets:
    return Secrets({"tv": source} if source else {}, folder, environ or {})


def refusal(of: Secrets, name: str = "tv") -> str:
    """Return why a secret cannot be had; whatever the reason, the value is not in it."""
    with pytest.raises(ConfigurationError) as caught:
        of.get(name)
    chain: BaseException | None = caught.value
    while chain is not None:
        assert VALUE not in repr(chain) + str(chain)
        chain = chain.__context__
    return str(caught.value)


def test_each_source_gives_the_stripped_value(tmp_path: Path) -> None:
    """Environment, file (seen from the folder, or absolute), command."""
    here = put(tmp_path / "key", f"  {VALUE}\r\n")
    printing = (sys.executable, "-c", f"print({VALUE!r})")
    for source in (
        Source(env="X"),
        Source(file="key"),
        Source(file=str(here)),
        Source(command=printing),
    ):
        assert secrets(tmp_path, source, {"X": VALUE}).get("tv") == VALUE


def test_without_a_source_a_credential_goes_before_the_folder(tmp_path: Path) -> None:
    """First what systemd hands over, then DIR/secrets."""
    put(tmp_path / "secrets" / "tv", "second")
    put(tmp_path / "credentials" / "tv", "first", 0o440)
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}
    assert secrets(tmp_path, None, environ).get("tv") == "first"
    assert secrets(tmp_path).get("tv") == "second"
    (tmp_path / "credentials" / "tv").unlink()
    assert secrets(tmp_path, None, environ).get("tv") == "second"


def test_a_source_in_the_settings_is_the_only_place_looked_at(tmp_path: Path) -> None:
    """What is declared and missing is a mistake, not a reason to take another value."""
    put(tmp_path / "secrets" / "tv")
    assert "environment variable X, which is not set" in refusal(secrets(tmp_path, Source(env="X")))
    assert "key, which is not there" in refusal(secrets(tmp_path, Source(file="key")))


def test_a_missing_secret_names_three_ways_to_give_it(tmp_path: Path) -> None:
    """A credential, a file, or the settings."""
    text = refusal(secrets(tmp_path))
    assert "the secret tv is nowhere to be found" in text
    assert "LoadCredential=tv:" in text
    assert f"{tmp_path}/secrets/tv with mode 0600" in text
    assert "tv: {env: NAME}" in text


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """With the line that mends it."""
    path = put(tmp_path / "secrets" / "tv", mode=mode)
    text = refusal(secrets(tmp_path))
    assert f"(mode {mode:04o}): chmod 600 {path}" in text
    path.chmod(0o400)
    assert secrets(tmp_path).get("tv") == VALUE


def test_a_credential_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    """A group's bit may be an ACL's mask, the others' bit may not."""
    put(tmp_path / "tv", mode=0o444)
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert "chmod 600" in refusal(secrets(tmp_path, None, environ))


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Own or root's, nobody else's."""
    path = put(tmp_path / "secrets" / "tv")
    status = os.stat_result((0o100600, 0, 0, 1, 4242, 0, 5, 0, 0, 0))
    monkeypatch.setattr(os, "fstat", lambda _: status)
    assert f"belongs to another user: chown {os.geteuid()} {path}" in refusal(secrets(tmp_path))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A folder, or a pipe that would block for ever."""
    (tmp_path / "key").mkdir()
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert "should be in a file" in refusal(secrets(tmp_path, Source(file="pipe")))
    text = refusal(secrets(tmp_path, Source(file="key")))
    assert "cannot be read" in text or "should be in a file" in text


def test_a_file_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    """A path through a file is no path."""
    put(tmp_path / "key")
    text = refusal(secrets(tmp_path, Source(file="key/deeper")))
    assert "cannot be read from" in text
    assert "Is it a file that this user may read?" in text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        (f"{VALUE} {VALUE}", "blanks or control characters"),
        (f"{VALUE}\n{VALUE}", "blanks or control characters"),
        (f"{VALUE}\0", "blanks or control characters"),
        (b"\xff\xfe", "is not UTF-8 text"),
        ("x" * 70_000, "larger than 64 KiB"),
    ],
)
def test_a_value_that_cannot_be_right_is_refused(
    tmp_path: Path, content: str | bytes, reason: str
) -> None:
    """A trailing newline is stripped; anything inside was pasted wrongly."""
    put(tmp_path / "secrets" / "tv", content)
    assert reason in refusal(secrets(tmp_path))


def test_a_command_that_fails_is_not_quoted(tmp_path: Path) -> None:
    """Its output and its arguments may hold secrets: only the program and the code are named."""
    script = f"import sys; print({VALUE!r}); print({VALUE!r}, file=sys.stderr); sys.exit(3)"
    text = refusal(secrets(tmp_path, Source(command=(sys.executable, "-c", script))))
    assert f"{sys.executable} ended with code 3" in text


def test_a_command_that_is_not_there_says_so(tmp_path: Path) -> None:
    """And asks for its whole path."""
    text = refusal(secrets(tmp_path, Source(command=("no-such-program", VALUE))))
    assert "no-such-program cannot be run: No such file or directory" in text


def test_a_command_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its time limit, with a hint at what it may be waiting for."""
    monkeypatch.setattr(module, "COMMAND_SECONDS", 0.1)
    script = "import threading; threading.Event().wait(60)"
    text = refusal(secrets(tmp_path, Source(command=(sys.executable, "-c", script, VALUE))))
    assert "did not answer within 0.1 s" in text


def test_a_command_reads_no_terminal_and_no_shell(tmp_path: Path) -> None:
    """Its input is empty, and $ is a dollar."""
    script = "import sys; print(sys.argv[1] + sys.stdin.read())"
    source = Source(command=(sys.executable, "-c", script, "$HOME;x"))
    assert secrets(tmp_path, source).get("tv") == "$HOME;x"


@pytest.mark.parametrize("name", ["", "Tv", "1tv", "tv-eth", "../tv", "tv\n", VALUE])
def test_a_name_is_only_a_name(tmp_path: Path, name: str) -> None:
    """It cannot leave the folder, and a secret in its place is not repeated."""
    assert "a secret's name is made of" in refusal(secrets(tmp_path), name)


def test_values_are_known_for_scrubbing_and_shown_nowhere(tmp_path: Path) -> None:
    """A rotated secret is found at the next reading; the old value stays scrubbed."""
    found = secrets(tmp_path)
    path = put(tmp_path / "secrets" / "tv")
    found.get("tv")
    put(path, "rotated")
    assert found.get("tv") == "rotated"
    assert found.values() == {VALUE, "rotated"}
    shown: Any = repr(found) + str(found)
    assert VALUE not in shown
    assert "rotated" not in shown
