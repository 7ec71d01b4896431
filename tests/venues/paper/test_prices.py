"""Price sources by name: files in the layouts people have, and a real exchange's streams."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path

import pytest

from runner.venues.paper.live import Live
from runner.venues.paper.market import Source, Still, Walk
from runner.venues.paper.prices import price_source
from runner.venues.paper.recordings import Frames, Klines, Trades
from runner.venues.paper.server import PaperServer
from runner.venues.paper.symbols import built_in
from tests.support import eventually
from tests.venues.paper.client import KEYS

NOW = 1_000_000
VISION = "1730419200000,3.958,3.959,3.956,3.957,45103.8,1730419259999,178487.4,306,26031.0,1.2,0\n"
HEAD = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore\n"
)
TRADES = "1,70000.1,0.5,35000.05,1730419200000,true\n2,70000.4,0.1,7000.04,1730419200250,false\n"


def prices(source: Source) -> list[Decimal | None]:
    """Return every price of a source within the next minute."""
    source.start(NOW, built_in())
    return [move.price for move in source.due(NOW + 60_000)]


@pytest.mark.parametrize("text", [VISION, HEAD + VISION, "t,open,high,low,close\n" + VISION])
def test_candles_are_read_with_and_without_their_heading(tmp_path: Path, text: str) -> None:
    """The layout of data.binance.vision, packed or not; a falling candle goes up first."""
    plain, packed = tmp_path / "DOTUSDT-1m-2024-11.csv", tmp_path / "DOTUSDT-1m.csv.gz"
    plain.write_text(text)
    packed.write_bytes(gzip.compress(text.encode()))
    for path in (plain, packed):
        found = prices(price_source(f"klines:{path}"))
        assert found == [Decimal(one) for one in ("3.958", "3.959", "3.956", "3.957")]


@pytest.mark.parametrize("head", ["", "id,price,qty,quote_qty,time,is_buyer_maker\n"])
def test_trades_are_played_at_their_times(tmp_path: Path, head: str) -> None:
    """A move for each, with its size and side; `speed` divides the time."""
    path = tmp_path / "trades.csv"
    path.write_text(head + TRADES)
    source = price_source(f"trades:btcusdt={path}", speed=5)
    assert source.first_price("BTCUSDT") == Decimal("70000.1")
    source.start(NOW, built_in())
    (first,) = source.due(NOW)
    assert (first.symbol, first.quantity, first.buyer_is_maker) == ("BTCUSDT", Decimal("0.5"), True)
    assert source.next_at() == NOW + 50


def test_each_name_is_a_source(tmp_path: Path) -> None:
    """walk, still and files; frames need no symbol."""
    path = tmp_path / "BTCUSDT-trades.csv"
    path.write_text(TRADES)
    assert isinstance(price_source("walk", seed=3), Walk)
    assert isinstance(price_source("still"), Still)
    assert isinstance(price_source(f"trades:{path}"), Trades)
    frames = tmp_path / "frames"
    frames.write_text('1 {"data":{"e":"trade","s":"BTCUSDT","p":"7","q":"1","m":true}}\n')
    assert isinstance(price_source(f"frames:{frames}"), Frames)


@pytest.mark.parametrize(
    "text", ["", "moon", "klines:", "klines:some.csv", "live:one", "walk:x", "trades:empty.csv"]
)
def test_what_names_no_source_is_explained(text: str) -> None:
    """ValueError with the forms that exist, or how to name the symbol."""
    with pytest.raises(ValueError, match=r"use walk|write BTCUSDT="):
        price_source(text)


def test_a_file_of_another_kind_is_explained(tmp_path: Path) -> None:
    """No prices in it; one that is not there is an OSError."""
    path = tmp_path / "BTCUSDT.csv"
    path.write_text("a,b\n1,2\n")
    for kind in ("klines", "trades"):
        with pytest.raises(ValueError, match="no prices"):
            price_source(f"{kind}:{path}")
    with pytest.raises(FileNotFoundError):
        Klines(tmp_path / "gone.csv", "BTCUSDT")


def test_live_prices_come_from_an_exchanges_streams() -> None:
    """One paper exchange follows another's mark, last and book."""
    with PaperServer(keys=KEYS, market=Still()) as real:
        real.set_price("BTCUSDT", "71000")
        addresses = real.addresses
        source = price_source(f"live:{addresses['rest']},{addresses['streams']}")
        assert isinstance(source, Live)
        assert source.first_price("BTCUSDT") == 71_000
        with PaperServer(keys=KEYS, market=source) as follower:
            market = follower.exchange.state.market

            def follows() -> bool:
                real.set_price("BTCUSDT", "71234.5")
                seen = market("BTCUSDT")
                return (seen.mark, seen.last, seen.bid) == (Decimal("71234.5"),) * 3

            eventually(follows, timeout=60)
            source.stop()


def test_an_exchange_that_does_not_answer_is_an_os_error() -> None:
    """Nobody listens on port 9; what is there but tells no prices is one, too."""
    with pytest.raises(OSError, match="9"):
        Live(rest="http://127.0.0.1:9")
    with PaperServer(keys=KEYS, market=Still()) as real, pytest.raises(OSError, match="no prices"):
        Live(rest=f"{real.addresses['rest']}/nothing")
