"""Shares as people write them: `1.5%` in, and out again for the journal."""

from __future__ import annotations

import re
from decimal import Decimal

from runner.core.figures import figure

_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,8})?)%", re.ASCII)
_CENT = Decimal("0.01")


def share(text: str) -> Decimal | None:
    """`1.5%` as 0.015; None when it is none, 0 or not below 100%."""
    found = _PERCENT.fullmatch(text)
    value = Decimal(found[1]).scaleb(-2) if found is not None else Decimal(0)
    return value if 0 < value < 1 else None


def percent(value: Decimal) -> str:
    """A share for people, to a hundredth of a percent: +2.13%."""
    cents = (value * 100).quantize(_CENT)
    return f"{'+' if cents > 0 else ''}{figure(cents)}%"
