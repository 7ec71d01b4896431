"""The dead-man switch: what the countdowns on the exchange mean as time and answers pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Literal

from runner.core.decision import DeadManState, RuleMemory
from runner.core.events import DeadManAlarm, DeadManReport, OpenOrders
from runner.core.legs import Moment
from runner.core.rules import DeadMan
from runner.core.state import State, Work

ARMED = ":dead-man"
"""The rule id (no rule can have it) under which what `arm` and `disarm` said is remembered."""


def written(switch: DeadMan | Literal["file"] | None) -> Mapping[str, Mapping[str, int]]:
    """A switch as a memory keeps it; what the file says is not repeated."""
    if not isinstance(switch, DeadMan):
        return {}
    return {"dead_man": {"countdown": switch.countdown, "refresh": switch.refresh}}


def armed(memories: Mapping[tuple[str, str], RuleMemory]) -> dict[str, DeadMan | None]:
    """What `arm` and `disarm` said of symbols; None is disarmed."""
    found: dict[str, DeadMan | None] = {}
    for (rule_id, symbol), memory in memories.items():
        if rule_id != ARMED:
            continue
        own = memory.triggers.get("dead_man")
        if not memory.enabled:
            found[symbol] = None
        elif own is not None:
            found[symbol] = DeadMan(symbol, own["countdown"], own["refresh"])
    return found


def in_force(state: State, dead_men: Mapping[str, DeadMan]) -> Mapping[str, DeadMan]:
    """The files' switches with what `arm` and `disarm` said of them since."""
    if not state.armed:
        return dead_men
    switches = {**dead_men, **state.armed}
    return {symbol: switch for symbol, switch in switches.items() if switch is not None}


def confirmed(work: Work, report: DeadManReport) -> None:
    """An answer to a refresh: the countdown begins anew, unless it had run out before."""
    if not report.accepted:
        text = f"the countdown of {report.symbol} could not be set: {report.detail}"
        work.record("dead_man", text, symbol=report.symbol, reason="error")
        return
    known = work.state.dead_men.get(report.symbol)
    expired = known is not None and (known.expired or _over(known, report.server_time))
    work.decision.dead_men[report.symbol] = DeadManState(
        report.symbol,
        report.countdown,
        report.server_time,
        expired=expired,
        late_told=False,
        expired_since=_expired_since(known) if known and expired else None,
    )
    if known is None or known.countdown != report.countdown:
        seconds = report.countdown // 1000
        text = f"countdown of {seconds} s set" if seconds else "countdown disarmed"
        work.record("dead_man", text, symbol=report.symbol)


def _over(state: DeadManState, server_time: int) -> bool:
    return state.countdown > 0 and server_time > state.confirmed_time + state.countdown


def _expired_since(state: DeadManState) -> int:
    return state.expired_since or state.confirmed_time + state.countdown


def _late(state: DeadManState, dead_man: DeadMan, server_time: int) -> bool:
    return server_time > state.confirmed_time + 2 * dead_man.refresh


def alarms(work: Work, dead_men: Mapping[str, DeadMan], moment: Moment) -> Iterator[DeadManAlarm]:
    """Refreshes that are overdue, told once; countdowns that ran out are marked to be looked up."""
    for symbol, known in work.state.dead_men.items():
        dead_man = dead_men.get(symbol)
        if dead_man is None or not known.countdown:
            continue
        if _over(known, moment.server_now) and not known.expired:
            work.decision.dead_men[symbol] = replace(
                known, expired=True, expired_since=_expired_since(known)
            )
        elif not known.late_told and _late(known, dead_man, moment.server_now):
            work.decision.dead_men[symbol] = replace(known, late_told=True)
            yield DeadManAlarm(symbol, "late", known.confirmed_time, moment.now)


def to_look_up(state: State) -> list[str]:
    """Symbols whose countdown ran out: their open orders must be read before it is said."""
    return [symbol for symbol, known in state.dead_men.items() if known.expired]


def looked_up(work: Work, reading: OpenOrders) -> Iterator[DeadManAlarm]:
    """The open orders were read: now `expired` may be said, once."""
    for symbol, known in work.state.dead_men.items():
        since = known.expired_since
        if not known.expired or since is None or reading.symbol not in (None, symbol):
            continue
        if reading.asked_time <= since:
            continue
        current = work.decision.dead_men.get(symbol, known)
        work.decision.dead_men[symbol] = replace(
            current, expired=False, expired_since=None, countdown=_rearmed(known, since)
        )
        yield DeadManAlarm(symbol, "expired", since, work.now)


def _rearmed(known: DeadManState, since: int) -> int:
    """What runs on the exchange now: nothing, unless it was set again since it ran out."""
    return known.countdown if known.confirmed_time > since else 0
