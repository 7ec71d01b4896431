"""The table of webhooks: which path takes which secret or signature, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from runner.core.events import Value
from runner.sources.texts import TextForm


@dataclass(frozen=True, slots=True)
class Hook:
    """`POST /hook/<path>`; the secret is in the body's `secret_field`, follows the path, or
    signs the body. `text`: how this path reads text, None where it takes JSON only.
    """

    path: str
    secret: bytes = field(repr=False)
    secret_field: str = "secret"  # noqa: S105  # the name of a field
    text: TextForm | None = None

    def admits(self, given: Value | None) -> bool:
        """Return whether this is the secret; the time it takes does not tell how near it came.

        A secret of digits may stand in the body as a number.
        """
        text = str(given) if isinstance(given, (str, Decimal)) else ""
        same = _same(text.encode(), self.secret)
        return same and bool(text)

    def signed(self, body: bytes, header: str) -> bool:
        """Return whether the header is `sha256=` and HMAC-SHA256(secret, body) in hexadecimal.

        Upper or lower case, with or without the prefix, as other senders write it.
        """
        right = hmac.new(self.secret, body, hashlib.sha256).hexdigest()
        given = header.strip().lower().removeprefix("sha256=")
        return _same(given.encode(), right.encode())


def _same(given: bytes, right: bytes) -> bool:
    """Whether they are equal, by their hashes: the time tells neither length nor first difference.

    Source: hmac.compare_digest takes the same time only for the same lengths.
    """
    digests = [hashlib.sha256(each).digest() for each in (given, right)]
    return hmac.compare_digest(*digests)


HookTable = Mapping[str, Hook]
"""Hooks by path; a reload puts a new table in the place of the old one."""
