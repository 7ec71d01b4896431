"""Answers of the order path: what each proves, leg by leg, and that no body can do harm."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.lifecycle import NOT_ACCEPTED_CODES, UNKNOWN_CODES
from runner.core.orders import (
    CancelCall,
    CancelIntent,
    Family,
    OrderIntent,
    OrderType,
    Outcome,
    PlaceCall,
    ProbeCall,
    Side,
)
from runner.venues import RawAnswer
from runner.venues.binance_usdm.codes import CLASS_OF, ErrorClass
from runner.venues.binance_usdm.cures import cure
from runner.venues.binance_usdm.wire_answers import canceled, placed, probed, read

ASKED = 1_700_000_000_000


def _intent(name: str, kind: OrderType = OrderType.LIMIT, symbol: str = "BTCUSDT") -> OrderIntent:
    return OrderIntent(name, symbol, Side.BUY, kind, Decimal(1), Decimal(5))


def _order(name: str, **more: Any) -> dict[str, Any]:
    return {
        "clientOrderId": name,
        "symbol": "BTCUSDT",
        "orderId": 22542179,
        "status": "NEW",
        "executedQty": "0",
        "updateTime": 1566818724722,
        **more,
    }


def _algo(name: str, **more: Any) -> dict[str, Any]:
    return {
        "clientAlgoId": name,
        "symbol": "BTCUSDT",
        "algoId": 2146760,
        "algoStatus": "NEW",
        "quantity": "0.01",
        "updateTime": 1750485492076,
        **more,
    }


def _error(code: int, text: str = "no") -> dict[str, Any]:
    return {"code": code, "msg": text}


def _answer(value: Any, status: int = 200) -> RawAnswer:
    return RawAnswer("ok", status, json.dumps(value).encode())


def _place(*intents: OrderIntent) -> PlaceCall:
    return PlaceCall(intents, tuple(range(1, len(intents) + 1)))


def _outcomes(call: PlaceCall, answer: RawAnswer) -> list[Outcome]:
    reports = placed(call, read(answer), ASKED)
    assert [one.client_order_id for one in reports] == [one.client_order_id for one in call.intents]
    assert [one.attempt for one in reports] == list(call.attempts)
    assert all((one.origin, one.symbol) == ("answer", call.intents[0].symbol) for one in reports)
    return [one.outcome for one in reports]


def test_an_accepted_order() -> None:
    """Status, executed quantity and the exchange's id come over; there is no average price."""
    answer = _answer(_order("a", status="FILLED", executedQty="0.020"))
    (report,) = placed(_place(_intent("a")), read(answer), ASKED)
    assert report.outcome is Outcome.ACCEPTED
    assert report.order_status == "FILLED"
    assert report.cumulative_quantity == Decimal("0.020")
    assert report.order_id == "22542179"
    assert report.event_time == 1566818724722
    assert report.average_price is None


def test_an_average_price_is_taken_where_it_is_given() -> None:
    """Older exchanges and queries still carry avgPrice; zero means none."""
    call = _place(_intent("a"))
    (report,) = placed(call, read(_answer(_order("a", avgPrice="70000.5"))), ASKED)
    assert report.average_price == Decimal("70000.5")
    (report,) = placed(call, read(_answer(_order("a", avgPrice="0.00"))), ASKED)
    assert report.average_price is None


def test_an_accepted_conditional_order() -> None:
    """The algo service answers with its own names."""
    call = _place(_intent("a", OrderType.STOP_MARKET))
    (report,) = placed(call, read(_answer(_algo("a"))), ASKED)
    assert (report.outcome, report.order_status) == (Outcome.ACCEPTED, "NEW")
    assert report.order_id == "2146760"


@pytest.mark.parametrize(
    "value",
    [
        _order("other"),
        {**_order("a"), "symbol": "ETHUSDT"},
        {key: value for key, value in _order("a").items() if key != "orderId"},
        {**_order("a"), **_error(-2022)},
        _algo("a"),
        [_order("a")],
        {},
        [],
        "text",
        None,
        7,
    ],
)
def test_what_is_not_our_order_proves_nothing(value: Any) -> None:
    """A 200 must carry our id, our symbol and an id of the exchange, else it is UNKNOWN."""
    assert _outcomes(_place(_intent("a")), _answer(value)) == [Outcome.UNKNOWN]


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (503, _error(-1000, "Unknown error, please check your request"), Outcome.UNKNOWN),
        (503, {"msg": "Service Unavailable."}, Outcome.NOT_ACCEPTED),
        (503, _error(-1008, "Request throttled"), Outcome.NOT_ACCEPTED),
        (503, _error(-1001, "Internal error; unable to process"), Outcome.UNKNOWN),
        (502, None, Outcome.UNKNOWN),
        (429, _error(-1015), Outcome.NOT_ACCEPTED),
        (418, None, Outcome.NOT_ACCEPTED),
        (403, None, Outcome.UNKNOWN),
        (408, _error(-1007), Outcome.UNKNOWN),
        (307, _error(-1102), Outcome.UNKNOWN),
        (400, _error(-1021), Outcome.NOT_ACCEPTED),
        (400, _error(-5028), Outcome.NOT_ACCEPTED),
        (401, _error(-2015), Outcome.REJECTED),
        (400, _error(-1102), Outcome.REJECTED),
        (400, _error(-31337), Outcome.UNKNOWN),
        (400, _error(-4116), Outcome.UNKNOWN),
    ],
)
@pytest.mark.parametrize("legs", [1, 3])
def test_an_error_of_the_whole_request(status: int, body: Any, outcome: Outcome, legs: int) -> None:
    """What proves that nothing was accepted holds for every leg; all else leaves all UNKNOWN."""
    call = _place(*(_intent(name) for name in "abc"[:legs]))
    assert _outcomes(call, _answer(body, status)) == [outcome] * legs


def test_an_html_page_is_unknown() -> None:
    """A firewall's 403 page is no JSON; it says nothing about the order."""
    page = RawAnswer("ok", 403, b"<html>denied</html>")
    assert _outcomes(_place(_intent("a")), page) == [Outcome.UNKNOWN]
    assert _outcomes(_place(_intent("a")), RawAnswer("ok", 200, b"{")) == [Outcome.UNKNOWN]


def test_transport_failures() -> None:
    """Only what provably never left is NOT_SENT."""
    call = _place(_intent("a"), _intent("b"))
    assert _outcomes(call, RawAnswer("not_sent", detail="x")) == [Outcome.NOT_SENT] * 2
    assert _outcomes(call, RawAnswer("broken", 200, b"[]")) == [Outcome.UNKNOWN] * 2
    (report, _) = placed(call, read(RawAnswer("broken", detail="reset")), ASKED)
    assert report.message == "reset"


def test_every_documented_code_on_a_placing_call() -> None:
    """One by one, as a single order's answer and as a batch leg's: never ACCEPTED or NOT_SENT."""
    for code, error_class in CLASS_OF.items():
        single = _outcomes(_place(_intent("a")), _answer(_error(code), 400))
        leg = _outcomes(_place(_intent("a"), _intent("b")), _answer([_error(code), _order("b")]))
        if code in NOT_ACCEPTED_CODES:
            expected = Outcome.NOT_ACCEPTED
        elif code in UNKNOWN_CODES:
            expected = Outcome.UNKNOWN
        else:
            expected = Outcome.REJECTED
        assert single == [expected], code
        assert leg == [expected, Outcome.ACCEPTED], code
        if error_class in (ErrorClass.UNKNOWN, ErrorClass.DUPLICATE):
            assert expected is Outcome.UNKNOWN, code
        if error_class in (ErrorClass.THROTTLE, ErrorClass.CLOCK):
            assert expected is Outcome.NOT_ACCEPTED, code


def test_a_batch_with_a_bad_leg() -> None:
    """Each leg has its own fate, in order."""
    call = _place(*(_intent(name) for name in "abcd"))
    answer = _answer([_order("a"), _error(-2022), _error(-1007), _order("d", status="FILLED")])
    reports = placed(call, read(answer), ASKED)
    assert [one.outcome for one in reports] == [
        Outcome.ACCEPTED,
        Outcome.REJECTED,
        Outcome.UNKNOWN,
        Outcome.ACCEPTED,
    ]
    assert (reports[1].code, reports[1].message) == (-2022, f"no ({cure(-2022)})")


@pytest.mark.parametrize(
    "value",
    [
        [_order("a")],
        [_order("a"), _order("b"), _order("c")],
        [_order("b"), _order("a")],
        [_order("a"), _order("a")],
        [_error(-2022), _order("a")],
        [_order("a"), None],
        [_order("a"), {}],
        [_order("a"), {**_order("b"), "code": -2022}],
        [],
    ],
)
def test_a_batch_answer_that_does_not_fit_its_legs(value: Any) -> None:
    """Short, long, reordered or odd: no leg is proven, errors among them neither."""
    call = _place(_intent("a"), _intent("b"))
    assert _outcomes(call, _answer(value)) == [Outcome.UNKNOWN] * 2


CANCEL = CancelCall(CancelIntent("x", "BTCUSDT", Family.ORDER, "a"), 2)
CANCEL_ALGO = CancelCall(CancelIntent("x", "BTCUSDT", Family.ALGO, "a"), 1)
CANCEL_ALL = CancelCall(CancelIntent("x", "BTCUSDT", Family.ORDER), 1)


def test_a_cancel_tells_of_itself_and_of_its_target() -> None:
    """The cancel is DONE, the target has its status and what it had executed."""
    done = _order("a", status="CANCELED", executedQty="0.4")
    own, target = canceled(CANCEL, read(_answer(done)), ASKED)
    assert (own.client_order_id, own.outcome, own.order_status) == ("x", Outcome.ACCEPTED, "DONE")
    assert (own.attempt, own.code, own.message) == (2, None, None)
    assert (target.client_order_id, target.order_status) == ("a", "CANCELED")
    assert target.cumulative_quantity == Decimal("0.4")
    assert target.attempt is None


@pytest.mark.parametrize("code", [200, "200"])
def test_an_algo_cancel_says_so_by_a_code(code: Any) -> None:
    """`code` 200 is success as text and as a number."""
    value = {"algoId": 2146760, "clientAlgoId": "a", "code": code, "msg": "success"}
    own, target = canceled(CANCEL_ALGO, read(_answer(value)), ASKED)
    assert own.outcome is Outcome.ACCEPTED
    assert (target.client_order_id, target.order_status) == ("a", "CANCELED")
    assert (target.order_id, own.symbol, target.symbol) == ("2146760", "BTCUSDT", "BTCUSDT")


@pytest.mark.parametrize("code", [200, "200"])
def test_cancel_all(code: Any) -> None:
    """One report: which orders went is told by the stream."""
    value = {"code": code, "msg": "The operation of cancel all open order is done."}
    (own,) = canceled(CANCEL_ALL, read(_answer(value)), ASKED)
    assert (own.client_order_id, own.outcome, own.order_status) == ("x", Outcome.ACCEPTED, "DONE")


@pytest.mark.parametrize("call", [CANCEL, CANCEL_ALGO])
@pytest.mark.parametrize("code", [-2011, -2013])
def test_a_cancel_that_came_too_late(call: CancelCall, code: int) -> None:
    """The target is not open: the cancel is rejected, what became of the target is asked."""
    (own,) = canceled(call, read(_answer(_error(code), 400)), ASKED)
    assert (own.outcome, own.code) == (Outcome.REJECTED, code)


@pytest.mark.parametrize(
    ("call", "answer", "outcome"),
    [
        (CANCEL, _answer(_order("other")), Outcome.UNKNOWN),
        (CANCEL_ALGO, _answer({"clientAlgoId": "b", "code": "200"}), Outcome.UNKNOWN),
        (CANCEL_ALL, _answer({}), Outcome.UNKNOWN),
        (CANCEL_ALL, _answer(_error(-2012), 400), Outcome.UNKNOWN),
        (CANCEL, _answer(_error(-1102), 400), Outcome.REJECTED),
        (CANCEL, _answer(_error(-1021), 400), Outcome.NOT_ACCEPTED),
        (CANCEL, _answer(_error(-2011), 503), Outcome.UNKNOWN),
        (CANCEL, RawAnswer("not_sent"), Outcome.NOT_SENT),
        (CANCEL, RawAnswer("broken"), Outcome.UNKNOWN),
    ],
)
def test_a_cancel_that_did_not_succeed(
    call: CancelCall, answer: RawAnswer, outcome: Outcome
) -> None:
    """The same classifier as for orders, one report."""
    (own,) = canceled(call, read(answer), ASKED)
    assert own.outcome is outcome


PROBE = ProbeCall("a", "BTCUSDT", Family.ORDER)
PROBE_ALGO = ProbeCall("a", "BTCUSDT", Family.ALGO)


def test_a_probe_that_finds() -> None:
    """The order as it stands, with the average price that queries still give."""
    value = _order("a", status="FILLED", executedQty="2", avgPrice="5.5")
    (report,) = probed(PROBE, read(_answer(value)), ASKED)
    assert (report.origin, report.outcome) == ("probe", Outcome.ACCEPTED)
    assert (report.order_status, report.average_price) == ("FILLED", Decimal("5.5"))
    assert report.asked_time == ASKED


@pytest.mark.parametrize("probe", [PROBE, PROBE_ALGO])
def test_a_probe_that_finds_nothing(probe: ProbeCall) -> None:
    """-2013 is ABSENT, with the server time at which the question was signed."""
    (report,) = probed(probe, read(_answer(_error(-2013), 400)), ASKED)
    assert (report.outcome, report.asked_time, report.code) == (Outcome.ABSENT, ASKED, -2013)


@pytest.mark.parametrize(
    "answer",
    [
        _answer(_error(-2013), 503),
        _answer(_error(-2011), 400),
        _answer(_error(-1021), 400),
        _answer(_error(-1102), 400),
        _answer(_order("other")),
        _answer({**_order("a"), "symbol": "ETHUSDT"}),
        _answer(_order("a"), 500),
        RawAnswer("not_sent"),
        RawAnswer("broken"),
    ],
)
def test_a_probe_that_failed(answer: RawAnswer) -> None:
    """Any other answer to a question proves nothing."""
    (report,) = probed(PROBE, read(answer), ASKED)
    assert report.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("more", "status", "quantity"),
    [
        ({"algoStatus": "CANCELED", "actualPrice": "0.00000", "actualQty": "0.01"}, "CANCELED", 0),
        ({"algoStatus": "FINISHED", "actualPrice": "7", "actualQty": "0.01"}, "FILLED", "0.01"),
        ({"algoStatus": "FINISHED", "actualPrice": "7", "actualQty": "0.004"}, "CANCELED", "0.004"),
        ({"algoStatus": "FINISHED", "actualPrice": "0.0", "actualQty": ""}, "CANCELED", 0),
        ({"algoStatus": "FINISHED"}, "FINISHED", None),
        ({"algoStatus": "TRIGGERED", "actualPrice": "0", "actualQty": "0"}, "TRIGGERED", 0),
    ],
)
def test_what_became_of_a_conditional_order(
    more: dict[str, Any], status: str, quantity: Any
) -> None:
    """FINISHED is "filled or cancelled": the executed quantity tells which."""
    (report,) = probed(PROBE_ALGO, read(_answer(_algo("a", **more))), ASKED)
    assert report.order_status == status
    assert report.cumulative_quantity == (None if quantity is None else Decimal(quantity))


def test_the_sdks_documented_answers(recorded: Path) -> None:
    """Every order answer that the official SDK documents is read as an accepted order."""
    examples = json.loads(
        gzip.decompress((recorded / "sdk-documentation-examples.json.gz").read_bytes())
    )

    def shown(name: str) -> Any:
        return examples[f"rest_api/trade_api/test_{name}_success"]["expected_response"]

    new = shown("new_order")
    assert _outcomes(_place(_intent("testOrder")), _answer(new)) == [Outcome.ACCEPTED]
    conditional = _intent(shown("new_algo_order")["clientAlgoId"], OrderType.STOP, "BNBUSDT")
    assert _outcomes(_place(conditional), _answer(shown("new_algo_order"))) == [Outcome.ACCEPTED]
    cancel = CancelCall(CancelIntent("x", "BTCUSDT", Family.ORDER, "myOrder1"), 1)
    assert len(canceled(cancel, read(_answer(shown("cancel_order"))), ASKED)) == 2
    (found,) = probed(
        ProbeCall("abc", "BTCUSDT", Family.ORDER), read(_answer(shown("query_order"))), ASKED
    )
    assert found.order_status == "NEW"
    algo = shown("query_algo_order")
    probe = ProbeCall(algo["clientAlgoId"], "BNBUSDT", Family.ALGO)
    (found,) = probed(probe, read(_answer(algo)), ASKED)
    assert found.order_status == "CANCELED"
    assert found.cumulative_quantity == 0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["code", "msg", "clientOrderId", "clientAlgoId", "symbol", "orderId", "status"]
            )
            | st.text(max_size=3),
            inner | st.sampled_from(["a", "BTCUSDT", "200", 200, -2013]),
            max_size=6,
        )
    ),
    max_leaves=12,
)


@given(value=json_values, status=st.sampled_from([200, 400, 403, 418, 429, 500, 503]))
def test_no_body_raises_or_loses_a_leg(value: Any, status: int) -> None:
    """The translation is total: every leg gets exactly one report, whatever came."""
    answer = read(_answer(value, status))
    for count in (1, 2, 5):
        call = _place(*(_intent(name) for name in "abcde"[:count]))
        assert len(placed(call, answer, ASKED)) == count
    for cancel in (CANCEL, CANCEL_ALGO, CANCEL_ALL):
        assert canceled(cancel, answer, ASKED)[0].client_order_id == "x"
    for probe in (PROBE, PROBE_ALGO):
        assert len(probed(probe, answer, ASKED)) == 1


@given(body=st.binary(max_size=40))
def test_no_bytes_raise(body: bytes) -> None:
    """Bytes that are no JSON are an answer like any other."""
    assert len(placed(_place(_intent("a")), read(RawAnswer("ok", 200, body)), ASKED)) == 1
