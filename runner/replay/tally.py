"""What came of a replay: fires, orders, fills, money, why-nots, and the lines of its charts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from runner.core.decision import Decision, Record
from runner.core.orders import OrderIntent, OrderState
from runner.replay.rows import Candle
from runner.venues.paper.account import Account
from runner.venues.paper.orders import Fill

COLUMNS = 360
"""How many stretches of time a chart shows at most."""

EXCHANGE = "(exchange)"
"""Who sent what no rule sent: a liquidation."""

ZERO = Decimal(0)
MOST_ERRORS = 20


@dataclass(slots=True)
class Column:
    """One stretch of a chart: the lowest, the highest and the last value."""

    low: Decimal
    high: Decimal
    last: Decimal

    def add(self, low: Decimal, high: Decimal, last: Decimal) -> None:
        """Take later values in."""
        self.low, self.high, self.last = min(self.low, low), max(self.high, high), last


@dataclass(slots=True)
class Line:
    """A chart's values by column; a column without any is a gap."""

    columns: dict[int, Column] = field(default_factory=dict)

    def add(self, place: int, low: Decimal, high: Decimal, last: Decimal) -> None:
        """Take later values of a column in."""
        known = self.columns.get(place)
        if known is None:
            self.columns[place] = Column(low, high, last)
        else:
            known.add(low, high, last)


@dataclass(slots=True)
class Counts:
    """What one rule did; amounts in the account's asset."""

    fires: int = 0
    orders: int = 0
    rejected: int = 0
    fills: int = 0
    fees: Decimal = ZERO
    realised_pnl: Decimal = ZERO
    why_not: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Tally:
    """Observes a replay from `start` to `stop` (UTC ms), its charts in so many `columns`."""

    start: int
    stop: int
    asset: str
    columns: int = COLUMNS
    rules: dict[str, Counts] = field(default_factory=dict)
    lines: dict[str, Line] = field(default_factory=dict)
    equity: Line = field(default_factory=Line)
    errors: list[Record] = field(default_factory=list)
    opening: Decimal = ZERO
    closing: Decimal = ZERO
    peak: Decimal = ZERO
    drawdown: Decimal = ZERO
    drawdown_share: Decimal = ZERO
    _runs: dict[str, str] = field(default_factory=dict)
    _orders: dict[str, str] = field(default_factory=dict)
    _account: Account | None = None

    @property
    def account(self) -> Account:
        """The account that was traded on."""
        assert self._account is not None
        return self._account

    def of(self, rule_id: str) -> Counts:
        """What a rule did so far."""
        return self.rules.setdefault(rule_id, Counts())

    def begin(self, account: Account) -> None:
        """The account as it is before the first price."""
        self._account = account
        self.opening = self.closing = self.peak = account.wallet.get(self.asset, ZERO)
        self.equity.add(0, self.opening, self.opening, self.opening)

    # what the runner does

    def observe(self, decisions: Sequence[Decision]) -> None:
        """Take committed decisions in."""
        for decision in decisions:
            for run in decision.new_runs:
                self._runs[run.run_id] = run.identity.rule_id
            for change in decision.legs.values():
                after = change.after
                if not isinstance(after.intent, OrderIntent):
                    continue
                rule_id = self._runs.get(after.run_id, EXCHANGE)
                if change.before is None:
                    self._orders[after.client_order_id] = rule_id
                    self.of(rule_id).orders += 1
                if after.state is OrderState.REJECTED:
                    self.of(rule_id).rejected += 1
            for record in decision.records:
                self._record(record)

    def _record(self, record: Record) -> None:
        rule_id = record.rule_id or self._runs.get(record.run_id, "")
        if record.kind == "fired":
            self.of(rule_id).fires += 1
        if record.kind in ("refused", "run") and record.reason and rule_id:
            self.of(rule_id).why_not[record.reason.partition(": ")[0]] += 1
        if record.kind == "error" and len(self.errors) < MOST_ERRORS:
            self.errors.append(record)

    # what the market does

    def place(self, at: int) -> int:
        """The column of a time."""
        span = max(self.stop - self.start, 1)
        return min(max(at - self.start, 0) * self.columns // span, self.columns - 1)

    def candle(self, symbol: str, candle: Candle) -> None:
        """A candle began."""
        line = self.lines.setdefault(symbol, Line())
        line.add(self.place(candle.at), candle.low, candle.high, candle.close)

    def trade(self, symbol: str, at: int, price: Decimal) -> None:
        """Somebody traded."""
        self.lines.setdefault(symbol, Line()).add(self.place(at), price, price, price)

    def sample(self, at: int, prices: Mapping[str, Decimal]) -> None:
        """Look at the account's equity."""
        account = self.account
        worth = account.wallet.get(self.asset, ZERO)
        for held in account.positions.values():
            if held.amount:
                worth += held.unrealized(prices[held.symbol])
        self.closing = worth
        self.equity.add(self.place(at), worth, worth, worth)
        self.peak = max(self.peak, worth)
        fall = self.peak - worth
        if fall > self.drawdown:
            self.drawdown = fall
            self.drawdown_share = fall / self.peak if self.peak > 0 else ZERO

    # the end

    def end(self) -> None:
        """Share the fills out among the rules whose orders they are of."""
        for fill in self.account.fills:
            counts = self.of(self.rule_of(fill))
            counts.fills += 1
            counts.fees += fill.fee
            counts.realised_pnl += fill.realized

    def rule_of(self, fill: Fill) -> str:
        """The rule whose order was filled."""
        return self._orders.get(fill.client_order_id, EXCHANGE)

    def income(self, kind: str) -> Decimal:
        """The sum of one kind of the account's income rows: FUNDING_FEE, COMMISSION."""
        rows = self.account.income
        return sum((Decimal(str(row["income"])) for row in rows if row["incomeType"] == kind), ZERO)
