"""What a test is played on: its rules, and a paper exchange with the account as it is given."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from runner.connecting import PAPER_KEY
from runner.core.rules import Rule, RuleSet
from runner.errors import UsageError
from runner.rulebook.tests_model import Case, TestsFile
from runner.venues import SignedRequest
from runner.venues.paper.account import Account
from runner.venues.paper.exchange import Exchange
from runner.venues.paper.margin import totals
from runner.venues.paper.symbols import Symbol, built_in, read_symbols, start_price
from runner.virtual import Calm, VirtualClock, VirtualExchange, Wire

BESIDE = ("exchangeInfo.json", "exchangeInfo.json.gz")
"""A snapshot beside the tests is used by itself."""

BALANCE = Decimal(10_000)
ZERO = Decimal(0)
ASSET = "USDT"


class Script:
    """A calm network that says nothing of prices nobody gave, and nothing at all in a gap."""

    def __init__(self, unpriced: set[str]) -> None:
        """`unpriced` are the symbols whose first price is still to come."""
        self.unpriced = unpriced
        self._calm = Calm(0)

    def carry(self, signed: SignedRequest, wire: Wire) -> None:
        """There and back at once."""
        self._calm.carry(signed, wire)

    def tell(self, text: str, hear: Any, clock: VirtualClock) -> None:
        """At once, unless the price in it was never given."""
        if any(text.startswith(f'{{"stream":"{one.lower()}@') for one in self.unpriced):
            return
        self._calm.tell(text, hear, clock)


@dataclass(frozen=True, slots=True)
class Stage:
    """All that a test's runner is put on."""

    clock: VirtualClock
    exchange: VirtualExchange
    network: Script
    rules: RuleSet


class NotOnStage(Exception):
    """The test cannot be played; `what` is the key of it that asks for something impossible."""

    def __init__(self, what: str, message: str, cure: str) -> None:
        super().__init__(message)
        self.what = what
        self.message = message
        self.cure = cure


def build(tests: TestsFile, case: Case, rules: RuleSet, snapshot: Path | None) -> Stage:
    """The stage of one test. Raises NotOnStage for what the exchange does not have."""
    chosen = choose(rules, case)
    clock = VirtualClock(case.start)
    first = _first_prices(case)
    engine = Exchange(
        _symbols(tests, chosen, case, snapshot),
        accounts=(),
        balance={ASSET: BALANCE},
        price_of=lambda symbol: first.get(symbol, start_price(symbol)),
        now=clock.now,
    )
    exchange = VirtualExchange(engine, clock)
    account = engine.open_account(PAPER_KEY, clock.now)
    _give(engine, account, case, clock.now)
    engine.drain()
    return Stage(clock, exchange, Script(set(engine.state.symbols)), chosen)


def choose(rules: RuleSet, case: Case) -> RuleSet:
    """The rule under test, on the symbol that is played, and what runs beside it."""
    chosen: dict[str, Rule] = {}
    for rule_id in (case.rule, *case.beside):
        rule = rules.rules.get(rule_id)
        if rule is not None:
            own = rule_id == case.rule and case.symbol in rule.symbols
            chosen[rule_id] = replace(rule, symbols=(case.symbol,)) if own else rule
    played = {symbol for rule in chosen.values() for symbol in rule.symbols}
    dead_men = {symbol: rules.dead_men[symbol] for symbol in rules.dead_men if symbol in played}
    return RuleSet(chosen, dead_men, rules.revision)


def _first_prices(case: Case) -> dict[str, Decimal]:
    """The first price of each symbol in the test: there its market opens."""
    first: dict[str, Decimal] = {}
    for step in case.steps:
        for prices in step.prices:
            for source in ("mark", "last", "index", "bid", "ask"):
                if source in prices.values:
                    first.setdefault(prices.symbol, prices.values[source])
    return first


def _symbols(
    tests: TestsFile, rules: RuleSet, case: Case, snapshot: Path | None
) -> dict[str, Symbol]:
    beside = [tests.path.parent / name for name in BESIDE]
    found = [path for path in (snapshot, tests.exchange_info, *beside) if path and path.is_file()]
    known = saved_symbols(found[0]) if found else _built_in()
    wanted = {symbol for rule in rules.rules.values() for symbol in rule.symbols}
    wanted |= {prices.symbol for step in case.steps for prices in step.prices}
    wanted |= {symbol for symbol, _ in case.given}
    missing = sorted(wanted - known.keys())
    if missing:
        where = f"in {found[0]}" if found else "among the symbols that are built in"
        raise NotOnStage(
            "symbol" if missing[0] == case.symbol else "steps",
            f"{missing[0]} is not {where}",
            "save GET /fapi/v1/exchangeInfo beside the tests as exchangeInfo.json",
        )
    return {symbol: known[symbol] for symbol in sorted(wanted)}


@cache
def _built_in() -> Mapping[str, Symbol]:
    return built_in()


@cache
def saved_symbols(path: Path) -> Mapping[str, Symbol]:
    """The symbols of a saved exchangeInfo. Raises UsageError when it is something else."""
    try:
        content = path.read_bytes()
        plain = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        document = json.loads(plain)
        listed = document["symbols"]
        return read_symbols([one for one in listed if one.get("contractType") == "PERPETUAL"])
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is not a saved exchangeInfo: {error}") from error


# the account


def _give(engine: Exchange, account: Account, case: Case, now: int) -> None:
    for (symbol, name), value in case.given.items():
        if name.startswith("position."):
            _position(engine, account, symbol, name.removeprefix("position."), value, now)
    for (_, name), value in case.given.items():
        if name.startswith("account."):
            _balance(engine, account, name.removeprefix("account."), value)
    account.wallet_time = now


def _position(
    engine: Exchange, account: Account, symbol: str, name: str, value: Decimal, now: int
) -> None:
    side, dot, plain = name.partition(".")
    field = plain if dot else name
    if field == "leverage":
        setting = account.setting(symbol)
        account.settings[symbol] = replace(setting, leverage=int(value))
        return
    account.hedge = account.hedge or bool(dot)
    held = account.position(symbol, side.upper() if dot else "BOTH")
    held.update_time = now
    if field == "entry_price":
        held.entry = value
        return
    held.amount = -abs(value) if side == "short" else value
    held.entry = held.entry or engine.state.market(symbol).mark


def hold(stage: Stage, symbol: str, size: Decimal, price: Decimal | None) -> Decimal:
    """The account's position from now on, as if somebody else had traded; returns its entry."""
    engine, now = stage.exchange.exchange, stage.clock.now
    account = next(iter(engine.state.accounts.values()))
    held = account.position(symbol, "BOTH")
    held.amount = size
    if size:
        held.entry = price or held.entry or engine.state.market(symbol).mark
    held.update_time = account.wallet_time = now
    return held.entry


def _balance(engine: Exchange, account: Account, name: str, value: Decimal) -> None:
    """Make a figure of the account what is given, by what lies in the wallet."""
    sums = totals(engine.state, account, ASSET)
    wallet = account.wallet.get(ASSET, ZERO)
    tied = sums.isolated - sums.cross_unrealized + sums.cross_margin
    account.wallet[ASSET] = {
        "available": value + tied,
        "equity": value - sums.unrealized,
        "wallet_balance": value,
    }.get(name, wallet)
