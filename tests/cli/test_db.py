"""`runner db`, `runner resolve` and `runner audit`, beside a daemon and without one."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from runner.core.decision import AlertRow, Decision, Record
from runner.core.orders import OrderState
from runner.journal import Journal, JournalReader
from tests.cli.calling import ALERTED, answer, call, demo_folder
from tests.cli.test_daemon import filled, post, started
from tests.journal.building import NOW, changing, firing
from tests.support import eventually


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A runner's folder whose one rule waits for an alert."""
    folder = demo_folder(tmp_path / "my")
    (folder / "rules" / "demo.yaml").write_text(ALERTED)
    return folder


def written(folder: Path, *decisions: Decision) -> None:
    """A journal that holds this, and no daemon."""
    journal = Journal.open(folder / "journal.db", "main", lambda: NOW, wal_bytes=0, reserve=0)
    journal.commit(decisions)
    journal.close()


def parked(folder: Path) -> str:
    """A journal with one parked order; its id."""
    decision, _, (leg,) = firing("k1")
    written(folder, decision, changing(leg, replace(leg, state=OrderState.PARKED)))
    return leg.client_order_id


def test_a_backup_is_a_whole_journal(folder: Path, tmp_path: Path) -> None:
    """Written beside the journal or where one says; never over another file."""
    written(folder, firing("k1", legs=2)[0])
    result = call("db", "backup", "--dir", folder)
    assert result.exit_code == 0, result.output
    with JournalReader.open(result.stdout.strip()) as reader:
        assert len(reader.orders()) == 2
    to = tmp_path / "copy.db"
    assert call("db", "backup", to, "--dir", folder).exit_code == 0
    refused = call("db", "backup", to, "--dir", folder)
    assert refused.exit_code == 2
    assert "exists" in refused.stderr
    assert "create it" in call("db", "backup", tmp_path / "no" / "x.db", "--dir", folder).stderr


FIXTURES = Path(__file__).parents[1] / "journal" / "fixtures"


@pytest.mark.parametrize("fixture", sorted(FIXTURES.glob("*.sql")), ids=lambda path: path.stem)
def test_a_copy_of_an_older_journal_is_brought_up_to_date(
    folder: Path, tmp_path: Path, fixture: Path
) -> None:
    """As `make install` tries it before it changes anything; the journal itself stays as it was."""
    connection = sqlite3.connect(folder / "journal.db")
    connection.executescript(fixture.read_text())
    connection.close()
    before = (folder / "journal.db").read_bytes()
    copy = tmp_path / "copy.db"
    assert call("db", "backup", copy, "--dir", folder).exit_code == 0
    result = call("db", "upgrade", copy)
    assert result.exit_code == 0, result.output
    assert "is sound" in result.stdout
    with JournalReader.open(copy) as reader:
        assert len(reader.orders()) == 2
    assert (folder / "journal.db").read_bytes() == before


def test_a_journal_of_a_newer_runner_says_so(folder: Path) -> None:
    """Every verb and the daemon refuse it alike: told what it is, and what to do."""
    written(folder, firing("k1")[0])
    connection = sqlite3.connect(folder / "journal.db")
    connection.execute("UPDATE meta SET value = 99 WHERE key = 'schema_version'")
    connection.commit()
    connection.close()
    told = "was written by a newer runner (schema 99"
    for words in (("db", "upgrade", folder / "journal.db"), ("status", "--dir", folder)):
        refused = call(*words)
        assert refused.exit_code == 2, refused.output
        assert told in refused.stderr
        assert "upgrade the runner" in refused.stderr
    daemon = call("run", "--paper", "--dir", folder, "--hook", "127.0.0.1:0")
    assert daemon.exit_code == 78
    assert told in daemon.stderr


def test_a_sound_journal_is_called_so_and_a_wrong_row_named(folder: Path) -> None:
    """Pages, references, and what must hold between an order and its attempts."""
    written(folder, firing("k1")[0])
    assert answer("db", "check", "--dir", folder)["problems"] == []
    connection = sqlite3.connect(folder / "journal.db")
    connection.execute("DELETE FROM attempts")
    connection.execute("DELETE FROM runs")
    connection.commit()
    connection.close()
    result = call("db", "check", "--dir", folder)
    assert result.exit_code == 1
    assert "counts attempts that are not written" in result.stdout
    assert "belongs to no run" in result.stdout
    assert "refers to a missing row" in result.stdout


def test_pruning_forgets_the_log_and_keeps_what_is_unique(folder: Path) -> None:
    """Old records and alerts go; runs, orders and what tells of the runner stay."""
    old = firing("k1", legs=2)[0]
    old.alerts.append(AlertRow("tv", "h", {}, NOW, None, "fired"))
    old.records.append(Record(NOW, "started", "runner"))
    late = AlertRow("tv", "i", {}, NOW * 2, None, "fired")
    newest = Decision([Record(NOW * 2, "event", "now")], [late])
    written(folder, old, newest)
    result = call("db", "prune", "--keep", 1, "--dir", folder)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("2 records and alerts")
    with JournalReader.open(folder / "journal.db") as reader:
        assert [record["kind"] for record in reader.records()] == ["started", "event"]
        assert len(reader.alerts()) == 1
        assert len(reader.orders()) == 2


def test_an_export_holds_every_row(folder: Path) -> None:
    """As lines of JSON with their table, or one table as CSV that no spreadsheet executes."""
    decision, run, _ = firing("k1", legs=2)
    decision.records.append(Record(NOW, "event", "=1+1"))
    written(folder, decision)
    lines = call("db", "export", "--dir", folder).stdout.splitlines()
    tables = [json.loads(line)["table"] for line in lines]
    assert (tables.count("legs"), tables.count("runs"), tables.count("attempts")) == (2, 1, 2)
    one = call("db", "export", "--table", "runs", "--dir", folder).stdout
    assert json.loads(one)["run_id"] == run.run_id
    text = call("db", "export", "--format", "csv", "--dir", folder).stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["leg"] for row in rows] == ["0.1", "0.2"]
    records = call("db", "export", "--format", "csv", "--table", "records", "--dir", folder).stdout
    assert "'=1+1" in records
    assert call("db", "export", "--format", "csv", "--table", "fills", "--dir", folder).stdout == ""


def test_a_command_waits_for_the_next_start(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a daemon the word of a person is kept, and taken by the daemon that starts."""
    monkeypatch.setattr("runner.cli.commanding.PATIENCE", 0.1)
    monkeypatch.setattr("runner.cli.commanding.command.__defaults__", (0.1, ""))
    key = parked(folder)
    told = answer("resolve", key, "--as", "absent", "--reason", "not in the app", "--dir", folder)
    assert (told["done"], told["waits"]) == (False, True)
    process, _ = started(folder)
    with process:
        eventually(lambda: answer("orders", "--dir", folder)[0]["state"] == "LAPSED")
        process.send()
        assert process.end()[0] == 0
    (order,) = answer("orders", "--dir", folder)
    assert order["message"] == "resolved as absent: not in the app"


def test_a_running_daemon_resolves_prunes_and_is_audited(folder: Path) -> None:
    """The verbs reach the leader through the inbox, and its answer is what they print."""
    key = parked(folder)
    process, url = started(folder)
    with process:
        assert post(url, action="buy")["outcome"] == "fired"
        eventually(lambda: len(answer("orders", "--dir", folder)) == 2)
        words = ("--reason", "seen in the app", "--dir", folder)
        done = call("resolve", key, "--as", "sent", *words)
        assert done.exit_code == 0, done.output
        assert "no longer parked, the exchange is asked" in done.stdout
        again = call("resolve", key, "--as", "sent", *words)
        assert again.exit_code == 1
        assert "is not parked" in again.stdout
        nothing = call("resolve", "r1-main-nothing", "--as", "absent", *words)
        assert "is no order of this journal" in nothing.stdout
        pruned = call("db", "prune", "--keep", 1, "--dir", folder)
        assert pruned.exit_code == 0, pruned.output
        assert "are gone" in pruned.stdout
        backup = call("db", "backup", "--dir", folder)
        assert backup.exit_code == 0, backup.output
        eventually(lambda: _agrees(folder))
        process.send()
        assert process.end()[0] == 0


def _agrees(folder: Path) -> bool:
    result = call("audit", "--dir", folder, "--paper", "--json")
    return result.exit_code == 0 and json.loads(result.stdout)["journal_orders"] == 1


def test_an_audit_names_what_the_journal_does_not_know(folder: Path) -> None:
    """An order that went out under our prefix and is not in the journal, after the fact."""
    process, url = started(folder)
    with process:
        post(url, action="buy")
        (order,) = eventually(lambda: filled(folder))
        process.send()
        process.end()
    connection = sqlite3.connect(folder / "journal.db")
    for table in ("fills", "attempts", "legs"):
        connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own words
    connection.commit()
    connection.close()
    result = call("audit", "--dir", folder, "--paper")
    assert result.exit_code == 1
    assert f"{order['client_order_id']} is on the exchange, the journal does not" in result.stdout
