"""What was left in the inbox: what an earlier process may have done is told from what is new."""

from __future__ import annotations

from typing import Any, cast

from runner.core.decision import Received
from runner.core.engine import Engine
from runner.core.events import Command
from runner.journal import Journal
from runner.taking import EVERY, Inbox

START = 1_760_000_000_000


class Left:
    """A journal's inbox as it is found, look by look."""

    def __init__(self, *looks: list[str]) -> None:
        """The keys of the commands that wait at each look."""
        self._looks = list(looks)

    def waiting(self) -> list[Received]:
        """What waits now."""
        return [_kill(key) for key in self._looks.pop(0)]


def _kill(key: str) -> Received:
    told = {"who": "ann", "at": START, "live": True}
    return Received(key, "kill", told, START)


def commands(*looks: list[str]) -> list[tuple[str, bool]]:
    """The commands in their order, and whether each is surely new."""
    inbox, found = Inbox(cast("Journal", Left(*looks))), list[tuple[str, bool]]()
    nobody: Any = cast("Engine", None)
    for turn, _ in enumerate(looks):
        for _, event in inbox.items(nobody, START + turn * EVERY, ready=True):
            assert isinstance(event, Command)
            found.append((event.key, event.live))
    return found


def test_what_waits_at_the_start_may_have_been_done_by_an_earlier_process() -> None:
    """Also at the next look, if it could not be taken at the first; whatever its sender says."""
    assert commands(["a"], ["a", "b"]) == [("a", False), ("a", False), ("b", False)]


def test_what_comes_once_the_inbox_was_empty_is_new() -> None:
    """Nothing of before is left then."""
    assert commands([], ["a"]) == [("a", True)]
    assert commands(["a"], [], ["b"]) == [("a", False), ("b", True)]
