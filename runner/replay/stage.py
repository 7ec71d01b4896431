"""What a replay is played on: the exchange with its terms, a network without prices, a runner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from runner.connecting import PAPER_KEY
from runner.core.rules import RuleSet
from runner.dispatcher import Observer
from runner.replay.series import Series
from runner.venues.paper.account import Account
from runner.venues.paper.exchange import Exchange
from runner.venues.paper.symbols import Symbol, start_price
from runner.virtual import Calm, VirtualClock, VirtualExchange, VirtualRunner

PATIENCE = 60_000
"""Ms without a price after which recorded trades and frames count as stale."""

STRETCH = 6 * 3_600_000
"""Refresh (ms) of a countdown in a replay, in which nothing ever falls silent."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What is played on: the account's USDT, the fees as shares, the funding rate of 8 hours."""

    balance: Decimal = Decimal(10_000)
    maker_fee: Decimal = Decimal("0.0002")
    taker_fee: Decimal = Decimal("0.0005")
    funding_rate: Decimal = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Stage:
    """All that is played on; the runner has started, and knows no price yet."""

    clock: VirtualClock
    exchange: VirtualExchange
    account: Account
    runner: VirtualRunner
    rules: RuleSet


def build(
    journal: Path,
    rules: RuleSet,
    series: Mapping[str, Series],
    symbols: Mapping[str, Symbol],
    terms: Terms,
    observe: Observer,
) -> Stage:
    """A runner on an exchange that opens with the first price of each symbol."""
    begin = min(one.start for one in series.values())
    clock = VirtualClock(begin)
    engine = Exchange(
        symbols,
        accounts=(),
        balance={symbol.margin: terms.balance for symbol in symbols.values()},
        price_of=lambda name: series[name].first if name in series else start_price(name),
        now=begin,
    )
    engine.state.maker_fee, engine.state.taker_fee = terms.maker_fee, terms.taker_fee
    for name in series:
        engine.state.market(name).funding_rate = terms.funding_rate
    exchange = VirtualExchange(engine, clock)
    account = engine.open_account(PAPER_KEY, begin)
    calm = calmed(rules, series)
    runner = VirtualRunner(
        journal, calm, exchange, clock, network=Calm(0), observers=[observe], told=True
    )
    runner.board.stale_after = max(one.span or PATIENCE for one in series.values())
    runner.advance(begin)
    return Stage(clock, exchange, account, runner, calm)


def calmed(rules: RuleSet, series: Mapping[str, Series]) -> RuleSet:
    """The rules with countdowns that are refreshed seldom: else they are most of the work."""
    dead_men = {
        symbol: replace(one, countdown=4 * STRETCH, refresh=STRETCH, require=())
        for symbol, one in rules.dead_men.items()
        if symbol in series
    }
    return RuleSet(rules.rules, dead_men, rules.revision)
