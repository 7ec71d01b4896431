"""Why a webhook body is not JSON: the mistake people really make at that place, and its cure."""

from __future__ import annotations

import json
import re

EXAMPLE = '{"action": "{{strategy.order.action}}", "price": {{close}}}'

PLACEHOLDERS = frozenset(
    {
        *("ticker", "exchange", "interval", "open", "high", "low", "close", "volume"),
        *("time", "timenow", "syminfo.currency", "syminfo.basecurrency"),
        *(f"strategy.order.{name}" for name in ("action", "contracts", "price", "id", "comment")),
        *("strategy.order.alert_message", "strategy.position_size", "strategy.market_position"),
        *("strategy.market_position_size", "strategy.prev_market_position"),
        "strategy.prev_market_position_size",
    }
)
"""TradingView's own names; any other text between {{ }} might be a secret and is not repeated."""

_PLACEHOLDER = re.compile(r"\{\{([^{}\n]{1,80})\}\}")
_WORD = re.compile(r"[^\W\d][\w./:-]*")
_CURLY = "“”„‟‘’‚‛«»"


class BodyError(Exception):
    """A body that can never succeed: what is wrong, where, and what to do. Holds no values."""

    def __init__(self, message: str, cure: str) -> None:
        super().__init__(f"{message}; {cure}")
        self.message = message
        self.cure = cure


def explain(text: str, error: json.JSONDecodeError) -> BodyError:
    """Return the error that a person can act on, for a text in which JSON breaks off at a place."""
    if text.lstrip()[:1] not in ("{", "["):
        return BodyError(
            "the body is plain text, not JSON",
            f"write it like {EXAMPLE}; where the rule says text:, look at the secret",
        )
    message, cure = _at(text, error)
    return BodyError(f"line {error.lineno} column {error.colno}: {message}", cure)


def _at(text: str, error: json.JSONDecodeError) -> tuple[str, str]:
    placeholder = _placeholder(text, error.pos)
    if placeholder:
        return (
            f"the placeholder {placeholder} was not replaced and stands without quotes",
            'TradingView fills it in when it sends the alert; text needs quotes: "{{ticker}}"',
        )
    rest = text[error.pos :].lstrip()
    before = text[: error.pos].rstrip()[-1:]
    return _by_kind(error.msg) or _by_text(rest, before) or _by_structure(error.msg, rest, before)


def _placeholder(text: str, position: int) -> str:
    for start in (position, position - 1):
        found = _PLACEHOLDER.match(text, max(start, 0))
        if found:
            name = found.group(1).strip()
            known = name in PLACEHOLDERS or re.fullmatch(r"plot_\d{1,2}", name)
            return f"{{{{{name}}}}}" if known else "{{…}}"
    return ""


def _by_kind(reason: str) -> tuple[str, str] | None:
    """What the parser itself is sure of."""
    if reason.startswith("Unterminated string"):
        return "a text begins here and never ends", "close it with a double quote"
    if reason.startswith("Invalid control character"):
        return "a line break or a tab stands inside a text", r"write \n or \t there"
    if reason.startswith("Invalid \\"):
        return "a backslash stands inside a text", r"write \\ for a backslash"
    if reason.startswith("Illegal trailing comma"):
        return _TRAILING_COMMA
    return None


_TRAILING_COMMA = ("a comma stands before the closing bracket", "remove that comma")


def _by_text(rest: str, before: str) -> tuple[str, str] | None:
    """What the characters at the place give away."""
    first = rest[:1]
    if not first:
        return "the body ends too early", "a closing } or a quote is missing"
    if rest.startswith(("//", "/*", "#")):
        return "this is a comment, and JSON has none", "remove it up to the end of the line"
    if rest.startswith(("...", "…")):
        return "dots stand for something that was left out", "write the fields, without dots"
    if first in "}]" and before == ",":
        return _TRAILING_COMMA
    if first in "'`":
        return "this quote is not JSON's", 'write double quotes: "action": "buy"'
    if first in _CURLY:
        return "this is a typographic quote", 'write straight double quotes: "'
    if first.isdigit() and before == ",":
        return "a comma stands inside a number", "write decimals with a point: 70000.5"
    if first in "+.":
        return "this is no JSON number", "write a digit first: 0.5"
    if first.isdigit() and before == "0":
        return "a number begins with 0", "write it without the zero, or in quotes"
    return None


def _by_structure(reason: str, rest: str, before: str) -> tuple[str, str]:
    """What the grammar wanted there."""
    if reason == "Extra data":
        if rest.startswith("{"):
            return "a second object follows the first", "send one alert in one message"
        return "something follows the closing bracket", "remove it"
    if reason.startswith("Expecting property name"):
        return "a field's name in double quotes belongs here", f"write it like {EXAMPLE}"
    if reason.startswith("Expecting ',' delimiter"):
        if rest.startswith('"'):
            return "a comma is missing before this field", "put a comma between fields"
        if before == '"':
            return "the text before this place has ended", r"a quote inside a text is written \""
    if reason.startswith("Expecting ':' delimiter"):
        return "a colon is missing after the field's name", 'write "action": "buy"'
    word = _WORD.match(rest)
    if word and word.group().lower() in ("true", "false", "none", "null", "undefined"):
        return "true, false and null are written in small letters", "write true, false or null"
    if word:
        return "text stands here without quotes", 'put it in double quotes: "{{ticker}}"'
    return "a value belongs here", f"write it like {EXAMPLE}"
