"""What one market connection carries, and the live messages that change it; pure.

Messages, answers and limits are those of the exchange's page "Live Subscribing/Unsubscribing to
streams" for USDⓈ-M futures.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

MOST = 1_024
"""Streams that the exchange takes on one connection."""
PER_MESSAGE = 100
SPACING = 0.25
"""Seconds between two messages: the exchange hangs up over ten a second, pings among them."""
DOUBT_EVERY = 10.0
"""Seconds until a connection that could not be replaced is doubted again."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A message whose answer is waited for until `until`."""

    number: int
    method: str
    names: frozenset[str]
    until: float


class Subscriptions:
    """The list that is wanted, the list that the connection carries, one message at a time.

    `want` may be called by any thread; everything else belongs to the connection's own. All times
    are monotonic seconds. What is new is asked for before what is not needed is given back, and
    the exchange's own list is compared with ours at the end.
    """

    def __init__(self, names: Iterable[str], answer_within: float) -> None:
        """No message goes unanswered for more than `answer_within`."""
        self._wanted = frozenset(names)
        self._answer_within = answer_within
        self._opening = self._carried = frozenset[str]()
        self._asked: _Asked | None = None
        self._unproven = False
        self._count = 0
        self._next_at = 0.0
        self._why: str | None = None
        self._doubted_at = 0.0

    def want(self, names: frozenset[str]) -> None:
        """Carry exactly these from now on."""
        if names != self._wanted:
            self._wanted = names

    def opening(self) -> frozenset[str]:
        """The whole list, for the address of a connection that is about to be opened."""
        self._opening = self._wanted
        return self._opening

    def opened(self) -> None:
        """That connection stands: nothing that was asked on an earlier one counts."""
        self._carried = self._opening
        self._asked = self._why = None
        self._unproven = False
        self._doubted_at = 0.0

    @property
    def settled(self) -> bool:
        """True while there is nothing to ask and no answer to wait for."""
        # by identity: this is asked at every price
        return self._carried is self._wanted and self._asked is None and not self._unproven

    @property
    def waiting(self) -> bool:
        """True while an answer is outstanding."""
        return self._asked is not None

    @property
    def carried(self) -> frozenset[str]:
        """What the connection delivers, as far as the exchange confirmed it."""
        return self._carried

    def due(self, now: float) -> str | None:
        """The message to send now; None for none."""
        if self._asked is not None or self._why is not None or now < self._next_at:
            return None
        method, names = self._next()
        if method is None:
            return None
        self._count += 1
        self._next_at = now + SPACING
        self._asked = _Asked(self._count, method, frozenset(names), now + self._answer_within)
        message: dict[str, Any] = {"method": method, "id": self._count}
        if names:
            message["params"] = names
        return json.dumps(message, ensure_ascii=False, separators=(",", ":"))

    def _next(self) -> tuple[str | None, list[str]]:
        wanted, carried = self._wanted, self._carried
        if wanted == carried:
            # one and the same object, so that `settled` is a quick question
            self._carried = wanted
            return ("LIST_SUBSCRIPTIONS" if self._unproven else None), []
        new = sorted(wanted - carried)[: min(PER_MESSAGE, MOST - len(carried))]
        if new:
            return "SUBSCRIBE", new
        return "UNSUBSCRIBE", sorted(carried - wanted)[:PER_MESSAGE]

    def heard(self, frame: Mapping[str, Any]) -> bool:
        """Take the answer that is waited for; False for a frame that is none of ours."""
        asked = self._asked
        refusal = frame.get("error", frame if "code" in frame else None)
        number = frame.get("id")
        # what could not be read at all is refused without a number
        if asked is None or (number != asked.number and (number is not None or refusal is None)):
            return False
        self._asked = None
        if refusal is not None or "result" not in frame:
            self._why = f"{asked.method} was refused: {json.dumps(refusal)[:200]}"
        elif asked.method == "LIST_SUBSCRIPTIONS":
            self._compare(frame["result"])
        else:
            self._unproven = True
            subscribed = asked.method == "SUBSCRIBE"
            ours, names = self._carried, asked.names
            self._carried = ours | names if subscribed else ours - names
        return True

    def _compare(self, listed: Any) -> None:
        """Less than we believe is a stream that would stay silent; more is no harm."""
        names = {_plain(name) for name in listed} if isinstance(listed, list) else set[str]()
        missing = [name for name in sorted(self._carried) if _plain(name) not in names]
        self._unproven = False
        if missing:
            self._why = f"{len(missing)} streams are not subscribed, first {missing[0]}"

    def doubt(self, now: float) -> str | None:
        """Why this connection must be replaced by one with the whole list; None when it is fine.

        Said again every `DOUBT_EVERY` seconds until another one is opened.
        """
        if self._asked is not None and now >= self._asked.until:
            self._why = f"{self._asked.method} was not answered in {self._answer_within:g} s"
            self._asked = None
        if self._why is None or now < self._doubted_at:
            return None
        self._doubted_at = now + DOUBT_EVERY
        return self._why


def _plain(name: Any) -> str:
    return unquote(str(name)).casefold()
