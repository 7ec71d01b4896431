"""How the exchange writes and reads decimal numbers."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, InvalidOperation
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = dict[str, Json]

ZERO = Decimal(0)
ONE = Decimal(1)
_SMALLEST = Decimal("0.00000001")


def read(text: str) -> Decimal | None:
    """Return the finite number written in `text`, or None when it is not one."""
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def fixed(value: Decimal, digits: int) -> str:
    """Return `value` with exactly `digits` decimals, as account figures are written."""
    rounded = value.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)
    return format(abs(rounded) if rounded == 0 else rounded, "f")


def booked(value: Decimal) -> Decimal:
    """Return an amount as it enters a wallet: with eight decimals, so that rows add up to it."""
    return value.quantize(_SMALLEST, rounding=ROUND_HALF_UP)


def money(value: Decimal) -> str:
    """Return an amount of the margin asset with its eight decimals."""
    return fixed(value, 8)


def brief(value: Decimal, digits: int) -> str:
    """Return `0` for nothing and `fixed` otherwise: the form of the user stream."""
    return fixed(value, digits) if value else "0"


def decimals(value: Decimal) -> int:
    """Return how many decimals `value` really needs, trailing zeros not counted."""
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """Return the largest multiple of `step` that is not above `value`."""
    return (value / step).to_integral_value(rounding=ROUND_FLOOR) * step


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """Return the smallest multiple of `step` that is not below `value`."""
    return (value / step).to_integral_value(rounding=ROUND_CEILING) * step
