"""Two runners with two accounts each, on PostgreSQL: one leads both, the other takes over both."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from runner.journal import JournalReader
from tests.crash.stage import PATIENCE, SECRET, TOKEN
from tests.crash.test_standby import Pair, line, ready
from tests.postgres import Server
from tests.support import eventually, free_port

OTHER_KEY = "hedge-key"
RULE = """\
  - id: {id}
    account: {account}
    symbol: {symbol}
    when:
      - webhook: {{path: {path}, secret: tv, body: {{n: number}}, dedupe: [n]}}
    do:
      - place: {{side: buy, type: limit, price: =mark * 0.9, quantity: 0.1, expires_after: 10m}}
"""
RULES = "version: 1\nrules:\n" + "".join(
    RULE.format(id=f"{path}-{account}", account=account, symbol=symbol, path=path)
    for path, account, symbol in (
        ("main", "main", "BTCUSDT"),
        ("hedge", "hedge", "ETHUSDT"),
        ("both", "main", "BTCUSDT"),
        ("both", "hedge", "ETHUSDT"),
    )
)
OTHER = """\
  hedge:
    venue: binance_usdm
    address: {{rest: "{rest}", streams: "{streams}", ws_api: "{ws_api}"}}
    api_key: hedge_key
    api_secret: exchange_secret
    journal: {journal}
"""


class Accounts:
    """A pair of runners on two databases."""

    def __init__(self, folder: Path, postgres: Server, exchange: dict[str, str] | None) -> None:
        """Nothing is started but the exchange; `exchange` is that of the second account."""
        first, second = postgres.database(), postgres.database()
        self.urls = {"main": first, "hedge": second}
        self.pair = Pair(folder, first, RULES, "--account", f"{OTHER_KEY}:{SECRET}")
        settings = folder / "runner.yaml"
        addresses = exchange or self.pair.stage.addresses
        hedge = OTHER.format(**addresses, journal=second)
        text = settings.read_text().replace("  main:\n", "  main:\n    default: true\n")
        settings.write_text(text.replace("timing:", f"{hedge}timing:"))
        key = folder / "secrets" / "hedge_key"
        key.touch(mode=0o600)
        key.write_text(OTHER_KEY)

    def post(self, address: str, path: str, number: int) -> str | None:
        """Post an alert; the outcome of a 200, else None."""
        body: dict[str, int | str] = {"n": number, "secret": TOKEN}
        try:
            answer = requests.post(f"{address}/hook/{path}", json=body, timeout=PATIENCE)
        except requests.RequestException:
            return None
        return str(answer.json()["outcome"]) if answer.status_code == 200 else None

    def placed(self, account: str) -> list[str]:
        """The symbols of the orders that an account's journal knows to be on the book."""
        with JournalReader.open(self.urls[account]) as journal:
            orders = [row for row in journal.orders() if row["kind"] == "order"]
        return sorted(row["symbol"] if row["state"] == "LIVE" else row["state"] for row in orders)

    def accepted(self) -> list[tuple[str, str]]:
        """What the exchange of the first account took, by key and symbol."""
        rest = self.pair.stage.addresses["rest"]
        seen = requests.get(f"{rest}/paper/orders", timeout=PATIENCE).json()["orders"]
        return sorted((order["account"], order["symbol"]) for order in seen)


@pytest.fixture
def accounts(tmp_path: Path, postgres: Server) -> Iterator[Accounts]:
    """Both accounts on one exchange."""
    accounts = Accounts(tmp_path / "runner", postgres, None)
    yield accounts
    accounts.pair.stop()


def test_a_standby_takes_over_every_account(accounts: Accounts) -> None:
    """Alerts of each account are stored by whoever does not lead, and decided once by who does."""
    first, one = accounts.pair.start()
    assert line(first).startswith("READY")
    second, two = accounts.pair.start()
    assert line(second).startswith("STANDBY")
    assert accounts.post(one, "main", 1) == "fired"
    assert accounts.post(two, "hedge", 1) == "stored"
    assert accounts.post(two, "both", 1) == "stored"
    for account, symbol in (("main", "BTCUSDT"), ("hedge", "ETHUSDT")):
        eventually(lambda a=account, s=symbol: accounts.placed(a) == [s] * 2, PATIENCE)  # type: ignore[misc]
    first.kill()
    assert accounts.post(two, "both", 2) == "stored"
    assert accounts.post(two, "hedge", 1) == "stored"
    eventually(lambda: ready(two), PATIENCE)
    assert accounts.post(two, "hedge", 2) == "fired"
    # whichever is decided first, this one or the one that was stored: the other is a duplicate
    assert accounts.post(two, "both", 2) in ("fired", "duplicate")
    third, three = accounts.pair.start()
    assert line(third).startswith("STANDBY")
    assert accounts.post(three, "main", 1) == "stored"
    for account, symbol, count in (("main", "BTCUSDT", 3), ("hedge", "ETHUSDT", 4)):
        wanted = [symbol] * count
        eventually(lambda a=account, w=wanted: accounts.placed(a) == w, PATIENCE)  # type: ignore[misc]
    assert accounts.accepted() == [(OTHER_KEY, "ETHUSDT")] * 4 + [("stage-key", "BTCUSDT")] * 3
    second.terminate()
    assert second.wait(PATIENCE) == 0
    eventually(lambda: ready(three), PATIENCE)


def test_an_account_whose_exchange_is_away_waits_under_whoever_leads(
    tmp_path: Path, postgres: Server
) -> None:
    """Both journals stay led meanwhile; its alerts are decided once, after the exchange came."""
    port = free_port()
    there = f"127.0.0.1:{port}"
    away = {"rest": f"http://{there}", "streams": f"ws://{there}", "ws_api": f"ws://{there}"}
    accounts = Accounts(tmp_path / "runner", postgres, away)
    try:
        first, one = accounts.pair.start()
        assert line(first).startswith("READY")
        assert line(first).startswith("WAITING account hedge")
        second, two = accounts.pair.start()
        assert line(second).startswith("STANDBY")
        assert accounts.post(one, "hedge", 1) == "stored"
        assert accounts.post(two, "hedge", 2) == "stored"
        assert accounts.post(one, "main", 1) == "fired"
        first.kill()
        eventually(lambda: accounts.post(two, "main", 2) == "fired", PATIENCE)
        words = ("--port", str(port), "--api-key", OTHER_KEY, "--api-secret", SECRET)
        exchange = subprocess.Popen(
            [sys.executable, "-m", "runner", "paper", *words], stdout=subprocess.DEVNULL
        )
        try:
            eventually(lambda: ready(two), PATIENCE)
            eventually(lambda: accounts.placed("hedge") == ["ETHUSDT"] * 2, PATIENCE)
            assert accounts.post(two, "hedge", 1) == "duplicate"
        finally:
            exchange.kill()
            exchange.wait(PATIENCE)
    finally:
        accounts.pair.stop()
