"""The dashboard's password: kept as an argon2id hash, checked one at a time."""

from __future__ import annotations

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SECRET = "dashboard"  # noqa: S105 - the name of the secret that holds the hash
SHORTEST = 12
"""Characters of a password; it opens the way to every position."""

LONGEST = 256

_one_at_a_time = threading.Lock()


def hash_of(password: str) -> str:
    """The argon2id hash of a password (RFC 9106, second recommendation: 64 MiB, 3 passes)."""
    return PasswordHasher().hash(password)


def objection(password: str) -> str | None:
    """Why this cannot be the password, None when it can."""
    if len(password) < SHORTEST:
        return f"the password has {len(password)} characters: take at least {SHORTEST}"
    return f"the password is longer than {LONGEST} characters" if len(password) > LONGEST else None


def is_hash(text: str) -> bool:
    """True for what `hash_of` may have written."""
    return text.startswith("$argon2id$")


def fits(kept: str, password: str) -> bool:
    """True when the password is the one of this hash; memory for one check at a time only."""
    if len(password) > LONGEST:
        return False
    with _one_at_a_time:
        try:
            return PasswordHasher().verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False
