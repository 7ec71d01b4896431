"""A network cable that a test can pull: it forwards connections to a port until it is cut."""

from __future__ import annotations

import contextlib
import socket
import threading


class Cable:
    """Listens on a port of its own; `cut` ends every connection and refuses new ones."""

    def __init__(self, port: int) -> None:
        """Forward to this port of 127.0.0.1."""
        self._to = port
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._whole = True
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Nothing goes through any more."""
        with self._lock:
            self._whole = False
            ends, self._open = self._open, []
        for end in ends:
            _close(end)

    def mend(self) -> None:
        """New connections go through again."""
        with self._lock:
            self._whole = True

    def close(self) -> None:
        """The test is over."""
        self.cut()
        _close(self._listener)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._join(near)

    def _join(self, near: socket.socket) -> None:
        with self._lock:
            if not self._whole:
                _close(near)
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._to), 60)
            except OSError:
                _close(near)
                return
            far.settimeout(None)
            self._open += [near, far]
        for one, other in ((near, far), (far, near)):
            threading.Thread(target=_pump, args=(one, other), daemon=True).start()


def _pump(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65_536):
            other.sendall(data)
    _close(one)
    _close(other)


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
