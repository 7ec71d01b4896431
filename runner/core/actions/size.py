"""How much: a quantity, a notional, a share of the account, or what a stop may cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, cast

from runner.core.document import Node, Term
from runner.core.events import PriceSource
from runner.core.formula import EvaluationError, Formula
from runner.core.instruments import Rounding
from runner.core.orders import Side
from runner.core.rules import ActionContext
from runner.core.values import dataclass

PERCENT = Decimal(100)
SIZES = ("quantity", "notional", "percent_of_available", "risk")


class NotPossible(Exception):
    """This order cannot be made now; the text says why, for the run's record."""


@dataclass(frozen=True, slots=True)
class Risk:
    """What a stop at this price may cost, in percent of the account's equity."""

    percent: Term
    stop: Term


@dataclass(frozen=True, slots=True)
class Size:
    """One way of saying how much; `worth` counts leverage for nothing: it is what is bought."""

    quantity: Term | None = None
    notional: Term | None = None
    percent_of_available: Term | None = None
    risk: Risk | None = None
    price_source: PriceSource = "index"
    rounding: Rounding = "toward_zero"

    @property
    def given(self) -> bool:
        """True when any of them is written."""
        return any((self.quantity, self.notional, self.percent_of_available, self.risk))

    @property
    def sources(self) -> frozenset[PriceSource]:
        """The prices it is reckoned with; the mark is streamed in any case."""
        priced = self.given and self.quantity is None
        return frozenset({self.price_source}) if priced else frozenset()

    def formulas(self) -> Iterator[Formula]:
        """Every formula in it."""
        terms = [self.quantity, self.notional, self.percent_of_available]
        terms += [self.risk.percent, self.risk.stop] if self.risk else []
        return (term.formula for term in terms if term and term.formula)

    def value(self, context: ActionContext, side: Side, entry: Decimal | None = None) -> Decimal:
        """In the base asset, not yet on the step.

        `entry` is the order's own price: what a risk is reckoned from, where there is one.
        Raises NotPossible for a stop on the wrong side, EvaluationError when data are missing.
        """
        names = context.names
        if self.quantity is not None:
            return self.quantity.number(names)
        if self.risk is not None:
            return self._risked(context, side, entry or self._price(context))
        if self.notional is not None:
            return self.notional.number(names) / self._price(context)
        assert self.percent_of_available is not None
        available = names.get("account.available")
        if not isinstance(available, Decimal):
            raise EvaluationError("no data for account.available", "account.available")
        share = self.percent_of_available.number(names) / PERCENT
        return available * share / self._price(context)

    def _risked(self, context: ActionContext, side: Side, entry: Decimal) -> Decimal:
        assert self.risk is not None
        equity = context.names.get("account.equity")
        if not isinstance(equity, Decimal):
            raise EvaluationError("no data for account.equity", "account.equity")
        stop = self.risk.stop.number(context.names)
        distance = entry - stop if side is Side.BUY else stop - entry
        if distance <= 0:
            where = "below" if side is Side.BUY else "above"
            raise NotPossible(f"the stop {stop:f} of its risk is not {where} {entry:f}")
        return equity * self.risk.percent.number(context.names) / PERCENT / distance

    def _price(self, context: ActionContext) -> Decimal:
        """The index price, else the mark; never the last trade, which one order can move."""
        sources: tuple[PriceSource, ...] = (self.price_source, "mark")
        for source in sources:
            price = context.view.price(context.symbol, source, context.now)
            if price:
                return price
        raise EvaluationError(f"no data for the mark of {context.symbol}", "mark")


def read_size(node: Node) -> Size:
    """The size keys of a block; whatever is wrong with one is noted as a problem."""
    risk, below = None, node.child("risk")
    if node.has("risk"):
        percent, stop = below.positive("percent"), below.positive("stop")
        risk = Risk(percent, stop) if percent and stop else None
        if percent and percent.constant is not None and Decimal(str(percent.constant)) > PERCENT:
            message = f"a stop cannot cost {percent.constant}% of the equity"
            below.child("percent").problem("range", message, "write percent: 1 for one hundredth")
    return Size(
        quantity=node.positive("quantity"),
        notional=node.positive("notional"),
        percent_of_available=node.positive("percent_of_available"),
        risk=risk,
        price_source=cast(PriceSource, node.text("price_source", "index")),
        rounding=cast(Rounding, node.text("round", "toward_zero")),
    )


def check_one_size(node: Node, name: str, *, instead: str = "", others: int = 0) -> None:
    """A problem unless exactly one size is written; `others` are sizes of other keys."""
    count = sum(node.has(key) for key in SIZES) + others
    if count != 1:
        cure = f"write one of {', '.join(SIZES[:-1])} and {SIZES[-1]}{instead}"
        node.problem("missing-key", f"{name} needs exactly one size", cure)
    priced = any(node.has(key) for key in SIZES[1:])
    if node.has("price_source") and not priced:
        node.child("price_source").problem(
            "unknown-key", "a quantity needs no price_source", "leave it out", at_key=True
        )


NUMBER_OR_FORMULA: Mapping[str, Any] = {"type": ["number", "string"], "pattern": "^="}


def number(description: str) -> dict[str, Any]:
    """The schema of a number that may be a formula."""
    return {**NUMBER_OR_FORMULA, "description": description}


PROPERTIES: Mapping[str, Any] = {
    "quantity": number("How much, in the base asset: 0.02, =10% * account.available / mark"),
    "notional": number("How much, in the quote asset (USDT): 500"),
    "percent_of_available": number(
        "How much, as worth in percent of the USDT free for new orders: 10"
    ),
    "risk": {
        "type": "object",
        "description": "So much that a stop costs this percentage of the account's equity. "
        "Example: {percent: 1, stop: 68000}",
        "additionalProperties": False,
        "required": ["percent", "stop"],
        "properties": {
            "percent": number("What the stop may cost, in percent of the equity: 1"),
            "stop": number("The price of the stop: 68000, =mark * 0.98"),
        },
    },
    "price_source": {
        "enum": ["index", "mark"],
        "description": "The price that turns USDT into a quantity: index (default) or mark.",
    },
    "round": {
        "enum": ["toward_zero", "nearest"],
        "description": "How the size meets the step size: toward_zero (default) or nearest.",
    },
}
