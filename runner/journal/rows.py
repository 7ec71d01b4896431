"""What is remembered to rows and back, without loss: pure conversions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Any

from runner.core.decision import (
    AlertRow,
    Attempt,
    AttemptOutcome,
    DeadManState,
    FillRow,
    Leg,
    Received,
    Record,
    RuleMemory,
    Run,
    RunStatus,
)
from runner.core.events import Fill
from runner.core.notice import Notice, Outgoing
from runner.core.orders import (
    AmendIntent,
    CancelIntent,
    Family,
    Identity,
    Intent,
    OrderIntent,
    OrderState,
    OrderType,
    Outcome,
    Setting,
    SettingIntent,
    Side,
    TimeInForce,
)
from runner.journal.canonical import decode, encode, encode_dataclass, encode_leniently, legible

Row = dict[str, Any]
"""Column names to what the database driver takes."""

_ENUMS: dict[str, type[Side | OrderType | TimeInForce | Family | Setting]] = {
    "setting": Setting,
    "side": Side,
    "type": OrderType,
    "time_in_force": TimeInForce,
    "family": Family,
}


def intent_text(intent: Intent) -> str:
    """An intent as JSON, its fields under their own names."""
    return encode_dataclass(intent)


def intent_of(text: str) -> Intent:
    """The intent that `intent_text` wrote."""
    values = decode(text)
    for name, kind in _ENUMS.items():
        if values.get(name) is not None:
            values[name] = kind(values[name])
    return _kind_of(values)(**values)


def _kind_of(values: Mapping[str, Any]) -> type[Intent]:
    """Only an order and its change have a side, and only the change has a target besides."""
    if "setting" in values:
        return SettingIntent
    if "side" in values:
        return AmendIntent if "target" in values else OrderIntent
    return CancelIntent


def run_row(run: Run) -> Row:
    """A run as a row of `runs`."""
    identity = run.identity
    return {
        "run_id": run.run_id,
        "namespace": identity.namespace,
        "account": identity.account,
        "rule_id": identity.rule_id,
        "trigger": identity.trigger,
        "symbol": identity.symbol,
        "event_key": identity.event_key,
        "rule_hash": run.rule_hash,
        "fields": encode(run.fields),
        "fired_at": run.fired_at,
        **run_change_row(run),
    }


def run_change_row(run: Run) -> Row:
    """The columns of `runs` that change while a run goes on."""
    return {
        "status": run.status.value,
        "step": run.step,
        "watching": encode(run.watching),
        "reason": legible(run.reason),
    }


def run_of(row: Mapping[str, Any]) -> Run:
    """The run that a row of `runs` holds."""
    identity = Identity(
        row["namespace"],
        row["account"],
        row["rule_id"],
        row["trigger"],
        row["symbol"],
        row["event_key"],
    )
    return Run(
        run_id=row["run_id"],
        identity=identity,
        rule_hash=row["rule_hash"],
        fields=decode(row["fields"]),
        fired_at=row["fired_at"],
        status=RunStatus(row["status"]),
        step=row["step"],
        watching=tuple(decode(row["watching"])),
        reason=row["reason"],
    )


def leg_row(leg: Leg) -> Row:
    """A leg as a row of `legs`."""
    return {
        "client_order_id": leg.client_order_id,
        "run_id": leg.run_id,
        "name": leg.name,
        "symbol": leg.intent.symbol,
        "intent": intent_text(leg.intent),
        "state": leg.state.value,
        "planned_at": leg.planned_at,
        "deadline": leg.deadline,
        "attempt": leg.attempt,
        "signed_time": leg.signed_time,
        "fence_time": leg.fence_time,
        "negatives": leg.negatives,
        "first_negative_time": leg.first_negative_time,
        "next_at": leg.next_at,
        "ask_first": leg.ask_first,
        "order_id": leg.order_id,
        "order_status": leg.order_status,
        "cumulative_quantity": str(leg.cumulative_quantity),
        "average_price": None if leg.average_price is None else str(leg.average_price),
        "code": leg.code,
        "message": legible(leg.message),
        "updated_at": leg.updated_at,
    }


def leg_of(row: Mapping[str, Any]) -> Leg:
    """The leg that a row of `legs` holds."""
    average = row["average_price"]
    return Leg(
        intent=intent_of(row["intent"]),
        run_id=row["run_id"],
        name=row["name"],
        state=OrderState(row["state"]),
        planned_at=row["planned_at"],
        deadline=row["deadline"],
        attempt=row["attempt"],
        signed_time=row["signed_time"],
        fence_time=row["fence_time"],
        negatives=row["negatives"],
        first_negative_time=row["first_negative_time"],
        next_at=row["next_at"],
        ask_first=row["ask_first"],
        order_id=row["order_id"],
        order_status=row["order_status"],
        cumulative_quantity=Decimal(row["cumulative_quantity"]),
        average_price=None if average is None else Decimal(average),
        code=row["code"],
        message=row["message"],
        updated_at=row["updated_at"],
    )


def attempt_row(attempt: Attempt) -> Row:
    """An attempt as a row of `attempts`, its outcome still open."""
    return {
        "client_order_id": attempt.client_order_id,
        "attempt": attempt.attempt,
        "request_id": attempt.request_id,
        "timestamp": attempt.timestamp,
        "recv_window": attempt.recv_window,
        "payload_sha256": attempt.payload_sha256,
        "signed_at": attempt.signed_at,
    }


def attempt_of(row: Mapping[str, Any]) -> Attempt:
    """The attempt that a row of `attempts` holds."""
    return Attempt(**{field.name: row[field.name] for field in fields(Attempt)})


def outcome_row(outcome: AttemptOutcome) -> Row:
    """The columns of `attempts` that an answer fills in."""
    return {
        "client_order_id": outcome.client_order_id,
        "attempt": outcome.attempt,
        "outcome": outcome.outcome.value,
        "code": outcome.code,
        "message": legible(outcome.message),
        "answered_at": outcome.answered_at,
    }


def outcome_of(row: Mapping[str, Any]) -> AttemptOutcome | None:
    """The outcome that a row of `attempts` holds; None while there is none."""
    if row["outcome"] is None:
        return None
    return AttemptOutcome(
        client_order_id=row["client_order_id"],
        attempt=row["attempt"],
        outcome=Outcome(row["outcome"]),
        code=row["code"],
        message=row["message"],
        answered_at=row["answered_at"],
    )


def fill_row(row: FillRow) -> Row:
    """A fill as a row of `fills`."""
    fill = row.fill
    return {
        "symbol": row.symbol,
        "trade_id": fill.trade_id,
        "client_order_id": row.client_order_id,
        "price": str(fill.price),
        "quantity": str(fill.quantity),
        "commission": str(fill.commission),
        "commission_asset": fill.commission_asset,
        "realised_pnl": str(fill.realised_pnl),
        "event_time": fill.event_time,
    }


def fill_of(row: Mapping[str, Any]) -> FillRow:
    """The fill that a row of `fills` holds."""
    fill = Fill(
        trade_id=row["trade_id"],
        price=Decimal(row["price"]),
        quantity=Decimal(row["quantity"]),
        commission=Decimal(row["commission"]),
        commission_asset=row["commission_asset"],
        realised_pnl=Decimal(row["realised_pnl"]),
        event_time=row["event_time"],
    )
    return FillRow(row["client_order_id"], row["symbol"], fill)


def memory_row(key: tuple[str, str], memory: RuleMemory) -> Row:
    """A rule's memory under (rule id, symbol) as a row of `memories`."""
    return {
        "rule_id": key[0],
        "symbol": key[1],
        "last_fired_at": memory.last_fired_at,
        "fires": memory.fires,
        "fires_today": memory.fires_today,
        "day": memory.day,
        "enabled": memory.enabled,
        "triggers": encode(memory.triggers),
    }


def memory_of(row: Mapping[str, Any]) -> tuple[tuple[str, str], RuleMemory]:
    """The key (rule id, symbol) and the memory that a row of `memories` holds."""
    memory = RuleMemory(
        last_fired_at=row["last_fired_at"],
        fires=row["fires"],
        fires_today=row["fires_today"],
        day=row["day"],
        enabled=row["enabled"],
        triggers=decode(row["triggers"]),
    )
    return (row["rule_id"], row["symbol"]), memory


def dead_man_row(state: DeadManState) -> Row:
    """A symbol's countdown as a row of `dead_men`."""
    return {field.name: getattr(state, field.name) for field in fields(DeadManState)}


def dead_man_of(row: Mapping[str, Any]) -> DeadManState:
    """The countdown that a row of `dead_men` holds."""
    return DeadManState(**{field.name: row[field.name] for field in fields(DeadManState)})


def alert_row(alert: AlertRow) -> Row:
    """An acknowledged alert as a row of `alerts`."""
    return {
        "path": alert.path,
        "body_hash": alert.body_hash,
        "fields": encode(alert.fields),
        "received_at": alert.received_at,
        "event_time": alert.event_time,
        "outcome": legible(alert.outcome),
    }


def alert_of(row: Mapping[str, Any]) -> AlertRow:
    """The alert that a row of `alerts` holds."""
    return AlertRow(
        path=row["path"],
        body_hash=row["body_hash"],
        fields=decode(row["fields"]),
        received_at=row["received_at"],
        event_time=row["event_time"],
        outcome=row["outcome"],
    )


def received_row(item: Received) -> Row:
    """What waits in the inbox as a row of `inbox`."""
    return {
        "key": item.key,
        "kind": item.kind,
        "data": encode(item.data),
        "received_at": item.received_at,
        "event_time": item.event_time,
        "taken_at": None,
    }


def received_of(row: Mapping[str, Any]) -> Received:
    """What a row of `inbox` holds."""
    values = {field.name: row[field.name] for field in fields(Received)}
    return Received(**{**values, "data": decode(row["data"])})


def outgoing_row(item: Outgoing) -> Row:
    """A notice that must reach its target as a row of `outbox`."""
    notice = item.notice
    return {
        "key": item.key,
        "target": item.target,
        "kind": notice.kind,
        "title": legible(notice.title),
        "body": legible(notice.body),
        "at": notice.at,
    }


def outgoing_of(row: Mapping[str, Any]) -> Outgoing:
    """The notice that a row of `outbox` holds."""
    notice = Notice(row["at"], row["kind"], row["title"], row["body"])
    return Outgoing(row["key"], row["target"], notice)


def record_row(record: Record) -> Row:
    """One line of the log as a row of `records`."""
    return {
        "at": record.at,
        "kind": record.kind,
        "text": legible(record.text),
        "rule_id": record.rule_id,
        "symbol": record.symbol,
        "run_id": record.run_id,
        "client_order_id": record.client_order_id,
        "reason": legible(record.reason),
        "data": encode_leniently(record.data) if record.data else "{}",
    }


def record_of(row: Mapping[str, Any]) -> Record:
    """The line of the log that a row of `records` holds."""
    values = {field.name: row[field.name] for field in fields(Record)}
    return Record(**{**values, "data": decode(row["data"])})
