"""Streams over connections: what stands stays where it is, whatever comes and goes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.venues.binance_usdm.allotment import (
    HEARTBEAT,
    PER_CONNECTION,
    Connection,
    Wanted,
    address,
    allot,
    stream_of,
)

PAIRS = st.tuples(
    st.sampled_from([f"S{number}USDT" for number in range(6)]),
    st.sampled_from(["mark", "index", "last", "bid", "ask", "kline_1m"]),
)


def _many(count: int, source: str, start: int = 0) -> Wanted:
    return frozenset((f"S{number:04}", source) for number in range(start, start + count))


def test_new_streams_go_where_there_is_room() -> None:
    """A new symbol joins the connection that is there."""
    (before,) = allot(frozenset({("BTCUSDT", "mark")}))
    (after,) = allot(frozenset({("BTCUSDT", "mark"), ("ETHUSDT", "mark")}), [before])
    assert after.name == before.name
    assert after.names() - before.names() == {"ethusdt@markPrice@1s"}


def test_another_connection_only_when_all_are_full() -> None:
    """Full ones are left alone; a free name is taken, also one in between."""
    first, second = allot(_many(PER_CONNECTION + 1, "bid"))
    assert (first.name, second.name) == ("public", "public-2")
    again = allot(_many(2 * PER_CONNECTION, "bid", 1), [second])
    assert [one.name for one in again] == ["public-2", "public"]
    assert again[0].streams >= second.streams


def test_a_connection_that_carries_nothing_any_more_goes() -> None:
    """Nobody needs its category: it is not among what is needed."""
    standing = allot(frozenset({("BTCUSDT", "mark"), ("BTCUSDT", "bid")}))
    assert [one.name for one in allot(frozenset({("BTCUSDT", "bid")}), standing)] == ["public"]
    assert allot(frozenset(), standing) == ()


def test_a_connection_whose_streams_are_all_replaced_stays() -> None:
    """The other symbol is asked for on it: it need not be opened anew."""
    standing = allot(frozenset({("BTCUSDT", "bid")}))
    (after,) = allot(frozenset({("ETHUSDT", "bid")}), standing)
    assert after.name == "public"
    assert after.names() == {"ethusdt@bookTicker"}


def test_the_heartbeat_moves_on_when_its_symbol_goes() -> None:
    """Trades alone are silent for long: one mark price always comes along."""
    standing = allot(frozenset({("AUSDT", "last"), ("BUSDT", "last")}))
    assert f"ausdt@{HEARTBEAT}" in standing[0].names()
    (after,) = allot(frozenset({("BUSDT", "last")}), standing)
    assert after.names() == {"busdt@aggTrade", f"busdt@{HEARTBEAT}"}


def test_an_unknown_source() -> None:
    """It is an error before anything is changed."""
    with pytest.raises(KeyError):
        allot(frozenset({("BTCUSDT", "colour")}))


def test_an_address_is_sorted_and_encoded() -> None:
    """Some symbols are Chinese."""
    assert address("wss://x", "public", {"龙虾usdt@bookTicker", "btcusdt@bookTicker"}) == (
        "wss://x/public/stream?streams=btcusdt@bookTicker/%E9%BE%99%E8%99%BEusdt@bookTicker"
    )


@given(st.lists(st.frozensets(PAIRS, max_size=12), max_size=6))
def test_every_pair_comes_over_one_connection(changes: list[Wanted]) -> None:
    """After any changes: each stream once, under its category, and no stream that moved."""
    standing: tuple[Connection, ...] = ()
    for wanted in changes:
        before = {(one.category, each): one.name for one in standing for each in one.streams}
        standing = allot(wanted, standing)
        after = [(one.category, each, one.name) for one in standing for each in one.streams]
        assert len({one.name for one in standing}) == len(standing)
        assert sorted((category, (symbol, kind)) for category, (symbol, kind), _ in after) == (
            sorted({(stream_of(s)[0], (symbol, stream_of(s)[1])) for symbol, s in wanted})
        )
        assert all(before.get((category, each), name) == name for category, each, name in after)
        carried = [pair for one in standing for pair in one.pairs(wanted)]
        assert sorted(carried) == sorted(wanted)
