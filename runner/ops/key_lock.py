"""One runner a key and machine: the kernel keeps the claim, and drops it with the process.

An abstract Unix socket (unix(7), Linux): no file that could be left behind, no folder that a
sandbox hides. Its name is a hash of address and key, which tells neither.
"""

from __future__ import annotations

import errno
import hashlib
import socket
import struct

from runner.errors import ConfigurationError, RunnerError

_CREDENTIALS = "3i"
"""struct ucred: process, user, group."""


def fingerprint(key: str) -> str:
    """Eight hexadecimal digits that tell keys apart and say nothing of the key."""
    return hashlib.sha256(key.encode()).hexdigest()[:8]


def claim(address: str, key: str, account: str) -> socket.socket:
    """Be the only runner of this machine that uses this key there; close it to let go.

    Raises ConfigurationError, with the process that has it. Containers with a network of their
    own are machines of their own.
    """
    name = hashlib.sha256(f"order-runner {address} {key}".encode()).hexdigest()
    claimed = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        claimed.bind(f"\0order-runner-{name}")
        claimed.listen(8)
    except OSError as error:
        claimed.close()
        if error.errno != errno.EADDRINUSE:
            raise RunnerError(
                f"cannot claim the key of account {account}: {error.strerror}"
            ) from None
        raise ConfigurationError(
            f"another runner on this machine{_holder(name)} uses the key of account {account} "
            f"(fingerprint {fingerprint(key)}): two would eat each other's rate limits and cancel "
            "each other's orders. Stop that one, or make a key for this one"
        ) from None
    return claimed


def _holder(name: str) -> str:
    """The process that has the claim, as far as the kernel tells."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.settimeout(1)
            asking.connect(f"\0order-runner-{name}")
            size = struct.calcsize(_CREDENTIALS)
            told = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
            process, _, _ = struct.unpack(_CREDENTIALS, told)
    except OSError:
        return ""
    return f" (process {process})" if process > 0 else ""
