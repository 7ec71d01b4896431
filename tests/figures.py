"""Figures that tests report, summed over all workers and printed when the suite ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

PREFIX = "figures of "


def report(request: pytest.FixtureRequest, title: str, figures: Mapping[str, float]) -> None:
    """Add these figures to what the suite prints under `title` at its end."""
    request.node.user_properties.append((PREFIX + title, dict(figures)))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print one line a title: each figure is the sum over the tests that reported it."""
    totals: dict[str, Counter[str]] = {}
    for reports in terminalreporter.stats.values():
        for one in reports:
            for name, value in getattr(one, "user_properties", ()):
                if name.startswith(PREFIX) and one.when == "call":
                    totals.setdefault(name[len(PREFIX) :], Counter()).update(value)
    if totals:
        terminalreporter.section("figures")
    for title, figures in sorted(totals.items()):
        terminalreporter.write_line(f"{title}: {_told(figures)}")


def _told(figures: Counter[str]) -> str:
    return ", ".join(f"{value:,.10g} {name}" for name, value in figures.items())
