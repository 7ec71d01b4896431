"""What the guards of a rule always refuse, told while the rules are only read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from runner.core.document import Path, Problem
from runner.core.guards import Bound, bounds
from runner.core.rules import Rule

NOTIONALS = ("max_order_notional", "max_position_notional")
CURE = "the guard refuses it: make it smaller, or raise the guard"

Order = tuple[Path, Mapping[str, Any]]


def over_the_guards(rule: Rule, tree: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """Entries whose size, as written, or whose symbol the guards always refuse."""
    applying = [bound for symbol in rule.symbols for bound in _bounds(rule, symbol)]
    yield from _not_allowed(rule, tree, path)
    for place, order in _entries(tree, path):
        key, notional = _notional(order)
        yield from _over(applying, (*place, key), notional, "this order is worth {}")
    for index, action in enumerate(tree["do"]):
        place = (*path, "do", index)
        if isinstance(action.get("place"), list):
            yield from _together(applying, (*place, "place"), action["place"])
        if "ladder" in action:
            yield from _ladder(applying, (*place, "ladder"), action["ladder"])


def _bounds(rule: Rule, symbol: str) -> tuple[Bound, ...]:
    blocks = [("guards of the file", rule.limits, ""), ("guards of the rule", rule.own_limits, "")]
    return bounds(blocks, symbol)


def _not_allowed(rule: Rule, tree: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    if not ({"place", "bracket", "ladder", "target"} & {next(iter(a)) for a in tree["do"]}):
        return
    for limits in (rule.limits, rule.own_limits):
        allowed = limits.allowed_symbols
        shut = [symbol for symbol in rule.symbols if allowed is not None and symbol not in allowed]
        if shut:
            message = f"{', '.join(shut)} is not among allowed_symbols: its entries are refused"
            cure = "add it there, or take it out of the rule"
            place = (*path, "symbols" if "symbols" in tree else "symbol")
            yield Problem(place, "guard", message, cure, severity="warning")
            return


def _over(
    applying: list[Bound],
    place: Path,
    notional: Decimal | None,
    text: str,
    names: tuple[str, ...] = NOTIONALS,
) -> Iterator[Problem]:
    """A warning when the tightest of these limits is under what is written."""
    known = [(getattr(b.limits, name), name) for name in names for b in applying]
    found = [(limit, name) for limit, name in known if limit is not None]
    if notional is None:
        return
    for limit, name in sorted(found, key=lambda each: (names.index(each[1]), each[0])):
        if notional > limit:
            message = f"{text.format(f'{notional.normalize():f}')}, {name} is {limit:f}"
            yield Problem(place, "guard", message, CURE, severity="warning")
            return


def _together(applying: list[Bound], place: Path, orders: list[Any]) -> Iterator[Problem]:
    """Orders of one action leave together or not at all."""
    for side in ("buy", "sell"):
        sized = [_notional(order)[1] for order in orders if _is_entry(order, side)]
        worth = [each for each in sized if each is not None]
        whole = sum(worth, Decimal(0))
        # what one of them is too much by itself was said before
        single = _over(applying, place, max(worth, default=None), "")
        if len(worth) > 1 and not list(single):
            text = f"these {len(worth)} orders to {side} are worth {{}} together"
            yield from _over(applying, place, whole, text, NOTIONALS[1:])


def _ladder(applying: list[Bound], place: Path, ladder: Mapping[str, Any]) -> Iterator[Problem]:
    if ladder.get("reduce_only") or "weights" in ladder:
        return
    key = "notional" if "notional" in ladder else "quantity"
    first, last, size = ladder.get("from"), ladder.get("to"), ladder.get(key)
    whole = None
    if key == "notional" and _is_number(size):
        whole = Decimal(str(size))
    elif _is_number(size) and _is_number(first) and _is_number(last):
        middle = (Decimal(str(first)) + Decimal(str(last))) / 2
        whole = Decimal(str(size)) * middle
    text = "the orders of this ladder are worth {} together"
    yield from _over(applying, (*place, key), whole, text, NOTIONALS[1:])


def _is_entry(order: Mapping[str, Any], side: str) -> bool:
    closes = order.get("reduce_only") or order.get("close_position")
    return order.get("side") == side and not closes and order.get("position_side") is None


def _entries(tree: Mapping[str, Any], path: Path) -> Iterator[Order]:
    """Every order of `place` and `bracket` that makes a position larger."""
    for index, action in enumerate(tree["do"]):
        place = (*path, "do", index)
        orders = action.get("place", ())
        if isinstance(orders, Mapping):
            yield from _if_entry((*place, "place"), orders)
        else:
            for number, order in enumerate(orders):
                yield from _if_entry((*place, "place", number), order)
        if "bracket" in action:
            yield (*place, "bracket", "entry"), action["bracket"]["entry"]


def _if_entry(place: Path, order: Mapping[str, Any]) -> Iterator[Order]:
    if not order.get("reduce_only") and not order.get("close_position"):
        yield place, order


def _notional(order: Mapping[str, Any]) -> tuple[str, Decimal | None]:
    """The key of the size and what it is worth in USDT, where that is written."""
    if _is_number(order.get("notional")):
        return "notional", Decimal(order["notional"])
    if _is_number(order.get("quantity")) and _is_number(order.get("price")):
        return "quantity", Decimal(order["quantity"]) * Decimal(order["price"])
    return "quantity", None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, Decimal)) and not isinstance(value, bool)
