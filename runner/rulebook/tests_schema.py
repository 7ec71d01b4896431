"""The JSON Schema of tests files: a time line of steps for each test of a rule."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

from runner.core.actions import ACTIONS
from runner.core.orders import AmendIntent, OrderIntent, Setting
from runner.rulebook.tests_events import SCHEMA as EVENT_STEPS

FILE_NAME = "tests.v1.schema.json"

SOURCES = ("mark", "last", "bid", "ask", "index", "funding_rate")
UNSEEN = frozenset({"client_order_id", "unfenced", "target"})
"""Fields of an order that no test can foresee."""

SWITCHES = {"enable": "rules", "disable": "rules", "arm": "symbols", "disarm": "symbols"}
"""Actions of which a test says only what they switch."""

WORDS = frozenset({*SWITCHES, "notify", "cancel"})
"""Actions that send no order, or (cancel) name the orders they are about."""

WRITTEN = ("side", "type")
"""What every order under `place` says; a quantity too, unless it closes the position."""


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "description": description}


def order_fields(kind: type = OrderIntent) -> dict[str, Any]:
    """The fields of an order (or another request) that a test may compare, with their schemas."""
    hints = get_type_hints(kind)
    return {
        each.name: {**_kind(hints[each.name]), "description": _described(each.name)}
        for each in fields(kind)
        if each.name not in UNSEEN
    }


def _described(name: str) -> str:
    return _DESCRIPTIONS.get(name, f"What the order says of {name.replace('_', ' ')}.")


def sent_by(kind: str) -> dict[str, Any]:
    """The fields of what an action of this kind sends: orders, changes of one, settings."""
    if kind == "modify":
        return {"order": _number_of_order("is changed"), **order_fields(AmendIntent)}
    if kind == "set":
        return {
            setting.value: {
                "type": ["number", "string"],
                "description": f"What {setting.value.replace('_', ' ')} is set to.",
            }
            for setting in Setting
        }
    return order_fields()


def _kind(hint: Any) -> dict[str, Any]:
    kinds = [kind for kind in get_args(hint) or (hint,) if kind is not type(None)]
    kind = kinds[0]
    if issubclass(kind, StrEnum):
        return {"enum": [member.value.lower() for member in kind]}
    names = {bool: "boolean", int: "integer", Decimal: "number"}
    return {"type": names.get(kind, "string")}


_DESCRIPTIONS: Mapping[str, str] = {
    "symbol": "The symbol of the order: BTCUSDT",
    "side": "buy or sell",
    "type": "The order type: market, limit, stop_market, …",
    "quantity": "How much, in the base asset, already on the step: 0.02",
    "price": "The limit price, already on the tick: 75000.10",
    "trigger_price": "The price at which a stop or take-profit order starts: 68000",
    "time_in_force": "gtc, ioc, fok, gtx or gtd",
    "reduce_only": "true: it can only make a position smaller.",
    "close_position": "true: it closes the whole position.",
    "position_side": "both, or in hedge mode long or short",
    "working_type": "mark_price or contract_price",
    "price_protect": "true: it does not start while last and mark are apart.",
    "activation_price": "The price at which a trailing stop starts to trail: 71000",
    "callback_rate": "A trailing stop's distance in percent: 1.5",
    "good_till_time": "When a gtd order ends, in UTC milliseconds.",
    "price_match": "Which price of the book the order takes: opponent, queue_5, …",
    "self_trade_prevention": "What happens when it meets an own order.",
    "tag": "The rule's own name for the order.",
    "hold_unknown": "true: once proven absent it is not sent again.",
}


def _order(description: str, required: tuple[str, ...] = ()) -> dict[str, Any]:
    schema = {
        "type": "object",
        "description": description,
        "additionalProperties": False,
        "properties": order_fields(),
    }
    return {**schema, "required": list(required)} if required else schema


def _place() -> dict[str, Any]:
    order = _order("One order, as it is sent: {side: buy, type: market, quantity: 0.02}", WRITTEN)
    kept = {key: order[key] for key in ("additionalProperties", "required", "properties")}
    return {
        "type": ["array", "object"],
        "minItems": 1,
        "description": "Every order that was placed since the expect before, in order: their "
        "number, and every field that is written. Example: "
        "[{side: buy, type: market, quantity: 0.02}]",
        "items": order,
        **kept,
    }


def _orders_of(kind: str) -> dict[str, Any]:
    """What one action sends: a list, one order, or (bracket) by the name of the part."""
    one: dict[str, Any] = {
        "type": "object",
        "description": f"One order of {kind}: {{side: buy, quantity: 0.02}}",
        "additionalProperties": False,
        "properties": sent_by(kind),
    }
    parts = {
        part: {**one, "description": f"The {part} of the bracket: {{quantity: 0.02}}"}
        for part in ("entry", "stop", "target", "naked")
    }
    return {
        "type": ["array", "object"],
        "minItems": 1,
        "minProperties": 1,
        "description": f"What the action {kind} sent: a list, or one"
        + (", or each by the name of its part." if kind == "bracket" else "."),
        "items": one,
        "additionalProperties": False,
        "properties": {**one["properties"], **(parts if kind == "bracket" else {})},
    }


def _expect() -> dict[str, Any]:
    kinds = {kind: _orders_of(kind) for kind in ACTIONS if kind not in WORDS}
    return {
        "type": ["object", "string"],
        "pattern": "^(fired|nothing)$",
        "description": "nothing, fired (whatever it did), or what the rule did since the expect "
        "before; keys that are left out are not compared. Example: {place: […], notify: Bought}",
        "additionalProperties": False,
        "minProperties": 1,
        "properties": {
            **kinds,
            "place": _place(),
            "cancel": {
                "type": ["array", "integer", "string"],
                "description": "all, or the numbers of the orders that were cancelled: 1, [1, 2]",
                "items": {"type": "integer", "minimum": 1, "description": "An order's number: 1"},
            },
            "notify": {
                "type": ["array", "string"],
                "minItems": 1,
                "description": "The messages, filled in: Breakout bought at 70010",
                "items": _text("One message: Breakout bought at 70010"),
            },
            **{
                kind: {
                    "type": ["array", "string"],
                    "minItems": 1,
                    "description": f"The {what} that it {_PAST[kind]}: [{_SAMPLE[what]}]",
                    "items": _text(f"One of the {what}: {_SAMPLE[what]}"),
                }
                for kind, what in SWITCHES.items()
            },
        },
    }


_PAST = {"enable": "enabled", "disable": "disabled", "arm": "armed", "disarm": "disarmed"}
_SAMPLE = {"rules": "btc-breakout", "symbols": "BTCUSDT"}


def _price(source: str) -> dict[str, Any]:
    return {
        "type": ["number", "string"],
        "description": f"The {source} price, or a series of them with every: 70010, "
        "69900 70010 70010x13",
    }


def _number_of_order(what: str) -> dict[str, Any]:
    return {
        "type": "integer",
        "minimum": 1,
        "description": f"Which order of the test {what}, counted from 1 as they are placed: 1",
    }


def _step() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "One step of the time line. Example: {at: 1s, mark: 70010}",
        "additionalProperties": False,
        "minProperties": 1,
        "properties": {
            "at": _text(
                "When, counted from the start of the test: 0s, 16s, 1h30m. Left out: at "
                "the time of the step before."
            ),
            "every": _text("The time between two prices of a series: 1s"),
            **{source: _price(source) for source in SOURCES},
            "symbol": _text("Whose prices these are; the test's own symbol when left out: ETHUSDT"),
            "webhook": {
                "type": "object",
                "description": "An alert with the right secret. "
                "Example: {path: eth-signal, body: {action: buy, price: 3500}}",
                "additionalProperties": False,
                "required": ["path"],
                "properties": {
                    "path": _text("The last part of the address: eth-signal"),
                    "body": {
                        "type": "object",
                        "description": "The alert's fields, without the secret: {action: buy}",
                        "additionalProperties": True,
                    },
                },
            },
            "clock": _text(
                "The time of day at which the test begins, or until which time "
                "passes: 2026-11-20T07:55:00Z"
            ),
            "fill": {
                "type": "object",
                "description": "An order fills now, and not by itself before. "
                "Example: {order: 1, price: 70012, quantity: 0.01}",
                "additionalProperties": False,
                "required": ["order"],
                "properties": {
                    "order": _number_of_order("fills"),
                    "price": {
                        "type": "number",
                        "exclusiveMinimum": 0,
                        "description": "At which price; the order's own or the book's "
                        "when left out: 70012",
                    },
                    "quantity": {
                        "type": "number",
                        "exclusiveMinimum": 0,
                        "description": "How much of it; all that is left when left out: 0.01",
                    },
                },
            },
            "reject": {
                "type": "object",
                "description": "What the exchange answers to an order, wherever the step stands. "
                "Example: {order: 2, code: -2021}",
                "additionalProperties": False,
                "required": ["order", "code"],
                "properties": {
                    "order": _number_of_order("is refused"),
                    "code": {
                        "type": "integer",
                        "maximum": -1,
                        "description": "The exchange's code: -2021",
                    },
                },
            },
            "dead_man": {
                "enum": ["expired", "late"],
                "description": "expired: the countdown ran out on the exchange; late: a refresh "
                "of it is overdue.",
            },
            **EVENT_STEPS,
            "gap": _text("The streams break off for this long: 40s"),
            "restart": {
                "type": ["boolean", "string"],
                "description": "true: the runner is killed and starts again; or how long it is "
                "down: 30s",
            },
            "stop": _text(
                "The runner is stopped on purpose, its countdowns stay armed, and it "
                "starts again after this long: 3m"
            ),
            "reload": _text("The rule file that runs from now on: other.yaml"),
            "expect": _expect(),
            "because": _text(
                "The reason that was recorded: not armed, cooldown, if account.available >= 500"
            ),
        },
    }


def _test() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "One test. Example: {name: no money, rule: btc-breakout, steps: […]}",
        "additionalProperties": False,
        "required": ["name", "rule", "steps"],
        "properties": {
            "name": _text("What it shows: fires once, after 15 s above the level"),
            "rule": _text("The id of the rule: btc-breakout"),
            "symbol": _text(
                "For a rule with several symbols: the one that is played: ETHUSDT. "
                "Left out: its first."
            ),
            "with": {
                "type": "array",
                "minItems": 1,
                "description": "Other rules of the file that run beside it: [eth-ladder]",
                "items": _text("The id of a rule: eth-ladder"),
            },
            "given": {
                "type": "object",
                "description": "The account before the first step; another symbol's position by "
                "its name in front. Example: {account.available: 1000, position.size: 0, "
                "ETHUSDT.position.size: 1}",
                "additionalProperties": {"type": "number", "description": "A number: 1000"},
            },
            "steps": {
                "type": "array",
                "minItems": 1,
                "items": _step(),
                "description": "What happens, and what the rule shall do. "
                "Example: [{at: 0s, mark: 69900}, {at: 1s, mark: 70010}, {expect: nothing}]",
            },
        },
    }


@cache
def bundle() -> dict[str, Any]:
    """The whole schema, draft-07. Read it, do not change it."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Rule tests",
        "description": "Tests of the rules of one file.",
        "type": "object",
        "additionalProperties": False,
        "required": ["tests_for", "tests"],
        "properties": {
            "tests_for": _text("The rule file, seen from this file: btc.yaml"),
            "exchange_info": _text(
                "A saved GET /fapi/v1/exchangeInfo, seen from this file, for "
                "symbols that are not built in: exchangeInfo.json"
            ),
            "tests": {
                "type": "array",
                "minItems": 1,
                "items": _test(),
                "description": "The tests, each starting with - name:",
            },
        },
    }


def text() -> str:
    """The schema as it stands in schemas/, the same bytes every time."""
    return json.dumps(bundle(), indent=2, ensure_ascii=False) + "\n"


def write(path: Path) -> None:
    """Write the schema to a file; `schemas/tests.v1.schema.json` is made this way."""
    path.write_text(text(), "utf-8")


if __name__ == "__main__":
    from runner.resources import folder

    write(folder("schemas") / FILE_NAME)
