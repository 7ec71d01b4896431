"""Numbers and lengths of time as people read them: no exponent, no zeros that say nothing."""

from __future__ import annotations

from decimal import Decimal


def figure(value: Decimal) -> str:
    """3498.77000000 -> 3498.77, 1E+3 -> 1000, 0E-8 -> 0."""
    return f"{value.normalize():f}" if value else "0"


def span(ms: int) -> str:
    """A length of time in its largest fitting unit: 450 ms, 12 s, 3 min, 4.5 h, 2 d."""
    for size, unit in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")):
        if ms >= size:
            return f"{ms / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{ms} ms"
