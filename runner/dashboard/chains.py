"""Events from receipt to end: what followed from each, in the order in which it happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Plain = Mapping[str, Any]

HEADS = frozenset({"event", "fired", "refused", "dead_man", "error", "reset", "command"})
"""Kinds of records that begin something, or say why nothing began."""

MARKS = {
    "planned": "planned",
    "sent": "sent",
    "answered": "answered",
    "state": "state",
    "fill": "filled",
    "run": "ended",
    "refused": "refused",
    "error": "error",
    "notify": "told",
    "crossed": "crossed",
    "reset": "reset",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its kind in a word, when (ms), what, and the reason where it went no further."""

    word: str
    at: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Chain:
    """One event; `end` is where it stands, `good` whether that is what the rule wanted.

    `good` is None while it goes on, or where there was nothing to want.
    """

    head: Plain
    steps: tuple[Step, ...]
    end: str
    good: bool | None


def chain_of(head: Plain, steps: Sequence[Plain]) -> Chain:
    """The event of a record and, where it fired, the records of its run."""
    if head["kind"] != "fired":
        return Chain(head, (), head["reason"] or head["kind"], _verdict(head))
    later = [each for each in steps if each["seq"] > head["seq"]]
    told = tuple(
        Step(MARKS[each["kind"]], each["at"], each["text"], each["reason"])
        for each in later
        if each["kind"] in MARKS
    )
    ends = [each for each in later if each["kind"] == "run"]
    if not ends:
        reasons = [each["reason"] for each in later if each["reason"]]
        return Chain(head, told, reasons[-1] if reasons else "goes on", None)
    end = ends[-1]
    return Chain(head, told, end["reason"] or end["text"], not end["reason"])


def _verdict(head: Plain) -> bool | None:
    if head["kind"] in ("error", "refused"):
        return False
    return False if head["reason"] else None
