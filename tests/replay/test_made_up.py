"""Tiny replays whose every figure can be reckoned by hand."""

from __future__ import annotations

import logging
import random
from decimal import Decimal
from pathlib import Path

import pytest

from runner.core.orders import Call, ReadCall
from runner.core.rules import KLINE, RuleSet
from runner.core.state import State
from runner.replay.closes import Closes
from runner.replay.reach import Reach
from runner.replay.readings import Readings
from tests.replay.drawing import MINUTE, START, drawn, flat, replayed, ruled

BUY_AND_EXIT = """
  - id: in
    symbol: ETHUSDT
    when: [{price: {crosses_above: 3000}}]
    do: [{place: {side: buy, type: market, quantity: 1}}]
    max_fires: 1
  - id: out
    symbol: ETHUSDT
    when: [{price: {crosses_above: 3100}}]
    do: [{close: {type: market}}]
"""

RISE = [(2990, 2995, 2985, 2990), (2990, 3020, 2990, 3010), (3010, 3150, 3010, 3120)]


def test_the_profit_of_one_trade(tmp_path: Path) -> None:
    """In at the first tick over 3000, out over 3100: 0.05 % each way is all that is lost."""
    data = drawn(tmp_path / "ETHUSDT.csv", [*RISE, *flat(3120, 3)])
    told = replayed(ruled(tmp_path / "r.yaml", BUY_AND_EXIT), "--data", data)
    bought, sold = told["fills"]
    # the book stands one tick wide around the last price: who buys pays the upper end
    assert (bought["rule"], bought["side"], bought["price"]) == ("in", "buy", "3000.02")
    assert (sold["rule"], sold["side"], sold["price"]) == ("out", "sell", "3100.01")
    fees = Decimal("3000.02") * Decimal("0.0005") + Decimal("3100.01") * Decimal("0.0005")
    sums = told["totals"]
    assert Decimal(sums["fees"]) == fees
    assert Decimal(sums["realised_pnl"]) == Decimal("99.99")
    assert Decimal(sums["net_pnl"]) == Decimal("99.99") - fees
    assert Decimal(sums["equity"]) == 10_000 + Decimal(sums["net_pnl"])
    assert sums["unrealised_pnl"] == "0"
    assert (sums["fires"], sums["orders"], sums["fills"]) == (2, 2, 2)


def test_fees_and_balance_are_as_given(tmp_path: Path) -> None:
    """`--fees` are the maker's and the taker's share, `--balance` is what there is at first."""
    data = drawn(tmp_path / "ETHUSDT.csv", [*RISE, *flat(3120, 3)])
    rules = ruled(tmp_path / "r.yaml", BUY_AND_EXIT)
    told = replayed(rules, "--data", data, "--fees", "0,0.1%", "--balance", "5000")
    fees = (Decimal("3000.02") + Decimal("3100.01")) / 1000
    assert Decimal(told["totals"]["fees"]) == fees
    assert told["totals"]["balance"] == "5000"


def test_funding_is_paid_at_its_time(tmp_path: Path) -> None:
    """A long position pays the rate of its notional at 08:00 UTC, and nothing between."""
    bars = [*RISE[:2], *flat(3010, 8 * 60 + 5)]
    data = drawn(tmp_path / "ETHUSDT.csv", bars)
    rules = ruled(tmp_path / "r.yaml", BUY_AND_EXIT)
    told = replayed(rules, "--data", data, "--funding-rate", "0.02%")
    assert Decimal(told["totals"]["funding"]) == -Decimal(3010) * Decimal("0.0002")
    (held,) = told["positions"]
    assert (held["size"], held["entry_price"]) == ("1", "3000.02")
    assert Decimal(told["totals"]["unrealised_pnl"]) == Decimal("9.98")


def test_a_changed_leverage_is_no_line_of_the_output(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The exchange tells it back on the account's stream; nobody needs to know of that."""
    rules = ruled(
        tmp_path / "r.yaml",
        """
  - id: lever
    symbol: ETHUSDT
    when: [{price: {crosses_above: 3000}}]
    do: [{set: {leverage: 5}}]
""",
    )
    data = drawn(tmp_path / "ETHUSDT.csv", [*RISE, *flat(3120, 3)])
    caplog.set_level("INFO")
    assert replayed(rules, "--data", data)["totals"]["fires"] == 1
    assert "leverage or multi-assets mode was changed" in caplog.text
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING] == []


LADDER = """
  - id: bids
    symbol: ETHUSDT
    when: [{schedule: {cron: "1 0 * * *", timezone: UTC, missed: skip}}]
    do:
      - bracket:
          entry: {side: buy, type: limit, price: 2950, quantity: 1}
          stop: {trigger_price: 2900}
          target: {price: 3050}
"""


def test_exits_fill_at_their_levels_inside_a_candle(tmp_path: Path) -> None:
    """A limit order fills at its price; a stop at its level, one tick worse, not at the low."""
    bars = [*flat(3000, 3), (3000, 3000, 2940, 2945), (2945, 2945, 2600, 2610), *flat(2610, 3)]
    data = drawn(tmp_path / "ETHUSDT.csv", bars)
    told = replayed(ruled(tmp_path / "r.yaml", LADDER), "--data", data)
    bought, stopped = told["fills"]
    assert (bought["price"], bought["maker"]) == ("2950", True)
    assert (stopped["price"], stopped["maker"]) == ("2900", False)


def test_a_jump_between_candles_fills_where_it_lands(tmp_path: Path) -> None:
    """What opens beyond a stop fills there: nobody traded at the level."""
    bars = [*flat(3000, 3), (3000, 3000, 2940, 2945), (2700, 2710, 2690, 2700), *flat(2700, 3)]
    data = drawn(tmp_path / "ETHUSDT.csv", bars)
    told = replayed(ruled(tmp_path / "r.yaml", LADDER), "--data", data)
    assert told["fills"][1]["price"] == "2700"


def test_a_candle_that_rose_had_its_low_first(tmp_path: Path) -> None:
    """So one that rose and holds stop and target ends at the stop, one that fell at the target."""
    for name, last, price in (
        ("rose", (2950, 3060, 2890, 3055), "2900"),
        ("fell", (2950, 3060, 2890, 2895), "3050"),
    ):
        bars = [*flat(3000, 3), (3000, 3000, 2949, 2950), last, *flat(last[3], 3)]
        data = drawn(tmp_path / f"ETHUSDT-{name}.csv", bars)
        told = replayed(ruled(tmp_path / "r.yaml", LADDER), "--data", data)
        assert told["fills"][1]["price"] == price, name


def test_a_wait_ends_between_two_prices(tmp_path: Path) -> None:
    """`for: 40s` is over 40 s after the cross, as the price that stays is said again."""
    rules = ruled(
        tmp_path / "r.yaml",
        """
  - id: held
    symbol: ETHUSDT
    when: [{price: {crosses_above: 3000, for: 40s}}]
    do: [{place: {side: buy, type: market, quantity: 1}}]
""",
    )
    data = drawn(tmp_path / "ETHUSDT.csv", [*RISE[:2], *flat(3010, 3)])
    (bought,) = replayed(rules, "--data", data)["fills"]
    # the high came at three quarters of the way to the second minute's half
    assert bought["time"] == START + MINUTE + 30_000 + 40_000
    assert bought["price"] == "3010.01"


def test_candles_close_at_their_end(tmp_path: Path) -> None:
    """`closes_above` on 5m fires at the end of the first five minutes that close over it."""
    rules = ruled(
        tmp_path / "r.yaml",
        """
  - id: closes
    symbol: ETHUSDT
    when: [{price: {closes_above: 3000, on: 5m}}]
    do: [{place: {side: buy, type: market, quantity: 1}}]
""",
    )
    bars = [*flat(2990, 7), (2990, 3050, 2990, 2990), *flat(2990, 4), *flat(3020, 12)]
    data = drawn(tmp_path / "ETHUSDT.csv", bars)
    (bought,) = replayed(rules, "--data", data)["fills"]
    assert bought["time"] == START + 15 * MINUTE


def test_a_weekly_candle_ends_on_monday() -> None:
    """At 00:00 UTC, whatever day the data begins on."""
    monday, week = 1_795_392_000_000, 7 * 86_400_000  # 2026-11-23
    saturday = monday - 30 * 3_600_000
    wanted = [("ETHUSDT", f"{KLINE}1w")]
    closes = Closes(RuleSet({}, {}, ""), State(), wanted, saturday)
    assert closes.next_at() == monday
    assert closes.end(monday) == [("ETHUSDT", "1w", week)]
    assert closes.next_at() == monday + week


def test_a_gap_is_told_and_only_arms(tmp_path: Path) -> None:
    """Nothing is invented for missing minutes: what crossed in them is recorded, not fired."""
    bars = [*flat(2990, 5), *flat(3010, 10)]
    data = drawn(tmp_path / "ETHUSDT.csv", bars, skip=range(3, 9))
    rules = ruled(tmp_path / "r.yaml", BUY_AND_EXIT)
    told = replayed(rules, "--data", data)
    assert told["data"][0]["gaps"] == [[START + 3 * MINUTE, START + 9 * MINUTE]]
    assert told["fills"] == []
    assert told["rules"][0]["why_not"] == {"crossed while away": 1}


def test_two_symbols_keep_their_order(tmp_path: Path) -> None:
    """What happens on one symbol is decided with the other's price of that moment."""
    rules = ruled(
        tmp_path / "r.yaml",
        """
  - id: pair
    symbols: [ETHUSDT, BTCUSDT]
    when: [{price: {crosses_above: 3000}}]
    do: [{place: {side: buy, type: market, quantity: 1}}]
  - id: later
    symbol: BTCUSDT
    when: [{order: {rule: pair, status: filled}}]
    do: [{place: {side: sell, type: limit, price: =mark * 1.01, quantity: 0.5}}]
""",
    )
    eth = drawn(tmp_path / "ETHUSDT.csv", [*RISE, *flat(3120, 3)])
    btc = drawn(tmp_path / "BTCUSDT.csv", [*flat(2900, 3), *flat(3500, 3)])
    told = replayed(rules, "--data", eth, "--data", btc)
    first, second = told["fills"]
    assert (first["symbol"], first["price"]) == ("ETHUSDT", "3000.02")
    assert (second["symbol"], second["price"]) == ("BTCUSDT", "3500.1")
    assert [one["orders"] for one in told["rules"]] == [2, 1]


ALL_IN = """
  - id: in
    symbol: ETHUSDT
    when: [{price: {crosses_above: 3000}}]
    do: [{place: {side: buy, type: market, quantity: 1}}]
    max_fires: 1
"""


def test_a_position_without_margin_is_liquidated(tmp_path: Path) -> None:
    """The exchange closes it on the way down, on its own account; no more is lost than there is."""
    bars = [*RISE, (3120, 3125, 2500, 2510), *flat(2510, 3)]
    data = drawn(tmp_path / "ETHUSDT.csv", bars)
    rules = ruled(tmp_path / "r.yaml", ALL_IN)
    told = replayed(rules, "--data", data, "--balance", "200")
    assert told["positions"] == []
    assert {one["rule"]: one["fills"] for one in told["rules"]} == {"in": 1, "(exchange)": 1}
    closed = Decimal(told["fills"][1]["price"])
    assert 2800 < closed < 2860, "it was closed at its bankruptcy price, not at the low"
    assert 0 <= Decimal(told["totals"]["equity"]) < 20
    sums = {name: Decimal(told["totals"][name]) for name in told["totals"] if name != "why_not"}
    parts = sums["realised_pnl"] - sums["fees"] + sums["funding"] - sums["liquidation_fees"]
    assert parts == sums["net_pnl"]


TRAILING = """
  - id: in
    symbol: ETHUSDT
    when: [{price: {crosses_above: 3000}}]
    if: [position.size == 0]
    do:
      - place: {side: buy, type: market, quantity: 1}
      - trail: {callback_rate: 2}
"""


@pytest.mark.parametrize(
    "rules",
    [
        TRAILING,
        BUY_AND_EXIT,
        LADDER,
        """
  - id: trails
    symbol: ETHUSDT
    when: [{price: {trails: 1%}}]
    do: [{place: {side: sell, type: market, quantity: 0.1}}]
  - id: moves
    symbol: ETHUSDT
    when: [{price: {moves: 2% within 5m}}]
    do: [{place: {side: buy, type: market, quantity: 0.2}}]
""",
        """
  - id: closes
    symbol: ETHUSDT
    when: [{price: {closes_above: 3000, on: 1m, rearm: 2990}}]
    do: [{place: {side: buy, type: market, quantity: 0.1}}]
  - id: slower
    symbol: ETHUSDT
    when: [{price: {closes_below: 3000, on: 5m}}]
    do: [{place: {side: sell, type: market, quantity: 0.1}}]
""",
    ],
)
def test_what_is_left_out_changes_nothing(
    rules: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every price of every candle played out the fills are the same."""
    swing = [2990, 3040, 2960, 3120, 2930, 2880, 3060, 3010, 2950, 3090]
    bars = [
        (a, max(a, b) + step % 7, min(a, b) - step % 5, b)
        for step, (a, b) in enumerate(
            (swing[n % 10] + n % 13, swing[(n + 1) % 10] + (n + 1) % 13) for n in range(50)
        )
    ]
    data = drawn(tmp_path / "ETHUSDT.csv", [bar for one in bars for bar in (one, *flat(one[3], 4))])
    path = ruled(tmp_path / "r.yaml", rules)
    quick = replayed(path, "--data", data)
    assert quick["fills"], "nothing happened: this test looked at nothing"
    monkeypatch.setattr(Reach, "dull", lambda *_: False)
    monkeypatch.setattr(Closes, "_dull", lambda *_: False)
    monkeypatch.setattr(Readings, "_may_differ", lambda *_: True)
    assert replayed(path, "--data", data) == quick


TWO = """
  - id: eth
    symbol: ETHUSDT
    when: [{price: {crosses_above: 3000, rearm: 2995}}]
    if: [position.size == 0]
    do:
      - bracket:
          entry: {side: buy, type: market, quantity: 1}
          stop: {trigger_price: 2960}
          target: {price: 3060}
  - id: btc
    symbol: BTCUSDT
    when: [{price: {crosses_below: 70000}}]
    if: [position.size == 0]
    do: [{place: {side: sell, type: market, quantity: 0.05}}]
"""


def test_the_equity_does_not_depend_on_which_prices_were_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two symbols, with candles of different lengths, each counts with where it is by then."""
    chance = random.Random(5)
    files = []
    for symbol, middle, span, count in (("ETHUSDT", 3000, 1, 600), ("BTCUSDT", 70_000, 5, 120)):
        bars, price = [], float(middle)
        for _ in range(count):
            path = [price]
            for _ in range(3):
                path.append(path[-1] + chance.gauss(0, middle / 700) + (middle - path[-1]) / 50)
            price = round(path[-1], 1)
            rounded = [round(one, 1) for one in path]
            bars.append((rounded[0], max(rounded), min(rounded), rounded[-1]))
        files += ["--data", drawn(tmp_path / f"{symbol}.csv", bars, span=span * MINUTE)]
    rules = ruled(tmp_path / "r.yaml", TWO)
    quick = replayed(rules, *files)
    assert {one["symbol"] for one in quick["fills"]} == {"ETHUSDT", "BTCUSDT"}
    monkeypatch.setattr(Reach, "dull", lambda *_: False)
    monkeypatch.setattr(Readings, "_may_differ", lambda *_: True)
    assert replayed(rules, *files) == quick


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("place: {side: buy, type: market, quantity: 1}", False),
        ("place: {side: buy, type: market, quantity: =account.equity / 3000}", True),
        ("place: {side: buy, type: market, percent_of_available: 10}", True),
    ],
)
def test_the_account_is_read_where_somebody_reckons_with_it(
    written: str, read: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reading that no rule and no guard looks at is left out."""
    asked: list[Call] = []
    due = Readings.due

    def noted(self: Readings, now: int) -> list[Call]:
        asked.extend(found := due(self, now))
        return found

    monkeypatch.setattr(Readings, "due", noted)
    rule = f"""
  - id: in
    symbol: ETHUSDT
    when: [{{price: {{crosses_above: 3000}}}}]
    do: [{{{written}}}]
    max_fires: 1
"""
    data = drawn(tmp_path / "ETHUSDT.csv", [*RISE, *flat(3120, 3)])
    assert replayed(ruled(tmp_path / "r.yaml", rule), "--data", data)["fills"]
    assert (ReadCall("account") in asked) == read
