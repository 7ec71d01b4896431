"""Plots of what was recorded, as SVG under bench/results/; none without matplotlib."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.goals import GOALS, Measured, Sample, ratios
from bench.programs import PEERS
from bench.results import RESULTS, recorded


def plots() -> list[Path]:
    """Draw everything that there are figures for; the files."""
    if str(PEERS) not in sys.path:
        sys.path.append(str(PEERS))
    try:
        import matplotlib as mpl
    except ImportError:
        print("no plots: matplotlib is not installed, `make bench` installs it")
        return []
    mpl.use("svg")
    drawn = []
    for name, draw in (("alerts", _alerts), ("goals", _goals), ("growth", _growth)):
        figures = recorded(name)
        if figures:
            drawn.append(draw(figures))
    return drawn


def _alerts(figures: Mapping[str, Any]) -> Path:
    """How many of the alerts were on the wire by when: one curve each, first orders."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(figures), figsize=(12, 4.5), sharey=True)
    for axis, (kind, racers) in zip(axes, figures.items(), strict=True):
        for name, values in racers.items():
            ordered = sorted(values["first"])
            shares = [(at + 1) / len(ordered) * 100 for at in range(len(ordered))]
            axis.plot(ordered, shares, label=name)
        axis.set_xscale("log")
        axis.set_title(kind)
        axis.set_xlabel("ms from the alert's first byte to its first order on the wire")
        axis.grid(visible=True, alpha=0.3)
    axes[0].set_ylabel("% of alerts")
    axes[0].legend()
    return _saved(figure, "alerts")


def _goals(figures: Mapping[str, Any]) -> Path:
    """Each row that has something beside it: its ratio, and the goal's."""
    from matplotlib import pyplot as plt

    rows = []
    for goal in GOALS:
        if goal.ratio is None or goal.key not in figures:
            continue
        row = figures[goal.key]
        beside = Sample(**row["beside"]) if row["beside"] else None
        ratio = ratios(Measured(Sample(**row["ours"]), beside))[0]
        rows.append((goal.what, ratio or 0.0, goal.ratio))
    figure, axis = plt.subplots(figsize=(10, 0.4 * len(rows) + 1.2))
    places = range(len(rows))
    axis.barh(places, [row[1] for row in rows], color="#4477aa", label="ours ÷ beside")
    axis.scatter([row[2] for row in rows], places, marker="|", s=200, color="#cc3311", label="goal")
    axis.set_yticks(list(places), [row[0] for row in rows])
    axis.invert_yaxis()
    axis.legend()
    return _saved(figure, "goals")


def _growth(figures: Mapping[str, Any]) -> Path:
    """Cost against how much there is, each on logarithmic axes."""
    from matplotlib import pyplot as plt

    tall = -(-len(figures) // 2)
    figure, axes = plt.subplots(tall, 2, figsize=(12, 3.6 * tall), squeeze=False)
    for axis, (what, series) in zip(axes.flat, figures.items(), strict=False):
        points = [(float(x), y) for x, y in series["points"]]
        axis.plot([x for x, _ in points], [y for _, y in points], marker="o")
        axis.set_xscale("log")
        axis.set_ylim(0, max(y for _, y in points) * 1.3)
        axis.set_xlabel(what)
        axis.set_ylabel(series["unit"])
        axis.set_title(series["title"], fontsize=10)
        axis.grid(visible=True, alpha=0.3)
    return _saved(figure, "growth")


def _saved(figure: Any, name: str) -> Path:
    path = RESULTS / f"{name}.svg"
    figure.tight_layout()
    figure.savefig(path)
    return path
