"""Faults that tests ask for: answers that vanish, come late, or lie about what was done."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

REQUEST_KINDS = (
    *("drop_request", "drop_answer", "cut_answer", "hang", "slow", "delay"),
    *("reject_503_unknown", "refuse", "answer"),
)
STREAM_KINDS = ("lose", "repeat", "late")
KINDS = REQUEST_KINDS + STREAM_KINDS


@dataclass(slots=True)
class Fault:
    """What goes wrong with `count` (0: all) requests or messages whose text `match` finds.

    The first `skip` of them pass. drop_request: close the socket unread. drop_answer: execute,
    then close the socket without an answer; cut_answer: in the middle of the answer. hang: execute,
    then wait `ms` before answering. slow: execute, then answer byte by byte, `ms` after each.
    delay: wait `ms` before executing. reject_503_unknown: answer 503 "Unknown error", having
    executed or not. refuse: answer `status`, `code`, `msg` without executing. answer: the text
    `body` with `status`, having executed or not. `retry_after` (s) becomes that header.
    Stream messages are lost, repeated, or come late: after the one behind them.
    """

    kind: str
    match: str = ""
    count: int = 1
    skip: int = 0
    execute: bool = True
    ms: int = 0
    status: int = 400
    code: int = -1001
    msg: str = "Internal error; unable to process your request. Please try again."
    body: str = ""
    retry_after: int = 0


class Faults:
    """The faults still to come. Not thread-safe: the server calls it under its lock."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._late: list[str] = []

    def add(self, document: Mapping[str, Any]) -> None:
        """Take in a fault described as JSON; raises ValueError for one that is not known."""
        if document.get("kind") not in KINDS:
            raise ValueError(f"unknown fault kind {document.get('kind')!r}: use one of {KINDS}")
        names = Fault.__dataclass_fields__
        unknown = [name for name in document if name not in names]
        if unknown:
            raise ValueError(f"unknown fault fields {unknown}: use {', '.join(names)}")
        fault = Fault(**document)
        try:
            re.compile(fault.match)
        except re.error as error:
            raise ValueError(f"match {fault.match!r} is no pattern: {error}") from error
        self._waiting.append(fault)

    def next_for(self, text: str) -> Fault | None:
        """Return the fault that befalls the request described by `text`, and use it up by one."""
        return self._next(text, REQUEST_KINDS)

    def told(self, text: str) -> list[str]:
        """Return what is really sent for a stream message: nothing, it, it twice, or others too."""
        fault = self._next(text, STREAM_KINDS) if self._waiting else None
        if fault is None:
            late, self._late = self._late, []
            return [text, *late]
        if fault.kind == "late":
            self._late.append(text)
        return [text, text] if fault.kind == "repeat" else []

    def _next(self, text: str, kinds: tuple[str, ...]) -> Fault | None:
        for fault in self._waiting:
            if fault.kind not in kinds or not re.search(fault.match, text):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            if fault.count == 1:
                self._waiting.remove(fault)
            fault.count = max(0, fault.count - 1)
            return fault
        return None

    def clear(self) -> None:
        """Forget all faults still to come."""
        self._waiting.clear()


def read_fault(text: str) -> dict[str, Any]:
    """Return the fault written as `kind` or `kind,name=value,…` (a command line's form).

    Raises ValueError for one that is not known or a value that does not fit.
    """
    kind, *pairs = text.split(",")
    document: dict[str, Any] = {"kind": kind.strip()}
    fields = Fault.__dataclass_fields__
    for pair in pairs:
        name, separator, value = pair.partition("=")
        name = name.strip()
        if not separator or name not in fields:
            raise ValueError(f"unknown fault field {pair!r}: use {', '.join(fields)}, as in ms=500")
        document[name] = _typed(name, value)
    Faults().add(document)
    return document


def _typed(name: str, value: str) -> str | int | bool:
    default = Fault.__dataclass_fields__[name].default
    if isinstance(default, bool):
        if value not in ("true", "false"):
            raise ValueError(f"{name}={value}: use true or false")
        return value == "true"
    if isinstance(default, int):
        try:
            return int(value)
        except ValueError:
            raise ValueError(f"{name}={value}: use a whole number") from None
    return value
