"""Client order ids, what only lowers risk, families and lanes."""

from __future__ import annotations

import re
from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.orders import (
    ORDER_STATUS,
    CancelCall,
    DeadManCall,
    Family,
    Identity,
    OrderState,
    OrderType,
    PlaceCall,
    ProbeCall,
    ReadCall,
    Side,
    TimeCall,
    lane_of,
)
from tests.core.factories import SYMBOL, cancel, order

ALLOWED = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
RESERVED = ("x-", "autoclose-", "adl_autoclose", "settlement_autoclose-")
TEXTS = st.text(max_size=12)
IDENTITIES = st.builds(
    Identity,
    namespace=st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=5),
    account=TEXTS,
    rule_id=TEXTS,
    trigger=TEXTS,
    symbol=TEXTS,
    event_key=TEXTS,
)


@given(IDENTITIES, TEXTS)
def test_a_client_order_id_is_one_the_exchange_takes(identity: Identity, leg: str) -> None:
    """Allowed characters, at most 36 (31 by our own promise), no reserved prefix."""
    made = identity.client_order_id(leg)
    assert ALLOWED.fullmatch(made)
    assert len(made) <= 31
    assert not made.startswith(RESERVED)


@given(IDENTITIES, TEXTS, IDENTITIES, TEXTS)
def test_two_identities_never_share_an_id(a: Identity, x: str, b: Identity, y: str) -> None:
    """Every field of the identity and the leg is part of the id, and nothing else is."""
    same = (astuple(a), x) == (astuple(b), y)
    assert (a.client_order_id(x) == b.client_order_id(y)) == same


@given(st.lists(st.text(max_size=3), min_size=6, max_size=6), st.integers(0, 4))
def test_a_part_moved_into_its_neighbour_gives_another_id(parts: list[str], at: int) -> None:
    """("a", "bc") and ("ab", "c") are not the same event."""
    moved = list(parts)
    moved[at], moved[at + 1] = parts[at] + parts[at + 1][:1], parts[at + 1][1:]
    same = moved == parts
    one = Identity("t", *parts[:5]).client_order_id(parts[5])
    other = Identity("t", *moved[:5]).client_order_id(moved[5])
    assert (one == other) == same


def test_the_run_id_is_not_a_legs_id() -> None:
    """Ten letters, and not the beginning of an order's id."""
    identity = Identity("t", "main", "rule", "price", SYMBOL, "1")
    assert re.fullmatch(r"[a-z2-7]{10}", identity.run_id())
    assert not identity.client_order_id("0.0").endswith(identity.run_id())


@pytest.mark.parametrize(
    ("side", "position_side", "reduce", "close", "exit_only"),
    [
        (Side.BUY, "BOTH", False, False, False),
        (Side.SELL, "BOTH", True, False, True),
        (Side.SELL, "BOTH", False, True, True),
        (Side.SELL, "LONG", False, False, True),
        (Side.BUY, "SHORT", False, False, True),
        (Side.BUY, "LONG", False, False, False),
        (Side.SELL, "SHORT", False, False, False),
    ],
)
def test_what_can_only_shrink_a_position_is_protective(
    side: Side, position_side: str, reduce: bool, close: bool, exit_only: bool
) -> None:
    """reduce-only and close-position, and in hedge mode the side against the position."""
    intent = order(side=side, position_side=position_side, reduce_only=reduce, close_position=close)
    assert intent.protective is exit_only
    lane = lane_of(PlaceCall((intent,), (1,)))
    assert lane == ("urgent" if exit_only else "order")


def test_a_batch_with_one_entry_is_not_urgent() -> None:
    """Only all of them together make it urgent."""
    both = (order("0.0"), order("0.1", reduce_only=True))
    assert lane_of(PlaceCall(both, (1, 1))) == "order"


def test_cancels_and_countdowns_are_urgent_and_questions_are_not() -> None:
    """A question never stands before what lowers risk."""
    assert lane_of(CancelCall(cancel(), 1)) == "urgent"
    assert lane_of(DeadManCall(SYMBOL, 1)) == "urgent"
    assert lane_of(ProbeCall("id", SYMBOL, Family.ORDER)) == "probe"
    assert lane_of(ReadCall("account")) == "probe"
    assert lane_of(TimeCall()) == "probe"
    assert cancel().protective


@pytest.mark.parametrize("kind", list(OrderType))
def test_conditional_types_live_in_the_algo_service(kind: OrderType) -> None:
    """All but LIMIT and MARKET."""
    algo = order(kind=kind).family is Family.ALGO
    assert algo == (kind not in (OrderType.LIMIT, OrderType.MARKET))


def test_sides_have_opposites() -> None:
    """What closes a buy is a sell."""
    assert Side.BUY.opposite is Side.SELL
    assert Side.SELL.opposite is Side.BUY


def test_no_status_of_the_exchange_leads_back_before_the_book() -> None:
    """Whatever the exchange says of an order, it is at least LIVE."""
    before = {OrderState.PLANNED, OrderState.SENDING, OrderState.UNKNOWN}
    assert not before & set(ORDER_STATUS.values())
