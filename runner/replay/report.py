"""What came of a replay as one document: the same for `--json`, the tables and the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from runner.core.figures import figure, span
from runner.core.rules import Rule, RuleSet
from runner.replay.series import Series
from runner.replay.stage import Terms
from runner.replay.tally import Counts, Tally

ZERO = Decimal(0)
CENT = Decimal("0.00000001")

UNHEARD = {
    "webhook": "it waits for an alert, and no alerts are played",
    "dead_man": "it waits for a dead man, and a replay does not know who fell silent",
}
"""Kinds of triggers that nothing in a recording can fire, and why."""

ASSUMPTIONS = tuple(
    """
Inside a candle the price goes open, low, high, close when it closed at or above its open, and \
open, high, low, close when it fell; nobody recorded the true order.
Between these four points it walks through every level that a rule or an order waits for; from one \
candle to the next it may jump.
A market order fills at once and whole at the best price, one tick from the last one; a limit \
order fills whole when the price touches it. There is no slippage and no queue.
Mark, index and last price are one; the funding rate stays as it is given.
An order reaches the exchange without delay, and the exchange never fails.
""".strip().splitlines()
)
"""What the figures rest on, a sentence or two each."""


@dataclass(frozen=True, slots=True)
class Report:
    """A replay's outcome: `tally` as it was counted, on which `series`, `rules` and `terms`."""

    tally: Tally
    series: Mapping[str, Series]
    rules: RuleSet
    terms: Terms
    left_out: Mapping[str, str]
    partly: Mapping[str, str]
    version: str = ""


def document(report: Report) -> dict[str, Any]:
    """The whole outcome; amounts are text, times UTC ms."""
    tally = report.tally
    return {
        "from": tally.start,
        "to": tally.stop,
        "data": [_data(series) for series in report.series.values()],
        "terms": {
            "balance": figure(report.terms.balance),
            "asset": tally.asset,
            "maker_fee": figure(report.terms.maker_fee),
            "taker_fee": figure(report.terms.taker_fee),
            "funding_rate": figure(report.terms.funding_rate),
        },
        "totals": totals(report),
        "rules": [_rule(rule_id, counts) for rule_id, counts in counted(report)],
        "not_played": dict(report.left_out),
        "partly_played": dict(report.partly),
        "positions": [*_positions(tally)],
        "fills": [*fills(tally)],
        "equity": [
            [tally.start + place * (tally.stop - tally.start) // tally.columns, figure(column.last)]
            for place, column in sorted(tally.equity.columns.items())
        ],
        "errors": [{"at": one.at, "rule": one.rule_id, "text": one.text} for one in tally.errors],
        "assumptions": list(ASSUMPTIONS),
    }


def _data(series: Series) -> dict[str, Any]:
    return {
        "symbol": series.symbol,
        "kind": series.kind,
        "files": [path.name for path in series.files],
        "span": series.span,
        "count": series.count,
        "from": series.start,
        "to": series.end,
        "gaps": [list(gap) for gap in series.gaps],
    }


def totals(report: Report) -> dict[str, Any]:
    """The sums over all rules."""
    tally = report.tally
    each = [counts for _, counts in counted(report)]
    fees = sum((counts.fees for counts in each), ZERO)
    realised = sum((counts.realised_pnl for counts in each), ZERO)
    funding = tally.income("FUNDING_FEE")
    wallet = tally.account.wallet.get(tally.asset, ZERO)
    clearance = wallet - tally.opening - realised + fees - funding
    return {
        "fires": sum(counts.fires for counts in each),
        "orders": sum(counts.orders for counts in each),
        "rejected": sum(counts.rejected for counts in each),
        "fills": sum(counts.fills for counts in each),
        "fees": _money(fees),
        "funding": _money(funding),
        "realised_pnl": _money(realised),
        "unrealised_pnl": _money(tally.closing - wallet),
        "liquidation_fees": _money(-clearance),
        "net_pnl": _money(tally.closing - tally.opening),
        "balance": _money(tally.opening),
        "equity": _money(tally.closing),
        "max_drawdown": _money(tally.drawdown),
        "max_drawdown_percent": figure(round(tally.drawdown_share * 100, 2)),
        "why_not": _reasons(each),
    }


def _money(amount: Decimal) -> str:
    return figure(amount.quantize(CENT))


def _reasons(each: Sequence[Counts]) -> dict[str, int]:
    found: dict[str, int] = {}
    for counts in each:
        for reason, count in counts.why_not.items():
            found[reason] = found.get(reason, 0) + count
    return _most(found)


def _most(counted_: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counted_.items(), key=lambda pair: (-pair[1], pair[0])))


def counted(report: Report) -> Iterator[tuple[str, Counts]]:
    """Every rule that was played, in its order, and at last who else traded."""
    for rule_id in report.rules.rules:
        yield rule_id, report.tally.of(rule_id)
    for rule_id, counts in sorted(report.tally.rules.items()):
        if rule_id not in report.rules.rules:
            yield rule_id, counts


def _rule(rule_id: str, counts: Counts) -> dict[str, Any]:
    return {
        "rule": rule_id,
        "fires": counts.fires,
        "orders": counts.orders,
        "rejected": counts.rejected,
        "fills": counts.fills,
        "fees": _money(counts.fees),
        "realised_pnl": _money(counts.realised_pnl),
        "why_not": _most(counts.why_not),
    }


def _positions(tally: Tally) -> Iterator[dict[str, Any]]:
    for held in tally.account.positions.values():
        if held.amount:
            yield {
                "symbol": held.symbol,
                "side": held.side,
                "size": figure(held.amount),
                "entry_price": figure(held.entry),
            }


def fills(tally: Tally) -> Iterator[dict[str, Any]]:
    """Every fill, in its order."""
    for one in tally.account.fills:
        yield {
            "time": one.time,
            "symbol": one.symbol,
            "rule": tally.rule_of(one),
            "side": one.side.lower(),
            "price": figure(one.price),
            "quantity": figure(one.quantity),
            "fee": _money(one.fee),
            "realised_pnl": _money(one.realized),
            "maker": one.maker,
        }


def unheard(rule: Rule) -> str:
    """What a rule waits for that no recording has, and so is not played; empty for nothing."""
    kinds = {trigger.kind for trigger in rule.triggers}
    return "; ".join(UNHEARD[kind] for kind in sorted(kinds & UNHEARD.keys()))


def heard(rule: Rule) -> Rule:
    """The rule with the triggers that a recording can fire."""
    kept = tuple(trigger for trigger in rule.triggers if trigger.kind not in UNHEARD)
    return replace(rule, triggers=kept)


def _minute(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M}"


def remarks(report: Report) -> list[str]:
    """What a reader must know about the data and the rules."""
    found = []
    for series in report.series.values():
        if series.gaps:
            missing = sum(end - begin for begin, end in series.gaps)
            times = "1 gap" if len(series.gaps) == 1 else f"{len(series.gaps)} gaps"
            found.append(
                f"{series.symbol} has {times} of {span(missing)} in all: no price was invented, "
                "the first one after a gap only arms"
            )
        if series.start > report.tally.start or series.end < report.tally.stop:
            times = f"{_minute(series.start)} to {_minute(series.end)}"
            found.append(
                f"{series.symbol} has data from {times} UTC only: outside of it there is no price, "
                "and what needs one ends as an error"
            )
    found += [f"{rule_id} was not played: {why}" for rule_id, why in report.left_out.items()]
    found += [
        f"only the other triggers of {rule_id} were played: {why}"
        for rule_id, why in report.partly.items()
    ]
    found += [
        f"{one.rule_id or 'the runner'} met an error: {one.text}" for one in report.tally.errors
    ]
    return found
