"""Other people's clients trade on the paper exchange, unchanged, only the address overridden."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runner.venues.paper.market import Walk
from runner.venues.paper.server import PaperServer

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
INSTALLED = Path(os.environ.get("RUNNER_CLIENTS", ROOT / ".venv" / "clients"))

# In the documented order: what was set, the orders as they came, and of a fill first the short
# message, then balance and position, then the order.
EVENTS = [
    "ACCOUNT_CONFIG_UPDATE",
    "ACCOUNT_UPDATE MARGIN_TYPE_CHANGE",
    "mine NEW NEW",
    "mine AMENDMENT NEW",
    "mine CANCELED CANCELED",
    "leg0 NEW NEW",
    "leg1 NEW NEW",
    "now NEW NEW",
    "TRADE_LITE",
    "ACCOUNT_UPDATE ORDER",
    "now TRADE FILLED",
]
FACTS = {
    "leverage": 7,
    "margin": 200,
    "placed": "NEW",
    "amended": ["69010.00", "0.020"],
    "found": ["mine", True],
    "cancelled": "CANCELED",
    "batch": ["NEW", -4014, "NEW"],
    "countdown": "60000",
    "user": EVENTS,
}


def play(script: str, package: str) -> dict[str, Any]:
    """Return what a client's script tells; skips where the client is not installed."""
    folder = INSTALLED / package
    if not folder.is_dir():
        pytest.skip(f"{package} is not installed in {folder}: make clients")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder)}
    with PaperServer(keys={"K": "S"}, market=Walk(1, interval_ms=100)) as server:
        command = [sys.executable, str(HERE / f"{script}.py"), json.dumps(server.addresses)]
        ran = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert ran.returncode == 0, ran.stderr
        account = server.exchange.state.accounts["K"]
        assert str(account.amount("BTCUSDT", "BOTH")) == "0.010"
    told: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return told


def test_binance_futures_connector_trades() -> None:
    """REST and both kinds of streams; leverage to countdown as told, events in their order."""
    told = play("trade_connector", "connector")
    assert told == FACTS | {"market": ["markPriceUpdate"]}


def test_python_binance_trades() -> None:
    """The blocking client with its threaded streams: the same."""
    told = play("trade_python_binance", "python-binance")
    assert told == FACTS | {"market": ["aggTrade"]}


def test_python_binance_trades_asynchronously() -> None:
    """The asynchronous client: the same, and three calls of the WebSocket API."""
    told = play("trade_python_binance_async", "python-binance")
    assert told == FACTS | {"market": ["aggTrade"], "api": ["NEW", "NEW", "CANCELED"]}
