"""The figures of several accounts as one set, in which each sample says whose it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector


class ByAccount(Collector):
    """Collects from a registry for each account, and adds the label `account`."""

    def __init__(self, parts: Mapping[str, CollectorRegistry]) -> None:
        """More accounts may come to `parts` later."""
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        """Each metric once, with the samples of all accounts."""
        found: dict[str, Metric] = {}
        for account, part in self._parts.items():
            for family in part.collect():
                empty = Metric(family.name, family.documentation, family.type, family.unit)
                found.setdefault(family.name, empty).samples += [
                    sample._replace(labels={"account": account, **sample.labels})
                    for sample in family.samples
                ]
        yield from found.values()

    def describe(self) -> Iterator[Metric]:
        """Nothing is read to register: what is asked of is not there yet."""
        return iter(())
