"""The countdowns as the engine meets them: when they are set anew, and who is told of their end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from runner.core import deadman
from runner.core.asking import Questions
from runner.core.decision import Leg, RuleMemory
from runner.core.events import DeadManAlarm, OpenOrders
from runner.core.figures import figure
from runner.core.firing import offer
from runner.core.legs import Moment
from runner.core.listening import Listening
from runner.core.orders import Call, DeadManCall, Family, OrderIntent, ReadCall
from runner.core.rules import DeadMan
from runner.core.running import World
from runner.core.state import State, Work
from runner.core.switches import clock
from runner.core.triggers.heartbeat import HeartbeatTrigger

LOOK_AGAIN = 1_000
"""Ms between two looks at the open orders while it is unclear what became of one."""


class Countdowns:
    """Offers their alarms to the rules, and holds back a refresh that must not go out."""

    def __init__(self, world: World, listening: Listening) -> None:
        """Nothing is held back yet."""
        self._world = world
        self._listening = listening
        self._held: dict[str, str] = {}

    def follow(self, listening: Listening) -> None:
        """Go on with those who listen now."""
        self._listening = listening

    def in_force(self, state: State) -> Mapping[str, DeadMan]:
        """The switches of the files, and what `arm` and `disarm` said; none at a stop that disarms.

        The countdown of a symbol that is not among them is set to 0.
        """
        return {} if state.disarming else deadman.in_force(state, self._world.rules.dead_men)

    def let_out(self, calls: Iterable[Call]) -> Iterable[Call]:
        """The calls without the refreshes that are held back."""
        for call in calls:
            if not (isinstance(call, DeadManCall) and call.countdown and call.symbol in self._held):
                yield call

    def refreshed(self, state: State) -> list[DeadMan]:
        """The switches whose countdown is set anew when its time has come."""
        found = self.in_force(state).items()
        return [dead_man for symbol, dead_man in found if symbol not in self._held]

    def pass_time(
        self, work: Work, moment: Moment, questions: Questions, broken: Iterable[str]
    ) -> None:
        """What is late or over; `broken` are the streams that are away."""
        dead_men = self.in_force(work.state)
        self._hold(work, dead_men, set(broken))
        for alarm in deadman.alarms(work, dead_men, moment):
            self._tell(work, alarm, moment)
        for symbol in deadman.to_look_up(work.state):
            reading = ReadCall("open_orders", symbol)
            if questions.free(reading, moment.now):
                questions.want(reading, questions.wanted.get(reading, moment.now))

    def read(self, work: Work, event: OpenOrders, moment: Moment, questions: Questions) -> None:
        """The open orders were read: what ran out before may be told now."""
        deadman.attribute(work, moment)
        if event.family is not Family.ORDER or not self._world.view.positions_known:
            return
        for alarm in deadman.looked_up(work, event):
            self._tell(work, alarm, moment)
        for symbol in deadman.to_look_up(work.state):
            if symbol not in work.decision.dead_men:
                questions.pause(ReadCall("open_orders", symbol), moment.now + LOOK_AGAIN)

    # telling

    def _tell(self, work: Work, alarm: DeadManAlarm, moment: Moment) -> None:
        work.record("dead_man", self._text(work, alarm, moment), symbol=alarm.symbol)
        for rule, trigger in self._listening.to(("dead_man", alarm.what)):
            if alarm.symbol in rule.symbols:
                offer(work, self._world, rule, alarm.symbol, trigger, alarm)

    def _text(self, work: Work, alarm: DeadManAlarm, moment: Moment) -> str:
        if alarm.what == "late":
            return f"the countdown of {alarm.symbol} is late: no refresh came through in time"
        since = moment.local(alarm.confirmed_time)
        legs = deadman.taken(work, alarm.symbol, since)
        stopped = " while the runner was stopped" if alarm.what == deadman.STOPPED else ""
        told = _gone(work, legs, deadman.contested(work, alarm.symbol, since))
        if any(leg.intent.protective for leg in legs):
            self._without_exit(work, alarm.symbol)
        return (
            f"the countdown of {alarm.symbol} is expired: it ran out at "
            f"{clock(alarm.confirmed_time)} UTC{stopped}; {told}"
        )

    def _without_exit(self, work: Work, symbol: str) -> None:
        """The countdown took an exit: a position that has none left needs a person."""
        held = [each for key, each in self._world.view.positions.items() if key[0] == symbol]
        exits = [leg for leg in work.open_legs(symbol) if _exit(leg.intent)]
        for position in held:
            if position.size and not exits:
                text = (
                    f"CRITICAL {symbol} holds {figure(position.size)}, and the countdown took its "
                    "last exit order; nothing is placed again by itself: place an exit, or close "
                    f"it with runner flatten --symbol {symbol}"
                )
                work.record("notify", text, symbol=symbol, reason="critical")

    # holding back

    def _hold(self, work: Work, dead_men: Mapping[str, DeadMan], broken: set[str]) -> None:
        held = {}
        for symbol, dead_man in dead_men.items():
            if dead_man.require and (why := self._unwell(work, dead_man, broken)):
                held[symbol] = why
        for symbol in held.keys() | self._held.keys():
            if (symbol in held) is not (symbol in self._held):
                self._say_held(work, symbol, held.get(symbol, ""))
        self._held = held

    @staticmethod
    def _say_held(work: Work, symbol: str, why: str) -> None:
        text = f"the countdown of {symbol} is refreshed again"
        known = work.state.dead_men.get(symbol)
        if why:
            text = f"the countdown of {symbol} is not refreshed: {why}"
        if why and known is not None and known.countdown:
            end = clock(known.confirmed_time + known.countdown)
            text = f"{text}; unless that ends, the exchange cancels its orders at {end} UTC"
        work.record("dead_man", text, symbol=symbol)

    def _unwell(self, work: Work, dead_man: DeadMan, broken: set[str]) -> str:
        """What the switch requires and is not so; empty when all is well."""
        symbol = dead_man.symbol
        if "streams" in dead_man.require:
            if broken:
                return f"the stream {sorted(broken)[0]} is away"
            if self._world.view.price(symbol, "mark", work.now) is None:
                return f"no fresh price of {symbol} comes in"
        if "heartbeat" in dead_man.require:
            return next(self._lost(work, symbol), "")
        return ""

    def _lost(self, work: Work, symbol: str) -> Iterator[str]:
        """The heartbeats on this symbol that are missing."""
        for rule in self._world.rules.rules.values():
            memory: RuleMemory = work.memory(rule.id, symbol)
            for trigger in rule.triggers if symbol in rule.symbols else ():
                lost = memory.triggers.get(trigger.name, {}).get("lost")
                if lost and isinstance(trigger, HeartbeatTrigger):
                    yield f"the heartbeat {trigger.path} is lost"


def _exit(intent: object) -> bool:
    return isinstance(intent, OrderIntent) and intent.protective


def _gone(work: Work, taken: list[Leg], contested: list[Leg]) -> str:
    """What became of our orders; the exchange does not tell whose cancel was first."""
    found = []
    if taken:
        found.append(f"the exchange cancelled {_names(work, taken)}")
    if contested:
        names = _names(work, contested)
        found.append(f"{names} went by it or by our own cancels, which were under way")
    return "; ".join(found) or "it cancelled none of our orders"


def _names(work: Work, legs: list[Leg]) -> str:
    return ", ".join(f"{work.rule_id(leg.run_id)} {leg.name}" for leg in legs)
