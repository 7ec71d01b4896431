"""What cannot be replayed is refused before anything is played, with the line and the cure."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.cli.calling import call
from tests.replay.drawing import START, drawn, flat, replayed, ruled

RULE = """
  - id: up
    symbol: ETHUSDT
    when: [{price: {crosses_above: 3000}}]
    do: [{notify: over}]
"""
HEAD = "t,open,high,low,close,volume"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A file with one rule."""
    return ruled(tmp_path / "r.yaml", RULE)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("t,open,high,low,volume\n1,2,3,4,5", "the column close is missing"),
        ("", "its columns are nothing at all"),
        (f"{HEAD}\n{START},1,2,x,1,1", "ETHUSDT.csv:2 is no candle"),
        (f"{HEAD}\n{START},1,2", "ETHUSDT.csv:2 is no candle"),
        (f"{HEAD}\n{START},1,1,1,2,1", "ETHUSDT.csv:2: high and low do not hold open and close"),
        (f"{HEAD}\n{START},1,1,-1,1,1", "ETHUSDT.csv:2: high and low"),
        (f"{HEAD}\n{START},1,1,1,1,1\n{START},1,1,1,1,1", "goes back in time"),
        (
            f"{HEAD}\n" + "".join(f"{START + at * 1000},1,1,1,1,1\n" for at in (0, 60, 120, 150)),
            "candles of different lengths",
        ),
    ],
)
def test_a_wrong_file_is_refused(text: str, words: str, rules: Path, tmp_path: Path) -> None:
    """Exit 2; the message names the file, and the line where there is one."""
    path = tmp_path / "ETHUSDT.csv"
    path.write_text(text, "utf-8")
    result = call("replay", rules, "--data", path)
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert result.stdout == ""


def test_a_file_that_is_not_packed_is_refused(rules: Path, tmp_path: Path) -> None:
    """A .gz that is none says that it cannot be read."""
    path = tmp_path / "ETHUSDT.csv.gz"
    path.write_text("nothing", "utf-8")
    result = call("replay", rules, "--data", path)
    assert result.exit_code == 2
    assert "cannot be read" in result.stderr


def test_symbols_without_data_are_refused_or_left_out(tmp_path: Path) -> None:
    """The rules that want them are named; `--partial` and `--rule` go on without."""
    both = RULE + RULE.replace("id: up", "id: other").replace("ETHUSDT", "BTCUSDT")
    path = ruled(tmp_path / "r.yaml", both)
    data = drawn(tmp_path / "ETHUSDT.csv", flat(3000, 3))
    refused = call("replay", path, "--data", data)
    assert refused.exit_code == 2
    assert "BTCUSDT (rule other)" in refused.stderr
    assert "--data SYMBOL=FILE" in refused.stderr
    told = replayed(path, "--data", data, "--partial")
    assert told["not_played"] == {"other": "no data for BTCUSDT"}
    assert [one["rule"] for one in told["rules"]] == ["up"]
    assert replayed(path, "--data", data, "--rule", "up")["not_played"] == {}


def test_what_is_not_there_is_named(rules: Path, tmp_path: Path) -> None:
    """No such file, rule, symbol or time: each is a usage error with its cure."""
    data = drawn(tmp_path / "ETHUSDT.csv", flat(3000, 3))
    odd = drawn(tmp_path / "eth.csv", flat(3000, 3))
    for words, text in (
        (("--data", tmp_path / "no.csv"), "there is no file"),
        (("--data", odd), "does not begin with a symbol"),
        (("--data", data, "--rule", "downs"), "there is no rule downs: the rules here are up"),
        (("--data", data, "--from", "2030-01-01"), "no data lies in the time"),
        (("--data", data, "--from", "soon"), "--from soon is no time"),
        (("--data", data, "--fees", "1"), "are not two shares"),
        (("--data", data, "--fees", "a,b"), "--fees a is no number"),
        (("--data", data, "--balance", "0"), "nothing to trade with"),
        (("--data", f"XYZUSDT={data}"), "want symbols that no data is given for: ETHUSDT"),
    ):
        result = call("replay", rules, *words)
        assert result.exit_code == 2, result.output
        assert text in result.stderr


def test_candles_finer_than_the_data_are_refused(tmp_path: Path) -> None:
    """A rule on 1m closes cannot be played with candles of five minutes."""
    text = RULE.replace("crosses_above: 3000", "closes_above: 3000, on: 1m")
    data = drawn(tmp_path / "ETHUSDT.csv", flat(3000, 3), span=300_000)
    result = call("replay", ruled(tmp_path / "r.yaml", text), "--data", data)
    assert result.exit_code == 2
    assert "candles of 1m of ETHUSDT, and its data has candles of 300 s" in result.stderr


def test_mistakes_in_the_rules_are_shown(tmp_path: Path) -> None:
    """As `check` shows them, and nothing is played: exit 1."""
    data = drawn(tmp_path / "ETHUSDT.csv", flat(3000, 3))
    path = ruled(tmp_path / "r.yaml", RULE.replace("crosses_above", "crosses_abov"))
    result = call("replay", path, "--data", data)
    assert result.exit_code == 1
    assert "did you mean crosses_above" in result.stderr
    assert "Nothing was played." in result.stderr


def test_layouts_of_the_exchange_are_read(rules: Path, tmp_path: Path) -> None:
    """Downloads with and without heading, in ms and µs, packed or not, under a symbol's name."""
    rest = "10,0,0,5,0,0,0"
    rows = [
        f"{START + n * 60_000},{2990 + 20 * n},3020,2980,{2990 + 20 * n},{rest}" for n in (0, 1)
    ]
    head = "open_time,open,high,low,close,volume,close_time,quote_volume,count,a,b,ignore"
    micro = [row.replace(",", "000,", 1) for row in rows]
    texts = {"bare": rows, "headed": [head, *rows], "micro": [head, *micro]}
    found = []
    for name, lines in texts.items():
        path = tmp_path / f"{name}.csv.gz"
        path.write_bytes(gzip.compress("\n".join(lines).encode()))
        told = replayed(rules, "--data", f"ETHUSDT={path}")
        told["data"][0].pop("files")
        found.append(told)
    assert found[0] == found[1] == found[2]
    assert found[0]["data"][0]["from"] == START
    assert found[0]["totals"]["fires"] == 3


def test_trades_are_played(rules: Path, tmp_path: Path) -> None:
    """A download of trades: each is a price at its time."""
    lines = ["id,price,qty,quote_qty,time,is_buyer_maker"]
    for number, price in enumerate((2990, 3001, 2999, 3002)):
        lines.append(f"{number},{price},1,{price},{START + number * 700},false")
    path = tmp_path / "ETHUSDT-trades.csv"
    path.write_text("\n".join(lines), "utf-8")
    told = replayed(rules, "--data", path)
    assert told["data"][0]["kind"] == "trades"
    assert told["totals"]["fires"] == 2


def test_one_symbol_is_played_as_another(rules: Path, tmp_path: Path) -> None:
    """`--symbol` maps the name in the data to the one in the rules."""
    data = drawn(tmp_path / "XETHX.csv", [(2990, 3010, 2980, 3005)])
    told = replayed(rules, "--data", data, "--symbol", "XETHX=ETHUSDT")
    assert told["totals"]["fires"] == 1


def test_files_of_one_symbol_follow_each_other(rules: Path, tmp_path: Path) -> None:
    """Two files of one symbol are one series; the time between them is a gap."""
    first = drawn(tmp_path / "ETHUSDT-1.csv", flat(2990, 5))
    second = drawn(tmp_path / "ETHUSDT-2.csv", flat(3010, 5), start=START + 7 * 60_000)
    told = replayed(rules, "--data", first, "--data", second)
    assert told["data"][0]["count"] == 10
    assert told["data"][0]["gaps"] == [[START + 5 * 60_000, START + 7 * 60_000]]
    assert call("replay", rules, "--data", second, "--data", first).exit_code == 2


def test_data_that_ends_early_is_told(tmp_path: Path) -> None:
    """With two symbols of different times the shorter one's times are named."""
    both = RULE + RULE.replace("id: up", "id: other").replace("ETHUSDT", "BTCUSDT")
    path = ruled(tmp_path / "r.yaml", both)
    eth = drawn(tmp_path / "ETHUSDT.csv", flat(3000, 9))
    btc = drawn(tmp_path / "BTCUSDT.csv", flat(3000, 3), start=START + 60_000)
    result = call("replay", path, "--data", eth, "--data", btc)
    expected = "BTCUSDT has data from 2025-02-01 00:01 to 2025-02-01 00:04 UTC only"
    assert expected in result.stdout
    assert "ETHUSDT has data" not in result.stdout


def test_rules_that_nothing_can_fire_are_named(tmp_path: Path) -> None:
    """A rule that waits for an alert is no reason to refuse, and is not passed over silently."""
    text = """
  - id: tv
    symbol: BTCUSDT
    when: [{webhook: {path: go, secret: tv}}]
    do: [{notify: came}]
"""
    path = ruled(tmp_path / "r.yaml", RULE + text)
    data = drawn(tmp_path / "ETHUSDT.csv", flat(3000, 3))
    told = replayed(path, "--data", data)
    assert "it waits for an alert" in told["not_played"]["tv"]
    shown = call("replay", path, "--data", data)
    assert "Mind: tv was not played: it waits for an alert" in shown.stdout


def test_a_heartbeat_that_cannot_beat_is_not_lost(tmp_path: Path) -> None:
    """Alerts are not played, so that their silence fires nothing; other triggers of a rule do."""
    text = """
  - id: beat
    symbol: ETHUSDT
    when: [{dead_man: {heartbeat: {webhook: beat, secret: tv, every: 1m}}}]
    do: [{notify: lost}]
  - id: either
    symbol: ETHUSDT
    when:
      - price: {crosses_above: 3000}
      - webhook: {path: go, secret: tv}
    do: [{notify: came}]
"""
    path = ruled(tmp_path / "r.yaml", text)
    data = drawn(tmp_path / "ETHUSDT.csv", [*flat(2990, 9), *flat(3010, 2)])
    told = replayed(path, "--data", data)
    assert [(one["rule"], one["fires"]) for one in told["rules"]] == [("beat", 0), ("either", 1)]
    assert "it waits for a dead man" in told["not_played"]["beat"]
    assert list(told["partly_played"]) == ["either"]
    shown = call("replay", path, "--data", data)
    assert "Mind: only the other triggers of either were played: it waits for" in shown.stdout
