"""The official SDK trades on the paper exchange with nothing changed but its addresses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from runner.venues.paper.market import Still
from runner.venues.paper.server import PaperServer

sdk = pytest.importorskip(
    "binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures",
    reason="the official SDK is not installed (a development dependency)",
)
configuration = pytest.importorskip("binance_common.configuration")
models = pytest.importorskip("binance_sdk_derivatives_trading_usds_futures.rest_api.models")
errors = pytest.importorskip("binance_common.errors")


@pytest.fixture
def server() -> Iterator[PaperServer]:
    """A paper exchange with one key and prices that stay."""
    with PaperServer(keys={"K": "S"}, market=Still()) as running:
        yield running


@pytest.fixture
def client(server: PaperServer) -> Any:
    """The SDK's client, pointed at the paper exchange."""
    addresses = server.addresses
    return sdk.DerivativesTradingUsdsFutures(
        config_rest_api=configuration.ConfigurationRestAPI(
            api_key="K", api_secret="S", base_path=addresses["rest"], timeout=5000, retries=0
        ),
        config_ws_streams=configuration.ConfigurationWebSocketStreams(
            stream_url=addresses["streams"]
        ),
        config_ws_api=configuration.ConfigurationWebSocketAPI(
            api_key="K", api_secret="S", stream_url=addresses["ws_api"]
        ),
    )


@pytest.fixture(autouse=True)
def no_complaint(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The SDK logs a warning when an answer does not fit its model: there must be none."""
    caplog.set_level(logging.WARNING)
    yield
    assert [record.getMessage() for record in caplog.records] == []


def limit(client: Any, name: str, price: float = 69000.0) -> Any:
    """Place a small resting limit order."""
    return client.rest_api.new_order(
        symbol="BTCUSDT",
        side="BUY",
        type="LIMIT",
        time_in_force="GTC",
        quantity=0.01,
        price=price,
        new_client_order_id=name,
    ).data()


def test_time_and_exchange_information(client: Any) -> None:
    """Server time is a time; exchangeInfo holds the twelve built-in symbols."""
    assert client.rest_api.check_server_time().data().server_time > 1_700_000_000_000
    assert len(client.rest_api.exchange_information().data().symbols) == 12


def test_an_order_is_placed_found_by_its_client_id_and_cancelled(client: Any) -> None:
    """The order's way: NEW, found open, CANCELED, found cancelled; a second cancel is -2011."""
    placed = limit(client, "mine")
    assert (placed.status, placed.client_order_id) == ("NEW", "mine")
    found = client.rest_api.query_order(symbol="BTCUSDT", orig_client_order_id="mine").data()
    assert found.order_id == placed.order_id
    assert [
        order.client_order_id for order in client.rest_api.current_all_open_orders().data()
    ] == ["mine"]
    ended = client.rest_api.cancel_order(symbol="BTCUSDT", orig_client_order_id="mine").data()
    assert ended.status == "CANCELED"
    with pytest.raises(errors.BadRequestError, match="Unknown order sent"):
        client.rest_api.cancel_order(symbol="BTCUSDT", orig_client_order_id="mine")


def test_an_order_is_amended(client: Any) -> None:
    """Price and quantity change, the id stays."""
    placed = limit(client, "mine")
    changed = client.rest_api.modify_order(
        symbol="BTCUSDT", side="BUY", orig_client_order_id="mine", quantity=0.02, price=69010.0
    ).data()
    assert (changed.order_id, changed.price, changed.orig_qty) == (
        placed.order_id,
        "69010.00",
        "0.020",
    )


def test_leverage_and_margin_type_are_set(client: Any) -> None:
    """Each answers with what is now so."""
    assert client.rest_api.change_initial_leverage("BTCUSDT", 7).data().leverage == 7
    assert client.rest_api.change_margin_type("BTCUSDT", "ISOLATED").data().msg == "success"


def test_a_batch_with_one_bad_leg_answers_leg_by_leg(client: Any) -> None:
    """The good legs are orders, the one off its tick is an error, all in the order sent."""
    leg = models.PlaceMultipleOrdersBatchOrdersParameterInner
    terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "time_in_force": "GTC"}
    answers = client.rest_api.place_multiple_orders(
        batch_orders=[
            leg(**terms, quantity=0.01, price=price) for price in (69000.0, 69000.03, 68000.0)
        ]
    ).data()
    assert [one.status or one.code for one in answers] == ["NEW", -4014, "NEW"]


def test_the_countdown_is_armed(client: Any) -> None:
    """The countdown call answers with the symbol and the countdown as text."""
    armed = client.rest_api.auto_cancel_all_open_orders(symbol="BTCUSDT", countdown_time=60000)
    assert armed.data().countdown_time == "60000"


def test_conditional_orders_live_in_their_own_family(client: Any) -> None:
    """A stop gets -4120 from /order; the algo service accepts, lists and cancels it."""
    with pytest.raises(errors.BadRequestError, match="Algo Order API"):
        client.rest_api.new_order(symbol="BTCUSDT", side="SELL", type="STOP_MARKET", quantity=0.01)
    placed = client.rest_api.new_algo_order(
        algo_type="CONDITIONAL",
        symbol="BTCUSDT",
        side="SELL",
        type="STOP_MARKET",
        trigger_price=68000.0,
        quantity=0.01,
    ).data()
    listed = client.rest_api.current_all_algo_open_orders().data()
    assert [one.algo_id for one in listed] == [placed.algo_id]
    assert client.rest_api.query_algo_order(algo_id=placed.algo_id).data().algo_status == "NEW"
    assert client.rest_api.cancel_algo_order(algo_id=placed.algo_id).data().code == "200"


ACCOUNT_CALLS = """
account_information_v2 account_information_v3 futures_account_balance_v2 futures_account_balance_v3
position_information_v2 position_information_v3 get_income_history symbol_configuration
futures_account_configuration notional_and_leverage_brackets query_user_rate_limit mark_price
symbol_price_ticker symbol_price_ticker_v2 symbol_order_book_ticker all_orders
ticker24hr_price_change_statistics get_current_position_mode get_current_multi_assets_mode
get_funding_rate_history position_adl_quantile_estimation users_force_orders get_bnb_burn_status
"""
SYMBOL_CALLS = """
order_book recent_trades_list account_trade_list user_commission_rate mark_price
compressed_aggregate_trades_list open_interest query_all_algo_orders get_order_modify_history
old_trades_lookup symbol_order_book_ticker ticker24hr_price_change_statistics
"""


@pytest.mark.parametrize("name", ACCOUNT_CALLS.split())
def test_account_wide_answers_fit_the_sdks_models(client: Any, name: str) -> None:
    """With a position and an open order, each answer parses into the SDK's strict model."""
    client.rest_api.new_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity=0.01)
    limit(client, "resting")
    assert getattr(client.rest_api, name)().data() is not None


@pytest.mark.parametrize("name", SYMBOL_CALLS.split())
def test_answers_about_a_symbol_fit_the_sdks_models(client: Any, name: str) -> None:
    """With a position, each answer about its symbol parses into the SDK's strict model."""
    client.rest_api.new_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity=0.01)
    assert getattr(client.rest_api, name)(symbol="BTCUSDT").data() is not None


def test_the_user_stream_tells_the_own_order(server: PaperServer, client: Any) -> None:
    """Subscribed to its listen key, the SDK hears an own market order from NEW to FILLED."""
    heard: list[dict[str, Any]] = []

    async def listen() -> None:
        key = client.rest_api.start_user_data_stream().data().listen_key
        streams = client.websocket_streams
        await streams.create_connection()
        user = await streams.user_data(key)
        user.on("message", lambda event: heard.append(event.actual_instance.to_dict()))
        marks = await streams.mark_price_stream(symbol="btcusdt", update_speed="1s")
        marks.on("message", lambda event: heard.append(event.to_dict()))
        await asyncio.to_thread(
            client.rest_api.new_order, symbol="BTCUSDT", side="BUY", type="MARKET", quantity=0.01
        )
        server.set_price("BTCUSDT", "70100")
        for _ in range(500):
            if {"markPriceUpdate"} <= {event.get("e") for event in heard} and len(heard) >= 5:
                break
            await asyncio.sleep(0.01)
        await streams.close_connection(close_session=True)

    asyncio.run(listen())
    states = [event["o"]["X"] for event in heard if "o" in event]
    assert states == ["NEW", "FILLED"]
    assert any(event.get("p") == "70100.00000000" for event in heard)


def test_the_websocket_api_places_and_answers(client: Any) -> None:
    """order.place over the WebSocket API gives an order, ticker.price a price."""

    async def trade() -> tuple[Any, Any]:
        api = await client.websocket_api.create_connection()
        placed = await api.new_order(
            symbol="BTCUSDT",
            side="BUY",
            type="LIMIT",
            time_in_force="GTC",
            quantity=0.01,
            price=69000.0,
        )
        price = await api.symbol_price_ticker(symbol="BTCUSDT")
        await api.close_connection(close_session=True)
        return placed.data(), price.data()

    placed, price = asyncio.run(trade())
    assert placed.result.status == "NEW"
    assert price.actual_instance.result.price == "70000.00"
