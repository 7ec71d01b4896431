"""Hands the events of a test's steps to its runner as they came: a position, an order, a person."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from runner.core.document import duration
from runner.core.events import (
    Fire,
    JournalTrouble,
    OrderChanged,
    PositionIncident,
    PositionUpdate,
    StreamState,
)
from runner.core.legs import Moment
from runner.core.rules import Rule
from runner.halting import last_words
from runner.ruletests.stage import Stage, hold
from runner.virtual import VirtualRunner

ZERO = Decimal(0)


def tell(runner: VirtualRunner, stage: Stage, rule: Rule, symbol: str, key: str, told: Any) -> str:
    """Let it happen now; returns why it cannot, empty when it did."""
    match key:
        case "position":
            _position(runner, stage, symbol, told)
        case "order":
            return _order(runner, rule, symbol, told)
        case "system":
            _system(runner, told)
        case _:
            now = runner.clock.wall()
            runner.ask(Fire(rule.id, symbol, f"by hand {now}", now))
    return ""


def stop(runner: VirtualRunner) -> None:
    """Write what a stop on purpose writes; orders and countdowns stay as they are."""
    moment = Moment(runner.clock.wall(), runner.venue.server_time(), runner.timing)
    runner.journal.commit([last_words(runner.engine, moment, "leave_armed", None)])


def _position(runner: VirtualRunner, stage: Stage, symbol: str, told: Mapping[str, Any]) -> None:
    size, price = Decimal(told["size"]), _number(told.get("price"))
    now = runner.venue.server_time()
    if "is" in told:
        at = price or stage.exchange.exchange.state.market(symbol).mark
        incident = PositionIncident(told["is"], symbol, "BOTH", size, at, str(now), now)
        runner.dispatcher.post(incident)
        return
    entry = hold(stage, symbol, size, price)
    # a flat position has no entry price of its own, but its last statement may carry one
    entry = price if price is not None else entry if size else ZERO
    runner.dispatcher.post(PositionUpdate(symbol, "BOTH", size, entry, ZERO, now))


def _order(runner: VirtualRunner, rule: Rule, symbol: str, told: Mapping[str, Any]) -> str:
    waited = [trigger.interest[1] for trigger in rule.triggers if trigger.kind == "order"]
    if not waited:
        return f"{rule.id} does not wait for an order"
    event = OrderChanged(
        rule_id=str(told.get("rule", waited[0])),
        symbol=symbol,
        client_order_id=str(told.get("order", f"order-{runner.clock.now}")),
        leg=str(told.get("leg", "0")),
        status=told["status"],
        side=str(told.get("side", "buy")),
        cumulative_quantity=_number(told.get("quantity")) or ZERO,
        average_price=_number(told.get("price")),
        tag=str(told.get("tag", "")),
    )
    runner.dispatcher.post(event)
    return ""


def _system(runner: VirtualRunner, told: Mapping[str, Any]) -> None:
    now = runner.clock.wall()
    if "journal" in told:
        runner.dispatcher.post(JournalTrouble(f"test {now}", str(told["journal"]), now))
    if "stream_gap" in told:
        since = now - (duration(str(told.get("away", "0s"))) or 0)
        stream = str(told["stream_gap"])
        runner.dispatcher.post(StreamState(stream, False, now, since, "gap"))


def _number(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)
