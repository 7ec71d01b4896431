"""Margin: what positions and open orders tie up, and what is left for more."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from .account import Account, Position
from .brackets import bracket_for, max_notional
from .errors import refuse
from .numbers import ZERO
from .state import State


@dataclass(frozen=True, slots=True)
class Stake:
    """What one position and its open orders tie up, in the margin asset."""

    notional: Decimal
    unrealized: Decimal
    position_margin: Decimal
    order_margin: Decimal
    maintenance: Decimal
    bid_notional: Decimal
    ask_notional: Decimal

    @property
    def initial_margin(self) -> Decimal:
        """Return the margin of the position and of its orders."""
        return self.position_margin + self.order_margin


@dataclass(frozen=True, slots=True)
class Totals:
    """The figures of one asset over all positions that it margins."""

    wallet: Decimal
    isolated: Decimal
    unrealized: Decimal
    cross_unrealized: Decimal
    position_margin: Decimal
    order_margin: Decimal
    cross_margin: Decimal
    maintenance: Decimal
    cross_maintenance: Decimal

    @property
    def cross_wallet(self) -> Decimal:
        """Return the wallet without what isolated positions hold."""
        return self.wallet - self.isolated

    @property
    def cross_balance(self) -> Decimal:
        """Return the margin balance that cross positions share."""
        return self.cross_wallet + self.cross_unrealized

    @property
    def available(self) -> Decimal:
        """Return what new orders may use."""
        return max(ZERO, self.cross_balance - self.cross_margin)

    @property
    def withdrawable(self) -> Decimal:
        """Return what could be transferred out: unrealized profit cannot."""
        return max(ZERO, min(self.available, self.cross_wallet))


def stake(state: State, account: Account, symbol: str, side: str) -> Stake:
    """Return what one position side of a symbol ties up."""
    position = account.positions.get(f"{symbol} {side}") or Position(symbol, side)
    bids, asks = open_notionals(account, symbol, side)
    return _stake(state, account, position, bids, asks)


def open_notionals(account: Account, symbol: str, side: str) -> tuple[Decimal, Decimal]:
    """Return the notional of the buy and of the sell orders that could enlarge a position."""
    bids = asks = ZERO
    for order in account.open.values():
        if order.symbol != symbol or order.position_side != side or order.closing:
            continue
        if order.side == "BUY":
            bids += order.left * order.price
        else:
            asks += order.left * order.price
    return bids, asks


def _stake(
    state: State, account: Account, position: Position, bids: Decimal, asks: Decimal
) -> Stake:
    mark = state.market(position.symbol).mark
    notional = position.amount * mark
    leverage = account.setting(position.symbol).leverage
    most = max(abs(notional), abs(notional + bids), abs(notional - asks))
    step = bracket_for(state.brackets_of(position.symbol), abs(notional))
    return Stake(
        notional=notional,
        unrealized=position.unrealized(mark),
        position_margin=abs(notional) / leverage,
        order_margin=(most - abs(notional)) / leverage,
        maintenance=abs(notional) * step.maintenance - step.cum if notional else ZERO,
        bid_notional=bids,
        ask_notional=asks,
    )


def busy_keys(account: Account) -> list[tuple[str, str]]:
    """Return (symbol, side) of every position that is held or has open orders."""
    keys = [(held.symbol, held.side) for held in account.positions.values() if held.amount]
    for order in account.open.values():
        key = (order.symbol, order.position_side)
        if key not in keys:
            keys.append(key)
    return keys


def totals(state: State, account: Account, asset: str) -> Totals:
    """Return the figures of one margin asset."""
    isolated = unrealized = cross_unrealized = ZERO
    position_margin = order_margin = cross_margin = maintenance = cross_maintenance = ZERO
    for symbol, side in busy_keys(account):
        if state.symbols[symbol].margin != asset:
            continue
        one = stake(state, account, symbol, side)
        unrealized += one.unrealized
        position_margin += one.position_margin
        order_margin += one.order_margin
        maintenance += one.maintenance
        if account.setting(symbol).isolated:
            isolated += account.position(symbol, side).isolated_wallet
            cross_margin += one.order_margin
        else:
            cross_unrealized += one.unrealized
            cross_margin += one.initial_margin
            cross_maintenance += one.maintenance
    return Totals(
        account.wallet.get(asset, ZERO),
        isolated,
        unrealized,
        cross_unrealized,
        position_margin,
        order_margin,
        cross_margin,
        maintenance,
        cross_maintenance,
    )


def check_margin(
    state: State,
    account: Account,
    symbol: str,
    position_side: str,
    side: str,
    notional: Decimal,
) -> None:
    """Raise -2019 or -2027 when an order that may enlarge a position asks for too much."""
    position = account.positions.get(f"{symbol} {position_side}") or Position(symbol, position_side)
    bids, asks = open_notionals(account, symbol, position_side)
    before = _stake(state, account, position, bids, asks)
    if side == "BUY":
        bids += notional
    else:
        asks += notional
    after = _stake(state, account, position, bids, asks)
    growth = after.initial_margin - before.initial_margin
    if growth <= 0:
        return
    if growth > totals(state, account, state.symbols[symbol].margin).available:
        raise refuse(-2019)
    leverage = account.setting(symbol).leverage
    most = (after.position_margin + after.order_margin) * leverage
    if most > max_notional(state.brackets_of(symbol), leverage):
        raise refuse(-2027)


def removable(state: State, account: Account, position: Position) -> Decimal:
    """Return how much isolated margin may be taken away: what the position does not need."""
    own = stake(state, account, position.symbol, position.side)
    return max(ZERO, position.isolated_wallet + min(ZERO, own.unrealized) - own.position_margin)


def liquidation_price(state: State, account: Account, position: Position) -> Decimal:
    """Return the mark price at which the margin is used up, 0 when there is none.

    Source: "How to Calculate Liquidation Price of USDⓈ-M Futures Contracts" (Binance FAQ
    b3c689c1f50a44cabb3a84e663b81d93), with rate and amount of the bracket in which the position
    stands at that price. In cross margin both sides of a symbol share one price.
    """
    if not position.amount:
        return ZERO
    together = _sharing(account, position)
    entries = sum((held.amount * held.entry for held in together), ZERO)
    cushion = _cushion(state, account, position, together)
    ladder = state.brackets_of(position.symbol)
    price = state.market(position.symbol).mark
    # Each round stands on the bracket that the round before led to; the steps join, so it ends.
    for _ in range(len(ladder) + 1):
        above, below = cushion - entries, ZERO
        for held in together:
            step = bracket_for(ladder, abs(held.amount) * price)
            above += step.cum
            below += abs(held.amount) * step.maintenance - held.amount
        found = max(ZERO, above / below) if below else ZERO
        if found == price:
            break
        price = found
    return price


def bankruptcy_price(state: State, account: Account, position: Position) -> Decimal:
    """Return the price at which closing a position leaves nothing of its margin."""
    cushion = _cushion(state, account, position, [position], maintained=False)
    return max(ZERO, position.entry - cushion / position.amount)


def _sharing(account: Account, position: Position) -> list[Position]:
    """Return the positions that are liquidated at one price: both sides in cross margin."""
    if account.setting(position.symbol).isolated:
        return [position]
    return [
        held
        for held in account.positions.values()
        if held.symbol == position.symbol and held.amount
    ]


def _cushion(
    state: State,
    account: Account,
    position: Position,
    together: list[Position],
    maintained: bool = True,
) -> Decimal:
    """Return what stands behind positions: WB - TMM + UPNL of the formula."""
    if account.setting(position.symbol).isolated:
        return position.isolated_wallet
    sums = totals(state, account, state.symbols[position.symbol].margin)
    cushion = sums.cross_balance - (sums.cross_maintenance if maintained else ZERO)
    for held in together:
        own = stake(state, account, held.symbol, held.side)
        cushion += (own.maintenance if maintained else ZERO) - own.unrealized
    return cushion
