"""What `cancel`, `flatten` and `kill` do on one symbol: orders off the book, then the position."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, ClassVar, Final

from runner.core.decision import FAILED, Leg, Reason
from runner.core.formula import Formula
from runner.core.limits import Limits
from runner.core.orders import CancelIntent, Family, OrderIntent, OrderState, OrderType, Side
from runner.core.rules import ActionContext, Planned, Progress, Rule, Step
from runner.core.values import dataclass

SIDES: Final = ("BOTH", "LONG", "SHORT")
MOST_CLOSES: Final = 20
"""Orders that one position is closed with at most: one holds no more than the symbol allows."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """Takes orders off the book, waits until each is gone, closes what the symbol holds.

    `rule_id`: only that rule's orders. `everything`: also what others placed, by one request for
    each family. `close`: positions too, reduce-only at market, once nothing can fill any more.
    Legs: the family's name, `cancel:ID`, `SIDE@N`.
    """

    kind: ClassVar[str] = "sweep"

    rule_id: str | None = None
    everything: bool = False
    close: bool = False

    def formulas(self) -> tuple[Formula, ...]:
        """None."""
        return ()

    def step(self, context: ActionContext) -> Step:
        """What shall leave now; asked again whenever an order of the symbol changes."""
        others = [leg for leg in context.open_legs(self.rule_id) if _foreign(leg, context)]
        planned = [*self._families(context), *self._cancels(context, others)]
        own = [leg for leg in context.legs.values() if isinstance(leg.intent, CancelIntent)]
        if planned or any(_in_the_way(leg, context) for leg in (*others, *own)):
            return Step(Progress.WAITING, tuple(planned), ask_again=True)
        step = self._closed(context) if self.close else Step(Progress.DONE, detail=_told(own))
        if step.progress is Progress.DONE and any(leg.open for leg in (*others, *own)):
            return Step(Progress.WAITING, ask_again=True)
        failed = [leg.message for leg in own if leg.state in FAILED]
        if step.progress is Progress.DONE and failed:
            return Step(Progress.FAILED, reason=Reason.REJECTED, detail=f"cancel: {failed[0]}")
        return step

    def _families(self, context: ActionContext) -> Iterator[Planned]:
        """A cancel of all is not told twice: what it missed goes by its name."""
        for family in Family if self.everything else ():
            if context.leg(family.value) is None:
                key = context.client_order_id(family.value)
                intent = CancelIntent(key, context.symbol, family)
                yield Planned(context.leg_name(family.value), intent, context.deadline())

    def _cancels(self, context: ActionContext, others: list[Leg]) -> Iterator[Planned]:
        whole = [context.leg(family.value) for family in Family] if self.everything else []
        if any(leg is None or leg.open for leg in whole):
            return
        for leg in others:
            target = leg.client_order_id
            part = f"cancel:{target}"
            if context.leg(part) is None:
                key = context.client_order_id(part)
                intent = CancelIntent(key, context.symbol, leg.intent.family, target)
                yield Planned(context.leg_name(part), intent)

    def _closed(self, context: ActionContext) -> Step:
        if not context.view.positions_known:
            return Step(Progress.WAITING, ask_again=True)
        planned, waits = [], False
        for side in SIDES:
            closes = _closes(context, side)
            waits = waits or any(leg.open for leg in closes)
            held = context.held(side)
            if not held or any(leg.open for leg in closes):
                continue
            refused = [leg for leg in closes if leg.state is not OrderState.FILLED]
            if refused or len(closes) == MOST_CLOSES:
                why = refused[-1].message if refused else f"{held} is left"
                detail = f"the position of {context.symbol} is not closed: {why}".strip(": ")
                reason = Reason.REJECTED
                return Step(Progress.FAILED, reason=reason, detail=detail, critical=True)
            planned.append(_close(context, side, held, len(closes)))
        if planned or waits:
            return Step(Progress.WAITING, tuple(planned), ask_again=True)
        return Step(Progress.DONE, detail=f"{context.symbol} is flat, nothing of ours is open")


def _foreign(leg: Leg, context: ActionContext) -> bool:
    return isinstance(leg.intent, OrderIntent) and leg.run_id != context.run.run_id


def _in_the_way(leg: Leg, context: ActionContext) -> bool:
    """Whether a position cannot be closed yet: this may still fill, or take off what would.

    What may or may not have arrived is not waited for: if it fills after all, it is closed then.
    """
    if isinstance(leg.intent, CancelIntent):
        return leg.open and leg.intent.target is None
    cancel = context.leg(f"cancel:{leg.client_order_id}")
    given_up = cancel is not None and cancel.state in FAILED
    return leg.state is not OrderState.UNKNOWN and not given_up


def _closes(context: ActionContext, side: str) -> list[Leg]:
    start = context.leg_name(f"{side.lower()}@")
    return [leg for name, leg in context.legs.items() if name.startswith(start)]


def _close(context: ActionContext, side: str, held: Decimal, number: int) -> Planned:
    part = f"{side.lower()}@{number}"
    instrument = context.view.instruments.get(context.symbol)
    size = abs(held) if instrument is None else min(abs(held), instrument.market_max_quantity)
    intent = OrderIntent(
        client_order_id=context.client_order_id(part),
        symbol=context.symbol,
        side=Side.SELL if held > 0 else Side.BUY,
        type=OrderType.MARKET,
        quantity=size,
        reduce_only=side == "BOTH",
        position_side=side,
    )
    return Planned(context.leg_name(part), intent)


def _told(cancels: list[Leg]) -> str:
    done = [leg for leg in cancels if leg.state is OrderState.DONE]
    return f"{len(done)} cancelled" if done else "no open orders to cancel"


def rule_of(verb: str, sweep: Sweep) -> Rule:
    """The rule under which a person's command runs: it has no file, and limits do not bind it."""
    told = {
        "command": verb,
        "rule": sweep.rule_id,
        "everything": sweep.everything,
        "close": sweep.close,
    }
    text = json.dumps(told, sort_keys=True)
    return Rule(
        id=f":{verb}",
        name=f"runner {verb}",
        account="",
        symbols=(),
        triggers=(),
        conditions=(),
        actions=(sweep,),
        limits=Limits(),
        text=text,
        text_hash=hashlib.sha256(text.encode()).hexdigest(),
    )


def rebuilt(text: str) -> Rule | None:
    """The rule of such a text, which the journal kept; None for the text of a rule file's rule."""
    try:
        told: Mapping[str, Any] = json.loads(text)
    except ValueError:
        return None
    if not isinstance(told, dict) or "command" not in told:
        return None
    return rule_of(told["command"], Sweep(told["rule"], told["everything"], told["close"]))
