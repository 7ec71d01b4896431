"""Reading what a runner shows to Prometheus, and the programs of Prometheus where they are."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from typing import Final

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

WHY: Final = "Debian's package prometheus is not installed (.ci/run installs it)"
needs_promtool: Final = pytest.mark.skipif(shutil.which("promtool") is None, reason=WHY)
needs_prometheus: Final = pytest.mark.skipif(shutil.which("prometheus") is None, reason=WHY)

_METRIC: Final = re.compile(r"\b(?:runner|process)_[a-z_]+\b")


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    """One sample; None when there is none."""
    return registry.get_sample_value(name, labels)


def names(text: str) -> set[str]:
    """Every name that an expression may use: families, and what Prometheus makes of them."""
    found = set()
    for family in text_string_to_metric_families(text):
        found.add(family.name)
        if family.type == "counter":
            found.add(f"{family.name}_total")
        if family.type == "histogram":
            found |= {f"{family.name}_{end}" for end in ("bucket", "sum", "count")}
    return found


def used(expressions: Sequence[str]) -> set[str]:
    """The names of metrics in these expressions."""
    return {name for each in expressions for name in _METRIC.findall(each)}


def samples(text: str, name: str) -> Mapping[tuple[tuple[str, str], ...], float]:
    """All samples of one name, by their labels."""
    return {
        tuple(sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }
