"""What can go wrong with a formula: a text that is refused, or a value that cannot be had."""

from __future__ import annotations


class FormulaError(Exception):
    """The text of a formula is refused: what is wrong, where, and the cure if one is known.

    `column` counts from 1 in the formula's own text; `length` is how many characters to underline.
    """

    def __init__(self, message: str, column: int, length: int, cure: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.column = column
        self.length = length
        self.cure = cure


class EvaluationError(Exception):
    """A sound formula has no value now: the reason in plain words, and the name that lacks data.

    `name` is None when arithmetic failed rather than a single name.
    """

    def __init__(self, reason: str, name: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.name = name
