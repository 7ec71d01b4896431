"""`runner positions`: as the daemon sees them, and what the journal knew last without one."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from runner.cli.holding import held
from runner.core.decision import Decision, FillRow, Leg, Record
from runner.core.events import Fill
from runner.core.orders import OrderIntent, OrderState, OrderType, Side
from runner.journal import JournalReader
from runner.settings import Account, Settings
from tests.cli.calling import Process, answer, call, demo_folder
from tests.cli.terminal import on_terminal
from tests.journal.building import changing, firing, leg_of, open_journal
from tests.support import eventually

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "cli.md"
RULES = """\
version: 1
rules:
  - id: covered
    symbol: ETHUSDT
    when:
      - webhook: {path: covered, secret: tv_eth, body: {action: {one_of: [buy]}}}
    do:
      - bracket:
          entry: {side: buy, type: market, quantity: 0.2}
          stop: {trigger_price: =mark * 0.9}
          target: {price: =mark * 1.1}
  - id: bare
    symbol: BTCUSDT
    when:
      - webhook: {path: bare, secret: tv_eth, body: {action: {one_of: [sell]}}}
    do:
      - place: {side: sell, type: market, quantity: 0.01}
"""
SEEN = {
    "symbol": "ETHUSDT",
    "position_side": "BOTH",
    "size": "-0.5",
    "entry_price": "3500",
    "unrealised_pnl": "-1",
    "liquidation_price": "5000",
    "leverage": "20",
    "mark": "3502",
}


def now() -> int:
    """The wall clock in ms."""
    return time.time_ns() // 1_000_000


def commit(folder: Path, *records: Record, decision: Decision | None = None) -> None:
    """Add to the folder's journal."""
    journal = open_journal(folder)
    journal.commit([decision or Decision(), Decision(list(records))])
    journal.close()


def flat(ago: int, symbol: str = "BTCUSDT", text: str = "flat") -> Record:
    """What the log said of a position so many ms ago."""
    return Record(now() - ago, "position", text, symbol=symbol)


def looked(ago: int, *positions: dict[str, Any], known: bool = True) -> Record:
    """What the runner answered so many ms ago to who asked for the account."""
    data = {"verb": "account", "done": True, "known": known, "positions": list(positions)}
    return Record(now() - ago, "command", "looked at the account", data=data)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A demo folder whose daemon started an hour ago and was killed."""
    folder = demo_folder(tmp_path / "my")
    data = {"account": "paper", "mode": "paper", "hook": "http://127.0.0.1:1"}
    commit(folder, Record(now() - 3_600_000, "started", "runner", data=data))
    return folder


def test_a_running_daemon_says_what_it_sees(tmp_path: Path) -> None:
    """Side, size, prices and result; the run it came from; its exits, or that there is none."""
    folder = demo_folder(tmp_path / "my")
    (folder / "rules" / "demo.yaml").write_text(RULES)
    with Process("run", "--dir", folder, "--paper", "--hook", "127.0.0.1:0") as process:
        assert process.line().startswith("READY")
        assert eventually(lambda: not _told(folder)["positions"] and _told(folder)["known"], 60)
        for rule, action in (("covered", "buy"), ("bare", "sell")):
            _send(folder, rule, action)

        def whole() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = _told(folder)["positions"]
            return found if [len(each["exits"]) for each in found] == [0, 2] else []

        btc, eth = eventually(whole, 60)
        assert (btc["symbol"], btc["side"], btc["size"]) == ("BTCUSDT", "short", "-0.01")
        assert (eth["symbol"], eth["side"], eth["size"]) == ("ETHUSDT", "long", "0.2")
        assert Decimal(eth["entry_price"]) > 0
        assert Decimal(eth["mark"]) > 0
        assert [run["rule_id"] for run in btc["runs"]] == ["bare"]
        assert {run["rule_id"] for run in eth["runs"]} == {"covered"}
        assert {exit_["state"] for exit_ in eth["exits"]} == {"LIVE"}
        moved = Decimal(eth["mark"]) - Decimal(eth["entry_price"])
        assert Decimal(eth["unrealised_pnl"]) == moved * Decimal("0.2")
        head, first, second, blank, balances = eventually(lambda: _seen(folder), 60)
        assert head.split()[:3] == ["symbol", "side", "size"]
        assert first.endswith("no exit")
        assert "sell stop_market 0.200 @" in second
        assert (blank, balances.split()[:2]) == ("", ["USDT:", "wallet"])
        assert re.search(r"wallet \d+.*, available \d+.*, equity \d+.*, margin ratio ", balances)
        process.send()
        assert process.end(60)[0] == 0
    told = _told(folder)
    assert (told["live"], len(told["positions"])) == (False, 2)
    assert Decimal(told["balances"]["wallet_balance"]) > 0


def _told(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = answer("positions", "--dir", folder)
    return told


def _seen(folder: Path) -> list[str]:
    """The lines that people see; none while the daemon is too busy to answer."""
    shown = call("positions", "--dir", folder)
    assert shown.exit_code == 0
    return shown.stdout.splitlines() if shown.stderr == "" else []


def _send(folder: Path, rule: str, action: str) -> None:
    """Post the alert, again while it is not taken."""

    def taken() -> bool:
        sent = call("alert", rule, "--dir", folder, "--send", "--field", f"action={action}")
        return '"status": 200' in sent.stdout

    assert eventually(taken, 60)


def test_without_a_daemon_the_journal_answers(folder: Path) -> None:
    """It says so, and of when each line is; what changed since the last look is told."""
    gone = {**SEEN, "symbol": "SOLUSDT"}
    commit(folder, looked(60_000, SEEN, gone), flat(30_000, "SOLUSDT"))
    commit(folder, flat(20_000, "BTCUSDT", "0.02 @ 70000"), flat(10_000, text="adl: 1 @ 2"))
    told = answer("positions", "--dir", folder)
    assert (told["live"], told["known"], told["mode"]) == (False, True, "paper")
    btc, eth = told["positions"]
    assert (btc["symbol"], btc["side"], btc["size"], btc["mark"]) == (
        "BTCUSDT",
        "long",
        "0.02",
        None,
    )
    assert (eth["symbol"], eth["side"], eth["mark"]) == ("ETHUSDT", "short", "3502")
    assert told["as_of"] == btc["as_of"] > eth["as_of"]
    shown = call("positions", "--dir", folder)
    assert shown.exit_code == 0
    assert "the runner is not running" in shown.stderr
    assert re.search(r"knew last, as of \d{4}-\d\d-\d\d .* UTC", shown.stderr)
    assert shown.stdout.splitlines()[0].endswith("as of (UTC)")
    assert shown.stdout.count("no exit") == 2


def test_nothing_is_known(folder: Path) -> None:
    """Nobody looked and nothing changed: that is no statement that there is no position."""
    commit(folder, looked(1_000, known=False))
    told = answer("positions", "--dir", folder)
    assert (told["known"], told["as_of"], told["positions"]) == (False, None, [])
    shown = call("positions", "--dir", folder)
    assert (shown.exit_code, shown.stdout) == (0, "")
    assert "none known" in shown.stderr
    commit(folder, flat(2_000, "ETHUSDT", "1 @ 3500"), flat(1_000))
    told = answer("positions", "--dir", folder)
    assert (told["known"], len(told["positions"])) == (False, 1)
    assert "older positions may be missing" in call("positions", "--dir", folder).stderr


def test_nothing_open(folder: Path) -> None:
    """A look that found nothing says so."""
    commit(folder, looked(1_000))
    assert "no open positions" in call("positions", "--dir", folder).stderr


@pytest.mark.parametrize("known", [True, False])
def test_a_daemon_without_positions(
    folder: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """Flat, or not read yet: two different things."""
    monkeypatch.setattr("runner.cli.holding.daemon", _running)
    seen = {"known": known, "positions": []}
    monkeypatch.setattr("runner.cli.holding._asked", lambda *_: seen)
    shown = call("positions", "--dir", folder)
    said = "no open positions" if known else "the account was not read yet"
    assert shown.stderr.strip().endswith(said)


def test_a_daemon_that_does_not_answer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs and is busy: the journal answers, marked so."""
    monkeypatch.setattr("runner.cli.holding.daemon", _running)
    monkeypatch.setattr("runner.cli.holding.PATIENCE", 0.01)
    commit(folder, looked(60_000, SEEN))
    shown = call("positions", "--dir", folder)
    assert "did not say what it sees" in shown.stderr
    assert "ETHUSDT" in shown.stdout


def _running(*_: object) -> dict[str, Any]:
    return {"running": True, "account": "paper", "mode": "paper"}


def exit_of(leg: Leg, name: str, **changes: Any) -> Leg:
    """A stop of the same run on the book."""
    intent = leg.intent
    assert isinstance(intent, OrderIntent)
    key = f"{intent.client_order_id}{name}"
    stop = replace(
        intent,
        client_order_id=key,
        side=Side.SELL,
        type=OrderType.STOP_MARKET,
        price=None,
        time_in_force=None,
        trigger_price=Decimal(68_000),
        reduce_only=True,
    )
    return replace(leg, name=name, state=OrderState.LIVE, intent=replace(stop, **changes))


@pytest.mark.parametrize("opened", [1_000, 60_000])
def test_runs_and_exits(folder: Path, opened: int) -> None:
    """A fill since it was last flat is what made it; an order that could open is no exit."""
    decision, run, [leg] = firing("1")
    commit(folder, decision=decision)
    filled = replace(leg, state=OrderState.FILLED, cumulative_quantity=Decimal("0.010"))
    done = changing(leg, filled)
    at = now() - opened
    fill = Fill("7", Decimal(70000), Decimal("0.010"), Decimal(0), "USDT", Decimal(0), at)
    done.fills.append(FillRow(leg.client_order_id, "BTCUSDT", fill))
    commit(folder, flat(30_000), flat(900, text="0.010 @ 70000"), decision=done)
    [position] = answer("positions", "--dir", folder)["positions"]
    fresh = [{"run_id": run.run_id, "rule_id": "buy-dip"}] if opened == 1_000 else []
    assert (position["runs"], position["exits"]) == (fresh, [])
    stop = exit_of(leg, "s")
    other = exit_of(leg_of(run, "0.9"), "o", reduce_only=False)
    for each in (stop, other, exit_of(leg, "u")):
        state = OrderState.UNKNOWN if each.name == "u" else OrderState.LIVE
        commit(folder, decision=changing(None, replace(each, state=state)))
    [position] = answer("positions", "--dir", folder)["positions"]
    assert [exit_["state"] for exit_ in position["exits"]] == ["LIVE", "UNKNOWN"]
    assert [each["rule_id"] for each in position["runs"]] == ["buy-dip"]
    shown = call("positions", "--dir", folder).stdout
    assert "sell stop_market 0.010 @ 68000 reduce only; " in shown
    assert "[UNKNOWN]" in shown


def test_hedge_mode_takes_only_what_was_looked_at(folder: Path) -> None:
    """The log's lines do not name the side; an exit is the order against its own side."""
    long = {**SEEN, "symbol": "BTCUSDT", "position_side": "LONG", "size": "1"}
    decision, _, [leg] = firing("1")
    commit(folder, looked(60_000, long), flat(1_000), decision=decision)
    stop = exit_of(leg, "s", reduce_only=None, position_side="LONG")
    commit(folder, decision=changing(None, stop))
    account = Account("main", "binance_usdm", "demo", "key", "secret", position_mode="hedge")
    with JournalReader.open(folder / "journal.db") as journal:
        told, _ = held(folder, Settings(accounts={"main": account}), journal, now())
    [position] = told["positions"]
    assert (position["position_side"], len(position["exits"])) == ("LONG", 1)


def test_on_a_terminal_each_exit_is_a_line(folder: Path) -> None:
    """What has none cannot be overlooked, however many columns there are."""
    decision, _, [leg] = firing("1")
    two = [{**SEEN, "symbol": symbol, "size": "1"} for symbol in ("BTCUSDT", "ETHUSDT")]
    commit(folder, looked(1_000, *two), decision=decision)
    commit(folder, decision=changing(None, exit_of(leg, "s")))
    _, shown = on_terminal("positions", "--dir", folder, columns=80)
    assert "NO EXIT of ETHUSDT long" in shown
    assert re.search(r"^exit of BTCUSDT long: sell ", shown, re.MULTILINE)
    assert "NO EXIT of BTCUSDT" not in shown


def test_json_keys_are_documented(folder: Path) -> None:
    """docs/cli.md names each key of the JSON, and no others."""
    decision, _, [leg] = firing("1")
    commit(folder, looked(1_000, {**SEEN, "symbol": "BTCUSDT", "size": "1"}), decision=decision)
    commit(folder, decision=changing(None, exit_of(leg, "s")))
    text = DOCUMENT.read_text("utf-8")
    section = re.split(r"^## ", text.partition("## runner positions\n")[2], flags=re.MULTILINE)[0]
    documented = set(re.findall(r"`([a-z][a-z0-9_]*)`", section.partition("JSON:")[2]))
    told = answer("positions", "--dir", folder)
    [position] = told["positions"]
    rows = [told, told["balances"], position, *position["runs"], *position["exits"]]
    assert {key for row in rows for key in row} == documented
