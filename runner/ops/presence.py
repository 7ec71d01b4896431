"""Which process runs in a folder: the kernel knows, by a lock that ends with the process."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path

from runner.errors import RunnerError

FILE_NAME = "runner.lock"

_FLOCK = "hhqqi"
"""struct flock of fcntl(2) on Linux: type, whence, start, length, pid."""


def announce(folder: Path, accounts: Mapping[str, str] | None = None) -> int | None:
    """Be the one that runs in this folder; a descriptor to keep open, None if another one is.

    The file says which `accounts` it trades with, each with the name that sets it apart ("" for
    the one that keeps the folder's own journal). A POSIX lock, because the kernel tells its
    holder's process id to whoever asks: a number in a file may be that of a process long gone,
    and by now of somebody else's.
    """
    try:
        descriptor = os.open(folder / FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    with contextlib.suppress(OSError):  # a full disk: who asks looks for journals then
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps(dict(accounts or {})).encode())
    return descriptor


def accounts_in(folder: Path) -> dict[str, str]:
    """The accounts of the process that runs in this folder, each with what sets it apart.

    Empty when it said nothing of them.
    """
    try:
        told = json.loads((folder / FILE_NAME).read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(name): str(apart) for name, apart in told.items()} if isinstance(told, dict) else {}


def process_in(folder: Path) -> int | None:
    """The id of the process that runs in this folder, None when there is none.

    Raises RunnerError when this user may not know.
    """
    path = folder / FILE_NAME
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunnerError(
            f"cannot look at {path}: {error.strerror}; be the user the runner runs as"
        ) from error
    try:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, process = struct.unpack(
            _FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, asked)
        )
    finally:
        os.close(descriptor)
    return None if kind == fcntl.F_UNLCK else int(process)
