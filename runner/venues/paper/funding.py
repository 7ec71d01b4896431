"""Funding: what longs pay to shorts (or get) every eight hours."""

from __future__ import annotations

from .ledger import move_money
from .state import State

FUNDING_INTERVAL = 8 * 3_600_000


def next_funding(now: int) -> int:
    """Return the next funding time (ms)."""
    return now - now % FUNDING_INTERVAL + FUNDING_INTERVAL


def holds_positions(state: State) -> bool:
    """Return whether anybody has a position to pay or get funding for."""
    return any(
        held.amount for account in state.accounts.values() for held in account.positions.values()
    )


def pay_funding(state: State, now: int) -> None:
    """Let every position pay its notional at the mark price times the funding rate.

    Source: "Introduction to Binance Futures Funding Rates" (Binance FAQ): funding amount =
    nominal value of positions x funding rate; a long position pays a positive rate.
    """
    for account in state.accounts.values():
        for held in list(account.positions.values()):
            market = state.market(held.symbol)
            amount = -held.amount * market.mark * market.funding_rate
            if amount:
                move_money(state, account, held, "FUNDING_FEE", amount, now)
