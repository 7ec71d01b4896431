"""What a schema tells editors besides what is allowed: headings, snippets, words for mistakes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from runner.core.actions import ACTIONS
from runner.core.rules import ActionKind, TriggerKind
from runner.core.triggers import TRIGGERS
from runner.rulebook.objections import DURATIONS, PATTERNS
from runner.rulebook.reader import read
from runner.rulebook.words import either

DURATION = r"^(?=\d)(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?$"
"""What `core.document.duration` reads, for the eye of an editor."""

KEYWORDS = frozenset(
    {
        "title",
        "markdownDescription",
        "enumDescriptions",
        "defaultSnippets",
        "doNotSuggest",
        "errorMessage",
    }
)
"""What `for_editors` adds and no validator looks at."""

MEANINGS: Mapping[str, Mapping[str, str]] = {
    "missed": {
        "skip": "they are recorded, and do not fire",
        "last": "the newest of them fires, once",
        "all": "each of them fires",
    },
    "text": {
        "pairs": "name=value, separated by blanks, commas, semicolons or line breaks",
        "words": "the fields of body, in their order, separated by blanks",
    },
    "after_gap": {
        "wait": "it is recorded, and does not fire",
        "fire": "it fires as soon as prices are back",
    },
    "mode": {
        "single": "it does not fire; recorded as still running",
        "queued": "it runs afterwards, in the order of arrival; at most 10 wait",
        "restart": "it takes the place: open entries are cancelled, what filled keeps its exits",
    },
    "on_unknown": {
        "resend": "it is sent again, while it is not too old",
        "hold": "it is parked, and you decide: runner resolve",
    },
    "is": {
        "opened": "it was flat and is not any more",
        "closed": "it is flat again, whoever closed it",
        "liquidation": "the exchange closes it by force",
        "adl": "the exchange takes it over to cover another account's loss",
        "margin_call": "the exchange warns that its margin is nearly used up",
    },
    "status": {
        "filled": "all of it",
        "partly_filled": "some of it, and the rest may follow",
        "rejected": "the exchange refused it for certain",
        "cancelled": "it was taken off the book, by whomever",
        "expired": "it ended by itself: its time was over, or it could not fill at once",
    },
    "margin_type": {
        "isolated": "the position has margin of its own: it can lose no more than that",
        "crossed": "all positions share the account's margin",
    },
    "require": {
        "streams": "prices and own events must come in",
        "heartbeat": "no heartbeat that a rule expects on the symbol may be lost",
    },
    "position_mode": {
        "one_way": "one position a symbol, long or short",
        "hedge": "a long and a short position beside each other",
    },
    "price_match": {
        "opponent": "the best price of the other side",
        "opponent_5": "the fifth best price of the other side",
        "queue": "the best price of the own side",
        "queue_5": "the fifth best price of the own side",
        "queue_10": "the tenth best price of the own side",
        "queue_20": "the twentieth best price of the own side",
    },
    "self_trade_prevention": {
        "expire_taker": "the one that comes ends, the one on the book stays",
        "expire_maker": "the one on the book ends, the one that comes goes on",
        "expire_both": "both end",
    },
    "on_remove": {
        "keep": "they stay on the book and are looked after",
        "cancel": "they are taken off the book",
    },
    "on_failure": {"stop": "the rest of do is left out", "continue": "the rest of do goes on"},
    "on_naked": {
        "close": "the position is closed at market",
        "alarm": "the position stays, with a critical alarm",
    },
    "type": {
        "limit": "at the price or better; stays on the book",
        "market": "at once, at what the book gives",
        "stop": "a limit order, once the trigger price is reached against the position",
        "stop_market": "a market order, once the trigger price is reached against the position",
        "take_profit": "a limit order, once the trigger price is reached in favour",
        "take_profit_market": "a market order, once the trigger price is reached in favour",
        "trailing_stop_market": "a market order, once the price turned by callback_rate",
    },
    "time_in_force": {
        "gtc": "stays until it is filled or cancelled",
        "ioc": "what fills at once; the rest is cancelled",
        "fok": "all of it at once, or nothing",
        "gtx": "only if it rests on the book: never as taker",
    },
    "price_source": {"index": "the index price", "mark": "the mark price"},
    "round": {
        "toward_zero": "down to the step size: never more than written",
        "nearest": "to the nearest multiple of the step size",
    },
    "position_side": {
        "both": "one-way mode",
        "long": "hedge mode: the long position",
        "short": "hedge mode: the short position",
    },
    "working_type": {
        "mark_price": "the mark price starts it",
        "contract_price": "the last price starts it",
    },
    "source": {
        "mark": "the mark price, which liquidations go by",
        "last": "the price of the last trade",
        "bid": "the best bid",
        "ask": "the best ask",
        "index": "the index price, an average of spot exchanges",
    },
}
"""What the words mean that a key may have; editors show it beside each."""

_BLOCK = r"\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}"
_CODE = re.compile(rf"({_BLOCK}|\[[^\[\]]*\])")
"""What stands in braces or brackets."""


def prose(text: str) -> str:
    """A description as Markdown: blocks and lists as code, and nothing taken for markup."""
    parts = _CODE.split(text)
    plain = [re.sub(r"([*<|])", r"\\\1", part) for part in parts[::2]]
    code = [f"`{part}`" for part in parts[1::2]]
    return "".join(part for pair in zip(plain, [*code, ""], strict=True) for part in pair)


def for_editors(schema: Mapping[str, Any], name: str = "", own: str = "") -> dict[str, Any]:
    """The same schema, which allows the same, with what makes an editor pleasant.

    `name` is the key that it stands behind, `own` what a block is called in messages.
    """
    shown = {**schema, **_words(schema, name)}
    if "object" in schema.get("type", ()):
        shown["title"] = own or schema.get("title") or name
    if all(isinstance(choice, str) for choice in schema.get("enum", (0,))):
        # an editor that fills in required keys leaves out those of no type
        shown["type"] = "string"
    if _is_duration(schema, name):
        shown["pattern"] = DURATION
    if "properties" in schema:
        keys = schema["properties"].items()
        shown["properties"] = {key: for_editors(below, key) for key, below in keys}
    if "items" in schema:
        one = name if "enum" in schema["items"] else ""
        shown["items"] = for_editors(schema["items"], one, own=_entry(schema["items"]))
    if isinstance(schema.get("additionalProperties"), dict):
        shown["additionalProperties"] = for_editors(schema["additionalProperties"])
    _offer_kinds(shown, own)
    return shown


def _offer_kinds(shown: dict[str, Any], own: str) -> None:
    """At a dash, offer the kinds with a whole example each, in the place of their bare names."""
    kinds: Mapping[str, TriggerKind | ActionKind] = _KINDS.get(own, {})
    if not kinds:
        return
    shown["defaultSnippets"] = [
        {"label": name, "description": kind.schema["description"], "body": snippet(kind)}
        for name, kind in kinds.items()
    ]
    keys = shown["properties"].items()
    shown["properties"] = {key: {**below, "doNotSuggest": True} for key, below in keys}


_KINDS: Mapping[str, Mapping[str, TriggerKind | ActionKind]] = {
    "trigger": TRIGGERS,
    "action": ACTIONS,
}


def _is_duration(schema: Mapping[str, Any], name: str) -> bool:
    return name in DURATIONS and schema.get("type") == "string"


def _entry(schema: Mapping[str, Any]) -> str:
    """What one entry of a list of blocks is called."""
    keys = schema.get("properties", {})
    if "when" in keys:
        return "rule"
    if keys.keys() == TRIGGERS.keys():
        return "trigger"
    if keys.keys() == ACTIONS.keys():
        return "action"
    return "order" if "side" in keys else ""


def _words(schema: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The description as Markdown, what each choice means, and the message for a mistake."""
    words: dict[str, Any] = {}
    about = schema.get("description", "")
    if prose(about) != about:
        words["markdownDescription"] = prose(about)
    choices = [str(choice) for choice in schema.get("enum", ())]
    meanings = MEANINGS.get(name, {})
    if choices and meanings.keys() >= set(choices):
        words["enumDescriptions"] = [meanings[choice] for choice in choices]
    if _is_duration(schema, name):
        words["errorMessage"] = f"{name} must be a length of time with a unit: 15s, 4h or 1h30m"
    elif "pattern" in schema:
        words["errorMessage"] = f"{name} must be {PATTERNS[schema['pattern']]}"
    elif choices and name:
        words["errorMessage"] = f"{name} must be {either(choices)}"
    return words


def snippet(kind: TriggerKind | ActionKind) -> str:
    """The example of a kind, each value a stop of the tabulator.

    The ^ before it tells editors to take it as it is.
    """
    source = read("", kind.example.encode())
    lines = list(source.lines)
    leaves = [
        place
        for path, place in source.places.items()
        if path and not isinstance(source.value(path), (dict, list))
    ]
    leaves.sort(key=lambda place: (place.line, place.column))
    for number, place in sorted(enumerate(leaves, 1), reverse=True):
        line = lines[place.line]
        text = re.sub(r"([\\$}])", r"\\\1", line[place.column : place.end_column])
        stop = f"${{{number}:{text}}}"
        lines[place.line] = line[: place.column] + stop + line[place.end_column :]
    return "^" + "\n".join(lines).removeprefix("- ")
