"""Price `crosses_above` and `crosses_below`: the step of a price over a level."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from runner.core.document import Node, Scope, Term
from runner.core.events import Event, PriceSource, Tick
from runner.core.figures import figure
from runner.core.formula import NUMBER, TEXT
from runner.core.rules import Interest, Match, Memory, Waits
from runner.core.triggers.crossing import Crossing, look
from runner.core.values import dataclass
from runner.core.view import Names

MOVING = frozenset({"position", "account"})


@dataclass(frozen=True, slots=True)
class PriceTrigger:
    """`crosses_above` or `crosses_below` a level; equal is not past.

    Memory: `side` (past / not past / absent when new), `armed`, `generation` (the event key,
    counts firings and never restarts), `crossed_at` while `for:` is running.
    """

    name: str
    above: bool
    level: Term
    source: PriceSource
    hold: int
    rearm: Term | None
    fire_after_gap: bool
    fingerprint: str

    kind: ClassVar[str] = "price"

    @property
    def fields(self) -> Scope:
        """The price that fired it and the level it crossed."""
        return {"price": NUMBER, "level": NUMBER, "source": TEXT}

    @property
    def interest(self) -> Interest:
        """Ticks of its source."""
        return ("price", self.source)

    @property
    def moving(self) -> bool:
        """True when a level is a formula."""
        terms = (self.level, self.rearm)
        return any(term is not None and term.formula is not None for term in terms)

    @property
    def crossing(self) -> Crossing:
        """How it waits."""
        return Crossing(self.hold, self.fire_after_gap)

    def waits(self, memory: Memory, names: Names) -> Waits:
        """The level that may fire it; once it fired, where it says that it is not armed, and arms.

        A level that changes nothing as things stand is none: busy prices would be heard in vain.
        """
        wake_at = self.crossing.wake_at(memory)
        return Waits(self.source, self._levels(memory, names), "side" not in memory, wake_at)

    def _levels(self, memory: Memory, names: Names) -> tuple[Decimal, ...]:
        level = self.level.number(names)
        if self.rearm is None:
            return (level,)
        rearm = self.rearm.number(names)
        if memory.get("armed", True):
            return (level,)
        # a formula may put the border past the level: then both must be on the right side
        beyond = rearm <= level if self.above else rearm >= level
        return (rearm,) if memory.get("told") and beyond else (level, rearm)

    def match(self, event: Event, memory: Memory, names: Names) -> Match:
        """One tick. Raises EvaluationError when the level has no value now."""
        assert isinstance(event, Tick)
        level = self.level.number(names)
        seen = look(
            event,
            names.view.board.stale_after,
            past=event.price > level if self.above else event.price < level,
            what=f"{self.source} {figure(event.price)}",
            sign=">" if self.above else "<",
            level=figure(level),
            fields={"price": event.price, "level": level, "source": str(self.source)},
        )
        return self.crossing.match(seen, memory, lambda: self._rearmed(event.price, names))

    def _rearmed(self, price: Decimal, names: Names) -> bool:
        """Without `rearm:` being not past the level is enough."""
        if self.rearm is None:
            return True
        border = self.rearm.number(names)
        return price < border if self.above else price > border


def read(node: Node, name: str, way: str, source: PriceSource) -> PriceTrigger | None:
    """Read the `way` (crosses_above or crosses_below) of a block."""
    levels = read_levels(node, way, above=way == "crosses_above")
    hold = node.duration("for") or 0
    if levels is None:
        return None
    return PriceTrigger(
        name=name,
        above=way == "crosses_above",
        level=levels[0],
        source=source,
        hold=hold,
        rearm=levels[1],
        fire_after_gap=node.text("after_gap", "wait") == "fire",
        # the wait and the gap policy may change without forgetting which side the price is on
        fingerprint=f"{way} {node.value[way]} {source} {node.value.get('rearm')}",
    )


def read_levels(node: Node, way: str, *, above: bool) -> tuple[Term, Term | None] | None:
    """The level below `way`, and that of `rearm`; notes problems."""
    level, rearm = node.positive(way), node.positive("rearm")
    if level is None:
        return None
    for key, term in ((way, level), ("rearm", rearm)):
        check_names(node.child(key), term)
    _check_rearm(node, above, level, rearm)
    return level, rearm


def check_names(node: Node, term: Term | None) -> None:
    """A level is reckoned again when the position or the account moves, not with every price."""
    named = term.formula.names if term is not None and term.formula is not None else frozenset()
    for name in sorted(named):
        if name.partition(".")[0] not in MOVING:
            node.problem(
                "formula",
                f"a level cannot follow {name}: only position.… and account.… move a level",
                "compare the two under if, such as - mark > index * 1.01",
            )


def _check_rearm(node: Node, above: bool, level: Term, rearm: Term | None) -> None:
    if rearm is None or rearm.constant is None or level.constant is None:
        return
    assert isinstance(rearm.constant, Decimal)
    assert isinstance(level.constant, Decimal)
    wrong = rearm.constant > level.constant if above else rearm.constant < level.constant
    if wrong:
        side = "below" if above else "above"
        cure = f"after a fire the price must come back {side} it, then it is armed again"
        message = f"rearm must be {side} the level it arms again"
        node.child("rearm").problem("rearm", message, cure)
