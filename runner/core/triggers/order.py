"""Trigger `order`: an order was filled, in part or whole, rejected, cancelled, or it expired."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from runner.core.document import Node, Scope
from runner.core.events import Event, OrderChanged, Value
from runner.core.figures import figure
from runner.core.formula import NUMBER, TEXT, one_of
from runner.core.rules import Hit, Interest, Match, Memory, Quiet, TriggerKind
from runner.core.values import dataclass
from runner.core.view import Names

STATUSES = ("filled", "partly_filled", "rejected", "cancelled", "expired")


@dataclass(frozen=True, slots=True)
class OrderTrigger:
    """What became of the orders of one rule (also of its own), or with one tag, on the symbol.

    The order, what happened to it and how much of it was filled are the event key.
    """

    kind: ClassVar[str] = "order"

    name: str
    rule: str
    tag: str
    statuses: frozenset[str]
    leg: str | None
    fingerprint: str

    @property
    def fields(self) -> Scope:
        """What happened to which order; `price` is the average of what filled, if any did."""
        return {
            "status": one_of(*STATUSES),
            "leg": TEXT,
            "side": one_of("buy", "sell"),
            "quantity": NUMBER,
            "price": NUMBER,
            "order": TEXT,
            "tag": TEXT,
        }

    @property
    def interest(self) -> Interest:
        """The orders of the rule, or those of every rule."""
        return ("order", self.rule)

    def match(self, event: Event, memory: Memory, names: Names) -> Match:
        """One change of one order."""
        del names
        assert isinstance(event, OrderChanged)
        meant = event.status in self.statuses and self.leg in (None, event.leg)
        if not meant or self.tag not in ("", event.tag):
            return Quiet(memory)
        fields: dict[str, Value] = {
            "status": event.status,
            "leg": event.leg,
            "side": event.side,
            "quantity": event.cumulative_quantity,
            "order": event.client_order_id,
            "tag": event.tag,
        }
        if event.average_price is not None:
            fields["price"] = event.average_price
        quantity = figure(event.cumulative_quantity)
        key = f"{event.client_order_id} {event.status} {quantity}"
        what = event.status.replace("_", " ")
        detail = f"{event.leg} of {event.rule_id} {what}: {event.side} {quantity}"
        return Hit(key, fields, memory, f"{detail} ({event.detail})" if event.detail else detail)


SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "description": "Fires when something happens to an order of a rule, on the same symbol. "
    "Example: {rule: eth-ladder, status: filled}",
    "additionalProperties": False,
    "required": ["status"],
    "properties": {
        "rule": {
            "type": "string",
            "description": "The id of the rule whose order it is, or of this rule: eth-ladder",
        },
        "tag": {"type": "string", "description": "Only orders with this tag: grid"},
        "status": {
            "type": ["string", "array"],
            "minItems": 1,
            "uniqueItems": True,
            "items": {"enum": list(STATUSES), "description": "One of them: filled"},
            "description": "What happened to it: filled, partly_filled, rejected, cancelled or "
            "expired; or several of them: [cancelled, expired]",
        },
        "leg": {
            "type": "string",
            "description": "Only this part of the rule's orders: entry, stop or target of a "
            "bracket; 0 for the first order of place. Left out: every one.",
        },
    },
}


def build(node: Node, name: str) -> OrderTrigger | None:
    """Read an `order:` block; notes problems and returns None when it is not usable."""
    statuses = []
    for item in node.child("status").items():
        if item.value not in STATUSES:
            cure = f"write one of {', '.join(STATUSES)}"
            item.problem("enum", f"status cannot be {item.value}", cure)
            return None
        statuses.append(str(item.value))
    if not node.has("rule") and not node.has("tag"):
        cure = "name the rule, rule: eth-ladder, or the tag of the orders"
        node.problem("missing-key", "order needs rule or tag", cure)
        return None
    rule, tag, leg = node.text("rule"), node.text("tag"), node.text("leg") or None
    fingerprint = f"{rule} {tag} {' '.join(sorted(statuses))} {leg}"
    return OrderTrigger(name, rule, tag, frozenset(statuses), leg, fingerprint)


ORDER = TriggerKind("order", SCHEMA, build, "- order: {rule: eth-ladder, status: filled}")
