"""A slow second opinion: account figures worked out anew from a list of facts, by the formulas.

It keeps no running figures at all. What it knows is what happened: fills (symbol, side, signed
quantity, price, maker), margin moved by hand, and funding. Everything else follows each time anew,
from the first fact on. Nothing of the exchange under test is imported.

Sources, all of Binance's public pages: realised and unrealised PnL, "Profit & Loss calculations"
(entry price by weighted average, the closed part at the average entry); commission, "Fee structure"
(notional times rate); maintenance and liquidation price, "How to Calculate Liquidation Price of
USDⓈ-M Futures Contracts"; initial margin, "Leverage and Margin" (notional at the mark divided by
the leverage); isolated margin at opening, notional at the fill's price divided by the leverage.
What enters the wallet has eight decimals, as its documents show.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

MAKER, TAKER = Fraction(2, 10_000), Fraction(5, 10_000)
# notional up to, rate: the first steps of the exchange's ladder for BTCUSDT and ETHUSDT
RATES = [
    (300_000, Fraction(4, 1000)),
    (800_000, Fraction(5, 1000)),
    (3_000_000, Fraction(65, 10_000)),
    (12_000_000, Fraction(1, 100)),
    (70_000_000, Fraction(2, 100)),
    (100_000_000, Fraction(25, 1000)),
    (230_000_000, Fraction(5, 100)),
]


@dataclass(frozen=True)
class Filled:
    """A part of an order that was executed; `quantity` is negative for a sale."""

    symbol: str
    side: str
    quantity: Fraction
    price: Fraction
    maker: bool


@dataclass(frozen=True)
class Moved:
    """Isolated margin added or taken away by hand (signed)."""

    symbol: str
    side: str
    amount: Fraction


@dataclass(frozen=True)
class Funded:
    """A funding time: the rate and the marks there were."""

    marks: tuple[tuple[str, Fraction], ...]
    rate: Fraction


Fact = Filled | Moved | Funded


@dataclass
class Lot:
    """A piece of a position: what is left of one fill."""

    quantity: Fraction
    price: Fraction


def maintenance(notional: Fraction) -> Fraction:
    """Return the maintenance margin, added up step by step: each slice at its own rate."""
    total, below = Fraction(0), Fraction(0)
    for cap, rate in RATES:
        slice_ = min(notional, Fraction(cap)) - below
        if slice_ <= 0:
            break
        total += slice_ * rate
        below = Fraction(cap)
    return total


def booked(value: Fraction) -> Fraction:
    """Return an amount with eight decimals, half up (away from zero)."""
    whole = int(abs(value) * 10**8 + Fraction(1, 2))
    return Fraction(whole if value > 0 else -whole, 10**8)


class Model:
    """One account's figures, each worked out from all the facts."""

    def __init__(self, balance: int, leverage: dict[str, int], isolated: set[str]) -> None:
        self.balance = Fraction(balance)
        self.leverage = leverage
        self.isolated = isolated
        self.facts: list[Fact] = []

    def walk(self, symbol: str, side: str) -> tuple[Fraction, Fraction, Fraction, Fraction]:
        """Return (amount, entry, realised in all, isolated margin) of a position."""
        amount = entry = realised = margin = Fraction(0)
        for fact in self.facts:
            if isinstance(fact, Funded):
                paid = booked(-amount * dict(fact.marks)[symbol] * fact.rate)
                margin += paid if amount else 0
            elif (fact.symbol, fact.side) == (symbol, side):
                if isinstance(fact, Moved):
                    margin += fact.amount
                    continue
                amount, entry, gained, margin = self.fill(fact, amount, entry, margin)
                realised += gained
        return amount, entry, realised, margin if symbol in self.isolated else Fraction(0)

    def fill(
        self, fact: Filled, amount: Fraction, entry: Fraction, margin: Fraction
    ) -> tuple[Fraction, Fraction, Fraction, Fraction]:
        """Return amount, entry, profit realised by this fill, and margin after it."""
        opens = fact.quantity
        gained = Fraction(0)
        if amount * fact.quantity < 0:
            closed = min(abs(amount), abs(fact.quantity)) * (1 if amount > 0 else -1)
            gained = booked(closed * (fact.price - entry))
            margin -= margin * closed / amount
            opens = fact.quantity + closed
            amount -= closed
        if opens:
            entry = (amount * entry + opens * fact.price) / (amount + opens)
            amount += opens
            margin += abs(opens) * fact.price / self.leverage[fact.symbol]
        if not amount:
            entry = margin = Fraction(0)
        return amount, entry, gained, margin

    def held(self) -> list[tuple[str, str]]:
        """Return every position there ever was."""
        named = [(one.symbol, one.side) for one in self.facts if not isinstance(one, Funded)]
        return list(dict.fromkeys(named))

    def fees(self) -> Fraction:
        """Return all commission."""
        return sum(
            (
                booked(abs(one.quantity) * one.price * (MAKER if one.maker else TAKER))
                for one in self.facts
                if isinstance(one, Filled)
            ),
            Fraction(0),
        )

    def funding(self) -> Fraction:
        """Return all funding got (negative: paid)."""
        total, everything = Fraction(0), self.facts
        for number, fact in enumerate(everything):
            if isinstance(fact, Funded):
                self.facts = everything[:number]
                for symbol, side in self.held():
                    amount = self.walk(symbol, side)[0]
                    total += booked(-amount * dict(fact.marks)[symbol] * fact.rate)
        self.facts = everything
        return total

    def wallet(self) -> Fraction:
        """Return the wallet balance."""
        realised = sum((self.walk(*key)[2] for key in self.held()), Fraction(0))
        return self.balance + realised - self.fees() + self.funding()

    def unrealised(self, symbol: str, side: str, mark: Fraction) -> Fraction:
        """Return the profit that a position would have at the mark price."""
        amount, entry, _, _ = self.walk(symbol, side)
        return amount * (mark - entry)

    def left_at(
        self, symbol: str, side: str, price: Fraction, marks: dict[str, Fraction]
    ) -> Fraction:
        """Return margin balance less maintenance if `symbol` stood at `price`."""
        if symbol in self.isolated:
            amount, _, _, margin = self.walk(symbol, side)
            profit = self.unrealised(symbol, side, price)
            return margin + profit - maintenance(abs(amount) * price)
        left = self.wallet()
        for key in self.held():
            amount, _, _, margin = self.walk(*key)
            if key[0] in self.isolated:
                left -= margin
                continue
            at = price if key[0] == symbol else marks[key[0]]
            left += self.unrealised(*key, at) - maintenance(abs(amount) * at)
        return left
