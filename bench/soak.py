"""An hour of a runner's life: 50 events a second, kills, broken connections, reloads.

    python -m bench soak [--minutes 60] [--report FILE]

40 alerts and 10 prices that cross a level come every second. In the first fifth of the time the
process is killed (-9) every minute and started again; then it lives to the end, with all its
connections broken every two minutes and a changed rule file every minute. Each alert is sent again
until it is answered. It fails when an order is missing or came twice.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sqlite3
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from bench import sending
from bench.crowd import price_rules
from bench.daemon import PATHS, Daemon, daemon, folder_of, resident
from bench.stand import Exchange, exchange
from bench.table import circumstances, grid

ALERTS, CROSSES = 40, 10
KILL_EVERY, BREAK_EVERY, RELOAD_EVERY = 60.0, 120.0, 60.0
KILLING = 0.2
PATIENCE = 120.0
"""Seconds that an alert is sent again for."""

HEAD = (
    *("minute", "lives", "RSS MB", "files", "threads", "WAL MB"),
    *("alerts", "p50 ms", "p99 ms", "load"),
)


@dataclass(slots=True)
class Soak:
    """One soak under way."""

    folder: Path
    venue: Exchange
    minutes: float
    own: Daemon | None = None
    lives: int = 0
    took: list[float] = field(default_factory=list)
    sent: int = 0
    crossed: int = 0
    deaths: list[str] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    rows: list[tuple[str, ...]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def alert(self, number: int) -> None:
        """Send one, again and again, until it is answered."""
        data = sending.request(f"/hook/a{number % PATHS}", {"n": number})
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            own = self.own
            try:
                answer = sending.send(own.port, data) if own is not None else None
            except OSError:
                answer = None
            if answer is not None and answer.status == 200:
                self.took.append((answer.answered - answer.began) / 1e6)
                if b'"not fired"' in answer.body:
                    why = json.loads(answer.body)["rules"][0]["reason"]
                    self.refused[str(why)] += 1
                return
            time.sleep(0.2)
        self.lost.append(number)

    def alerts(self) -> None:
        """40 a second, whoever is still waiting."""
        began = time.monotonic()
        with ThreadPoolExecutor(64) as pool:
            for number in itertools.count():
                time.sleep(max(began + number / ALERTS - time.monotonic(), 0))
                if self.over.is_set():
                    return
                pool.submit(self.alert, number)
                self.sent = number + 1

    def prices(self) -> None:
        """10 crossings a second, each symbol every ten seconds."""
        for number in itertools.count():
            if self.over.wait(0.5 / CROSSES):
                return
            symbol = f"X{number % 100}USDT"
            self.venue.market.price(symbol, 70_501)
            self.crossed += 1
            if self.over.wait(0.5 / CROSSES):
                return
            self.venue.market.price(symbol, 70_000)

    def run(self) -> None:
        """All of it."""
        began = time.monotonic()
        ends = began + self.minutes * 60
        quiet = began + self.minutes * 60 * KILLING
        threads = [threading.Thread(target=one) for one in (self.alerts, self.prices)]
        while time.monotonic() < ends:
            with daemon(self.folder) as own:
                self._live(own)
                if not threads[0].is_alive():
                    for one in threads:
                        one.start()
                killing = time.monotonic() < quiet
                at = min(time.monotonic() + KILL_EVERY, quiet) if killing else ends
                if not self._until(at, began):
                    self.deaths.append((self.folder / "log").read_text()[-2_000:])
                    print(self.deaths[-1], flush=True)
                elif killing:
                    os.kill(own.pid, signal.SIGKILL)
                else:
                    self.over.set()
                    for one in threads:
                        one.join()
                    time.sleep(5)

    def _live(self, own: Daemon) -> None:
        self.own = own
        self.lives += 1

    def _until(self, at: float, began: float) -> bool:
        """Break, reload and look, until then; False when the process died by itself."""
        assert self.own is not None
        while (now := time.monotonic()) < at:
            minute = now - began
            beat = min(60 * (minute // 60 + 1) + began, at)
            while time.monotonic() < beat:
                if self.own.process.poll() is not None:
                    return False
                time.sleep(0.1)
            self._look((time.monotonic() - began) / 60)
            if minute % BREAK_EVERY >= BREAK_EVERY / 2:
                os.kill(self.venue.responder, signal.SIGUSR1)
            self._reload(int(minute // RELOAD_EVERY))
        return True

    def _reload(self, number: int) -> None:
        """Another level far away: a new revision of the rules."""
        text = price_rules(levels=5, orders=1).replace(
            "crosses_above: 72000", f"crosses_above: {73_000 + number}"
        )
        fresh = self.folder / "bench.yaml.new"
        fresh.write_text(text)
        fresh.rename(self.folder / "rules" / "bench.yaml")

    def _look(self, minute: float) -> None:
        assert self.own is not None
        took, self.took = self.took, []
        pid, wal = self.own.pid, self.folder / "journal.db-wal"
        p50 = statistics.median(took) if took else 0.0
        p99 = statistics.quantiles(took, n=100)[98] if len(took) > 1 else 0.0
        figures = (
            f"{minute:.1f}",
            str(self.lives),
            f"{resident(pid):.1f}",
            str(len(list(Path(f"/proc/{pid}/fd").iterdir()))),
            str(len(list(Path(f"/proc/{pid}/task").iterdir()))),
            f"{wal.stat().st_size / 2**20 if wal.exists() else 0:.1f}",
            str(len(took)),
            f"{p50:.1f}",
            f"{p99:.1f}",
            f"{os.getloadavg()[0]:.1f}",
        )
        self.rows.append(figures)
        print(*figures, sep="\t", flush=True)

    def verdict(self) -> list[str]:
        """What is wrong: no answer to an alert, a run that is missing, an order that came twice."""
        wrong = [f"{len(self.lost)} alerts had no answer: {self.lost[:5]}"] if self.lost else []
        wrong += [f"the process ended by itself:\n{text}" for text in self.deaths]
        with sqlite3.connect(self.folder / "journal.db") as journal:
            counting = "select count(*) from runs where rule_id like 'bench-%'"
            (runs,) = journal.execute(counting).fetchone()
        fired = self.sent - len(self.lost) - self.refused.total()
        if runs != fired:
            wrong.append(f"{fired} alerts fired and led to {runs} runs")
        names = Counter(one.name for one in self.venue.arrivals.since(0) if one.kind == "O")
        twice = [name for name, count in names.items() if count > 1]
        if twice:
            wrong.append(f"{len(twice)} orders came twice: {twice[:5]}")
        if len(names) < runs:
            wrong.append(f"{runs} runs sent {len(names)} batches")
        return wrong


def main(arguments: Sequence[str] = ()) -> int:
    """Soak; `--minutes N`, and `--report FILE` for the table. 1 when something is wrong."""
    words = list(arguments)
    minutes = float(words[words.index("--minutes") + 1]) if "--minutes" in words else 60.0
    began = circumstances()
    print(began)
    print(*HEAD, sep="\t", flush=True)
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name)
        with exchange(folder / "exchange", 100) as venue:
            where = folder_of(folder / "ours", venue.account(), price_rules(levels=5, orders=1))
            soak = Soak(where, venue, minutes)
            soak.run()
            wrong = soak.verdict()
    told = f"{soak.sent} alerts, {soak.crossed} crossings, not fired: {dict(soak.refused)}"
    said = [*(wrong or ["nothing was lost or doubled"]), told]
    text = "\n".join([f"{began}, {minutes:g} minutes", "", *grid([HEAD, *soak.rows]), "", *said])
    print("\n" + text)
    if "--report" in words:
        Path(words[words.index("--report") + 1]).write_text(text + "\n")
    return 1 if wrong else 0
