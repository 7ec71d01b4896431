"""Steps of a test that hand an event in as it came: a position, an order, the system, a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.core.triggers.order import STATUSES
from runner.core.triggers.position import INCIDENTS

EVENTS = ("position", "order", "system", "fire")
"""The keys of such steps."""


def _number(description: str) -> dict[str, Any]:
    return {"type": "number", "description": description}


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "description": description}


def _block(description: str, properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "description": description,
        "additionalProperties": False,
        "minProperties": 1,
        "properties": dict(properties),
    }
    return {**schema, "required": list(required)} if required else schema


SCHEMA: Mapping[str, Any] = {
    "position": _block(
        "The exchange says how the position stands now, or that it acted on it. "
        "Example: {size: 0.5, price: 70000}",
        {
            "size": _number("The size from now on; short is below zero, 0 is flat: 0.5"),
            "price": _number("Its entry price, or the price of what happened to it: 70000"),
            "is": {
                "enum": list(INCIDENTS),
                "description": "liquidation, adl or margin_call: it only tells so, with this "
                "size and price.",
            },
        },
        "size",
    ),
    "order": _block(
        "Something happened to an order that the rule waits for. "
        "Example: {status: filled, side: buy, quantity: 0.1, price: 69000}",
        {
            "status": {
                "enum": list(STATUSES),
                "description": "What: filled, partly_filled, rejected, cancelled or expired",
            },
            "rule": _text(
                "The rule whose order it is; the one that the rule waits for when left out: grid"
            ),
            "leg": _text("Which of that rule's orders: entry, stop, target, or 0 for the first"),
            "side": {"enum": ["buy", "sell"], "description": "The order's side: buy or sell"},
            "quantity": _number("How much of it is filled: 0.1"),
            "price": _number("The average price of what is filled: 69000"),
            "tag": _text("The order's tag: grid"),
            "order": _text("The order's client order id, for rules that name it: r1-main-a"),
        },
        "status",
    ),
    "system": _block(
        "The runner's own trouble. Example: {journal: little room}",
        {
            "journal": _text("The journal has this problem: little room"),
            "stream_gap": _text("This stream is silent: user, or one of the prices: market"),
            "away": _text("With stream_gap: for how long it has been silent: 40s"),
        },
    ),
    "fire": {
        "enum": [True],
        "description": "true: a person fires the rule by hand.",
    },
}
"""Each key's schema."""
