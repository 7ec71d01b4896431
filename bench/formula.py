"""Measures how long formulas take to compile and to evaluate, beside two libraries from PyPI.

`make bench ARGS=formula` installs rule-engine and simpleeval into .venv/peers first; they are no
dependency of the project, and where they are missing their rows are left out. All rows take turns
in one process, and each number is the best of its rounds, so that a busy machine disturbs all of
them alike.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import platform
import sys
import timeit
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.append(str(Path(__file__).resolve().parent.parent / ".venv" / "peers"))

from runner.core.formula import NUMBER, compile_formula

CONDITION = "price > entry * 1.02 and size == 0 and available >= 500"
QUANTITY = "min(0.25 * available / price, 2.0)"
DECIMALS = {
    "price": Decimal("103.5"),
    "entry": Decimal(100),
    "size": Decimal(0),
    "available": Decimal("640.25"),
}
FLOATS = {name: float(value) for name, value in DECIMALS.items()}
ROUNDS = 9


class Row(NamedTuple):
    """A way to run one formula; `compile` is None for code that Python compiled itself."""

    formula: str
    candidate: str
    compile: Callable[[], Any] | None
    evaluate: Callable[[], Any]


def ours(formula: str) -> Row:
    """Return the row of the runner's own language."""
    scope = dict.fromkeys(DECIMALS, NUMBER)
    compiled = compile_formula(formula, scope)
    return Row(
        formula,
        "runner",
        lambda: compile_formula(formula, scope),
        lambda: compiled.evaluate(DECIMALS),
    )


def by_hand() -> Iterator[Row]:
    """Yield the same calculations written in Python, with its Decimal."""
    factor, zero, least = Decimal("1.02"), Decimal(0), Decimal(500)
    share, most, now = Decimal("0.25"), Decimal("2.0"), DECIMALS
    yield Row(
        CONDITION,
        "Python, Decimal",
        None,
        lambda: (
            now["price"] > now["entry"] * factor
            and now["size"] == zero
            and now["available"] >= least
        ),
    )
    yield Row(
        QUANTITY,
        "Python, Decimal",
        None,
        lambda: min(share * now["available"] / now["price"], most),
    )


def rule_engine() -> Iterator[Row]:
    """Yield the rows of rule-engine: decimals and typed names, as ours."""
    try:
        library = importlib.import_module("rule_engine")
    except ImportError:
        return
    types = dict.fromkeys(DECIMALS, library.DataType.FLOAT)
    context = library.Context(type_resolver=library.type_resolver_from_dict(types))
    texts = {CONDITION: CONDITION, QUANTITY: "$min([0.25 * available / price, 2.0])"}
    for formula, text in texts.items():
        rule = library.Rule(text, context=context)
        yield Row(
            formula,
            named("rule-engine"),
            lambda text=text: library.Rule(text, context=context),  # type: ignore[misc]
            lambda rule=rule: rule.evaluate(DECIMALS),  # type: ignore[misc]
        )


def simpleeval() -> Iterator[Row]:
    """Yield the rows of simpleeval: floats, and nothing is checked before it runs."""
    try:
        library = importlib.import_module("simpleeval")
    except ImportError:
        return
    engine = library.SimpleEval(names=FLOATS, functions={"min": min})
    for formula in (CONDITION, QUANTITY):
        tree = engine.parse(formula)
        yield Row(
            formula,
            f"{named('simpleeval')}, float",
            lambda formula=formula: engine.parse(formula),  # type: ignore[misc]
            lambda formula=formula, tree=tree: engine.eval(  # type: ignore[misc]
                formula, previously_parsed=tree
            ),
        )


def named(package: str) -> str:
    """Return the name of an installed package with its version."""
    return f"{package} {importlib.metadata.version(package)}"


def best_of(calls: list[Callable[[], Any]]) -> list[float]:
    """Return the microseconds of each call, the best of rounds in which all take turns."""
    timers = [timeit.Timer(call) for call in calls]
    counts = [max(int(timer.autorange()[0] / 5), 1) for timer in timers]
    rounds = [
        [timer.timeit(count) / count for timer, count in zip(timers, counts, strict=True)]
        for _ in range(ROUNDS)
    ]
    return [min(times) * 1e6 for times in zip(*rounds, strict=True)]


def table(formula: str, rows: list[Row]) -> None:
    """Print what the candidates took for one formula, and how many times as long as ours."""
    compiled = [row for row in rows if row.compile]
    compiling = dict(
        zip(
            (row.candidate for row in compiled),
            best_of([row.compile for row in compiled if row.compile]),
            strict=True,
        )
    )
    evaluating = best_of([row.evaluate for row in rows])
    print(f"\n{formula}")
    print(f"{'':26}{'compile µs':>11}{'ratio':>8}{'evaluate µs':>13}{'ratio':>8}")
    for row, took in zip(rows, evaluating, strict=True):
        first = compiling.get(row.candidate)
        left = f"{first:11.1f}{first / compiling['runner']:8.1f}" if first else f"{'-':>11}{'-':>8}"
        print(f"{row.candidate:26}{left}{took:13.2f}{took / evaluating[0]:8.1f}")


def main() -> None:
    """Measure all candidates that are installed and print one table for each formula."""
    others = [*by_hand(), *rule_engine(), *simpleeval()]
    print(f"Python {platform.python_version()}, best of {ROUNDS} rounds, ratio to runner")
    for formula in (CONDITION, QUANTITY):
        table(formula, [ours(formula), *(row for row in others if row.formula == formula)])
    missing = {"rule-engine", "simpleeval"} - {row.candidate.split()[0] for row in others}
    for package in sorted(missing):
        print(f"\n{package} is not installed: its row is left out; make bench installs it")


if __name__ == "__main__":
    main()
