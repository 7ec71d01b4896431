"""Live subscriptions: one message at a time, within the exchange's limits, proven at the end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.venues.binance_usdm.subscriptions import (
    DOUBT_EVERY,
    MOST,
    PER_MESSAGE,
    SPACING,
    Subscriptions,
)

WITHIN = 5.0
A, B, C = "btcusdt@aggTrade", "ethusdt@aggTrade", "龙虾usdt@bookTicker"


def _open(*names: str) -> Subscriptions:
    found = Subscriptions(names, WITHIN)
    found.opening()
    found.opened()
    return found


def _asked(one: Subscriptions, now: float) -> dict[str, Any]:
    text = one.due(now)
    assert text is not None
    found: dict[str, Any] = json.loads(text)
    return found


def _settle(one: Subscriptions, now: float) -> list[dict[str, Any]]:
    """Answer everything as a sound exchange does; what was asked."""
    asked = []
    while not one.settled:
        asked.append(_asked(one, now))
        method, number = asked[-1]["method"], asked[-1]["id"]
        result = sorted(one.carried) if method == "LIST_SUBSCRIPTIONS" else None
        assert one.heard({"result": result, "id": number})
        now += SPACING
    return asked


def test_an_open_connection_with_its_list_asks_nothing() -> None:
    """The address said it all; the same list once more changes nothing."""
    one = _open(A, B)
    one.want(frozenset({B, A}))
    assert one.settled
    assert not one.waiting
    assert one.due(0) is None
    assert one.doubt(1_000) is None


def test_new_before_old_and_the_list_at_the_end() -> None:
    """What is new is subscribed, what is not needed is given back, and the result is looked at."""
    one = _open(A)
    one.want(frozenset({B, C}))
    assert _settle(one, 10) == [
        {"method": "SUBSCRIBE", "id": 1, "params": [B, C]},
        {"method": "UNSUBSCRIBE", "id": 2, "params": [A]},
        {"method": "LIST_SUBSCRIPTIONS", "id": 3},
    ]
    assert one.carried == {B, C}
    assert one.doubt(1_000) is None


def test_one_message_at_a_time_and_not_too_often() -> None:
    """The next one waits for the answer, and for its time."""
    one = _open(A)
    one.want(frozenset({A, B}))
    assert _asked(one, 10)["id"] == 1
    assert one.waiting
    assert one.due(11) is None
    assert one.heard({"result": None, "id": 1})
    assert one.due(10 + SPACING / 2) is None
    assert _asked(one, 10 + SPACING)["method"] == "LIST_SUBSCRIPTIONS"


@pytest.mark.parametrize(
    "frame",
    [
        {"result": None, "id": 2},
        {"result": None, "id": "1"},
        {"result": None, "id": None},
        {"error": {"code": 2, "msg": "x"}, "id": 7},
        {"stream": A, "data": {"id": 1}},
        {},
    ],
)
def test_only_the_answer_with_our_number_counts(frame: dict[str, Any]) -> None:
    """Anything else is left alone, and the answer is still waited for."""
    one = _open(A)
    one.want(frozenset({B}))
    _asked(one, 0)
    assert not one.heard(frame)
    assert one.waiting


def test_nothing_is_heard_that_was_not_asked() -> None:
    """An answer that comes too late, or to nobody."""
    assert not _open(A).heard({"result": None, "id": 1})


@pytest.mark.parametrize(
    "frame",
    [
        {"error": {"code": 2, "msg": "Invalid request"}, "id": 1},
        {"code": 2, "msg": "Invalid request", "id": 1},
        {"error": {"code": 3, "msg": "Invalid JSON"}, "id": None},
        {"id": 1},
    ],
)
def test_a_refusal_is_a_reason_to_connect_anew(frame: dict[str, Any]) -> None:
    """Nothing more is asked on it; the doubt is repeated until another one stands."""
    one = _open(A)
    one.want(frozenset({A, B}))
    _asked(one, 0)
    assert one.heard(frame)
    why = one.doubt(1)
    assert why is not None
    assert why.startswith("SUBSCRIBE was refused")
    assert one.due(2) is None
    assert one.doubt(1 + DOUBT_EVERY / 2) is None
    assert one.doubt(1 + DOUBT_EVERY) == why
    assert one.opening() == {A, B}
    one.opened()
    assert one.settled
    assert one.doubt(100) is None


def test_no_answer_is_a_reason_too() -> None:
    """After the time for it, not before."""
    one = _open(A)
    one.want(frozenset({A, B}))
    _asked(one, 0)
    assert one.doubt(WITHIN - 0.1) is None
    assert one.doubt(WITHIN) == "SUBSCRIBE was not answered in 5 s"
    assert not one.heard({"result": None, "id": 1})


@pytest.mark.parametrize("listed", [[A], None, "all", [A, 7]])
def test_a_stream_that_is_not_on_their_list_is_a_reason(listed: Any) -> None:
    """An answer of success proves nothing yet."""
    one = _open(A)
    one.want(frozenset({A, B}))
    _asked(one, 0)
    one.heard({"result": None, "id": 1})
    number = _asked(one, 1)["id"]
    assert one.heard({"result": listed, "id": number})
    why = one.doubt(2)
    assert why is not None
    assert "not subscribed, first" in why


def test_their_list_may_say_more_and_say_it_otherwise() -> None:
    """A stream too many does no harm; percent-encoding and case are no difference."""
    one = _open(C)
    one.want(frozenset({C, B}))
    _asked(one, 0)
    one.heard({"result": None, "id": 1})
    number = _asked(one, 1)["id"]
    listed = ["%E9%BE%99%E8%99%BEUSDT@bookTicker", "ETHUSDT@aggTrade", "other@aggTrade"]
    one.heard({"result": listed, "id": number})
    assert one.settled
    assert one.doubt(2) is None


def test_what_is_wanted_again_meanwhile_is_not_given_back() -> None:
    """Back to the old list before anything was asked: nothing is asked at all."""
    one = _open(A)
    one.want(frozenset({A, B}))
    one.want(frozenset({A}))
    assert one.due(0) is None
    assert one.settled


def test_a_new_connection_takes_the_newest_list_and_forgets_what_was_asked() -> None:
    """What changed while it was being opened is asked for on it."""
    one = _open(A)
    one.want(frozenset({A, B}))
    _asked(one, 0)
    assert one.opening() == {A, B}
    one.want(frozenset({B, C}))
    one.opened()
    assert one.carried == {A, B}
    assert not one.waiting
    assert [each["method"] for each in _settle(one, 10)] == [
        "SUBSCRIBE",
        "UNSUBSCRIBE",
        "LIST_SUBSCRIPTIONS",
    ]
    assert one.carried == {B, C}


NAMES = [f"s{number}@aggTrade" for number in range(MOST)]
LISTS = st.tuples(st.integers(0, MOST), st.integers(0, MOST)).map(
    lambda ends: frozenset(NAMES[min(ends) : max(ends)])
)


@given(st.lists(LISTS, min_size=1, max_size=5), st.integers(0, 12))
def test_whatever_is_wanted_the_limits_are_kept(lists: list[frozenset[str]], late: int) -> None:
    """Never over 1,024 streams nor ten messages a second; at the end they are the wanted ones."""
    one = _open(*lists[0])
    theirs, now, sent = set(lists[0]), 0.0, list[float]()
    for step in range(200):
        if step % (late + 1) == 0 and lists:
            one.want(lists.pop(0))
        now += 0.05
        text = one.due(now)
        if text is None:
            continue
        sent.append(now)
        message = json.loads(text)
        names = message.get("params", [])
        assert len(names) <= PER_MESSAGE
        if message["method"] == "SUBSCRIBE":
            theirs |= {*names}
        elif message["method"] == "UNSUBSCRIBE":
            theirs -= {*names}
        assert len(theirs) <= MOST
        answer = sorted(theirs) if message["method"] == "LIST_SUBSCRIPTIONS" else None
        assert one.heard({"id": message["id"], "result": answer})
        assert one.doubt(now) is None
    assert all(later - first >= 1 for first, later in zip(sent, sent[9:], strict=False))
    while not one.settled or lists:
        if lists:
            one.want(lists.pop(0))
        for message in _settle(one, now := now + 10):
            names = {*message.get("params", [])}
            theirs = theirs | names if message["method"] == "SUBSCRIBE" else theirs - names
    assert one.carried == theirs
