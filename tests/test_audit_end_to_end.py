"""`runner audit` on a true double: two orders with one id on the exchange, found after the fact."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import requests

from tests.crash.stage import KEY, SECRET, Stage
from tests.support import eventually
from tests.venues.paper.client import sign, stamped

RULES = """\
version: 1
rules:
  - id: numbered
    symbol: ETHUSDT
    when:
      - webhook: {path: signal, secret: tv, body: {n: number}, dedupe: [n]}
    do: [{place: {side: buy, type: market, quantity: 0.1}}]
"""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A runner that has filled one order."""
    stage = Stage(tmp_path / "runner", RULES)
    try:
        stage.run()
        assert stage.alert({"n": 1})
        eventually(lambda: stage.settled(1), 60)
        yield stage
    finally:
        stage.stop()


def audited(stage: Stage, *words: str) -> tuple[int, str]:
    """What `runner audit` says beside the running daemon, and how it ends."""
    command = [sys.executable, "-m", "runner", "audit", "--dir", str(stage.folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout


def accept_again(stage: Stage) -> str:
    """Another program with the same key sends the filled order again: ids free up with the fill.

    The exchange accepts it (ids are unique among open orders only); the id is returned.
    """
    (order,) = stage.orders()
    terms = {
        "symbol": order["symbol"],
        "side": order["side"],
        "type": "MARKET",
        "quantity": order["quantity"],
        "newClientOrderId": order["client_order_id"],
    }
    payload = sign(urlencode(stamped(terms)), SECRET)
    answer = requests.post(
        f"{stage.addresses['rest']}/fapi/v1/order?{payload}",
        headers={"X-MBX-APIKEY": KEY},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    return str(order["client_order_id"])


def test_an_audit_without_differences_says_so_and_ends_with_0(stage: Stage) -> None:
    """Before anything went wrong."""
    status, text = audited(stage)
    assert (status, text.strip()) == (0, "journal and exchange agree about 1 orders of main")


def test_an_order_that_was_accepted_twice_is_named(stage: Stage) -> None:
    """By its id and how often, in words and as JSON, with exit code 1; the runner goes on."""
    name = accept_again(stage)
    status, text = audited(stage)
    assert status == 1
    assert text.splitlines() == [f"{name} was accepted 2 times"]
    status, text = audited(stage, "--json")
    document = json.loads(text)
    assert status == 1
    assert document["differences"] == [f"{name} was accepted 2 times"]
    assert (document["journal_orders"], document["exchange_orders"]) == (1, 2)
    assert stage.alert({"n": 2})
