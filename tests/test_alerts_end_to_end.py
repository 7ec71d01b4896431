"""The alert bodies that people really send, from the hook's door to orders on the book."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from runner.core.events import Value
from runner.rulebook.load import load
from runner.sources.bodies import parse
from runner.sources.hooks import Hook
from runner.sources.malformed import BodyError
from runner.sources.readiness import Readiness
from runner.sources.webhook import create_app
from runner.virtual import VirtualClock, VirtualExchange, VirtualRunner
from tests.exchanges import bottomless

START = 1_760_000_000_000
TOKEN = "a-secret-of-the-path"

RULE = """\
version: 1
rules:
  - id: alert
    symbol: BTCUSDT
    when:
      - webhook: {{path: alert, secret: tv, body: {body}}}
    do:
      - place: {{side: buy, type: market, quantity: 0.01}}
"""


def fitting(fields: dict[str, Value]) -> str:
    """A `body:` that declares every field as what it is; the secret is taken out before."""
    kinds = {Decimal: "number", bool: "boolean", str: "text"}
    return json.dumps({n: kinds[type(value)] for n, value in fields.items() if n != "secret"})


def stage(folder: Path, rule: str) -> tuple[VirtualRunner, VirtualExchange]:
    """A runner on a quiet paper exchange, ready for alerts."""
    path = folder / "rules.yaml"
    path.write_text(rule)
    loaded = load(path)
    assert loaded.rules is not None, loaded.diagnostics
    clock = VirtualClock(START)
    engine = bottomless(START, lambda _: Decimal(70_000))
    exchange = VirtualExchange(engine, clock)
    runner = VirtualRunner(folder / "journal.db", loaded.rules, exchange, clock)
    runner.advance(START + 1_000)
    return runner, exchange


@pytest.mark.parametrize("number", range(87))
def test_each_body_becomes_one_order_or_a_clear_refusal(
    recorded: Path, tmp_path: Path, number: int
) -> None:
    """Under a rule that fits it fires once, however often it comes; else 4xx says why."""
    lines = (recorded / "tradingview-alerts.jsonl").read_text("utf-8").splitlines()
    body = json.loads(lines[number])["body"].encode()
    try:
        fields = parse(body)
    except BodyError:
        fields = {}
    runner, exchange = stage(tmp_path, RULE.format(body=fitting(fields)))
    hooks = {"alert": Hook("alert", TOKEN.encode())}
    app = create_app(lambda: hooks, runner.ask, lambda: Readiness(True), runner.clock.read)
    answers = [app.test_client().post(f"/hook/alert/{TOKEN}", data=body) for _ in range(3)]
    runner.advance(START + 2_000)
    orders = [order.client_order_id for order in exchange.exchange.orders()]
    if fields:
        outcomes = [answer.get_json()["outcome"] for answer in answers]
        assert outcomes == ["fired", "duplicate", "duplicate"]
        assert len(orders) == 1
    else:
        assert {answer.status_code for answer in answers} == {400}
        assert all(answer.get_json()["error"] for answer in answers)
        assert orders == []
    runner.crash()
