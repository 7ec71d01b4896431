"""The classifier, the fence and the proof of absence, over everything that can be answered."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.lifecycle import (
    NOT_ACCEPTED_CODES,
    UNKNOWN_CODES,
    Absence,
    Answer,
    Timing,
    classify,
    fenced_by_engine,
)
from runner.core.orders import OrderType, Outcome
from tests.core.factories import START, TIMING, cancel, order

# Some documented rejections besides the codes that have a meaning of their own.
KNOWN = frozenset({-1102, -1121, -2010, -2014, -2019, -2022, -4003, -4164}) | UNKNOWN_CODES
KNOWN |= NOT_ACCEPTED_CODES
STATUSES = st.sampled_from([0, 200, 301, 400, 401, 403, 404, 408, 418, 429, 500, 502, 503, 504])
CODES = st.one_of(st.none(), st.sampled_from(sorted(KNOWN)), st.integers(-10_000, 10_000))
ANSWERS = st.builds(
    Answer,
    transport=st.sampled_from(["ok", "not_sent", "broken"]),
    status=st.one_of(STATUSES, st.integers(0, 999)),
    code=CODES,
    message=st.sampled_from(["", "Service Unavailable.", "Unknown error", "Internal error"]),
    shape=st.sampled_from(["order", "error", "other", "none"]),
)
NO_VERDICT = {-1000, -1001, -1006, -1007, -1016, -4116}


def error(status: int, code: int | None, message: str = "") -> Outcome:
    """What an error object with this status and code proves."""
    return classify(Answer("ok", status, code, message, "error"), KNOWN)


@given(ANSWERS)
def test_every_answer_has_one_verdict_and_each_verdict_its_evidence(answer: Answer) -> None:
    """Total; accepted needs an order with 200, rejected a documented code, not sent our word."""
    verdict = classify(answer, KNOWN)
    assert (verdict is Outcome.NOT_SENT) == (answer.transport == "not_sent")
    if verdict is Outcome.ACCEPTED:
        assert (answer.transport, answer.status, answer.shape) == ("ok", 200, "order")
    if verdict is Outcome.REJECTED:
        assert answer.code in KNOWN - UNKNOWN_CODES - NOT_ACCEPTED_CODES
        assert answer.shape == "error"
        assert answer.status < 500
    if verdict is Outcome.NOT_ACCEPTED:
        limited = answer.status in (418, 429) or answer.code in NOT_ACCEPTED_CODES
        assert limited or answer.message.startswith("Service Unavailable")
    assert verdict is not Outcome.ABSENT


@given(ANSWERS, st.sampled_from(sorted(NO_VERDICT)))
def test_codes_without_a_verdict_never_reject(answer: Answer, code: int) -> None:
    """A duplicate id, a time-out or a disconnection never means that no order exists."""
    assert classify(replace(answer, code=code), KNOWN) is not Outcome.REJECTED


@pytest.mark.parametrize("status", [200, 400, 403, 408, 500, 502, 503])
@pytest.mark.parametrize("code", [-1001, -1016, -4116, -1007])
def test_where_sources_differ_the_cautious_reading_wins(status: int, code: int) -> None:
    """-1001 and -1016 are unknown on a placing call, whatever the status says."""
    assert error(status, code) is Outcome.UNKNOWN


def test_a_page_of_the_firewall_is_unknown() -> None:
    """403 proves nothing, with a page or with a code."""
    assert classify(Answer("ok", 403, None, "", "other"), KNOWN) is Outcome.UNKNOWN
    assert error(403, -2010) is Outcome.UNKNOWN


def test_503_is_told_apart_by_its_message() -> None:
    """Service Unavailable and -1008 were not executed; anything else gives no verdict."""
    assert error(503, None, "Service Unavailable.") is Outcome.NOT_ACCEPTED
    assert error(503, -1008, "Request throttled") is Outcome.NOT_ACCEPTED
    assert error(503, -1000, "Unknown error, please check") is Outcome.UNKNOWN
    assert error(502, -1008, "Service Unavailable.") is Outcome.UNKNOWN


def test_an_unlisted_code_proves_nothing() -> None:
    """Only documented codes reject; a redirect does not either."""
    assert error(400, -9999) is Outcome.UNKNOWN
    assert error(301, -2010) is Outcome.UNKNOWN
    assert error(400, -2010) is Outcome.REJECTED


def test_recorded_error_codes_keep_their_promise(recorded: Path) -> None:
    """Every documented code with a class of no verdict or of a duplicate stays unproven."""
    rows = json.loads((recorded / "binance_errors.json").read_text("utf-8"))
    known = frozenset(row["code"] for row in rows)
    for row in rows:
        for status in (200, 400):
            verdict = classify(Answer("ok", status, row["code"], "", "error"), known)
            kind = row["class"]
            if kind in ("unknown", "duplicate") or row["code"] in NO_VERDICT:
                assert verdict is Outcome.UNKNOWN, row
            elif kind in ("throttle", "clock"):
                assert verdict is Outcome.NOT_ACCEPTED, row
            elif kind.startswith("fatal"):
                assert verdict in (Outcome.REJECTED, Outcome.UNKNOWN), row
            else:
                assert verdict is not Outcome.ACCEPTED, row


def test_recorded_http_classes_are_never_read_less_cautiously(recorded: Path) -> None:
    """What the documentation of HTTP statuses calls unknown is unknown here."""
    rows = json.loads((recorded / "binance_http.json").read_text("utf-8"))
    for row in rows:
        if not isinstance(row["status"], int):
            continue
        answer = Answer("ok", row["status"], row.get("code"), row.get("msg", ""), "error")
        verdict = classify(answer, KNOWN)
        if row["class"] == "unknown" or row["status"] == 403:
            assert verdict is Outcome.UNKNOWN, row
        assert verdict not in (Outcome.ACCEPTED, Outcome.REJECTED), row


def test_the_fence_is_window_and_margins_after_the_signature() -> None:
    """Timestamp + recvWindow + 10 s + 2 s, in server time."""
    assert Timing().fence(START) == START + 3_000 + 10_000 + 2_000


def test_only_the_order_family_is_fenced_by_the_engine() -> None:
    """Conditional orders and cancels pass only the gateway's clock."""
    assert fenced_by_engine(order())
    stop = order(kind=OrderType.STOP_MARKET, price=None, trigger_price=None)
    assert not fenced_by_engine(stop)
    assert not fenced_by_engine(cancel())


@given(st.lists(st.integers(-30_000, 200_000), max_size=40))
def test_absence_needs_a_whole_table_of_spaced_questions_after_the_fence(asked: list[int]) -> None:
    """However the questions fall: four that count, none before the fence, over 60 s."""
    absence = Absence(START)
    counted: list[int] = []
    for offset in asked:
        after = absence.counted(START + offset, TIMING)
        if after != absence:
            counted.append(START + offset)
        absence = after
        if absence.proven(TIMING):
            break
    assert absence.proven(TIMING) == (len(counted) == 4)
    assert all(at >= START for at in counted)
    assert all(later - earlier >= 5_000 for earlier, later in pairwise(counted))
    if absence.proven(TIMING):
        assert counted[-1] - counted[0] >= 60_000


def test_questions_at_the_right_times_prove_absence() -> None:
    """Asked exactly when they are due, four negatives prove it."""
    absence = Absence(START)
    for _ in range(4):
        assert not absence.proven(TIMING)
        absence = absence.counted(absence.next_time(TIMING), TIMING)
    assert absence.proven(TIMING)
