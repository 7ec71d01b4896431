"""What `guards:` may say for an account, a rule file, a rule and a symbol, and how it is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from decimal import Decimal
from typing import Any

from runner.core.document import Node
from runner.core.values import dataclass

_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)\s?%")


@dataclass(frozen=True, slots=True)
class Most:
    """The most that may be lost: an amount in USDT, or a share (0.05 is 5%) of what it began with.

    What it began with is the day's first equity for a daily loss, the highest for a drawdown.
    """

    value: Decimal
    share: bool = False

    def amount(self, begun: Decimal) -> Decimal:
        """In USDT, when it began with so much."""
        return self.value * max(begun, Decimal(0)) if self.share else self.value


@dataclass(frozen=True, slots=True)
class Limits:
    """One `guards:` block; None means no limit. Notionals in the quote asset.

    `max_price_distance` is a share, 0.02 is 2%. `symbols` are further limits of single symbols.
    """

    max_order_notional: Decimal | None = None
    max_position_notional: Decimal | None = None
    max_orders_per_minute: int | None = None
    max_open_orders: int | None = None
    max_price_distance: Decimal | None = None
    max_leverage: Decimal | None = None
    allowed_symbols: tuple[str, ...] | None = None
    max_daily_loss: Most | None = None
    max_drawdown: Most | None = None
    symbols: Mapping[str, Limits] = field(default_factory=dict)

    @property
    def written(self) -> bool:
        """True when it limits anything."""
        return self != Limits()


def _positive(description: str) -> dict[str, Any]:
    return {"type": "number", "exclusiveMinimum": 0, "description": description}


def _count(description: str) -> dict[str, Any]:
    return {"type": "integer", "minimum": 1, "description": description}


PER_SYMBOL: Mapping[str, Any] = {
    "max_order_notional": _positive("The most one order may be worth, in USDT: 5000"),
    "max_position_notional": _positive(
        "The most a symbol's position may be worth with this order and all open entries, in "
        "USDT: 20000"
    ),
    "max_orders_per_minute": _count("How many orders may go out within a minute: 20"),
    "max_open_orders": _count("How many entries may be open at once, this one included: 10"),
    "max_price_distance": {
        "type": "string",
        "description": "How far a price or trigger price may be from the mark: 2%",
    },
    "max_leverage": _positive(
        "The most that positions and open entries together may be worth, in times of the "
        "account's equity; set: leverage may not go over it either: 3"
    ),
}
"""What may also stand under `symbols:`."""

WHOLE: Mapping[str, Any] = {
    "allowed_symbols": {
        "type": ["array", "string"],
        "minItems": 1,
        "uniqueItems": True,
        "items": {"type": "string", "description": "A symbol: BTCUSDT"},
        "description": "Nothing is opened on any other symbol: [BTCUSDT, ETHUSDT]",
    },
    "max_daily_loss": {
        "type": ["number", "string"],
        "exclusiveMinimum": 0,
        "description": "Once the account has lost this much on the UTC day, open losses included, "
        "nothing is opened until the next day, in USDT or as a share of the day's first "
        "equity: 500 or 5%",
    },
    "max_drawdown": {
        "type": ["number", "string"],
        "exclusiveMinimum": 0,
        "description": "Once the account's equity is this much under its highest, nothing is "
        "opened until runner unlock, in USDT or as a share of the highest: 2000 or 10%",
    },
}
"""What concerns the account, or says which symbols there are."""

SYMBOLS: Mapping[str, Any] = {
    "type": "object",
    "description": "Further limits for single symbols; the tighter one holds. Example: "
    "{BTCUSDT: {max_order_notional: 2000}}",
    "additionalProperties": {
        "type": "object",
        "description": "The limits of this symbol: {max_position_notional: 5000}",
        "additionalProperties": False,
        "minProperties": 1,
        "properties": PER_SYMBOL,
    },
}


def schema(description: str) -> dict[str, Any]:
    """The JSON Schema of a `guards:` block that stands for what the description says."""
    return {
        "type": "object",
        "description": description,
        "additionalProperties": False,
        "minProperties": 1,
        "properties": {**PER_SYMBOL, **WHOLE, "symbols": SYMBOLS},
    }


def read(node: Node) -> Limits:
    """The limits of a block, none when it is absent; notes what is not a share or an amount."""
    below = node.child("symbols")
    names = below.value if isinstance(below.value, Mapping) else {}
    allowed = node.child("allowed_symbols")
    return Limits(
        **_plain(node),
        allowed_symbols=tuple(str(each.value) for each in allowed.items()) or None,
        max_daily_loss=_most(node, "max_daily_loss"),
        max_drawdown=_most(node, "max_drawdown"),
        symbols={name: Limits(**_plain(below.child(name))) for name in names},
    )


def _plain(node: Node) -> dict[str, Any]:
    return {
        "max_order_notional": node.decimal("max_order_notional"),
        "max_position_notional": node.decimal("max_position_notional"),
        "max_orders_per_minute": node.integer("max_orders_per_minute"),
        "max_open_orders": node.integer("max_open_orders"),
        "max_price_distance": _share(node.child("max_price_distance"), "2%"),
        "max_leverage": node.decimal("max_leverage"),
    }


def _share(node: Node, example: str) -> Decimal | None:
    """A share above 0 and up to 100%; notes a problem for anything else that is written."""
    if node.value is None:
        return None
    found = _SHARE.fullmatch(str(node.value))
    share = Decimal(found[1]) / 100 if found else Decimal(0)
    if not 0 < share <= 1:
        cure = f"write a share above 0 and up to 100%: {example}"
        node.problem("guard", f"{node.value} is no share", cure)
        return None
    return share


def _most(node: Node, key: str) -> Most | None:
    amount = node.decimal(key)
    if amount is not None:
        return Most(amount)
    share = _share(node.child(key), "5%, or an amount in USDT: 500")
    return None if share is None else Most(share, True)
