"""The decimal arithmetic of formulas: 28 digits, nothing above 1e100, and the functions."""

from __future__ import annotations

from collections.abc import Callable
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DecimalException,
    DivisionByZero,
    DivisionUndefined,
    InvalidOperation,
    Overflow,
)

from runner.core.formula.errors import EvaluationError
from runner.core.formula.types import shown
from runner.core.values import dataclass

# Only methods of this object calculate, so the thread's own context is neither read nor changed.
# It is shared: apart from its sticky flags, which nobody reads, it never changes.
CONTEXT = Context(
    prec=28,
    rounding=ROUND_HALF_EVEN,
    Emin=-99,
    Emax=99,
    capitals=1,
    clamp=0,
    flags=[],
    traps=[Overflow, DivisionByZero, InvalidOperation],
)

ARITHMETIC: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": CONTEXT.add,
    "-": CONTEXT.subtract,
    "*": CONTEXT.multiply,
    "/": CONTEXT.divide,
}


def failure(error: DecimalException, text: str) -> EvaluationError:
    """Return in plain words why the arithmetic of this piece of a formula failed."""
    # 0 / 0 arrives as InvalidOperation with the list of what is behind it.
    if isinstance(error, DivisionByZero) or [DivisionUndefined] in error.args:
        return EvaluationError(f"division by zero in {text}")
    if isinstance(error, Overflow):
        return EvaluationError(f"the result of {text} is too large (1e100 or more)")
    return EvaluationError(f"the result of {text} does not fit into {CONTEXT.prec} digits")


def round_down(value: Decimal, step: Decimal) -> Decimal:
    """Return the nearest multiple of the step that is not above the value (also below zero)."""
    count, rest = _steps("round_down", value, step)
    return CONTEXT.multiply(CONTEXT.subtract(count, _ONE) if rest < 0 else count, step)


def round_up(value: Decimal, step: Decimal) -> Decimal:
    """Return the nearest multiple of the step that is not below the value (also below zero)."""
    count, rest = _steps("round_up", value, step)
    return CONTEXT.multiply(CONTEXT.add(count, _ONE) if rest > 0 else count, step)


def clamp(value: Decimal, low: Decimal, high: Decimal) -> Decimal:
    """Return the value, or the limit it lies beyond."""
    if low > high:
        raise EvaluationError(
            f"clamp needs low <= high, here they are {shown(low)} and {shown(high)}"
        )
    return min(max(value, low), high)


def _steps(function: str, value: Decimal, step: Decimal) -> tuple[Decimal, Decimal]:
    if step <= 0:
        raise EvaluationError(f"{function} needs a step above zero, here it is {shown(step)}")
    return CONTEXT.divmod(value, step)


_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Function:
    """A function formulas may call: how it is written, and how many numbers it takes."""

    usage: str
    least: int
    most: int | None
    apply: Callable[..., Decimal]


FUNCTIONS: dict[str, Function] = {
    "min": Function("min(a, b, …)", 2, None, min),
    "max": Function("max(a, b, …)", 2, None, max),
    "abs": Function("abs(value)", 1, 1, CONTEXT.abs),
    "round_down": Function("round_down(value, step)", 2, 2, round_down),
    "round_up": Function("round_up(value, step)", 2, 2, round_up),
    "clamp": Function("clamp(value, low, high)", 3, 3, clamp),
}
