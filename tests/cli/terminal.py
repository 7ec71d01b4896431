"""The command line on a terminal of a certain size, as a person sits before it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping

_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\r")


def on_terminal(
    *words: object,
    rows: int = 24,
    columns: int = 80,
    typed: str = "",
    env: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """The exit code, and all that appears: stdout and stderr, colours and cursor moves left out.

    `typed` is what is written on the keyboard before anything is read.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    plain = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-m", "runner", *map(str, words)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**plain, "TERM": "xterm", **(env or {})},
        start_new_session=True,
    )
    os.close(theirs)
    os.write(ours, typed.encode())
    shown = b""
    try:
        # the terminal says EIO once nobody has it open any more
        while chunk := _read(ours):
            shown += chunk
        code = process.wait(60)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return code, _CONTROLS.sub("", shown.decode())


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""
