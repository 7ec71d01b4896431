"""Price sources: what each yields as time passes, and that it repeats."""

from __future__ import annotations

import gzip
import itertools
import json
from decimal import Decimal
from pathlib import Path

import pytest

from runner.venues.paper.exchange import Exchange
from runner.venues.paper.market import Script, Source, Still, Walk
from runner.venues.paper.moves import Move
from runner.venues.paper.recordings import Frames, Klines
from runner.venues.paper.streams import Streams
from runner.venues.paper.symbols import built_in
from tests.venues.paper.test_pace import Ear

NOW = 1_000_000


def started(source: Source) -> Source:
    """Return a source that has begun at NOW."""
    source.start(NOW, built_in())
    return source


def test_a_walk_repeats_with_its_seed() -> None:
    """The same seed, the same prices; another seed, others."""
    walks = [started(Walk(seed)) for seed in (1, 1, 2)]
    paths = [[move.price for move in walk.due(NOW + 10_000)] for walk in walks]
    assert paths[0] == paths[1] != paths[2]


def test_a_walk_stays_on_the_tick_and_above_zero() -> None:
    """Ten minutes of every symbol."""
    symbols = built_in()
    walk = started(Walk(3, spread=Decimal("0.05")))
    for second in range(600):
        for move in walk.due(NOW + second * 1000):
            assert move.price is not None
            assert move.price > 0
            assert move.price % symbols[move.symbol].tick == 0


def test_a_walk_steps_once_in_each_interval() -> None:
    """And says when the next step comes."""
    walk = started(Walk(1, interval_ms=500, symbols=["BTCUSDT"]))
    assert walk.next_at() == NOW + 500
    assert walk.due(NOW + 499) == []
    assert len(walk.due(NOW + 1000)) == 2
    assert walk.next_at() == NOW + 1500


def test_a_walk_does_not_catch_up_after_a_long_sleep() -> None:
    """A suspended machine wakes to one step, not to a day of them."""
    walk = started(Walk(1, interval_ms=100, symbols=["BTCUSDT"]))
    assert len(walk.due(NOW + 86_400_000)) == 1


def test_a_walk_goes_on_from_a_price_set_by_hand() -> None:
    """The next step starts there."""
    walk = started(Walk(1, jump_every=10**9, symbols=["BTCUSDT"]))
    walk.moved("BTCUSDT", Decimal(90_000))
    walk.moved("UNKNOWN", Decimal(1))
    price = walk.due(NOW + 250)[0].price
    assert price is not None
    assert abs(price - 90_000) < 500


def test_a_walk_jumps_now_and_then() -> None:
    """Some steps are far larger than the usual ones."""
    walk = started(Walk(1, symbols=["BTCUSDT"], interval_ms=1000))
    prices = [Decimal(70_000)]
    for second in range(3000):
        prices += [move.price for move in walk.due(NOW + second * 1000) if move.price]
    changes = [abs(b / a - 1) for a, b in itertools.pairwise(prices)]
    assert max(changes) > 10 * sorted(changes)[len(changes) // 2]


def test_a_script_plays_its_steps_at_their_offsets() -> None:
    """Each once, in order, and then never again."""
    script = started(Script([(0, "BTCUSDT", "70000"), (100, "BTCUSDT", "70010")]))
    assert script.first_price("BTCUSDT") == 70_000
    assert script.due(NOW) == [Move(0, "BTCUSDT", price=Decimal(70_000))]
    assert script.next_at() == NOW + 100
    assert [move.price for move in script.due(NOW + 1000)] == [Decimal(70_010)]
    assert script.due(NOW + 9000) == []
    assert script.next_at() is None
    script.moved("BTCUSDT", Decimal(1))


def test_still_prices_stay() -> None:
    """Given or realistic, and nothing comes by itself."""
    still = started(Still({"ETHUSDT": Decimal(3000)}))
    assert still.first_price("ETHUSDT") == 3000
    assert still.first_price("BTCUSDT") == 70_000
    assert still.due(NOW + 1_000_000) == []
    assert still.next_at() is None


CANDLES = """t,open,high,low,close,volume
60000,100,110,90,105,1
120000,105,106,80,81,2
"""


@pytest.mark.parametrize("packed", [True, False])
def test_candles_are_played_through_open_low_high_close(tmp_path: Path, packed: bool) -> None:
    """A rising candle visits its low first, a falling one its high; gzip or plain."""
    path = tmp_path / ("candles.csv.gz" if packed else "candles.csv")
    data = CANDLES.encode()
    path.write_bytes(gzip.compress(data) if packed else data)
    source = started(Klines(path, "ETHUSDT", speed=10))
    moves = source.due(NOW + 100_000)
    assert [str(move.price) for move in moves] == [
        *("100", "90", "110", "105"),
        *("105", "106", "80", "81"),
    ]
    assert [move.at for move in moves] == [0, 1500, 3000, 4500, 6000, 7500, 9000, 10500]


def test_recorded_frames_move_book_and_last_price(tmp_path: Path) -> None:
    """BookTicker moves bid and ask with their quantities, trades the price; others nothing."""
    path = tmp_path / "frames"
    path.write_text(
        '1000000000 {"stream":"x","data":{"e":"bookTicker","s":"ETHUSDT","b":"10","B":"1",'
        '"a":"11","A":"2"}}\n'
        '1005000000 {"e":"trade","s":"ETHUSDT","p":"10.5","q":"3","m":true}\n'
        '1006000000 {"e":"trade","s":"ETHUSDT","p":"0","q":"0","m":true}\n'
        '1007000000 {"e":"depthUpdate","s":"ETHUSDT"}\n'
        '1009000000 {"e":"markPriceUpdate","s":"ETHUSDT","p":"10.6"}\n'
    )
    moves = started(Frames(path)).due(NOW + 1000)
    assert [move.at for move in moves] == [0, 5, 9]
    assert [str(one) for one in (moves[0].bid, moves[0].ask, moves[0].ask_quantity)] == [
        *("10", "11", "2")
    ]
    assert (moves[1].price, moves[1].buyer_is_maker) == (Decimal("10.5"), True)
    assert moves[2].mark == Decimal("10.6")
    assert [move.keep_book for move in moves] == [True, True, True]


def test_recorded_book_tickers_reach_the_stream_as_recorded(recorded: Path) -> None:
    """Two seconds of frames: what the exchange streams is what was recorded, frame by frame."""
    path = recorded / "frames-ethusdt-perp-2024-08-08.gz"
    wanted = []
    with gzip.open(path, "rt") as lines:
        for line in itertools.islice(lines, 2000):
            data = json.loads(line.partition(" ")[2]).get("data", {})
            if data.get("e") == "bookTicker":
                wanted.append((data["b"], data["B"], data["a"], data["A"]))
    exchange = Exchange(now=NOW)
    room = Streams(lambda _: None)
    ear = Ear()
    room.connect(ear, "/public/ws/ethusdt@bookTicker", "")
    source = started(Frames(path))
    now = NOW
    while len(ear.heard) < len(wanted):
        now += 100
        for move in source.due(now):
            exchange.apply(move, now)
            room.publish(exchange.drain(), exchange.state, now, at_once=True)
    told = [(one["b"], one["B"], one["a"], one["A"]) for one in ear.heard[: len(wanted)]]
    assert told == wanted


def test_the_recorded_files_play(recorded: Path) -> None:
    """The recorded ETH frames and candles yield moves of the right size."""
    frames = started(Frames(recorded / "frames-ethusdt-perp-2024-08-08.gz"))
    moves = frames.due(NOW + 2_000)
    assert moves
    assert all(2000 < (move.price or move.bid or 0) < 3500 for move in moves)
    candles = started(Klines(recorded / "ETHUSDT-1m-2025-01-27_2025-02-26.csv.gz", "ETHUSDT"))
    assert len(candles.due(NOW + 180_000)) == 13
