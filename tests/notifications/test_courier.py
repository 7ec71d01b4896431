"""What is critical is tried until it is taken, one by one; the rest is told together or dropped."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from runner.core.notice import Notice, Settled
from runner.notifications.courier import (
    FIRST_WAIT,
    GATHER,
    GIVE_UP,
    IDLE,
    LONGEST_WAIT,
    MINUTE,
    MOST_A_MINUTE,
    MOST_TRIES,
    MOST_WAITING,
    Courier,
    told_together,
)

START = 1_700_000_000_000


@dataclass
class Phone:
    """A target that notes what it takes, or does not take anything."""

    name: str = "phone"
    trouble: str = ""
    taken: list[tuple[str, str, bool]] = field(default_factory=list)
    tries: int = 0

    def send(self, kind: str, title: str, body: str, *, silent: bool) -> str:
        del kind
        self.tries += 1
        if not self.trouble:
            self.taken.append((title, body, silent))
        return self.trouble


@dataclass
class Stage:
    """A courier whose clock the test moves."""

    phone: Phone = field(default_factory=Phone)
    now: int = START
    settled: list[Settled] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.courier = Courier(self.phone, lambda: self.now, self.settled.append)

    def put(self, kind: str = "opened", title: str = "t", *, silent: bool = False) -> None:
        key = "1-1" if kind == "critical" else ""
        self.courier.put(Notice(self.now, kind, title), silent=silent, key=key)

    @property
    def failing(self) -> str:
        """Why the target takes nothing; empty when it does."""
        failing = self.courier.failing
        return failing.trouble if failing else ""

    def run(self, ms: int) -> None:
        """Let time pass, turning whenever the courier asked for it."""
        end = self.now + ms
        while self.now <= end:
            self.now += max(self.courier.turn(), 1)
        self.now = end


def test_critical_ones_go_at_once_and_alone() -> None:
    """No gathering, no coalescing; each is settled once it was taken."""
    stage = Stage()
    stage.put(title="first", silent=False)
    for _ in range(3):
        stage.put("critical", "KILLED")
    stage.run(10)
    assert [title for title, _, _ in stage.phone.taken] == ["KILLED"] * 3
    assert [each.trouble for each in stage.settled] == [""] * 3


def test_the_rest_waits_a_moment_and_comes_together() -> None:
    """Several notices in one message: the newest first, repeats counted."""
    stage = Stage()
    for title in ("a opened", "a opened", "b closed"):
        stage.put(title=title)
    stage.run(GATHER - 1)
    assert stage.phone.taken == []
    stage.run(GATHER)
    ((title, body, _),) = stage.phone.taken
    assert title == "3 notices, the last: b closed"
    assert body == "a opened ×2\nb closed"


def test_a_message_makes_a_sound_if_one_of_its_notices_shall() -> None:
    """Silent only when all of it is."""
    stage = Stage()
    stage.put(silent=True)
    stage.run(GATHER * 2)
    stage.put(silent=True)
    stage.put(silent=False)
    stage.run(GATHER * 2)
    assert [silent for _, _, silent in stage.phone.taken] == [True, False]


def test_a_target_that_is_away_is_tried_ever_more_seldom() -> None:
    """The wait doubles up to five minutes; then it takes all that waited."""
    stage = Stage(Phone(trouble="away"))
    stage.put("critical", "KILLED")
    assert stage.courier.turn() == FIRST_WAIT
    assert stage.failing == "away"
    stage.run(3_600_000)
    assert stage.phone.tries <= 9 + 3_600_000 // LONGEST_WAIT
    assert stage.courier.waiting == 1
    stage.phone.trouble = ""
    stage.run(LONGEST_WAIT + 1)
    assert [title for title, _, _ in stage.phone.taken] == ["KILLED"]
    assert not stage.failing
    assert stage.courier.idle


def test_the_rest_is_given_up_after_some_tries() -> None:
    """What is not critical is not worth an hour of trying; the count tells of it."""
    stage = Stage(Phone(trouble="away"))
    stage.put()
    stage.run(3_600_000)
    assert stage.phone.tries == MOST_TRIES
    assert stage.courier.counts.dropped == 1
    assert stage.courier.idle


def test_a_critical_one_is_given_up_after_days_and_that_is_noted() -> None:
    """A target that is away for days would otherwise wait for ever."""
    stage = Stage(Phone(trouble="away"))
    stage.put("critical")
    stage.run(GIVE_UP + LONGEST_WAIT + 1)
    (told,) = stage.settled
    assert told.trouble == "away"
    assert stage.courier.idle


def test_no_more_than_so_many_a_minute() -> None:
    """A storm is told in few messages that count it; what is critical passes nevertheless."""
    stage = Stage()
    for number in range(300):
        stage.put(title=f"fill {number}")
        stage.run(400)
    within = len(stage.phone.taken)
    assert within <= MOST_A_MINUTE * 300 * 400 // MINUTE + MOST_A_MINUTE
    stage.put("critical", "KILLED")
    stage.run(1)
    assert stage.phone.taken[-1][0] == "KILLED"
    stage.run(2 * MINUTE)
    told = [re.match(r"(\d+) notices", title) for title, _, _ in stage.phone.taken]
    assert sum(int(each[1]) if each else 1 for each in told) == 301


def test_too_many_that_wait_are_dropped_and_counted() -> None:
    """The oldest go first, and the message says how many."""
    stage = Stage()
    for number in range(MOST_WAITING + 5):
        stage.put(title=f"n{number}")
    stage.run(GATHER)
    ((title, body, _),) = stage.phone.taken
    assert title.startswith(f"{MOST_WAITING + 5} notices")
    assert body.startswith("5 older ones were dropped")
    assert stage.courier.counts.dropped == 5


def test_a_stop_does_not_gather() -> None:
    """The last words leave at once."""
    stage = Stage()
    stage.put("stopped", "stopped as asked")
    stage.courier.turn(hurry=True)
    assert stage.phone.taken == [("stopped as asked", "", False)]
    assert stage.courier.turn() == IDLE


def test_a_clock_that_is_set_back_does_not_silence_it() -> None:
    """The wait after a failure is no longer than the longest wait, whatever the clock says."""
    stage = Stage(Phone(trouble="away"))
    stage.put("critical")
    stage.courier.turn()
    stage.now -= 86_400_000
    stage.phone.trouble = ""
    stage.run(LONGEST_WAIT)
    assert len(stage.phone.taken) == 1


@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=60), st.integers(0, 3))
def test_no_title_is_lost_in_a_message(titles: list[str], dropped: int) -> None:
    """Each of a few different titles is there, with its count."""
    notices = [Notice(START, "opened", title) for title in titles]
    _, title, body = told_together(notices, dropped)
    for each in set(titles):
        assert each in f"{title}\n{body}"
    assert (f"{dropped} older" in body) == bool(dropped)
