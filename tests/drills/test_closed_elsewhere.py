"""Bad days of a bracket: its position is closed by hand, by a liquidation or by ADL.

It ends by itself, with the reason, what is left of its exits leaves the book, and the rule takes
the next alert. Nothing is taken for closed that may be held.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from runner.venues.paper.forced import auto_deleverage
from tests.drills.scene import ENTERING, SYMBOL, Scene

HEDGED = ENTERING.replace("=trigger.quantity}", "=trigger.quantity, position_side: long}")
SETTLED = 8
"""Seconds after which the statement was borne out and the exits are gone."""


def scene(folder: Path, *names: str, stop: str = "0.98", balance: str = "10000") -> Scene:
    """A rule with a bracket for each name (`one` alone when left out)."""
    rules = "".join(ENTERING.replace("NAME", name) for name in names or ("one",))
    return Scene(folder, "version: 1\nrules:\n" + rules.replace("STOP", stop), balance)


def enter(drill: Scene, quantity: str, name: str = "one", price: str = "70100") -> None:
    """A bracket is entered and fills."""
    told = drill.alert(name, quantity=Decimal(quantity), price=Decimal(price))
    assert told == "fired"
    drill.wait(3)


def sell_by_hand(drill: Scene, quantity: str, **more: str) -> None:
    """Somebody closes in the exchange's app."""
    drill.by_hand(
        "POST", "order", symbol=SYMBOL, side="SELL", type="MARKET", quantity=quantity, **more
    )


def ended(drill: Scene, name: str = "one", by: str = "by hand") -> None:
    """The newest run of the rule is over for this reason, and nothing of it is on the book."""
    run = drill.runs(name)[-1]
    assert run["status"] == "done", run["reason"]
    assert run["reason"].startswith("position closed: ")
    assert by in run["reason"]
    assert drill.at_rest()


def going_on(drill: Scene, name: str = "one") -> None:
    """The newest run of the rule is not over."""
    assert drill.runs(name)[-1]["status"] == "running"


def test_closed_by_hand(tmp_path: Path) -> None:
    """The exits go, the run says why, the next alert fires and has exits of its own."""
    drill = scene(tmp_path)
    enter(drill, "0.02")
    assert set(drill.resting()) == {"LIMIT", "STOP_MARKET"}
    sell_by_hand(drill, "0.02")
    drill.wait(SETTLED)
    ended(drill)
    assert drill.resting() == {}
    assert "done, but: position closed: 0.02 long were closed by" in drill.texts("run")[-1]
    enter(drill, "0.01")
    assert drill.resting() == {"LIMIT": Decimal("0.01"), "STOP_MARKET": Decimal("0.01")}


LEAVE = """\
  - id: leave
    symbol: BTCUSDT
    when: [{webhook: {path: leave, secret: tv}}]
    do: [ACTIONS]
"""


@pytest.mark.parametrize("closes", [True, False])
def test_a_rule_that_leaves_raises_an_alarm_only_when_it_does_not_close(
    tmp_path: Path, closes: bool
) -> None:
    """`cancel: all` takes the exits; a close after it ends the bracket without a false alarm."""
    actions = "{cancel: all}, {close: {type: market}}" if closes else "{cancel: all}"
    rules = ENTERING.replace("NAME", "one").replace("STOP", "0.98")
    drill = Scene(tmp_path, f"version: 1\nrules:\n{rules}{LEAVE.replace('ACTIONS', actions)}")
    enter(drill, "0.02")
    assert drill.alert("leave") == "fired"
    drill.wait(20)
    assert drill.resting() == {}
    alarms = [text for text in drill.texts("notify") if text.startswith("CRITICAL")]
    if closes:
        assert alarms == []
        ended(drill, by="0.02 long were closed by the rule leave: nothing is left")
        return
    assert "CRITICAL the stop was cancelled by the rule leave: there is none now" in alarms
    assert drill.held() == Decimal("0.02")


def test_closed_by_a_liquidation(tmp_path: Path) -> None:
    """The reason names it."""
    drill = scene(tmp_path, stop="0.5", balance="200")
    drill.by_hand("POST", "leverage", symbol=SYMBOL, leverage=50)
    enter(drill, "0.1")
    drill.price("67000")
    drill.wait(SETTLED)
    assert drill.held() == 0
    ended(drill, by="a liquidation")
    assert drill.resting() == {}


def test_closed_by_deleveraging(tmp_path: Path) -> None:
    """After a half nothing ends, the stop stays over the rest; after the whole it does."""
    drill = scene(tmp_path)
    enter(drill, "0.02")
    position = drill.account.position(SYMBOL, "BOTH")
    now = drill.clock.now
    auto_deleverage(drill.paper.state, drill.account, position, now, None, Decimal("0.01"))
    drill.wait(SETTLED)
    going_on(drill)
    assert set(drill.resting()) == {"STOP_MARKET"}
    auto_deleverage(drill.paper.state, drill.account, position, drill.clock.now)
    drill.wait(SETTLED)
    ended(drill, by="auto-deleveraging (ADL)")
    assert drill.resting() == {}


def test_a_part_closed_by_hand_leaves_the_exits_over_the_rest(tmp_path: Path) -> None:
    """The stop closes what is held and no more; then the run ends without a false alarm."""
    drill = scene(tmp_path)
    enter(drill, "0.02")
    sell_by_hand(drill, "0.015")
    drill.wait(SETTLED)
    going_on(drill)
    assert set(drill.resting()) == {"LIMIT", "STOP_MARKET"}
    drill.price("68000")
    drill.wait(SETTLED)
    assert drill.held() == 0
    ended(drill)
    assert drill.resting() == {}
    assert not drill.says("CRITICAL")


def test_in_hedge_mode_a_part_closed_by_hand_stays_protected(tmp_path: Path) -> None:
    """There a stop for more than is held is refused at its trigger: the rest is closed at once."""
    rules = "version: 1\nrules:\n" + HEDGED.replace("NAME", "one").replace("STOP", "0.98")
    drill = Scene(tmp_path, rules, hedge=True)
    enter(drill, "0.02")
    assert drill.held("LONG") == Decimal("0.02")
    sell_by_hand(drill, "0.015", positionSide="LONG")
    drill.wait(SETTLED)
    going_on(drill)
    drill.price("68000")
    drill.wait(SETTLED)
    assert drill.held("LONG") == 0
    assert drill.at_rest()
    assert drill.runs("one")[-1]["status"] == "done"


def test_in_hedge_mode_the_other_side_is_no_sign(tmp_path: Path) -> None:
    """A short that comes and goes ends nothing; the long's own end does."""
    rules = "version: 1\nrules:\n" + HEDGED.replace("NAME", "one").replace("STOP", "0.98")
    drill = Scene(tmp_path, rules, hedge=True)
    enter(drill, "0.02")
    sell_by_hand(drill, "0.03", positionSide="SHORT")
    drill.wait(2)
    drill.by_hand(
        *("POST", "order"),
        symbol=SYMBOL,
        side="BUY",
        type="MARKET",
        quantity="0.03",
        positionSide="SHORT",
    )
    drill.wait(30)
    going_on(drill)
    assert set(drill.resting()) == {"LIMIT", "STOP_MARKET"}
    sell_by_hand(drill, "0.02", positionSide="LONG")
    drill.wait(SETTLED)
    ended(drill)
    assert drill.resting() == {}


def test_closed_by_hand_and_opened_anew_by_hand(tmp_path: Path) -> None:
    """What is held now is another position: the bracket's exits do not touch it."""
    drill = scene(tmp_path)
    enter(drill, "0.02")
    sell_by_hand(drill, "0.02")
    drill.wait(1)
    drill.by_hand("POST", "order", symbol=SYMBOL, side="BUY", type="MARKET", quantity="0.05")
    drill.wait(SETTLED)
    ended(drill)
    assert drill.resting() == {}
    assert drill.held() == Decimal("0.05")


def test_turned_round_by_hand(tmp_path: Path) -> None:
    """A long that became a short is closed, too."""
    drill = scene(tmp_path)
    enter(drill, "0.02")
    sell_by_hand(drill, "0.05")
    drill.wait(SETTLED)
    ended(drill)
    assert drill.resting() == {}
    assert drill.held() == Decimal("-0.03")


@pytest.mark.parametrize("away", [1, 60])
def test_closed_while_the_runner_was_away(tmp_path: Path, away: int) -> None:
    """A start reads it twice before it believes it: readings lag."""
    drill = scene(tmp_path)
    enter(drill, "0.02")
    drill.stop()
    sell_by_hand(drill, "0.02")
    drill.start(away)
    going_on(drill)
    drill.wait(30)
    ended(drill)
    assert drill.resting() == {}


def test_a_start_between_the_close_and_its_end(tmp_path: Path) -> None:
    """Killed after the position's statement, before the exits were taken off."""
    drill = scene(tmp_path)
    enter(drill, "0.02")
    sell_by_hand(drill, "0.02")
    drill.wait(1)
    drill.stop()
    drill.start(2)
    drill.wait(30)
    ended(drill)
    assert drill.resting() == {}


def test_a_start_with_the_position_open_ends_nothing(tmp_path: Path) -> None:
    """However long it waits."""
    drill = scene(tmp_path)
    enter(drill, "0.02")
    drill.stop()
    drill.start(5)
    drill.wait(60)
    going_on(drill)
    assert set(drill.resting()) == {"LIMIT", "STOP_MARKET"}


def test_another_bracket_s_exit_closes_what_that_one_opened(tmp_path: Path) -> None:
    """The hand that closed the other one is not taken for its rule."""
    drill = scene(tmp_path, "one", "two")
    enter(drill, "0.02", "one")
    enter(drill, "0.02", "two")
    drill.price("72000")
    drill.wait(SETTLED)
    going = [name for name in ("one", "two") if drill.runs(name)[-1]["status"] == "running"]
    if going:
        sell_by_hand(drill, "0.02")
        drill.wait(SETTLED)
        ended(drill, going[0])


def test_two_brackets_of_one_symbol(tmp_path: Path) -> None:
    """One is stopped out, the other goes on; the hand closes a part, then all: both are over."""
    drill = scene(tmp_path, "one", "two")
    enter(drill, "0.02", "one")
    enter(drill, "0.03", "two")
    sell_by_hand(drill, "0.02")
    drill.wait(SETTLED)
    going_on(drill, "one")
    going_on(drill, "two")
    assert len(drill.account.waiting) == 2
    sell_by_hand(drill, "0.03")
    drill.wait(SETTLED)
    ended(drill, "one")
    ended(drill, "two")
    assert drill.resting() == {}


def test_a_younger_bracket_outlives_the_close_of_the_older(tmp_path: Path) -> None:
    """What filled after the close is held, and keeps its exits."""
    drill = scene(tmp_path, "one", "two")
    enter(drill, "0.02", "one")
    sell_by_hand(drill, "0.02")
    enter(drill, "0.03", "two")
    drill.wait(SETTLED)
    ended(drill, "one")
    going_on(drill, "two")
    assert drill.resting() == {"LIMIT": Decimal("0.03"), "STOP_MARKET": Decimal("0.03")}


def test_an_entry_that_may_still_fill_keeps_the_run(tmp_path: Path) -> None:
    """Half of it filled and was closed by hand; when the rest fills it gets its exits."""
    drill = scene(tmp_path)
    enter(drill, "0.02", price="69000")
    drill.fill("LIMIT", "0.01")
    drill.wait(2)
    sell_by_hand(drill, "0.01")
    drill.wait(SETTLED)
    going_on(drill)
    drill.price("68950")
    drill.wait(SETTLED)
    assert drill.held() == Decimal("0.01")
    assert set(drill.resting()) == {"LIMIT", "STOP_MARKET"}
    sell_by_hand(drill, "0.01")
    drill.wait(SETTLED)
    ended(drill)
    assert drill.resting() == {}


@pytest.mark.parametrize("price", ["68000", "72000"])
def test_an_own_exit_is_no_close_by_others(tmp_path: Path, price: str) -> None:
    """The stop or the target closes it: the run is done without a reason."""
    drill = scene(tmp_path)
    enter(drill, "0.02")
    drill.price(price)
    drill.wait(SETTLED)
    assert drill.held() == 0
    run = drill.runs("one")[-1]
    assert (run["status"], run["reason"]) == ("done", "")
    assert drill.resting() == {}
