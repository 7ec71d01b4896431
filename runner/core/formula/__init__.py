"""The formula language of rule files: exact decimals, checked names, nothing to escape to.

`compile_formula` turns the text of a formula into a `Formula`; everything wrong with the text is a
`FormulaError` with a column and, where one is known, a cure. The reasons for an own language, and
the measurements behind it: design/02-rules.md and reference/rule-files.md.
"""

from __future__ import annotations

from runner.core.formula.errors import EvaluationError, FormulaError
from runner.core.formula.formula import Formula, compile_formula
from runner.core.formula.types import (
    BOOLEAN,
    NUMBER,
    OBJECT,
    TEXT,
    Kind,
    Scope,
    Type,
    Value,
    Values,
    one_of,
)

__all__ = [
    "BOOLEAN",
    "NUMBER",
    "OBJECT",
    "TEXT",
    "EvaluationError",
    "Formula",
    "FormulaError",
    "Kind",
    "Scope",
    "Type",
    "Value",
    "Values",
    "compile_formula",
    "one_of",
]
