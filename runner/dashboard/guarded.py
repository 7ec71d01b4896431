"""The guards in force, in words: those of the account, of rule files and of single rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

from runner.core.figures import figure
from runner.core.limits import Limits, Most
from runner.dashboard.desk import Desk

SHARES = frozenset({"max_price_distance"})
"""What is kept as a share and written in percent."""


@dataclass(frozen=True, slots=True)
class Guard:
    """One set of limits: whom it binds, and each limit with its value."""

    whom: str
    limits: tuple[tuple[str, str], ...]


def guards(desk: Desk) -> list[Guard]:
    """The account's guards, then each set that rules have, with how many rules have it."""
    sets: list[tuple[str, Limits]] = []
    counts: list[int] = []
    for rule in desk.rules().values():
        own = (rule.file, rule.limits)
        if own not in sets:
            sets.append(own)
            counts.append(0)
        counts[sets.index(own)] += 1
    account = desk.account_limits()
    told = [Guard("the account", words(account))] if account.written else []
    return told + [
        Guard(f"{count} rule{'' if count == 1 else 's'} of {Path(file).name}", words(limits))
        for (file, limits), count in zip(sets, counts, strict=True)
        if limits.written
    ]


def words(limits: Limits) -> tuple[tuple[str, str], ...]:
    """Each limit that is set, with its value; those of single symbols after the others."""
    found = [
        (field.name.replace("_", " "), _value(field.name, getattr(limits, field.name)))
        for field in fields(limits)
        if field.name != "symbols" and getattr(limits, field.name) is not None
    ]
    symbols: Mapping[str, Limits] = limits.symbols
    for symbol, own in symbols.items():
        found += [(f"{symbol} {name}", value) for name, value in words(own)]
    return tuple(found)


def _value(name: str, value: Any) -> str:
    if isinstance(value, Most):
        return f"{figure(value.value * 100)}%" if value.share else f"{figure(value.value)} USDT"
    if isinstance(value, Decimal):
        return f"{figure(value * 100)}%" if name in SHARES else figure(value)
    return ", ".join(value) if isinstance(value, tuple) else str(value)
