"""The dead-man switch: what the countdowns on the exchange mean as time and answers pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from runner.core import switches
from runner.core.cancelled import our_cancel
from runner.core.decision import DeadManState, Leg, RuleMemory
from runner.core.events import DeadManAlarm, DeadManReport, OpenOrders
from runner.core.legs import Moment
from runner.core.orders import Family, OrderIntent, OrderState
from runner.core.rules import DeadMan
from runner.core.state import State, Work
from runner.core.values import replace

ARMED = ":dead-man"
"""The rule id (no rule can have it) under which what `arm` and `disarm` said is remembered."""

EXPIRED: Literal["expired"] = "expired"
STOPPED: Literal["expired_while_stopped"] = "expired_while_stopped"
TAKEN = "cancelled by the exchange: its countdown ran out"
CLOCKS_DIFFER = 2_000


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
        if known.expired:
            continue  # that it is late as well is no news
        if _over(known, moment.server_now):
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
    """The open orders were read: now `expired` may be said, once.

    Not while it is unclear what became of an order that the reading does not list: it is being
    asked for, and whether it was filled or cancelled is part of what there is to say.
    """
    for symbol, known in work.state.dead_men.items():
        since = known.expired_since
        if not known.expired or since is None or reading.symbol not in (None, symbol):
            continue
        if reading.asked_time <= since or _unclear(work, symbol, reading):
            continue
        current = work.decision.dead_men.get(symbol, known)
        work.decision.dead_men[symbol] = replace(
            current, expired=False, expired_since=None, countdown=_rearmed(known, since)
        )
        stopped = _on_purpose(work, since)
        yield DeadManAlarm(symbol, STOPPED if stopped else EXPIRED, since, work.now)


def _rearmed(known: DeadManState, since: int) -> int:
    """What runs on the exchange now: nothing, unless it was set again since it ran out."""
    return known.countdown if known.confirmed_time > since else 0


def _unclear(work: Work, symbol: str, reading: OpenOrders) -> bool:
    """True while an order that should have been listed was not, and nobody knows why yet."""
    listed = {order.client_order_id for order in reading.orders}
    return any(
        leg.state is OrderState.LIVE
        and leg.intent.family is Family.ORDER
        and leg.client_order_id not in listed
        and (leg.signed_time or 0) <= reading.asked_time
        and isinstance(leg.intent, OrderIntent)
        for leg in work.open_legs(symbol)
    )


# a stop on purpose


def stopped(work: Work, server_now: int) -> None:
    """The runner stops on purpose: a countdown that ends from now on is not a lost link."""
    switches.keep(work, switches.STOPPED, {"server": server_now})


def came_back(work: Work, server_now: int) -> None:
    """The runner is back: countdowns that ended meanwhile did so because it was stopped."""
    since = switches.kept(work, switches.STOPPED)
    if since:
        switches.keep(work, switches.AWAY, {"from": since["server"], "to": server_now})
        switches.keep(work, switches.STOPPED, None)


def _on_purpose(work: Work, since: int) -> bool:
    away = switches.kept(work, switches.AWAY)
    return bool(away) and away["from"] <= since <= away["to"]


# what it took


def attribute(work: Work, moment: Moment) -> None:
    """Orders of ours that turn out cancelled after a countdown ran out, and not by us: say so."""
    for change in list(work.decision.legs.values()):
        after = change.after
        ended = after.state is OrderState.CANCELED and isinstance(after.intent, OrderIntent)
        known = work.state.dead_men.get(after.intent.symbol)
        if not ended or known is None or after.message == TAKEN or our_cancel(work, after):
            continue
        if after.intent.family is not Family.ORDER or not _ran_out(known, moment):
            continue
        work.put_leg(replace(after, message=TAKEN))
        text = f"{after.name}: {TAKEN}"
        who = {"rule_id": work.rule_id(after.run_id), "run_id": after.run_id}
        key, symbol = after.client_order_id, after.intent.symbol
        work.record("dead_man", text, symbol=symbol, client_order_id=key, **who)


def _ran_out(known: DeadManState, moment: Moment) -> bool:
    """Also when its end is so near that only our idea of the exchange's clock stands between."""
    return known.expired or _over(known, moment.server_now + CLOCKS_DIFFER)


def taken(work: Work, symbol: str, since: int) -> list[Leg]:
    """Own orders of the symbol that the countdown took which ran out then (ms)."""
    return [leg for leg in _ended(work, symbol, since) if leg.message == TAKEN]


def contested(work: Work, symbol: str, since: int) -> list[Leg]:
    """Own orders that went since then (ms) while we were cancelling them: nobody knows by whom."""
    return [
        leg
        for leg in _ended(work, symbol, since)
        if leg.message != TAKEN
        and leg.state is OrderState.CANCELED
        and leg.intent.family is Family.ORDER
        and isinstance(leg.intent, OrderIntent)
        and our_cancel(work, leg)
    ]


def _ended(work: Work, symbol: str, since: int) -> Iterator[Leg]:
    """What of the symbol changed since then, and may be over."""
    known = {**work.state.recent, **work.state.legs}
    known |= {key: change.after for key, change in work.decision.legs.items()}
    for leg in known.values():
        if leg.intent.symbol == symbol and leg.updated_at >= since - CLOCKS_DIFFER:
            yield leg
