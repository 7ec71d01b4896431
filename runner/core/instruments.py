"""What a symbol allows: tick, step and limits, with roundings whose direction is always said."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal

from runner.core.orders import OrderIntent, OrderType, Side


@dataclass(frozen=True, slots=True)
class Instrument:
    """One tradable symbol with its filters, as exchangeInfo states them.

    `price % tick` is reckoned from `min_price` (Binance PRICE_FILTER). Market orders have
    their own step and limits (MARKET_LOT_SIZE). Multipliers are PERCENT_PRICE's, against mark.
    """

    symbol: str
    status: str
    base_asset: str
    quote_asset: str
    margin_asset: str
    contract_type: str
    tick_size: Decimal
    min_price: Decimal
    max_price: Decimal
    step_size: Decimal
    min_quantity: Decimal
    max_quantity: Decimal
    market_step_size: Decimal
    market_min_quantity: Decimal
    market_max_quantity: Decimal
    min_notional: Decimal
    multiplier_up: Decimal
    multiplier_down: Decimal
    max_orders: int
    order_types: frozenset[str]
    time_in_force: frozenset[str]

    @property
    def tradable(self) -> bool:
        """True while the exchange takes orders for it."""
        return self.status == "TRADING"

    def round_price(self, price: Decimal, side: Side) -> Decimal:
        """The price on the tick grid that never crosses further than written.

        A buy is rounded down, a sell up.
        """
        rounding = ROUND_FLOOR if side is Side.BUY else ROUND_CEILING
        return _to_grid(price, self.min_price, self.tick_size, rounding)

    def nearest_prices(self, price: Decimal) -> tuple[Decimal, Decimal]:
        """The grid prices just below and just above; equal when `price` is on the grid."""
        return (
            _to_grid(price, self.min_price, self.tick_size, ROUND_FLOOR),
            _to_grid(price, self.min_price, self.tick_size, ROUND_CEILING),
        )

    def on_tick(self, price: Decimal) -> bool:
        """True when the price is a multiple of the tick, reckoned from the lowest price."""
        low, high = self.nearest_prices(price)
        return low == high

    def round_quantity(self, quantity: Decimal, order_type: OrderType) -> Decimal:
        """The quantity on the step grid, rounded toward zero."""
        return _to_grid(quantity, Decimal(0), self._step(order_type), ROUND_DOWN)

    def _step(self, order_type: OrderType) -> Decimal:
        market = order_type is not OrderType.LIMIT and order_type is not OrderType.STOP
        return self.market_step_size if market else self.step_size

    def violation(self, intent: OrderIntent, mark: Decimal | None) -> str | None:
        """Why the exchange would refuse this order, in the user's words; None when it fits."""
        if not self.tradable:
            return f"{self.symbol} does not trade now (its status is {self.status})"
        if intent.type.value not in self.order_types:
            return f"{self.symbol} takes no {intent.type.value} orders"
        price_problem = self._price_violation(intent, mark)
        return price_problem or self._quantity_violation(intent, mark)

    def _price_violation(self, intent: OrderIntent, mark: Decimal | None) -> str | None:
        for name, price in (("price", intent.price), ("trigger price", intent.trigger_price)):
            if price is None:
                continue
            if price <= 0 or price < self.min_price or 0 < self.max_price < price:
                return f"{name} {price} is outside {self.min_price} to {self.max_price}"
            if not self.on_tick(price):
                return f"{name} {price} is not a multiple of the tick size {self.tick_size}"
        return self._percent_violation(intent, mark)

    def _percent_violation(self, intent: OrderIntent, mark: Decimal | None) -> str | None:
        # PERCENT_PRICE binds the limit price only: buys from above, sells from below
        if intent.price is None or mark is None or intent.type is not OrderType.LIMIT:
            return None
        if intent.side is Side.BUY and intent.price > mark * self.multiplier_up:
            return f"price {intent.price} is more than {self.multiplier_up} times the mark {mark}"
        if intent.side is Side.SELL and intent.price < mark * self.multiplier_down:
            return f"price {intent.price} is less than {self.multiplier_down} times the mark {mark}"
        return None

    def _quantity_violation(self, intent: OrderIntent, mark: Decimal | None) -> str | None:
        if intent.close_position:
            return None
        if intent.quantity is None or intent.quantity <= 0:
            return "the quantity is zero after rounding to the step size"
        market = self._step(intent.type) is self.market_step_size
        low = self.market_min_quantity if market else self.min_quantity
        high = self.market_max_quantity if market else self.max_quantity
        if not low <= intent.quantity <= high:
            return f"quantity {intent.quantity} is outside {low} to {high}"
        if intent.quantity % self._step(intent.type) != 0:
            return f"quantity {intent.quantity} is not a multiple of {self._step(intent.type)}"
        return self._notional_violation(intent, mark)

    def _notional_violation(self, intent: OrderIntent, mark: Decimal | None) -> str | None:
        price = intent.price or intent.trigger_price or mark
        if intent.protective or price is None or intent.quantity is None:
            return None
        notional = price * intent.quantity
        if notional < self.min_notional:
            return f"notional {notional.normalize():f} is less than {self.min_notional}"
        return None


def _to_grid(value: Decimal, origin: Decimal, step: Decimal, rounding: str) -> Decimal:
    if step <= 0:
        return value
    steps = ((value - origin) / step).to_integral_value(rounding=rounding)
    return origin + steps * step
