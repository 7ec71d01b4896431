"""The exchange as one pure object on a virtual clock: requests and prices in, events out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from .account import Account
from .brackets import read_brackets
from .call import Call
from .conditional import end_algo, watch
from .errors import ApiError, refuse
from .funding import holds_positions, next_funding, pay_funding
from .ledger import note_income
from .listing import change_status
from .matching import close, touch
from .moves import Move
from .numbers import Json, JsonObject
from .operations import OPERATIONS
from .orders import Order
from .params import Params
from .persistence import pack, unpack
from .risk import watch_risk
from .state import Event, MarketEvent, State
from .symbols import Symbol, built_in, start_price
from .trading import cancel_symbol

# What the insurance fund of each asset holds at first: as good as without end.
INSURANCE_FUND = Decimal(1_000_000_000)


class Exchange:
    """Matches, keeps accounts and answers the documented calls; does no I/O, has no clock.

    Every method takes `now` (ms); what users and markets must be told waits in `drain`.
    """

    def __init__(
        self,
        symbols: Mapping[str, Symbol] | None = None,
        accounts: Iterable[str] = ("paper",),
        *,
        balance: Mapping[str, Decimal] | None = None,
        brackets: Iterable[Mapping[str, Any]] = (),
        price_of: Callable[[str], Decimal] = start_price,
        level_quantity: Decimal | None = None,
        insurance: Decimal = INSURANCE_FUND,
        now: int = 0,
    ) -> None:
        """Open with `balance` on each account and `insurance` in the fund of each asset."""
        self.state = State(
            symbols=dict(symbols or built_in()),
            brackets=read_brackets(list(brackets)),
            price_of=price_of,
            level_quantity=level_quantity,
            now=now,
        )
        margins = {symbol.margin for symbol in self.state.symbols.values()}
        self.state.insurance = dict.fromkeys(sorted(margins), insurance)
        self._balance = dict(balance or {"USDT": Decimal(10_000)})
        for name in accounts:
            self.open_account(name, now)

    def open_account(self, name: str, now: int) -> Account:
        """Return the account of that name, opened with the start balance if it is new."""
        known = self.state.accounts.get(name)
        if known is None:
            known = Account(name, dict(self._balance), opened_at=now, wallet_time=now)
            self.state.accounts[name] = known
            for asset, amount in self._balance.items():
                note_income(self.state, known, "TRANSFER", amount, asset, now)
            self.state.version += 1
        return known

    def request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        *,
        now: int,
        account: str = "",
        fence: int | None = None,
    ) -> Json:
        """Answer one call with its documented document; raises ApiError.

        `fence` is timestamp + recvWindow: the calls that the matching engine checks are refused
        with -5028 when `now` is past it.
        """
        operation = OPERATIONS.get((method, path))
        if operation is None:
            raise refuse(-5000, path, method)
        self.advance(now)
        fence = fence if operation.fenced else None
        answer = operation.run(Call(self.state, Params(params), now, account, fence))
        if method != "GET":
            self._follow_up(now)
            watch_risk(self.state, now)
        return answer

    def set_price(
        self,
        symbol: str,
        *,
        now: int,
        price: Decimal | None = None,
        mark: Decimal | None = None,
        last: Decimal | None = None,
        bid: Decimal | None = None,
        ask: Decimal | None = None,
        index: Decimal | None = None,
        funding_rate: Decimal | None = None,
    ) -> None:
        """Move a symbol's market (`price` is mark and last at once); raises what `apply` does."""
        move = Move(now, symbol, price, mark, last, bid, ask, index=index)
        self.apply(replace(move, funding_rate=funding_rate), now)

    def apply(self, move: Move, now: int) -> None:
        """Take over new prices, then fill the orders and trigger the conditionals they reach.

        Raises -1121 for an unknown symbol and ValueError for a price that is not above 0.
        """
        self.state.symbol(move.symbol)
        self.advance(now)
        mark, last = move.mark or move.price, move.last or move.price
        given = (move.price, move.mark, move.last, move.bid, move.ask, move.index)
        if any(one is not None and one <= 0 for one in given):
            raise ValueError(f"cannot move {move.symbol} to a price of 0: give more")
        market = self.state.market(move.symbol)
        falling = last is not None and last < market.last
        keep = move.keep_book
        market.move(
            now,
            mark=mark,
            last=last,
            bid=move.bid,
            ask=move.ask,
            keep_book=keep,
            index=move.index,
            funding_rate=move.funding_rate,
        )
        followed = None if keep else last
        quoted = (followed, move.bid, move.ask) != (None, None, None)
        if quoted:
            market.bid_quantity, market.ask_quantity = move.bid_quantity, move.ask_quantity
        trade = None
        if last is not None:
            size = move.quantity or market.symbol.min_quantity * 10
            maker = falling if move.buyer_is_maker is None else move.buyer_is_maker
            trade = market.tape(now, last, size, maker)
        # one stream tells the mark, the index and the funding rate
        marked = (mark, move.index, move.funding_rate) != (None, None, None)
        self.state.events.append(MarketEvent(move.symbol, now, trade, marked=marked, quoted=quoted))
        touch(self.state, move.symbol, now)
        watch(self.state, move.symbol, now)
        self._follow_up(now)
        watch_risk(self.state, now, move.symbol)

    def _follow_up(self, now: int) -> None:
        """Show trades between accounts on the tape, and trigger what waits for their prices."""
        while self.state.crossed:
            one = self.state.crossed.pop(0)
            market = self.state.market(one.symbol)
            market.last = one.price
            trade = market.tape(now, one.price, one.quantity, one.buyer_is_maker)
            self.state.events.append(MarketEvent(one.symbol, now, trade))
            watch(self.state, one.symbol, now)

    def advance(self, now: int) -> None:
        """Let time pass: countdowns, ends of GTD orders and funding, in due order."""
        while (due := self.next_due()) is not None and due <= now:
            if due == next_funding(self.state.now):
                pay_funding(self.state, due)
                watch_risk(self.state, due)
            self.state.now = max(self.state.now, due)
            for account in self.state.accounts.values():
                self._fire(account, due)
        self.state.now = max(self.state.now, now)

    def _fire(self, account: Account, due: int) -> None:
        for symbol, at in list(account.countdowns.items()):
            if at <= due:
                del account.countdowns[symbol]
                self.state.version += 1
                cancel_symbol(self.state, account, symbol, due)
        for order in [one for one in account.open.values() if 0 < one.good_till <= due]:
            close(self.state, order, "EXPIRED", due)
        for algo in [one for one in account.waiting.values() if 0 < one.good_till <= due]:
            end_algo(self.state, algo, "EXPIRED", due)

    def set_status(
        self, symbol: str, status: str, now: int, settlement: Decimal | None = None
    ) -> None:
        """Give a symbol another status, as exchangeInfo and `!contractInfo` then tell.

        One that closes for good expires its orders, and SETTLING settles its positions at the
        settlement price, by default the mark. Raises -1121.
        """
        self.state.symbol(symbol)
        self.advance(now)
        change_status(self.state, symbol, status, now, settlement)

    def next_due(self) -> int | None:
        """Return when `advance` has something to do next (ms), None for never."""
        times = [next_funding(self.state.now)] if holds_positions(self.state) else []
        for account in self.state.accounts.values():
            times += account.countdowns.values()
            times += [one.good_till for one in account.open.values() if one.good_till]
            times += [one.good_till for one in account.waiting.values() if one.good_till]
        return min(times, default=None)

    def drain(self) -> list[Event]:
        """Return the events since the last call, in the order they happened."""
        events, self.state.events = self.state.events, []
        return events

    def orders(self) -> list[Order]:
        """Return every order ever accepted, oldest first, of all accounts."""
        accounts = self.state.accounts.values()
        every = [order for account in accounts for order in account.orders.values()]
        return sorted(every, key=lambda order: order.order_id)

    def snapshot(self) -> JsonObject:
        """Return all that must survive the process, ready for JSON."""
        return pack(self.state)

    def restore(self, *documents: Mapping[str, Any]) -> None:
        """Take over a snapshot and changes after it; raises KeyError, ValueError for others."""
        unpack(self.state, documents)


__all__ = ["ApiError", "Exchange"]
