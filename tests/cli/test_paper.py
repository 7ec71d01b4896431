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
