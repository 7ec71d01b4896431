"""docs/errors.md: each error of the exchange, what the runner does, what a person can."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.core.lifecycle import Answer, classify
from runner.core.orders import OrderState, Outcome
from runner.venues.binance_usdm.code_names import NAME_OF
from runner.venues.binance_usdm.codes import CLASS_OF, KNOWN_CODES, ErrorClass
from runner.venues.binance_usdm.cures import UNLISTED, cure


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of an entry that is always answered so: action, attempts, the end."""

    action: str
    attempts: str
    end: OrderState


FATES: Mapping[Outcome, Fate] = {
    Outcome.REJECTED: Fate("not sent again", "1", OrderState.REJECTED),
    Outcome.NOT_ACCEPTED: Fate("sent again after a growing wait", "many", OrderState.LAPSED),
    Outcome.NOT_SENT: Fate("sent again after a growing wait", "many", OrderState.LAPSED),
    Outcome.UNKNOWN: Fate("asked for until it is proven", "1", OrderState.LAPSED),
}
"""Outcome of a placing call -> fate; measured for every code by a test."""

CLASSES: Mapping[ErrorClass, str] = {
    ErrorClass.FATAL_REQUEST: "the request itself is wrong: the same again is refused again",
    ErrorClass.FATAL_ACCOUNT: "key, account or position do not allow it",
    ErrorClass.RETRY_SAFE: "certainly not executed, by the documentation",
    ErrorClass.UNKNOWN: "no verdict: it may have been executed",
    ErrorClass.THROTTLE: "too many requests or orders: certainly not executed",
    ErrorClass.CLOCK: "the time in the request was outside its window: certainly not executed",
    ErrorClass.ALREADY_DONE: "it is so already, or there is nothing left to do it to",
    ErrorClass.DUPLICATE: "a copy with the same id is open",
}

ELSEWHERE: Mapping[int, str] = {
    -2011: "a cancel: done; a change: refused",
    -2013: "a question: not there, counted as proof only after the fence; a cancel: done",
    -4046: "a setting: done",
    -4059: "a setting: done",
    -4171: "a setting: done",
    -5027: "a change: done",
    -5043: "a change: sent again",
}
"""Codes that mean something else to what is no new order."""


@dataclass(frozen=True, slots=True)
class HttpKind:
    """An answer that is told apart by its HTTP status, and by its text where that says more."""

    kind: str
    answer: Answer
    cure: str


_AGAIN = "nothing to do: the runner tries again"
_ASKED = "nothing to do: the runner asks what became of the order"

HTTP_KINDS: tuple[HttpKind, ...] = (
    HttpKind(
        "no connection, nothing was sent",
        Answer("not_sent"),
        "check the network if it lasts: runner doctor tells what cannot be reached",
    ),
    HttpKind("timeout, reset or end after sending", Answer("broken"), _ASKED),
    HttpKind(
        "401",
        Answer("ok", 401, -2015, "", "error"),
        cure(-2015),
    ),
    HttpKind(
        "403 (a page of the firewall)",
        Answer("ok", 403, None, "", "none"),
        "the exchange's firewall is in the way: send less, and ask its support if it lasts",
    ),
    HttpKind(
        "404",
        Answer("ok", 404, None, "", "none"),
        "the address is no exchange of this kind: look at address in runner.yaml",
    ),
    HttpKind("408", Answer("ok", 408, -1007, "", "error"), _ASKED),
    HttpKind(
        "418",
        Answer("ok", 418, -1003, "", "error"),
        "the exchange has banned this address for 2 minutes to 3 days: nothing at all is sent "
        "until its end, which the log names; the countdown on the exchange protects meanwhile",
    ),
    HttpKind("429", Answer("ok", 429, -1003, "", "error"), cure(-1003)),
    HttpKind(
        '503 "Unknown error, please check your request or try again later."',
        Answer("ok", 503, None, "Unknown error, please check your request", "other"),
        _ASKED,
    ),
    HttpKind(
        '503 "Service Unavailable."',
        Answer("ok", 503, None, "Service Unavailable.", "other"),
        _AGAIN,
    ),
    HttpKind(
        '503 "Internal error; unable to process your request. Please try again."',
        Answer("ok", 503, -1001, "Internal error; unable to process your request", "error"),
        _ASKED,
    ),
    HttpKind(
        "503 with -1008 (request throttled)", Answer("ok", 503, -1008, "", "error"), cure(-1008)
    ),
    HttpKind("every other 5xx", Answer("ok", 502, None, "", "none"), _ASKED),
    HttpKind("200 whose body is no JSON", Answer("ok", 200, None, "", "none"), _ASKED),
)
"""Source: general-info, HTTP Return Codes. Where sources differ the more cautious reading wins."""


def outcome_of(code: int) -> Outcome:
    """What this code, answered with HTTP 400, proves about a new order."""
    return classify(Answer("ok", 400, code, "", "error"), KNOWN_CODES)


def page() -> str:
    """The whole page."""
    return "\n".join([*_head(), *_classes(), *_http(), *_codes()]) + "\n"


def _head() -> Iterator[str]:
    yield "# Errors of the exchange"
    yield ""
    yield "What Binance USDⓈ-M futures can answer to a new order, what the runner then does by"
    yield "itself, and what you can do. This page is made from the code"
    yield "(`python -m runner.venues.binance_usdm.error_page`); a test plays every line of it."
    yield ""
    yield "*Attempts* and *end* are those of an entry that is answered so every time, with the"
    yield "default `expires_after` of a minute: *many* are sent after 0.2, 0.4, 0.8, 1.6 and then"
    yield "every 3.2 s, until one is taken or it is too late. An order that nobody knows about"
    yield "(*asked for*) is looked up several times; once it is proven absent and still in time it"
    yield "is sent again, later it is LAPSED, and what cannot be proven is PARKED for you to"
    yield "decide. Exits have no such limit: they are tried until they are taken."
    yield ""


def _classes() -> Iterator[str]:
    yield "## Classes"
    yield ""
    yield "| class | what it says |"
    yield "| --- | --- |"
    for name, text in CLASSES.items():
        yield f"| {name} | {text} |"
    yield ""


def _http() -> Iterator[str]:
    yield "## By HTTP status"
    yield ""
    yield "| answer | the runner | attempts | end | what you can do |"
    yield "| --- | --- | --- | --- | --- |"
    for kind in HTTP_KINDS:
        fate = FATES[classify(kind.answer, KNOWN_CODES)]
        what = f"{fate.action} | {fate.attempts} | {fate.end}"
        yield f"| {kind.kind} | {what} | {_sentence(kind.cure)} |"
    yield ""


def _codes() -> Iterator[str]:
    yield "## By code"
    yield ""
    yield "| code | name | class | the runner | attempts | end | what you can do |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for code in sorted(KNOWN_CODES, key=abs):
        fate = FATES[outcome_of(code)]
        action = fate.action + (f" ({ELSEWHERE[code]})" if code in ELSEWHERE else "")
        yield (
            f"| `{code}` | {NAME_OF[code]} | {CLASS_OF[code]} | {action} | {fate.attempts} | "
            f"{fate.end} | {_sentence(cure(code))} |"
        )
    fate = FATES[Outcome.UNKNOWN]
    yield (
        f"| any other | | {ErrorClass.UNKNOWN} | {fate.action} | {fate.attempts} | {fate.end} | "
        f"{_sentence(UNLISTED)} |"
    )


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


if __name__ == "__main__":
    Path(sys.argv[1] if sys.argv[1:] else "docs/errors.md").write_text(page(), "utf-8")
