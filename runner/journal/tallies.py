"""What a stretch of time came to: fires by rule, orders by their state, fills, the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sqlalchemy import Column, ColumnElement, func, not_, select

from runner.core.notice import CRITICAL
from runner.journal import tables
from runner.journal.lookups import Ask

ZERO: Final = Decimal(0)

_INTENT = tables.legs.c.intent
AN_ORDER: Final = _INTENT.contains('"side":') & not_(_INTENT.contains('"target":'))
"""Cancels and settings have no side, and a change of an order has its target besides."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Fires by rule, orders by the state they are in now, fills, what they won and cost.

    `result` is realised and without the `fees`, which are by asset; `critical` counts notices.
    """

    fires: Mapping[str, int]
    orders: Mapping[str, int]
    fills: int
    result: Decimal
    fees: Mapping[str, Decimal]
    critical: int


def tally(ask: Ask, since: int, until: int) -> Tally:
    """What happened after `since` and not after `until` (UTC ms)."""

    def within(time: Column[int]) -> ColumnElement[bool]:
        return (time > since) & (time <= until)

    runs, legs, fills, outbox = tables.runs, tables.legs, tables.fills, tables.outbox
    fires = select(runs.c.rule_id, func.count().label("number"))
    orders = select(legs.c.state, func.count().label("number")).where(AN_ORDER)
    paid = select(fills.c.realised_pnl, fills.c.commission, fills.c.commission_asset)
    told = select(func.count(outbox.c.key.distinct()).label("number"))
    trades = ask(paid.where(within(fills.c.event_time)))
    fees: dict[str, Decimal] = {}
    for row in trades:
        asset = row["commission_asset"]
        fees[asset] = fees.get(asset, ZERO) + Decimal(row["commission"])
    return Tally(
        fires={
            row["rule_id"]: row["number"]
            for row in ask(fires.where(within(runs.c.fired_at)).group_by(runs.c.rule_id))
        },
        orders={
            row["state"]: row["number"]
            for row in ask(orders.where(within(legs.c.planned_at)).group_by(legs.c.state))
        },
        fills=len(trades),
        result=sum((Decimal(row["realised_pnl"]) for row in trades), ZERO),
        fees=fees,
        critical=ask(told.where(within(outbox.c.at), outbox.c.kind == CRITICAL))[0]["number"],
    )
