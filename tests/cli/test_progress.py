"""The line that tells how long something goes on: on a terminal only, and gone at the end."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from runner.cli.progress import CLEAR, Working
from tests.cli.calling import call, demo_folder
from tests.support import eventually


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


def test_a_line_says_what_how_long_and_how_far() -> None:
    """A bar where it is known how much there is, a count where it is not."""
    working = Working("checking rules")
    assert working.line(2.4) == "checking rules … 2 s"
    working.step(7)
    assert working.line(2.4) == "checking rules … 2 s, 7"
    working.step(5, 10)
    assert working.line(3) == f"checking rules … 3 s [{'#' * 10}{' ' * 10}] 5 of 10"


def test_it_appears_after_a_while_and_is_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last thing written clears the line."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with Working("asking the exchange", after=0):
        assert eventually(lambda: "asking the exchange … 0 s" in terminal.getvalue(), 60)
    assert terminal.getvalue().endswith(CLEAR)


def test_what_is_quick_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing flickers."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with Working("checking rules", after=3_600):
        pass
    assert terminal.getvalue() == ""


@pytest.mark.parametrize(("stream", "quiet"), [(io.StringIO(), False), (Terminal(), True)])
def test_nothing_of_it_reaches_a_pipe_or_an_answer(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, quiet: bool
) -> None:
    """No thread is even started."""
    monkeypatch.setattr("sys.stderr", stream)
    with Working("writing rows", quiet=quiet, after=0) as working:
        assert working._thread is None
    assert stream.getvalue() == ""


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the verbs would show if they took long."""
    said: list[str] = []

    class Heard(Working):
        def __init__(self, text: str, **options: Any) -> None:
            super().__init__(text, **options)
            said.append(text)

        def step(self, done: int, count: int = 0) -> None:
            said[-1] = f"{said[-1].partition(' [')[0]} [{done} of {count}]"

    monkeypatch.setattr("runner.cli.plan.Working", Heard)
    monkeypatch.setattr("runner.cli.secrets.Working", Heard)
    return said


def test_a_plan_says_that_it_asks_the_exchange(said: list[str], tmp_path: Path) -> None:
    """From the connection to the prices."""
    folder = demo_folder(tmp_path / "my")
    assert call("plan", "btc-breakout", "--dir", folder).exit_code == 0
    assert said == ["asking the exchange"]


def test_a_check_of_secrets_says_how_far_it_is(said: list[str], tmp_path: Path) -> None:
    """A program or a vault may take its time over each, and so may an exchange."""
    folder = demo_folder(tmp_path / "my")
    (folder / "runner.yaml").write_text(
        "version: 1\n"
        "accounts: {a: {venue: binance_usdm, address: {rest: 'http://127.0.0.1:9',"
        " streams: 'ws://127.0.0.1:9', ws_api: 'ws://127.0.0.1:9'},"
        " api_key: k, api_secret: s}}\n"
        "secrets: {k: {command: [echo, a-key]}, s: {command: [echo, a-secret]}}\n"
    )
    told = call("secrets", "check", "--dir", folder)
    assert told.exit_code == 1, told.output
    assert said == ["reading secrets [2 of 3]", "asking the exchange [0 of 1]"]
