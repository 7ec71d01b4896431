"""What is read when Prometheus asks: how things stand now, from what other threads keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from runner import __version__
from runner.core.engine import Engine
from runner.core.links import USER
from runner.core.orders import OrderIntent, OrderState
from runner.core.rules import RuleSet
from runner.core.switches import KILLED, PAUSED, latch
from runner.journal import Journal
from runner.outside import Outside
from runner.sources.readiness import Readiness
from runner.venues import Limited, Venue

MODES = ("live", "demo", "paper", "custom")
MARKET = "market"


class Loop(Protocol):
    """What is asked of the dispatcher."""

    full: str
    turned_at: int


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the readings come from; each may be read by any thread."""

    engine: Engine
    loop: Loop
    journal: Journal
    venue: Venue
    outside: Outside
    rules: Callable[[], RuleSet]
    readiness: Callable[[], Readiness]
    mode: str
    started_at: int
    loaded_at: Callable[[], int]
    now: Callable[[], int]


def _gauge(name: str, text: str, value: float | bool | None = None) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"runner_{name}", text, value=None if value is None else float(value))


def _labelled(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"runner_{name}", text, labels=labels)


def _readiness(found: Readiness) -> Iterator[Metric]:
    yield _gauge("ready", "1 while alerts become orders.", found.ready)
    yield _gauge("taking_alerts", "1 while alerts are taken.", found.taking)


class Waiting(Collector):
    """The same two gauges of an account that could not begin yet; it has no others."""

    def __init__(self, readiness: Callable[[], Readiness]) -> None:
        """Nothing is read before somebody asks."""
        self._asked = readiness

    def collect(self) -> Iterator[Metric]:
        """Whether it is ready now."""
        yield from _readiness(self._asked())

    def describe(self) -> Iterator[Metric]:
        """Nothing is read to register."""
        return iter(())


class Readings(Collector):
    """The gauges, made anew at each scrape."""

    def __init__(self, sources: Sources) -> None:
        """Nothing is read before somebody asks."""
        self._from = sources

    def collect(self) -> Iterator[Metric]:
        """Every gauge and its values now."""
        yield from self._runner()
        yield from self._orders()
        yield from self._exchange()
        yield from self._outside()
        yield from self._journal()

    def describe(self) -> Iterator[Metric]:
        """Nothing is read to register: what is asked of is not there yet."""
        return iter(())

    def _runner(self) -> Iterator[Metric]:
        source = self._from
        build = _labelled("build_info", "The version that runs; always 1.", "version")
        build.add_metric([__version__], 1)
        mode = _labelled("mode", "1 for the kind of account that is traded.", "mode")
        for name in MODES:
            mode.add_metric([name], source.mode == name)
        ready = source.readiness()
        memories = source.engine.state.memories
        yield build
        yield mode
        yield _gauge("start_timestamp_seconds", "When it started.", source.started_at / 1000)
        yield from _readiness(ready)
        yield _gauge("rules_loaded", "Rules that run.", len(source.rules().rules))
        loaded_at = source.loaded_at() / 1000
        yield _gauge("rules_loaded_timestamp_seconds", "When they were loaded.", loaded_at)
        killed = latch(memories, KILLED) is not None
        yield _gauge("killed", "1 while the kill switch is latched.", killed)
        paused = latch(memories, PAUSED) is not None
        yield _gauge("paused", "1 while there are no new entries.", paused)
        turned_at = source.loop.turned_at / 1000
        yield _gauge("last_turn_timestamp_seconds", "The last turn of the loop.", turned_at)

    def _orders(self) -> Iterator[Metric]:
        engine = self._from.engine
        legs = [
            leg
            for leg in list(engine.state.legs.values())
            if leg.open and isinstance(leg.intent, OrderIntent)
        ]
        opened = _labelled("orders_open", "Orders of which something may still come.", "symbol")
        for symbol in sorted(self._symbols() | {leg.intent.symbol for leg in legs}):
            opened.add_metric([symbol], sum(leg.intent.symbol == symbol for leg in legs))
        yield opened
        unknown = [leg for leg in legs if leg.state is OrderState.UNKNOWN]
        text = "Orders of which it is not known whether the exchange has them."
        yield _gauge("orders_unknown", text, len(unknown))
        since = min((leg.updated_at or leg.planned_at for leg in unknown), default=0)
        age = max(self._from.now() - since, 0) / 1000 if unknown else 0
        yield _gauge("orders_unknown_age_seconds", "For how long the oldest of them is so.", age)
        runs = len(engine.state.runs)
        yield _gauge("runs_open", "Firings whose actions go on.", runs)
        yield from self._positions()

    def _symbols(self) -> set[str]:
        rules = self._from.rules().rules.values()
        return {symbol for rule in rules for symbol in rule.symbols}

    def _positions(self) -> Iterator[Metric]:
        engine = self._from.engine
        view = engine.world.view
        size = _labelled("position_notional_usdt", "Signed, at the mark.", "symbol", "side")
        pnl = _labelled("unrealised_pnl_usdt", "As the exchange last said.", "symbol", "side")
        for (symbol, side), position in sorted(view.positions.copy().items()):
            last = view.board.last(symbol, "mark")
            price = position.entry_price if last is None else last.value
            size.add_metric([symbol, side.lower()], float(position.size * price))
            pnl.add_metric([symbol, side.lower()], float(position.unrealised_pnl))
        yield size
        yield pnl
        left = _labelled(
            "dead_man_remaining_seconds",
            "Until the exchange cancels a symbol's orders unless the countdown is set again.",
            "symbol",
        )
        server_now = self._from.venue.server_time()
        for known in list(engine.state.dead_men.values()):
            if known.countdown:
                ends = known.confirmed_time + known.countdown
                left.add_metric([known.symbol], (ends - server_now) / 1000)
        yield left

    def _exchange(self) -> Iterator[Metric]:
        venue, links = self._from.venue, self._from.engine.links
        reachable = links.down is None
        yield _gauge("exchange_reachable", "1 while REST answers.", reachable)
        failing = "Kinds of questions to the exchange that fail."
        yield _gauge("exchange_failing_questions", failing, len(links.calls))
        uncertainty = venue.clock_uncertainty()
        known = float("nan") if uncertainty is None else uncertainty / 1000
        text = "How much the exchange's clock may differ from what is believed."
        yield _gauge("exchange_clock_uncertainty_seconds", text, known)
        streams = _labelled("stream_connected", "1 while the stream stands.", "stream")
        away = set(links.streams)
        streams.add_metric([USER], USER not in away)
        streams.add_metric([MARKET], not away - {USER})
        yield streams
        used = _labelled("exchange_limit_used_ratio", "Of each limit, in its window.", "limit")
        if isinstance(venue, Limited):
            for limit, left in venue.limits_left():
                name = f"{limit.kind}_{limit.interval // 1000}s"
                used.add_metric([name], 1 - left / limit.limit if limit.limit else 0)
        yield used

    def _outside(self) -> Iterator[Metric]:
        outside = self._from.outside
        sent = CounterMetricFamily(
            "runner_notifications", "Messages to targets.", labels=["target", "result"]
        )
        dropped = CounterMetricFamily(
            "runner_notices_dropped", "Notices that a target never got.", labels=["target"]
        )
        waiting = _labelled("critical_notices_waiting", "For a target to take them.", "target")
        for courier in outside.desk.couriers:
            name = courier.target.name
            sent.add_metric([name, "sent"], courier.counts.sent)
            sent.add_metric([name, "failed"], courier.counts.failed)
            dropped.add_metric([name], courier.counts.dropped)
            waiting.add_metric([name], courier.waiting)
        yield sent
        yield dropped
        yield waiting

    def _journal(self) -> Iterator[Metric]:
        source = self._from
        yield _gauge("journal_full", "1 while nothing new is taken.", bool(source.loop.full))
        if source.journal.lease_ttl is None:
            size = _size(Path(source.journal.name))
            yield _gauge("journal_size_bytes", "The journal's file and its log.", size)


def _size(path: Path) -> int:
    found = 0
    for each in (path, path.with_name(f"{path.name}-wal")):
        try:
            found += each.stat().st_size
        except OSError:
            continue
    return found
