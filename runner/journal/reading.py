"""The journal for everyone else: read-only, beside a running daemon or after it, as plain data.

Every answer is made of what JSON knows: amounts are text, times are UTC milliseconds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, func, not_, select
from sqlalchemy.exc import DBAPIError

from runner.core.orders import AmendIntent, CancelIntent, OrderIntent, SettingIntent
from runner.errors import JournalError
from runner.journal import checking, schema, tables
from runner.journal.canonical import decode, plain
from runner.journal.database import ReadOnly
from runner.journal.opening import read_only
from runner.journal.rows import intent_of
from runner.journal.tallies import Tally, tally

Plain = dict[str, Any]
"""One row as JSON shows it."""

_MANY: Final = 500
_KINDS: Final[Mapping[type, str]] = {
    OrderIntent: "order",
    CancelIntent: "cancel",
    AmendIntent: "change",
    SettingIntent: "setting",
}


class JournalReader:
    """Reads a journal on a connection of its own that cannot write; one per thread."""

    def __init__(
        self, connection: Connection, name: str, meta: schema.Meta, source: ReadOnly
    ) -> None:
        """Use `JournalReader.open`."""
        self.name: Final = name
        """Its path, or its URL without the password."""
        self._connection = connection
        self._meta = meta
        self._source = source

    @classmethod
    def open(cls, address: str | Path, *, older: bool = False) -> JournalReader:
        """Open a journal, a file or a URL, for reading; `older`: only to copy it, as it is.

        Raises JournalError when it is missing, no journal, or of another schema.
        """
        source = read_only(address)
        connection = source.connection
        try:
            meta = schema.read_meta(connection, source.name)
            if meta.schema_version < tables.SCHEMA_VERSION and not older:
                raise JournalError(
                    f"{source.name} was written by an older runner (schema "
                    f"{meta.schema_version}): start this one once with runner run, it brings "
                    "the journal up to date"
                )
            return cls(connection, source.name, meta, source)
        except DBAPIError as error:
            connection.close()
            raise schema.foreign(source.name) from error
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Stop reading; may be called twice."""
        self._connection.close()
        self._connection.engine.dispose()

    def __enter__(self) -> JournalReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def export(self) -> Iterator[tuple[str, Plain]]:
        """Every row of every table with the table's name, the oldest first, as at one moment."""
        with self._snapshot():
            for table in tables.metadata.sorted_tables:
                ordered = select(table).order_by(*table.primary_key.columns)
                for row in self._connection.execute(ordered).mappings():
                    yield table.name, dict(row)

    def problems(self) -> list[str]:
        """What a look at the whole journal finds wrong; empty when it is sound."""
        with self._snapshot():
            return [*self._source.problems(), *checking.problems(self._connection)]

    def back_up(self, to: Path) -> None:
        """Write a copy of the journal as of now. Raises JournalError."""
        try:
            self._source.back_up(to)
        except DBAPIError as error:
            raise self._source.explain(error) from error

    @property
    def namespace(self) -> str:
        """Whose orders it remembers."""
        return self._meta.namespace

    def meta(self) -> Plain:
        """schema_version, namespace, journal_id, created_at, and of the lease: holder, epoch,
        taken_at, alive_at (when the runner last wrote; None for never).
        """
        lease = self._rows(select(tables.lease).where(tables.lease.c.name == tables.LEADER))
        facts = {name: getattr(self._meta, name) for name in schema.Meta.__slots__}
        facts |= {key: value for row in lease for key, value in row.items() if key != "name"}
        return facts | {"alive_at": facts.get("alive_at") or None}

    def records(
        self,
        after: int | None = None,
        limit: int | None = None,
        rule_id: str | None = None,
        run_id: str | None = None,
        kinds: Collection[str] | None = None,
        symbol: str | None = None,
    ) -> list[Plain]:
        """The log, oldest first: seq and the fields of `Record`.

        `limit` keeps the newest, or with `after` (a seq) the first ones behind it.
        """
        table = tables.records
        statement = select(table)
        if rule_id is not None:
            statement = statement.where(tables.HAS_RULE, table.c.rule_id == rule_id)
        if run_id is not None:
            statement = statement.where(tables.HAS_RUN, table.c.run_id == run_id)
        if kinds is not None:
            statement = statement.where(table.c.kind.in_(sorted(kinds)))
        if symbol is not None:
            statement = statement.where(table.c.symbol == symbol)
        found = self._page(statement, table.c.seq, after, limit)
        return [row | {"data": plain(decode(row["data"]))} for row in found]

    def history(
        self,
        before: int | None = None,
        limit: int = 50,
        *,
        rule_id: str | None = None,
        symbol: str | None = None,
        reason: str | None = None,
        kinds: Collection[str] | None = None,
        since: int | None = None,
        until: int | None = None,
        looks: bool = True,
    ) -> list[Plain]:
        """A page of the log, newest first: what stands below the seq `before`, as `records`.

        `since` and `until` (ms) bound its time, both included. Without `looks` the commands that
        only asked what the runner sees are left out: an open dashboard gives many.
        """
        table = tables.records
        statement = select(table).order_by(table.c.seq.desc()).limit(limit)
        equal = {"rule_id": rule_id, "symbol": symbol, "reason": reason}
        for name, value in equal.items():
            if value is not None:
                statement = statement.where(table.c[name] == value)
        if rule_id is not None:
            statement = statement.where(tables.HAS_RULE)
        if kinds is not None:
            statement = statement.where(table.c.kind.in_(sorted(kinds)))
        if not looks:
            statement = statement.where(not_(tables.LOOKED))
        for bound in (
            None if before is None else table.c.seq < before,
            None if since is None else table.c.at >= since,
            None if until is None else table.c.at <= until,
        ):
            statement = statement if bound is None else statement.where(bound)
        return [row | {"data": plain(decode(row["data"]))} for row in self._rows(statement)]

    def steps(self, run_ids: Collection[str]) -> Mapping[str, list[Plain]]:
        """The log of each of these runs, oldest first; at most 500 runs at once."""
        table = tables.records
        statement = select(table).where(tables.HAS_RUN, table.c.run_id.in_(sorted(run_ids)))
        found: defaultdict[str, list[Plain]] = defaultdict(list)
        for row in self._rows(statement.order_by(table.c.seq)):
            found[row["run_id"]].append(row | {"data": plain(decode(row["data"]))})
        return found

    def newest_seq(self) -> int:
        """The seq of the newest record; 0 when there is none: whoever watches asks this."""
        statement = select(func.max(tables.records.c.seq).label("seq"))
        return int(self._rows(statement)[0]["seq"] or 0)

    def alerts(
        self, after: int | None = None, limit: int | None = None, path: str | None = None
    ) -> list[Plain]:
        """Acknowledged alerts, oldest first: seq and the fields of `AlertRow`; as `records`."""
        statement = select(tables.alerts)
        if path is not None:
            statement = statement.where(tables.alerts.c.path == path)
        found = self._page(statement, tables.alerts.c.seq, after, limit)
        return [row | {"fields": plain(decode(row["fields"]))} for row in found]

    def runs(
        self,
        rule_id: str | None = None,
        status: str | None = None,
        symbol: str | None = None,
        limit: int | None = None,
        *,
        troubled: bool = False,
    ) -> list[Plain]:
        """The firings, oldest first; `limit` keeps the newest, `troubled` those with a reason.

        Keys: run_id, namespace, account, rule_id, trigger, symbol, event_key, rule_hash, fields,
        fired_at, status, step, watching, reason.
        """
        table = tables.runs
        statement = select(table)
        wanted = {"rule_id": rule_id, "status": status, "symbol": symbol}
        for name, value in wanted.items():
            if value is not None:
                statement = statement.where(table.c[name] == value)
        if troubled:
            statement = statement.where(table.c.reason != "")
        return [_plain_run(row) for row in self._newest(statement, table.c.seq, limit)]

    def run(self, run_id: str) -> Plain | None:
        """One firing with `rule_text` (the rule as it was) and `orders`; None if unknown."""
        table = tables.runs
        texts = tables.rule_texts
        joined = table.outerjoin(texts, texts.c.hash == table.c.rule_hash)
        statement = select(table, texts.c.text.label("rule_text")).select_from(joined)
        with self._snapshot():
            found = self._rows(statement.where(table.c.run_id == run_id))
            if not found:
                return None
            return _plain_run(found[0]) | {"orders": self._orders(_order_rows(run_id=run_id))}

    def orders(
        self,
        state: str | Collection[str] | None = None,
        symbol: str | None = None,
        run_id: str | None = None,
        limit: int | None = None,
        rule_id: str | None = None,
    ) -> list[Plain]:
        """Orders and cancels, oldest first; `limit` keeps the newest.

        Keys: client_order_id, kind (order, cancel, change or setting), run_id, rule_id,
        account, trigger, fired_at, leg, what the intent says (symbol, side, type, quantity, price,
        trigger_price, time_in_force, reduce_only, close_position, position_side, working_type,
        price_protect, activation_price, callback_rate, good_till_time; of a cancel target), family,
        state, order_id, order_status, cumulative_quantity, average_price, attempt, code, message,
        planned_at, deadline, signed_time, fence_time, negatives, first_negative_time, next_at,
        ask_first, updated_at, `attempts` and `fills`. Amounts are text, absent ones null.
        """
        states = [state] if isinstance(state, str) else state
        with self._snapshot():
            return self._orders(_order_rows(states, symbol, run_id, rule_id), limit)

    def fills(self, client_order_id: str | None = None, limit: int | None = None) -> list[Plain]:
        """Fills, oldest first: client_order_id, symbol, trade_id, price, quantity, commission,
        commission_asset, realised_pnl, event_time; `limit` keeps the newest.
        """
        table = tables.fills
        statement = select(table)
        if client_order_id is not None:
            statement = statement.where(table.c.client_order_id == client_order_id)
        return self._newest(statement, table.c.event_time, limit)

    def tally(self, since: int, until: int) -> Tally:
        """What happened after `since` and not after `until` (UTC ms), added up."""
        with self._snapshot():
            return tally(self._rows, since, until)

    def dead_men(self) -> list[Plain]:
        """Each symbol's countdown: the fields of `DeadManState`."""
        return self._rows(select(tables.dead_men).order_by(tables.dead_men.c.symbol))

    def memories(self) -> list[Plain]:
        """What each rule keeps of each symbol: rule_id, symbol and the fields of `RuleMemory`."""
        table = tables.memories
        found = self._rows(select(table).order_by(table.c.rule_id, table.c.symbol))
        return [row | {"triggers": plain(decode(row["triggers"]))} for row in found]

    def rule_texts(self) -> list[str]:
        """The text of every rule that ever fired, as it was then."""
        return [row["text"] for row in self._rows(select(tables.rule_texts.c.text))]

    def rule_text(self, rule_hash: str) -> str | None:
        """A rule's text as it was when it had this hash."""
        table = tables.rule_texts
        found = self._rows(select(table.c.text).where(table.c.hash == rule_hash))
        return str(found[0]["text"]) if found else None

    def _orders(self, statement: Select[Any], limit: int | None = None) -> list[Plain]:
        found = self._newest(statement, tables.legs.c.seq, limit)
        ids = [row["client_order_id"] for row in found]
        attempts = self._children(tables.attempts, tables.attempts.c.attempt, ids)
        fills = self._children(tables.fills, tables.fills.c.event_time, ids)
        return [
            _plain_order(row)
            | {
                "attempts": attempts[row["client_order_id"]],
                "fills": fills[row["client_order_id"]],
            }
            for row in found
        ]

    def _children(
        self, table: Any, order: ColumnElement[int], ids: Sequence[str]
    ) -> Mapping[str, list[Plain]]:
        children: defaultdict[str, list[Plain]] = defaultdict(list)
        for start in range(0, len(ids), _MANY):
            some = ids[start : start + _MANY]
            statement = select(table).where(table.c.client_order_id.in_(some)).order_by(order)
            for row in self._rows(statement):
                children[row.pop("client_order_id")].append(row)
        return children

    def _page(
        self,
        statement: Select[Any],
        seq: ColumnElement[int],
        after: int | None,
        limit: int | None,
    ) -> list[Plain]:
        if after is None:
            return self._newest(statement, seq, limit)
        return self._rows(statement.where(seq > after).order_by(seq).limit(limit))

    def _newest(
        self, statement: Select[Any], order: ColumnElement[int], limit: int | None
    ) -> list[Plain]:
        found = self._rows(statement.order_by(order.desc()).limit(limit))
        found.reverse()
        return found

    def _rows(self, statement: Select[Any]) -> list[Plain]:
        try:
            return [dict(row) for row in self._connection.execute(statement).mappings()]
        except DBAPIError as error:
            raise self._source.explain(error) from error

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """Several selects see the journal at one moment."""
        self._connection.exec_driver_sql(self._source.begin)
        try:
            yield
        finally:
            if self._source.in_transaction():
                self._connection.exec_driver_sql("ROLLBACK")


def _order_rows(
    states: Collection[str] | None = None,
    symbol: str | None = None,
    run_id: str | None = None,
    rule_id: str | None = None,
) -> Select[Any]:
    legs, runs = tables.legs, tables.runs
    of_run = (runs.c.rule_id, runs.c.account, runs.c.trigger, runs.c.fired_at)
    statement = select(legs, *of_run).join(runs, runs.c.run_id == legs.c.run_id)
    if states is not None:
        statement = statement.where(legs.c.state.in_(sorted(states)))
    if symbol is not None:
        statement = statement.where(legs.c.symbol == symbol)
    if run_id is not None:
        statement = statement.where(legs.c.run_id == run_id)
    if rule_id is not None:
        statement = statement.where(runs.c.rule_id == rule_id)
    return statement


def _plain_run(row: Plain) -> Plain:
    told = {key: value for key, value in row.items() if key != "seq"}
    return told | {"fields": plain(decode(row["fields"])), "watching": decode(row["watching"])}


def _plain_order(row: Plain) -> Plain:
    rest = {key: value for key, value in row.items() if key != "seq"}
    intent = intent_of(rest.pop("intent"))
    kind = _KINDS[type(intent)]
    said = {name: plain(getattr(intent, name)) for name in type(intent).__slots__}
    return {
        "client_order_id": rest.pop("client_order_id"),
        "kind": kind,
        "leg": rest.pop("name"),
        **said,
        "family": intent.family.value,
        **rest,
    }
