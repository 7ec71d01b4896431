"""What will be true after everything in flight: open entries, unclear ones, unseen fills."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from runner.core.decision import Leg
from runner.core.orders import AmendIntent, OrderIntent, OrderState, Side
from runner.core.state import Entry, Work
from runner.core.values import dataclass, replace
from runner.core.view import View

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Pending:
    """An entry that is decided and not over, with what it may still fill, and whose it is."""

    order: OrderIntent
    left: Decimal
    rule_id: str = ""


class Ahead:
    """All entries that may still fill, and those that this decision has let pass so far.

    What nobody knows the fate of counts as if it were on the book, parked orders included; a
    change of an order on its way counts at the larger of its two sizes and prices.
    """

    def __init__(self, work: Work, leaving: Iterable[str] = ()) -> None:
        """`leaving` are the client order ids of orders whose place others take."""
        self._work = work
        self._leaving = set(leaving)
        self._passed: list[Pending] = []
        self._known: dict[str | None, list[Pending]] = {}

    def without(self, client_order_id: str) -> Ahead:
        """The same, but for an order that is about to become another one."""
        found = Ahead(self._work, {*self._leaving, client_order_id})
        found._passed = self._passed
        return found

    def passed(self, order: OrderIntent, rule_id: str) -> None:
        """This entry may leave: it counts for the next one of the same decision."""
        self._passed.append(Pending(order, order.quantity or ZERO, rule_id))

    def changed(self, leg: Leg, order: OrderIntent, rule_id: str) -> None:
        """It may become another one; until that is known it counts at the larger of both."""
        before = leg.intent
        assert isinstance(before, OrderIntent)
        prices = [price for price in (before.price, order.price) if price is not None]
        quantity = max(before.quantity or ZERO, order.quantity or ZERO)
        worst = replace(order, price=max(prices, default=None), quantity=quantity)
        self._leaving.add(leg.client_order_id)
        self._known.clear()
        self._passed.append(Pending(worst, quantity - leg.cumulative_quantity, rule_id))

    def entries(self) -> list[Entry]:
        """The entries that were planned within the last minute, these included."""
        work = self._work
        work.state.count_entries(work.now)
        new = [Entry(work.now, each.rule_id, each.order.symbol) for each in self._passed]
        return [*work.state.entries, *work.entries, *new]

    def pending(self, symbol: str | None) -> list[Pending]:
        """The entries of a symbol (of all when None) that may still fill."""
        if symbol not in self._known:
            legs = self._work.unsure_legs(symbol)
            self._known[symbol] = [
                Pending(self._at_worst(leg, legs), _left(leg, legs), self._work.rule_id(leg.run_id))
                for leg in legs
                if _is_entry(leg) and leg.client_order_id not in self._leaving
            ]
        passed = [each for each in self._passed if symbol in (None, each.order.symbol)]
        return [*self._known[symbol], *passed]

    def _at_worst(self, leg: Leg, legs: list[Leg]) -> OrderIntent:
        order = leg.intent
        assert isinstance(order, OrderIntent)
        prices = [amend.price for amend in _changes(leg, legs)]
        if not prices:
            return order
        return replace(
            order, price=max(each for each in (order.price, *prices) if each is not None)
        )

    def worth(
        self,
        view: View,
        side: tuple[str, str],
        way: Side,
        mark: Decimal,
        own: Pending | None = None,
    ) -> Decimal:
        """What a position would be worth this way if all of its entries filled, in the quote asset.

        A position the other way is not taken off: it may be closed before the entries fill.
        """
        symbol, position_side = side
        sign = 1 if way is Side.BUY else -1
        held = view.positions.get(side)
        size = max(sign * (held.size if held is not None else ZERO), ZERO)
        stated = 0 if held is None else held.event_time
        size += max(sign * self._work.unseen_size(symbol, position_side, stated), ZERO)
        pending = [
            each
            for each in self.pending(symbol)
            if (each.order.position_side, each.order.side) == (position_side, way)
        ]
        if own is not None:
            pending.append(own)
        return size * mark + sum((each.left * highest(each.order, mark) for each in pending), ZERO)

    def whole(
        self, view: View, symbol: str, mark: Callable[[str], Decimal], own: Pending
    ) -> Decimal:
        """What all positions (of one symbol, of every one when empty) would be worth at most."""
        keys = {key for key, held in view.positions.items() if held.size}
        keys |= {_place(each.order) for each in self.pending(symbol or None)}
        keys |= {(fill.symbol, fill.position_side) for fill in self._work.all_unseen()}
        keys.add(_place(own.order))
        sides = (
            self._larger(view, key, mark(key[0]), own) for key in keys if symbol in ("", key[0])
        )
        return sum(sides, ZERO)

    def _larger(self, view: View, key: tuple[str, str], mark: Decimal, own: Pending) -> Decimal:
        """What it would be worth long or short, whichever is more."""
        mine = _place(own.order) == key
        return max(
            self.worth(view, key, way, mark, own if mine and own.order.side is way else None)
            for way in Side
        )


def highest(order: OrderIntent, mark: Decimal) -> Decimal:
    """The highest price at which the order may be valued: its own ones, or the mark."""
    return max(price for price in (order.price, order.trigger_price, mark) if price is not None)


def _place(order: OrderIntent) -> tuple[str, str]:
    return order.symbol, order.position_side


def _is_entry(leg: Leg) -> bool:
    return isinstance(leg.intent, OrderIntent) and not leg.intent.protective


def _left(leg: Leg, legs: list[Leg]) -> Decimal:
    """What it may still fill, at the largest of the sizes that it may have or get."""
    assert isinstance(leg.intent, OrderIntent)
    sizes = [amend.quantity for amend in _changes(leg, legs)]
    return max([leg.intent.quantity or ZERO, *sizes]) - leg.cumulative_quantity


def _changes(leg: Leg, legs: Iterable[Leg]) -> list[AmendIntent]:
    """The changes of an order that are on their way."""
    return [
        other.intent
        for other in legs
        if isinstance(other.intent, AmendIntent)
        and other.intent.target == leg.client_order_id
        and other.state is not OrderState.LAPSED
    ]
