"""The journal's tables, in types that SQLite and PostgreSQL share.

Times are UTC epoch milliseconds, amounts decimal text, everything nested is canonical JSON.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
)

from runner.core.decision import FINAL, RunStatus
from runner.core.orders import OrderState

SCHEMA_VERSION: Final = 3
"""Of migrations/versions; 1 was the first."""

LEADER: Final = "leader"
"""The name of the one row of `lease`."""

LEASE_TTL: Final = 8_000
"""Ms after which a lease that nobody renewed is free, on the database's clock."""

DATABASE_NOW: Final[ColumnElement[int]] = literal_column(
    "(extract(epoch from clock_timestamp()) * 1000)::bigint"
)
"""PostgreSQL's clock in ms, read while the statement runs, not at the transaction's begin."""

metadata = MetaData()

# The order of writing, which is also that of time. SQLite numbers rows by itself only when the
# key's type is spelled INTEGER; no number is used again while the newest row is never deleted.
Sequence = BigInteger().with_variant(Integer(), "sqlite")

meta = Table(
    "meta",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
)

lease = Table(
    "lease",
    metadata,
    Column("name", String, primary_key=True),
    Column("holder", String, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("taken_at", BigInteger, nullable=False),
    Column("alive_at", BigInteger, nullable=False),
    # by the database's own clock; NULL where a lock on a file tells who leads
    Column("expires_at", BigInteger),
)

inbox = Table(
    "inbox",
    metadata,
    Column("seq", Sequence, primary_key=True),
    Column("key", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("data", Text, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("event_time", BigInteger),
    Column("taken_at", BigInteger),
    UniqueConstraint("key", name="inbox_key"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", Sequence, primary_key=True),
    Column("key", String, nullable=False),
    Column("target", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("settled_at", BigInteger),
    Column("trouble", Text),
    UniqueConstraint("key", "target", name="outbox_key"),
)

rule_texts = Table(
    "rule_texts",
    metadata,
    Column("hash", String, primary_key=True),
    Column("text", Text, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("seq", Sequence, primary_key=True),
    Column("run_id", String, nullable=False, unique=True),
    Column("namespace", String, nullable=False),
    Column("account", String, nullable=False),
    Column("rule_id", String, nullable=False),
    Column("trigger", String, nullable=False),
    Column("symbol", String, nullable=False),
    Column("event_key", String, nullable=False),
    Column("rule_hash", String, nullable=False),
    Column("fields", Text, nullable=False),
    Column("fired_at", BigInteger, nullable=False),
    Column("status", String, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("watching", Text, nullable=False),
    Column("reason", Text, nullable=False),
    # G1: one event of one rule fires once
    UniqueConstraint("rule_id", "trigger", "symbol", "event_key", name="runs_identity"),
)

legs = Table(
    "legs",
    metadata,
    Column("seq", Sequence, primary_key=True),
    Column("client_order_id", String, nullable=False, unique=True),
    Column("run_id", String, ForeignKey("runs.run_id"), nullable=False),
    Column("name", String, nullable=False),
    Column("symbol", String, nullable=False),
    Column("intent", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("planned_at", BigInteger, nullable=False),
    Column("deadline", BigInteger),
    Column("attempt", BigInteger, nullable=False),
    Column("signed_time", BigInteger),
    Column("fence_time", BigInteger),
    Column("negatives", BigInteger, nullable=False),
    Column("first_negative_time", BigInteger),
    Column("next_at", BigInteger),
    Column("ask_first", Boolean, nullable=False),
    Column("order_id", String),
    Column("order_status", String),
    Column("cumulative_quantity", String, nullable=False),
    Column("average_price", String),
    Column("code", BigInteger),
    Column("message", Text, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    UniqueConstraint("run_id", "name", name="legs_of_run"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("client_order_id", String, ForeignKey("legs.client_order_id"), primary_key=True),
    Column("attempt", BigInteger, primary_key=True, autoincrement=False),
    Column("request_id", String, nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    Column("recv_window", BigInteger, nullable=False),
    Column("payload_sha256", String, nullable=False),
    Column("signed_at", BigInteger, nullable=False),
    Column("outcome", String),
    Column("code", BigInteger),
    Column("message", Text),
    Column("answered_at", BigInteger),
)

fills = Table(
    "fills",
    metadata,
    Column("symbol", String, primary_key=True),
    Column("trade_id", String, primary_key=True),
    Column("client_order_id", String, ForeignKey("legs.client_order_id"), nullable=False),
    Column("price", String, nullable=False),
    Column("quantity", String, nullable=False),
    Column("commission", String, nullable=False),
    Column("commission_asset", String, nullable=False),
    Column("realised_pnl", String, nullable=False),
    Column("event_time", BigInteger, nullable=False),
)

memories = Table(
    "memories",
    metadata,
    Column("rule_id", String, primary_key=True),
    Column("symbol", String, primary_key=True),
    Column("last_fired_at", BigInteger),
    Column("fires", BigInteger, nullable=False),
    Column("fires_today", BigInteger, nullable=False),
    Column("day", BigInteger, nullable=False),
    Column("enabled", Boolean),
    Column("triggers", Text, nullable=False),
)

dead_men = Table(
    "dead_men",
    metadata,
    Column("symbol", String, primary_key=True),
    Column("countdown", BigInteger, nullable=False),
    Column("confirmed_time", BigInteger, nullable=False),
    Column("expired", Boolean, nullable=False),
    Column("late_told", Boolean, nullable=False),
    Column("expired_since", BigInteger),
)

alerts = Table(
    "alerts",
    metadata,
    Column("seq", Sequence, primary_key=True),
    Column("path", String, nullable=False),
    Column("body_hash", String, nullable=False),
    Column("fields", Text, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("event_time", BigInteger),
    Column("outcome", Text, nullable=False),
)

records = Table(
    "records",
    metadata,
    Column("seq", Sequence, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("kind", String, nullable=False),
    Column("text", Text, nullable=False),
    Column("rule_id", String, nullable=False),
    Column("symbol", String, nullable=False),
    Column("run_id", String, nullable=False),
    Column("client_order_id", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("data", Text, nullable=False),
)


def _among(column: Column[str], values: list[str]) -> ColumnElement[bool]:
    # literals: a partial index serves only a query that spells its condition alike
    return column.in_([literal_column(f"'{value}'") for value in sorted(values)])


OPEN_LEG: Final = _among(legs.c.state, [state.value for state in OrderState if state not in FINAL])
NOT_SENT: Final = _among(legs.c.state, [OrderState.PLANNED.value, OrderState.LAPSED.value])
RUNNING_RUN: Final = _among(runs.c.status, [RunStatus.RUNNING.value])
HAS_RULE: Final = records.c.rule_id != literal_column("''")
WAITING: Final = inbox.c.taken_at.is_(None)
UNSENT: Final = outbox.c.settled_at.is_(None)
LOOKED: Final = (records.c.kind == "command") & records.c.text.startswith("looked at ")
"""Records that answer who only asked what the runner sees."""

HAS_RUN: Final = records.c.run_id != literal_column("''")


def _partial(
    name: str, condition: ColumnElement[bool], *columns: Column[int] | Column[str]
) -> None:
    Index(name, *columns, sqlite_where=condition)


_partial("legs_open", OPEN_LEG, legs.c.seq)
_partial("runs_running", RUNNING_RUN, runs.c.seq)
_partial("records_by_rule", HAS_RULE, records.c.rule_id)
_partial("records_by_run", HAS_RUN, records.c.run_id)
_partial("inbox_waiting", WAITING, inbox.c.seq)
_partial("outbox_unsent", UNSENT, outbox.c.seq)
Index("fills_of_leg", fills.c.client_order_id)


def for_postgresql() -> None:
    """Make the partial indexes partial there, too; before, not even its dialect is loaded."""
    for table in metadata.sorted_tables:
        for index in table.indexes:
            condition = index.dialect_options["sqlite"]["where"]
            index.dialect_options["postgresql"]["where"] = condition
