"""The life of a contract: halted, settling, closed."""

from __future__ import annotations

from decimal import Decimal

from .conditional import end_algo
from .filters import CLOSED
from .forced import settle
from .matching import DELISTED, close
from .numbers import JsonObject
from .state import PublicEvent, State


def change_status(
    state: State, name: str, status: str, now: int, settlement: Decimal | None = None
) -> None:
    """Give a symbol another status and end what cannot go on in it."""
    state.symbols[name] = state.symbols[name].with_status(status)
    document = state.symbols[name].document
    state.statuses[name] = status
    state.version += 1
    payload: JsonObject = {
        "e": "contractInfo",
        "E": now,
        "s": name,
        "ps": str(document.get("pair", name)),
        "ct": str(document.get("contractType", "PERPETUAL")),
        "dt": document.get("deliveryDate", 0),
        "ot": document.get("onboardDate", 0),
        "cs": status,
        "st": 1,
    }
    state.events.append(PublicEvent(("!contractInfo",), payload))
    if status not in CLOSED:
        return
    for order in list(state.resting.get(name, {}).values()):
        close(state, order, "EXPIRED", now, DELISTED)
    for algo in list(state.waiting.get(name, {}).values()):
        end_algo(state, algo, "EXPIRED", now, "Symbol is closed.")
    if status == "SETTLING":
        settle(state, name, settlement or state.market(name).mark, now)
