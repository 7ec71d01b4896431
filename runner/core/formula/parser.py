"""Turns the tokens of a formula into a syntax tree: a Pratt parser with limits."""

from __future__ import annotations

import re

from runner.core.formula.errors import FormulaError
from runner.core.formula.lexer import COMPARISONS, Token, TokenKind, tokens
from runner.core.formula.tree import (
    Arithmetic,
    Call,
    Choice,
    Compare,
    Literal,
    Logic,
    Name,
    Node,
    Span,
    Unary,
)
from runner.core.values import replace

MAX_LENGTH = 500
MAX_NODES = 100
MAX_DEPTH = 25

# How strongly an operator binds; `not` and the unary minus stand in between.
_CHOICE, _OR, _AND, _NOT, _COMPARE, _SUM, _PRODUCT, _MINUS = range(1, 9)
_POWERS = (
    {"if": _CHOICE, "or": _OR, "and": _AND}
    | dict.fromkeys(COMPARISONS, _COMPARE)
    | {"+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT}
)
# 1,000,000: digits in groups of three, which could also be read as three arguments.
_GROUPED = re.compile(r"[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9])")
_DECIMAL_COMMA = re.compile(r"[0-9]+,[0-9]+")
_WORDS = {"is": "write ==", "in": "compare with == and join with or"}


def parse(text: str) -> Node:
    """Return the syntax tree of a formula; raise FormulaError at the first place that is wrong."""
    if len(text) > MAX_LENGTH:
        raise FormulaError(
            f"the formula has {len(text)} characters, {MAX_LENGTH} are allowed",
            MAX_LENGTH + 1,
            1,
            "split it into several conditions",
        )
    if not text.strip(" \t\r\n"):
        raise FormulaError("the formula is empty", 1, 1, "write one, such as mark > 70000")
    return _Parser(text).formula()


class _Parser:
    """One pass over the tokens of one text; `token` is the next, `before` the last one taken."""

    __slots__ = ("before", "depth", "nodes", "text", "token", "tokens")

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens(text)
        self.token = self.before = next(self.tokens)
        self.depth = 0
        self.nodes = 0

    def formula(self) -> Node:
        """Return the tree of the whole text."""
        node = self.expression(0)
        if self.token.kind is not TokenKind.END:
            raise self.unexpected()
        return node

    def expression(self, power: int) -> Node:
        """Return the tree of what follows, as far as its operators bind stronger than `power`.

        The only function that calls itself, at most MAX_DEPTH deep.
        """
        self.depth += 1
        if self.depth > MAX_DEPTH + 1:
            raise self.error(f"the formula is nested more than {MAX_DEPTH} deep")
        node = self.operand(power)
        while self.token.kind is TokenKind.OPERATOR:
            binding = _POWERS.get(self.token.text, 0)
            if binding <= power:
                break
            node = self.operation(node, binding)
        self.depth -= 1
        return node

    def operand(self, power: int) -> Node:
        """Return the value that has to stand here, with what is written before it."""
        token = self.token
        if token.kind is TokenKind.END:
            raise self.error("the formula ends here, a value is missing")
        if token.kind is TokenKind.OPERATOR:
            return self.prefixed(power)
        self.advance()
        if token.kind is TokenKind.LITERAL:
            return self.counted(Literal(token.span, token.value))
        if self.at("("):
            return self.call(token)
        return self.counted(Name(token.span, token.text))

    def prefixed(self, power: int) -> Node:
        """Return a value that starts with a bracket, a minus or `not`."""
        token = self.token
        if token.text not in ("(", "-", "not"):
            raise self.error(f"a value is missing before {token.text}")
        if token.text == "not" and power > _NOT:
            raise self.error("not needs brackets here", cure="write (not …)")
        self.advance()
        if token.text == "(":
            node = self.expression(0)
            self.close(token)
            # Messages quote the text of a node, so it has to include the brackets.
            return replace(node, span=Span(token.span.start, self.before.span.end))
        operand = self.expression(_MINUS if token.text == "-" else _NOT)
        return self.counted(Unary(self.since(token.span.start), token.text, operand))

    def call(self, name: Token) -> Node:
        """Return the call of a function, from its opening bracket on."""
        opening = self.advance()
        arguments: list[Node] = []
        if not self.at(")"):
            arguments.append(self.expression(0))
        while self.at(","):
            if _GROUPED.match(self.text, self.before.span.start):
                raise self.comma(", or put a space after the comma between two values")
            self.advance()
            arguments.append(self.expression(0))
        self.close(opening)
        return self.counted(Call(self.since(name.span.start), name.text, tuple(arguments)))

    def operation(self, left: Node, binding: int) -> Node:
        """Return what the operator that stands here makes of the operand before it."""
        operator = self.advance().text
        if binding == _CHOICE:
            return self.choice(left)
        right = self.expression(binding)
        span = Span(left.span.start, self.before.span.end)
        if binding == _COMPARE:
            if self.token.text in COMPARISONS:
                raise self.chained(left, right)
            return self.counted(Compare(span, operator, left, right))
        if binding in (_AND, _OR):
            first = left.parts if isinstance(left, Logic) and left.operator == operator else (left,)
            return self.counted(Logic(span, operator, (*first, right)))
        return self.counted(Arithmetic(span, operator, left, right))

    def choice(self, then: Node) -> Node:
        """Return `then if condition else otherwise`, from the condition on."""
        condition = self.expression(_CHOICE)
        if not self.at("else"):
            raise self.wanted("else", "write value if condition else other")
        self.advance()
        otherwise = self.expression(0)
        span = self.since(then.span.start)
        return self.counted(Choice(span, condition, then, otherwise))

    def at(self, operator: str) -> bool:
        """Return whether this operator comes next."""
        return self.token.kind is TokenKind.OPERATOR and self.token.text == operator

    def advance(self) -> Token:
        """Take the next token and return it."""
        self.before = self.token
        self.token = next(self.tokens)
        return self.before

    def close(self, opening: Token) -> None:
        """Take the bracket that closes the opening one."""
        if self.at(",") or self.at("else"):
            raise self.unexpected()
        if not self.at(")"):
            raise self.wanted(")", f"it closes the bracket in column {opening.span.start + 1}")
        self.advance()

    def counted(self, node: Node) -> Node:
        """Return the node, having counted it."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            span = self.before.span
            raise self.error(
                f"the formula has more than {MAX_NODES} values and operators",
                span,
                "split it into several conditions",
            )
        return node

    def since(self, start: int) -> Span:
        """Return the piece of text from there to the last token taken."""
        return Span(start, self.before.span.end)

    def error(
        self, message: str, span: Span | None = None, cure: str | None = None
    ) -> FormulaError:
        """Return an error about this piece of text, or about the next token."""
        start, end = span or self.token.span
        return FormulaError(message, start + 1, end - start, cure)

    def wanted(self, what: str, cure: str) -> FormulaError:
        """Return the error that something else has to come next."""
        if self.token.kind is TokenKind.END:
            return self.error(f"the formula ends here, {what} is missing", cure=cure)
        if self.starts_value():
            return self.unexpected()
        return self.error(f"{what} is missing before {self.token.text}", cure=cure)

    def starts_value(self) -> bool:
        """Return whether the next token begins a value."""
        return self.token.kind is not TokenKind.OPERATOR or self.token.text in ("(", "not")

    def unexpected(self) -> FormulaError:
        """Return the error that the next token has no place after a finished value."""
        text = self.token.text
        if self.at(","):
            return self.comma()
        if self.at(")"):
            return self.error(") closes no bracket", cure="leave it out, or open one with (")
        if self.at("else"):
            return self.error("else has no if", cure="write value if condition else other")
        if text in _WORDS:
            return self.error(f"{text} is not an operator here", cure=_WORDS[text])
        return self.error(f"an operator is missing before {text}")

    def comma(self, otherwise: str = "") -> FormulaError:
        """Return the error about a comma that separates no arguments, or perhaps does not."""
        message = "write numbers without commas"
        start = self.before.span.start
        if grouped := _GROUPED.match(self.text, start):
            cure = f"write {grouped.group().replace(',', '')}{otherwise}"
            return self.error(message, cure=cure)
        if pair := _DECIMAL_COMMA.match(self.text, start):
            return self.error(message, cure=f"write {pair.group().replace(',', '.')}")
        return self.error(", separates the values of a function, there is none here")

    def chained(self, left: Node, right: Node) -> FormulaError:
        """Return the error about a second comparison, as in 1 < a < 3."""
        first = self.text[left.span.start : right.span.end]
        middle = self.text[right.span.start : right.span.end]
        cure = f"write {first} and {middle} {self.token.text} …"
        return self.error("comparisons cannot be chained", cure=cure)
