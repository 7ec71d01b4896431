"""A dashboard over a real journal, with what the tests may change at hand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from runner import resources
from runner.cli.explain import rule_lines
from runner.cli.status import told_of
from runner.core.decision import DeadManState, Decision, FillRow, Record, RunStatus
from runner.core.events import Fill
from runner.core.limits import Limits
from runner.core.orders import OrderState
from runner.core.rules import Rule, RuleSet
from runner.dashboard.app import Dashboard
from runner.dashboard.desk import Candle, Plain, Told
from runner.errors import RunnerError
from runner.journal import JournalReader
from runner.rulebook.load import load
from tests.cli.calling import demo_folder
from tests.journal.building import NOW, changing, firing, open_journal

PASSWORD = "correct horse battery"
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
"""As the runner keeps it, only cheaper to check."""

ORIGIN = "http://localhost"
MINUTE = 60_000

RULES = load(resources.folder("rules") / "demo", None).rules or RuleSet({})
"""The demo's, read once: a desk keeps them, too."""

LOOK: Plain = {
    "rules": {
        "btc-breakout": [
            {
                "symbol": "BTCUSDT",
                "reason": "not armed",
                "text": "mark 70100 must be below 69500 first",
                "triggers": [{"name": "price", "reason": "not armed", "text": "mark 70100"}],
                "conditions": [{"name": "position.size == 0", "reason": "if", "text": "0.02"}],
            }
        ]
    },
    "levels": [
        {"rule_id": "btc-breakout", "symbol": "BTCUSDT", "trigger": "price", "price": "70050"},
        {"rule_id": "btc-breakout", "symbol": "BTCUSDT", "trigger": "price", "price": "990000"},
    ],
}
ACCOUNT: Plain = {
    "live": True,
    "known": True,
    "as_of": NOW,
    "positions": [
        {
            "symbol": "BTCUSDT",
            "position_side": "BOTH",
            "side": "long",
            "size": "0.02",
            "entry_price": "70018.9",
            "unrealised_pnl": "-1.378",
            "liquidation_price": None,
            "leverage": "5",
            "mark": "69950",
            "runs": [],
            "exits": [],
        }
    ],
    "balances": {"equity": "998.5", "wallet_balance": "1000", "available": "720"},
}


@dataclass(slots=True)
class FakeDesk:
    """The port: a real folder and journal; the runner and the exchange are made up."""

    path: Path
    kept: str | None = HASH
    running: bool = True
    looked: Plain | None = field(default_factory=lambda: LOOK)
    held: Plain | None = field(default_factory=lambda: ACCOUNT)
    prices: tuple[Candle, ...] = ()
    given: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    refusal: str = ""
    limits: Limits = field(default_factory=Limits)
    files: Mapping[str, Rule] | None = None
    more: Plain = field(default_factory=dict)
    """What a running daemon says of itself besides."""

    @property
    def folder(self) -> str:
        return "my"

    def journal(self) -> JournalReader:
        return JournalReader.open(self.path / "journal.db")

    def status(self) -> Plain:
        with self.journal() as journal:
            told = told_of(self.path, journal, NOW, lambda: RULES)
        return told | {"running": self.running, "ready": self.running, **self.more}

    def rules(self) -> Mapping[str, Rule]:
        return RULES.rules if self.files is None else self.files

    def account_limits(self) -> Limits:
        return self.limits

    def look(self, rule_id: str = "", symbol: str = "") -> Plain | None:
        self.asked.append(rule_id or symbol or "all")
        return self.looked

    def account(self) -> Plain | None:
        self.asked.append("account")
        return self.held

    def candles(self, symbol: str, interval: str) -> tuple[Candle, ...]:
        return self.prices

    def order(self, verb: str, *, reason: str, symbol: str = "", rule_id: str = "") -> Told:
        self.given.append((verb, {"reason": reason, "symbol": symbol, "rule_id": rule_id}))
        if self.refusal:
            raise RunnerError(self.refusal)
        return Told(True, f"{verb} by dashboard")

    def written(self, rule_text: str) -> list[str]:
        return rule_lines(rule_text) if rule_text.startswith("{") else [rule_text]

    def password(self) -> str | None:
        return self.kept


@dataclass(slots=True)
class Scene:
    """A dashboard with its desk, its clock (ms) and a browser without a page."""

    desk: FakeDesk
    dashboard: Dashboard
    clock: list[int]
    client: FlaskClient

    def get(self, path: str, **headers: str) -> TestResponse:
        """A page."""
        return self.client.get(path, headers=headers)

    def text(self, path: str) -> str:
        """A page's text; it must be there."""
        response = self.get(path)
        assert response.status_code == 200, response.get_data(as_text=True)
        return response.get_data(as_text=True)

    def log_in(self, password: str = PASSWORD, **more: Any) -> TestResponse:
        """Send the form of the login."""
        return self.send("/login", {"password": password, **more})

    def send(self, path: str, form: Mapping[str, str], origin: str | None = ORIGIN) -> TestResponse:
        """Send a form as a page of this dashboard does."""
        headers = {} if origin is None else {"Origin": origin}
        return self.client.post(path, data=form, headers=headers)

    def token(self, path: str = "/do/pause") -> str:
        """The token that a page's form carries."""
        [found] = set(re.findall(r'name="token" value="([^"]+)"', self.text(path)))
        return str(found)


def scene_of(folder: Path, **desk: Any) -> Scene:
    """A dashboard over the folder's journal; nobody is logged in."""
    clock = [1_000_000]
    port = FakeDesk(folder, **desk)
    dashboard = Dashboard(port, ("10.0.0.9",), lambda: NOW, lambda: clock[0])
    dashboard.app.testing = True
    return Scene(port, dashboard, clock, dashboard.app.test_client())


def write(folder: Path, *decisions: Decision) -> None:
    """Add to the folder's journal, which is made if need be."""
    journal = open_journal(folder)
    for decision in decisions:
        journal.commit([decision])
    journal.close()


def lived(folder: Path) -> Path:
    """A demo folder with a journal: a start, a run that filled, a refusal, a countdown."""
    folder = demo_folder(folder)
    fired, run, [leg] = firing("k1")
    fired.rule_texts["hash-1"] = '{"id":"buy-dip","when":[{"webhook":{"path":"dip"}}]}'
    live = replace(leg, state=OrderState.LIVE, order_id="77", updated_at=NOW)
    filled = replace(
        live,
        state=OrderState.FILLED,
        cumulative_quantity=Decimal("0.01"),
        average_price=Decimal(70000),
    )
    fill = Fill("t1", Decimal(70000), Decimal("0.01"), Decimal(0), "USDT", Decimal(0), NOW)
    named = ("buy-dip", "BTCUSDT", run.run_id)
    started = {"account": "paper", "mode": "paper", "hook": "http://127.0.0.1:1"}
    write(
        folder,
        Decision(
            records=[
                Record(NOW - MINUTE, "started", "runner 0.1.0", data=started),
                Record(NOW - MINUTE, "stream", "user connected"),
                Record(NOW - MINUTE, "stream", "market connected"),
            ],
            dead_men={"BTCUSDT": DeadManState("BTCUSDT", 120_000, NOW - 5_000)},
        ),
        fired,
        changing(leg, live),
        Decision(
            records=[
                Record(NOW, "planned", "buy limit 0.01 @ 70000", *named),
                Record(NOW, "sent", "POST /fapi/v1/order", *named),
                Record(NOW + 30, "fill", "order 1: 0.01 filled @ 70000", *named),
                Record(NOW + 31, "run", "done", *named),
            ],
            legs=changing(live, filled).legs,
            fills=[FillRow(leg.client_order_id, "BTCUSDT", fill)],
            runs={run.run_id: replace(run, status=RunStatus.DONE)},
        ),
        Decision(
            records=[
                Record(NOW, "refused", "3 h", "btc-breakout", "BTCUSDT", reason="cooldown"),
                Record(NOW, "command", "looked at it", data={"verb": "look", "done": True}),
            ]
        ),
    )
    return folder
