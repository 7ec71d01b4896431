"""Which stream goes over which market connection, also when rules come and go."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from runner.core.rules import KLINE

Wanted = frozenset[tuple[str, str]]
"""(symbol, price source or candle) pairs."""

STREAM_OF: dict[str, tuple[str, str]] = {
    "mark": ("market", "markPrice@1s"),
    "index": ("market", "markPrice@1s"),
    "funding": ("market", "markPrice@1s"),
    "last": ("market", "aggTrade"),
    "bid": ("public", "bookTicker"),
    "ask": ("public", "bookTicker"),
}
"""Price source -> category of address, name of stream: one connection is one category."""

HEARTBEAT = "markPrice@1s"

PER_CONNECTION = 200
"""The exchange takes 1024 streams a connection; the length of an address is not documented, and
after a break the whole list stands in it."""


def stream_of(source: str) -> tuple[str, str]:
    """Category and stream of a source. Raises KeyError for one that no stream carries."""
    return ("market", source) if source.startswith(KLINE) else STREAM_OF[source]


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection: its name, the category of its address, its (symbol, stream) pairs."""

    name: str
    category: str
    streams: frozenset[tuple[str, str]]

    def names(self) -> frozenset[str]:
        """What it subscribes to, as the exchange names streams: symbols in lower case.

        A connection of trades alone also takes one symbol's mark price: it comes every second,
        so that silence means something.
        """
        streams = self.streams
        if self.category == "market" and not any("markPrice" in kind for _, kind in streams):
            streams |= {(min(streams)[0], HEARTBEAT)}
        return frozenset(f"{symbol.lower()}@{kind}" for symbol, kind in streams)

    def pairs(self, wanted: Wanted) -> Wanted:
        """The wanted pairs whose prices come over this connection, and no other's."""
        return frozenset(
            pair for pair in wanted if (pair[0], stream_of(pair[1])[1]) in self.streams
        )


def allot(wanted: Wanted, standing: Sequence[Connection] = ()) -> tuple[Connection, ...]:
    """The connections that these pairs need.

    What stands keeps what it carries and is still wanted; what is new goes where there is room,
    and only then over a connection of its own. Raises KeyError for an unknown source.
    """
    needed: dict[str, set[tuple[str, str]]] = {"market": set(), "public": set()}
    for symbol, source in wanted:
        category, stream = stream_of(source)
        needed[category].add((symbol, stream))
    found: list[Connection] = []
    for category, streams in needed.items():
        ours = [one for one in standing if one.category == category]
        kept = [replace(one, streams=one.streams & streams) for one in ours]
        missing = streams.difference(*(one.streams for one in kept))
        found += _filled(category, kept, sorted(missing))
    return tuple(one for one in found if one.streams)


def _filled(
    category: str, kept: list[Connection], missing: list[tuple[str, str]]
) -> list[Connection]:
    found = []
    for one in [*kept, *_fresh(category, {one.name for one in kept}, len(missing))]:
        room = PER_CONNECTION - len(one.streams)
        found.append(replace(one, streams=one.streams | {*missing[:room]}))
        missing = missing[room:]
    return found


def _fresh(category: str, taken: set[str], count: int) -> Iterable[Connection]:
    """Enough empty connections for so many streams, under names that are free."""
    numbered = (category if one == 1 else f"{category}-{one}" for one in itertools.count(1))
    free = (name for name in numbered if name not in taken)
    return [
        Connection(name, category, frozenset())
        for name in itertools.islice(free, -(-count // PER_CONNECTION))
    ]


def address(root: str, category: str, names: Iterable[str]) -> str:
    """Where these streams are heard; some symbols are Chinese and go percent-encoded."""
    listed = "/".join(quote(name, safe="@") for name in sorted(names))
    return f"{root}/{category}/stream?streams={listed}"
