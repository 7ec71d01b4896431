"""The audit: journal and exchange side by side, every difference named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

ON_THE_BOOK = frozenset({"LIVE", "FILLED", "CANCELED", "EXPIRED"})
"""Journal states that claim exactly one order on the exchange."""

NOT_ON_THE_BOOK = frozenset({"PLANNED", "REJECTED", "LAPSED"})
"""Journal states that claim there is none."""


def differences(
    journal: Iterable[Mapping[str, Any]], exchange: Iterable[str], namespace: str
) -> list[str]:
    """A sentence for every order that is doubled, lost or unexplained.

    `journal` are the journal's orders (`client_order_id`, `state`, `order_status`); `exchange`
    the client order ids of every order that the exchange ever accepted, an untriggered
    conditional order counting once; ids of other programs are ignored.
    """
    accepted = Counter(key for key in exchange if key.startswith(f"r1-{namespace}-"))
    found = [f"{key} was accepted {n} times" for key, n in accepted.items() if n > 1]
    known = {order["client_order_id"]: order for order in journal}
    for key, order in known.items():
        state = order["state"]
        # accepted first and refused when it was triggered: its status is the exchange's word
        if state == "REJECTED" and order.get("order_status") == "REJECTED":
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
        if key not in known
    ]
    return found
