"""Nine bad days: what the exchange does to an account, and the end that the runner comes to.

Each drill is a script: a bracket is open, then it happens; at the end nothing hangs, runner and
exchange agree about the position, nothing was sent twice, and the journal says what happened.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from runner.errors import ConfigurationError
from runner.venues.paper.forced import auto_deleverage
from runner.venues.paper.server import PaperServer
from tests.drills.scene import ENTERING, SYMBOL, Scene

QUEUED = ENTERING.replace("NAME", "enter").replace("    when:", "    mode: queued\n    when:")
BESIDE = """\
  - id: forced-out
    symbol: BTCUSDT
    when: [{position: liquidation}, {position: adl}]
    do:
      - notify: "{trigger.what} on {symbol}"
  - id: nothing-left
    symbol: BTCUSDT
    when: [{position: closed}]
    do: [{cancel: all}]
  - id: warned
    symbol: BTCUSDT
    when: [{position: margin_call}]
    do: [{notify: "{trigger.what}"}]
  - id: dear
    symbol: BTCUSDT
    when: [{funding: {crosses_above: 0.5%}}]
    do: [{cancel: all}, {close: {type: market}}]
  - id: lever
    symbol: BTCUSDT
    when: [{webhook: {path: lever, secret: tv, body: {leverage: number}, dedupe_window: 0s}}]
    do: [{set: {leverage: =trigger.leverage}}]
"""
RULES = f"version: 1\nrules:\n{QUEUED}{BESIDE}"


def scene(folder: Path, stop: str = "0.98", balance: str = "10000") -> Scene:
    """The rules at work, the stop at this share of the entry's price."""
    return Scene(folder, RULES.replace("STOP", stop), balance)


def enter(scene: Scene, quantity: str = "0.02", price: str = "70100") -> None:
    """A bracket is entered; at this price it fills at once."""
    assert scene.alert("enter", quantity=Decimal(quantity), price=Decimal(price)) == "fired"
    scene.wait(2)


def ended(scene: Scene, held: str) -> None:
    """What every drill ends with: nothing hangs, and both sides know the same position."""
    assert scene.at_rest()
    assert scene.held() == scene.believed() == Decimal(held)


def test_partial_fills(tmp_path: Path) -> None:
    """Exits stand for what filled, larger ones take their place, a part of the target leaves less.

    At the end the stop closes the rest, never more, and the exits are gone.
    """
    drill = scene(tmp_path)
    enter(drill, price="69000")
    assert drill.resting() == {"LIMIT": Decimal("0.02")}
    drill.fill("LIMIT", "0.005")
    drill.wait(2)
    assert drill.resting()["STOP_MARKET"] == Decimal("0.005")
    drill.price("68950")
    drill.wait(2)
    assert drill.resting() == {"LIMIT": Decimal("0.02"), "STOP_MARKET": Decimal("0.02")}
    drill.fill("LIMIT", "0.012")
    drill.wait(2)
    ended(drill, "0.008")
    drill.price("67000")
    drill.wait(3)
    ended(drill, "0")
    assert drill.resting() == {}
    assert drill.says("target for 0.02: 0.012 filled")
    assert drill.says("stop for 0.02: 0.008 filled")


def test_liquidation(tmp_path: Path) -> None:
    """The exchange takes the position: it is told, what rested is taken off, nothing is opened."""
    drill = scene(tmp_path, stop="0.5", balance="200")
    drill.by_hand("POST", "leverage", symbol=SYMBOL, leverage=50)
    enter(drill, "0.1")
    placed = drill.placed()
    drill.price("67000")
    drill.wait(10)
    ended(drill, "0")
    assert drill.resting() == {}
    assert drill.placed() == placed
    assert "liquidation on BTCUSDT" in drill.texts("notify")
    assert any(text.startswith("liquidation: 0.1 @") for text in drill.texts("position"))


def test_margin_call(tmp_path: Path) -> None:
    """It is told before it is too late, and changes nothing by itself."""
    drill = scene(tmp_path, stop="0.5", balance="200")
    drill.by_hand("POST", "leverage", symbol=SYMBOL, leverage=50)
    enter(drill, "0.1")
    drill.price("68360")
    drill.wait(5)
    ended(drill, "0.1")
    assert "margin_call" in drill.texts("notify")
    assert set(drill.resting()) == {"LIMIT", "STOP_MARKET"}


def test_adl(tmp_path: Path) -> None:
    """Half the position is taken, then all of it.

    The stop stays over the half, and the lost target raises an alarm; after the rest, nothing.
    """
    drill = scene(tmp_path)
    enter(drill)
    position = drill.account.position(SYMBOL, "BOTH")
    now = drill.clock.now
    auto_deleverage(drill.paper.state, drill.account, position, now, None, Decimal("0.01"))
    drill.wait(5)
    ended(drill, "0.01")
    assert set(drill.resting()) == {"STOP_MARKET"}
    assert drill.says("CRITICAL the target was cancelled from outside")
    assert "adl on BTCUSDT" in drill.texts("notify")
    auto_deleverage(drill.paper.state, drill.account, position, drill.clock.now)
    drill.wait(5)
    ended(drill, "0")
    assert drill.resting() == {}


def test_a_funding_spike(tmp_path: Path) -> None:
    """The rate jumps past the rule's level: out, once, and no exit is left behind."""
    drill = scene(tmp_path)
    enter(drill)
    drill.price("70000", funding_rate="0.0001")
    drill.wait(3)
    ended(drill, "0.02")
    drill.price("70000", funding_rate="0.02")
    drill.wait(10)
    ended(drill, "0")
    assert drill.resting() == {}
    assert "funding rate 2% > 0.5%" in drill.texts("fired")
    assert len([text for text in drill.texts("fired") if text.startswith("funding")]) == 1


def test_a_symbol_that_settles(tmp_path: Path) -> None:
    """Orders expire and the position is settled; a later alert is refused for a reason.

    The stop expires before the position is told to be gone: its emergency close is refused, which
    is told; then the bracket ends, for what really happened.
    """
    drill = scene(tmp_path)
    enter(drill)
    placed = drill.placed()
    drill.paper.set_status(SYMBOL, "SETTLING", drill.clock.now, Decimal(69_900))
    drill.exchange.settle(at_once=True)
    drill.wait(5)
    ended(drill, "0")
    assert drill.resting() == {}
    run = drill.runs("enter")[-1]
    assert run["status"] == "done"
    assert run["reason"].startswith("position closed: 0.02 long were closed by")
    assert drill.texts("notify")[-1].startswith("BTCUSDT: 0.02 long were closed by")
    enter(drill)
    ended(drill, "0")
    assert drill.placed() == placed
    assert drill.says("the symbol takes no such order now")
    assert not drill.says("CRITICAL disable the rule"), "a cure is no problem of its own"


def test_margin_insufficient(tmp_path: Path) -> None:
    """Refused once, with the cure, no exit is placed; a smaller order goes through."""
    drill = scene(tmp_path, balance="100")
    enter(drill, "1")
    drill.wait(20)
    ended(drill, "0")
    assert drill.placed() == 0
    refused = [text for text in drill.texts("state") if "Margin is insufficient" in text]
    assert len(refused) == 1
    assert "add margin, or lower the size" in refused[0]
    enter(drill, "0.002")
    ended(drill, "0.002")
    assert set(drill.resting()) == {"LIMIT", "STOP_MARKET"}


@pytest.mark.parametrize("price", ["200000", "10000"])
def test_a_price_too_far_from_the_mark(tmp_path: Path, price: str) -> None:
    """Refused before anything is sent, or by the exchange: never an order, and the reason told."""
    drill = scene(tmp_path)
    enter(drill, price=price)
    drill.wait(10)
    ended(drill, "0")
    if price == "200000":
        assert drill.placed() == 0
        assert drill.says("times the mark")
    else:
        assert drill.resting() == {} or drill.resting() == {"LIMIT": Decimal("0.02")}


def test_leverage_changes_with_an_open_position(tmp_path: Path) -> None:
    """Less than the margin carries is refused, more is set; position and exits stay either way.

    Somebody's change in the exchange's app is nothing that the runner fights.
    """
    drill = scene(tmp_path)
    enter(drill, "0.2")
    before = drill.resting()
    drill.alert("lever", leverage=Decimal(1))
    drill.wait(3)
    assert drill.says("Leverage is smaller than permitted")
    drill.alert("lever", leverage=Decimal(10))
    drill.wait(3)
    assert drill.account.setting(SYMBOL).leverage == 10
    drill.by_hand("POST", "leverage", symbol=SYMBOL, leverage=15)
    drill.wait(5)
    ended(drill, "0.2")
    assert drill.resting() == before
    assert drill.account.setting(SYMBOL).leverage == 15


def test_the_account_is_put_into_hedge_mode_while_it_runs(tmp_path: Path) -> None:
    """Every order is refused, once, with the cure; nothing is opened on either side."""
    drill = scene(tmp_path)
    drill.by_hand("POST", "positionSide/dual", dualSidePosition="true")
    enter(drill)
    drill.wait(20)
    ended(drill, "0")
    assert drill.placed() == 0
    refused = [text for text in drill.texts("state") if "position side does not match" in text]
    assert len(refused) == 1
    assert "runner doctor tells it" in refused[0]


def test_the_wrong_position_mode_is_found_before_anything_is_traded(tmp_path: Path) -> None:
    """Declared one way, set to hedge: the runner does not start, and says what to change."""
    from runner.connecting import Place, connect
    from runner.settings import parse

    with PaperServer(keys={"k": "s"}) as paper:
        addresses = ", ".join(f'{name}: "{value}"' for name, value in paper.addresses.items())
        written = (
            "version: 1\naccounts: {main: {venue: binance_usdm, "
            f"address: {{{addresses}}}, api_key: k, api_secret: s, position_mode: hedge}}}}\n"
        )
        (tmp_path / "secrets").mkdir()
        for name, value in (("k", "k"), ("s", "s")):
            path = tmp_path / "secrets" / name
            path.touch(mode=0o600)
            path.write_text(value)
        with pytest.raises(ConfigurationError, match="change one of them"):
            connect(Place(tmp_path), parse("runner.yaml", written.encode()), None)
