"""The JSON Schema of rule files, bundled from the fragments that stand beside each kind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from runner.core import limits
from runner.core.actions import ACTIONS
from runner.core.rules import ActionKind, TriggerKind
from runner.core.triggers import TRIGGERS

FILE_NAME = "rules.v1.schema.json"

SYMBOLS: Mapping[str, Any] = {
    "type": ["array", "string"],
    "minItems": 1,
    "uniqueItems": True,
    "items": {"type": "string", "description": "A symbol or the name of a list: BTCUSDT"},
}


def _duration(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


def _count(description: str) -> dict[str, Any]:
    return {"type": "integer", "minimum": 1, "description": description}


ACCOUNT: Mapping[str, Any] = {
    "type": "string",
    "minLength": 1,
    "description": "One of the accounts in runner.yaml: main. Left out: the default account.",
}

GUARDS: Mapping[str, Any] = limits.schema(
    "Limits that are checked before every order of every rule of this file; exits always pass. "
    "Example: {max_order_notional: 5000, max_orders_per_minute: 20}"
)

DEAD_MAN: Mapping[str, Any] = {
    "type": "object",
    "description": "The exchange cancels the open orders of these symbols when the runner falls "
    "silent. Example: {symbols: majors, countdown: 2m, refresh: 30s}",
    "additionalProperties": False,
    "required": ["symbols", "countdown", "refresh"],
    "properties": {
        "symbols": {**SYMBOLS, "description": "The symbols: a list's name or [BTCUSDT, ETHUSDT]"},
        "countdown": _duration("After this silence the exchange cancels the open orders: 2m"),
        "refresh": _duration("How often the countdown is started anew: 30s"),
        "require": {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {
                "enum": ["streams", "heartbeat"],
                "description": "streams: prices and own events come in; heartbeat: no heartbeat "
                "that a rule expects on the symbol is lost.",
            },
            "description": "What must be well for the countdown to be started anew, besides the "
            "runner itself: [streams, heartbeat]. While it is not, the exchange cancels open "
            "orders, working exits included.",
        },
    },
}

LISTS: Mapping[str, Any] = {
    "type": "object",
    "description": "Names for groups of symbols. Example: {majors: [BTCUSDT, ETHUSDT]}",
    "additionalProperties": {
        "type": "array",
        "minItems": 1,
        "uniqueItems": True,
        "items": {"type": "string", "description": "A symbol: BTCUSDT"},
        "description": "The symbols of the list: [BTCUSDT, ETHUSDT]",
    },
}

MAX_FIRES: Mapping[str, Any] = {
    "type": ["integer", "object"],
    "minimum": 1,
    "additionalProperties": False,
    "minProperties": 1,
    "properties": {
        "per_day": _count("How often it may fire on one UTC day: 3"),
        "total": _count("How often it may fire at all: 10"),
    },
    "description": "How often it may fire at all, or {per_day: 3, total: 10}; for each symbol",
}

WINDOW: Mapping[str, Any] = {
    "days": {
        "type": ["string", "array"],
        "minItems": 1,
        "items": {"type": "string", "description": "A weekday, or days in a row: mon, mon-fri"},
        "description": "The weekdays on which it begins: mon-fri, sat, or [mon, wed, fri]. Every "
        "day when left out.",
    },
    "from": {
        "type": "string",
        "description": 'When it begins: "08:00". At midnight when left out.',
    },
    "to": {
        "type": "string",
        "description": 'When it is over: "17:30"; before from, on the next day. At midnight '
        "when left out.",
    },
}

ACTIVE: Mapping[str, Any] = {
    "type": ["object", "array"],
    "minItems": 1,
    "additionalProperties": False,
    "minProperties": 1,
    "properties": WINDOW,
    "items": {
        "type": "object",
        "description": 'One window: {days: mon-fri, from: "08:00", to: "17:30"}',
        "additionalProperties": False,
        "minProperties": 1,
        "properties": WINDOW,
    },
    "description": "When it may fire, in its timezone; outside it is recorded as not active. One "
    'window, or a list of them: {days: mon-fri, from: "08:00", to: "17:30"}',
}

IF: Mapping[str, Any] = {
    "type": "array",
    "minItems": 1,
    "items": {"type": "string", "description": "A formula: position.size == 0"},
    "description": "All of these must be true when it fires; every line is a formula. "
    "Example: [position.size == 0, account.available >= 500]",
}


def _items(kinds: Mapping[str, TriggerKind] | Mapping[str, ActionKind], what: str) -> Any:
    """One entry of `when` or `do`: the kind is its only key. No oneOf: messages stay exact."""
    return {
        "type": "object",
        "description": what,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
        "properties": {name: kind.schema for name, kind in kinds.items()},
    }


def _rule() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "One rule. Example: {id: tp, symbol: BTCUSDT, when: […], do: […]}",
        "additionalProperties": False,
        "required": ["id", "when", "do"],
        "properties": {
            "id": {
                "type": "string",
                "pattern": "^[a-z][a-z0-9-]{1,47}$",
                "description": "A short name that stays: cooldown, armed state and timers are "
                "kept under it. Example: btc-breakout",
            },
            "name": {
                "type": "string",
                "description": "What people call the rule: Buy the 70k breakout",
            },
            "account": ACCOUNT,
            "symbol": {"type": "string", "description": "The symbol it trades: BTCUSDT"},
            "symbols": {
                **SYMBOLS,
                "description": "Several symbols, one run and one state for each: a list's name "
                "or [BTCUSDT, ETHUSDT]",
            },
            "when": {
                "type": "array",
                "minItems": 1,
                "items": _items(TRIGGERS, "One trigger. Example: - price: {crosses_above: 70000}"),
                "description": "What fires the rule: any of these. "
                "Example: [{price: {crosses_above: 70000}}]",
            },
            "if": IF,
            "do": {
                "type": "array",
                "minItems": 1,
                "items": _items(ACTIONS, "One action. Example: - close: {type: market}"),
                "description": "What it does, in this order. Example: [{close: {type: market}}]",
            },
            "timezone": {
                "type": "string",
                "description": "The time zone of active and of now.hour, now.minute and "
                "now.weekday: Europe/Berlin. UTC when left out.",
            },
            "active": ACTIVE,
            "mode": {
                "enum": ["single", "queued", "restart"],
                "description": "What to do when it fires while its last run on the symbol goes "
                "on: single does not fire, queued runs afterwards (at most 10 wait), restart takes "
                "its place: open entries are cancelled, what has filled keeps its exits. Default: "
                "queued for a rule with a webhook and without a bracket, else single. A rule "
                "with target needs none: its newest target holds.",
            },
            "renamed_from": {
                "type": "string",
                "pattern": "^[a-z][a-z0-9-]{1,47}$",
                "description": "The id it had before: cooldown, armed state and timers go on "
                "under the new one. Example: old-breakout",
            },
            "guards": limits.schema(
                "Limits of this rule, besides those of its file and of its account; the tightest "
                "holds. Orders are counted for this rule alone. Example: {max_open_orders: 3}"
            ),
            "cooldown": _duration("After a fire it does not fire again for this long: 4h"),
            "max_fires": MAX_FIRES,
            "enabled": {
                "type": "boolean",
                "description": "false: the rule is loaded but does not fire. Default true.",
            },
            "dry_run": {
                "type": "boolean",
                "description": "true: it fires and shows its orders, but sends none.",
            },
            "expires_after": _duration(
                "An entry decided this long ago is not sent any more: 30s. Default 60s."
            ),
            "on_unknown": {
                "enum": ["resend", "hold"],
                "description": "What to do with an entry that was lost on its way, once it is "
                "proven that the exchange does not have it: resend (default) sends it again while "
                "it is not too old, hold leaves it to a person.",
            },
            "on_remove": {
                "enum": ["keep", "cancel"],
                "description": "What becomes of its open entries when the rule, or a symbol of "
                "it, is taken out and the files are reloaded: keep (default) leaves them on the "
                "book, cancel takes them off. Exits of what has filled always stay.",
            },
            "on_failure": {
                "enum": ["stop", "continue"],
                "description": "What to do after an action failed: stop (default) leaves out the "
                "rest of do, continue goes on.",
            },
        },
    }


@cache
def bundle() -> dict[str, Any]:
    """The whole schema, draft-07. Read it, do not change it."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Rules",
        "description": "A rule file: which events lead to which orders.",
        "type": "object",
        "additionalProperties": False,
        "required": ["version", "rules"],
        "properties": {
            "version": {"enum": [1], "description": "The version of this format: 1"},
            "account": ACCOUNT,
            "lists": LISTS,
            "guards": GUARDS,
            "dead_man": DEAD_MAN,
            "rules": {
                "type": "array",
                "minItems": 1,
                "items": _rule(),
                "description": "The rules of this file, each starting with - id:",
            },
        },
    }


def text() -> str:
    """The schema as it stands in schemas/ for editors, the same bytes every time."""
    # what editors show takes words from the checks, and they are made of this schema
    from runner.rulebook.editing import for_editors

    return json.dumps(for_editors(bundle()), indent=2, ensure_ascii=False) + "\n"


def write(path: Path) -> None:
    """Write the schema to a file; `schemas/rules.v1.schema.json` is made this way."""
    path.write_text(text(), "utf-8")


if __name__ == "__main__":
    from runner.resources import folder

    write(folder("schemas") / FILE_NAME)
