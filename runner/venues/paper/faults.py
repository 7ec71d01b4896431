"""Faults that tests ask for: answers that vanish, come late, or lie about what was done."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KINDS = ("drop_answer", "hang", "reject_503_unknown", "delay", "refuse")


@dataclass(slots=True)
class Fault:
    """What goes wrong with the next `count` requests whose text `match` finds.

    drop_answer: execute, then close the socket without an answer. hang: execute, then wait `ms`
    before answering. reject_503_unknown: answer 503 "Unknown error", having executed or not.
    delay: wait `ms` before executing. refuse: answer `status`, `code`, `msg` without executing.
    """

    kind: str
    match: str = ""
    count: int = 1
    execute: bool = True
    ms: int = 0
    status: int = 400
    code: int = -1001
    msg: str = "Internal error; unable to process your request. Please try again."


class Faults:
    """The faults still to come. Not thread-safe: the server calls it under its lock."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, document: Mapping[str, Any]) -> None:
        """Take in a fault described as JSON; raises ValueError for one that is not known."""
        if document.get("kind") not in KINDS:
            raise ValueError(f"unknown fault kind {document.get('kind')!r}: use one of {KINDS}")
        names = Fault.__dataclass_fields__
        unknown = [name for name in document if name not in names]
        if unknown:
            raise ValueError(f"unknown fault fields {unknown}: use {', '.join(names)}")
        self._waiting.append(Fault(**document))

    def next_for(self, text: str) -> Fault | None:
        """Return the fault that befalls the request described by `text`, and use it up by one."""
        for fault in self._waiting:
            if re.search(fault.match, text):
                fault.count -= 1
                if fault.count <= 0:
                    self._waiting.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        """Forget all faults still to come."""
        self._waiting.clear()
