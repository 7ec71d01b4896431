"""Action `cancel`: takes open orders of the symbol off the book."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from runner.core.actions.order import verdict
from runner.core.document import Node
from runner.core.formula import Formula
from runner.core.orders import CancelIntent, Family, OrderIntent
from runner.core.rules import ActionContext, ActionKind, Planned, Progress, Step
from runner.core.values import dataclass


@dataclass(frozen=True, slots=True)
class Cancel:
    """`all` orders of the symbol, in both families, or those of one rule, of one tag, of both.

    Legs: the family's name for `all`, the client order id of the target for the others.
    """

    kind: ClassVar[str] = "cancel"

    rule: str | None
    tag: str | None = None

    def formulas(self) -> tuple[Formula, ...]:
        """None."""
        return ()

    def step(self, context: ActionContext) -> Step:
        """Plan the cancels once; done when each has its answer."""
        own = tuple(name.partition(".")[2] for name in context.legs)
        if own:
            return verdict(context, own)
        targets = self._targets(context)
        if not targets:
            return Step(Progress.DONE, detail="no open orders to cancel")
        planned = tuple(
            Planned(
                context.leg_name(part),
                CancelIntent(context.client_order_id(part), context.symbol, family, target),
                # all: what was placed since must not be hit; a named order stays the same one
                context.deadline() if target is None else None,
            )
            for part, family, target in targets
        )
        return Step(Progress.WAITING, planned)

    def _targets(self, context: ActionContext) -> list[tuple[str, Family, str | None]]:
        if self.rule is None and self.tag is None:
            return [(family.value, family, None) for family in Family]
        return [
            (leg.client_order_id, leg.intent.family, leg.client_order_id)
            for leg in context.open_legs(self.rule)
            if isinstance(leg.intent, OrderIntent) and self.tag in (None, leg.intent.tag)
        ]


SCHEMA: Mapping[str, Any] = {
    "type": ["string", "object"],
    "description": "all: every open order of the symbol, also those placed by hand; or "
    "{rule: btc-breakout}: what that rule has open; or {tag: grid}: what has that tag.",
    "additionalProperties": False,
    "minProperties": 1,
    "properties": {
        "rule": {"type": "string", "description": "The id of the rule: btc-breakout"},
        "tag": {"type": "string", "description": "The tag of the orders: grid"},
    },
}


def build(node: Node) -> Cancel | None:
    """Read a `cancel:` entry."""
    if isinstance(node.value, Mapping):
        return Cancel(node.text("rule") or None, node.text("tag") or None)
    if node.value != "all":
        node.problem(
            "enum", f"cancel cannot be {node.value}", "write all, {rule: the-id} or {tag: the-tag}"
        )
        return None
    return Cancel(None)


CANCEL = ActionKind("cancel", SCHEMA, build, "- cancel: all")
