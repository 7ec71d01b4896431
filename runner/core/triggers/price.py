"""Trigger `price`: a price crosses a level, moves, trails, or a candle closes past a level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.core.candles import INTERVALS
from runner.core.document import Node
from runner.core.events import PriceSource
from runner.core.rules import Trigger, TriggerKind
from runner.core.triggers import price_closes, price_cross, price_moves, price_trails
from runner.core.triggers.price_cross import PriceTrigger

__all__ = ["PRICE", "SOURCES", "PriceTrigger", "build"]

SOURCES: tuple[PriceSource, ...] = ("mark", "last", "bid", "ask", "index")

WAYS = ("crosses_above", "crosses_below", "moves", "trails", "closes_above", "closes_below")
"""What a price can do; a block names exactly one."""

BESIDE: Mapping[str, tuple[str, ...]] = {
    "for": ("crosses_above", "crosses_below", "moves"),
    "rearm": ("crosses_above", "crosses_below", "closes_above", "closes_below"),
    "on": ("closes_above", "closes_below"),
    "source": ("crosses_above", "crosses_below", "moves", "trails"),
}
"""Keys that go with some ways only."""


def _level(description: str) -> dict[str, Any]:
    return {
        "type": ["number", "string"],
        "pattern": "^=",
        "description": f"{description} A number or a formula: 70000, =position.entry_price * 1.02",
    }


SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "description": "Fires when a price crosses a level, moves, trails, or a candle closes past a "
    "level. Example: {crosses_above: 70000, for: 15s}",
    "additionalProperties": False,
    "properties": {
        "crosses_above": _level("Fires on the step to above this level; equal is not above."),
        "crosses_below": _level("Fires on the step to below this level; equal is not below."),
        "moves": {
            "type": ["string", "number"],
            "description": "Fires when the price moved more than this share, up or down, within "
            "this time: 2% within 5m. Which way, trigger.move says (0.021 or -0.021).",
        },
        "trails": {
            "type": ["string", "number"],
            "description": "Fires when the price is more than this share under its highest since "
            "the rule was armed: 1.5%; or over its lowest: 1.5% from low",
        },
        "closes_above": _level("Fires when a candle closes above, and the one before did not."),
        "closes_below": _level("Fires when a candle closes below, and the one before did not."),
        "on": {
            "enum": list(INTERVALS),
            "description": "The length of the candle, for closes_above and closes_below: 15m",
        },
        "source": {
            "enum": list(SOURCES),
            "description": "Which price is compared: mark (default), last, bid, ask or index. "
            "Candles are made of last prices.",
        },
        "for": {
            "type": "string",
            "description": "How long the price must stay past the level before it fires: 15s, 5m.",
        },
        "rearm": {
            "type": ["number", "string"],
            "pattern": "^=",
            "description": "After a fire, the price must first be on the other side of this "
            "level: 69500. Left out: on the other side of the level itself.",
        },
        "after_gap": {
            "enum": ["wait", "fire"],
            "description": "What to do about a cross that happened while prices were missing: "
            "wait (default: recorded, not fired) or fire.",
        },
    },
}


def build(node: Node, name: str) -> Trigger | None:
    """Read a `price:` block; notes problems and returns None when it is not usable."""
    written = [way for way in WAYS if node.has(way)]
    if len(written) != 1:
        node.problem(
            "missing-key",
            "price needs exactly one of crosses_above, crosses_below, moves, trails, "
            "closes_above and closes_below",
            "to watch both sides, write two price triggers",
        )
        return None
    way = written[0]
    misplaced = [key for key, ways in BESIDE.items() if node.has(key) and way not in ways]
    for key in misplaced:
        cure = f"{key} goes with {', '.join(BESIDE[key])}"
        node.child(key).problem("unknown-key", f"{key} does not go with {way}", cure, at_key=True)
    if misplaced:
        return None
    source: PriceSource = node.value.get("source", "mark")
    if way.startswith("closes"):
        return price_closes.read(node, name, way)
    if way == "moves":
        return price_moves.read(node, name, source)
    if way == "trails":
        return price_trails.read(node, name, source)
    return price_cross.read(node, name, way, source)


PRICE = TriggerKind(
    "price", SCHEMA, build, "- price: {crosses_above: 70000, source: mark, for: 15s, rearm: 69500}"
)
