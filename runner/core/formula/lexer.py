"""Cuts the text of a formula into tokens and names what has no place in one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from typing import NamedTuple

from runner.core.formula.arithmetic import CONTEXT
from runner.core.formula.errors import FormulaError
from runner.core.formula.tree import Span

KEYWORDS = frozenset({"and", "or", "not", "if", "else"})
BOOLEANS = {"true": True, "false": False}
COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})


class TokenKind(Enum):
    """What a token is; keywords and brackets count as operators."""

    LITERAL = 1
    NAME = 2
    OPERATOR = 3
    END = 4


class Token(NamedTuple):
    """A token, where it stands, and its value if it is a literal."""

    kind: TokenKind
    text: str
    span: Span
    value: Decimal | bool | str = ""


_TOKEN = re.compile(
    r"""
      (?P<space>  [ \t\r\n]+ )
    | (?P<name>   [A-Za-z_][A-Za-z0-9_]* (?: \. [A-Za-z_][A-Za-z0-9_]* )* )
    # All that looks like one number; _NUMBER says whether it is.
    | (?P<number> [0-9][0-9A-Za-z_.]* (?: (?<=[eE]) [+-] [0-9A-Za-z_.]* )? %? )
    | (?P<quoted> "[^"]*" | '[^']*' )
    | (?P<wrong>  \*\* | // | && | \|\| | === | !== | <> | => | =< | := | [-+*/]= )
    | (?P<operator> [<>=!]= | [-+*/<>(),] )
    """,
    re.VERBOSE,
)
_NUMBER = re.compile(
    r"(?:0|[1-9][0-9]*(?:_[0-9]+)*)(?:\.[0-9]+(?:_[0-9]+)*)?(?:[eE][+-]?[0-9]{1,2})?"
)

_CURES = {
    "=": "write == to compare",
    "===": "write ==",
    "!==": "write !=",
    "<>": "write !=",
    "=>": "write >=",
    "=<": "write <=",
    "≤": "write <=",
    "≥": "write >=",
    "≠": "write !=",
    "&&": "write and",
    "&": "write and",
    "||": "write or",
    "|": "write or",
    "!": "write not",
    "**": "powers are not available",
    "^": "powers are not available",
    "//": "write round_down(a / b, 1)",
    "%": "a percentage is written without a space: 10%",
    "×": "write *",
    "÷": "write /",
    "?": "write value if condition else other",
    ":": "write value if condition else other",
    ":=": "a formula changes nothing, it only calculates",
    "+=": "a formula changes nothing, it only calculates",
    "-=": "a formula changes nothing, it only calculates",
    "*=": "a formula changes nothing, it only calculates",
    "/=": "a formula changes nothing, it only calculates",
}
_STRANGE = {
    "[": "lists are not available, brackets are round",
    "]": "lists are not available, brackets are round",
    "{": "write the name alone, without braces",
    "}": "write the name alone, without braces",
    "$": "write the name alone, without $",
    ";": "one line holds one formula",
}
_QUOTES = dict.fromkeys("“”„‟«»″", '"') | dict.fromkeys("‘’‚‛′`´", "'")
_DASHES = "−–—‒‐‑"


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of a formula and at last one END, which stands on the last character.

    Raises FormulaError when it comes to something that is no token; so the first error of a text
    is the one that is reported.
    """
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup == "wrong":
            raise _no_token(text, position, match.group() if match else text[position])
        if match.lastgroup != "space":
            yield _token(match)
        position = match.end()
    last = max(len(text.rstrip(" \t\r\n")) - 1, 0)
    yield Token(TokenKind.END, "", Span(last, last + 1))


def _token(match: re.Match[str]) -> Token:
    text, span = match.group(), Span(*match.span())
    if match.lastgroup == "operator" or text in KEYWORDS:
        return Token(TokenKind.OPERATOR, text, span)
    if match.lastgroup == "quoted":
        return Token(TokenKind.LITERAL, text, span, text[1:-1])
    if match.lastgroup == "number":
        return Token(TokenKind.LITERAL, text, span, _number(text, span))
    if text in BOOLEANS:
        return Token(TokenKind.LITERAL, text, span, BOOLEANS[text])
    if text.lower() in KEYWORDS or text.lower() in BOOLEANS:
        raise _error(f"{text} has capital letters", span, f"write {text.lower()}")
    return Token(TokenKind.NAME, text, span)


def _number(text: str, span: Span) -> Decimal:
    digits = text.removesuffix("%")
    if not _NUMBER.fullmatch(digits):
        raise _error(f"{text} is not a number", span, _number_cure(digits))
    value = Decimal(digits)
    if len(value.as_tuple().digits) > CONTEXT.prec:
        raise _error(f"numbers have at most {CONTEXT.prec} digits", span)
    # A percentage is exact too: shifting the point by two places loses nothing.
    exact = CONTEXT.scaleb(value, -2) if digits != text else value
    if exact.adjusted() > CONTEXT.Emax:
        raise _error(f"{text} is too large", span, "the largest numbers are just under 1e100")
    return exact


def _number_cure(digits: str) -> str:
    if re.fullmatch(r"[0-9.]+[eE][+-]?[0-9]{3,}", digits):
        return "an exponent has at most two digits"
    whole = digits.lstrip("0").rstrip(".")
    if re.fullmatch(r"[1-9][0-9]*(\.[0-9]+)?", whole):
        return f"write {whole}"
    return "write its digits only, such as 70000 or 0.02"


def _no_token(text: str, start: int, found: str) -> FormulaError:
    span = Span(start, start + len(found))
    if found == "=" and not text[:start].strip():
        return _error("= is not needed here", span, "leave it out")
    if found in _CURES:
        return _error(f"{found} is not an operator here", span, _CURES[found])
    if found in "\"'":
        return _error("this text has no end", span, f"close it with {found}")
    if found in _QUOTES:
        return _error(f"{found} is not a quotation mark here", span, f"write {_QUOTES[found]}")
    if found in _DASHES:
        return _error(f"{found} is not a minus sign here", span, "write -")
    if found == ".":
        return _stray_point(text, span)
    if not found.isprintable():
        return _error(f"an invisible character, U+{ord(found):04X}", span, "write a plain space")
    return _error(f"{found} cannot be used in a formula", span, _STRANGE.get(found))


def _stray_point(text: str, span: Span) -> FormulaError:
    digits = re.match(r"[0-9]+", text[span.end :])
    if digits and not text[: span.start].rstrip()[-1:].isalnum():
        found = f".{digits.group()}"
        whole = Span(span.start, span.start + len(found))
        return _error(f"{found} is not a number", whole, f"write 0{found}")
    return _error("this point belongs to no name", span, "write object.field without spaces")


def _error(message: str, span: Span, cure: str | None = None) -> FormulaError:
    return FormulaError(message, span.start + 1, span.end - span.start, cure)
