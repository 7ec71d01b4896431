"""Drives a runner by hand, beside `runner test`: its rules, its prices, its journal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from runner.core.events import Alert
from runner.rulebook.load import load
from runner.rulebook.tests_file import load_tests
from runner.rulebook.tests_model import TestsFile
from runner.sources.bodies import body_hash, event_time, parse
from runner.venues.paper.exchange import Exchange
from runner.venues.paper.symbols import built_in
from runner.virtual import Calm, VirtualClock, VirtualExchange, VirtualRunner

START = 1_795_161_600_000
"""2026-11-20, 08:00 UTC."""

RULES = """\
version: 1
rules:
  - id: breakout
    symbol: BTCUSDT
    when: [{price: {crosses_above: 70000, for: 5s, rearm: 69500}}]
    if: [position.size == 0, account.available >= 500]
    do:
      - bracket:
          entry: {side: buy, type: market, quantity: 0.02}
          stop: {trigger_price: 68000}
          target: {price: 75000.10}
      - notify: Bought at {trigger.price}
    cooldown: 1h
  - id: alert
    symbol: ETHUSDT
    when: [{webhook: {path: eth, secret: tv, body: {action: {one_of: [buy, sell]}}}}]
    do: [{place: {side: =trigger.action, type: limit, price: =mark * 0.97, quantity: 0.1}}]
  - id: hourly
    symbol: ETHUSDT
    when: [{schedule: {cron: "0 * * * *"}}]
    do: [{cancel: all}, {notify: An hour is over}]
"""


def write(folder: Path, tests: str, rules: str = RULES) -> TestsFile:
    """A folder with rules and a tests file about them, as it was read."""
    (folder / "rules.yaml").write_text(rules, "utf-8")
    path = folder / "rules.tests.yaml"
    path.write_text(tests, "utf-8")
    return load_tests(path)


@contextmanager
def life(
    folder: Path, rules: str = RULES, *, latency: int = 20, start: int = START
) -> Iterator[VirtualRunner]:
    """A runner on the paper exchange whose answers take time, its journal in `folder`."""
    (folder / "rules").mkdir(exist_ok=True)
    path = folder / "rules" / "rules.yaml"
    path.write_text(rules, "utf-8")
    loaded = load(path)
    assert loaded.rules is not None, loaded.diagnostics
    clock = VirtualClock(start)
    prices = {"BTCUSDT": Decimal(69_000), "ETHUSDT": Decimal(3_500)}
    engine = Exchange(built_in(), accounts=(), price_of=lambda name: prices[name], now=start)
    exchange = VirtualExchange(engine, clock)
    journal = folder / "journal.db"
    runner = VirtualRunner(journal, loaded.rules, exchange, clock, network=Calm(latency))
    try:
        runner.advance(start + 1_000)
        yield runner
    finally:
        runner.crash()


def wait(runner: VirtualRunner, seconds: int) -> None:
    """Let seconds pass, the prices repeated each second."""
    for _ in range(seconds):
        runner.advance(runner.clock.now + 1_000)


def move(runner: VirtualRunner, symbol: str, price: str) -> None:
    """Move a symbol's market."""
    runner.exchange.price(symbol, price=Decimal(price))
    runner.advance(runner.clock.now)


def post(runner: VirtualRunner, path: str, body: str) -> None:
    """An alert with the right secret."""
    fields = parse(body.encode())
    now = runner.clock.now
    runner.ask(Alert(path, fields, body_hash(fields), now, event_time(fields)))
