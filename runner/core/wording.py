"""Orders, their states and what they are for in a trader's words: one place for log and screens."""

from __future__ import annotations

from collections.abc import Mapping

from runner.core.figures import figure
from runner.core.orders import (
    AmendIntent,
    CancelIntent,
    Intent,
    OrderIntent,
    OrderState,
    Outcome,
    SettingIntent,
)

_PARTS: Mapping[str, str] = {
    "naked": "emergency close",
    "both": "order",
    "long": "order for the long position",
    "short": "order for the short position",
    "open": "opening order",
    "close": "closing order",
    "reduce": "reducing order",
    "order": "cancel of all orders",
    "algo": "cancel of all conditional orders",
}

_SIDES = ("both", "long", "short")

_STATES: Mapping[OrderState, str] = {
    OrderState.PLANNED: "planned, not sent yet",
    OrderState.SENDING: "sent, no answer yet",
    OrderState.UNKNOWN: "unclear, the exchange is asked whether it has it",
    OrderState.LIVE: "on the book",
    OrderState.FILLED: "filled",
    OrderState.CANCELED: "cancelled",
    OrderState.EXPIRED: "expired",
    OrderState.REJECTED: "refused by the exchange",
    OrderState.LAPSED: "not sent",
    OrderState.PARKED: "parked, a person must look",
    OrderState.DONE: "done",
}

_OUTCOMES: Mapping[Outcome, str] = {
    Outcome.ACCEPTED: "accepted",
    Outcome.REJECTED: "refused",
    Outcome.NOT_ACCEPTED: "certainly without effect",
    Outcome.NOT_SENT: "never left",
    Outcome.ABSENT: "not there",
    Outcome.UNKNOWN: "no clear answer",
}

_STEPS: Mapping[tuple[OrderState, OrderState], str] = {
    (OrderState.SENDING, OrderState.PLANNED): "did not get there, it is sent again",
    (OrderState.UNKNOWN, OrderState.PLANNED): "not at the exchange for certain, it is sent again",
    (OrderState.SENDING, OrderState.UNKNOWN): "no clear answer, the exchange is asked about it",
    (OrderState.UNKNOWN, OrderState.LIVE): "found on the book",
    (OrderState.LIVE, OrderState.UNKNOWN): "the exchange does not list it, it is asked about it",
}


def leg_words(name: str) -> str:
    """What a leg is: 0.0 -> order 1, 0.stop@0.02 -> stop for 0.02, 2.entry -> entry (action 3)."""
    if name.startswith("aside."):
        return f"cancel of {leg_words(name.removeprefix('aside.'))}"
    index, dot, part = name.partition(".")
    if not (dot and index.isdigit()):
        return name
    place = "" if index == "0" else f" (action {int(index) + 1})"
    if part.startswith("cancel:"):
        about = part.removeprefix("cancel:")
        what = f"order {about}" if about.startswith("r1-") else _part(about)
        return f"cancel of {what}{place}"
    return f"{_part(part)}{place}"


def _part(part: str) -> str:
    kind, at, size = part.partition("@")
    if kind.isdigit():
        return f"order {int(kind) + 1}"
    if kind.startswith("r1-"):
        return f"request about {kind}"
    if at and kind in _SIDES:  # a sweep closes until nothing is held, and counts its tries
        return "closing order" if size == "0" else f"closing order {int(size) + 1}"
    words = _PARTS.get(kind, kind.replace("_", " "))
    return f"{words} for {size}" if at else words


def state_words(state: OrderState | str) -> str:
    """Where an order stands: LIVE -> on the book."""
    return _STATES[OrderState(state)]


def outcome_words(outcome: Outcome | str | None) -> str:
    """What became of one attempt to send: REJECTED -> refused; None -> no answer yet."""
    return "no answer yet" if outcome is None else _OUTCOMES[Outcome(outcome)]


def change_words(before: OrderState, after: OrderState) -> str:
    """What became of an order: UNKNOWN, PLANNED -> not at the exchange, it is sent again."""
    return _STEPS.get((before, after)) or state_words(after)


def told_words(name: str, state: OrderState, message: str = "") -> str:
    """An order's fate in one line: order 1 refused by the exchange: margin is insufficient."""
    return f"{leg_words(name)} {state_words(state)}: {message}".removesuffix(": ")


def intent_words(intent: Intent, name: str = "") -> str:
    """An intent: buy market 0.02, sell stop_market 0.02 @ 68000; `name` is that of its leg."""
    if isinstance(intent, AmendIntent):
        return f"change {intent.target} to {figure(intent.quantity)} @ {figure(intent.price)}"
    if isinstance(intent, SettingIntent):
        return f"set {intent.setting.value} {intent.value}"
    if isinstance(intent, CancelIntent):
        return cancel_words(intent.target, name, intent.family.value)
    return _order_words(intent)


def plain_words(order: Mapping[str, object]) -> str:
    """An order of the journal's reader in a trader's words: sell stop_market 0.02 @ 68000."""
    if order["kind"] == "setting":
        return f"set {order['setting']} {order['value']}"
    if order["kind"] == "change":
        return f"change {order['target']} to {order['quantity']} @ {order['price']}"
    if order["kind"] == "cancel":
        target = None if order["target"] is None else str(order["target"])
        return cancel_words(target, str(order["leg"]), str(order["family"]))
    words = [str(order["side"]).lower(), str(order["type"]).lower()]
    if order["quantity"] is not None:
        words.append(str(order["quantity"]))
    prices = (order["trigger_price"], order["price"])
    words += [f"@ {price}" for price in prices if price is not None]
    words += [flag.replace("_", " ") for flag in ("reduce_only", "close_position") if order[flag]]
    return " ".join(words)


def cancel_words(target: str | None, name: str, family: str) -> str:
    """What a cancel is about: cancel stop for 0.02, cancel all orders."""
    if target is None:
        return f"cancel all {'conditional ' if family == 'algo' else ''}orders"
    about = leg_words(name)
    return about.replace("cancel of", "cancel", 1) if "cancel of" in about else f"cancel {target}"


def _order_words(intent: OrderIntent) -> str:
    words = [intent.side.value.lower(), intent.type.value.lower()]
    if intent.quantity is not None:
        words.append(figure(intent.quantity))
    prices = (intent.trigger_price, intent.price)
    words += [f"@ {figure(price)}" for price in prices if price is not None]
    if intent.close_position:
        words.append("close position")
    if intent.reduce_only:
        words.append("reduce only")
    return " ".join(words)
