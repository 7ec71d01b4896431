"""`runner paper`: one JSON line with its addresses, then it serves until it is told to stop."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

import pytest
import requests

from tests.cli.calling import Process, call


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_told_to_stop(number: signal.Signals) -> None:
    """The first line of stdout is JSON; REST answers there; SIGTERM and Ctrl-C end with 0."""
    with Process("paper", "--api-key", "K", "--api-secret", "S") as process:
        addresses = json.loads(process.line())
        assert set(addresses) == {"rest", "streams", "ws_api"}
        answer = requests.get(f"{addresses['rest']}/fapi/v1/time", timeout=5)
        assert "serverTime" in answer.json()
        process.send(number)
        code, out, err = process.end()
        assert (code, out, err) == (0, "", "")


def test_a_taken_port_is_one_message() -> None:
    """The port is in use: exit 78, no traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = call("paper", "--port", port)
    assert result.exit_code == 78
    assert str(port) in result.stderr
    assert result.stdout == ""


def test_a_wrong_balance_is_usage() -> None:
    """--balance must be an amount."""
    result = call("paper", "--balance", "much")
    assert result.exit_code == 2
    assert "much" in result.stderr


def test_a_file_that_is_no_exchange_info_is_usage(tmp_path: Path) -> None:
    """--exchange-info must be a saved answer."""
    path = tmp_path / "info.json"
    path.write_text("{")
    result = call("paper", "--exchange-info", path)
    assert result.exit_code == 2
    assert str(path) in result.stderr
    path.write_text('{"a": 1}')
    assert call("paper", "--exchange-info", path).exit_code == 78


def test_saved_symbols_are_served(recorded: Path) -> None:
    """--exchange-info takes the symbols of a saved answer, packed or not."""
    path = next(iter(sorted(recorded.rglob("*exchangeInfo*"))), None)
    if path is None:
        pytest.skip(f"no saved exchangeInfo in {recorded}")
    with Process("paper", "--exchange-info", path) as process:
        addresses = json.loads(process.line())
        info = requests.get(f"{addresses['rest']}/fapi/v1/exchangeInfo", timeout=10).json()
        assert len(info["symbols"]) > 100


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--read-lag", "5", "length of time"),
        ("--retention", "3d,soon", "length of time"),
        ("--stream-life", "", "length of time"),
        ("--fault", "earthquake", "unknown fault kind"),
        ("--fault", "delay,ms=soon", "whole number"),
        ("--prices", "moon", "use walk, still"),
        ("--account", "only-a-key", "KEY:SECRET"),
        ("--account", "paper-key:x", "there already"),
        ("--brackets", __file__, "leverageBracket"),
    ],
)
def test_a_wrong_option_says_what_would_be_right(option: str, value: str, said: str) -> None:
    """Exit 2, with the option's own words."""
    result = call("paper", option, value)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_prices_that_are_not_there_are_one_message(tmp_path: Path) -> None:
    """A file that is missing, an exchange that does not answer: exit 78."""
    for source in (f"klines:BTCUSDT={tmp_path}/gone.csv", "live:http://127.0.0.1:9,ws://x"):
        result = call("paper", "--prices", source)
        assert result.exit_code == 78
        assert "cannot be used" in result.stderr


def test_an_unkind_exchange_with_two_accounts(tmp_path: Path) -> None:
    """Candles, a second key, its own ladder, a lag, a retention and a fault, all at once."""
    candles = tmp_path / "candles.csv"
    candles.write_text("t,open,high,low,close,volume\n0,64000,64000,64000,64000,1\n")
    step = {
        "bracket": 1,
        "initialLeverage": 9,
        "notionalCap": 1000,
        "notionalFloor": 0,
        "maintMarginRatio": 0.1,
        "cum": 0,
    }
    ladder = tmp_path / "brackets.json"
    ladder.write_text(json.dumps([{"symbol": "BTCUSDT", "brackets": [step]}]))
    words = ("--prices", f"klines:btcusdt={candles}", "--account", "K2:S2", "--brackets", ladder)
    unkind = ("--read-lag", "1h", "--retention", "1d", "--stream-life", "1h", "--no-limits")
    fault = "refuse,match=fapi/v1/ping,status=503,code=-1008,msg=Tired"
    with Process("paper", *words, *unkind, "--fault", fault) as process:
        rest = json.loads(process.line())["rest"]

        def get(path: str, **headers: str) -> requests.Response:
            return requests.get(f"{rest}/fapi/v1/{path}", headers=headers, timeout=60)

        assert get("ping").json() == {"code": -1008, "msg": "Tired"}
        assert get("ping").json() == {}
        assert get("ticker/price?symbol=BTCUSDT").json()["price"] == "64000.00"
        key = {"X-MBX-APIKEY": "K2"}
        assert requests.post(f"{rest}/fapi/v1/listenKey", headers=key, timeout=60).ok
        assert get("historicalTrades?symbol=BTCUSDT", **key).ok
