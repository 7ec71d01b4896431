"""One request as the engine sees it: who asks, with what, and until when it may run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .account import Account
from .errors import refuse
from .params import Params
from .state import State


@dataclass(frozen=True, slots=True)
class Call:
    """A request; `fence` is timestamp + recvWindow, None where the engine does not check it."""

    state: State
    params: Params
    now: int
    account_name: str = ""
    fence: int | None = None

    @property
    def account(self) -> Account:
        """Return the account that asks; raises -2015 when the request came without one."""
        found = self.state.accounts.get(self.account_name)
        if found is None:
            raise refuse(-2015)
        return found

    def check_fence(self) -> None:
        """Raise -5028 when the request reached the matching engine too late."""
        if self.fence is not None and self.now > self.fence:
            raise refuse(-5028)

    def leg(self, values: Mapping[str, str]) -> Call:
        """Return the same request with the parameters of one leg of a batch."""
        return Call(self.state, Params(values), self.now, self.account_name, self.fence)
