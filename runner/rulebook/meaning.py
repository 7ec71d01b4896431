"""What only the exchange knows: does the symbol exist, do literal prices and sizes fit it?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from runner.core.document import Path, Problem
from runner.core.instruments import Instrument
from runner.core.orders import OrderType
from runner.core.rules import Rule
from runner.rulebook.symbols import looks_like

Instruments = Mapping[str, Instrument]
PRICES = ("price", "trigger_price", "activation_price", "from", "to")
SIZES = ("quantity", "notional")


def check_symbols(named: Iterator[tuple[Path, str]], instruments: Instruments) -> Iterator[Problem]:
    """A problem for every written symbol that the exchange does not have or does not trade."""
    for path, symbol in named:
        instrument = instruments.get(symbol)
        if instrument is None:
            guess = looks_like(symbol, instruments)
            cure = f"did you mean {guess}?" if guess else "look it up on the exchange"
            message = f"{symbol} is not a USDⓈ-M symbol"
            yield Problem(path, "unknown-symbol", message, cure)
        elif not instrument.tradable:
            # only a warning: one delisted symbol must not keep all other rules from running
            message = f"{symbol} does not trade now, its status is {instrument.status}"
            cure = "its orders are refused until it trades"
            yield Problem(path, "not-trading", message, cure, severity="warning")


def written_symbols(
    tree: Mapping[str, Any], rules: Iterable[tuple[Path, Mapping[str, Any]]]
) -> Iterator[tuple[Path, str]]:
    """Every symbol that stands in a file, with its place; names of lists are left out."""
    lists, dead_man = _mapping(tree.get("lists")), _mapping(tree.get("dead_man"))
    for name, symbols in lists.items():
        yield from _each(("lists", name), symbols)
    places: list[tuple[Path, Any]] = [(("dead_man", "symbols"), dead_man.get("symbols"))]
    for path, rule in rules:
        places += [((*path, key), rule.get(key)) for key in ("symbol", "symbols")]
        places += _switched(path, rule.get("do"))
    for path, value in places:
        for place, symbol in _each(path, value):
            if symbol not in lists:
                yield place, symbol


def _switched(path: Path, actions: Any) -> Iterator[tuple[Path, Any]]:
    """The symbols of `arm` and `disarm`."""
    for index, action in enumerate(actions if isinstance(actions, list) else []):
        for kind in ("arm", "disarm"):
            below = _mapping(_mapping(action).get(kind))
            yield (*path, "do", index, kind, "symbols"), below.get("symbols")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _each(path: Path, value: Any) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, str):
                yield (*path, index), item


def check_orders(
    rule: Rule, tree: Mapping[str, Any], path: Path, instruments: Instruments
) -> Iterator[Problem]:
    """A problem for every literal price or size that a symbol of the rule would refuse."""
    known = [instruments[symbol] for symbol in rule.symbols if symbol in instruments]
    for index, action in enumerate(tree["do"]):
        for place, order in _orders((*path, "do", index), action):
            yield from _check_order(place, order, known)


def _orders(path: Path, action: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Every block below an action that says the price or the size of an order."""
    for key, value in action.items():
        below = (*path, key)
        if isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, Mapping):
                    yield from _block((*below, index), item)
        elif isinstance(value, Mapping):
            yield from _block(below, value)


def _block(path: Path, block: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    yield path, block
    yield from _orders(path, block)


def _check_order(path: Path, order: Mapping[str, Any], known: list[Instrument]) -> list[Problem]:
    """The mistakes of one order; its worth is looked at when price and quantity are sound."""
    found: list[Problem] = []
    for key in PRICES:
        price = _number(order.get(key))
        if price is not None:
            found += _first(_price_problem((*path, key), key, price, each) for each in known)
    found += _first(_type_problem(path, order, each) for each in known)
    found += _first(_quantity_problem(path, order, each) for each in known)
    if not found:
        found += _first(_notional_problem(path, order, each) for each in known)
    return found


def _first(problems: Iterator[Problem | None]) -> list[Problem]:
    """The first problem only: the same mistake for a second symbol tells nothing new."""
    return [problem for problem in problems if problem is not None][:1]


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return None
    return Decimal(value)


def _price_problem(path: Path, key: str, price: Decimal, instrument: Instrument) -> Problem | None:
    name = key.replace("_", " ")
    if price < instrument.min_price or 0 < instrument.max_price < price:
        limits = f"{instrument.min_price:f} to {instrument.max_price:f}"
        message = f"{name} {price:f} is outside {limits}, the prices of {instrument.symbol}"
        return Problem(path, "price", message)
    low, high = instrument.nearest_prices(price)
    if low == high:
        return None
    tick = f"the tick size {instrument.tick_size:f} of {instrument.symbol}"
    message = f"{name} {price:f} is not a multiple of {tick}"
    return Problem(path, "tick-size", message, f"nearest: {low:f} or {high:f}")


def _type_problem(path: Path, order: Mapping[str, Any], instrument: Instrument) -> Problem | None:
    kind = str(order.get("type", "")).upper()
    if not kind or not instrument.order_types or kind in instrument.order_types:
        return None
    message = f"{instrument.symbol} takes no {kind.lower()} orders"
    takes = ", ".join(sorted(instrument.order_types)).lower()
    return Problem((*path, "type"), "order-type", message, f"it takes {takes}")


def _quantity_problem(
    path: Path, order: Mapping[str, Any], instrument: Instrument
) -> Problem | None:
    quantity = _number(order.get("quantity"))
    if quantity is None:
        return None
    place, symbol = (*path, "quantity"), instrument.symbol
    kind = OrderType(str(order.get("type", "limit")).upper())
    priced = kind in (OrderType.LIMIT, OrderType.STOP)
    least = instrument.min_quantity if priced else instrument.market_min_quantity
    most = instrument.max_quantity if priced else instrument.market_max_quantity
    if quantity < least:
        message = f"quantity {quantity:f} is less than {symbol} takes"
        return Problem(place, "quantity", message, f"the least is {least:f}")
    if quantity > most:
        message = f"quantity {quantity:f} is more than {symbol} takes in one {kind.lower()} order"
        return Problem(place, "quantity", message, f"the most is {most:f}")
    rounded = instrument.round_quantity(quantity, kind)
    if rounded == quantity:
        return None
    step = instrument.step_size if priced else instrument.market_step_size
    message = f"quantity {quantity:f} is not a multiple of the step size {step:f} of {symbol}"
    return Problem(place, "step-size", message, f"nearest: {rounded:f} or {rounded + step:f}")


def _notional_problem(
    path: Path, order: Mapping[str, Any], instrument: Instrument
) -> Problem | None:
    """A size in USDT, or a literal quantity times a literal price, under the least notional."""
    if order.get("reduce_only") or order.get("close_position"):
        return None
    notional, price = _number(order.get("notional")), _number(order.get("price"))
    quantity = _number(order.get("quantity"))
    key, said = "notional", "notional"
    if notional is None:
        if price is None or quantity is None:
            return None
        notional, key, said = price * quantity, "quantity", "price times quantity"
    if notional >= instrument.min_notional:
        return None
    message = f"{said} is {notional.normalize():f}, too little for {instrument.symbol}"
    cure = f"the least is {instrument.min_notional:f} {instrument.quote_asset}"
    return Problem((*path, key), "notional", message, cure)
