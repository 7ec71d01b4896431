"""The journal on a PostgreSQL server: the same promises, and a lease that tells who leads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal

import psycopg
import pytest
from sqlalchemy import make_url

from runner.core.decision import (
    AlertRow,
    AttemptOutcome,
    Decision,
    FillRow,
    Received,
    Record,
    RuleMemory,
)
from runner.core.events import Fill
from runner.core.notice import Notice, Outgoing, Settled
from runner.core.orders import OrderState, Outcome
from runner.errors import CommitFailed, JournalBusy, JournalError, JournalRestored
from runner.journal import Journal, JournalReader, postgresql, tables
from runner.journal.inbox import TableInbox
from runner.journal.postgresql import connected
from tests.journal.building import NAMESPACE, NOW, changing, firing
from tests.postgres import Server
from tests.support import eventually


@pytest.fixture
def url(postgres: Server) -> str:
    """An empty database."""
    return postgres.database()


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    """An open journal on it."""
    journal = open_on(url)
    yield journal
    journal.close()


def open_on(url: str, now: Callable[[], int] = lambda: NOW) -> Journal:
    """The journal of this database."""
    return Journal.open(url, NAMESPACE, now)


def execute(url: str, statement: str) -> None:
    """Do something behind the journal's back."""
    with psycopg.connect(dsn_of(url), autocommit=True) as connection:
        connection.execute(statement.encode())


def dsn_of(url: str) -> str:
    """The database of a URL as its driver wants it."""
    parts = make_url(url)
    return f"host={parts.query['host']} user={parts.username} dbname={parts.database}"


def test_a_journal_on_another_server_is_a_restored_one(url: str) -> None:
    """A dump that was loaded elsewhere may lack what came after it: a person must accept it."""
    open_on(url).close()
    open_on(url).close()
    execute(url, "UPDATE meta SET value = '1' WHERE key = 'system'")
    with pytest.raises(JournalRestored, match=r"another PostgreSQL server .*--accept-restored"):
        open_on(url)
    Journal.open(url, NAMESPACE, lambda: NOW, accept_restored=True).close()
    open_on(url).close()


def test_a_leader_that_stands_still_within_a_commit_cannot_keep_the_lead(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paused between two messages of a batch it is active to the server, and holds the lease."""
    open_on(url).close()
    dsn = f"{dsn_of(url)} application_name=order-runner"
    with closing(psycopg.connect(dsn, autocommit=True)) as paused:
        paused.execute("BEGIN")
        paused.execute("SELECT * FROM lease FOR UPDATE")
        paused.pgconn.enter_pipeline_mode()
        paused.pgconn.send_query_params(b"SELECT 1", None)
        paused.pgconn.send_flush_request()
        paused.pgconn.flush()
        with pytest.raises(JournalBusy, match="held by another program"):
            open_on(url)
        monkeypatch.setattr(postgresql, "STANDS_STILL", 0)
        eventually(lambda: leads(url))


def leads(url: str) -> bool:
    """True once the lead could be had; a session takes a moment to end."""
    try:
        open_on(url).close()
    except JournalBusy:
        return False
    return True


def test_a_user_who_may_not_ask_for_the_servers_number_can_lead(url: str) -> None:
    """Then only the witness and the exchange tell of a restore."""
    execute(url, "CREATE ROLE plain LOGIN")
    execute(url, "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    execute(url, "GRANT ALL ON SCHEMA public TO plain")
    plain = make_url(url).set(username="plain").render_as_string(hide_password=False)
    open_on(plain).close()
    execute(url, "DROP OWNED BY plain; DROP ROLE plain")


def test_everything_is_there_after_reopening(url: str) -> None:
    """Runs, legs, fills, memories and records come back as they were written."""
    decision, run, legs = firing("k1", legs=3)
    decision.rule_texts["hash-1"] = "id: buy-dip"
    memory = RuleMemory(fires=1, enabled=False, triggers={"0": {"generation": 1, "armed": True}})
    decision.memories["buy-dip", "BTCUSDT"] = memory
    decision.alerts.append(AlertRow("tv", "h", {"note": "\ud800\0"}, NOW, None, "unfit: \ud800"))
    fill = Fill("77", Decimal("70000"), Decimal("0.01"), Decimal("0.28"), "USDT", Decimal(0), NOW)
    decision.fills += [FillRow(legs[0].client_order_id, "BTCUSDT", fill)] * 2
    decision.outcomes.append(
        AttemptOutcome(legs[0].client_order_id, 1, Outcome.REJECTED, -2019, "Margin", NOW + 9)
    )
    first = open_on(url)
    first.commit([decision])
    live = replace(legs[1], state=OrderState.LIVE, average_price=Decimal("69999.90"))
    first.commit([changing(legs[1], live)])
    first.close()
    again = open_on(url)
    assert again.open_runs() == [run]
    assert again.legs_of([run.run_id]) == [legs[0], live, legs[2]]
    assert again.memories() == {("buy-dip", "BTCUSDT"): memory}
    assert again.rule_text("hash-1") == "id: buy-dip"
    assert again.seen("buy-dip", "0", "BTCUSDT", "k1") == run.run_id
    assert again.epoch == first.epoch + 1
    again.close()


def test_it_can_be_read_beside_the_leader(journal: Journal, url: str) -> None:
    """Every reading verb works on a server as on a file, and cannot write."""
    decision, run, _ = firing("k1", legs=2)
    journal.commit([decision])
    with JournalReader.open(url) as reader:
        assert len(reader.orders()) == 2
        assert reader.run(run.run_id) is not None
        assert reader.meta()["epoch"] == 1
        assert [record["kind"] for record in reader.records()] == ["fired"]
        with pytest.raises(Exception, match="read-only"):
            reader._connection.exec_driver_sql("DELETE FROM records")


def test_a_refused_commit_leaves_nothing_and_lets_the_next_through(journal: Journal) -> None:
    """What violates a constraint rolls back whole; the journal goes on."""
    decision, _, _ = firing("k1")
    journal.commit([decision])
    with pytest.raises(JournalError, match="unique"):
        journal.commit([firing("k2")[0], decision])
    assert journal.seen("buy-dip", "0", "BTCUSDT", "k2") is None
    journal.commit([firing("k2")[0]])


def test_a_leg_that_is_not_as_decided_on_stops_the_journal(journal: Journal) -> None:
    """Compare and set, as on a file."""
    decision, _, (leg,) = firing("k1")
    journal.commit([decision])
    with pytest.raises(CommitFailed, match=leg.client_order_id):
        journal.commit([changing(replace(leg, attempt=2), replace(leg, state=OrderState.LIVE))])


def test_the_second_stands_by_until_the_lease_runs_out(journal: Journal, url: str) -> None:
    """While the first renews, it is told who leads; then it takes over with the next epoch."""
    with pytest.raises(JournalBusy, match=r"another runner .* leads"):
        open_on(url)
    execute(url, "UPDATE lease SET expires_at = 0")
    second = open_on(url)
    assert second.epoch == journal.epoch + 1
    with pytest.raises(CommitFailed, match="taken this journal over"):
        journal.commit([firing("k1")[0]])
    second.commit([firing("k1")[0]])
    second.close()


def test_a_clean_end_lets_the_next_lead_at_once(url: str) -> None:
    """Closing gives the lease back."""
    first = open_on(url)
    first.close()
    second = open_on(url)
    assert second.epoch == first.epoch + 1
    second.close()


def test_a_beat_renews_the_lease_on_the_server_s_clock(url: str) -> None:
    """Our own clock, an hour off, does not matter."""
    clock = [NOW]
    journal = open_on(url, lambda: clock[0])
    execute(url, "UPDATE lease SET expires_at = 1")
    clock[0] -= 3_600_000
    journal.beat()
    with pytest.raises(JournalBusy):
        open_on(url)
    journal.close()


def test_a_lost_connection_ends_the_lead(journal: Journal, url: str) -> None:
    """A server that went away is an error at the next commit, and no commit follows it."""
    execute(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'order-runner'",
    )
    with pytest.raises(JournalError, match="cannot be reached"):
        journal.commit([firing("k1")[0]])
    with pytest.raises(JournalError):
        journal.commit([firing("k1")[0]])


def test_the_inbox_is_taken_once_in_event_order(journal: Journal, url: str) -> None:
    """What a standby committed is found by the leader, and taken with what it led to."""
    elsewhere = connected(make_url(url))
    inbox = TableInbox(elsewhere)
    late = Received("b", "alert", {"n": Decimal("1.50")}, NOW, NOW + 5)
    early = Received("a", "alert", {"n": Decimal(2)}, NOW + 1, NOW + 2)
    inbox.put(late)
    inbox.put(early)
    elsewhere.close()
    assert journal.waiting() == [early, late]
    journal.commit([Decision(taken=[early])])
    assert journal.waiting() == [late]
    with pytest.raises(CommitFailed, match="taken out of the inbox before"):
        journal.commit([Decision(taken=[early])])


def test_a_server_that_would_lose_commits_is_refused(url: str) -> None:
    """fsync, full_page_writes and synchronous_commit must be on."""
    parts = make_url(url)
    execute(url, f"ALTER DATABASE {parts.database} SET synchronous_commit = off")
    with pytest.raises(JournalError, match="synchronous_commit at 'off'"):
        open_on(url)


def test_a_server_that_is_away_is_named_without_its_password() -> None:
    """One clear message, with the cure."""
    with pytest.raises(JournalError, match=r"cannot be reached .*runner\.yaml") as told:
        open_on("postgresql+psycopg://u:secret@127.0.0.1:1/none")
    assert "secret" not in str(told.value)


def test_another_namespace_is_refused(journal: Journal, url: str) -> None:
    """A journal belongs to one namespace."""
    journal.commit([Decision(records=[Record(NOW, "error", "x")])])
    journal.close()
    with pytest.raises(JournalError, match="belongs to the namespace"):
        Journal.open(url, "other", lambda: NOW)


def test_a_journal_of_the_second_schema_is_brought_up_to_date(url: str) -> None:
    """The steps run on the server as well: the outbox is there afterwards, and works."""
    open_on(url).close()
    execute(url, "DROP TABLE outbox")
    execute(url, "UPDATE meta SET value = '2' WHERE key = 'schema_version'")
    journal = open_on(url)
    assert journal.meta.schema_version == tables.SCHEMA_VERSION
    item = Outgoing("1-1", "phone", Notice(NOW, "critical", "look", "now"))
    journal.commit([Decision(outbox=[item])])
    assert journal.unsent() == [item]
    journal.commit([Decision(settled=[Settled("1-1", "phone", NOW)])])
    assert journal.unsent() == []
    journal.close()
