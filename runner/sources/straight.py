"""The straight way of an alert: taken and answered on the server's own thread, with no other.

An alert waits for its commit without holding a thread, so that 200 that come at once are all in
hand before the first of them is committed. What is in any way unusual goes to a worker and to the
app, which gives the same answers.
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from waitress.utilities import build_http_date
from werkzeug.http import HTTP_STATUS_CODES

from runner.core.decision import AlertAnswer
from runner.core.events import Alert
from runner.sources.door import Answer, Door, Knock, Reply, failed, outcome, tell

LONGEST_POLL = 1.0
"""Seconds until the server looks around although nothing happens."""

_PATH = re.compile(r"/hook/([!-.0-~]+)(?:/([!-.0-~]+))?")
_VERSIONS = frozenset({"1.0", "1.1"})
_UNUSUAL = frozenset({"UPGRADE", "TRANSFER_ENCODING"})


class Link(Protocol):
    """A connection whose first request is to be answered."""

    requests: list[Any]
    addr: tuple[Any, ...]

    def taken(self) -> None:
        """Its request is whole, and somebody has it."""

    def reply(self, data: bytes, *, close: bool) -> None:
        """Write the answer; close, or go on to the next request."""

    def handle_error(self) -> None:
        """Log what was raised, and close."""


@dataclass(slots=True)
class _Waiting:
    """An alert on its way; times are seconds (monotonic)."""

    link: Link
    alert: Alert
    began: float
    until: float = 0.0
    reply: Reply | None = None
    answer: Answer | None = None
    over: bool = False


class Straight:
    """Everything but `add` and `wake` is for the server's own thread alone."""

    def __init__(self, door: Door, server: Any) -> None:
        """`server` is waitress', not yet running."""
        self._door = door
        self._server = server
        self._workers = server.task_dispatcher
        self._whole: deque[Link] = deque()
        self._waiting: deque[_Waiting] = deque()
        self._decided: deque[_Waiting] = deque()
        self._woken = False
        self._closed = False
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._dated = (0, "")

    def begin(self) -> None:
        """The thread that calls is the server's own."""
        self._thread = threading.get_ident()

    def close(self) -> None:
        """Nobody wakes the server any more: another file may get its pipe's number."""
        with self._lock:
            self._closed = True

    def add(self, link: Link) -> None:
        """A whole request came (waitress calls this `add_task`)."""
        if threading.get_ident() == self._thread and _usual(link.requests[0]):
            self._whole.append(link)
        else:
            self._workers.add_task(link)

    def rest(self) -> float:
        """Seconds until somebody has waited long enough, at most LONGEST_POLL."""
        if self._whole or self._decided:
            return 0.0
        while self._waiting and self._waiting[0].over:
            self._waiting.popleft()
        if not self._waiting:
            return LONGEST_POLL
        left = self._waiting[0].until - time.monotonic() + 0.001  # poll() cuts off what is below
        return min(max(left, 0.0), LONGEST_POLL)

    def turn(self) -> None:
        """Take in what came; answer what was decided, and who has waited too long; then log."""
        self.take_in()
        self._woken = False
        lines: list[tuple[Alert, AlertAnswer | None, Answer]] = []
        for each in self._due():
            self._guarded(each.link, self._answer, each, lines)
        for line in lines:
            tell(*line)

    def take_in(self) -> None:
        """Hand in what came."""
        while self._whole:
            link = self._whole.popleft()
            self._guarded(link, self._take, link)

    def _due(self) -> Iterator[_Waiting]:
        while self._decided:
            yield self._decided.popleft()
        now = time.monotonic()
        while self._waiting and (self._waiting[0].over or self._waiting[0].until <= now):
            yield self._waiting.popleft()

    @staticmethod
    def _guarded(link: Link, action: Callable[..., None], *what: Any) -> None:
        """Whatever happens with one connection, the others are served."""
        try:
            action(*what)
        except Exception:  # noqa: BLE001  # it is logged, and the connection closed
            link.handle_error()

    def _take(self, link: Link) -> None:
        """Look at a request, hand its alert in, or answer at once."""
        began = time.monotonic()
        link.taken()
        try:
            found = self._door.look(_knock(link))
            if isinstance(found, Answer):
                self._write(link, found, began)
                return
            waiting = _Waiting(link, found, began)
            waiting.reply = self._door.hand_in(found)
        except Exception as error:  # noqa: BLE001  # answered 503 and logged, whatever it is
            self._write(link, failed(error), began)
            return
        if waiting.reply is None:
            self._workers.add_task(_Asked(self, self._door, waiting))
            return
        waiting.until = began + self._door.patience
        self._waiting.append(waiting)
        waiting.reply.add_done_callback(lambda _: self.decided(waiting))

    def decided(self, waiting: _Waiting) -> None:
        """Somebody knows what came of it; any thread may call."""
        self._decided.append(waiting)
        if not self._woken:
            self._woken = True
            with self._lock:
                if not self._closed:
                    self._server.trigger.pull_trigger()

    def _answer(
        self, waiting: _Waiting, lines: list[tuple[Alert, AlertAnswer | None, Answer]]
    ) -> None:
        if waiting.over:
            return
        waiting.over = True
        if waiting.answer is None:
            reply = waiting.reply
            told = reply.result() if reply is not None and reply.done() else None
            waiting.answer = outcome(told)
            lines.append((waiting.alert, told, waiting.answer))
        self._write(waiting.link, waiting.answer, waiting.began)

    def _write(self, link: Link, answer: Answer, began: float) -> None:
        data, close = self._bytes(answer, link.requests[0])
        link.reply(data, close=close)
        for count in self._door.counted:
            count(answer.status, time.monotonic() - began)

    def _bytes(self, answer: Answer, request: Any) -> tuple[bytes, bool]:
        """The whole answer as waitress would write it, and whether it closes the connection."""
        wish = request.headers.get("CONNECTION", "").lower()
        lasts = wish == "keep-alive" if request.version == "1.0" else wish != "close"
        body = answer.body
        lines = [f"HTTP/{request.version} {answer.status} {_phrase(answer.status)}"]
        if not lasts:
            lines.append("Connection: close")
        elif request.version == "1.0":
            lines.append("Connection: Keep-Alive")
        lines.append(f"Content-Length: {len(body)}")
        lines.append("Content-Type: application/json")
        lines.append(f"Date: {self._date()}")
        if answer.retry_after is not None:
            lines.append(f"Retry-After: {answer.retry_after}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body, not lasts

    def _date(self) -> str:
        now = int(time.time())
        if self._dated[0] != now:
            self._dated = now, build_http_date(now)
        return self._dated[1]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a worker does for an alert that somebody must wait for."""

    straight: Straight
    door: Door
    waiting: _Waiting

    def service(self) -> None:
        """Wait for what comes of it."""
        try:
            self.waiting.answer = self.door.ask(self.waiting.alert)
        except Exception as error:  # noqa: BLE001  # the same
            self.waiting.answer = failed(error)
        self.straight.decided(self.waiting)

    def cancel(self) -> None:
        """The server stops: nobody hears the answer."""


def _usual(request: Any) -> bool:
    """Whether the app would give this request to the door, and do nothing else."""
    return (
        request.error is None
        and request.command == "POST"
        and request.version in _VERSIONS
        and _PATH.fullmatch(request.path) is not None
        and _UNUSUAL.isdisjoint(request.headers)
    )


def _knock(link: Link) -> Knock:
    request = link.requests[0]
    path, token = _PATH.fullmatch(request.path).groups()  # type: ignore[union-attr]  # it is usual
    forwarded = request.headers.get("X_FORWARDED_FOR")
    return Knock(
        path,
        token,
        request.get_body_stream().read(),
        link.addr[0],
        () if forwarded is None else (forwarded,),
        request.headers.get("X_SIGNATURE"),
    )


def _phrase(status: int) -> str:
    return HTTP_STATUS_CODES[status].upper()
