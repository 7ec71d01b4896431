"""The line that tells how long something goes on: on a terminal only, and gone at the end."""

from __future__ import annotations

import io

import pytest

from runner.cli.progress import CLEAR, Working
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
