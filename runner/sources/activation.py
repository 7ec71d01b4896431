"""The listening socket that systemd holds for the runner over restarts (sd_listen_fds(3))."""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping

FIRST_DESCRIPTOR = 3


def passed_on(environ: MutableMapping[str, str] = os.environ) -> socket.socket | None:
    """Take the first listening stream socket that was passed on; None without a socket unit.

    The variables are removed, so that no child process takes them for its own. Raises OSError
    when the descriptor is no socket.
    """
    meant = environ.pop("LISTEN_PID", "")
    count = environ.pop("LISTEN_FDS", "")
    environ.pop("LISTEN_FDNAMES", None)
    if meant != str(os.getpid()) or not count.isdigit() or int(count) < 1:
        return None
    for descriptor in range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + int(count)):
        os.set_inheritable(descriptor, False)
    return socket.socket(fileno=FIRST_DESCRIPTOR)
