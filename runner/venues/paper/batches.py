"""Requests that carry a list: legs answered in order, each by a document or by its refusal."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .call import Call
from .errors import ApiError, refuse
from .numbers import Json, JsonObject

MAX_PLACED = 5
MAX_CANCELLED = 10


def each_leg(call: Call, name: str, operation: Callable[[Call], JsonObject]) -> list[Json]:
    """Run `operation` for each leg of the JSON list in parameter `name`; raises -4082."""
    legs = _read_list(call.params.text(name), name)
    if not 1 <= len(legs) <= MAX_PLACED:
        raise refuse(-4082, len(legs))
    return [_attempt(call.leg(_texts(leg, name)), operation) for leg in legs]


def each_id(call: Call, operation: Callable[[Call], JsonObject]) -> list[Json]:
    """Run `operation` for each id of orderIdList or origClientOrderIdList; raises -1102."""
    params = call.params
    params.one_of("orderIdList", "origClientOrderIdList")
    name = "orderIdList" if params.has("orderIdList") else "origClientOrderIdList"
    key = "orderId" if name == "orderIdList" else "origClientOrderId"
    wanted = _read_list(params.text(name), name)
    if not 1 <= len(wanted) <= MAX_CANCELLED:
        raise refuse(-4082, len(wanted))
    symbol = params.text("symbol")
    return [_attempt(call.leg({"symbol": symbol, key: str(one)}), operation) for one in wanted]


def _attempt(call: Call, operation: Callable[[Call], JsonObject]) -> JsonObject:
    try:
        return operation(call)
    except ApiError as refusal:
        return refusal.body()


def _read_list(text: str, name: str) -> list[Any]:
    try:
        found = json.loads(text, parse_float=str)
    except (ValueError, RecursionError) as error:
        raise refuse(-1102, name) from error
    if not isinstance(found, list):
        raise refuse(-1102, name)
    return found


def _texts(leg: Any, name: str) -> dict[str, str]:
    if not isinstance(leg, dict):
        raise refuse(-1102, name)
    return {key: plain(value) for key, value in leg.items() if value is not None}


def plain(value: Any) -> str:
    """Return a JSON value as the text it would have been as a form parameter."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)
