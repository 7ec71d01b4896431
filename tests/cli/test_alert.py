"""`runner alert`: what to paste into TradingView, with placeholders of the right kind."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.calling import TOKEN, call, demo_folder

EXTRA = """\
version: 1
rules:
  - id: many-fields
    symbol: BTCUSDT
    when:
      - webhook:
          path: many
          secret: tv_eth
          secret_field: passphrase
          body: {ticker: text, contracts: number, long: boolean, remark: text}
          dedupe: [order_id]
    do:
      - notify: Many
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A runner's folder with the demo's rules and one with many fields."""
    folder = demo_folder(tmp_path / "my")
    (folder / "rules" / "extra.yaml").write_text(EXTRA)
    return folder


def test_the_message_has_placeholders(folder: Path) -> None:
    """Text in quotes, numbers bare, the time for max_age; the secret by its name only."""
    result = call("alert", "tv-eth", "--dir", folder)
    assert result.exit_code == 0
    assert result.stdout == (
        "{\n"
        '  "secret": "<the secret tv_eth>",\n'
        '  "action": "{{strategy.order.action}}",\n'
        '  "price": {{close}},\n'
        '  "time": "{{timenow}}"\n'
        "}\n"
    )
    assert "http://127.0.0.1:8080/hook/eth-signal" in result.stderr
    assert TOKEN not in result.output


def test_it_is_json_once_tradingview_filled_it_in(folder: Path) -> None:
    """Placeholders replaced by what TradingView puts there make valid JSON."""
    text = call("alert", "many-fields", "--dir", folder, "--show-secret").stdout
    filled = json.loads(re.sub(r"\{\{.*?\}\}", "1", text))
    assert filled == {
        "passphrase": TOKEN,
        "ticker": "1",
        "contracts": 1,
        "long": True,
        "remark": "1",
        "order_id": "1",
    }


def test_fields_can_be_given(folder: Path) -> None:
    """A given value stands in the place of the placeholder; others may be added."""
    words = ("--field", "action=buy", "--field", "price=3500.5", "--field", "note=by hand")
    told = json.loads(call("alert", "tv-eth", "--dir", folder, *words, "--field", "time=1").stdout)
    assert (told["action"], told["price"], told["note"]) == ("buy", 3500.5, "by hand")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["btc-breakout"], 2, "btc-breakout has no webhook"),
        (["tv-et"], 2, "did you mean tv-eth?"),
        (["tv-eth", "--send"], 2, "--field price="),
        (["tv-eth", "--send", "--field", "price=1"], 1, "is the runner running?"),
    ],
)
def test_what_cannot_be_sent(folder: Path, words: list[str], code: int, said: str) -> None:
    """One message, nothing on stdout, and never the secret."""
    (folder / "runner.yaml").write_text("version: 1\nhook: 127.0.0.1:1\n")
    result = call("alert", *words, "--dir", folder)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr
    assert TOKEN not in result.output
