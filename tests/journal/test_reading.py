"""Reading the journal: plain data, beside the runner or after it, without a write."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Select, select
from sqlalchemy.dialects import sqlite as dialect

from runner.core.decision import (
    AlertRow,
    AttemptOutcome,
    DeadManState,
    Decision,
    FillRow,
    Leg,
    LegChange,
    Record,
    RuleMemory,
    RunStatus,
)
from runner.core.events import Fill
from runner.core.notice import Notice, Outgoing
from runner.core.orders import CancelIntent, Family, OrderState, Outcome
from runner.errors import JournalError
from runner.journal import Journal, JournalReader, Tally, tables
from tests.journal.building import NOW, firing, leg_of, open_journal, run_of

ONE = Decimal(1)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An open journal in a folder of its own."""
    journal = open_journal(tmp_path)
    yield journal
    journal.close()


@pytest.fixture
def reader(journal: Journal) -> Iterator[JournalReader]:
    """A reader beside the open journal."""
    with JournalReader.open(journal.path) as reader:
        yield reader


def test_a_missing_journal_is_named(tmp_path: Path) -> None:
    """Reading creates nothing."""
    with pytest.raises(JournalError, match=r"no journal at .*journal.db: .*--dir"):
        JournalReader.open(tmp_path / "journal.db")
    assert list(tmp_path.iterdir()) == []


def test_the_facts_of_the_journal(journal: Journal, reader: JournalReader) -> None:
    """Version, namespace and lease are told."""
    meta = reader.meta()
    assert meta["namespace"] == "main"
    assert meta["schema_version"] == tables.SCHEMA_VERSION
    assert (meta["epoch"], meta["alive_at"], meta["created_at"]) == (1, None, NOW)
    assert meta["journal_id"] == journal.meta.journal_id


def test_an_order_is_told_whole(journal: Journal, reader: JournalReader) -> None:
    """What was asked, what became of it, its attempts and fills, as JSON can hold it."""
    decision, run, (leg,) = firing("k1")
    fill = Fill(
        "77", Decimal("70000.0"), Decimal("0.010"), Decimal("0.28"), "USDT", Decimal("-1.20"), NOW
    )
    decision.fills.append(FillRow(leg.client_order_id, "BTCUSDT", fill))
    decision.outcomes.append(
        AttemptOutcome(leg.client_order_id, 1, Outcome.ACCEPTED, None, "", NOW + 3)
    )
    journal.commit([decision])
    (order,) = reader.orders()
    assert order == {
        "client_order_id": leg.client_order_id,
        "kind": "order",
        "leg": "0.1",
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "quantity": "0.010",
        "price": "70000.0",
        "trigger_price": None,
        "time_in_force": "GTC",
        "reduce_only": False,
        "close_position": False,
        "position_side": "BOTH",
        "working_type": None,
        "price_protect": False,
        "activation_price": None,
        "callback_rate": None,
        "good_till_time": None,
        "price_match": None,
        "self_trade_prevention": None,
        "tag": "",
        "hold_unknown": False,
        "unfenced": False,
        "family": "order",
        "run_id": run.run_id,
        "rule_id": "buy-dip",
        "account": "demo",
        "trigger": "0",
        "fired_at": NOW,
        "state": "SENDING",
        "planned_at": NOW,
        "deadline": None,
        "attempt": 1,
        "signed_time": NOW,
        "fence_time": None,
        "negatives": 0,
        "first_negative_time": None,
        "next_at": None,
        "ask_first": False,
        "order_id": None,
        "order_status": None,
        "cumulative_quantity": "0",
        "average_price": None,
        "code": None,
        "message": "",
        "updated_at": 0,
        "attempts": [
            {
                "attempt": 1,
                "request_id": "r1",
                "timestamp": NOW,
                "recv_window": 5000,
                "payload_sha256": "ab" * 32,
                "signed_at": NOW,
                "outcome": "ACCEPTED",
                "code": None,
                "message": "",
                "answered_at": NOW + 3,
            }
        ],
        "fills": [
            {
                "symbol": "BTCUSDT",
                "trade_id": "77",
                "price": "70000.0",
                "quantity": "0.010",
                "commission": "0.28",
                "commission_asset": "USDT",
                "realised_pnl": "-1.20",
                "event_time": NOW,
            }
        ],
    }
    assert json.loads(json.dumps(order)) == order


def test_a_cancel_is_told_with_its_target(journal: Journal, reader: JournalReader) -> None:
    """Cancels are listed with the orders and tell what they cancel."""
    run = run_of("k1")
    intent = CancelIntent("r1-main-c", "BTCUSDT", Family.ALGO, target="r1-main-x")
    decision = Decision(new_runs=[run])
    decision.change_leg(None, Leg(intent, run.run_id, "0", OrderState.PLANNED, NOW))
    journal.commit([decision])
    (order,) = reader.orders()
    assert (order["kind"], order["family"], order["target"]) == ("cancel", "algo", "r1-main-x")
    assert "side" not in order


def test_orders_can_be_chosen(journal: Journal, reader: JournalReader) -> None:
    """By state or states, symbol and run; the limit keeps the newest, oldest first."""
    for number in range(4):
        run = run_of(f"k{number}")
        decision = Decision(new_runs=[run])
        state = OrderState.LIVE if number % 2 else OrderState.PLANNED
        decision.change_leg(None, replace(leg_of(run), planned_at=NOW + number, state=state))
        journal.commit([decision])

    def times(orders: list[dict[str, int]]) -> list[int]:
        return [order["planned_at"] - NOW for order in orders]

    assert times(reader.orders()) == [0, 1, 2, 3]
    assert times(reader.orders(limit=2)) == [2, 3]
    assert times(reader.orders(state="LIVE")) == [1, 3]
    assert times(reader.orders(state=["LIVE", "PLANNED"], limit=3)) == [1, 2, 3]
    assert times(reader.orders(symbol="ETHUSDT")) == []
    assert times(reader.orders(symbol="BTCUSDT", run_id=run_of("k2").run_id)) == [2]


def test_the_log_can_be_followed_and_chosen(journal: Journal, reader: JournalReader) -> None:
    """`after` goes on where one stopped; `limit` alone shows the end; filters combine."""
    for number in range(6):
        record = Record(
            NOW + number,
            "fired" if number % 2 else "event",
            f"line {number}",
            rule_id="a" if number < 4 else "",
            run_id="r" if number == 3 else "",
            data={"price": Decimal("1.50")},
        )
        journal.commit([Decision(records=[record])])

    def lines(records: list[dict[str, str]]) -> list[int]:
        return [int(record["text"][5:]) for record in records]

    everything = reader.records()
    assert lines(everything) == [0, 1, 2, 3, 4, 5]
    assert everything[0]["data"] == {"price": "1.50"}
    assert lines(reader.records(limit=2)) == [4, 5]
    assert lines(reader.records(after=everything[1]["seq"], limit=2)) == [2, 3]
    assert lines(reader.records(after=everything[5]["seq"])) == []
    assert lines(reader.records(rule_id="a", kinds=["fired"])) == [1, 3]
    assert lines(reader.records(run_id="r")) == [3]
    assert lines(reader.records(kinds=[])) == []


def test_the_history_is_paged_and_filtered(journal: Journal, reader: JournalReader) -> None:
    """Newest first, below a seq; rule, symbol, reason, kind and time combine; steps by run."""
    assert reader.newest_seq() == 0
    for number in range(6):
        record = Record(
            NOW + number,
            "refused" if number % 2 else "fired",
            f"line {number}",
            rule_id="a" if number < 4 else "",
            symbol="BTCUSDT" if number < 3 else "ETHUSDT",
            run_id=f"r{number // 2}" if number % 2 == 0 else "",
            reason="cooldown" if number % 2 else "",
        )
        journal.commit([Decision(records=[record])])

    def lines(records: list[dict[str, str]]) -> list[int]:
        return [int(record["text"][5:]) for record in records]

    newest = reader.history(limit=2)
    assert lines(newest) == [5, 4]
    assert reader.newest_seq() == newest[0]["seq"]
    assert lines(reader.history(before=newest[-1]["seq"], limit=2)) == [3, 2]
    assert lines(reader.history(rule_id="a", reason="cooldown")) == [3, 1]
    assert lines(reader.history(symbol="ETHUSDT", kinds=["fired"])) == [4]
    assert lines(reader.history(since=NOW + 2, until=NOW + 3)) == [3, 2]
    assert {run: lines(found) for run, found in reader.steps(["r0", "r2", "r9"]).items()} == {
        "r0": [0],
        "r2": [4],
    }


def test_the_history_may_leave_out_who_only_looked(journal: Journal, reader: JournalReader) -> None:
    """A dashboard asks again and again; other commands stay."""
    texts = ("looked at every rule", "paused by ann", "looked at the account")
    for text in texts:
        journal.commit([Decision(records=[Record(NOW, "command", text)])])
    assert [each["text"] for each in reader.history(looks=False)] == ["paused by ann"]
    assert len(reader.history()) == 3


def test_runs_are_told_with_their_rule_and_orders(journal: Journal, reader: JournalReader) -> None:
    """A run tells its event and rule; one alone also the rule's text and its orders."""
    first, run, _ = firing("k1", legs=2)
    first.rule_texts["hash-1"] = "id: buy-dip"
    other = replace(run_of("k2", "sell-top"), fired_at=NOW + 1, status=RunStatus.DONE)
    journal.commit([first, Decision(new_runs=[other])])
    assert [found["rule_id"] for found in reader.runs()] == ["buy-dip", "sell-top"]
    assert [found["run_id"] for found in reader.runs(limit=1)] == [other.run_id]
    assert [found["run_id"] for found in reader.runs(rule_id="buy-dip")] == [run.run_id]
    assert reader.runs(status="done", symbol="ETHUSDT") == []
    assert reader.runs(troubled=True) == []
    journal.commit([Decision(new_runs=[replace(run_of("k3"), reason="no exit")])])
    assert [found["reason"] for found in reader.runs(troubled=True)] == ["no exit"]
    told = reader.run(run.run_id)
    assert told is not None
    assert told["fields"] == {"price": "70010.50"}
    assert told["rule_text"] == "id: buy-dip" == reader.rule_text("hash-1")
    assert [order["leg"] for order in told["orders"]] == ["0.1", "0.2"]
    assert reader.run("unknown") is None
    assert reader.rule_text("unknown") is None


def test_alerts_fills_memories_and_countdowns_are_told(
    journal: Journal, reader: JournalReader
) -> None:
    """The rest of what is remembered, each as plain rows."""
    decision, _, (leg,) = firing("k1")
    fill = Fill("1", Decimal(1), Decimal(2), Decimal(0), "USDT", Decimal(0), NOW)
    decision.fills.append(FillRow(leg.client_order_id, "BTCUSDT", fill))
    decision.alerts.append(AlertRow("tv", "h1", {"n": Decimal("1.0")}, NOW, None, "fired"))
    decision.memories["a", "X"] = RuleMemory(fires=1, enabled=True, triggers={"0": {"up": False}})
    decision.dead_men["BTCUSDT"] = DeadManState("BTCUSDT", 60_000, NOW)
    journal.commit([decision])
    (alert,) = reader.alerts()
    assert (alert["fields"], alert["outcome"]) == ({"n": "1.0"}, "fired")
    assert reader.alerts(after=alert["seq"]) == []
    assert len(reader.fills()) == 1
    assert reader.fills(client_order_id="other") == []
    (memory,) = reader.memories()
    assert (memory["enabled"], memory["triggers"]) == (True, {"0": {"up": False}})
    (countdown,) = reader.dead_men()
    assert (countdown["symbol"], countdown["expired"]) == ("BTCUSDT", False)
    for told in (alert, memory, countdown):
        json.dumps(told)


def test_a_stretch_of_time_is_added_up(journal: Journal, reader: JournalReader) -> None:
    """Fires by rule, orders by state, fills with what they won and cost; not what is outside."""
    decision, run, (leg, other) = firing("k1", legs=2)
    cancel = CancelIntent("c1", "BTCUSDT", Family.ORDER, leg.client_order_id)
    ended = Leg(cancel, run.run_id, "0.cancel", OrderState.DONE, planned_at=NOW)
    decision.legs[cancel.client_order_id] = LegChange(None, ended)
    late = replace(run_of("k2", "sell-top"), fired_at=NOW + 1)
    for number, pnl in enumerate(("-1.20", "3.5")):
        fill = Fill(str(number), ONE, ONE, Decimal("0.28"), "USDT", Decimal(pnl), NOW + number)
        decision.fills.append(FillRow(leg.client_order_id, "BTCUSDT", fill))
    told = Notice(NOW, "critical", "look")
    decision.outbox += [Outgoing("1-1", target, told) for target in ("phone", "mail")]
    journal.commit([decision, Decision(new_runs=[late])])
    states = {leg.state.value, other.state.value}
    now = reader.tally(NOW - 1, NOW)
    assert now == Tally(
        fires={"buy-dip": 1},
        orders=dict.fromkeys(states, 2),
        fills=1,
        result=Decimal("-1.20"),
        fees={"USDT": Decimal("0.28")},
        critical=1,
    )
    both = reader.tally(NOW - 1, NOW + 1)
    assert (both.fires, both.result) == ({"buy-dip": 1, "sell-top": 1}, Decimal("2.30"))
    assert both.fees == {"USDT": Decimal("0.56")}
    assert reader.tally(NOW + 1, NOW + 9) == Tally({}, {}, 0, Decimal(0), {}, 0)


def test_a_closed_journal_can_be_read(tmp_path: Path) -> None:
    """After the runner ended well, its journal still tells everything."""
    journal = open_journal(tmp_path)
    journal.commit([firing("k1")[0]])
    journal.close()
    with JournalReader.open(tmp_path / "journal.db") as reader:
        assert len(reader.orders()) == 1


def test_reading_while_writing_sees_whole_commits(tmp_path: Path) -> None:
    """A reader beside a busy writer sees each commit wholly or not at all, and stops nobody."""
    journal = open_journal(tmp_path)
    done = threading.Event()
    failures: list[str] = []
    readings = [0]

    def read() -> None:
        with JournalReader.open(tmp_path / "journal.db") as reader:
            while not done.is_set() or not readings[0]:
                orders = reader.orders()
                readings[0] += 1
                if len(orders) % 3 or any(len(order["attempts"]) != 1 for order in orders):
                    failures.append(f"{len(orders)} orders")

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(60):
        journal.commit([firing(f"k{number}", legs=3)[0]])
    done.set()
    thread.join()
    assert failures == []
    assert readings[0] > 0
    journal.close()


def test_a_reader_cannot_write(reader: JournalReader) -> None:
    """The connection itself refuses, whatever is asked of it."""
    from sqlalchemy.exc import OperationalError

    with pytest.raises(OperationalError, match="readonly"):
        reader._connection.exec_driver_sql("DELETE FROM records")


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (select(tables.legs).where(tables.OPEN_LEG), "legs_open"),
        (select(tables.runs).where(tables.RUNNING_RUN), "runs_running"),
        (
            select(tables.records).where(tables.HAS_RULE, tables.records.c.rule_id == "a"),
            "records_by_rule",
        ),
        (
            select(tables.records).where(tables.HAS_RUN, tables.records.c.run_id == "a"),
            "records_by_run",
        ),
        (select(tables.runs).where(tables.runs.c.rule_id == "a"), "autoindex_runs"),
        (select(tables.legs).where(tables.legs.c.run_id == "a"), "autoindex_legs"),
        (select(tables.fills).where(tables.fills.c.client_order_id == "a"), "fills_of_leg"),
    ],
)
def test_what_grows_is_read_by_an_index(
    reader: JournalReader, statement: Select[Any], index: str
) -> None:
    """No listing of one rule, run or the open orders walks the whole journal."""
    text = statement.compile(dialect=dialect.dialect(), compile_kwargs={"literal_binds": True})
    plan = reader._connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}").all()
    assert any(index in str(row) and "INDEX" in str(row) for row in plan), plan
