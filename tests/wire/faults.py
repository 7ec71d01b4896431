"""The faults of the wire, each by the name that the table of outcomes uses."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from tests.wire.server import Act, Answer, Execute, Peer, encoded, said

UNKNOWN_503 = "Unknown error, please check your request or try again later."
FAILED_503 = "Internal error; unable to process your request. Please try again."
THROTTLED = (
    "Request throttled by system-level protection. Reduce-only/close-position orders are exempt. "
    "Please try again."
)
PAGE = b"<html><head><title>403 Forbidden</title></head><body>Request blocked.</body></html>"
FORBIDDEN: Answer = (403, {"Content-Type": "text/html"}, PAGE)
GATEWAY: Answer = (502, {"Content-Type": "text/html"}, b"<html>Bad Gateway</html>")
TOO_MANY = {"code": -1003, "msg": "Too many requests; current limit is 2400 per minute."}
BANNED = {"code": -1003, "msg": "Way too many requests; IP banned until {until}."}

Idle = Literal["", "closed", "reset", "race", "refused"]


@dataclass(frozen=True, slots=True)
class Fault:
    """`act` meets the request; `endless`: only our deadline ends it; `idle`: what befalls the
    connection that was kept alive, before the request or as it is written.
    """

    name: str
    act: Act
    endless: bool = False
    idle: Idle = ""


def _placed(name: str, then: Callable[[Peer, bytes], None], **more: Any) -> Fault:
    """The exchange executes the request, then this becomes of its answer."""

    def act(peer: Peer, execute: Execute) -> None:
        then(peer, encoded(execute()))

    return Fault(f"{name}, placed", act, **more)


def _lost(name: str, then: Callable[[Peer], None], **more: Any) -> Fault:
    """The exchange never sees the request."""
    return Fault(f"{name}, not placed", lambda peer, _: then(peer), **more)


def _instead(name: str, answer: Answer) -> list[Fault]:
    """This answer instead of the right one: once with the request executed, once without."""

    def placed(peer: Peer, execute: Execute) -> None:
        execute()
        peer.answer(answer)

    return [
        Fault(f"{name}, placed", placed),
        Fault(f"{name}, not placed", lambda peer, _: peer.answer(answer)),
    ]


def _refused(name: str, answer: Answer) -> Fault:
    """An answer that the exchange gives only where nothing was placed."""
    return Fault(name, lambda peer, _: peer.answer(answer))


def _twisted(name: str, twist: Callable[[Any], Any]) -> Fault:
    """Executed, and the answer's document is changed."""

    def act(peer: Peer, execute: Execute) -> None:
        status, headers, body = execute()
        peer.answer((status, headers, json.dumps(twist(json.loads(body))).encode()))

    return Fault(name, act)


def _then_reset(peer: Peer, data: bytes, part: int) -> None:
    peer.raw(data[: len(data) * part // 2])
    peer.reset()


def _then_close(peer: Peer, data: bytes, part: int) -> None:
    peer.raw(data[: len(data) * part // 2])
    peer.close()


def _of_others(document: Any) -> Any:
    """A batch's answers in another order; another's answer otherwise."""
    if isinstance(document, list):
        return document[::-1]
    names = ("clientOrderId", "clientAlgoId", "symbol")
    return {name: "OTHER" if name in names else value for name, value in document.items()}


def _shorter(document: Any) -> Any:
    return document[:-1] if isinstance(document, list) else {}


def _longer(document: Any) -> Any:
    return [*document, document[-1]] if isinstance(document, list) else [document, document]


def _one_without_verdict(document: Any) -> Any:
    verdict = {"code": -1007, "msg": "Timeout waiting for response from backend server."}
    return [*document[:-1], verdict] if isinstance(document, list) else verdict


def _garbled(data: bytes) -> bytes:
    """The head whole, the body's every seventh byte turned over."""
    head, _, body = data.partition(b"\r\n\r\n")
    wrong = bytes(byte ^ 0x80 if at % 7 == 3 else byte for at, byte in enumerate(body))
    return head + b"\r\n\r\n" + wrong


def _error(code: int, message: str = "A message.") -> dict[str, Any]:
    return {"code": code, "msg": message}


FAULTS: tuple[Fault, ...] = (
    Fault("refused at the door", lambda *_: None, idle="refused"),
    Fault("kept-alive closed before", lambda *_: None, idle="closed"),
    Fault("kept-alive reset before", lambda *_: None, idle="reset"),
    Fault("kept-alive closed as we write", lambda *_: None, idle="race"),
    _lost("reset before the answer", lambda peer: peer.reset()),
    _placed("reset before the answer", lambda peer, _: peer.reset()),
    _placed("reset within the answer", lambda peer, data: _then_reset(peer, data, 1)),
    _placed("closed after the answer", lambda peer, data: _then_close(peer, data, 2)),
    _placed("truncated answer", lambda peer, data: _then_close(peer, data, 1)),
    _lost("half-open", lambda peer: peer.hang(), endless=True),
    _placed("half-open", lambda peer, _: peer.hang(), endless=True),
    _placed("a byte now and then", lambda peer, data: peer.drip(data), endless=True),
    _placed("garbled body", lambda peer, data: peer.raw(_garbled(data))),
    _placed("no HTTP at all", lambda peer, _: _then_close(peer, b"\x16\x03\x01\x00\x02" * 9, 2)),
    *_instead("200 and an empty body", (200, {}, b"")),
    _refused("307", (307, {"Location": "/fapi/v1/elsewhere"}, b"")),
    _refused("308", (308, {"Location": "/fapi/v1/elsewhere"}, b"")),
    *_instead("503 unknown error", said(503, _error(-1000, UNKNOWN_503))),
    *_instead("503 without a body", (503, {}, b"")),
    _refused("503 service unavailable", said(503, _error(-1016, "Service Unavailable."))),
    *_instead("503 internal error", said(503, _error(-1001, FAILED_503))),
    _refused("503 throttled", said(503, _error(-1008, THROTTLED))),
    *_instead("502 page", GATEWAY),
    *_instead("504 -1007", said(504, _error(-1007))),
    *_instead("408", said(408, _error(-1007))),
    *_instead("403 page", FORBIDDEN),
    _refused("429 with Retry-After", said(429, TOO_MANY, Retry_After="7")),
    _refused("429 without Retry-After", said(429, TOO_MANY)),
    _refused("418 with Retry-After", said(418, BANNED, Retry_After="130")),
    _refused("418 without Retry-After", said(418, BANNED)),
    *_instead("400 -1007", said(400, _error(-1007))),
    *_instead("400 -1006", said(400, _error(-1006))),
    *_instead("400 -1001", said(400, _error(-1001, FAILED_503))),
    _refused("400 -1021", said(400, _error(-1021))),
    _refused("400 -5028", said(400, _error(-5028))),
    *_instead("400 with a code nobody knows", said(400, _error(-7777))),
    Fault("400 -4116 after placing", _instead("", said(400, _error(-4116)))[0].act),
    _twisted("another order, placed", _of_others),
    _twisted("short answer, placed", _shorter),
    _twisted("long answer, placed", _longer),
    _twisted("one without a verdict, placed", _one_without_verdict),
)

BY_NAME = {fault.name: fault for fault in FAULTS}
assert len(BY_NAME) == len(FAULTS)
