"""Reasons to refuse an order: limits on what will be true after everything in flight."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from runner.core.exposure import Ahead, Pending, highest
from runner.core.figures import figure
from runner.core.limits import Limits, Most
from runner.core.losses import Losses
from runner.core.orders import OrderIntent, Setting, SettingIntent
from runner.core.values import dataclass
from runner.core.view import View

CENT: Final = Decimal("0.01")
LIFTED: Final[Mapping[str, str]] = {
    "max_daily_loss": "nothing is opened before the next UTC day",
    "max_drawdown": "nothing is opened until runner unlock --reason TEXT",
}
"""What a limit on losses means once it is reached, and what ends it."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One block of limits that applies to an order, and where it stands.

    What it counts are the orders of `rule_id` and of `symbol` alone, where they are named.
    """

    where: str
    limits: Limits
    rule_id: str = ""
    symbol: str = ""

    def counts(self, rule_id: str, symbol: str) -> bool:
        """True when this block counts an order of that rule on that symbol."""
        return self.rule_id in ("", rule_id) and self.symbol in ("", symbol)


@dataclass(frozen=True, slots=True)
class Check:
    """One guard and what it saw; `room` is what is left, below 0 when it refuses."""

    guard: str
    where: str
    seen: str
    limit: str
    room: Decimal

    @property
    def text(self) -> str:
        """As a refusal says it: max_order_notional: the order is 6000, the limit is 5000 (…)."""
        more = f"; {LIFTED[self.guard]}" if self.guard in LIFTED else ""
        return f"{self.guard}: {self.seen}, the limit is {self.limit} ({self.where}){more}"

    def plain(self) -> dict[str, str]:
        """As the journal keeps it beside the order."""
        return {"guard": self.guard, "seen": self.seen, "limit": self.limit, "where": self.where}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the guards say of one order: `refused` tells why, empty when it may leave."""

    word: str
    refused: str = ""
    checks: tuple[Check, ...] = ()

    def plain(self) -> dict[str, Any]:
        """As the journal keeps it beside the order, in the same transaction."""
        return {"verdict": self.word, "guards": [check.plain() for check in self.checks]}


_REFUSAL: Final = re.compile(r"(max_\w+|allowed_symbols): [^;]*\((guards of [^()]*)\)")


def cure(text: str) -> str:
    """How the limit that a refusal names is changed; empty for a text that names none."""
    found = _REFUSAL.search(text)
    if found is None:
        return ""
    smaller = "" if found[1] in LIFTED or found[1] == "allowed_symbols" else ", or order less"
    return f"to change it: {found[1]} under {found[2]}{smaller}"


EXIT: Final = Verdict("an exit: no guard holds it back")
FREE: Final = Verdict("passed: no guard is set")


@dataclass(frozen=True, slots=True)
class Asked:
    """One order, and the world in which it is judged; `filled` is what an older form of it did."""

    order: OrderIntent
    view: View
    ahead: Ahead
    losses: Losses | None
    now: int
    filled: Decimal = Decimal(0)

    @property
    def own(self) -> Pending:
        """The order as one that may still fill."""
        return Pending(self.order, (self.order.quantity or Decimal(0)) - self.filled)

    def mark(self, symbol: str) -> Decimal:
        """The symbol's mark price. Raises Unknown when there is none that is fresh."""
        mark = self.view.price(symbol, "mark", self.now)
        if mark is None:
            raise Unknown(f"no price: the notional of {symbol} cannot be told without its mark")
        return mark


class Unknown(Exception):
    """What a guard must know is not known: then nothing is opened."""


def bounds(blocks: Iterable[tuple[str, Limits, str]], symbol: str) -> tuple[Bound, ...]:
    """What applies on a symbol of blocks (where it stands, limits, the rule that it counts)."""
    found = []
    for where, limits, rule_id in blocks:
        if limits.written:
            found.append(Bound(where, limits, rule_id))
        if symbol in limits.symbols:
            place = f"{where}, symbols: {symbol}"
            found.append(Bound(place, limits.symbols[symbol], rule_id, symbol))
    return tuple(found)


def verdict(asked: Asked, applying: Sequence[Bound]) -> Verdict:
    """Whether this order may leave: exits always, anything else within the tightest limits.

    What is not known and must be is a refusal.
    """
    if asked.order.protective:
        return EXIT
    seen: list[Check] = []
    try:
        for guard in GUARDS:
            checks = [check for bound in applying if (check := guard(asked, bound)) is not None]
            if not checks:
                continue
            tightest = min(checks, key=lambda check: check.room)
            seen.append(tightest)
            if tightest.room < 0:
                return Verdict("refused", tightest.text, tuple(seen))
    except Unknown as unknown:
        return Verdict("refused", str(unknown), tuple(seen))
    return Verdict("passed", checks=tuple(seen)) if seen else FREE


def setting_verdict(intent: SettingIntent, applying: Sequence[Bound]) -> str:
    """Why a setting is not made; empty when it may be."""
    if intent.setting is not Setting.LEVERAGE:
        return ""
    limits = [(bound.limits.max_leverage, bound.where) for bound in applying]
    known = [(limit, where) for limit, where in limits if limit is not None]
    limit, where = min(known, default=(None, ""))
    if limit is None or Decimal(intent.value) <= limit:
        return ""
    return f"max_leverage: it would be set to {intent.value}, the limit is {limit} ({where})"


# the guards, in the order in which they are asked


def _allowed(asked: Asked, bound: Bound) -> Check | None:
    allowed = bound.limits.allowed_symbols
    if allowed is None:
        return None
    symbol = asked.order.symbol
    room = Decimal(0 if symbol in allowed else -1)
    return Check("allowed_symbols", bound.where, symbol, ", ".join(allowed), room)


def _losses(asked: Asked, bound: Bound) -> Check | None:
    checks = losses_of(asked.losses, bound, asked.now)
    return min(checks, key=lambda check: check.room, default=None)


def losses_of(losses: Losses | None, bound: Bound, now: int) -> list[Check]:
    """The limits on losses of one block. Raises Unknown while nothing is known of the account."""
    daily, drawdown, found = bound.limits.max_daily_loss, bound.limits.max_drawdown, []
    if losses is None and (daily is not None or drawdown is not None):
        raise Unknown("no account: what it lost is not known before its equity is")
    if daily is not None and losses is not None:
        lost, begun = losses.lost_on(now), losses.begun_on(now)
        text = "the account lost {} today"
        found.append(_loss("max_daily_loss", text, daily, lost, begun, bound))
    if drawdown is not None and losses is not None:
        text = "the account was {} under its highest"
        found.append(_loss("max_drawdown", text, drawdown, losses.drawdown, losses.peak, bound))
    return found


def _loss(guard: str, text: str, most: Most, lost: Decimal, begun: Decimal, bound: Bound) -> Check:
    amount = most.amount(begun)
    limit = f"{figure(most.value * 100)}%, {_usdt(amount)}" if most.share else _usdt(amount)
    # the limit itself is reached, not only passed
    room = amount - lost if lost != amount else Decimal(-1)
    return Check(guard, bound.where, text.format(_usdt(lost)), limit, room)


def _order_notional(asked: Asked, bound: Bound) -> Check | None:
    limit = bound.limits.max_order_notional
    if limit is None:
        return None
    order = asked.order
    worth = highest(order, asked.mark(order.symbol)) * (order.quantity or Decimal(0))
    return _worth("max_order_notional", "the order is {}", worth, limit, bound)


def _distance(asked: Asked, bound: Bound) -> Check | None:
    limit, order = bound.limits.max_price_distance, asked.order
    prices = (order.price, order.trigger_price, order.activation_price)
    written = [price for price in prices if price is not None]
    if limit is None or not written:
        return None
    mark = asked.mark(order.symbol)
    price = max(written, key=lambda each: abs(each - mark))
    far = abs(price - mark) / mark
    seen = f"{figure(price)} is {figure((far * 100).quantize(CENT))}% from the mark {figure(mark)}"
    text = f"{figure(limit * 100)}%"
    return Check("max_price_distance", bound.where, seen, text, limit - far)


def _open_orders(asked: Asked, bound: Bound) -> Check | None:
    limit = bound.limits.max_open_orders
    if limit is None:
        return None
    symbol = bound.symbol or None
    pending = asked.ahead.pending(symbol)
    count = sum(bound.counts(each.rule_id, each.order.symbol) for each in pending)
    seen = "1 entry is open" if count == 1 else f"{count} entries are open"
    return Check("max_open_orders", bound.where, seen, str(limit), Decimal(limit - count - 1))


def _per_minute(asked: Asked, bound: Bound) -> Check | None:
    limit = bound.limits.max_orders_per_minute
    if limit is None:
        return None
    count = sum(bound.counts(each.rule_id, each.symbol) for each in asked.ahead.entries())
    seen = f"{count} order{'' if count == 1 else 's'} within a minute"
    room = Decimal(limit - count - 1)
    return Check("max_orders_per_minute", bound.where, seen, str(limit), room)


def _position_notional(asked: Asked, bound: Bound) -> Check | None:
    limit = bound.limits.max_position_notional
    if limit is None:
        return None
    order = asked.order
    _positions_known(asked)
    side = (order.symbol, order.position_side)
    worth = asked.ahead.worth(asked.view, side, order.side, asked.mark(order.symbol), asked.own)
    return _worth("max_position_notional", "the position would be {}", worth, limit, bound)


def _leverage(asked: Asked, bound: Bound) -> Check | None:
    limit = bound.limits.max_leverage
    if limit is None:
        return None
    _positions_known(asked)
    equity = asked.view.account.equity if asked.view.account is not None else None
    if equity is None or equity <= 0:
        raise Unknown("no account: leverage cannot be told while its equity is not above 0")
    worth = asked.ahead.whole(asked.view, bound.symbol, asked.mark, asked.own)
    times = worth / equity
    seen = f"positions and entries would be {_usdt(worth)}, {figure(times.quantize(CENT))} times"
    text = f"{figure(limit)} times the equity of {_usdt(equity)}"
    return Check("max_leverage", bound.where, seen, text, limit - times)


def _positions_known(asked: Asked) -> None:
    if not asked.view.positions_known:
        raise Unknown(f"no position: what {asked.order.symbol} holds is not known yet")


def _worth(guard: str, text: str, worth: Decimal, limit: Decimal, bound: Bound) -> Check:
    return Check(guard, bound.where, text.format(_usdt(worth)), figure(limit), limit - worth)


def _usdt(value: Decimal) -> str:
    return figure(value.quantize(CENT))


GUARDS: Final[tuple[Callable[[Asked, Bound], Check | None], ...]] = (
    _allowed,
    _losses,
    _order_notional,
    _distance,
    _open_orders,
    _per_minute,
    _position_notional,
    _leverage,
)
