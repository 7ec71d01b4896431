"""Price `moves: 2% within 5m`: how far the price is from the window's extremes crosses a share."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import ClassVar

from runner.core.document import Node, Scope, duration
from runner.core.events import Event, PriceSource, Tick
from runner.core.figures import figure
from runner.core.formula import NUMBER, TEXT
from runner.core.rules import Interest, Match, Memory, Waits
from runner.core.triggers.crossing import Crossing, look
from runner.core.triggers.shares import percent, share
from runner.core.values import dataclass
from runner.core.view import Names
from runner.core.windows import moved_source

LONGEST = 86_400_000
CURE = "write a share and a length of time: moves: 2% within 5m"


@dataclass(frozen=True, slots=True)
class MoveTrigger:
    """The price is more than `share` from the lowest or the highest of the last `window` ms.

    The price board reckons that distance with every price; here it is a price like any other,
    and the share its level. It fires again once the distance was not past the share. Memory as
    that of PriceTrigger. The window begins anew with each start of the runner.
    """

    name: str
    share: Decimal
    window: int
    written: str
    source: PriceSource
    hold: int
    fire_after_gap: bool
    fingerprint: str

    kind: ClassVar[str] = "price"
    moving: ClassVar[bool] = False

    @property
    def fields(self) -> Scope:
        """The price, where it came from, and the signed share it moved since (0.021, -0.021)."""
        return {"price": NUMBER, "level": NUMBER, "move": NUMBER, "source": TEXT}

    @property
    def interest(self) -> Interest:
        """Ticks of its source."""
        return ("price", self.source)

    @property
    def crossing(self) -> Crossing:
        """How it waits."""
        return Crossing(self.hold, self.fire_after_gap)

    def waits(self, memory: Memory, names: Names) -> Waits:
        """Its share, as a level of how far the price moved."""
        del names
        series = moved_source(self.source, self.window)
        return Waits(series, (self.share,), "side" not in memory, self.crossing.wake_at(memory))

    def match(self, event: Event, memory: Memory, names: Names) -> Match:
        """One tick of how far the price moved."""
        assert isinstance(event, Tick)
        assert event.moved is not None
        price, origin = event.moved.price, event.moved.origin
        move = event.price if price >= origin else -event.price
        seen = look(
            event,
            names.view.board.stale_after,
            past=event.price > self.share,
            what=f"{self.source} {figure(price)}, {percent(move)} from {figure(origin)}",
            sign="is more than",
            level=self.written,
            fields={"price": price, "level": origin, "move": move, "source": str(self.source)},
        )
        return self.crossing.match(seen, memory, lambda: True)


def read(node: Node, name: str, source: PriceSource) -> MoveTrigger | None:
    """Read `moves: 2% within 5m`."""
    child, hold = node.child("moves"), node.duration("for") or 0
    parts = re.fullmatch(r"(\S+)\s+within\s+(\S+)", str(child.value).strip())
    moved = share(parts[1]) if parts is not None else None
    window = duration(parts[2]) if parts is not None else None
    if moved is None or not window:
        child.problem("moves", f"{child.value} is no move", CURE)
        return None
    if not 1_000 <= window <= LONGEST:
        child.problem("range", "the window of a move is 1s to 1d", CURE)
        return None
    return MoveTrigger(
        name=name,
        share=moved,
        window=window,
        written=str(child.value).strip(),
        source=source,
        hold=hold,
        fire_after_gap=node.text("after_gap", "wait") == "fire",
        fingerprint=f"moves {moved} {window} {source}",
    )
