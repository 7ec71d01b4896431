"""What must hold in every history: along the arrows while it runs, and at its end."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from runner.audit import differences
from runner.core.decision import FINAL, Decision, Leg, LegChange
from runner.core.orders import CancelIntent, OrderIntent, OrderState, Outcome
from runner.journal import ORPHAN
from runner.journal.rows import intent_of
from runner.venues.paper.orders import Fill
from runner.virtual import VirtualClock
from tests.simulation.exchange import Witness

ON_THE_BOOK = {OrderState.LIVE, OrderState.FILLED, OrderState.CANCELED, OrderState.EXPIRED}

ARROWS: Mapping[OrderState | None, set[OrderState]] = {
    # LAPSED: planned, and cancelled by a command in the same decision
    None: {OrderState.PLANNED, OrderState.LAPSED},
    OrderState.PLANNED: {OrderState.SENDING, OrderState.LAPSED, *ON_THE_BOOK},
    OrderState.SENDING: {
        *(OrderState.PLANNED, OrderState.UNKNOWN, OrderState.REJECTED, OrderState.DONE),
        *ON_THE_BOOK,
    },
    OrderState.UNKNOWN: {
        *(OrderState.PLANNED, OrderState.LAPSED, OrderState.PARKED, OrderState.REJECTED),
        *ON_THE_BOOK,
    },
    OrderState.LIVE: {OrderState.FILLED, OrderState.CANCELED, OrderState.EXPIRED},
}
"""Where each state may go (design/03); what is final stays."""

WITHOUT_EFFECT = {Outcome.NOT_ACCEPTED, Outcome.NOT_SENT}

LEGS = {"batch": 3, "single": 1}
"""How many orders a run of these rules has, when it is done."""


class Arrows:
    """Watches every committed change of an order."""

    def __init__(self, clock: VirtualClock, wrong: list[str]) -> None:
        """`clock` is the exchange's."""
        self._clock = clock
        self._wrong = wrong

    def observe(self, decisions: Sequence[Decision]) -> None:
        """Take in what was committed."""
        for decision in decisions:
            without_effect = {
                one.client_order_id for one in decision.outcomes if one.outcome in WITHOUT_EFFECT
            }
            for change in decision.legs.values():
                self._wrong += self._broken(change, without_effect)

    def _broken(self, change: LegChange, without_effect: Collection[str]) -> Iterator[str]:
        before, after = change.before, change.after
        was = before.state if before else None
        who = f"{after.name} {after.client_order_id}"
        refused_at_its_trigger = after.order_status == "REJECTED" and was is OrderState.LIVE
        asked = after.ask_first and (was, after.state) == (OrderState.PLANNED, OrderState.UNKNOWN)
        # its answer said that nothing came of it, and a command took it back at that moment
        gone = (was, after.state) == (OrderState.SENDING, OrderState.LAPSED)
        taken_back = gone and after.client_order_id in without_effect
        if after.state is not was and not (
            after.state in ARROWS.get(was, ()) or refused_at_its_trigger or asked or taken_back
        ):
            yield f"{who} went from {was} to {after.state}"
        if before is None:
            return
        if before.state in FINAL and after.state is not before.state:
            yield f"{who} was final and changed"
        steps = 1 if after.state is OrderState.SENDING and was is not OrderState.SENDING else 0
        if after.attempt != before.attempt + steps:
            yield f"{who} went from attempt {before.attempt} to {after.attempt}"
        yield from self._counted_too_early(before, after, who)

    def _counted_too_early(self, before: Leg, after: Leg, who: str) -> Iterator[str]:
        if after.negatives <= before.negatives:
            return
        if after.fence_time is None or self._clock.now < after.fence_time:
            yield f"{who} counts a negative before its fence"


def at_the_end(exchange: Witness, known: Mapping[str, str]) -> Iterator[str]:
    """Journal and exchange side by side; `known` are the answered alerts: number -> outcome."""
    legs = [
        {
            "client_order_id": key,
            "state": state,
            "order_status": status,
            "run_id": run_id,
            "filled": Decimal(filled),
        }
        for key, state, status, intent, run_id, filled in exchange.rows(
            "SELECT client_order_id, state, order_status, intent, run_id, cumulative_quantity "
            "FROM legs"
        )
        if isinstance(intent_of(intent), OrderIntent)
    ]
    yield from differences(legs, set(exchange.accepted) - _orphans(exchange, legs), "main")
    executed = exchange.executed()
    for leg in legs:
        key = leg["client_order_id"]
        if leg["filled"] != executed.get(key, 0):
            yield f"{key} filled {executed.get(key, 0)}, the journal says {leg['filled']}"
        if leg["state"] in ("PLANNED", "SENDING", "UNKNOWN"):
            yield f"{key} is still {leg['state']}: it never settled"
    yield from _unsettled_cancels(exchange)
    yield from _unspoken(exchange)
    yield from _runs(exchange, known, Counter(leg["run_id"] for leg in legs))


def sums(exchange: Witness, held: Mapping[str, Decimal]) -> Iterator[str]:
    """Fills add up: a run's to what the journal says, the account's to what the runner holds."""
    trades = {str(one.trade_id): one for one in exchange.trades()}
    for symbol, size in exchange.positions().items():
        moved = sum(_signed(t.side, t.quantity) for t in trades.values() if t.symbol == symbol)
        if not moved == size == held.get(symbol, 0):
            belief = held.get(symbol, 0)
            yield f"{symbol}: fills of {moved}, a position of {size}, the runner reckons {belief}"
    runs: defaultdict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    filled: defaultdict[str, Decimal] = defaultdict(Decimal)
    for trade in trades.values():
        filled[trade.client_order_id] += _signed(trade.side, trade.quantity)
    statement = "SELECT client_order_id, run_id, intent, cumulative_quantity FROM legs"
    for key, run_id, text, quantity in exchange.rows(statement):
        intent = intent_of(text)
        if isinstance(intent, OrderIntent):
            runs[run_id][0] += _signed(intent.side.name, Decimal(quantity))
            runs[run_id][1] += filled[key]
    for run_id, (ours, theirs) in runs.items():
        if ours != theirs:
            yield f"the run {run_id} moved {ours}, its fills at the exchange {theirs}"
    yield from _noted_fills(exchange, trades)
    yield from _noted_prices(exchange, trades.values())


def _noted_prices(exchange: Witness, trades: Iterable[Fill]) -> Iterator[str]:
    """The average price of an order is that of its trades; or none was told to this journal."""
    paid: defaultdict[str, Decimal] = defaultdict(Decimal)
    for trade in trades:
        paid[trade.client_order_id] += trade.price * trade.quantity
    statement = (
        "SELECT client_order_id, average_price, cumulative_quantity FROM legs "
        "WHERE average_price IS NOT NULL"
    )
    for key, price, quantity in exchange.rows(statement):
        if abs(Decimal(price) * Decimal(quantity) - paid[key]) > Decimal("0.001"):
            yield f"{key} filled for {paid[key]}, the journal says {quantity} at {price}"


def _noted_fills(exchange: Witness, trades: Mapping[str, Fill]) -> Iterator[str]:
    """Each fill that the journal keeps happened so; how many it heard of is the stream's luck."""
    statement = "SELECT trade_id, client_order_id, quantity FROM fills"
    for trade_id, key, quantity in exchange.rows(statement):
        trade = trades.get(str(trade_id))
        if trade is None or (trade.client_order_id, trade.quantity) != (key, Decimal(quantity)):
            yield f"the journal has a fill {trade_id} of {quantity} for {key}, not so the exchange"


def _signed(side: str, quantity: Decimal) -> Decimal:
    return quantity if side == "BUY" else -quantity


def _orphans(exchange: Witness, legs: list[dict[str, Any]]) -> set[str]:
    """What a restored journal forgot, and was told of by the exchange."""
    told = exchange.rows("SELECT client_order_id FROM records WHERE reason = ?", ORPHAN)
    return {key for (key,) in told} - {leg["client_order_id"] for leg in legs}


def _unsettled_cancels(exchange: Witness) -> Iterator[str]:
    statement = (
        "SELECT client_order_id, state, intent FROM legs "
        "WHERE state IN ('PLANNED', 'SENDING', 'UNKNOWN')"
    )
    for key, state, intent in exchange.rows(statement):
        if isinstance(intent_of(intent), CancelIntent):
            yield f"the cancel {key} is still {state}"


def _unspoken(exchange: Witness) -> Iterator[str]:
    """A parked order without an alarm would be lost in silence."""
    told = {
        key
        for (key,) in exchange.rows(
            "SELECT client_order_id FROM records WHERE kind = 'notify' AND reason = 'parked'"
        )
    }
    for (key,) in exchange.rows("SELECT client_order_id FROM legs WHERE state = 'PARKED'"):
        if key not in told:
            yield f"{key} is parked, and nobody was told"


def fired(exchange: Witness) -> Counter[str]:
    """How often the journal says that each alert fired, by its number."""
    found = exchange.rows("SELECT trigger, fields FROM runs")
    return Counter(
        number_of(json.loads(fields)["n"])
        for trigger, fields in found
        if trigger.startswith("webhook")
    )


def _runs(exchange: Witness, known: Mapping[str, str], orders: Counter[str]) -> Iterator[str]:
    """Each alert that was acknowledged as fired has one run with all of its orders."""
    statement = "SELECT run_id, rule_id, status, reason FROM runs"
    for run_id, rule_id, status, reason in exchange.rows(statement):
        wanted = LEGS.get(rule_id)
        if wanted and status == "done" and not reason and orders[run_id] != wanted:
            yield f"the run {run_id} of {rule_id} is done with {orders[run_id]} orders"
    times = fired(exchange)
    yield from (f"alert {number} fired {n} times" for number, n in times.items() if n > 1)
    for number, outcome in known.items():
        if outcome in ("fired", "duplicate") and not times[number]:
            yield f"alert {number} was answered {outcome}, and it never fired"


def number_of(value: object) -> str:
    """An alert's number, as the journal keeps a Decimal."""
    return str(value["d"]) if isinstance(value, dict) else str(value)
