"""exchangeInfo as instruments and limits; what it does not know it reports and leaves out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from runner.core.instruments import Instrument
from runner.venues.binance_usdm.limits import MINUTE, Limit
from runner.venues.binance_usdm.wire_values import decimal, integer, label, mapping

ZERO = Decimal(0)
BOUNDLESS = Decimal(10) ** 18

KNOWN_FILTERS = frozenset(
    {
        "PRICE_FILTER",
        "LOT_SIZE",
        "MARKET_LOT_SIZE",
        "MAX_NUM_ORDERS",
        "MAX_NUM_ALGO_ORDERS",
        "MIN_NOTIONAL",
        "PERCENT_PRICE",
        # seen since 2026; its bans come as -4105 … -4107
        "POSITION_RISK_CONTROL",
    }
)

_INTERVALS = {"SECOND": 1_000, "MINUTE": MINUTE, "HOUR": 60 * MINUTE, "DAY": 1_440 * MINUTE}


@dataclass(frozen=True, slots=True)
class ExchangeInfo:
    """What the exchange trades and allows; `remarks` is what a person should read once."""

    instruments: Mapping[str, Instrument]
    limits: tuple[Limit, ...]
    remarks: tuple[str, ...]


class Symbols(Mapping[str, Instrument]):
    """The exchange's symbols as read last: whoever holds this sees a newer reading at once.

    One assignment replaces all of them, so readers of other threads need no lock.
    """

    def __init__(self) -> None:
        self._known: Mapping[str, Instrument] = {}

    def adopt(self, known: Mapping[str, Instrument]) -> None:
        """These are the symbols from now on."""
        self._known = known

    def __getitem__(self, symbol: str) -> Instrument:
        return self._known[symbol]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def exchange_info(value: Any) -> ExchangeInfo:
    """From the whole answer. Raises ValueError when it holds no symbol at all."""
    fields = mapping(value)
    instruments: dict[str, Instrument] = {}
    unknown: set[str] = set()
    broken: list[str] = []
    for row in fields.get("symbols") or ():
        one = _instrument(mapping(row))
        if one is None:
            broken.append(str(mapping(row).get("symbol")))
            continue
        instruments[one.symbol] = one
        unknown |= _filters(row).keys() - KNOWN_FILTERS
    if not instruments:
        raise ValueError("exchangeInfo lists no symbol")
    return ExchangeInfo(instruments, _limits(fields), tuple(_remarks(unknown, broken)))


def _remarks(unknown: set[str], broken: list[str]) -> list[str]:
    remarks = []
    if unknown:
        remarks.append(f"filters not checked before sending: {', '.join(sorted(unknown))}")
    if broken:
        remarks.append(f"symbols without tick or step size, left out: {', '.join(sorted(broken))}")
    return remarks


def _filters(row: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    found = (mapping(one) for one in row.get("filters") or ())
    return {str(one.get("filterType")): one for one in found}


def _instrument(row: Mapping[str, Any]) -> Instrument | None:
    symbol, filters = label(row.get("symbol")), _filters(row)
    price, lot = filters.get("PRICE_FILTER", {}), filters.get("LOT_SIZE", {})
    tick, step = decimal(price.get("tickSize")), decimal(lot.get("stepSize"))
    if symbol is None or not tick or not step:
        return None
    market = filters.get("MARKET_LOT_SIZE", lot)
    percent = filters.get("PERCENT_PRICE", {})
    return Instrument(
        symbol=symbol,
        status=label(row.get("status")) or "",
        base_asset=label(row.get("baseAsset")) or "",
        quote_asset=label(row.get("quoteAsset")) or "",
        margin_asset=label(row.get("marginAsset")) or "",
        contract_type=label(row.get("contractType")) or "",
        tick_size=tick,
        min_price=decimal(price.get("minPrice")) or ZERO,
        max_price=decimal(price.get("maxPrice")) or ZERO,
        step_size=step,
        min_quantity=decimal(lot.get("minQty")) or ZERO,
        max_quantity=decimal(lot.get("maxQty")) or BOUNDLESS,
        market_step_size=decimal(market.get("stepSize")) or step,
        market_min_quantity=decimal(market.get("minQty")) or ZERO,
        market_max_quantity=decimal(market.get("maxQty")) or BOUNDLESS,
        min_notional=decimal(filters.get("MIN_NOTIONAL", {}).get("notional")) or ZERO,
        multiplier_up=decimal(percent.get("multiplierUp")) or BOUNDLESS,
        multiplier_down=decimal(percent.get("multiplierDown")) or ZERO,
        max_orders=integer(filters.get("MAX_NUM_ORDERS", {}).get("limit")) or 200,
        order_types=_words(row, "orderTypes", "OrderType"),
        time_in_force=_words(row, "timeInForce"),
    )


def _words(row: Mapping[str, Any], *names: str) -> frozenset[str]:
    """The list under the first of these names; the documentation prints a second spelling."""
    for name in names:
        if isinstance(row.get(name), list):
            return frozenset(str(word) for word in row[name])
    return frozenset()


def _limits(fields: Mapping[str, Any]) -> tuple[Limit, ...]:
    found = []
    for row in map(mapping, fields.get("rateLimits") or ()):
        unit = _INTERVALS.get(str(row.get("interval")))
        count, limit = integer(row.get("intervalNum")), integer(row.get("limit"))
        kind = row.get("rateLimitType")
        if unit is None or not count or not limit or kind not in ("REQUEST_WEIGHT", "ORDERS"):
            continue
        found.append(Limit("weight" if kind == "REQUEST_WEIGHT" else "orders", unit * count, limit))
    return tuple(found)
