"""What a bracket holds, what its exits have closed of it, and the pieces of its next step."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from runner.core.actions.order import FAILURES, OrderSpec
from runner.core.actions.size import NotPossible
from runner.core.decision import FAILED, Leg, Reason
from runner.core.figures import figure
from runner.core.flats import Closed
from runner.core.formula import EvaluationError
from runner.core.orders import CancelIntent, OrderIntent, OrderState, OrderType, Side
from runner.core.rules import ActionContext, Planned, Progress, Step
from runner.core.values import dataclass, replace
from runner.core.wording import leg_words, state_words, told_words

ZERO = Decimal(0)

TO_CLOSE = 10_000
"""Ms that a rule which cancelled an exit has to close the position as well, before an alarm."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the entry has filled, and what its exits have closed of it."""

    context: ActionContext
    entry: Leg

    @property
    def order(self) -> OrderIntent:
        """The entry's order."""
        assert isinstance(self.entry.intent, OrderIntent)
        return self.entry.intent

    @property
    def filled(self) -> Decimal:
        """All that the entry filled."""
        return _filled((self.entry,))

    @property
    def left(self) -> Decimal:
        """What of it no exit has closed yet."""
        return self.filled - _filled(self.exits)

    @property
    def stops(self) -> tuple[Leg, ...]:
        """Every stop that was placed."""
        return self._named("stop@")

    @property
    def stopped_out(self) -> bool:
        """True once a stop has closed something."""
        return _filled(self.stops) > 0

    @property
    def targets(self) -> tuple[Leg, ...]:
        """Every target that was placed."""
        return self._named("target@")

    @property
    def exits(self) -> tuple[Leg, ...]:
        """Every order that closes."""
        return (*self.stops, *self.targets, *self._named("naked@"))

    @property
    def cancels(self) -> tuple[Leg, ...]:
        """Every cancel."""
        return self._named("cancel:")

    @property
    def closed(self) -> Closed | None:
        """Whether others closed what is left; an entry that may still fill has something to do."""
        unclear = self.entry.open or self.entry.state is OrderState.PARKED
        return None if unclear else self.context.closed(self.entry)

    def part(self, kind: str) -> str:
        """The name of this kind of exit for what is filled now."""
        return f"{kind}@{self.filled.normalize():f}"

    def leg(self, kind: str) -> Leg | None:
        """The exit of this kind for what is filled now, if it was planned."""
        return self.context.leg(self.part(kind))

    def _named(self, prefix: str) -> tuple[Leg, ...]:
        start = self.context.leg_name(prefix)
        return tuple(leg for name, leg in self.context.legs.items() if name.startswith(start))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Legs to plan and problems to tell.

    `stands`: the position's stop is on the book; `naked`: it has none and gets none; `waits`: a
    rule of ours took an exit off the book, and what follows is not known yet.
    """

    planned: tuple[Planned, ...] = ()
    problems: tuple[str, ...] = ()
    stands: bool = False
    naked: bool = False
    waits: bool = False

    def and_then(self, other: Wanted) -> Wanted:
        """Both, this one first."""
        planned = (*self.planned, *other.planned)
        problems, waits = (*self.problems, *other.problems), self.waits or other.waits
        return replace(self, planned=planned, problems=problems, waits=waits)


def not_filled(entry: Leg) -> Step:
    """The step while nothing filled: waiting, done without a trade, or failed."""
    if entry.state in FAILED:
        detail = told_words(entry.name, entry.state, entry.message)
        return Step(Progress.FAILED, reason=FAILURES[entry.state], detail=detail)
    return Step(Progress.WAITING if entry.open else Progress.DONE, detail="nothing filled")


def _filled(legs: tuple[Leg, ...]) -> Decimal:
    """What these orders filled together; FILLED says it also where the quantity is not told."""
    total = ZERO
    for leg in legs:
        assert isinstance(leg.intent, OrderIntent)
        whole = leg.intent.quantity or ZERO
        done = leg.state is OrderState.FILLED
        total += max(leg.cumulative_quantity, whole) if done else leg.cumulative_quantity
    return total


def placed(held: Held, order: OrderSpec, kind: str) -> Wanted:
    """The exit, or why it cannot be made."""
    context, part = held.context, held.part(kind)
    try:
        intent = order.intent(
            context,
            part,
            side=held.order.side.opposite,
            quantity=held.left,
            reduce_only=True,
        )
    except EvaluationError as error:
        if not context.overdue:
            raise  # data may come yet: a restart knows no price at first
        return Wanted(problems=(f"{kind}: {error.reason}",))
    except NotPossible as problem:
        return Wanted(problems=(f"{kind}: {problem}",))
    return Wanted((Planned(context.leg_name(part), intent),))


def dead(leg: Leg, kind: str) -> str:
    """What became of an exit, for the alarm."""
    return f"the {kind} is {state_words(leg.state)}: {leg.message}".removesuffix(": ")


def older(legs: tuple[Leg, ...], part: str) -> tuple[Leg, ...]:
    """Those that were placed for less."""
    return tuple(leg for leg in legs if not leg.name.endswith(f".{part}"))


def clear(held: Held) -> Wanted:
    """Nothing shall fill any more while the position is closed; older stops stay until then."""
    return Wanted(cancels(held, (held.entry, *held.targets)))


def cancels(held: Held, legs: tuple[Leg, ...]) -> tuple[Planned, ...]:
    """A cancel for every leg that may still be on the book; said once a leg."""
    context = held.context
    planned = []
    for leg in legs:
        part = f"cancel:{leg.name.partition('.')[2]}"
        if not leg.open or context.leg(part) is not None:
            continue
        family, target = leg.intent.family, leg.client_order_id
        intent = CancelIntent(context.client_order_id(part), context.symbol, family, target)
        planned.append(Planned(context.leg_name(part), intent))
    return tuple(planned)


def taken_off(held: Held, leg: Leg, kind: str) -> Wanted:
    """An exit that somebody else took off the book: an alarm.

    Where a rule of ours did, its next action mostly closes the position: it has some time for it.
    """
    by = held.context.cancelled_by(leg)
    if by and held.context.now - leg.updated_at < TO_CLOSE:
        return Wanted(waits=True)
    how = f" ({leg.message})" if leg.message else ""
    return Wanted(problems=(f"the {kind} was cancelled {_whose(by)}{how}: there is none now",))


def _whose(by: str) -> str:
    return f"by {by}" if by else "from outside"


def was_cancelled(held: Held, leg: Leg) -> bool:
    """True when the bracket itself took this leg off the book."""
    return held.context.leg(f"cancel:{leg.name.partition('.')[2]}") is not None


def close(held: Held) -> Wanted:
    """A reduce-only market order for all that is held, once."""
    leg = held.leg("naked")
    if leg is not None:
        return Wanted(problems=() if leg.open else (dead(leg, "close"),))
    context, entry, part = held.context, held.order, held.part("naked")
    intent = OrderIntent(
        client_order_id=context.client_order_id(part),
        symbol=context.symbol,
        side=entry.side.opposite,
        type=OrderType.MARKET,
        quantity=_closable(held),
        reduce_only=entry.position_side == "BOTH",
        position_side=entry.position_side,
    )
    return Wanted((Planned(context.leg_name(part), intent),))


def _closable(held: Held) -> Decimal:
    """All that is left; in hedge mode no more than the side holds, since more is refused there."""
    side, view = held.order.position_side, held.context.view
    if side == "BOTH" or not view.positions_known:
        return held.left
    size = abs(held.context.held(side))
    return min(size, held.left) if size else held.left


def all_closed(held: Held) -> Step:
    """All that filled is closed: whatever else is open goes off the book."""
    return progress(held, Wanted(cancels(held, (held.entry, *held.exits))))


def lost(held: Held, closed: Closed) -> Step:
    """Others closed what is left: once that is sure, the exits go and the bracket ends.

    Before, nothing is placed: an exit would be refused, and an alarm would be false.
    """
    if not closed.sure:
        step = progress(held, Wanted())
        return replace(step, progress=Progress.PASSED) if step.progress is Progress.DONE else step
    step = progress(held, Wanted(cancels(held, held.exits)))
    if step.progress is not Progress.DONE:
        return step
    long = held.order.side is Side.BUY
    text = (
        f"{figure(held.left)} {'long' if long else 'short'} were closed by {closed.by}: nothing is "
        "left for its exits to close, none is on the book"
    )
    return replace(step, reason=Reason.POSITION_CLOSED, detail=text)


def progress(held: Held, wanted: Wanted) -> Step:
    """WAITING until every exit has its verdict, then PASSED, DONE when nothing is open."""
    problems = (*wanted.problems, *_stuck(held))
    rest = (*held.exits, *held.cancels)
    quiet = not (wanted.planned or wanted.waits)
    over = quiet and not held.entry.open and not any(leg.open for leg in rest)
    settled = not wanted.planned and all(leg.settled for leg in rest)
    closed = held.left <= 0
    passed = Progress.PASSED if settled or closed else Progress.WAITING
    return Step(
        Progress.DONE if over else passed,
        wanted.planned,
        ask_again=wanted.waits,
        detail="; ".join(problems),
        critical=bool(problems),
    )


def _stuck(held: Held) -> Iterator[str]:
    """Legs that the exchange refused to cancel and that are still open."""
    context = held.context
    for leg in (held.entry, *held.exits):
        cancel = context.leg(f"cancel:{leg.name.partition('.')[2]}")
        if leg.open and cancel is not None and cancel.state in FAILED:
            yield f"{leg_words(leg.name)} could not be cancelled: {cancel.message}"
