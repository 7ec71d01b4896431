"""Shares as people write them: `1.5%` in, and out again for the journal."""

from __future__ import annotations

import re
from decimal import Decimal

from runner.core.figures import figure

_PERCENT = re.compile(r"(-?\d{1,3}(?:\.\d{1,8})?)%", re.ASCII)


def signed_share(text: str) -> Decimal | None:
    """`-0.01%` as -0.0001; None when it is no share."""
    found = _PERCENT.fullmatch(text)
    return Decimal(found[1]).scaleb(-2) if found is not None else None


def share(text: str) -> Decimal | None:
    """`1.5%` as 0.015; None when it is none, not above 0 or not below 100%."""
    value = signed_share(text)
    return value if value is not None and 0 < value < 1 else None


def percent(value: Decimal) -> str:
    """A share for people, with four digits that count at most: 2.134%."""
    return f"{figure(Decimal(f'{value * 100:.4g}'))}%"
