"""What the journal's tests remember: plain examples, and Hypothesis strategies for any value."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar, cast

from hypothesis import strategies as st

from runner.core.decision import (
    AlertRow,
    Attempt,
    AttemptOutcome,
    DeadManState,
    Decision,
    FillRow,
    Leg,
    LegChange,
    Record,
    RuleMemory,
    Run,
    RunStatus,
)
from runner.core.events import Fill
from runner.core.orders import (
    CancelIntent,
    Family,
    Identity,
    OrderIntent,
    OrderState,
    OrderType,
    Outcome,
    Side,
    TimeInForce,
)
from runner.journal import Journal

NOW = 1_780_000_000_000
NAMESPACE = "main"

T = TypeVar("T")


def open_journal(
    folder: Path,
    *,
    namespace: str = NAMESPACE,
    now: Callable[[], int] = lambda: NOW,
    on_commit: Callable[[str], None] | None = None,
    wal_bytes: int = 0,
) -> Journal:
    """The folder's journal, with a clock that stands still."""
    return Journal.open(
        folder / "journal.db", namespace, now, on_commit=on_commit, wal_bytes=wal_bytes, reserve=0
    )


def run_of(key: str, rule_id: str = "buy-dip") -> Run:
    """A run of one event."""
    identity = Identity(NAMESPACE, "demo", rule_id, "0", "BTCUSDT", key)
    return Run(identity.run_id(), identity, "hash-1", {"price": Decimal("70010.50")}, NOW)


def leg_of(run: Run, name: str = "0.1", **changes: Any) -> Leg:
    """A planned limit order of a run."""
    intent = OrderIntent(
        client_order_id=run.identity.client_order_id(name),
        symbol=run.identity.symbol,
        side=Side.BUY,
        type=OrderType.LIMIT,
        quantity=Decimal("0.010"),
        price=Decimal("70000.0"),
        time_in_force=TimeInForce.GTC,
    )
    leg = Leg(intent, run.run_id, name, OrderState.PLANNED, planned_at=NOW)
    return replace(leg, **changes)


def attempt_of(leg: Leg, attempt: int = 1) -> Attempt:
    """A signed request for a leg."""
    return Attempt(leg.client_order_id, attempt, f"r{attempt}", NOW, 5000, "ab" * 32, NOW)


def sending(leg: Leg) -> Leg:
    """The leg with its first request signed."""
    return replace(leg, state=OrderState.SENDING, attempt=leg.attempt + 1, signed_time=NOW)


def firing(key: str, legs: int = 1) -> tuple[Decision, Run, list[Leg]]:
    """A decision that fires, plans and signs, as one alert leads to."""
    run = run_of(key)
    signed = [sending(leg_of(run, f"0.{index + 1}")) for index in range(legs)]
    decision = Decision(
        records=[Record(NOW, "fired", "buy-dip fired", "buy-dip", "BTCUSDT", run.run_id)],
        new_runs=[run],
        attempts=[attempt_of(leg) for leg in signed],
    )
    for leg in signed:
        decision.change_leg(None, leg)
    return decision, run, signed


def changing(before: Leg | None, after: Leg) -> Decision:
    """A decision that changes one leg."""
    return Decision(legs={after.client_order_id: LegChange(before, after)})


# any value ---------------------------------------------------------------------------------

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
ANY_TEXT = st.text(st.characters(), max_size=12)
TIMES = st.integers(0, 2**53)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False)
VALUES = st.one_of(DECIMALS, st.booleans(), ANY_TEXT)
KEYS = st.one_of(st.sampled_from(["d", "m"]), ANY_TEXT)
FIELDS = st.dictionaries(KEYS, VALUES, max_size=4)
NESTED: st.SearchStrategy[Any] = st.recursive(
    st.one_of(VALUES, st.none(), st.integers()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)


def _whole(kind: type[T], /, **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[T]:
    """Any value of a dataclass; every field must be named, so that a new one is not forgotten."""
    names = {field.name for field in fields(cast("Any", kind))}
    assert names == set(parts), f"{kind.__name__}: {names ^ set(parts)}"
    return st.builds(kind, **parts)


def _optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


ORDER_INTENTS = _whole(
    OrderIntent,
    client_order_id=WORDS,
    symbol=WORDS,
    side=st.sampled_from(Side),
    type=st.sampled_from(OrderType),
    time_in_force=_optional(st.sampled_from(TimeInForce)),
    reduce_only=st.booleans(),
    close_position=st.booleans(),
    price_protect=st.booleans(),
    quantity=_optional(DECIMALS),
    price=_optional(DECIMALS),
    trigger_price=_optional(DECIMALS),
    position_side=WORDS,
    working_type=_optional(WORDS),
    activation_price=_optional(DECIMALS),
    callback_rate=_optional(DECIMALS),
    good_till_time=_optional(TIMES),
    price_match=_optional(WORDS),
    self_trade_prevention=_optional(WORDS),
    tag=WORDS,
    hold_unknown=st.booleans(),
    unfenced=st.booleans(),
)
CANCEL_INTENTS = _whole(
    CancelIntent,
    client_order_id=WORDS,
    symbol=WORDS,
    family=st.sampled_from(Family),
    target=_optional(WORDS),
)
IDENTITIES = st.builds(Identity, *[WORDS] * 6)
RUNS = _whole(
    Run,
    run_id=WORDS,
    identity=IDENTITIES,
    rule_hash=WORDS,
    fields=FIELDS,
    fired_at=TIMES,
    status=st.sampled_from(RunStatus),
    step=st.integers(0, 9),
    watching=st.lists(st.integers(0, 9), max_size=3).map(tuple),
    reason=WORDS,
)
LEGS = _whole(
    Leg,
    intent=ORDER_INTENTS | CANCEL_INTENTS,
    run_id=WORDS,
    name=WORDS,
    state=st.sampled_from(OrderState),
    planned_at=TIMES,
    deadline=_optional(TIMES),
    attempt=st.integers(0, 9),
    signed_time=_optional(TIMES),
    fence_time=_optional(TIMES),
    negatives=st.integers(0, 9),
    first_negative_time=_optional(TIMES),
    next_at=_optional(TIMES),
    ask_first=st.booleans(),
    order_id=_optional(WORDS),
    order_status=_optional(WORDS),
    cumulative_quantity=DECIMALS,
    average_price=_optional(DECIMALS),
    code=_optional(st.integers(-99999, 99999)),
    message=WORDS,
    updated_at=TIMES,
)
ATTEMPTS = _whole(
    Attempt,
    client_order_id=WORDS,
    attempt=st.integers(0, 9),
    request_id=WORDS,
    timestamp=TIMES,
    recv_window=st.integers(0, 60_000),
    payload_sha256=WORDS,
    signed_at=TIMES,
)
OUTCOMES = _whole(
    AttemptOutcome,
    client_order_id=WORDS,
    attempt=st.integers(0, 9),
    outcome=st.sampled_from(Outcome),
    code=_optional(st.integers(-99999, 99999)),
    message=WORDS,
    answered_at=TIMES,
)
FILLS = _whole(
    FillRow,
    client_order_id=WORDS,
    symbol=WORDS,
    fill=_whole(
        Fill,
        trade_id=WORDS,
        price=DECIMALS,
        quantity=DECIMALS,
        commission=DECIMALS,
        commission_asset=WORDS,
        realised_pnl=DECIMALS,
        event_time=TIMES,
    ),
)
ALERTS = _whole(
    AlertRow,
    path=WORDS,
    body_hash=WORDS,
    fields=FIELDS,
    received_at=TIMES,
    event_time=_optional(TIMES),
    outcome=WORDS,
)
DEAD_MEN = _whole(
    DeadManState,
    symbol=WORDS,
    countdown=st.integers(0, 600_000),
    confirmed_time=TIMES,
    expired=st.booleans(),
    late_told=st.booleans(),
    expired_since=_optional(TIMES),
)
MEMORIES = _whole(
    RuleMemory,
    last_fired_at=_optional(TIMES),
    fires=st.integers(0, 99),
    fires_today=st.integers(0, 99),
    day=st.integers(0, 99_999),
    enabled=_optional(st.booleans()),
    triggers=st.dictionaries(KEYS, st.dictionaries(KEYS, NESTED, max_size=3), max_size=2),
)
RECORDS = _whole(
    Record,
    at=TIMES,
    kind=WORDS,
    text=WORDS,
    rule_id=WORDS,
    symbol=WORDS,
    run_id=WORDS,
    client_order_id=WORDS,
    reason=WORDS,
    data=st.dictionaries(KEYS, NESTED, max_size=3),
)


def count(folder: Path, table: str) -> int:
    """How many rows the file holds, by another connection."""
    connection = sqlite3.connect(folder / "journal.db")
    try:
        found: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - our own word
        return found
    finally:
        connection.close()
