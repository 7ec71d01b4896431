"""The synthesised book and the candles: prices in, levels and bars out."""

from __future__ import annotations

from decimal import Decimal

import pytest

from runner.venues.paper.book import LEVELS, Market, open_market
from runner.venues.paper.frames import message, open_stream
from runner.venues.paper.history import DAY, MINUTE, Candle, bounds
from runner.venues.paper.symbols import built_in
from tests.venues.paper.desk import START, Desk

# A full hour, so that candles of every length up to it begin here.
HOUR = START - START % 3_600_000


@pytest.fixture
def market() -> Market:
    """BTCUSDT at 70000."""
    return open_market(built_in()["BTCUSDT"], Decimal(70_000), HOUR)


def test_the_book_closes_in_around_the_last_price(market: Market) -> None:
    """Bid at the last price, ask one tick above, whatever the price's own precision."""
    market.move(HOUR, last=Decimal("70001.27"))
    assert (str(market.bid), str(market.ask)) == ("70001.20", "70001.30")


def test_a_trade_can_leave_a_recorded_book_alone(market: Market) -> None:
    """Recorded trades come with a recorded book of their own."""
    market.move(HOUR, last=Decimal(71_000), keep_book=True)
    assert (market.last, market.bid) == (Decimal(71_000), Decimal(70_000))


@pytest.mark.parametrize(
    ("bid", "ask", "book"),
    [
        ("69000", None, ("69000.00", "70000.10")),
        ("71000", None, ("71000.00", "71000.10")),
        (None, "71000", ("70000.00", "71000.00")),
        (None, "69000", ("68999.90", "69000.00")),
        ("69000", "69500", ("69000.00", "69500.00")),
        ("69500", "69500", ("69499.90", "69500.00")),
    ],
)
def test_bid_and_ask_never_cross(
    market: Market, bid: str | None, ask: str | None, book: tuple[str, str]
) -> None:
    """A side given alone pushes the other one away."""
    market.move(HOUR, bid=Decimal(bid) if bid else None, ask=Decimal(ask) if ask else None)
    assert (format(market.bid, ".2f"), format(market.ask, ".2f")) == book


def test_a_book_with_a_bottom_gives_level_by_level(market: Market) -> None:
    """What was taken is gone until the price moves."""
    market.level_quantity = Decimal(1)
    market.take("BUY", Decimal("1.5"))
    offers = list(market.offers("BUY"))
    assert [str(quantity) for _, quantity in offers[:2]] == ["0.5", "1"]
    assert len(offers) == LEVELS - 1
    market.move(HOUR, last=Decimal(70_000))
    assert next(market.offers("BUY"))[1] == 1


def test_a_cheap_symbols_bids_end_above_zero() -> None:
    """No level has a price of 0 or less."""
    symbol = built_in()["DOTUSDT"]
    market = open_market(symbol, symbol.tick * 5, HOUR)
    market.level_quantity = Decimal(1)
    assert len(list(market.offers("SELL"))) == 5


def test_recorded_quantities_stand_at_the_best_level(market: Market) -> None:
    """A bookTicker's quantities are shown and taken; behind them the book has its own."""
    market.bid_quantity = Decimal(3)
    assert market.shown("BUY", 0) == 3
    assert next(market.offers("SELL")) == (market.bid, Decimal(3))


def test_a_maker_fills_no_faster_than_a_level_holds() -> None:
    """A resting order of 0.010 meets 0.004 with each print at its price."""
    desk = Desk(level_quantity=Decimal("0.004"))
    desk.limit(price="69000")
    for left in ("0.004", "0.008", "0.010"):
        desk.price("69000")
        assert str(desk.held()) == left
    assert desk.story()[-1] == "ORDER FILLED"


def test_a_market_order_stops_at_the_band() -> None:
    """What lies beyond PERCENT_PRICE of the mark is not taken."""
    desk = Desk(level_quantity=Decimal("0.004"))
    desk.exchange.set_price("BTCUSDT", bid=Decimal("66500.1"), ask=Decimal("73499.9"), now=desk.now)
    answer = desk.market()
    assert (answer["status"], answer["executedQty"]) == ("EXPIRED", "0.008")
    answer = desk.market("SELL", quantity="0.020")
    assert (answer["status"], answer["executedQty"]) == ("EXPIRED", "0.008")


def figures(candle: Candle) -> list[str]:
    """Return open, high, low and close."""
    return [str(one) for one in (candle.open, candle.high, candle.low, candle.close)]


def minutes(market: Market, *prices: str) -> None:
    """Trade once a minute."""
    for number, price in enumerate(prices):
        market.move(HOUR + number * MINUTE, last=Decimal(price))
        market.tape(HOUR + number * MINUTE, Decimal(price), Decimal(1), buyer_is_maker=False)


def test_candles_join_to_longer_ones(market: Market) -> None:
    """Open of the first, close of the last, the extremes, the sums."""
    minutes(market, "70010", "70050", "69900", "70020")
    three = market.history.candles("3m", HOUR + 3 * MINUTE)
    assert [one.start for one in three] == [HOUR, HOUR + 3 * MINUTE]
    first = three[0]
    assert figures(first) == ["70000", "70050", "69900", "69900"]
    assert first.count == 4
    whole = market.history.candle("15m", HOUR + 4 * MINUTE)
    assert whole is not None
    assert figures(whole) == ["70000", "70050", "69900", "70020"]
    assert whole.count == 5
    assert market.history.candle("1m", HOUR + MINUTE) == market.history.minutes[1]
    assert market.history.candle("1m", HOUR - 1) is None


@pytest.mark.parametrize(
    ("interval", "eve", "ends"),
    [
        # Sunday, 2026-11-22, 23:58 UTC, and Monday a week later
        ("1w", 1_795_391_880_000, 1_795_996_800_000),
        # 2026-11-30, 23:58 UTC, and the end of December
        ("1M", 1_796_083_080_000, 1_798_761_600_000),
    ],
)
def test_a_week_begins_on_monday_and_a_month_on_the_first(
    interval: str, eve: int, ends: int
) -> None:
    """Over REST as on the stream, and each ends where the next begins."""
    market = open_market(built_in()["BTCUSDT"], Decimal(70_000), eve)
    stream = open_stream(f"btcusdt@kline_{interval}")
    assert stream is not None
    told = message(stream, market, eve)
    assert told is not None
    start = eve + 2 * MINUTE
    assert (told["k"]["T"], stream.ends_at) == (start - 1, start)  # type: ignore[index,call-overload]
    market.tape(start, Decimal(71_000), Decimal(1), buyer_is_maker=False)
    before, after = market.history.candles(interval, start)
    assert (after.start, figures(after)) == (start, ["71000"] * 4)
    assert market.history.candle(interval, start) == after
    assert before.start < eve
    assert bounds(interval, start) == (start, ends)


def test_minutes_without_a_trade_are_flat(market: Market) -> None:
    """They carry the last close and no volume; a trade in one makes it its own."""
    minutes(market, "70010")
    flat = market.history.candles("1m", HOUR + 3 * MINUTE)[1:]
    assert [figures(one) for one in flat] == [["70010"] * 4] * 3
    assert [one.volume for one in flat] == [0, 0, 0]
    market.tape(HOUR + 3 * MINUTE, Decimal(71_000), Decimal(1), buyer_is_maker=True)
    newest = market.history.minutes[-1]
    assert figures(newest) == ["71000"] * 4
    assert newest.count == 1
    assert newest.taker_volume == 0


def test_the_day_is_the_last_24_hours(market: Market) -> None:
    """Older minutes no longer count."""
    minutes(market, "70010", "80000", "70020")
    assert market.history.day(HOUR + 2 * MINUTE).high == 80_000
    assert market.history.day(HOUR + DAY + 2 * MINUTE).high == 70_020
