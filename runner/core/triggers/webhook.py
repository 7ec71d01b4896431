"""Trigger `webhook`: an authenticated alert whose body fits; the same alert fires once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from runner.core.decision import Reason
from runner.core.document import Node, Scope
from runner.core.events import Alert, Event, Value
from runner.core.formula import BOOLEAN, NUMBER, TEXT, Type, one_of
from runner.core.rules import Hit, Interest, Match, Memory, Miss, TriggerKind
from runner.core.values import dataclass
from runner.core.view import Names

TYPES: Mapping[str, Type] = {"number": NUMBER, "text": TEXT, "boolean": BOOLEAN}
DEDUPE_WINDOW = 30_000
"""Ms; TradingView sends a failed alert again 5 s apart, three times."""

MAX_DIGITS = 30
_PLAIN = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?")


@dataclass(frozen=True, slots=True)
class WebhookTrigger:
    """`POST /hook/<path>` with the named secret and a body that fits `body`.

    `text` is how plain text is read: pairs, words, or "" where only JSON is taken.

    Memory: `recent` maps the hashes of bodies seen within the window to when each was first
    seen. With `dedupe` the named fields are the identity for ever, and nothing is remembered
    here: the journal's unique key decides.
    """

    kind: ClassVar[str] = "webhook"

    name: str
    path: str
    secret: str
    secret_field: str
    body: Mapping[str, Type]
    max_age: int | None
    dedupe: tuple[str, ...]
    dedupe_window: int
    text: str = ""
    fingerprint: str = "webhook"

    @property
    def fields(self) -> Scope:
        """The fields its `body:` declares."""
        return self.body

    @property
    def interest(self) -> Interest:
        """Alerts on its path."""
        return ("webhook", self.path)

    def match(self, event: Event, memory: Memory, names: Names) -> Match:
        """One alert: does it fit, is it fresh, was it seen before?"""
        assert isinstance(event, Alert)
        fields: dict[str, Value] = {}
        for key, kind in self.body.items():
            value, problem = _fit(event.fields.get(key), kind)
            if value is None:
                return Miss(Reason.BODY, f"{key} {problem}", memory)
            fields[key] = value
        if self._too_old(event, names.now):
            assert event.event_time is not None
            age = (names.now - event.event_time) / 1000
            return Miss(Reason.TOO_OLD, f"the alert is {age:.1f} s old", memory)
        return self._deduped(event, fields, memory, names.now)

    def _too_old(self, event: Alert, now: int) -> bool:
        if self.max_age is None or event.event_time is None:
            return False
        return now - event.event_time > self.max_age

    def _deduped(
        self, event: Alert, fields: Mapping[str, Value], memory: Memory, now: int
    ) -> Match:
        detail = f"alert on {self.path}"
        if self.dedupe:
            missing = [name for name in self.dedupe if name not in event.fields]
            if missing:
                text = f"{missing[0]} is missing, and it tells alerts apart"
                return Miss(Reason.BODY, text, memory)
            return Hit(_identity(event.fields[n] for n in self.dedupe), fields, memory, detail)
        recent = {
            seen: at
            for seen, at in memory.get("recent", {}).items()
            if now - at <= self.dedupe_window
        }
        first = recent.get(event.body_hash)
        if first is not None:
            key = _event_key(event.body_hash, first)
            detail = f"the same body came {(now - first) / 1000:.1f} s before"
            return Miss(Reason.DUPLICATE, detail, {**memory, "recent": recent}, key)
        recent[event.body_hash] = now
        return Hit(_event_key(event.body_hash, now), fields, {**memory, "recent": recent}, detail)


def _identity(values: Iterable[Value]) -> str:
    # the length before each keeps ("a", "bc") apart from ("ab", "c")
    text = "".join(f"{len(str(value))}:{value}" for value in values)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _event_key(body_hash: str, first_seen: int) -> str:
    return f"{body_hash[:32]}@{first_seen}"


def _fit(value: Value | None, kind: Type) -> tuple[Value | None, str]:
    """The value as the declared type, or (None, why not). Numbers may come as text."""
    if value is None:
        return None, "is missing"
    if kind is NUMBER:
        return _number(value), f"must be a number, it is {_shown(value)}"
    if kind is BOOLEAN:
        if isinstance(value, str) and value.strip().lower() in ("true", "false"):
            return value.strip().lower() == "true", ""
        truth = value if isinstance(value, bool) else None
        return truth, f"must be true or false, it is {_shown(value)}"
    text = _text(value)
    if kind.values is None:
        return text, ""
    for allowed in kind.values:
        if text.strip().lower() == allowed.lower():
            return allowed, ""
    return None, f"must be one of {', '.join(kind.values)}, it is {_shown(value)}"


def _number(value: Value) -> Decimal | None:
    if isinstance(value, bool) or len(str(value)) > MAX_DIGITS:
        return None
    if isinstance(value, str) and not _PLAIN.fullmatch(value.strip()):
        return None  # Decimal would also take 1_0 for ten, and digits of other scripts
    try:
        number = Decimal(value.strip() if isinstance(value, str) else value)
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) <= MAX_DIGITS else None


def _text(value: Value) -> str:
    """As the sender wrote it: JSON says true, Python says True."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shown(value: Value) -> str:
    text = _text(value)
    return f'"{text[:40]}…"' if len(text) > 40 else f'"{text}"'


FIELD: Mapping[str, Any] = {
    "type": ["string", "object"],
    "description": "number, text, boolean, or {one_of: [buy, sell]}",
    "additionalProperties": False,
    "required": ["one_of"],
    "properties": {
        "one_of": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "description": "A word the field may be."},
            "description": "The words the field may be, in any case: [buy, sell]",
        }
    },
}

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "description": "Fires on an alert that was posted to /hook/<path> with the right secret. "
    "Example: {path: eth-signal, secret: tv_eth, body: {action: {one_of: [buy, sell]}}}",
    "additionalProperties": False,
    "required": ["path", "secret"],
    "properties": {
        "path": {
            "type": "string",
            "pattern": "^[a-z0-9][a-z0-9-]{0,63}$",
            "description": "The last part of the address: eth-signal means POST /hook/eth-signal.",
        },
        "secret": {
            "type": "string",
            "pattern": "^[a-z][a-z0-9_]{0,63}$",
            "description": "The name of the secret, never the secret itself: tv_eth",
        },
        "secret_field": {
            "type": "string",
            "description": "The field of the body that carries the secret; secret when left out.",
        },
        "body": {
            "type": "object",
            "description": "The fields the body must have, with their types; others may be there "
            "too. Example: {action: {one_of: [buy, sell]}, price: number}",
            "additionalProperties": FIELD,
        },
        "text": {
            "enum": ["pairs", "words"],
            "description": "Also takes plain text. pairs: name=value, separated by ; or line "
            "breaks, the names in small letters. words: the fields of body, in their order, "
            "separated by blanks or |. The secret follows the path, or is a pair, or the first "
            "word.",
        },
        "max_age": {
            "type": "string",
            "description": "An alert whose own time is older than this is not fired: 20s",
        },
        "dedupe": {
            "type": "array",
            "items": {"type": "string", "description": "The name of a field of the body."},
            "minItems": 1,
            "description": "The fields that identify an alert for ever: [order_id, time]. Left "
            "out: the whole body, within dedupe_window.",
        },
        "dedupe_window": {
            "type": "string",
            "description": "How long the same body counts as the same alert; 30s when left out.",
        },
    },
}


def build(node: Node, name: str) -> WebhookTrigger | None:
    """Read a `webhook:` block; notes problems and returns None when it is not usable."""
    body: dict[str, Type] = {}
    for key in node.value.get("body") or {}:
        kind = _type(node.child("body").child(key))
        if kind is not None:
            body[str(key)] = kind
    window = node.duration("dedupe_window")
    text = node.text("text")
    _refuse_unreadable(node, text, body)
    return WebhookTrigger(
        name=name,
        path=node.text("path"),
        secret=node.text("secret"),
        secret_field=node.text("secret_field", "secret"),
        body=body,
        max_age=node.duration("max_age"),
        dedupe=tuple(str(item.value) for item in node.child("dedupe").items()),
        dedupe_window=DEDUPE_WINDOW if window is None else window,
        text=text,
    )


def _refuse_unreadable(node: Node, text: str, body: Mapping[str, Type]) -> None:
    """Note what no text could ever bring."""
    if text == "words" and not body:
        node.child("text").problem(
            "wrong-value",
            "text: words, and body does not say what the words are",
            "add body: {action: {one_of: [buy, sell]}}",
        )
    for name in body if text == "pairs" else ():
        if name != name.lower():
            node.child("body").child(name).problem(
                "wrong-value",
                f"{name} has capitals, and the names of pairs are read in small letters",
                f"write {name.lower()}",
            )


def _type(node: Node) -> Type | None:
    if isinstance(node.value, Mapping):
        return one_of(*(str(item.value) for item in node.child("one_of").items()))
    kind = TYPES.get(str(node.value))
    if kind is None:
        node.problem(
            "wrong-type",
            f"{node.value} is not a type of a field",
            "write number, text, boolean or {one_of: [buy, sell]}",
        )
    return kind


WEBHOOK = TriggerKind(
    "webhook",
    SCHEMA,
    build,
    "- webhook: {path: eth-signal, secret: tv_eth, body: {action: {one_of: [buy, sell]}}}",
)
