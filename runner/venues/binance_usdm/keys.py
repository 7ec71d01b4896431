"""The API key in force: it signs, carries, and can be changed while requests are on their way."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from runner.errors import ConfigurationError
from runner.venues import RawAnswer
from runner.venues.binance_usdm.signing import Signer, signer
from runner.venues.gate import Gate

HIDDEN = b"***"
SHORTEST = 9
"""Characters; what is shorter is no key of the exchange's, and may be any word of an answer."""

_SIGNATURE = re.compile(r"""signature["']?[=:]\s*["']?([^&"']+)""")
"""In an address or a form, and in the WebSocket API's JSON."""


class Transport(Protocol):
    """What carries the bytes; a test or a simulation puts its own here."""

    def exchange(self, method: str, path: str, payload: str, gate: Gate | None = None) -> RawAnswer:
        """Send once, when `gate` lets it, and read the whole answer; raises only Withheld."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One key with what signs for it and what carries it in its header."""

    key: str
    signer: Signer
    transport: Transport

    def __repr__(self) -> str:
        """Without the key."""
        return "Slot()"

    def sign(self, timed: str) -> str:
        """The parameter text with its signature."""
        return f"{timed}&signature={self.signer.sign(timed.encode())}"

    def clean(self, answer: RawAnswer, payload: str) -> RawAnswer:
        """The answer without this key and the payload's signature: some pages repeat a request."""
        body, detail = answer.body, answer.detail
        for each in (self.key, *_SIGNATURE.findall(payload)):
            if len(each) < SHORTEST:
                continue
            body, detail = body.replace(each.encode(), HIDDEN), detail.replace(each, "***")
        if body == answer.body and detail == answer.detail:
            return answer
        return replace(answer, body=body, detail=detail)

    def signed(self, payload: str) -> bool:
        """True when this key's signature stands at the end of a payload."""
        timed, mark, _ = payload.rpartition("&signature=")
        return bool(mark) and self.sign(timed) == payload


class Keys:
    """The slot in force, and the one before it for what it had signed already.

    A change is one assignment: whoever signs meanwhile uses the old slot or the new one, whole.
    """

    def __init__(self, first: Slot, monotonic: Callable[[], int], keep: int) -> None:
        """The old slot is kept for `keep` ms after a change: nothing older is sent."""
        self._slots: tuple[Slot, Slot | None, int] = (first, None, 0)
        self._monotonic = monotonic
        self._keep = keep

    @property
    def current(self) -> Slot:
        """What signs from now on."""
        return self._slots[0]

    def change(self, slot: Slot) -> None:
        """Put this slot in force; what was signed before leaves with the key it was signed for."""
        self._slots = (slot, self.current, self._monotonic() + self._keep)

    def of(self, payload: str) -> Slot:
        """The slot that signed this payload; the one in force for what nobody signed."""
        current, before, until = self._slots
        if before is not None and self._monotonic() <= until and before.signed(payload):
            return before
        return current


def slot(key: str, secret: str, carry: Callable[[str], Transport]) -> Slot:
    """Return a slot; `carry` makes the transport of a key.

    Raises ConfigurationError for a key or secret that cannot be one.
    """
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigurationError(
            "the API key is empty or holds what no key holds: copy it again from the exchange"
        )
    return Slot(key, signer(secret), carry(key))
