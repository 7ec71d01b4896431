"""The ways to the exchange: told when one fails and when it works again, patient in between."""

from __future__ import annotations

from typing import Any

import pytest

from runner.core.asking import CLOCK_EVERY
from runner.core.events import CallDone, CallFailed, DeadManReport, StreamState
from runner.core.links import FORGOTTEN_AFTER, Trouble, named, patience
from runner.core.orders import Call, DeadManCall, Family, ProbeCall, ReadCall, TimeCall
from runner.core.rules import DeadMan
from tests.core.factories import START, SYMBOL, Bench, moment, rule_set

SECOND = 1_000
POSITIONS, ACCOUNT = ReadCall("positions"), ReadCall("account")
SWITCH = DeadMan(SYMBOL, 120 * SECOND, 30 * SECOND)


@pytest.fixture
def bench() -> Bench:
    """An engine whose first readings and clock were answered."""
    run = Bench(rule_set())
    answer(run)
    return run


def answer(run: Bench) -> None:
    """Whatever is asked now is answered well."""
    for call in run.calls():
        run.send(call)
        run.tell(CallDone(call, run.now))


def fail(run: Bench, detail: str = "timed out") -> int:
    """Whatever is asked now comes to nothing; how many calls that were."""
    calls = run.calls()
    for call in calls:
        run.send(call)
        run.tell(CallFailed(call, run.now, detail), CallDone(call, run.now))
    return len(calls)


def lines(run: Bench, *kinds: str) -> list[Any]:
    """The journal's records of these kinds."""
    return [record for record in run.journal.records if record.kind in kinds]


def down(run: Bench) -> Trouble | None:
    """What tells that nothing can be had over REST."""
    return run.engine.links.down


def away(run: Bench, ms: int) -> int:
    """Nothing is answered for so long; how many calls failed."""
    failed, until = 0, run.now + ms
    while run.now < until:
        failed += fail(run)
        run.pass_time(max(min(run.engine.next_at(run.moment), until) - run.now, 1))
    return failed


def test_an_outage_is_one_record_at_its_begin_and_one_at_its_end(bench: Bench) -> None:
    """However many questions failed: the last record counts them and says how long it took."""
    bench.engine.questions.want_all()
    failed = away(bench, 600 * SECOND)
    [begin] = lines(bench, "error")
    assert "timed out" in begin.text
    assert begin.data == {"link": "rest"}
    bench.pass_time(40 * SECOND)
    answer(bench)
    answer(bench)
    [end] = [r for r in lines(bench, "stream") if "answered again" in r.text]
    assert end.data == {"link": "rest", "failures": failed, "since": START}
    assert f"{failed} failed in 10.7 min" in end.text
    assert len(lines(bench, "error")) == 1


def test_failed_questions_back_off_up_to_the_cap(bench: Bench) -> None:
    """Ten minutes without an answer cost some two dozen questions of each kind, not hundreds."""
    bench.engine.questions.want_all()
    assert away(bench, 600 * SECOND) <= 5 * 24


@pytest.mark.parametrize(("count", "wait"), [(1, 2), (2, 4), (3, 8), (4, 16), (5, 30), (99, 30)])
def test_the_wait_doubles_and_is_capped(count: int, wait: int) -> None:
    """From probe_retry to retry_cap."""
    assert patience(POSITIONS, count, moment()) == wait * SECOND


@pytest.mark.parametrize(("countdown", "wait"), [(120, 12), (10, 2), (3_600, 30), (0, 2)])
def test_a_countdown_is_set_again_within_a_tenth_of_itself(countdown: int, wait: int) -> None:
    """It runs on the exchange: a long wait after the outage would let it run out."""
    assert patience(DeadManCall(SYMBOL, countdown * SECOND), 9, moment()) == wait * SECOND


def test_one_failure_is_not_an_exchange_that_is_down(bench: Bench) -> None:
    """Only the clock or the account failing twice in a row says that nothing works."""
    bench.tell(CallFailed(POSITIONS, bench.now, "HTTP 502"), CallDone(POSITIONS, bench.now))
    assert down(bench) is None
    assert ACCOUNT in bench.calls()
    bench.tell(CallFailed(ACCOUNT, bench.now, "HTTP 502"), CallDone(ACCOUNT, bench.now))
    assert down(bench) is None
    bench.tell(CallFailed(ACCOUNT, bench.now, "HTTP 503"), CallDone(ACCOUNT, bench.now))
    assert down(bench) == Trouble(START, START, 2, "HTTP 503")


def test_what_was_put_off_is_asked_at_once_when_the_exchange_answers_again(bench: Bench) -> None:
    """The first answer ends every wait."""
    bench.engine.questions.want_all()
    away(bench, 290 * SECOND)
    bench.engine.questions.clock_at = 0
    assert bench.calls() == [TimeCall()]
    bench.send(TimeCall())
    bench.tell(CallDone(TimeCall(), bench.now))
    assert bench.engine.links.down is not None, "the account still fails"
    bench.engine.questions.want(ACCOUNT)
    bench.send(ACCOUNT)
    bench.tell(CallDone(ACCOUNT, bench.now))
    assert POSITIONS in bench.calls()


def test_the_first_answer_of_any_kind_makes_the_clock_be_asked(bench: Bench) -> None:
    """It must not be called away for the rest of a wait of 30 s."""
    bench.engine.questions.want_all()
    away(bench, 290 * SECOND)
    assert TimeCall() not in bench.calls()
    bench.tell(CallDone(POSITIONS, bench.now))
    assert TimeCall() in bench.calls()
    assert ACCOUNT in bench.calls()


def test_a_question_that_nobody_asks_any_more_is_no_trouble(bench: Bench) -> None:
    """A countdown that failed and was taken out of the rules is forgotten with time."""
    call = DeadManCall("ETHUSDT", 60 * SECOND)
    bench.tell(CallFailed(call, bench.now, "reset"), CallDone(call, bench.now))
    answer(bench)
    assert set(bench.engine.links.calls) == {"countdown of ETHUSDT"}
    bench.pass_time(FORGOTTEN_AFTER + 1)
    answer(bench)
    assert not bench.engine.links.calls


def test_a_refused_countdown_is_told_once(bench: Bench) -> None:
    """A key that may not set it: one line, not one every two seconds."""
    run = Bench(rule_set(dead_men=[SWITCH]))
    answer(run)
    call = DeadManCall(SYMBOL, SWITCH.countdown)
    refusal = DeadManReport(SYMBOL, False, SWITCH.countdown, START, "-2015: not permitted")
    for _ in range(20):
        run.tell(refusal, CallDone(call, run.now))
        run.pass_time(SECOND)
    assert len([r for r in lines(run, "dead_man") if "not permitted" in r.text]) == 1
    run.tell(DeadManReport(SYMBOL, True, SWITCH.countdown, run.now), CallDone(call, run.now))
    assert "countdown of BTCUSDT" not in run.engine.links.calls


def test_streams_that_are_away_are_known_with_the_moment_they_were_last_alive(
    bench: Bench,
) -> None:
    """A second break-off of the same outage does not make it younger."""
    bench.tell(StreamState("user", False, START + 5, START + 1, "reset"))
    bench.tell(StreamState("user", False, START + 9, START + 8, "refused"))
    bench.tell(StreamState("market", False, START + 9, None, "refused"))
    links = bench.engine.links
    assert links.deaf
    assert links.streams["user"].since == START + 1
    assert links.streams["market"].since == START + 9
    assert links.streams["user"].detail == "refused"
    bench.tell(StreamState("user", True, START + 10, START + 1))
    assert set(links.streams) == {"market"}
    assert not links.deaf


def test_a_stream_that_breaks_off_makes_the_runner_ask_for_the_time(bench: Bench) -> None:
    """Whether the exchange is away altogether shows at once, not within a minute."""
    assert TimeCall() not in bench.calls()
    bench.tell(StreamState("market", False, bench.now, None, "reset"))
    assert TimeCall() in bench.calls()
    fail(bench)
    bench.tell(StreamState("user", False, bench.now, None, "reset"))
    assert TimeCall() not in bench.calls(), "a clock that fails waits its time"


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (TimeCall(), "time"),
        (ReadCall("open_algo_orders"), "open conditional orders"),
        (ReadCall("open_orders", SYMBOL), f"open orders of {SYMBOL}"),
        (DeadManCall(SYMBOL, 5), f"countdown of {SYMBOL}"),
        (ProbeCall("id", SYMBOL, Family.ORDER), "ProbeCall"),
    ],
)
def test_questions_have_names(call: Call, name: str) -> None:
    """The same for every repetition."""
    assert named(call) == name


def test_the_clock_is_asked_every_minute_as_ever(bench: Bench) -> None:
    """Patience with what fails changes nothing for what works."""
    bench.pass_time(CLOCK_EVERY)
    assert TimeCall() in bench.calls()
