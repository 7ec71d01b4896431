"""What could happen to a trigger, of every kind: the events that a plan shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Literal, cast

from runner.core.candles import bounds
from runner.core.events import (
    Alert,
    DeadManAlarm,
    Due,
    Event,
    JournalTrouble,
    KlineClosed,
    Move,
    OrderChanged,
    OrderStatus,
    PositionIncident,
    PositionUpdate,
    Started,
    StreamState,
    Tick,
    Value,
)
from runner.core.formula import EvaluationError, Kind
from runner.core.rules import Rule, RuleSet, Trigger, WaitsForPrice
from runner.core.state import State, Work
from runner.core.triggers.dead_man import DeadManTrigger
from runner.core.triggers.funding import FundingTrigger
from runner.core.triggers.heartbeat import HeartbeatTrigger
from runner.core.triggers.order import OrderTrigger
from runner.core.triggers.position import STEPS, PositionTrigger
from runner.core.triggers.position_result import ResultTrigger
from runner.core.triggers.price import PriceTrigger
from runner.core.triggers.price_closes import CloseTrigger
from runner.core.triggers.price_moves import MoveTrigger
from runner.core.triggers.price_trails import TrailTrigger
from runner.core.triggers.schedule import ScheduleTrigger
from runner.core.triggers.system import StreamGapTrigger, SystemTrigger
from runner.core.triggers.webhook import WebhookTrigger
from runner.core.view import Names, View
from runner.core.windows import moved_source
from runner.errors import UsageError
from runner.sources.bodies import body_hash, event_time
from runner.sources.schedule import next_occurrence

ZERO = Decimal(0)
RATE_STEP = Decimal("0.000001")
"""How far past its level a funding rate goes when none is given."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """What happens to the rule: an alert's fields, a price, or what it waits for.

    `event` are fields of the event as formulas see them (`trigger.size`), as text; `trigger`
    names the one that it happens to.
    """

    alert: Mapping[str, Value] | None = None
    price: Decimal | None = None
    event: Mapping[str, str] = field(default_factory=dict)
    trigger: str = ""


@dataclass(slots=True)
class Present:
    """The account as it is and the time; both go on with what happens."""

    view: View
    rules: RuleSet
    now: int

    def offer(self, symbol: str, source: str, price: Decimal) -> None:
        """This is the price now."""
        self.view.board.offer(symbol, source, price, self.now, self.now)

    def at(self, now: int) -> None:
        """Go to this time; every price that is known is as fresh there as it was here."""
        self.now = now
        for symbol, source in self.rules.wanted:
            last = self.view.board.last(symbol, source)
            if last is not None:
                self.offer(symbol, source, last.value)

    def tick(self, symbol: str) -> Decimal:
        """The symbol's tick size."""
        return self.view.instruments[symbol].tick_size


@dataclass(frozen=True, slots=True)
class Happening:
    """One trigger of one rule on one symbol, and what shall happen to it."""

    world: Present
    rule: Rule
    symbol: str
    trigger: Trigger
    occasion: Occasion

    def events(self) -> Iterator[Event]:
        """The events that lead to a fire, if one can. Raises UsageError for what does not fit."""
        self._check()
        match self.trigger:
            case WebhookTrigger() as trigger:
                fields = self.occasion.alert or {}
                sent_at = event_time(fields)
                yield Alert(trigger.path, fields, body_hash(fields), self.world.now, sent_at)
            case PriceTrigger():
                yield from self._cross(self.trigger)
            case CloseTrigger():
                yield from self._closes(self.trigger)
            case MoveTrigger():
                yield from self._moves(self.trigger)
            case TrailTrigger():
                yield from self._trails(self.trigger)
            case FundingTrigger():
                yield from self._funding(self.trigger)
            case ResultTrigger():
                yield from self._result(self.trigger)
            case PositionTrigger():
                yield from self._position(self.trigger)
            case OrderTrigger():
                yield self._order(self.trigger)
            case _:
                yield from self._timed()

    def _timed(self) -> Iterator[Event]:
        world, symbol = self.world, self.symbol
        match self.trigger:
            case ScheduleTrigger() as trigger:
                planned_at = next_occurrence(trigger, world.now)
                if planned_at is not None:
                    world.at(planned_at)
                    yield Due(self.rule.id, trigger.name, symbol, planned_at)
            case HeartbeatTrigger(name=name, every=every):
                world.at(world.now + max(self._ms("silence", every), every))
                yield Due(self.rule.id, name, symbol, world.now)
            case DeadManTrigger(what=what):
                alarm = cast(Literal["expired", "late", "expired_while_stopped"], what)
                yield DeadManAlarm(symbol, alarm, world.now, world.now)
            case SystemTrigger(what=what):
                away = self._ms("away", 0)
                detail = self._text("detail", "little room")
                trouble = JournalTrouble("plan", detail, world.now)
                yield Started(world.now, away, True) if what == "started" else trouble
            case StreamGapTrigger(name=name, longest=longest):
                since = world.now - max(self._ms("away", longest), longest)
                yield StreamState(self._text("detail", "user"), False, world.now, since, "plan")
                yield Due(self.rule.id, name, symbol, world.now)

    # what was said of the event

    def _check(self) -> None:
        known = sorted(self.trigger.fields)
        for name in self.occasion.event:
            if name not in known:
                listed = ", ".join(known) or "nothing"
                raise UsageError(f"{self.trigger.name} carries no {name}: --event takes {listed}")

    def _text(self, name: str, usual: str) -> str:
        return self.occasion.event.get(name, usual)

    def _number(self, name: str, usual: Decimal) -> Decimal:
        text = self.occasion.event.get(name)
        return usual if text is None else number(f"--event {name}", text)

    def _ms(self, name: str, usual: int) -> int:
        return int(self._number(name, Decimal(usual) / 1000) * 1000)

    def _choice(self, name: str, usual: str) -> str:
        text, kind = self._text(name, usual), self.trigger.fields[name]
        if kind.kind is Kind.TEXT and kind.values and text not in kind.values:
            raise UsageError(f"--event {name}={text} is none of {', '.join(kind.values)}")
        return text

    def _price(self, usual: Decimal) -> Decimal:
        price = self.occasion.price
        return self._number("price", usual) if price is None else price

    # prices

    def _names(self) -> Names:
        memory = Work(State(), self.world.now)
        known, exposure = memory.memory("", self.symbol), partial(memory.exposure, self.symbol)
        return Names(self.world.view, self.symbol, self.world.now, {}, known, exposure)

    def _level(self) -> Decimal:
        """The level of the trigger. Raises UsageError when it has no value."""
        trigger, names = self.trigger, self._names()
        try:
            if isinstance(trigger, CloseTrigger):
                return trigger.level.number(names)
            assert isinstance(trigger, WaitsForPrice)
            return trigger.waits({}, names).levels[0]
        except EvaluationError as error:
            if error.name == "position.size":
                cure = "--given position.size=0.5 --given position.entry_price=70000"
                raise UsageError(f"{error.reason}: {cure}") from None
            text = f"the level of {trigger.name} has no value: {error.reason}"
            raise UsageError(text) from None

    def _ticks(
        self, source: str, before: Decimal, past: Decimal, hold: int, shown: str = ""
    ) -> Iterator[Tick]:
        """A value that is not past, the one that is, and after `for:` the same again."""
        world = self.world
        for value, wait in ((before, 0), (past, 1), (past, max(hold, 1))):
            world.at(world.now + wait)
            world.offer(self.symbol, shown or source, value)
            yield Tick(self.symbol, source, value, world.now, world.now)

    def _cross(self, trigger: PriceTrigger) -> Iterator[Tick]:
        level, tick = self._level(), self.world.tick(self.symbol)
        past = self._price(level + (tick if trigger.above else -tick))
        yield from self._ticks(trigger.source, level, past, trigger.hold)

    def _result(self, trigger: ResultTrigger) -> Iterator[Tick]:
        level, tick = self._level(), self.world.tick(self.symbol)
        position = self.world.view.position(self.symbol)
        long = position is not None and position.size > 0
        up = long is (trigger.what == "profit")
        past = self._price(level + (tick if up else -tick))
        yield from self._ticks("mark", level, past, trigger.hold)

    def _funding(self, trigger: FundingTrigger) -> Iterator[Tick]:
        level = trigger.level
        rate = self._number("rate", level + (RATE_STEP if trigger.above else -RATE_STEP))
        yield from self._ticks("funding", level, rate, trigger.hold)

    def _closes(self, trigger: CloseTrigger) -> Iterator[KlineClosed]:
        """The candle before, on the level, and the one that closes past it."""
        world, level = self.world, self._level()
        start, end = bounds(trigger.interval, world.now)
        span = end - start
        tick = world.tick(self.symbol)
        past = self._price(level + (tick if trigger.above else -tick))
        for close, at in ((level, start - 1), (past, end - 1)):
            world.at(at + 1)
            world.offer(self.symbol, "last", close)
            yield KlineClosed(self.symbol, trigger.interval, close, at, span, world.now, world.now)

    def _moves(self, trigger: MoveTrigger) -> Iterator[Tick]:
        """No move at first, and then one of a tick more than the share."""
        world, symbol = self.world, self.symbol
        origin = self._last(trigger.source)
        tick = world.tick(symbol)
        far = origin * (1 + trigger.share)
        price = self._price(far // tick * tick + tick)
        series = moved_source(trigger.source, trigger.window)
        moves = ((origin, 0), (price, 1), (price, max(trigger.hold, 1)))
        for value, wait in moves:
            world.at(world.now + wait)
            world.offer(symbol, trigger.source, value)
            share = abs(value - origin) / origin
            move = Move(value, origin)
            yield Tick(symbol, series, share, world.now, world.now, moved=move)

    def _trails(self, trigger: TrailTrigger) -> Iterator[Tick]:
        """The extreme, and a tick more than the share away from it."""
        extreme = self._number("extreme", self._last(trigger.source))
        tick, share = self.world.tick(self.symbol), trigger.share
        far = extreme * (1 - share if trigger.from_high else 1 + share)
        past = self._price(far // tick * tick + (-tick if trigger.from_high else tick))
        yield from self._ticks(trigger.source, extreme, past, 0)

    def _last(self, source: str) -> Decimal:
        last = self.world.view.board.last(self.symbol, source)
        if last is None:
            raise UsageError(f"there is no {source} price: --given {source}=70000")
        return last.value

    # the account

    def _position(self, trigger: PositionTrigger) -> Iterator[Event]:
        view, symbol, now = self.world.view, self.symbol, self.world.now
        known = view.position(symbol)
        least = view.instruments[symbol].min_quantity
        held = known.size if known is not None and known.size else least
        if trigger.what == "closed":
            held = -abs(held) if self._choice("side", "long") == "short" else held
        size = self._number("size", ZERO if trigger.what == "closed" else held)
        if "side" in self.occasion.event and trigger.what != "closed":
            size = -abs(size) if self._choice("side", "long") == "short" else abs(size)
        price = self._price(known.entry_price if known and known.size else self._last("mark"))
        if trigger.what not in STEPS:
            what = cast(Literal["liquidation", "adl", "margin_call"], trigger.what)
            yield PositionIncident(what, symbol, "BOTH", size, price, "plan", now)
            return
        before = held if trigger.what == "closed" else ZERO
        for number_, each in enumerate((before, size), 1):
            at = max(now, known.event_time if known else 0) + number_
            update = PositionUpdate(symbol, "BOTH", each, price, ZERO, at)
            view.apply_position(update)
            yield update

    def _order(self, trigger: OrderTrigger) -> OrderChanged:
        instrument = self.world.view.instruments[self.symbol]
        fitting = "filled" if "filled" in trigger.statuses else min(trigger.statuses)
        return OrderChanged(
            rule_id=trigger.rule,
            symbol=self.symbol,
            client_order_id=self._text("order", "r1-plan"),
            leg=self._text("leg", trigger.leg or "0"),
            status=cast(OrderStatus, self._choice("status", fitting)),
            side=self._choice("side", "buy"),
            cumulative_quantity=self._number("quantity", instrument.min_quantity),
            average_price=self._price(self._last("mark")),
            tag=self._text("tag", trigger.tag),
        )


def number(name: str, text: str) -> Decimal:
    """The number that was given. Raises UsageError when it is none."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite():
        raise UsageError(f"{name}={text} is not a number: {name}=70010")
    return value
