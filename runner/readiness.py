"""Whether alerts lead to orders now, and which ways to the exchange do not work: for /readyz."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from runner.core.figures import span
from runner.core.lifecycle import Timing
from runner.core.links import SURE_AFTER, USER, Links, Trouble
from runner.core.rules import RuleSet
from runner.core.view import View
from runner.sources.readiness import Link, Problem, Readiness, Stale, Used
from runner.venues import Limited, Silenced

PRICE_PATIENCE = 15_000
"""Ms after which a missing first price no longer keeps alerts waiting: it may be halted."""

GRACE = 3_000
"""Ms in which a stream that broke off usually is back: until then nobody needs to know."""

BEATING = frozenset({"mark", "index", "funding"})
"""Prices that come every second, also where nobody trades."""

MOST_NAMED = 5

NETWORK = (
    "it is tried again without end; check this machine's network and the exchange's status page"
)


class Clock(Protocol):
    """What is asked of the venue."""

    def clock_uncertainty(self) -> int | None:
        """None before the exchange's clock is known."""


class Loop(Protocol):
    """What is asked of the dispatcher."""

    full: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """Looks at what other threads keep, and changes nothing; any thread may ask.

    `awaited` are the prices without which nothing begins right after the start at `started_at`.
    """

    venue: Clock
    dispatcher: Loop
    view: View
    links: Links
    timing: Timing
    awaited: frozenset[tuple[str, str]]
    started_at: int
    now: Callable[[], int]

    def readiness(self, rules: RuleSet, *, stopping: bool) -> Readiness:
        """What /readyz says while these rules run."""
        now = self.now()
        not_taking = tuple(self._not_taking(rules, now, stopping=stopping))
        stale = tuple(self._stale(rules.wanted, now))
        reasons = (*not_taking, *self._not_executing(rules, stale, now))
        problems = tuple(self._problems(stale, now))
        return Readiness(
            not reasons,
            reasons,
            not not_taking,
            problems,
            stale,
            streams=tuple(self._streams()),
            limits=tuple(self._limits()),
        )

    def taking(self, rules: RuleSet, *, stopping: bool) -> bool:
        """Whether alerts are taken, without all the rest: asked with each of them."""
        return next(self._not_taking(rules, self.now(), stopping=stopping), None) is None

    def _streams(self) -> Iterator[Link]:
        """The account's own stream, and the market's: away when any part of it is."""
        broken = self.links.streams
        market = min((each.since for name, each in broken.items() if name != USER), default=None)
        yield Link("market", market is None, market)
        user = broken.get(USER)
        yield Link("user", user is None, None if user is None else user.since)

    def _limits(self) -> Iterator[Used]:
        if isinstance(self.venue, Limited):
            for limit, left in self.venue.limits_left():
                used = limit.limit - max(left, 0)
                yield Used(limit.kind, limit.interval, used, limit.limit)

    def _not_taking(self, rules: RuleSet, now: int, *, stopping: bool) -> Iterator[str]:
        """Why an alert is not even taken."""
        if stopping:
            yield "stopping"
        if self.venue.clock_uncertainty() is None:
            yield "the exchange's clock is not known yet"
        if self.dispatcher.full:
            yield f"the journal is full: {self.dispatcher.full}"
        if not self.view.positions_known or self.view.account is None:
            yield "positions and balances are not read yet"
        if now - self.started_at < PRICE_PATIENCE:
            missing = sorted(
                f"{symbol} {source}"
                for symbol, source in self.awaited & rules.wanted
                if self.view.board.last(symbol, source) is None
            )
            if missing:
                yield f"no price yet: {', '.join(missing)}"

    def _not_executing(self, rules: RuleSet, stale: Iterable[Stale], now: int) -> Iterator[str]:
        """Why no order would follow from an alert that is taken."""
        down = self.links.down
        if down is not None:
            why = f"{down.detail}, since {_instant(down.since)}"
            yield f"the exchange does not answer over REST ({why}): no alert becomes an order"
        if self._market(now) is None:
            return
        blind = {(each.symbol, each.source) for each in stale}
        rule_ids = [
            rule.id
            for rule in rules.rules.values()
            if any(trigger.interest[0] == "webhook" for trigger in rule.triggers)
            and blind & {(symbol, s) for symbol in rule.symbols for s in rule.reckoned}
        ]
        if rule_ids:
            yield f"no fresh price for the orders of {_some(rule_ids)}: the market stream is away"

    def _stale(self, wanted: Iterable[tuple[str, str]], now: int) -> Iterator[Stale]:
        board = self.view.board
        for symbol, source in sorted(wanted):
            at = board.seen_at(symbol, source)
            if now - (self.started_at if at is None else at) > board.stale_after:
                yield Stale(symbol, source, at)

    def _market(self, now: int) -> Trouble | None:
        """The longest break of a market stream."""
        broken = [each for name, each in self.links.streams.items() if name != USER]
        lasting = [each for each in broken if now - each.last_at >= GRACE]
        return min(lasting, key=lambda each: each.since, default=None)

    def _problems(self, stale: tuple[Stale, ...], now: int) -> Iterator[Problem]:
        market, user = self._market(now), self.links.streams.get(USER)
        if market is not None:
            yield self._blind(market, stale, now)
        else:
            yield from self._halted([each for each in stale if each.source in BEATING], now)
        if user is not None and now - user.last_at >= GRACE:
            yield self._deaf(user, now)
        silence = self.venue.silence() if isinstance(self.venue, Silenced) else 0
        if silence:
            yield _silent(now, now + silence)
        yield from self._rest(now)

    def _blind(self, trouble: Trouble, stale: Iterable[Stale], now: int) -> Problem:
        gone = [f"{each.symbol} {each.source}" for each in stale]
        prices = f": {_some(gone)}" if gone else ""
        meaning = (
            f"price rules are blind since then{prices}; what crosses meanwhile does not fire late, "
            "the first price after the break only arms"
        )
        return Problem(
            "market stream", trouble.since, _away("market", trouble, now), meaning, NETWORK
        )

    def _halted(self, stale: list[Stale], now: int) -> Iterator[Problem]:
        if not stale:
            return
        since = min(self.started_at if each.since is None else each.since for each in stale)
        names = _some(f"{each.symbol} {each.source}" for each in stale)
        what = f"no price of {names} since {_ago(since, now)}, though the stream stands"
        meaning = "price rules on it are blind, and what is sized by it waits"
        cure = "see the exchange's announcements: is it still traded?"
        yield Problem("market stream", since, what, meaning, cure)

    def _deaf(self, trouble: Trouble, now: int) -> Problem:
        every = span(self.timing.poll_orders)
        meaning = (
            f"fills are not told; open orders and positions are read over REST every {every} or "
            "more instead, and exits follow a fill that much later"
        )
        if self.links.down is not None:
            meaning = "fills are not told, and REST does not answer either: no exit follows a fill"
        what = _away("user", trouble, now)
        return Problem("user stream", trouble.since, what, meaning, NETWORK)

    def _rest(self, now: int) -> Iterator[Problem]:
        down, failing = self.links.down, self.links.calls
        sure = {name: each for name, each in failing.items() if each.count >= SURE_AFTER}
        if down is not None:
            what = f"the exchange does not answer over REST since {_ago(down.since, now)}"
            meaning = (
                "no alerts become orders until it does: they are taken and kept, entries lapse "
                "when they have waited for too long, exits are sent as soon as it answers"
            )
            cure = (
                f"{NETWORK}; where it names the API key: is it valid, may it trade futures, does "
                "it allow this machine's address?"
            )
            yield Problem("REST", down.since, f"{what}: {down.detail}", meaning, cure)
        elif sure:
            name, worst = min(sure.items(), key=lambda item: item[1].since)
            others = f" (and {len(sure) - 1} more)" if len(sure) > 1 else ""
            what = (
                f"the exchange does not tell {name}{others} since {_ago(worst.since, now)}: "
                f"{worst.detail}"
            )
            meaning = "what is known of it is as old; orders are sent as ever"
            yield Problem("REST", worst.since, what, meaning, NETWORK)


def _silent(now: int, until: int) -> Problem:
    what = f"the exchange wants silence (429, or a ban: 418) until {_instant(until)}"
    meaning = (
        "nothing can be sent, not even a cancel: alerts are taken and kept; a countdown that is "
        "set cancels plain orders on the exchange without us, stops stay"
    )
    cure = "if it is urgent, act in the exchange's app; else wait, it goes on by itself"
    return Problem("REST", now, what, meaning, cure)


def _away(name: str, trouble: Trouble, now: int) -> str:
    why = f": {trouble.detail}" if trouble.detail else ""
    return f"the {name} stream is away since {_ago(trouble.since, now)}{why}"


def _ago(at: int, now: int) -> str:
    return f"{_instant(at)} ({span(max(now - at, 0))})"


def _instant(at: int) -> str:
    return f"{datetime.fromtimestamp(at // 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _some(names: Iterable[str]) -> str:
    found = list(names)
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return ", ".join(found[:MOST_NAMED]) + more
