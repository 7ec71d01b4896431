"""Numbers as people read them: plain digits, no exponent, no zeros that say nothing."""

from __future__ import annotations

from decimal import Decimal


def figure(value: Decimal) -> str:
    """3498.77000000 -> 3498.77, 1E+3 -> 1000, 0E-8 -> 0."""
    return f"{value.normalize():f}" if value else "0"
