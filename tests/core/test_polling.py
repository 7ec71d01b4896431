"""While the user stream is away, open orders are read, at a pace that the limits can bear."""

from __future__ import annotations

from dataclasses import replace

from runner.core import polling
from runner.core.asking import Questions
from runner.core.decision import Leg
from runner.core.events import CallDone, CallFailed, StreamState
from runner.core.orders import OrderState, OrderType, ReadCall
from runner.core.state import State
from tests.core.factories import START, SYMBOL, Bench, cancel, leg, moment, order, rule_set

SECOND = 1_000
LIVE = OrderState.LIVE
POSITIONS = ReadCall("positions")
RESTING = leg(order(), LIVE)
STOP = leg(order("0.1", kind=OrderType.STOP_MARKET), LIVE, name="0.1")


def state(*legs: Leg) -> State:
    """A state with these legs."""
    found = State()
    for one in legs:
        found.put_leg(one)
    return found


def on(symbol: str) -> Leg:
    """A resting order of this symbol."""
    return leg(replace(order(f"0.{symbol}"), symbol=symbol), LIVE, name=symbol)


def wanted(of: State, questions: Questions, now: int) -> set[ReadCall]:
    """What is newly wished for."""
    questions.wanted.clear()
    polling.poll(of, questions, moment(now))
    return set(questions.wanted)


def test_both_families_and_the_positions_are_read_again_and_again() -> None:
    """Every poll_orders, for each symbol that has something open."""
    of, questions = state(RESTING, STOP), Questions()
    all_three = {ReadCall("open_orders", SYMBOL), ReadCall("open_algo_orders", SYMBOL), POSITIONS}
    assert wanted(of, questions, START) == all_three
    assert wanted(of, questions, START + 2_999) == set()
    assert polling.poll_at(of, questions, moment(START + 2_999)) == START + 3_000
    assert wanted(of, questions, START + 3_000) == all_three


def test_nothing_is_read_when_nothing_is_on_the_book() -> None:
    """What is not sent yet, and cancels, need nobody to tell of them."""
    of = state(leg(order()), leg(cancel(), OrderState.SENDING, name="0.cancel"))
    assert wanted(of, Questions(), START) == set()
    assert polling.poll_at(of, Questions(), moment(START)) is None


def test_many_symbols_are_read_in_one_question_and_less_often() -> None:
    """A reading of all weighs as much as 40 of one: it is made every seven seconds."""
    of, questions = state(*(on(f"S{n}USDT") for n in range(11))), Questions()
    assert wanted(of, questions, START) == {ReadCall("open_orders"), POSITIONS}
    assert wanted(of, questions, START + 6_749) == set()
    assert wanted(of, questions, START + 6_750) == {ReadCall("open_orders"), POSITIONS}


def test_a_reading_on_its_way_or_put_off_is_left_alone() -> None:
    """One that failed waits as long as failures do."""
    of, questions = state(RESTING), Questions()
    questions.sent(POSITIONS, START)
    questions.want(ReadCall("open_orders", SYMBOL), START + 30 * SECOND)
    polling.poll(of, questions, moment(START))
    assert questions.wanted == {ReadCall("open_orders", SYMBOL): START + 30 * SECOND}


def test_a_clock_that_was_set_back_delays_nothing() -> None:
    """The distance counts."""
    of, questions = state(RESTING), Questions(polled_at=START + 3_600 * SECOND)
    assert polling.poll_at(of, questions, moment(START)) == START + 3 * SECOND
    assert POSITIONS in wanted(of, questions, START)


def test_the_engine_reads_only_while_the_user_stream_is_away() -> None:
    """From its break until it is back; a market stream that is away changes nothing."""
    run = Bench(rule_set())
    for call in run.calls():
        run.send(call)
        run.tell(CallDone(call, run.now))
    run.engine.state.put_leg(RESTING)
    run.tell(StreamState("market", False, run.now))
    run.pass_time(5 * SECOND)
    reading = ReadCall("open_orders", SYMBOL)
    assert reading not in run.calls()
    run.tell(StreamState("user", False, run.now))
    run.pass_time(1)
    assert reading in run.calls()
    for call in run.calls():
        run.send(call)
        run.tell(CallDone(call, run.now))
    assert run.engine.next_at(run.moment) <= run.now + 3 * SECOND
    run.pass_time(3 * SECOND)
    assert reading in run.calls()
    run.send(reading)
    run.tell(CallFailed(reading, run.now, "reset"), CallDone(reading, run.now))
    run.tell(StreamState("user", True, run.now))
    run.pass_time(60 * SECOND)
    run.send(reading)
    run.tell(CallDone(reading, run.now))
    run.pass_time(60 * SECOND)
    assert reading not in run.calls()
