"""Rate limits: weight per address and orders per account, counted in fixed windows."""

from __future__ import annotations

from dataclasses import dataclass, field

from .errors import ApiError, refuse

WEIGHT_LIMIT = 2400
ORDER_LIMITS = ((10_000, 300, "TEN_SECONDS"), (60_000, 1200, "MINUTE"))
MINUTE = 60_000
# How many calls beyond a 429 get an address banned, and for how long at first (docs: 2 min to 3 d).
PATIENCE = 20
BAN = 120_000


class Throttled(ApiError):
    """A 429 or 418, with the seconds of its Retry-After header."""

    def __init__(self, refusal: ApiError, retry_after: int, status: int = 429) -> None:
        super().__init__(status, refusal.code, refusal.msg)
        self.retry_after = retry_after


@dataclass(slots=True)
class _Window:
    start: int = 0
    used: int = 0

    def roll(self, now: int, length: int) -> None:
        start = now - now % length
        if start != self.start:
            self.start, self.used = start, 0


@dataclass(slots=True)
class _Address:
    weight: _Window = field(default_factory=_Window)
    strikes: int = 0
    banned_until: int = 0


class Limits:
    """Counts what addresses and accounts use; refuses only when `enforced`."""

    def __init__(self, enforced: bool = True) -> None:
        self.enforced = enforced
        self._addresses: dict[str, _Address] = {}
        self._accounts: dict[str, tuple[_Window, _Window]] = {}

    def spend(self, address: str, weight: int, now: int) -> None:
        """Count a call's weight; raises 429 beyond the limit and 418 for who goes on."""
        one = self._addresses.setdefault(address, _Address())
        one.weight.roll(now, MINUTE)
        if self.enforced and now < one.banned_until:
            one.banned_until = max(one.banned_until, now + BAN)
            raise self._banned(one, now)
        one.weight.used += weight
        if not self.enforced or one.weight.used <= WEIGHT_LIMIT:
            return
        one.strikes += 1
        if one.strikes > PATIENCE:
            one.strikes, one.banned_until = 0, now + BAN
            raise self._banned(one, now)
        rest = one.weight.start + MINUTE - now
        raise Throttled(refuse(-1003, WEIGHT_LIMIT), -(-rest // 1000))

    @staticmethod
    def _banned(one: _Address, now: int) -> Throttled:
        text = (
            f"Way too many requests; IP banned until {one.banned_until}. "
            "Please use the websocket for live updates to avoid bans."
        )
        return Throttled(ApiError(418, -1003, text), -(-(one.banned_until - now) // 1000), 418)

    def place(self, account: str, orders: tuple[int, int], now: int) -> None:
        """Count new orders of an account; raises 429 with -1015 beyond the limit."""
        windows = self._accounts.setdefault(account, (_Window(), _Window()))
        for window, count, (length, limit, name) in zip(windows, orders, ORDER_LIMITS, strict=True):
            window.roll(now, length)
            if self.enforced and window.used + count > limit:
                rest = window.start + length - now
                raise Throttled(refuse(-1015, limit, name), -(-rest // 1000))
        for window, count in zip(windows, orders, strict=True):
            window.used += count

    def used_weight(self, address: str, now: int) -> int:
        """Return the weight an address used in the present minute."""
        one = self._addresses.setdefault(address, _Address())
        one.weight.roll(now, MINUTE)
        return one.weight.used

    def order_counts(self, account: str, now: int) -> tuple[int, int]:
        """Return the orders counted for an account in the present 10 s and minute."""
        windows = self._accounts.setdefault(account, (_Window(), _Window()))
        for window, (length, _, _) in zip(windows, ORDER_LIMITS, strict=True):
            window.roll(now, length)
        return windows[0].used, windows[1].used
