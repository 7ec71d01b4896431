"""The pages: each reads what it shows and hands it to its template."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flask import Flask, Response, abort, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from runner import __version__
from runner.core.decision import FINAL, Reason
from runner.core.orders import OrderState
from runner.dashboard.asked import PAGE, Asked, asked
from runner.dashboard.chains import HEADS, chain_of
from runner.dashboard.desk import Desk, Plain
from runner.dashboard.drawing import drawn
from runner.dashboard.guarded import guards
from runner.dashboard.waiting import Waiting
from runner.journal import JournalReader

ORDERS = 100
"""Orders on the page; the journal has them all."""

MINUTE = 60_000
INTERVALS = ("1m", "5m", "15m", "1h", "4h", "1d")
EXPORTED = ("seq", "at", "kind", "rule_id", "symbol", "run_id", "client_order_id", "reason", "text")
KINDS = (
    *("event", "armed", "crossed", "reset", "fired", "refused", "planned", "sent", "answered"),
    *("state", "fill", "notify", "run", "position", "dead_man", "stream", "reload", "command"),
    *("error", "started", "stopped"),
)
"""Kinds of records, in the order in which an event meets them."""

AT_ONCE = 500
"""Rows read at once while a journal is exported."""

OPEN = tuple(sorted(state.value for state in OrderState if state not in FINAL))


class Pages:
    """The pages that only show; `now` is the wall clock in ms."""

    def __init__(self, desk: Desk, waiting: Waiting, now: Callable[[], int]) -> None:
        """`waiting` knows how rules stand, without asking the runner at every look."""
        self._desk = desk
        self._waiting = waiting
        self._now = now

    def install(self, app: Flask) -> None:
        """Add them to the app."""
        pages: dict[str, Callable[..., str | AnyResponse]] = {
            "/": self.overview,
            "/rules": self.rules,
            "/rules/<rule_id>": self.rule,
            "/events": self.events,
            "/runs/<run_id>": self.run,
            "/orders": self.orders,
            "/chart": self.chart,
            "/journal": self.journal,
            "/journal/export": self.export,
            "/system": self.system,
        }
        for path, page in pages.items():
            app.add_url_rule(path, page.__name__, page)

    def overview(self) -> str:
        """What runs, what is switched, what is open, and what needs a person."""
        streams: list[Plain] = []
        sent: list[Plain] = []
        # who runs tells both itself; else the log is looked through
        if not self._desk.status()["streams"]:
            with self._desk.journal() as journal:
                streams = _streams(journal.history(limit=40, kinds=("stream",)))
                sent = journal.history(limit=AT_ONCE, kinds=("sent",), since=self._now() - MINUTE)
        return render_template(
            "overview.html",
            streams=streams,
            sent=len(sent),
            guards=guards(self._desk),
            held=self._waiting.account(),
        )

    def rules(self) -> str:
        """Every rule and symbol with what it waits for."""
        status = self._desk.status()
        stand = self._waiting.rules()
        words = request.args.get("q", "").strip().lower()[:200]
        names = {rule.id: rule.name for rule in self._desk.rules().values()}
        rows = [
            {**each, "name": names.get(each["rule_id"], ""), "now": stand.of(each)}
            for each in status["rules"]
        ]
        found = [row for row in rows if words in _text(row)]
        number, last = _page_number(len(found))
        return render_template(
            "rules.html",
            rows=found[(number - 1) * PAGE : number * PAGE],
            found=len(found),
            every=len(rows),
            number=number,
            last=last,
            q=request.args.get("q", ""),
            stand=stand,
        )

    def rule(self, rule_id: str) -> str:
        """One rule: how it is written, how it stands on every symbol, what happened to it."""
        rule = self._desk.rules().get(rule_id)
        status = self._desk.status()
        symbols = [each for each in status["rules"] if each["rule_id"] == rule_id]
        with self._desk.journal() as journal:
            records = journal.history(limit=PAGE, rule_id=rule_id, looks=False)
            running = journal.runs(rule_id=rule_id, status="running", limit=20)
        if rule is None and not symbols and not records:
            abort(404)
        stand = self._waiting.rule(rule_id)
        return render_template(
            "rule.html",
            rule_id=rule_id,
            rule=rule,
            written=self._desk.written(rule.text) if rule is not None else [],
            symbols=[{**each, "now": stand.of(each)} for each in symbols],
            stand=stand,
            records=records,
            running=running,
        )

    def events(self) -> str:
        """Every event with what followed, filtered."""
        asks = asked(request.args)
        # who asks for a reason wants to see where it was given, whatever the record is
        kinds = None if asks.reason else HEADS
        with self._desk.journal() as journal:
            found = journal.history(asks.before, PAGE + 1, kinds=kinds, looks=False, **asks.wanted)
            heads = found[:PAGE]
            fired = [each["run_id"] for each in heads if each["kind"] == "fired"]
            steps = journal.steps(fired)
        chains = [chain_of(each, steps.get(each["run_id"], ())) for each in heads]
        return render_template("events.html", chains=chains, **self._listing(asks, found))

    def run(self, run_id: str) -> str:
        """One run explained: its event, the rule as it was, its orders, its log."""
        with self._desk.journal() as journal:
            run = journal.run(run_id)
            if run is None:
                abort(404)
            records = journal.records(run_id=run_id)
        text = run["rule_text"]
        written = self._desk.written(text) if text else []
        return render_template("run.html", run=run, records=records, written=written)

    def orders(self) -> str:
        """Positions, open orders, and the newest of those that are over."""
        asks = asked(request.args)
        wanted: dict[str, Any] = {"symbol": asks.symbol or None, "rule_id": asks.rule or None}
        with self._desk.journal() as journal:
            open_ones = journal.orders(state=OPEN, **wanted)
            over = journal.orders(state=[state.value for state in FINAL], limit=ORDERS, **wanted)
        return render_template(
            "orders.html",
            held=self._waiting.account(),
            open_ones=open_ones[::-1],
            over=over[::-1],
            most=ORDERS,
            **self._choices(asks),
        )

    def chart(self) -> str:
        """Price, levels that rules wait for, fills and open orders of one symbol."""
        symbols = self._symbols()
        symbol = request.args.get("symbol", "") or next(iter(symbols), "")
        interval = request.args.get("interval", "")
        interval = interval if interval in INTERVALS else INTERVALS[0]
        symbol = symbol if symbol in symbols else next(iter(symbols), "")
        found = drawn(self._desk, self._waiting, symbol, interval) if symbol else None
        return render_template(
            "chart.html",
            found=found,
            symbol=symbol,
            symbols=symbols,
            interval=interval,
            intervals=INTERVALS,
        )

    def journal(self) -> str:
        """The log, newest first, filtered."""
        asks = asked(request.args)
        with self._desk.journal() as journal:
            found = journal.history(
                asks.before,
                PAGE + 1,
                kinds=_kinds(asks),
                looks=asks.kind == "command",
                **asks.wanted,
            )
        return render_template(
            "journal.html", records=found[:PAGE], kinds=KINDS, **self._listing(asks, found)
        )

    def export(self) -> AnyResponse:
        """The filtered log as a file, newest first: CSV, or one JSON document a line."""
        asks = asked(request.args)
        as_csv = request.args.get("format") == "csv"
        rows = _every(self._desk, asks)
        lines = (
            _csv(rows) if as_csv else (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        )
        response = Response(lines, mimetype="text/csv" if as_csv else "application/x-ndjson")
        name = f"journal.{'csv' if as_csv else 'jsonl'}"
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    def system(self) -> str:
        """Versions, files, the journal, reloads, and what went wrong lately."""
        with self._desk.journal() as journal:
            meta = journal.meta()
            log = journal.history(
                limit=30, kinds=("started", "stopped", "reload", "stream", "error")
            )
        files = sorted({rule.file for rule in self._desk.rules().values()})
        python = sys.version.split()[0]
        return render_template(
            "system.html", meta=meta, log=log, files=files, version=__version__, python=python
        )

    def _symbols(self) -> list[str]:
        found = {symbol for rule in self._desk.rules().values() for symbol in rule.symbols}
        found |= {each["symbol"] for each in self._desk.status()["open_orders"]}
        return sorted(found)

    def _choices(self, asks: Asked) -> dict[str, Any]:
        """What the filters offer."""
        rules = sorted(self._desk.rules())
        return {"asks": asks, "rules": rules, "symbols": self._symbols(), "reasons": list(Reason)}

    def _listing(self, asks: Asked, found: list[Plain]) -> dict[str, Any]:
        """A page of a list: its filters, and where the next page begins."""
        older = found[PAGE - 1]["seq"] if len(found) > PAGE else None
        return {**self._choices(asks), "older": older}


def _kinds(asks: Asked) -> tuple[str, ...] | None:
    return (asks.kind,) if asks.kind else None


def _text(row: Mapping[str, Any]) -> str:
    now = row["now"] or {}
    words = (row["rule_id"], row["symbol"], row["name"], now.get("reason", ""))
    return " ".join(words).lower()


def _page_number(rows: int) -> tuple[int, int]:
    last = max(-(-rows // PAGE), 1)
    text = request.args.get("page", "1")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 1
    return min(max(number, 1), last), last


def _streams(records: list[Plain]) -> list[Plain]:
    """The newest word of each stream, by its name."""
    newest: dict[str, Plain] = {}
    for record in records:
        name, _, text = record["text"].partition(" ")
        newest.setdefault(name, {"name": name, "text": text, "at": record["at"]})
    return [newest[name] for name in sorted(newest)]


def _every(desk: Desk, asks: Asked) -> Iterator[Plain]:
    """All records that the filters let through, read in pieces."""
    journal: JournalReader
    with desk.journal() as journal:
        before = asks.before
        while True:
            found = journal.history(before, AT_ONCE, kinds=_kinds(asks), **asks.wanted)
            yield from found
            if len(found) < AT_ONCE:
                return
            before = found[-1]["seq"]


def _csv(rows: Iterator[Plain]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(EXPORTED)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in EXPORTED])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _cell(value: object) -> object:
    """A text that a spreadsheet would take for a formula is marked as text."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value
