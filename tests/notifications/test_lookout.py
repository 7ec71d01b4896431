"""What stays away for half a minute is told once, and once more when it is back."""

from __future__ import annotations

from dataclasses import dataclass, field

from runner.core.notice import Notice
from runner.notifications.heartbeat import TURNING, Heartbeat
from runner.notifications.lookout import PATIENCE, STILL, Lookout
from runner.sources.readiness import Problem
from tests.notifications.receivers import WebReceiver

START = 1_700_000_000_000


@dataclass
class Stage:
    """A loop, its problems, and what is said of them."""

    full: str = ""
    turned_at: int = START
    now: int = START
    problems: list[Problem] = field(default_factory=list)
    said: list[Notice] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lookout = Lookout(lambda: self.problems, self, self.said.append, lambda: self.now)

    def look(self, ms: int = 0) -> list[str]:
        """What is said by a look after so many ms, in which the loop turned."""
        self.now += ms
        self.turned_at = self.now
        self.said.clear()
        self.lookout.look()
        return [f"{each.kind}: {each.title}" for each in self.said]


def test_a_break_that_lasts_is_told_once_and_its_end() -> None:
    """Half a minute of patience; then once, whatever the number of looks."""
    stage = Stage()
    stage.problems = [Problem("REST", START, "REST is away", "no orders", "wait")]
    assert stage.look(PATIENCE - 1) == []
    assert stage.look(1) == ["exchange: REST is away"]
    assert stage.said[0].body == "no orders\nwait"
    assert stage.look(60_000) == []
    stage.problems = []
    assert stage.look() == ["exchange: REST works again, after 1.5 min"]
    assert stage.look() == []


def test_a_short_break_is_not_told() -> None:
    """Streams break off every day."""
    stage = Stage()
    stage.problems = [Problem("user stream", START, "away", "", "")]
    assert stage.look(1_000) == []
    stage.problems = []
    assert stage.look(PATIENCE) == []


def test_a_full_journal_is_critical() -> None:
    """It cannot be told through the journal, so it is told past it."""
    stage = Stage(full="no space left")
    assert stage.look() == ["critical: nothing new is taken: no space left"]
    assert stage.look() == []
    stage.full = ""
    assert stage.look() == []
    stage.full = "no space left"
    assert len(stage.look()) == 1


def test_a_loop_that_stands_still_is_critical() -> None:
    """Nobody decides: told by another thread."""
    stage = Stage()
    stage.now += STILL + 1
    stage.lookout.look()
    assert [each.kind for each in stage.said] == ["critical"]


def test_the_heartbeat_beats_while_the_loop_turns() -> None:
    """A GET each time; none while the loop stands still, for then silence is the alarm."""
    with WebReceiver() as receiver:
        now = [START]
        url = f"http://127.0.0.1:{receiver.port}/ping/secret"
        heartbeat = Heartbeat(url, lambda: START, lambda: now[0])
        heartbeat.beat()
        assert receiver.gets == ["/ping/secret"]
        now[0] += TURNING + 1
        heartbeat.beat()
        assert len(receiver.gets) == 1
        heartbeat.stop()


def test_a_heartbeat_that_gets_no_good_answer_says_so_without_the_address() -> None:
    """Since when, and why; a good answer ends it."""
    with WebReceiver() as receiver:
        receiver.status = 500
        url = f"http://127.0.0.1:{receiver.port}/ping/secret"
        heartbeat = Heartbeat(url, lambda: START, lambda: START)
        heartbeat.beat()
        assert (heartbeat.failing_since, heartbeat.trouble) == (START, "HTTP 500")
        receiver.status = 200
        heartbeat.beat()
        assert heartbeat.beats == 1
    away = Heartbeat(url, lambda: START, lambda: START)
    away.beat()
    assert away.failing_since == START
    assert "secret" not in away.trouble
    heartbeat.stop()
    away.stop()
