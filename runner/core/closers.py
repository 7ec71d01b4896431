"""Who closed what a bracket opened: one of our own orders, or somebody else."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from runner.core.decision import Leg
from runner.core.flats import ANYTHING, Closed
from runner.core.orders import OrderIntent
from runner.core.state import Work
from runner.core.values import replace

ENTRY: Final = ".entry"
"""How the name of a bracket's entry ends."""


def closed(work: Work, entry: Leg) -> Closed | None:
    """What the exchange said of an entry's position, with the rule or command of ours that it was.

    Named only where our own orders closed all of it, as far as this process knows.
    """
    found = work.state.flats.closed(entry)
    if found is None or found.by != ANYTHING:
        return found
    against = [leg for leg in _closing(work, entry) if leg.cumulative_quantity]
    filled = sum((leg.cumulative_quantity for leg in against), Decimal(0))
    others = [leg for leg in against if leg.run_id != entry.run_id]
    if not others or filled < entry.cumulative_quantity:
        return found
    names = dict.fromkeys(_named(work, leg) for leg in others)
    return replace(found, by=" and ".join(names))


def _closing(work: Work, entry: Leg) -> Iterator[Leg]:
    """Our orders the other way, of the same position, that something came of since it filled.

    Another bracket's exits close what that one opened.
    """
    opened = entry.intent
    known = (*work.state.legs.values(), *work.state.recent.values())
    brackets = {leg.run_id for leg in known if leg.name.endswith(ENTRY)} - {entry.run_id}
    for leg in known:
        order = leg.intent
        if (
            isinstance(opened, OrderIntent)
            and isinstance(order, OrderIntent)
            and (order.symbol, order.position_side) == (opened.symbol, opened.position_side)
            and order.side is not opened.side
            and leg.run_id not in brackets
            and (leg.run_id == entry.run_id or leg.updated_at >= entry.updated_at)
        ):
            yield leg


def _named(work: Work, leg: Leg) -> str:
    rule_id = work.rule_id(leg.run_id)
    if rule_id.startswith(":"):
        return f"runner {rule_id[1:]}"
    return f"the rule {rule_id}" if rule_id else "a command"
