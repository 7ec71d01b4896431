"""What reports do to legs, and the lines they leave."""

from __future__ import annotations

from typing import Any

import pytest

from runner.core import reporting
from runner.core.decision import Leg
from runner.core.events import ExecutionReport, Fill, OpenOrders
from runner.core.orders import Family, OrderState, OrderType, Outcome
from runner.core.state import State, Work
from tests.core.factories import (
    NAMESPACE,
    START,
    TIMING,
    Bench,
    built,
    cancel,
    dec,
    leg,
    moment,
    order,
    report,
    rule,
    rule_set,
)

SENDING, UNKNOWN, LIVE = OrderState.SENDING, OrderState.UNKNOWN, OrderState.LIVE
FILL = Fill("7", dec(70000), dec("0.5"), dec(0), "USDT", dec(0), START)


def worked(*legs: Leg) -> Work:
    """Work over a state that knows these legs."""
    state = State()
    for one in legs:
        state.put_leg(one)
    return Work(state, START)


def kinds(work: Work) -> list[str]:
    """The kinds of the lines that were left."""
    return [record.kind for record in work.decision.records]


def test_a_fill_of_ours_is_kept_even_when_its_order_is_forgotten() -> None:
    """The namespace's prefix tells whose it is; another runner's is left alone."""
    work = worked()
    told = report(f"r1-{NAMESPACE}-x", origin="stream", fill=FILL, symbol="ETHUSDT")
    reporting.report(work, NAMESPACE, told, moment())
    reporting.report(work, "u", told, moment())
    assert [(row.symbol, row.fill) for row in work.decision.fills] == [("ETHUSDT", FILL)]
    assert work.decision.legs == {}


def test_an_answer_is_kept_with_its_attempt() -> None:
    """What a send's answer proved stays in the journal, a stream message is no answer."""
    sending = leg(state=SENDING)
    work = worked(sending)
    told = report(sending, Outcome.REJECTED, code=-2010, message="margin")
    reporting.report(work, NAMESPACE, told, moment())
    reporting.report(work, NAMESPACE, report(sending, origin="stream"), moment())
    assert [(o.attempt, o.outcome, o.code) for o in work.decision.outcomes] == [
        (1, Outcome.REJECTED, -2010)
    ]
    text = work.decision.records[0].text
    assert text == "order 1: refused by the exchange (margin)"


def test_a_report_that_brings_nothing_new_leaves_no_line() -> None:
    """Told twice is told once."""
    work = worked(leg(state=LIVE, order_status="NEW", order_id="7"))
    told = report(leg(), origin="stream", order_status="NEW", order_id="7")
    reporting.report(work, NAMESPACE, told, moment())
    assert work.decision.empty


def test_a_parked_order_raises_an_alarm() -> None:
    """A person must decide: never silently none."""
    last = TIMING.probe_offsets[-1]
    parked = leg(
        order(kind=OrderType.STOP_MARKET),
        UNKNOWN,
        negatives=3,
        first_negative_time=TIMING.fence(START),
    )
    work = worked(parked)
    told = report(parked, Outcome.ABSENT, origin="probe", asked_time=TIMING.fence(START) + last)
    reporting.report(work, NAMESPACE, told, moment())
    assert kinds(work) == ["state", "notify"]
    assert work.decision.records[1].text.startswith("CRITICAL order 1 of BTCUSDT is parked")


@pytest.mark.parametrize("state", [OrderState.LAPSED, OrderState.PARKED, OrderState.REJECTED])
def test_an_order_that_shows_up_after_all_raises_an_alarm(state: OrderState) -> None:
    """Its run went on without it, so a person must look."""
    work = worked(leg(state=state))
    told = report(leg(), origin="stream", order_status="FILLED", cumulative_quantity="1")
    reporting.report(work, NAMESPACE, told, moment())
    assert kinds(work) == ["fill", "state", "notify"]
    assert "shows up at the exchange after all" in work.decision.records[-1].text


@pytest.mark.parametrize("target_state", [OrderState.PLANNED, SENDING, UNKNOWN, LIVE])
def test_a_cancel_before_its_target_is_there_is_sent_again(target_state: OrderState) -> None:
    """An unknown order proves nothing while the order may still come to the book."""
    target = leg(state=target_state, name="0.target")
    sending = leg(cancel(target=target.client_order_id), SENDING, name="0.cancel")
    work = worked(target, sending)
    told = report(sending, Outcome.REJECTED, code=-2011)
    reporting.report(work, NAMESPACE, told, moment())
    after = work.leg(sending.client_order_id)
    assert after is not None
    assert (after.state, after.next_at) == (OrderState.PLANNED, START + TIMING.back_off[0])
    asked = work.leg(target.client_order_id)
    assert asked is not None
    assert asked.next_at == (START if target_state is LIVE else None)


def test_a_cancel_of_what_is_over_is_done() -> None:
    """Nothing to cancel, and nothing can come any more; of a stranger's order too."""
    target = leg(state=OrderState.FILLED, order_status="FILLED")
    for key in (target.client_order_id, "somebody else's"):
        sending = leg(cancel(target=key), SENDING, name="0.cancel")
        work = worked(target, sending)
        reporting.report(work, NAMESPACE, report(sending, Outcome.REJECTED, code=-2011), moment())
        after = work.leg(sending.client_order_id)
        assert after is not None
        assert after.state is OrderState.DONE


def listed(*orders: ExecutionReport, **more: object) -> OpenOrders:
    """A reading of the order family that lists these."""
    given = {"family": Family.ORDER, "symbol": None, "asked_time": START + 1, **more}
    return OpenOrders(orders=orders, **given)  # type: ignore[arg-type]  # plain values of a test


@pytest.mark.parametrize(
    ("reading", "asked"),
    [
        (listed(), True),
        (listed(symbol="BTCUSDT"), True),
        (listed(symbol="ETHUSDT"), False),
        (listed(family=Family.ALGO), False),
        (listed(asked_time=START - 1), False),
        (listed(report(leg(), origin="probe", order_status="NEW", asked_time=START)), False),
    ],
    ids=["all", "symbol", "other symbol", "other family", "begun before", "listed"],
)
def test_a_live_order_that_a_reading_lacks_is_asked_for(reading: OpenOrders, asked: bool) -> None:
    """Only where the reading should have listed it."""
    work = worked(leg(state=LIVE, order_status="NEW"))
    reporting.open_orders(work, NAMESPACE, reading, moment())
    after = work.leg(leg().client_order_id)
    assert after is not None
    assert (after.next_at == START) is asked


def test_a_reading_proves_a_listed_order() -> None:
    """Positive evidence from any source."""
    work = worked(leg(state=UNKNOWN, next_at=START))
    found = report(leg(), origin="probe", order_status="NEW", asked_time=START)
    reporting.open_orders(work, NAMESPACE, listed(found), moment())
    after = work.leg(leg().client_order_id)
    assert after is not None
    assert (after.state, after.next_at) == (LIVE, None)


def test_a_late_report_of_a_forgotten_run_says_whose_it_is() -> None:
    """The run is over and its leg only remembered: the line still names the rule."""
    entry = {"side": "buy", "type": "market", "quantity": 1}
    bench = Bench(rule_set(rule("one", built("place", entry))))
    bench.fire("one")
    (call,) = bench.calls()[:1]
    bench.send(call)
    sent = bench.journal.named("0.0")
    bench.tell(report(sent, Outcome.REJECTED, code=-2010))
    assert bench.engine.state.legs == {}
    bench.tell(report(sent, origin="stream", order_status="FILLED", cumulative_quantity="1"))
    assert {r.rule_id for r in bench.journal.records[-3:]} == {"one"}
    assert bench.journal.named("0.0").state is OrderState.FILLED
    assert len(bench.journal.alarms()) == 1


def test_a_price_that_comes_later_than_its_fill_is_told() -> None:
    """An answer to placing says how much filled, and not at what price."""
    sending = leg(state=SENDING, attempt=1)
    told: dict[str, Any] = {"order_status": "FILLED", "cumulative_quantity": "1"}
    work = worked(sending)
    reporting.report(work, NAMESPACE, report(sending, **told), moment())
    reporting.report(
        work, NAMESPACE, report(sending, origin="stream", average_price="7", **told), moment()
    )
    texts = [record.text for record in work.decision.records if record.kind == "fill"]
    assert texts == ["order 1: 1 filled", "order 1: 1 filled @ 7"]
