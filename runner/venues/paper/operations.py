"""The table of everything the exchange answers: path, meaning, weight and who may ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import conditional, configuration, figures, queries, quotes, smaller, trading
from .batches import each_id
from .call import Call
from .numbers import Json
from .params import Params

Weight = Callable[[Params], int]


@dataclass(frozen=True, slots=True)
class Operation:
    """One endpoint; `weight` counts per IP, `orders` per account on (10 s, 1 min).

    `security` is NONE, KEY (a known key, no signature) or SIGNED. `fenced` marks the calls whose
    recvWindow the matching engine checks again (change-log 2023-04-17).
    """

    run: Callable[[Call], Json]
    weight: Weight
    security: str = "SIGNED"
    orders: tuple[int, int] = (0, 0)
    fenced: bool = False


def _flat(weight: int) -> Weight:
    return lambda _: weight


def _by_symbol(one: int, every: int) -> Weight:
    return lambda params: one if params.has("symbol") else every


def _by_limit(steps: tuple[tuple[int, int], ...], default: int) -> Weight:
    def weight(params: Params) -> int:
        text = params.values.get("limit", "")
        limit = int(text) if text.isascii() and text.isdigit() else default
        return next((cost for most, cost in steps if limit <= most), steps[-1][1])

    return weight


_KLINES = _by_limit(((99, 1), (499, 2), (1000, 5), (1500, 10)), 500)
_DEPTH = _by_limit(((50, 2), (100, 5), (500, 10), (1000, 20)), 500)


def _public(run: Callable[[Call], Json], weight: Weight) -> Operation:
    return Operation(run, weight, "NONE")


def _place(run: Callable[[Call], Json], fenced: bool = True) -> Operation:
    return Operation(run, _flat(0), orders=(1, 1), fenced=fenced)


def _batch(run: Callable[[Call], Json]) -> Operation:
    return Operation(run, _flat(5), orders=(5, 1), fenced=True)


def cancel_batch(call: Call) -> list[Json]:
    """DELETE /fapi/v1/batchOrders: at most ten ids."""
    return each_id(call, trading.cancel_order)


OPERATIONS: dict[tuple[str, str], Operation] = {
    ("GET", "/fapi/v1/ping"): _public(quotes.ping, _flat(1)),
    ("GET", "/fapi/v1/time"): _public(quotes.server_time, _flat(1)),
    ("GET", "/api/v3/time"): _public(quotes.server_time, _flat(1)),
    ("GET", "/api/v3/ping"): _public(quotes.ping, _flat(1)),
    ("GET", "/fapi/v1/exchangeInfo"): _public(quotes.exchange_info, _flat(1)),
    ("GET", "/fapi/v1/depth"): _public(quotes.depth, _DEPTH),
    ("GET", "/fapi/v1/trades"): _public(quotes.trades, _flat(5)),
    ("GET", "/fapi/v1/historicalTrades"): Operation(quotes.trades, _flat(200), "KEY"),
    ("GET", "/fapi/v1/aggTrades"): _public(quotes.agg_trades, _flat(20)),
    ("GET", "/fapi/v1/klines"): _public(quotes.klines, _KLINES),
    ("GET", "/fapi/v1/continuousKlines"): _public(quotes.klines, _KLINES),
    ("GET", "/fapi/v1/indexPriceKlines"): _public(quotes.klines, _KLINES),
    ("GET", "/fapi/v1/markPriceKlines"): _public(quotes.klines, _KLINES),
    ("GET", "/fapi/v1/premiumIndex"): _public(quotes.premium_index, _by_symbol(1, 10)),
    ("GET", "/fapi/v1/fundingRate"): _public(quotes.funding_rates, _flat(0)),
    ("GET", "/fapi/v1/fundingInfo"): _public(quotes.funding_info, _flat(0)),
    ("GET", "/fapi/v1/ticker/price"): _public(quotes.price_ticker, _by_symbol(1, 2)),
    ("GET", "/fapi/v2/ticker/price"): _public(quotes.price_ticker, _by_symbol(1, 2)),
    ("GET", "/fapi/v1/ticker/bookTicker"): _public(quotes.book_ticker, _by_symbol(2, 5)),
    ("GET", "/fapi/v1/ticker/24hr"): _public(quotes.day_ticker, _by_symbol(1, 40)),
    ("GET", "/fapi/v1/openInterest"): _public(quotes.open_interest, _flat(1)),
    ("POST", "/fapi/v1/order"): _place(trading.new_order),
    ("PUT", "/fapi/v1/order"): _place(trading.modify_order),
    ("DELETE", "/fapi/v1/order"): Operation(trading.cancel_order, _flat(1)),
    ("GET", "/fapi/v1/order"): Operation(queries.query_order, _flat(1)),
    ("POST", "/fapi/v1/order/test"): Operation(trading.order_test, _flat(0)),
    ("POST", "/fapi/v1/batchOrders"): _batch(trading.batch_orders),
    ("PUT", "/fapi/v1/batchOrders"): _batch(trading.modify_batch),
    ("DELETE", "/fapi/v1/batchOrders"): Operation(cancel_batch, _flat(1)),
    ("DELETE", "/fapi/v1/allOpenOrders"): Operation(trading.cancel_all, _flat(1)),
    ("POST", "/fapi/v1/countdownCancelAll"): Operation(trading.countdown, _flat(10)),
    ("GET", "/fapi/v1/openOrder"): Operation(queries.open_order, _flat(1)),
    ("GET", "/fapi/v1/openOrders"): Operation(queries.open_orders, _by_symbol(1, 40)),
    ("GET", "/fapi/v1/allOrders"): Operation(queries.all_orders, _flat(5)),
    ("GET", "/fapi/v1/userTrades"): Operation(queries.user_trades, _flat(5)),
    ("GET", "/fapi/v1/orderAmendment"): Operation(queries.order_amendments, _flat(1)),
    ("GET", "/fapi/v1/income"): Operation(queries.income, _flat(30)),
    ("GET", "/fapi/v1/forceOrders"): Operation(figures.force_orders, _by_symbol(20, 50)),
    ("POST", "/fapi/v1/algoOrder"): _place(conditional.new_algo, fenced=False),
    ("DELETE", "/fapi/v1/algoOrder"): Operation(conditional.cancel_algo, _flat(1)),
    ("GET", "/fapi/v1/algoOrder"): Operation(queries.query_algo, _flat(1)),
    ("DELETE", "/fapi/v1/algoOpenOrders"): Operation(conditional.cancel_all_algos, _flat(1)),
    ("GET", "/fapi/v1/openAlgoOrders"): Operation(queries.open_algos, _by_symbol(1, 40)),
    ("GET", "/fapi/v1/allAlgoOrders"): Operation(queries.all_algos, _flat(5)),
    ("POST", "/fapi/v1/leverage"): Operation(configuration.set_leverage, _flat(1)),
    ("POST", "/fapi/v1/marginType"): Operation(configuration.set_margin_type, _flat(1)),
    ("GET", "/fapi/v1/positionSide/dual"): Operation(configuration.position_mode, _flat(30)),
    ("POST", "/fapi/v1/positionSide/dual"): Operation(configuration.set_position_mode, _flat(1)),
    ("GET", "/fapi/v1/multiAssetsMargin"): Operation(configuration.multi_assets_mode, _flat(30)),
    ("POST", "/fapi/v1/multiAssetsMargin"): Operation(
        configuration.set_multi_assets_mode, _flat(1)
    ),
    ("POST", "/fapi/v1/positionMargin"): Operation(configuration.move_position_margin, _flat(1)),
    ("GET", "/fapi/v1/symbolConfig"): Operation(configuration.symbol_config, _flat(5)),
    ("GET", "/fapi/v1/accountConfig"): Operation(figures.account_config, _flat(5)),
    ("GET", "/fapi/v2/account"): Operation(figures.account_v2, _flat(5)),
    ("GET", "/fapi/v3/account"): Operation(figures.account_v3, _flat(5)),
    ("GET", "/fapi/v2/balance"): Operation(figures.balances, _flat(5)),
    ("GET", "/fapi/v3/balance"): Operation(figures.balances, _flat(5)),
    ("GET", "/fapi/v2/positionRisk"): Operation(figures.positions_v2, _flat(5)),
    ("GET", "/fapi/v3/positionRisk"): Operation(figures.positions_v3, _flat(5)),
    ("GET", "/fapi/v1/leverageBracket"): Operation(figures.leverage_brackets, _flat(1)),
    ("GET", "/fapi/v1/commissionRate"): Operation(figures.commission_rate, _flat(20)),
    ("GET", "/fapi/v1/rateLimit/order"): Operation(figures.order_rate_limits, _flat(1)),
    ("GET", "/fapi/v1/adlQuantile"): Operation(figures.adl_quantile, _flat(5)),
    ("GET", "/fapi/v1/feeBurn"): Operation(smaller.fee_burn, _flat(30)),
    ("POST", "/fapi/v1/feeBurn"): Operation(smaller.set_fee_burn, _flat(1)),
    ("GET", "/fapi/v1/positionMargin/history"): Operation(smaller.margin_history, _flat(1)),
    ("GET", "/fapi/v1/apiTradingStatus"): Operation(smaller.trading_status, _by_symbol(1, 10)),
    ("GET", "/fapi/v1/insuranceBalance"): _public(smaller.insurance_balance, _flat(1)),
    ("GET", "/fapi/v1/indexInfo"): _public(smaller.no_rows, _flat(1)),
    ("GET", "/fapi/v1/assetIndex"): _public(smaller.no_rows, _by_symbol(1, 10)),
    ("GET", "/fapi/v1/constituents"): _public(smaller.constituents, _flat(2)),
    ("GET", "/fapi/v1/symbolAdlRisk"): _public(smaller.adl_risk, _flat(1)),
    ("GET", "/fapi/v1/rpiDepth"): _public(smaller.rpi_depth, _flat(20)),
    ("GET", "/sapi/v1/account/apiRestrictions"): Operation(figures.api_restrictions, _flat(1)),
}
