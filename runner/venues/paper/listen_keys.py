"""The life of listen keys: one per account, 60 minutes from the last sign of life."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from .errors import refuse

LIFE = 60 * 60_000


@dataclass(slots=True)
class _Key:
    name: str
    account: str
    expires_at: int


class ListenKeys:
    """The listen keys in force."""

    def __init__(self) -> None:
        self._by_account: dict[str, _Key] = {}

    def create(self, account: str, now: int) -> str:
        """Return the account's key, a new one or the one in force, which lives on from now."""
        known = self._by_account.get(account)
        if known is None or known.expires_at <= now:
            known = _Key(secrets.token_hex(32), account, 0)
            self._by_account[account] = known
        known.expires_at = now + LIFE
        return known.name

    def keep_alive(self, account: str, now: int) -> str:
        """Return the key in force, prolonged; raises -1125 when there is none."""
        known = self._by_account.get(account)
        if known is None or known.expires_at <= now:
            raise refuse(-1125)
        known.expires_at = now + LIFE
        return known.name

    def close(self, account: str) -> str:
        """End the account's key and return it, empty when there was none."""
        known = self._by_account.pop(account, None)
        return known.name if known else ""

    def account_of(self, name: str) -> str | None:
        """Return the account of a key in force."""
        for key in self._by_account.values():
            if key.name == name:
                return key.account
        return None

    def expire(self, now: int) -> list[str]:
        """Remove the keys whose time is up and return them."""
        over = [key for key in self._by_account.values() if key.expires_at <= now]
        for key in over:
            del self._by_account[key.account]
        return [key.name for key in over]
