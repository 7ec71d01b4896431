"""What a symbol allows: tick, step and limits, with roundings whose direction is always said."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_DOWN, Context, Decimal
from typing import Literal

from runner.core.orders import OrderIntent, OrderType, Side
from runner.core.values import dataclass

LIMITED = frozenset({OrderType.LIMIT, OrderType.STOP, OrderType.TAKE_PROFIT})
"""Types that rest or trigger with a price: LOT_SIZE binds them, MARKET_LOT_SIZE the others."""

Rounding = Literal["toward_zero", "nearest"]
"""How a size meets the step: never more than written, or the nearest (half of a step: down)."""

EXACT = Context(prec=100)
"""28 digits would round a long value up to the grid before its direction is asked."""


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

    def round_quantity(
        self, quantity: Decimal, order_type: OrderType, rounding: Rounding = "toward_zero"
    ) -> Decimal:
        """The quantity on the step grid, rounded toward zero unless said otherwise."""
        how = ROUND_DOWN if rounding == "toward_zero" else ROUND_HALF_DOWN
        return _to_grid(quantity, Decimal(0), self._step(order_type), how)

    def _step(self, order_type: OrderType) -> Decimal:
        return self.step_size if order_type in LIMITED else self.market_step_size

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
                return f"{name} {price:f} is outside {self.min_price:f} to {self.max_price:f}"
            if not self.on_tick(price):
                return f"{name} {price:f} is not a multiple of the tick size {self.tick_size:f}"
        return self._percent_violation(intent, mark)

    def _percent_violation(self, intent: OrderIntent, mark: Decimal | None) -> str | None:
        # PERCENT_PRICE binds the limit price only: buys from above, sells from below
        if intent.price is None or mark is None or intent.type is not OrderType.LIMIT:
            return None
        price, up, down = intent.price, self.multiplier_up, self.multiplier_down
        if intent.side is Side.BUY and price > mark * up:
            return f"price {price:f} is more than {up:f} times the mark {mark:f}"
        if intent.side is Side.SELL and price < mark * down:
            return f"price {price:f} is less than {down:f} times the mark {mark:f}"
        return None

    def _quantity_violation(self, intent: OrderIntent, mark: Decimal | None) -> str | None:
        if intent.close_position:
            return None
        if intent.quantity is None or intent.quantity <= 0:
            if intent.quantity:
                return f"the quantity is {intent.quantity.normalize():f}, less than zero"
            smallest = f"{self._step(intent.type).normalize():f}"
            return f"the quantity is zero after rounding to the step size {smallest}"
        limited = intent.type in LIMITED
        low = self.min_quantity if limited else self.market_min_quantity
        high = self.max_quantity if limited else self.market_max_quantity
        if not low <= intent.quantity <= high:
            return f"quantity {intent.quantity:f} is outside {low:f} to {high:f}"
        if self.round_quantity(intent.quantity, intent.type) != intent.quantity:
            step = self._step(intent.type)
            return f"quantity {intent.quantity:f} is not a multiple of the step size {step:f}"
        return self._notional_violation(intent, mark)

    def _notional_violation(self, intent: OrderIntent, mark: Decimal | None) -> str | None:
        price = intent.price or intent.trigger_price or mark
        if intent.protective or price is None or intent.quantity is None:
            return None
        notional = price * intent.quantity
        if notional < self.min_notional:
            return f"notional {notional.normalize():f} is less than {self.min_notional:f}"
        return None


def _to_grid(value: Decimal, origin: Decimal, step: Decimal, rounding: str) -> Decimal:
    if step <= 0:
        return value
    steps = EXACT.divide(EXACT.subtract(value, origin), step).to_integral_value(rounding)
    return EXACT.add(origin, EXACT.multiply(steps, step))
