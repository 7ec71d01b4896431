"""What can be traded: symbols with their filters, built in or read from an exchangeInfo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from .numbers import JsonObject

CONDITIONAL_TYPES = (
    "STOP",
    "STOP_MARKET",
    "TAKE_PROFIT",
    "TAKE_PROFIT_MARKET",
    "TRAILING_STOP_MARKET",
)
RATE_LIMITS: list[JsonObject] = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400},
    {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
]

# symbol, start price, price digits, quantity digits, tick, step, min and max price,
# max quantity, max market quantity, min notional, PERCENT_PRICE band, sub type
_BUILT_IN = """
BTCUSDT  70000   2 3 0.10    0.001 556.80   4529764 1000      120      50 0.05 PoW
ETHUSDT  3500    2 3 0.01    0.001 39.86    306177  10000     2000     20 0.05 Layer-1
SOLUSDT  160     4 2 0.0100  0.01  0.4200   6857    1000000   80000    5  0.05 Layer-1
BNBUSDT  600     3 2 0.010   0.01  6.600    100000  100000    2000     5  0.05 Layer-1
XRPUSDT  0.60    4 1 0.0001  0.1   0.0143   100000  10000000  2000000  5  0.05 Payment
DOGEUSDT 0.15    6 0 0.00001 1     0.002440 30      300000000 30000000 5  0.10 Meme
ADAUSDT  0.50    5 0 0.00010 1     0.00010  20000   30000000  3000000  5  0.05 Layer-1
DOTUSDT  7       3 1 0.001   0.1   0.001    2398    3000000   300000   5  0.05 Layer-1
LINKUSDT 15      3 2 0.001   0.01  0.001    100000  200000    50000    20 0.10 Infrastructure
LTCUSDT  85      2 3 0.01    0.001 0.01     100000  20000     5000     20 0.05 Payment
AVAXUSDT 35      4 0 0.0010  1     0.0010   2403    500000    50000    5  0.10 Layer-1
TRXUSDT  0.12    5 0 0.00001 1     0.00132  20000   20000000  5000000  5  0.05 Layer-1
"""

# The start price of a symbol nobody gave one for.
DEFAULT_PRICE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Symbol:
    """One contract: its precisions, filters and the document it was read from."""

    name: str
    status: str
    base: str
    quote: str
    margin: str
    price_digits: int
    quantity_digits: int
    tick: Decimal
    min_price: Decimal
    max_price: Decimal
    step: Decimal
    min_quantity: Decimal
    max_quantity: Decimal
    market_step: Decimal
    market_min_quantity: Decimal
    market_max_quantity: Decimal
    min_notional: Decimal
    multiplier_up: Decimal
    multiplier_down: Decimal
    max_orders: int
    trigger_protect: Decimal
    time_in_force: tuple[str, ...]
    document: Mapping[str, Any] = field(repr=False)

    def with_status(self, status: str) -> Symbol:
        """Return the same contract in another status."""
        return replace(self, status=status, document={**self.document, "status": status})


def read_symbol(document: Mapping[str, Any]) -> Symbol:
    """Return the symbol described by one entry of `exchangeInfo.symbols`; raises KeyError."""
    rules = {rule["filterType"]: rule for rule in document["filters"]}
    price, lot = rules["PRICE_FILTER"], rules["LOT_SIZE"]
    market_lot = rules.get("MARKET_LOT_SIZE", lot)
    percent = rules.get("PERCENT_PRICE", {"multiplierUp": "10", "multiplierDown": "0.1"})
    return Symbol(
        name=document["symbol"],
        status=document["status"],
        base=document["baseAsset"],
        quote=document["quoteAsset"],
        margin=document["marginAsset"],
        price_digits=int(document["pricePrecision"]),
        quantity_digits=int(document["quantityPrecision"]),
        tick=Decimal(price["tickSize"]),
        min_price=Decimal(price["minPrice"]),
        max_price=Decimal(price["maxPrice"]),
        step=Decimal(lot["stepSize"]),
        min_quantity=Decimal(lot["minQty"]),
        max_quantity=Decimal(lot["maxQty"]),
        market_step=Decimal(market_lot["stepSize"]) or Decimal(lot["stepSize"]),
        market_min_quantity=Decimal(market_lot["minQty"]),
        market_max_quantity=Decimal(market_lot["maxQty"]),
        min_notional=Decimal(rules.get("MIN_NOTIONAL", {"notional": "0"})["notional"]),
        multiplier_up=Decimal(percent["multiplierUp"]),
        multiplier_down=Decimal(percent["multiplierDown"]),
        max_orders=int(rules.get("MAX_NUM_ORDERS", {"limit": 200})["limit"]),
        trigger_protect=Decimal(document.get("triggerProtect", "1")),
        time_in_force=tuple(document["timeInForce"]),
        document=document,
    )


def read_symbols(document: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> dict[str, Symbol]:
    """Return the symbols of an exchangeInfo document (or of its `symbols` list), by name."""
    entries = document["symbols"] if isinstance(document, Mapping) else document
    return {entry["symbol"]: read_symbol(entry) for entry in entries}


def built_in() -> dict[str, Symbol]:
    """Return the twelve symbols that need no document."""
    return read_symbols([_document(line.split()) for line in _BUILT_IN.strip().splitlines()])


def start_price(name: str) -> Decimal:
    """Return a realistic first price of a built-in symbol, DEFAULT_PRICE of another."""
    return _START_PRICES.get(name, DEFAULT_PRICE)


def _document(row: list[str]) -> dict[str, Any]:
    name, _, digits, lots, tick, step, low, high, most, market, notional, band, kind = row
    up, down = (format(1 + sign * Decimal(band), ".4f") for sign in (1, -1))
    return {
        "symbol": name,
        "pair": name,
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000,
        "status": "TRADING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": name.removesuffix("USDT"),
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "pricePrecision": int(digits),
        "quantityPrecision": int(lots),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [kind],
        "settlePlan": 0,
        "triggerProtect": format(Decimal(band), ".4f"),
        "liquidationFee": "0.012500",
        "marketTakeBound": band,
        "maxMoveOrderLimit": 10000,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": low, "maxPrice": high, "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": step, "maxQty": most, "stepSize": step},
            {"filterType": "MARKET_LOT_SIZE", "minQty": step, "maxQty": market, "stepSize": step},
            {"filterType": "MAX_NUM_ORDERS", "limit": 200},
            {"filterType": "MIN_NOTIONAL", "notional": notional},
            {
                "filterType": "PERCENT_PRICE",
                "multiplierUp": up,
                "multiplierDown": down,
                "multiplierDecimal": "4",
            },
            {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"},
        ],
        "orderTypes": ["LIMIT", "MARKET", *CONDITIONAL_TYPES],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
    }


_START_PRICES = {
    row[0]: Decimal(row[1]) for row in (line.split() for line in _BUILT_IN.strip().splitlines())
}
