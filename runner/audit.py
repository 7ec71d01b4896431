"""The audit: journal and exchange side by side, every difference named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from runner.errors import JournalRestored
from runner.journal.witness import CURE
from runner.venues import PlacedOrder

ON_THE_BOOK = frozenset({"LIVE", "FILLED", "CANCELED", "EXPIRED"})
"""Journal states that claim exactly one order on the exchange."""

NOT_ON_THE_BOOK = frozenset({"PLANNED", "REJECTED", "LAPSED"})
"""Journal states that claim there is none."""

LOOK_BACK = 86_400_000
"""Ms before a start in which the exchange is asked for orders that the journal does not know."""

MOST_NAMED = 5


def differences(
    journal: Iterable[Mapping[str, Any]],
    exchange: Iterable[str],
    namespace: str,
    told: Collection[str] = (),
) -> list[str]:
    """A sentence for every order that is doubled, lost or unexplained.

    `journal` are the journal's orders (`client_order_id`, `state`, `order_status`); `exchange`
    the client order ids of every order that the exchange ever accepted, an untriggered
    conditional order counting once; ids of other programs are ignored. `told` are those of which a
    restored journal was told by the exchange: a person knows of them.
    """
    accepted = Counter(key for key in exchange if own(key, namespace))
    found = [f"{key} was accepted {n} times" for key, n in accepted.items() if n > 1]
    known = {order["client_order_id"]: order for order in journal}
    for key, order in known.items():
        state = order["state"]
        # accepted first and refused when it was triggered: its status is the exchange's word
        if state == "REJECTED" and order["order_status"] == "REJECTED":
            continue
        if state in ON_THE_BOOK and not accepted[key]:
            found.append(f"{key} is {state} in the journal, the exchange never accepted it")
        if state in NOT_ON_THE_BOOK and accepted[key]:
            found.append(f"{key} is {state} in the journal, the exchange accepted it")
        if state in ("SENDING", "UNKNOWN"):
            found.append(f"{key} is still {state}")
    found += [
        f"{key} is on the exchange, the journal does not know it"
        for key in accepted
        if key not in known and key not in told
    ]
    return found


def own(client_order_id: str, namespace: str) -> bool:
    """True for an id that a runner of this namespace gave."""
    return client_order_id.startswith(f"r1-{namespace}-")


def remembered_since(
    journal: Iterable[Mapping[str, Any]], placed: Iterable[PlacedOrder], since: int
) -> list[Mapping[str, Any]]:
    """The journal's orders of which the exchange must still tell: those sent since then (ms).

    An older one counts only where the exchange tells of it.
    """
    told = {order.client_order_id for order in placed}
    return [
        order
        for order in journal
        if order["client_order_id"] in told or (order["signed_time"] or 0) >= since
    ]


def orphans(
    placed: Iterable[PlacedOrder], known: Iterable[str], namespace: str
) -> list[PlacedOrder]:
    """Own orders on the exchange that the journal does not know, oldest first."""
    ids = frozenset(known)
    found = [
        order
        for order in placed
        if own(order.client_order_id, namespace) and order.client_order_id not in ids
    ]
    return sorted(found, key=lambda order: (order.placed_time, order.client_order_id))


def described(order: PlacedOrder) -> str:
    """An orphan in words."""
    return f"{order.client_order_id} ({order.symbol} {order.status}, order {order.order_id})"


def forgotten(name: str, found: Sequence[PlacedOrder]) -> JournalRestored:
    """The error for a journal that does not know orders which only its own runner can have sent."""
    named = ", ".join(map(described, found[:MOST_NAMED]))
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return JournalRestored(
        f"the exchange has orders that {name} does not know, though their ids are this "
        f"runner's: {named}{more}. {CURE}"
    )
