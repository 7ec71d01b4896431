"""The reference part of docs/rules.md, written from the schema, the kinds and the names."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from runner.core.actions import ACTIONS
from runner.core.actions.order import PROPERTIES
from runner.core.document import Node, duration
from runner.core.formula import Kind, Type
from runner.core.formula.arithmetic import FUNCTIONS
from runner.core.rules import ActionKind, TriggerKind
from runner.core.triggers import TRIGGERS
from runner.core.view import NAMES, scope
from runner.rulebook import schema
from runner.rulebook.editing import prose
from runner.rulebook.reader import read

MARKER = "<!-- What follows is generated: python -m runner.rulebook.reference -->\n"

ABOUT_NAMES: Mapping[str, str] = {
    "mark": "the mark price of the rule's symbol",
    "last": "the price of the last trade",
    "bid": "the best bid",
    "ask": "the best ask",
    "index": "the index price",
    "funding_rate": "the funding rate as a fraction: 0.0001 is 0.01%",
    "symbol": "the symbol of this run: BTCUSDT",
    "position.size": "the position in the base asset; short is below zero, flat is 0",
    "position.side": "which way it goes",
    "position.entry_price": "its average entry price; no data when flat",
    "position.unrealised_pnl": "its profit so far in USDT, as last reported; 0 when flat",
    "position.liquidation_price": "where it is liquidated; no data when flat",
    "position.leverage": "its leverage; no data when flat",
    "account.available": "the USDT free for new orders",
    "account.wallet_balance": "the wallet's USDT, without open profit",
    "account.equity": "the wallet's USDT with open profit and loss",
    "account.margin_ratio": "maintenance margin divided by equity; 1 means liquidation",
    "account.daily_pnl": "its equity now, less what the UTC day began with; deposits do not count",
    "rule.fires": "how often this rule fired on this symbol; under `do` this fire is counted",
    "rule.fires_today": "the same on this UTC day",
    "rule.last_fired_ago": "seconds since it last fired, 0 under `do`; no data before",
    "orders.open": "how many orders the runner has open on this symbol",
    "orders.open_notional": "what those that have a price are worth in USDT",
    "now.hour": "the hour, 0 to 23, in the rule's `timezone`",
    "now.minute": "the minute, 0 to 59",
    "now.weekday": "the weekday in the rule's `timezone`: 1 is Monday, 7 is Sunday",
}
"""What each name of `core.view.NAMES` means to a trader."""

ABOUT_FUNCTIONS: Mapping[str, str] = {
    "min": "the smallest",
    "max": "the largest",
    "abs": "without its sign",
    "round_down": "the multiple of step just below: round_down(mark, 100)",
    "round_up": "the multiple of step just above",
    "clamp": "value, but not below low and not above high",
}


def reference() -> str:
    """Return the reference as Markdown, the same text every time."""
    root = schema.bundle()["properties"]
    rule = root["rules"]["items"]
    parts: list[Iterable[str]] = [
        ["## Reference", "", "Keys in bold must be there.", "", "### The keys of a file", ""],
        _table(schema.bundle()),
        ["", "### The keys of a rule", ""],
        _table(rule, leave_out=("when", "if", "do")),
        ["", "`when`, `if` and `do` are described above; their entries follow.", ""],
        *(_trigger(kind) for kind in TRIGGERS.values()),
        *(_action(kind) for kind in ACTIONS.values()),
        ["### The keys of an order", ""],
        _table({"properties": PROPERTIES}),
        ["", "### Names in formulas", ""],
        _names(),
        ["", "### Functions in formulas", "", "| function | gives |", "| --- | --- |"],
        (f"| `{FUNCTIONS[name].usage}` | {ABOUT_FUNCTIONS[name]} |" for name in FUNCTIONS),
    ]
    return "\n".join(line for part in parts for line in part) + "\n"


def _trigger(kind: TriggerKind) -> Iterator[str]:
    yield f"### Trigger `{kind.kind}`"
    yield from _block(kind)
    fields = _fields(kind)
    if fields:
        yield f"Formulas of the rule may use {', '.join(fields)}."
        yield ""


def _action(kind: ActionKind) -> Iterator[str]:
    yield f"### Action `{kind.kind}`"
    yield from _block(kind)


def _block(kind: TriggerKind | ActionKind) -> Iterator[str]:
    yield from ("", prose(kind.schema["description"]), "")
    yield from ("```yaml", *kind.example.splitlines(), "```", "")
    if "enum" in kind.schema:
        yield from (f"It is one of {_words(kind.schema['enum'])}.", "")
    if _is_order(kind.schema):
        yield from (_order_keys(kind.schema), "")
    elif kind.schema.get("properties"):
        yield from (*_table(kind.schema), "")


def _table(block: Mapping[str, Any], leave_out: tuple[str, ...] = ()) -> Iterator[str]:
    yield "| key | value | what it is |"
    yield "| --- | --- | --- |"
    yield from (row for row in _rows(block, "") if row.split("`")[1] not in leave_out)


def _rows(block: Mapping[str, Any], path: str) -> Iterator[str]:
    for key, below in block["properties"].items():
        name = f"`{path}{key}`"
        shown = f"**{name}**" if key in block.get("required", ()) else name
        text = prose(below["description"])
        if _is_order(below):
            text = f"{text}. {_order_keys(below)}"
        yield f"| {shown} | {_value(below)} | {text} |"
        if below.get("properties") and not _is_order(below):
            yield from _rows(below, f"{path}{key}.")


def _is_order(block: Mapping[str, Any]) -> bool:
    keys = block.get("properties", {})
    return bool(keys) and all(PROPERTIES.get(key) == below for key, below in keys.items())


def _order_keys(block: Mapping[str, Any]) -> str:
    if set(block["properties"]) == set(PROPERTIES):
        return "It takes all keys of an order, listed below."
    return f"Of the keys of an order, listed below, it takes {_words(block['properties'])}."


def _value(below: Mapping[str, Any]) -> str:
    """What can stand behind a key, in a few words."""
    if "enum" in below:
        return ", ".join(f"`{value}`" for value in below["enum"])
    words = {
        "string": _text_value(below),
        "number": "number",
        "integer": "whole number",
        "boolean": "`true`, `false`",
        "array": "list",
        "object": "block",
    }
    types = below["type"] if isinstance(below["type"], list) else [below["type"]]
    return " or ".join(words[kind] for kind in types)


def _text_value(below: Mapping[str, Any]) -> str:
    if below.get("pattern", "").startswith("^="):
        return "formula"
    examples = re.findall(r"\w+", below["description"])
    return "length of time" if any(duration(word) for word in examples) else "text"


def _words(names: Iterable[str]) -> str:
    *most, last = [f"`{name}`" for name in names]
    return f"{', '.join(most)} and {last}" if most else last


def _fields(kind: TriggerKind) -> list[str]:
    """What the kind's example offers to formulas."""
    tree = read("", kind.example.encode()).tree
    (entry,) = tree
    trigger = kind.build(Node(entry[kind.kind], scope=scope()), kind.kind)
    assert trigger is not None, f"the example of {kind.kind} has a mistake"
    return [f"`trigger.{name}` ({_type(type_)})" for name, type_ in trigger.fields.items()]


def _names() -> Iterator[str]:
    yield "| name | type | what it is |"
    yield "| --- | --- | --- |"
    for name, (type_, _) in NAMES.items():
        yield f"| `{name}` | {_type(type_)} | {ABOUT_NAMES[name]} |"
    yield "| `trigger.…` | | what the event carried: see the triggers |"


def _type(type_: Type) -> str:
    if type_.values is not None:
        return ", ".join(f'`"{value}"`' for value in type_.values)
    return {Kind.NUMBER: "number", Kind.BOOLEAN: "true/false"}.get(type_.kind, "text")


def updated(page: str) -> str:
    """Return the page with its generated part written anew. Raises ValueError without a mark."""
    by_hand, mark, _ = page.partition(MARKER)
    if not mark:
        raise ValueError(f"the page has no line {MARKER.strip()}")
    return f"{by_hand}{mark}\n{reference()}"


def write(path: Path) -> None:
    """Write the generated part of a page anew; what stands before the mark stays."""
    path.write_text(updated(path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1] if sys.argv[1:] else "docs/rules.md"))
