"""Who knocks: a sender's address, the allow-list, and how many refusals an address is told."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

TRADINGVIEW = ("52.89.214.238", "34.212.75.30", "54.218.53.128", "52.32.178.7")
"""The addresses that TradingView's alerts come from (its help page on webhooks)."""

NAMED = {"tradingview": TRADINGVIEW}

MINUTE = 60_000
MOST_REFUSALS = 60
"""Refusals of one address in a minute, each told why; the others are told to wait."""

MOST_TOLD = 600
"""Log lines about refusals in a minute, of all addresses together."""

MOST_REMEMBERED = 4_096
MOST_ALERTS = 6_000
"""Alerts with the right secret that one path takes in a minute; the others may come again."""


def networks(written: Iterable[str]) -> tuple[Network, ...]:
    """Return the networks of addresses, networks (10.0.0.0/8) and `tradingview`.

    Raises ValueError for what is none of them.
    """
    texts = [each for text in written for each in NAMED.get(text, (text,))]
    return tuple(ip_network(text) for text in texts)


@dataclass(frozen=True, slots=True)
class Senders:
    """`allow`: whose alerts are taken, everybody's when empty; `proxies`: whose word about the
    sender's address (X-Forwarded-For) counts.
    """

    allow: tuple[Network, ...] = ()
    proxies: tuple[Network, ...] = ()

    def address(self, peer: str, forwarded: Sequence[str]) -> str:
        """Return the sender's address: the last one in the chain that no trusted proxy has.

        `peer` is who connected, `forwarded` the X-Forwarded-For headers, oldest first. What an
        untrusted peer says about itself is not looked at.
        """
        chain = [part.strip() for header in forwarded for part in header.split(",")]
        address = peer
        while chain and self.trusts(address):
            address = chain.pop()
        return address

    def trusts(self, peer: str) -> bool:
        """Return whether what this peer says about the sender counts."""
        return _among(peer, self.proxies)

    def admits(self, address: str) -> bool:
        """Return whether alerts from this address are taken."""
        return not self.allow or _among(address, self.allow)


def _among(text: str, wanted: Sequence[Network]) -> bool:
    address = _parsed(text)
    return address is not None and any(
        address.version == network.version and address in network for network in wanted
    )


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


class Tally:
    """Counts by key in whole minutes; bounded, whoever comes. Any thread may call."""

    def __init__(self) -> None:
        """Nothing was counted."""
        self._lock = threading.Lock()
        self._counts: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def add(self, key: str, now: int) -> int:
        """Count one more in the minute of `now` (ms); return how many those are."""
        minute = now // MINUTE
        with self._lock:
            then, count = self._counts.pop(key, (minute, 0))
            count = count + 1 if then == minute else 1
            self._counts[key] = (minute, count)
            if len(self._counts) > MOST_REMEMBERED:
                self._counts.popitem(last=False)
            return count


class Refusals:
    """Keeps wrong secrets from filling the log, and tells who sends them to wait."""

    def __init__(self) -> None:
        """Nobody was refused."""
        self._by_address = Tally()
        self._told = Tally()

    def another(self, address: str, now: int) -> tuple[bool, bool]:
        """Return whether this address shall wait, and whether the log shall tell of it.

        Of a flood the log tells the first ones, and once that there are more.
        """
        count = self._by_address.add(_neighbourhood(address), now)
        wait = count > MOST_REFUSALS
        tell = count <= MOST_REFUSALS + 1 and self._told.add("", now) <= MOST_TOLD
        return wait, tell


def _neighbourhood(text: str) -> str:
    """An IPv6 sender has a whole /64 of addresses."""
    address = _parsed(text)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, 64), strict=False))
    return text if address is None else str(address)
