"""What is counted as it happens: decisions, and requests to the exchange.

Base units, names that end as Prometheus wants them, and labels from closed lists: rules and symbols
of the rule files, kinds, states and reasons of the code. No ids, no amounts in labels.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from runner.core.decision import FINAL, Decision, Reason, Record, RunStatus
from runner.core.orders import OrderIntent
from runner.venues import RawAnswer, SignedRequest

SHORT: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
LONG: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

CALLS: Final[Mapping[str, str]] = {
    "PlaceCall": "place",
    "CancelCall": "cancel",
    "AmendCall": "amend",
    "SettingCall": "setting",
    "ProbeCall": "probe",
    "ReadCall": "read",
    "DeadManCall": "dead_man",
    "TimeCall": "time",
}
_REASONS: Final = frozenset(reason.value for reason in Reason)
OTHER: Final = "other"
_MOST_ATTEMPTS: Final = 10_000


class Counting:
    """Counters and histograms of one account, in a registry of its own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Everything begins at 0 with the process."""

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"runner_{name}", text, labels, registry=registry)

        def seconds(name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
            return Histogram(f"runner_{name}", text, labels, registry=registry, buckets=buckets)

        self.firings = counter("firings", "Rules that fired.", "rule")
        self.refusals = counter("refusals", "Rules that did not fire.", "rule", "reason")
        self.stopped_runs = counter("runs_stopped", "Runs that ended early.", "rule", "reason")
        self.orders = counter("orders", "Orders by how they ended.", "rule", "symbol", "state")
        self.rejects = counter("order_rejects", "Orders the exchange refused.", "code")
        self.parked = counter("orders_parked", "Orders that a person must look at.")
        self.doubts = counter("orders_doubted", "Orders whose answer was unclear.")
        self.fills = counter("fills", "Trades of own orders.", "symbol")
        self.traded = counter("traded_notional_usdt", "Price times size of fills.", "symbol")
        self.pnl = Gauge(
            "runner_realised_pnl_usdt",
            "Realised profit and loss since the start, fees not taken off.",
            ["symbol"],
            registry=registry,
        )
        self.alerts = counter("alerts", "Alerts that were decided.", "outcome")
        self.critical = counter("critical_notices", "Notices that needed a person.")
        self.errors = counter("errors", "Errors inside the runner that were recorded.")
        self.reloads = counter("reloads", "Reloads of the rules.", "result")
        self.breaks = counter("stream_breaks", "Streams that broke off.", "stream")
        self.order_seconds = seconds(
            "order_answer_seconds", "From an order's signature to the exchange's answer.", LONG
        )
        self.call_seconds = seconds(
            "exchange_request_seconds", "Requests to the exchange.", LONG, "call", "result"
        )
        self.commit_seconds = seconds(
            "journal_commit_seconds", "A commit, up to the release of its effects.", SHORT
        )
        self._began_at = 0.0
        self._signed: dict[tuple[str, int], int] = {}

    # the dispatcher's thread

    def timed(
        self, announce: Callable[[Sequence[Decision], int], Decision]
    ) -> Callable[[Sequence[Decision], int], Decision]:
        """The same, but a commit is timed from here to `count`."""

        def announced(decisions: Sequence[Decision], now: int) -> Decision:
            told = announce(decisions, now)
            self._began_at = time.perf_counter() if decisions else 0.0
            return told

        return announced

    def count(self, decisions: Sequence[Decision]) -> None:
        """Observer: count what was committed."""
        if self._began_at:
            self.commit_seconds.observe(time.perf_counter() - self._began_at)
            self._began_at = 0.0
        for decision in decisions:
            for record in decision.records:
                self._record(record)
            self._legs(decision)
            self._answers(decision)
            for alert in decision.alerts:
                self.alerts.labels(alert.outcome if alert.outcome in OUTCOMES else OTHER).inc()
            for row in decision.fills:
                self.fills.labels(row.symbol).inc()
                self.traded.labels(row.symbol).inc(float(row.fill.price * row.fill.quantity))
                self.pnl.labels(row.symbol).inc(float(row.fill.realised_pnl))
            for run in decision.runs.values():
                if run.status is RunStatus.STOPPED:
                    reason = run.reason.partition(":")[0]
                    self.stopped_runs.labels(run.identity.rule_id, _reason(reason)).inc()

    def _record(self, record: Record) -> None:
        match record.kind:
            case "fired":
                self.firings.labels(record.rule_id).inc()
            case "refused":
                self.refusals.labels(record.rule_id, _reason(record.reason)).inc()
            case "error":
                self.errors.inc()
            case "notify" if record.reason:
                self.critical.inc()
            case "reload":
                self.reloads.labels("refused" if record.reason else "loaded").inc()
            case "stream" if "broke off" in record.text:
                self.breaks.labels(record.text.partition(" ")[0]).inc()

    def _legs(self, decision: Decision) -> None:
        rules = {record.run_id: record.rule_id for record in decision.records}
        for change in decision.legs.values():
            leg = change.after
            known = change.before is not None and change.before.state is leg.state
            if known or not isinstance(leg.intent, OrderIntent):
                continue
            symbol, state = leg.intent.symbol, leg.state.value
            if leg.state in FINAL:
                self.orders.labels(rules.get(leg.run_id, ""), symbol, state.lower()).inc()
            if state == "REJECTED":
                self.rejects.labels(str(leg.code) if leg.code is not None else "").inc()
            elif state == "PARKED":
                self.parked.inc()
            elif state == "UNKNOWN":
                self.doubts.inc()

    def _answers(self, decision: Decision) -> None:
        for attempt in decision.attempts:
            self._signed[attempt.client_order_id, attempt.attempt] = attempt.signed_at
        for outcome in decision.outcomes:
            at = self._signed.pop((outcome.client_order_id, outcome.attempt), None)
            if at is not None:
                self.order_seconds.observe(max(outcome.answered_at - at, 0) / 1000)
        while len(self._signed) > _MOST_ATTEMPTS:
            self._signed.pop(next(iter(self._signed)))

    # other threads

    def request(self, signed: SignedRequest, answer: RawAnswer, ms: int) -> None:
        """A request came to an end after so many ms."""
        call = CALLS.get(type(signed.call).__name__, OTHER)
        self.call_seconds.labels(call, result_of(answer)).observe(ms / 1000)


OUTCOMES: Final = frozenset({"fired", "not fired", "duplicate", "unfit", "stored"})


def result_of(answer: RawAnswer) -> str:
    """What came of a request, in one of six words."""
    if answer.transport != "ok":
        return "not_sent" if answer.transport == "not_sent" else "no_answer"
    if answer.status in (418, 429):
        return "limited"
    if answer.status >= 500:
        return "failed"
    return "refused" if answer.status >= 400 else "ok"


def _reason(text: str) -> str:
    return text if text in _REASONS else OTHER
