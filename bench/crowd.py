"""Prices: 10,000 rules on 100 symbols at 20,000 frames a second, and the alert path beside them.

    python -m bench crowd

A tick's age is bounded from outside: from the moment at which the frame that crosses a level leaves
the market until the order that follows is at the exchange.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.daemon import Daemon, cpu_seconds, daemon, folder_of, rules
from bench.goals import Measured, Sample, sample
from bench.stand import Arrivals, Exchange, exchange

SYMBOLS, LEVELS = 100, 100
RATE = 20_000
ALERTS, CROSSES = 150, 60
SPAN = 4.0
"""Seconds over which the daemon's CPU time is taken."""

PRICE_RULE = """\
  - id: far-{n}
    symbols: all
    when: [{{price: {{crosses_above: {level}, source: last}}}}]
    do: [{{notify: far}}]
"""
CROSS_RULE = """\
  - id: near
    symbols: all
    when: [{price: {crosses_above: 70500, source: last, rearm: 70400}}]
    do:
      - place:
"""
ORDER = "          - {side: buy, type: limit, price: 69000, quantity: 0.01, time_in_force: ioc}\n"


def price_rules(symbols: int = SYMBOLS, levels: int = LEVELS, orders: int = 5) -> str:
    """One rule for each level, each on all symbols; one of them near; then the hooks."""
    names = ", ".join(f"X{n}USDT" for n in range(symbols))
    head, _, hooks = rules(orders).partition("rules:\n")
    far = "".join(PRICE_RULE.format(n=n, level=72_000 + 10 * n) for n in range(levels - 1))
    return f"{head}lists: {{all: [{names}]}}\nrules:\n{far}{CROSS_RULE}{ORDER * orders}{hooks}"


def measure() -> dict[str, Measured]:
    """The rows about prices."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with exchange(folder / "exchange", SYMBOLS) as venue:
            where = folder_of(folder / "ours", venue.account(), price_rules())
            with daemon(where) as own:
                time.sleep(2)
                quiet, crowded = _in_turns(own, venue)
                crossed = _crosses(venue)
                venue.market.rate(RATE)
                time.sleep(1)
                before, began = cpu_seconds(own.pid), time.monotonic()
                time.sleep(SPAN)
                cores = (cpu_seconds(own.pid) - before) / (time.monotonic() - began)
                oldest = _crosses(venue)
    return {
        "cross": Measured(sample(crossed), sample(quiet)),
        "crowded": Measured(sample(crowded), sample(quiet)),
        "stream-oldest": Measured(Sample(max(oldest)), None, "until its order is at the exchange"),
        "stream-core": Measured(Sample(cores)),
    }


def _in_turns(own: Daemon, venue: Exchange) -> tuple[list[float], list[float]]:
    """Ms from alerts to the wire, without frames and with them."""
    _alerts(own, venue.arrivals, 30)
    quiet: list[float] = []
    crowded: list[float] = []
    for _ in range(3):
        quiet += _alerts(own, venue.arrivals, ALERTS // 3)
        venue.market.rate(RATE)
        time.sleep(0.5)
        crowded += _alerts(own, venue.arrivals, ALERTS // 3)
        venue.market.rate(0)
        time.sleep(0.5)
    return quiet, crowded


def _alerts(own: Daemon, arrivals: Arrivals, count: int) -> list[float]:
    found = []
    for _ in range(count):
        before = len(arrivals)
        sent = own.send()
        arrivals.wait(before + 1)
        found.append((arrivals[before].at - sent.began) / 1e6)
    return found


def _crosses(venue: Exchange) -> list[float]:
    """Ms from a frame that crosses a level to the wire, on one symbol after another."""
    found = []
    for number in itertools.islice(itertools.cycle(range(SYMBOLS)), CROSSES):
        symbol = f"X{number}USDT"
        venue.market.price(symbol, 70_000)
        time.sleep(0.02)
        before = len(venue.arrivals)
        left = venue.market.price(symbol, 70_501)
        venue.arrivals.wait(before + 1)
        found.append((venue.arrivals[before].at - left) / 1e6)
        venue.market.price(symbol, 70_000)
        time.sleep(0.02)
    return found


def main(arguments: Sequence[str] = ()) -> dict[str, Measured]:
    """Measure; there is nothing to choose."""
    del arguments
    return measure()
