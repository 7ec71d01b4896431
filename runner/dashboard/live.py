"""Tells open pages that something changed, as server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from flask import Flask, Response, request

from runner.dashboard.desk import Desk
from runner.dashboard.doors import Doors
from runner.errors import JournalError

MOST_STREAMS = 12
"""Pages that are told at the same time; a further one refreshes itself by the clock."""

LOOK_EVERY = 0.5
"""Seconds between two looks at the journal while a page is open."""

BEAT = 5.0
"""Seconds after which a page is told that all is well; it finds out that nobody is there, too."""

RETRY = 3_000


class Live:
    """The streams; each one runs on a thread of the server that serves nothing else meanwhile."""

    def __init__(
        self, desk: Desk, doors: Doors, room: threading.BoundedSemaphore | None = None
    ) -> None:
        """Nobody watches yet; a stream ends with the session in `doors` that opened it.

        The pages of several accounts share the `room` for streams.
        """
        self._desk = desk
        self._doors = doors
        self.room = room or threading.BoundedSemaphore(MOST_STREAMS)
        self._stopping = threading.Event()
        self._noticed = 0

    def install(self, app: Flask) -> None:
        """Add the stream to the app."""
        app.add_url_rule("/stream", "stream", self.stream)

    def notice(self) -> None:
        """Something changed that the journal does not show: an answer came."""
        self._noticed += 1

    def stop(self) -> None:
        """End every stream."""
        self._stopping.set()

    def stream(self) -> Response:
        """Events `changed` (the journal has more) and `beat`; 204 when there is no room."""
        if not self.room.acquire(blocking=False):
            return Response(status=204)  # an EventSource that gets it does not come again
        response = Response(self._events(self._alive()), mimetype="text/event-stream")
        response.headers["X-Accel-Buffering"] = "no"
        response.call_on_close(self.room.release)
        return response

    def _alive(self) -> Callable[[], bool]:
        """Whether the session of this request is still open; an open page keeps it so."""
        cookie = request.cookies.get(self._doors.cookie, "")
        return lambda: self._doors.sessions.find(cookie) is not None

    def _events(self, alive: Callable[[], bool]) -> Iterator[str]:
        yield f"retry: {RETRY}\n\n"
        seen = self._state()
        told_at = time.monotonic()
        while not self._stopping.wait(LOOK_EVERY):
            if not alive():
                return
            now = self._state()
            if now != seen:
                seen, told_at = now, time.monotonic()
                yield f"id: {now[0]}\nevent: changed\ndata: {now[0]}\n\n"
            elif time.monotonic() - told_at >= BEAT:
                told_at = time.monotonic()
                yield f"event: beat\ndata: {now[0]}\n\n"

    def _state(self) -> tuple[int, int]:
        try:
            with self._desk.journal() as journal:
                return journal.newest_seq(), self._noticed
        except JournalError:
            return 0, self._noticed
