"""The recorded months, played through rules, against what is counted from the files directly."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.calling import call
from tests.replay.drawing import replayed, ruled

ETH = "ETHUSDT-1m-2025-01-27_2025-02-26.csv.gz"
BTC = "BTCUSDT-5m-2024-10_2025-02.csv.gz"
DOT = "DOTUSDT-1m-2024-11.csv.gz"
FRAMES = "frames-ethusdt-perp-2024-08-08.gz"

CROSS = """
  - id: up
    symbol: {symbol}
    when: [{{price: {{crosses_above: {level}}}}}]
    do: [{{notify: over}}]
  - id: down
    symbol: {symbol}
    when: [{{price: {{crosses_below: {level}}}}}]
    do: [{{notify: under}}]
"""


def there(folder: Path, name: str) -> Path:
    """One of the recorded files; the test is skipped where it is missing."""
    if not (folder / name).is_file():
        pytest.skip(f"no {name} in {folder}")
    return folder / name


def prices(path: Path, since: int = 0, until: int = 10**15) -> Iterator[Decimal]:
    """The path of every candle: a rising one had its low first."""
    with gzip.open(path, "rt") as text:
        for row in csv.DictReader(text):
            if since <= int(row["t"]) < until:
                first, last = Decimal(row["open"]), Decimal(row["close"])
                low, high = Decimal(row["low"]), Decimal(row["high"])
                yield from (first, low, high, last) if last >= first else (first, high, low, last)


def crosses(path: Iterator[Decimal], level: Decimal) -> tuple[int, int]:
    """How often a path steps over a level, and under it; equal is not past."""
    over = under = 0
    above: bool | None = None
    below: bool | None = None
    for price in path:
        over += above is False and price > level
        under += below is False and price < level
        above, below = price > level, price < level
    return over, under


@pytest.mark.parametrize(
    ("name", "symbol", "level"),
    [(ETH, "ETHUSDT", "2700"), (BTC, "BTCUSDT", "97000"), (DOT, "DOTUSDT", "5")],
)
def test_every_cross_of_a_month_fires(
    name: str, symbol: str, level: str, recorded: Path, tmp_path: Path
) -> None:
    """As many fires as steps over the level are in the file, both ways."""
    path = there(recorded, name)
    rules = ruled(tmp_path / "r.yaml", CROSS.format(symbol=symbol, level=level))
    told = replayed(rules, "--data", path)
    counted = crosses(prices(path), Decimal(level))
    assert min(counted) > 5, "the level is hardly crossed: this test looked at nothing"
    assert tuple(one["fires"] for one in told["rules"]) == counted
    assert told["data"][0]["gaps"] == []
    assert told["errors"] == []


DAY = """
  - id: crash
    symbol: ETHUSDT
    when: [{schedule: {cron: "0 0 * * *", timezone: UTC, missed: skip}}]
    if: [position.size == 0]
    do:
      - bracket:
          entry: {side: buy, type: market, quantity: 1}
          stop: {trigger_price: 2300}
          target: {price: 3400}
"""


def test_the_day_with_the_minute_of_12_percent(recorded: Path, tmp_path: Path) -> None:
    """Bought at midnight, out at the stop within that minute; funding was paid on the way."""
    path = there(recorded, ETH)
    rules = ruled(tmp_path / "r.yaml", DAY)
    page = tmp_path / "page.html"
    words = ("--data", path, "--from", "2025-02-02T23:50", "--to", "2025-02-04", "--report", page)
    told = replayed(rules, *words)
    bought, stopped = told["fills"][:2]
    assert bought["time"] == 1_738_540_800_000
    first = next(prices(path, 1_738_540_740_000))
    assert abs(Decimal(bought["price"]) - first) < 15
    assert stopped["price"] == "2300"
    assert stopped["time"] // 60_000 * 60_000 == minute_of_crash(path)
    loss = Decimal("2300") - Decimal(bought["price"])
    assert Decimal(stopped["realised_pnl"]) == loss
    assert Decimal(told["totals"]["max_drawdown"]) >= -loss
    assert f"Price of ETHUSDT with {len(told['fills'])} fills" in page.read_text("utf-8")


def minute_of_crash(path: Path) -> int:
    """When the candle with the widest range began."""
    with gzip.open(path, "rt") as text:
        rows = csv.DictReader(text)
        ranges = [(float(row["high"]) / float(row["low"]), int(row["t"])) for row in rows]
    widest, at = max(ranges)
    assert widest > 1.125
    return at


def test_three_series_at_once_twice_the_same(recorded: Path, tmp_path: Path) -> None:
    """The same input gives the same bytes, page and JSON, also with three symbols at once."""
    texts = [
        CROSS.format(symbol=symbol, level=level).replace("id: ", f"id: {symbol[:3].lower()}-")
        for symbol, level in (("ETHUSDT", "2700"), ("BTCUSDT", "95000"), ("DOTUSDT", "8"))
    ]
    trade = "do: [{place: {side: buy, type: market, notional: 100}}]"
    rules = ruled(tmp_path / "r.yaml", "".join(texts).replace("do: [{notify: over}]", trade))
    words: list[Any] = ["replay", rules, "--balance", "1000", "--from", "2024-11-25"]
    for name in (ETH, BTC, DOT):
        words += ["--data", there(recorded, name)]
    found = []
    for number in range(2):
        page = tmp_path / f"{number}.html"
        result = call(*words, "--to", "2025-02-04", "--report", page, "--json")
        assert result.exit_code == 0, result.output
        found.append((result.stdout, page.read_bytes()))
    assert found[0] == found[1]
    told = json.loads(found[0][0])
    assert [one["symbol"] for one in told["data"]] == ["BTCUSDT", "DOTUSDT", "ETHUSDT"]
    assert told["totals"]["fills"] > 10


def test_recorded_frames_are_played(recorded: Path, tmp_path: Path) -> None:
    """Trades and quotes of the raw streams, at the times at which they came."""
    path = there(recorded, FRAMES)
    rules = ruled(
        tmp_path / "r.yaml",
        """
  - id: bid
    symbol: ETHUSDT
    when: [{price: {moves: 0.05% within 1m, source: last}}]
    do: [{place: {side: buy, type: market, quantity: 0.1}}]
    max_fires: 1
""",
    )
    told = replayed(rules, "--data", path)
    (one,) = told["data"]
    assert one["kind"] == "frames"
    assert 340_000 < one["to"] - one["from"] < 350_000
    assert told["totals"]["fires"] == 1
    # the recorded best offer was not enough for all of it
    assert sum(Decimal(fill["quantity"]) for fill in told["fills"]) == Decimal("0.1")
