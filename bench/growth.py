"""What grows when there is more of everything: cost against rules, symbols, frames, rows, orders.

    python -m bench growth [--rows 1000000]

Each series is one plot, with one sentence on why it is flat or not. Takes some minutes.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench import recovery, sending, ticks
from bench.crowd import price_rules
from bench.daemon import ORDER, RULE, Daemon, cpu_seconds, daemon, folder_of, resident, rules
from bench.goals import sample
from bench.plotting import plots
from bench.results import record, recorded
from bench.stand import KEY, Exchange, exchange
from bench.table import figure, grid

ALERTS = 60
IDLE = 10.0
Points = list[tuple[float, float]]


def _alert_ms(own: Daemon, venue: Exchange, count: int = ALERTS) -> float:
    """Median ms from an alert to the wire, back to back."""
    found = []
    for number in range(count + 10):
        before = len(venue.arrivals)
        sent = own.send()
        venue.arrivals.wait(before + 1)
        if number >= 10:
            found.append((venue.arrivals[before].at - sent.began) / 1e6)
    return sample(found).p50


def of_rules() -> dict[str, Any]:
    """CPU of a tick that crosses nothing, by the rules that wait on its symbol."""
    counts = (10, 100, 1_000, 10_000, 100_000)
    found = ticks.measure(1, counts)
    return _series(
        "a tick that crosses nothing",
        "µs",
        [(count, found[count]) for count in counts],
        "flat: a tick is compared with the two nearest levels, however many there are",
    )


def of_symbols() -> dict[str, Any]:
    """CPU of a tick by the symbols of its connection, 1,000 rules in all."""
    counts = (1, 10, 100, 500)
    points = [(count, ticks.measure(count, (1_000,))[1_000]) for count in counts]
    return _series(
        "a tick that crosses nothing, 1,000 rules",
        "µs",
        points,
        "flat: a symbol's band is found by its name in a table",
    )


def of_hooks(folder: Path) -> list[dict[str, Any]]:
    """Alert to wire, start and memory by the number of rules in the folder."""
    points: Points = []
    starts: Points = []
    sizes: Points = []
    for count in (20, 100, 1_000, 5_000):
        with exchange(folder / f"exchange-{count}") as venue:
            where = folder_of(folder / f"hooks-{count}", venue.account(), rules())
            order = f"          - {ORDER % 'expires_after: 10m'}"
            for part in range(0, count - 20, 1_000):
                numbers = range(part, min(part + 1_000, count - 20))
                listed = "".join(RULE.format(n=f"{n}x", orders=order) for n in numbers)
                (where / "rules" / f"more-{part}.yaml").write_text(f"version: 1\nrules:\n{listed}")
            with daemon(where) as own:
                points.append((count, _alert_ms(own, venue)))
                starts.append((count, own.ready_after))
                sizes.append((count, resident(own.pid)))
    return [
        _series("alert → wire", "ms", points, "flat: an alert's rules are found by its path"),
        _series(
            "start to ready", "s", starts, "in proportion: each rule's text is read and checked"
        ),
        _series("memory once ready", "MB", sizes, "in proportion: each rule is kept"),
    ]


def of_frames(folder: Path) -> dict[str, Any]:
    """Alert to wire by the frames that come every second, 1,000 price rules on 100 symbols."""
    points: Points = []
    with exchange(folder / "exchange-f", 100) as venue:
        where = folder_of(folder / "frames", venue.account(), price_rules(levels=10))
        with daemon(where) as own:
            time.sleep(2)
            for rate in (1, 1_000, 5_000, 10_000, 20_000, 40_000):
                venue.market.rate(rate)
                time.sleep(0.7)
                points.append((rate, _alert_ms(own, venue)))
    return _series(
        "alert → wire beside frames",
        "ms",
        points,
        "grows slowly: a frame takes some 3 µs of the interpreter, which an alert waits for now "
        "and then",
    )


def of_rows(folder: Path, most: int) -> list[dict[str, Any]]:
    """Start, memory and alert to wire by the rows of the journal."""
    starts: Points = []
    sizes: Points = []
    alerts: Points = []
    count = 1_000
    while count <= most:
        with exchange(folder / f"exchange-r{count}") as venue:
            settings = {"namespace": "bench"}
            where = folder_of(folder / f"rows-{count}", venue.account(), rules(), settings)
            recovery.write(where / "journal.db", count, still_open=0)
            with daemon(where):
                pass
            with daemon(where) as own:
                starts.append((count, own.ready_after))
                sizes.append((count, resident(own.pid)))
                alerts.append((count, _alert_ms(own, venue)))
            (where / "journal.db").unlink()
        count *= 10
    read = "only what is unfinished is read back, by an index of its own"
    check = "but the whole file is checked at each start, half a second for a million rows"
    return [
        _series("start to ready", "s", starts, f"flat as far as {read}; {check}"),
        _series("memory once ready", "MB", sizes, f"flat: {read}; SQLite's cache takes 8 MB"),
        _series(
            "alert → wire",
            "ms",
            alerts,
            "nearly flat: a row is added at the end, and an index has one more level every "
            "hundredfold",
        ),
    ]


def of_orders(folder: Path) -> list[dict[str, Any]]:
    """Start, alert to wire, memory and CPU while idle by the orders on the book."""
    alerts: Points = []
    cores: Points = []
    starts: Points = []
    sizes: Points = []
    with exchange(folder / "exchange-o") as venue:
        resting = "{side: buy, type: limit, price: 60000, quantity: 0.01}"
        lines = "\n".join(f"          - {resting}" for _ in range(5))
        text = rules() + "".join(RULE.format(n=f"r{n}", orders=lines) for n in range(20))
        where = folder_of(folder / "orders", venue.account(), text)
        sent = 0
        for wanted in (10, 100, 1_000, 10_000):
            with daemon(where) as own:
                sent = _rest(own, venue, sent, wanted // 5)
                time.sleep(1)
            if _resting(where) < wanted:
                raise RuntimeError(f"{_resting(where)} of {wanted} orders are on the book")
            with daemon(where) as own:
                own.sent = 10_000 * wanted
                starts.append((wanted, own.ready_after))
                alerts.append((wanted, _alert_ms(own, venue)))
                sizes.append((wanted, resident(own.pid)))
                before, began = cpu_seconds(own.pid), time.monotonic()
                time.sleep(IDLE)
                cores.append((wanted, (cpu_seconds(own.pid) - before) / (time.monotonic() - began)))
    kept = "in proportion, from some hundred on: an open order is kept in memory"
    asked = "in proportion, from some hundred on: each open order is read back and asked for"
    return [
        _series("alert → wire", "ms", alerts, "flat: a firing looks at its own orders"),
        _series("start to ready", "s", starts, asked),
        _series("memory", "MB", sizes, kept),
        _series(
            f"cores in {IDLE:.0f} s while nothing happens",
            "cores",
            cores,
            "flat: open orders are asked for only while the user stream is away",
        ),
    ]


def of_accounts(folder: Path) -> list[dict[str, Any]]:
    """Start, memory, threads and alert to wire by the accounts that one runner trades on."""
    alerts: Points = []
    starts: Points = []
    sizes: Points = []
    cores: Points = []
    one = ORDER % "expires_after: 1m"
    for count in (1, 5, 20):
        with exchange(folder / f"exchange-a{count}", accounts=count) as venue:
            where = folder_of(folder / f"accounts-{count}", venue.account(), rules())
            accounts = {"bench": {**venue.account(), "default": True}}
            for number in range(count - 1):
                accounts[f"more-{number}"] = {**venue.account(), "api_key": f"key_{number}"}
                secret = where / "secrets" / f"key_{number}"
                secret.touch(mode=0o600)
                secret.write_text(f"{KEY}-a{number}")
                listed = RULE.format(n=f"m{number}", orders=f"          - {one}")
                text = f"version: 1\naccount: more-{number}\nrules:\n{listed}"
                (where / "rules" / f"more-{number}.yaml").write_text(text)
            (where / "runner.yaml").write_text(json.dumps({"version": 1, "accounts": accounts}))
            with daemon(where) as own:
                starts.append((count, own.ready_after))
                alerts.append((count, _alert_ms(own, venue)))
                sizes.append((count, resident(own.pid)))
                before, began = cpu_seconds(own.pid), time.monotonic()
                time.sleep(IDLE)
                cores.append((count, (cpu_seconds(own.pid) - before) / (time.monotonic() - began)))
    why = "in proportion: each account has its own connections, threads and journal"
    return [
        _series(
            "alert → wire",
            "ms",
            alerts,
            "grows a little: all accounts share one interpreter, where an alert waits its turn",
        ),
        _series(f"cores in {IDLE:.0f} s while nothing happens", "cores", cores, why),
        _series("start to ready", "s", starts, why),
        _series("memory once ready", "MB", sizes, why),
    ]


def _resting(folder: Path) -> int:
    with sqlite3.connect(folder / "journal.db") as journal:
        (count,) = journal.execute("select count(*) from legs where state = 'LIVE'").fetchone()
    return int(count)


def _rest(own: Daemon, venue: Exchange, sent: int, wanted: int) -> int:
    """Alerts whose five orders each stay on the book, until there are so many of them."""
    for number in range(sent, wanted):
        before = len(venue.arrivals)
        data = sending.request(f"/hook/ar{number % 20}", {"n": number})
        answer = sending.send(own.port, data)
        if not answer.fired:
            raise RuntimeError(f"an alert was answered {answer.status}: {answer.body!r}")
        venue.arrivals.wait(before + 1)
    return wanted


def _series(
    title: str, unit: str, points: Sequence[tuple[float, float]], why: str
) -> dict[str, Any]:
    return {"title": title, "unit": unit, "points": points, "why": why}


def main(arguments: Sequence[str] = ()) -> None:
    """Measure all series, or the named ones; `--rows N` is the largest journal."""
    words = list(arguments)
    most = 1_000_000
    if "--rows" in words:
        at = words.index("--rows")
        most = int(words[at + 1])
        del words[at : at + 2]
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        makers: dict[str, Callable[[], dict[str, Any] | list[dict[str, Any]]]] = {
            "rules": of_rules,
            "symbols": of_symbols,
            "hooks": lambda: of_hooks(folder),
            "frames a second": lambda: of_frames(folder),
            "rows of the journal": lambda: of_rows(folder, most),
            "open orders": lambda: of_orders(folder),
            "accounts of one runner": lambda: of_accounts(folder),
        }
        figures: dict[str, Any] = recorded("growth") or {}
        for what, maker in makers.items():
            if words and what.split()[0] not in words:
                continue
            made = maker()
            series = made if isinstance(made, list) else [made]
            for one in series:
                name_of = what if len(series) == 1 else f"{what}: {one['title']}"
                figures[name_of] = one
                print(f"{name_of}: {one['points']}", flush=True)
            record("growth", figures)
    rows = [("by", "what", "from – to", "cost", "so it is")]
    for what, one in figures.items():
        xs = [x for x, _ in one["points"]]
        costs = " ".join(figure(y) for _, y in one["points"])
        span = f"{xs[0]:,.0f} – {xs[-1]:,.0f}"
        rows.append((what, one["title"], span, f"{costs} {one['unit']}", one["why"]))
    print("\n".join(grid(rows)))
    for path in plots():
        print(f"plot: {path}")
