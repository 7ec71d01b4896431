"""The demo: the main job, end to end, on the paper exchange; it ends by itself with a summary."""

from __future__ import annotations

import queue
import random
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import requests
from rich.console import Console
from rich.markup import escape

from runner import resources
from runner.app import App
from runner.audit import differences
from runner.connecting import PAPER_KEY, PAPER_SECRET, Place
from runner.core.decision import Decision, Record
from runner.journal import JournalReader
from runner.settings import Settings
from runner.venues.paper.market import Script
from runner.venues.paper.server import PaperServer

SECONDS = 45
"""The demo gives up, with exit code 1, when the main job is not done by then."""

BREAKOUT_AT, TARGET_AT, LAST_AT = 9_000, 16_000, 120_000
SEED = 7

STYLES = {
    "event": "cyan",
    "fired": "bold green",
    "refused": "yellow",
    "planned": "white",
    "sent": "magenta",
    "ack": "blue",
    "state": "blue",
    "fill": "bold blue",
    "position": "bold",
    "notify": "green",
    "dead_man": "cyan",
    "error": "bold red",
}
HIDDEN = frozenset({"stream", "reload", "armed", "started", "stopped"})


def prices() -> Iterator[tuple[int, str, Decimal]]:
    """A quiet market; then BTC breaks 70,000, and later reaches the target. Seeded."""
    dice = random.Random(SEED)
    for offset in range(0, LAST_AT, 500):
        btc = 69_900 if offset < BREAKOUT_AT else 70_100 if offset < TARGET_AT else 75_050
        yield offset, "BTCUSDT", Decimal(btc) + dice.randint(-400, 400) / Decimal(10)
        yield offset, "ETHUSDT", Decimal(3_500) + dice.randint(-200, 200) / Decimal(100)


@dataclass(slots=True)
class Screen:
    """Prints what is committed, as it happens."""

    console: Console
    started: float = field(default_factory=time.monotonic)
    refreshed: int = 0
    lines: queue.SimpleQueue[Record] = field(default_factory=queue.SimpleQueue)

    def observe(self, decisions: Sequence[Decision]) -> None:
        """Observer, on the dispatcher's thread: only hands over."""
        for decision in decisions:
            for record in decision.records:
                self.lines.put(record)
            for known in decision.dead_men.values():
                self.refreshed += 1
                text = f"countdown of {known.countdown // 1000} s refreshed"
                if not any(record.kind == "dead_man" for record in decision.records):
                    self.lines.put(Record(0, "dead_man", text, symbol=known.symbol))

    def flush(self) -> None:
        """Print what was handed over since."""
        while not self.lines.empty():
            self._print(self.lines.get())

    def _print(self, record: Record) -> None:
        if record.kind in HIDDEN:
            return
        kind = "ack" if record.data.get("before") == "SENDING" else record.kind
        style = STYLES.get(kind, "dim")
        who = " ".join(part for part in (record.rule_id, record.symbol) if part)
        text = record.text
        if record.kind == "refused":
            text = f"not fired, {record.reason}: {text}"
        if record.kind == "sent":
            text = f"signed, journaled, sent: {text}"
        at = f"{time.monotonic() - self.started:6.2f}s"
        self.console.print(
            f"[dim]{at}[/dim] [{style}]{kind:<9}[/{style}] "
            f"[bold]{escape(who):<22}[/bold] {escape(text)}",
            soft_wrap=True,
            highlight=False,
        )

    def say(self, text: str) -> None:
        """Print a line of the demo's own."""
        self.flush()
        self.console.print(text, soft_wrap=True, highlight=False)


def main(keep: bool = False) -> int:
    """Run the demo; returns the exit code: 0 when every order is accounted for."""
    screen = Screen(Console())
    folder = Path(tempfile.mkdtemp(prefix="runner-demo-"))
    try:
        return _demo(folder, keep, screen)
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _demo(folder: Path, keep: bool, screen: Screen) -> int:
    token = _prepare(folder)
    paper = PaperServer(
        keys={PAPER_KEY: PAPER_SECRET},
        market=Script(prices()),
        state_file=Place(folder).paper_state(Settings()),
        control=True,
    )
    with paper:
        rest = paper.addresses["rest"]
        screen.say(f"paper exchange on [bold]{rest}[/bold] (real HTTP, real WebSockets)")
        settings = replace(Settings(), hook=("127.0.0.1", _port() if keep else 0))
        app = App(Place(folder), settings, paper, lambda _: [screen.observe])
        app.start()
        try:
            done = _play(app, screen, token)
            if keep:
                _stay(app, screen, folder, token)
        finally:
            app.stop()
        screen.flush()
        return _summary(folder, rest, screen, done)


def _prepare(folder: Path) -> str:
    """A folder as `runner run` wants it; returns the webhook's secret."""
    rules = folder / "rules"
    rules.mkdir()
    for path in (resources.folder("rules") / "demo").glob("*.yaml"):
        shutil.copy(path, rules)
    token = secrets.token_hex(8)
    place = folder / "secrets" / "tv_eth"
    place.parent.mkdir(mode=0o700)
    place.touch(mode=0o600)
    place.write_text(token)
    return token


def _port() -> int:
    """8080, or a free port where that one is taken."""
    with socket.socket() as probe:
        free = probe.connect_ex(("127.0.0.1", 8080)) != 0
    return 8080 if free else 0


def _play(app: App, screen: Screen, token: str) -> bool:
    """The story; True when everything in it happened."""
    if not _until(screen, lambda: app.readiness().ready):
        screen.say(f"[red]not ready: {'; '.join(app.readiness().reasons)}[/red]")
        return False
    screen.say(f"runner ready, alerts at [bold]{app.hook_server.url}/hook/…[/bold]\n")
    _alert(app, screen, token, "TradingView posts an alert")
    _alert(app, screen, token, "TradingView sends the same alert again (as after a time-out)")
    screen.say("[dim]waiting: a schedule comes due, BTC breaks 70,000, later its target[/dim]")
    with JournalReader.open(app.cell.journal.path) as journal:
        return _until(screen, lambda: _all_happened(journal, screen))


def _all_happened(journal: JournalReader, screen: Screen) -> bool:
    runs = {run["rule_id"]: run["status"] for run in journal.runs()}
    wanted = {"tv-eth": "done", "eth-ladder": "done", "btc-breakout": "done"}
    return runs == wanted and screen.refreshed >= 4


def _until(screen: Screen, happened: Callable[[], bool]) -> bool:
    """Print and wait until it happened, or the demo's time is over."""
    while time.monotonic() - screen.started < SECONDS:
        screen.flush()
        if happened():
            screen.flush()
            return True
        time.sleep(0.05)
    return False


def _alert(app: App, screen: Screen, token: str, what: str) -> None:
    body: dict[str, str | int] = {"secret": token, "action": "buy", "price": 3500}
    screen.say(f"\n[bold]{what}[/bold]: POST /hook/eth-signal {{action: buy, price: 3500}}")
    url = f"{app.hook_server.url}/hook/eth-signal"
    answer = requests.post(url, json=body, timeout=5)
    screen.flush()
    screen.say(f"        answer {answer.status_code}: {answer.json().get('outcome')}\n")


def _stay(app: App, screen: Screen, folder: Path, token: str) -> None:
    url = f"{app.hook_server.url}/hook/eth-signal"
    screen.say(
        f"\nThe runner stays up; stop it with Ctrl-C. Its folder is {folder}\n"
        "Try, in another terminal:\n"
        f'  curl -d \'{{"secret":"{token}","action":"sell","price":3500}}\' {url}\n'
        f"  runner why btc-breakout --dir {folder}\n"
        f"  runner status --dir {folder}\n"
        f"  runner orders --dir {folder}\n"
        f"  runner journal --dir {folder} --follow\n"
    )
    try:
        while app.hook_server.alive:
            screen.flush()
            time.sleep(0.1)
    except KeyboardInterrupt:
        screen.say("stopping")


def _summary(folder: Path, rest: str, screen: Screen, done: bool) -> int:
    """What the journal says, held against what the exchange says."""
    seen = requests.get(f"{rest}/paper/orders", timeout=5).json()
    algos = [algo["clientAlgoId"] for algo in seen["algos"]]
    plain = [order["clientOrderId"] for order in seen["orders"] if not order.get("algoId")]
    with JournalReader.open(folder / "journal.db") as journal:
        runs, orders, fills = journal.runs(), journal.orders(), journal.fills()
        placed = [order for order in orders if order["kind"] == "order"]
        found = differences(placed, [*plain, *algos], "main")
    states = sorted({order["state"] for order in placed})
    counts = ", ".join(
        f"{sum(order['state'] == state for order in placed)} {state}" for state in states
    )
    screen.say(
        f"\n[bold]{len(runs)} runs, {len(placed)} orders ({counts}), {len(fills)} fills, "
        f"countdowns confirmed {screen.refreshed} times[/bold]"
    )
    for text in found:
        screen.say(f"[red]{escape(text)}[/red]")
    if not done:
        screen.say("[red]the story did not come to its end[/red]")
    if found or not done:
        return 1
    screen.say(
        "[green]journal and exchange agree: every order once, none lost, none unexplained[/green]"
    )
    return 0
