"""`runner plan`: exactly the requests that would go out, unsent and without secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from runner.connecting import PAPER_KEY, PAPER_SECRET
from runner.venues.paper.server import PaperServer
from tests.cli.calling import call, demo_folder

EXTRA = """\
version: 1
rules:
  - id: slow-cross
    symbol: BTCUSDT
    when:
      - price: {crosses_below: 60000, source: last, for: 15s}
    do:
      - cancel: all
      - place: {side: sell, type: market, quantity: 0.01}
  - id: two-symbols
    symbols: [BTCUSDT, ETHUSDT]
    when:
      - price: {crosses_above: 100000}
    do:
      - place: {side: buy, type: limit, price: =mark * 0.9, quantity: 0.1}
  - id: too-big
    symbol: BTCUSDT
    when:
      - webhook: {path: big, secret: tv_eth, body: {price: number}}
    do:
      - place: {side: buy, type: market, quantity: 5}
  - id: moving-level
    symbol: BTCUSDT
    when:
      - price: {crosses_above: =position.entry_price * 1.02}
    do:
      - close: {type: market}
guards:
  max_order_notional: 100000
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runner's folder with the demo's rules and some more."""
    folder = demo_folder(tmp_path_factory.mktemp("plan") / "my")
    (folder / "rules" / "extra.yaml").write_text(EXTRA)
    return folder


def planned(folder: Path, *words: object, code: int = 0) -> dict[str, Any]:
    """The plan of one symbol."""
    result = call("plan", *words, "--dir", folder, "--json")
    assert result.exit_code == code, result.output
    told = json.loads(result.stdout)
    assert (told["rule_id"], told["account"]) == (words[0], "paper")
    [plan] = told["plans"]
    return dict(plan)


def test_a_price_that_crosses(folder: Path) -> None:
    """The entry of a bracket as it would be signed; the exits are named; nothing is left behind."""
    before = sorted(folder.iterdir())
    plan = planned(folder, "btc-breakout", "--price", "70010")
    assert plan["trigger"] == "price: mark 70010 > 70000"
    assert [each["holds"] for each in plan["conditions"]] == [True, True]
    [request] = plan["requests"]
    assert (request["method"], request["path"]) == ("POST", "/fapi/v1/order")
    parameters = request["parameters"]
    assert (parameters["side"], parameters["type"], parameters["quantity"]) == (
        "BUY",
        "MARKET",
        "0.02",
    )
    assert {"recvWindow", "timestamp", "newClientOrderId"} <= parameters.keys()
    assert parameters["signature"] == "***"
    assert "exits" in plan["notes"][0]
    assert sorted(folder.iterdir()) == before


def test_secrets_stay_out(folder: Path) -> None:
    """Neither key nor secret nor a signature is printed, as text or as JSON."""
    for words in ([], ["--json"]):
        result = call("plan", "eth-ladder", "--dir", folder, *words)
        assert result.exit_code == 0, result.output
        for secret in (PAPER_KEY, PAPER_SECRET):
            assert secret not in result.output
        assert "signature=***" in result.output


def test_a_batch_shows_its_legs(folder: Path) -> None:
    """A schedule's three orders are one signed batch, each leg readable."""
    plan = planned(folder, "eth-ladder")
    [request] = plan["requests"]
    assert request["path"] == "/fapi/v1/batchOrders"
    assert [order["leg"] for order in request["orders"]] == ["0.0", "0.1", "0.2"]
    legs = [order["parameters"] for order in request["orders"]]
    assert json.loads(request["parameters"]["batchOrders"]) == legs
    assert {leg["timeInForce"] for leg in legs} == {"GTX"}
    text = call("plan", "eth-ladder", "--dir", folder).stdout
    assert "POST /fapi/v1/batchOrders" in text
    assert text.count("newClientOrderId=") == 3
    assert text.endswith("Nothing was sent.\n")


def test_an_alert(folder: Path) -> None:
    """An alert's fields decide side and price; what notify would say is told."""
    alert = '{"action": "sell", "price": 3500, "secret": "x"}'
    plan = planned(folder, "tv-eth", "--alert", alert, "--given", "mark=3500")
    [request] = plan["requests"]
    assert request["parameters"]["side"] == "SELL"
    assert request["parameters"]["price"] == "3498.25"
    assert plan["notes"] == ["notify: ETH sell at 3500"]


def test_a_condition_that_does_not_hold(folder: Path) -> None:
    """Refused: exit 1, the condition with its values, no request."""
    words = ("btc-breakout", "--price", "70010", "--given", "account.available=499.99")
    plan = planned(folder, *words, code=1)
    assert (plan["outcome"], plan["reason"], plan["requests"]) == ("not fired", "if", [])
    assert plan["conditions"][1] == {
        "text": "account.available >= 500",
        "holds": False,
        "seen": "499.99 >= 500",
    }
    text = call("plan", *words, "--dir", folder)
    assert text.exit_code == 1
    assert "NOT SENT, if: account.available >= 500" in text.stdout


def test_a_price_that_does_not_cross(folder: Path) -> None:
    """Exit 1 and what is missing."""
    plan = planned(folder, "btc-breakout", "--price", "69990", code=1)
    assert "69990 is not above" in plan["detail"]


def test_a_body_that_does_not_fit(folder: Path) -> None:
    """Exit 1 and the field that is wrong."""
    plan = planned(folder, "tv-eth", "--alert", '{"action": "hold", "price": 1}', code=1)
    assert plan["reason"] == "body does not fit"


def test_a_guard_that_refuses(folder: Path) -> None:
    """Exit 1 and the guard with its numbers."""
    plan = planned(folder, "too-big", "--alert", '{"price": 1}', code=1)
    assert "max_order_notional" in plan["detail"]


def test_the_wait_is_skipped_and_later_requests_follow(folder: Path) -> None:
    """`for:` takes no time; what waits for the cancels is a later round."""
    plan = planned(folder, "slow-cross")
    assert plan["notes"][0].startswith("crossed: last 59999.9 < 60000, waiting 15 s")
    rounds = [(each["round"], each["method"], each["path"]) for each in plan["requests"]]
    assert rounds[-1] == (2, "POST", "/fapi/v1/order")
    assert {method for number, method, _ in rounds if number == 1} == {"DELETE"}


def test_a_level_that_moves_with_the_position(folder: Path) -> None:
    """A formula's level follows what is given; without a value it says so."""
    words = ("moving-level", "--given", "position.entry_price=50000", "--given", "position.size=1")
    plan = planned(folder, *words)
    assert plan["trigger"].endswith("> 51000")
    assert plan["requests"][0]["parameters"]["reduceOnly"] == "true"
    result = call("plan", "moving-level", "--dir", folder)
    assert result.exit_code == 2
    assert "position.entry_price" in result.stderr


def test_each_symbol_has_its_plan(folder: Path) -> None:
    """A rule of two symbols has two plans; one price needs one symbol."""
    result = call("plan", "two-symbols", "--dir", folder, "--json")
    plans = json.loads(result.stdout)["plans"]
    assert [plan["symbol"] for plan in plans] == ["BTCUSDT", "ETHUSDT"]
    result = call("plan", "two-symbols", "--dir", folder, "--price", "100001")
    assert (result.exit_code, "--symbol" in result.stderr) == (2, True)
    plan = planned(folder, "two-symbols", "--price", "100001", "--symbol", "ETHUSDT")
    assert plan["symbol"] == "ETHUSDT"


def test_a_rule_without_orders(folder: Path) -> None:
    """A dead-man rule: no request, what it would say."""
    result = call("plan", "link-lost", "--dir", folder)
    assert result.exit_code == 0
    assert "Countdown expired on BTCUSDT" in result.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tv-et"], "did you mean tv-eth?"),
        (["zzzzzz"], "btc-breakout, "),
        (["tv-eth"], '--alert \'{"action": "buy", "price": 1}\''),
        (["tv-eth", "--price", "1"], "waits for no price"),
        (["btc-breakout", "--alert", "{}"], "takes no alerts"),
        (["tv-eth", "--alert", "{"], "--alert: "),
        (["btc-breakout", "--price", "high"], "70010"),
        (["btc-breakout", "--symbol", "ETHUSDT"], "BTCUSDT"),
        (["btc-breakout", "--given", "marc=1"], "account.available"),
        (["btc-breakout", "--given", "mark=high"], "mark=70010"),
        (["btc-breakout", "--given", "mark"], "NAME=VALUE"),
    ],
)
def test_a_wrong_question_is_usage(folder: Path, words: list[str], said: str) -> None:
    """Exit 2, one message with what could be meant, nothing on stdout."""
    result = call("plan", *words, "--dir", folder)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert said in result.stderr


def test_an_account_is_read_and_nothing_is_sent(tmp_path: Path) -> None:
    """With an account in runner.yaml its own figures count; the exchange saw no order."""
    keys = {"api_key": "K" * 64, "api_secret": "S" * 64}
    own = demo_folder(tmp_path / "my")
    for name, value in keys.items():
        path = own / "secrets" / name
        path.touch(mode=0o600)
        path.write_text(value)
    words = ("btc-breakout", "--dir", own, "--price", "70010")
    with PaperServer(keys={"K" * 64: "S" * 64}, balance="499", control=True) as exchange:
        account = {"venue": "binance_usdm", "address": exchange.addresses}
        account |= {name: name for name in keys}
        text = json.dumps({"version": 1, "accounts": {"main": account}})
        (own / "runner.yaml").write_text(text)
        poor = call("plan", *words)
        assert (poor.exit_code, "499" in poor.stdout) == (1, True), poor.output
        rich = call("plan", *words, "--given", "account.available=500")
        assert (rich.exit_code, "account main" in rich.stdout) == (0, True), rich.output
        for value in keys.values():
            assert value not in rich.output
        seen = requests.get(f"{exchange.addresses['rest']}/paper/orders", timeout=5).json()
        assert (seen["orders"], seen["algos"]) == ([], [])
    gone = call("plan", *words)
    assert (gone.exit_code, gone.stdout) == (1, "")
    assert gone.stderr.startswith("runner: cannot reach")
    assert call("plan", *words, "--paper").exit_code == 0


def test_broken_rules_are_findings(tmp_path: Path) -> None:
    """Mistakes in the rule files: exit 1 and the diagnostics."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yaml").write_text("version: 1\nrules: 3\n")
    result = call("plan", "x", "--dir", tmp_path)
    assert result.exit_code == 1
    assert "error:" in result.stderr


KINDS: dict[str, tuple[str, list[str], str]] = {
    "closes": ("price: {closes_above: 70000, on: 15m}", [], "close 70000.1 of 15m > 70000"),
    "closes-at": (
        "price: {closes_below: 60000, on: 1h}",
        ["--price", "59000"],
        "close 59000 of 1h < 60000",
    ),
    "moves": ("price: {moves: 2% within 5m}", ["--given", "mark=70000"], "from 70000 is more than"),
    "trails": (
        "price: {trails: 1.5%}",
        ["--given", "mark=70000", "--price", "68000"],
        "mark 68000 is 2.857% under the high 70000",
    ),
    "trails-low": ("price: {trails: 1% from low}", ["--event", "extreme=70000"], "over the low"),
    "funding": ("funding: {crosses_above: 0.05%}", [], "funding rate 0.0501% > 0.05%"),
    "funding-rate": (
        "funding: {crosses_below: 0.01%}",
        ["--event", "rate=-0.0007"],
        "funding rate -0.07% < 0.01%",
    ),
    "order": (
        "order: {rule: closes, status: [filled, expired]}",
        ["--event", "side=sell", "--event", "quantity=0.1"],
        "0 of closes filled: sell 0.1",
    ),
    "opened": (
        "position: opened",
        ["--event", "side=short", "--event", "size=0.5", "--event", "price=70000"],
        "short position opened",
    ),
    "closed": ("position: closed", [], "long position closed"),
    "margin-call": ("position: margin_call", ["--event", "size=-0.5"], "margin call: short 0.5"),
    "loss": (
        "position: {loss: 500, for: 5s}",
        ["--given", "position.size=0.5", "--given", "position.entry_price=70000"],
        "loss 500.05 at mark 68999.9 > 500",
    ),
    "profit-short": (
        "position: {profit: 500}",
        ["--given", "position.size=-0.5", "--given", "position.entry_price=70000"],
        "profit 500.05 at mark 68999.9 > 500",
    ),
    "started": ("system: started", ["--event", "away=90"], "the runner started"),
    "trouble": ("system: journal", ["--event", "detail=full"], "journal: full"),
    "gap": ("system: {stream_gap: 30s}", ["--event", "detail=user"], "user is silent for 30 s"),
    "heartbeat": (
        "dead_man: {heartbeat: {webhook: beat, every: 5m, secret: tv_eth}}",
        [],
        "no alert on beat for 300 s",
    ),
    "late": ("dead_man: late", [], "countdown late"),
    "every": ("schedule: {every: 15m}", [], "due"),
    "chosen": (
        "price: {crosses_above: 70000}}, {funding: {crosses_above: 0.05%}",
        ["--trigger", "funding"],
        "funding rate",
    ),
}


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a rule for each kind of trigger."""
    folder = demo_folder(tmp_path_factory.mktemp("kinds") / "my")
    rules = [
        f"  - id: {name}\n    symbol: BTCUSDT\n    when: [{{{trigger}}}]\n"
        "    do: [{place: {side: buy, type: limit, price: 60000, quantity: 0.01}}]\n"
        for name, (trigger, _, _) in KINDS.items()
    ]
    head = "version: 1\ndead_man: {symbols: [BTCUSDT], countdown: 2m, refresh: 30s}\nrules:\n"
    for each in (folder / "rules").glob("*.yaml"):
        each.unlink()
    (folder / "rules" / "kinds.yaml").write_text(head + "".join(rules), "utf-8")
    return folder


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_trigger_can_be_planned(kinds: Path, name: str) -> None:
    """An event that fires it is made up, or is as it was said; the order is shown."""
    _, words, happened = KINDS[name]
    plan = planned(kinds, name, *words)
    assert happened in plan["trigger"]
    assert [each["path"] for each in plan["requests"]] == ["/fapi/v1/order"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["opened", "--event", "colour=red"], "--event takes price, side, size, what"),
        (["opened", "--event", "size=red"], "is not a number"),
        (["opened", "--event", "side=up"], "is none of long, short"),
        (["loss"], "--given position.size=0.5"),
        (["chosen", "--trigger", "order"], "has no trigger order, but price, funding"),
    ],
)
def test_an_event_that_does_not_fit_is_usage(kinds: Path, words: list[str], said: str) -> None:
    """The message says what can be told of the event."""
    result = call("plan", *words, "--dir", kinds)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_rate_that_is_not_past_says_so(kinds: Path) -> None:
    """Exit 1, and which trigger it did not make fire."""
    plan = planned(kinds, "funding", "--event", "rate=0.0001", code=1)
    assert plan["detail"] == "this does not make funding fire"
