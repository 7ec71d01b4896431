"""The paper exchange that several rooms' tests trade on: nothing in it runs out."""

from __future__ import annotations

from collections.abc import Callable, Collection
from decimal import Decimal

from runner.venues.paper.exchange import Exchange
from runner.venues.paper.symbols import built_in


def bottomless(
    now: int, price_of: Callable[[str], Decimal], symbols: Collection[str] = ()
) -> Exchange:
    """A million USDT, a book that takes any size, no leverage brackets, no account yet.

    `symbols` are those that it lists; all that are built in when left out.
    """
    return Exchange(
        {name: one for name, one in built_in().items() if not symbols or name in symbols},
        balance={"USDT": Decimal(1_000_000)},
        accounts=(),
        brackets=(),
        price_of=price_of,
        level_quantity=None,
        now=now,
    )
