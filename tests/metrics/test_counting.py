"""What is counted as decisions pass: each thing once, with labels from closed lists."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from prometheus_client import CollectorRegistry

from runner.core.decision import (
    AlertRow,
    Attempt,
    AttemptOutcome,
    Decision,
    FillRow,
    Leg,
    LegChange,
    Record,
    Run,
    RunStatus,
)
from runner.core.events import Fill
from runner.core.orders import (
    CancelIntent,
    Family,
    Identity,
    OrderIntent,
    OrderState,
    OrderType,
    Outcome,
    Side,
    TimeCall,
)
from runner.metrics.answers import Answers
from runner.metrics.counting import Counting, result_of
from runner.venues import RawAnswer, SignedRequest
from tests.metrics.exposition import value

NOW = 1_700_000_000_000
ORDER = OrderIntent("r1-main-1", "BTCUSDT", Side.BUY, OrderType.MARKET, Decimal("0.02"))
LEG = Leg(ORDER, "r1", "0.entry", OrderState.SENDING, NOW)


@pytest.fixture
def registry() -> CollectorRegistry:
    """A registry of its own."""
    return CollectorRegistry()


@pytest.fixture
def counting(registry: CollectorRegistry) -> Counting:
    """Nothing counted yet."""
    return Counting(registry)


def changed(state: OrderState, **more: Any) -> Decision:
    """A decision in which the order gets a state."""
    after = replace(LEG, state=state, **more)
    record = Record(NOW, "state", "", rule_id="dip", run_id="r1")
    return Decision([record], legs={"r1-main-1": LegChange(LEG, after)})


def test_lines_of_the_journal(counting: Counting, registry: CollectorRegistry) -> None:
    """Firings, refusals by reason, errors, reloads, critical notices, broken streams."""
    counting.count(
        [
            Decision(
                [
                    Record(NOW, "fired", "", rule_id="dip"),
                    Record(NOW, "refused", "", rule_id="dip", reason="cooldown"),
                    Record(NOW, "refused", "", rule_id="dip", reason="made up"),
                    Record(NOW, "error", "boom"),
                    Record(NOW, "notify", "look", reason="critical"),
                    Record(NOW, "notify", "bought"),
                    Record(NOW, "reload", "not reloaded", reason="error"),
                    Record(NOW, "stream", "user broke off: timeout"),
                    Record(NOW, "stream", "user connected"),
                ]
            )
        ]
    )
    assert value(registry, "runner_firings_total", rule="dip") == 1
    assert value(registry, "runner_refusals_total", rule="dip", reason="cooldown") == 1
    assert value(registry, "runner_refusals_total", rule="dip", reason="other") == 1
    assert value(registry, "runner_errors_total") == 1
    assert value(registry, "runner_critical_notices_total") == 1
    assert value(registry, "runner_reloads_total", result="refused") == 1
    assert value(registry, "runner_stream_breaks_total", stream="user") == 1


@pytest.mark.parametrize(
    ("state", "name", "labels"),
    [
        (OrderState.FILLED, "orders", {"rule": "dip", "symbol": "BTCUSDT", "state": "filled"}),
        (OrderState.PARKED, "orders_parked", {}),
        (OrderState.UNKNOWN, "orders_doubted", {}),
        (OrderState.REJECTED, "order_rejects", {"code": "-2019"}),
    ],
)
def test_states_of_orders(
    state: OrderState,
    name: str,
    labels: dict[str, str],
    counting: Counting,
    registry: CollectorRegistry,
) -> None:
    """Counted when an order comes to a state, not while it stays in it."""
    decision = changed(state, code=-2019)
    stays = LegChange(decision.legs["r1-main-1"].after, decision.legs["r1-main-1"].after)
    counting.count([decision, Decision(legs={"r1-main-1": stays})])
    assert value(registry, f"runner_{name}_total", **labels) == 1


def test_a_cancel_is_no_order(counting: Counting, registry: CollectorRegistry) -> None:
    """Requests about orders have states, too."""
    cancel = replace(
        LEG,
        intent=CancelIntent("r1-main-2", "BTCUSDT", Family.ORDER),
        state=OrderState.REJECTED,
    )
    counting.count([Decision(legs={"r1-main-2": LegChange(None, cancel)})])
    assert value(registry, "runner_order_rejects_total", code="") is None


def test_money_and_time(counting: Counting, registry: CollectorRegistry) -> None:
    """Fills add up in USDT; an answer's delay is measured from the signature, in seconds."""
    fill = Fill("1", Decimal(50_000), Decimal("0.02"), Decimal(0), "USDT", Decimal(-3), NOW)
    counting.count(
        [
            Decision(
                fills=[FillRow("r1-main-1", "BTCUSDT", fill)],
                attempts=[Attempt("r1-main-1", 1, "q", NOW, 5000, "h", NOW)],
            ),
            Decision(
                outcomes=[AttemptOutcome("r1-main-1", 1, Outcome.ACCEPTED, None, "", NOW + 250)]
            ),
        ]
    )
    assert value(registry, "runner_fills_total", symbol="BTCUSDT") == 1
    assert value(registry, "runner_traded_notional_usdt_total", symbol="BTCUSDT") == 1000
    assert value(registry, "runner_realised_pnl_usdt", symbol="BTCUSDT") == -3
    assert value(registry, "runner_order_answer_seconds_sum") == 0.25


def test_alerts_and_stopped_runs(counting: Counting, registry: CollectorRegistry) -> None:
    """By outcome, and by the first word of the reason."""
    identity = Identity("main", "main", "dip", "0", "ETHUSDT", "k")
    run = Run("r1", identity, "h", {}, NOW, RunStatus.STOPPED, reason="guard: too large")
    alerts = [AlertRow("p", "h", {}, NOW, None, outcome) for outcome in ("fired", "odd")]
    counting.count([Decision(alerts=alerts, runs={"r1": run})])
    assert value(registry, "runner_alerts_total", outcome="fired") == 1
    assert value(registry, "runner_alerts_total", outcome="other") == 1
    assert value(registry, "runner_runs_stopped_total", rule="dip", reason="guard") == 1


def test_a_commit_is_timed_from_its_announcement(
    counting: Counting, registry: CollectorRegistry
) -> None:
    """Turns that commit nothing are not counted."""
    announce = counting.timed(lambda *_: Decision())
    announce([], NOW)
    counting.count([])
    assert value(registry, "runner_journal_commit_seconds_count") == 0
    announce([changed(OrderState.LIVE)], NOW)
    counting.count([changed(OrderState.LIVE)])
    assert value(registry, "runner_journal_commit_seconds_count") == 1


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (RawAnswer("ok", 200), "ok"),
        (RawAnswer("ok", 400), "refused"),
        (RawAnswer("ok", 429), "limited"),
        (RawAnswer("ok", 418), "limited"),
        (RawAnswer("ok", 503), "failed"),
        (RawAnswer("broken"), "no_answer"),
        (RawAnswer("not_sent"), "not_sent"),
    ],
)
def test_requests_by_result(
    answer: RawAnswer, result: str, counting: Counting, registry: CollectorRegistry
) -> None:
    """Six words, whatever the exchange says."""
    assert result_of(answer) == result
    signed = SignedRequest("q", TimeCall(), "GET", "/", "", 0, 0, "", 0)
    counting.request(signed, answer, 20)
    name = "runner_exchange_request_seconds_sum"
    assert value(registry, name, call="time", result=result) == 0.02


def test_answers_to_alerts(registry: CollectorRegistry) -> None:
    """Only the way of alerts counts, not those who look whether we are ready."""
    app = Flask("t")
    app.add_url_rule("/hook/x", view_func=lambda: "", endpoint="hook")
    app.add_url_rule("/readyz", view_func=lambda: "", endpoint="ready")
    Answers(registry).attend(app)
    for path in ("/hook/x", "/hook/none", "/readyz"):
        app.test_client().get(path)
    assert value(registry, "runner_webhook_answers_total", status="200") == 1
    assert value(registry, "runner_webhook_answers_total", status="404") == 1
    assert value(registry, "runner_webhook_answer_seconds_count") == 2
