"""Keys of a rule on its firing side, played to their end: active, timezone, mode, renamed_from."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from runner.core import modes
from runner.core.events import Alert
from runner.leaving import Leaving
from runner.rulebook.load import load
from tests.core.actions.stage import rules_of
from tests.core.triggers.playing import Play, text

HOUR = 3_600_000
# a play begins on Thursday 2025-10-09 at 08:53:20 UTC
HOOK = "webhook: {path: go, secret: tv, body: {n: number}, dedupe: [n]}"
LIMIT = "do: [{place: {side: buy, type: limit, price: =mark * 0.9, quantity: 0.01}}]"
BRACKET = (
    "do: [{bracket: {entry: {side: buy, type: limit, price: =mark * 0.985, quantity: 0.01}, "
    "stop: {trigger_price: =mark * 0.9}}}]"
)


def test_outside_its_windows_a_rule_does_not_fire(tmp_path: Path) -> None:
    """It is recorded with the time on the rule's clock."""
    play = Play(
        tmp_path,
        f'rr | {HOOK} | active: {{days: mon-fri, from: "11:30", to: "20:00"}} | '
        "timezone: Europe/Berlin",
    )
    answer = play.alert("go", n=1)
    assert answer.outcome == "not fired"
    assert answer.rules[0].reason == "not active"
    assert answer.rules[0].detail == "it is Thu 10:53 CEST"
    play.advance(HOUR)
    assert play.alert("go", n=2).outcome == "fired"


def test_now_is_the_rules_own_time(tmp_path: Path) -> None:
    """`now.*` follows `timezone`, in conditions and in messages; without it it is UTC."""
    play = Play(
        tmp_path,
        f"tokyo | {HOOK} | timezone: Asia/Tokyo | if: [now.hour == 17]",
        f"utc | {HOOK} | if: [now.hour == 8, now.weekday == 4]",
        f"told | {HOOK} | timezone: Asia/Tokyo | do: [{{notify: 'it is {{now.hour}}'}}]",
    )
    play.alert("go", n=1)
    assert {run["rule_id"] for run in play.fired()} == {"tokyo", "utc", "told"}
    assert ("", "it is 17") in play.records("notify")


def entries_of(play: Play) -> list[dict[str, Any]]:
    """The entries of every run, oldest first."""
    return [order for order in play.orders() if order["leg"] == "0.entry"]


def test_single_does_not_fire_twice(tmp_path: Path) -> None:
    """The run goes on while its bracket's entry rests."""
    play = Play(tmp_path, f"rr | {HOOK} | {BRACKET}")
    play.alert("go", n=1)
    refused = play.alert("go", n=2).rules[0]
    assert refused.reason == "still running"
    assert "mode is single: mode: queued runs it afterwards" in refused.detail


def test_queued_runs_come_one_after_another(tmp_path: Path) -> None:
    """The second begins when the first is over, also after a restart; it fired at its own time."""
    play = Play(tmp_path, f"rr | {HOOK} | mode: queued | expires_after: 1h | {BRACKET}")
    for number in range(3):
        assert play.alert("go", n=number).outcome == "fired"
    assert len(play.orders()) == 1
    play.price(68_900)
    play.advance(2_000)
    assert len(play.orders()) == 2
    play.restart()
    play.price(59_000)
    play.advance(5_000)
    assert [order["leg"] for order in play.orders()] == ["0.entry", "0.stop@0.01", "0.entry"]
    states = [run["status"] for run in play.fired("rr")]
    assert states == ["done", "running", "running"]


def test_a_queue_has_an_end(tmp_path: Path) -> None:
    """Ten may wait."""
    play = Play(tmp_path, f"rr | {HOOK} | mode: queued | {BRACKET}")
    answers = [play.alert("go", n=number, wait=10) for number in range(12)]
    assert [answer.outcome for answer in answers] == ["fired"] * 11 + ["not fired"]
    refused = answers[-1].rules[0]
    first = play.fired("rr")[0]["run_id"]
    assert refused.reason == "queue full"
    assert refused.detail == f"10 runs wait behind run {first}, and no more than 10 may"


def left(play: Play, count: int, ago: int = 0) -> None:
    """So many alerts were answered by a runner that could not decide them, some ms ago."""
    at = play.clock.now - ago
    for number in range(count):
        alert = Alert("go", {"n": Decimal(number)}, f"{number:064d}", at + number)
        assert Leaving().leave(play.file, alert, None)


def test_what_was_stored_waits_for_its_turn(tmp_path: Path) -> None:
    """Its sender was answered and sends it no more: after a takeover more than ten may wait."""
    order = "do: [{place: {side: buy, type: market, quantity: 0.01}}]"
    play = Play(tmp_path, f"rr | {HOOK} | mode: queued | {order}")
    left(play, 40)
    play.advance(60_000)
    assert play.refused() == []
    assert [run["fields"]["n"] for run in play.fired("rr")] == [str(n) for n in range(40)]
    assert {order["state"] for order in play.orders()} == {"FILLED"}
    assert len(play.orders()) == 40


def test_a_queue_of_what_was_stored_has_an_end_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it is refused as ever, with the number."""
    monkeypatch.setattr(modes, "MOST_STORED", 12)
    play = Play(tmp_path, f"rr | {HOOK} | mode: queued | {BRACKET}")
    left(play, 14)
    play.advance(5_000)
    assert len(play.fired("rr")) == 13
    ((reason, said),) = play.records("refused")
    assert reason == "queue full"
    assert "no more than 12 may" in said


@pytest.mark.parametrize(("ago", "state"), [(30_000, "FILLED"), (61_000, "LAPSED")])
def test_the_time_of_an_entry_runs_while_its_alert_is_stored(
    tmp_path: Path, ago: int, state: str
) -> None:
    """One that waited for longer than `expires_after` opens nothing."""
    order = "do: [{place: {side: buy, type: market, quantity: 0.01}}, {close: {type: market}}]"
    play = Play(tmp_path, f"rr | {HOOK} | {order}")
    left(play, 1, ago)
    for _ in range(5):
        play.advance(1_000)
    states = {order["leg"]: order["state"] for order in play.orders()}
    assert states["0.0"] == state, states


def test_a_reversal_within_a_second_is_not_dropped(tmp_path: Path) -> None:
    """Buy, then sell while the buy is on its way: both are sent, in this order."""
    order = "do: [{place: {side: =trigger.action, type: market, quantity: 0.01}}]"
    hook = HOOK.replace("number}", "number, action: {one_of: [buy, sell]}}")
    play = Play(tmp_path, f"rr | {hook} | {order}")
    first = play.alert("go", n=1, action="buy", wait=0)
    second = play.alert("go", n=2, action="sell", wait=0)
    assert (first.outcome, second.outcome) == ("fired", "fired")
    waits = f"waits until run {first.rules[0].run_id} is over (mode: queued)"
    assert waits in second.rules[0].detail
    play.advance(5_000)
    assert [(each["side"], each["state"]) for each in play.orders()] == [
        ("BUY", "FILLED"),
        ("SELL", "FILLED"),
    ]
    assert ("", waits) in play.records("run")


def test_target_needs_no_mode(tmp_path: Path) -> None:
    """The newest target holds at once, whatever mode says; nothing waits for its turn."""
    play = Play(tmp_path, f"rr | {HOOK} | mode: queued | do: [{{target: {{size: 0.01}}}}]")
    answers = [play.alert("go", n=number, wait=0) for number in range(3)]
    assert [answer.outcome for answer in answers] == ["fired"] * 3
    assert "waits until" not in answers[-1].rules[0].detail


def test_what_waited_for_too_long_is_not_sent(tmp_path: Path) -> None:
    """An entry is as old as the alert that it comes from."""
    play = Play(tmp_path, f"rr | {HOOK} | mode: queued | {BRACKET}")
    play.alert("go", n=1)
    play.alert("go", n=2)
    play.advance(120_000)
    play.prices(68_900, 59_000)
    play.advance(5_000)
    assert len(play.open_on_exchange()) == 0
    second = play.fired("rr")[1]
    assert second["status"] == "stopped"
    assert second["reason"].startswith("lapsed")


def test_restart_takes_the_place_of_the_last_run(tmp_path: Path) -> None:
    """The entry that rests is cancelled, the new one is placed; nobody is alarmed."""
    play = Play(tmp_path, f"rr | {HOOK} | mode: restart | {BRACKET}")
    play.alert("go", n=1)
    play.alert("go", n=2)
    play.advance(2_000)
    (resting,) = play.open_on_exchange()
    assert resting.client_order_id == entries_of(play)[-1]["client_order_id"]
    first, second = play.fired("rr")
    assert first["status"] == "stopped"
    assert first["reason"].startswith(f"superseded: run {second['run_id']} took its place")
    assert [each for each in play.records("notify") if "CRITICAL" in each[1]] == []


def test_restart_leaves_the_exits_of_what_filled(tmp_path: Path) -> None:
    """A position that an earlier run opened keeps its stop."""
    play = Play(tmp_path, f"rr | {HOOK} | mode: restart | {BRACKET}")
    play.alert("go", n=1)
    play.price(68_900)
    play.advance(2_000)
    assert play.held() == Decimal("0.01")
    play.prices(69_500)
    play.alert("go", n=2)
    play.advance(2_000)
    kinds = sorted(str(order.type) for order in play.open_on_exchange())
    assert kinds == ["LIMIT", "STOP_MARKET"]
    play.prices(59_000)
    play.advance(5_000)
    assert play.held() <= Decimal("0.01")


def test_restart_again_and_again(tmp_path: Path) -> None:
    """However often it fires, one entry rests."""
    play = Play(tmp_path, f"rr | {HOOK} | mode: restart | {BRACKET}")
    for number in range(6):
        play.alert("go", n=number, wait=7 if number % 2 else 900)
    play.advance(5_000)
    assert len(play.open_on_exchange()) == 1
    assert [run["status"] for run in play.fired()][:-1] == ["stopped"] * 5


def test_a_renamed_rule_goes_on_with_its_state(tmp_path: Path) -> None:
    """Cooldown, counters and what it fired for are those of its old id."""
    play = Play(tmp_path, f"old-one | {HOOK} | cooldown: 1h | {LIMIT}")
    play.alert("go", n=1)
    new = text(f"new-one | {HOOK} | cooldown: 1h | renamed_from: old-one | {LIMIT}")
    play.rules = rules_of(new, tmp_path)
    play.restart()
    assert play.alert("go", n=1).outcome == "duplicate"
    assert play.alert("go", n=2).rules[0].reason == "cooldown"
    play.advance(HOUR)
    assert play.alert("go", n=3).outcome == "fired"
    play.restart()
    assert play.alert("go", n=4).rules[0].reason == "cooldown"


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (("aa | system: started | renamed_from: bb", "bb | system: started"), "there still is"),
        (
            ("aa | system: started | renamed_from: cc", "bb | system: started | renamed_from: cc"),
            "two rules say that they were cc",
        ),
        (("aa | system: started | timezone: Europe/Berln",), "there is no time zone"),
        (("aa | system: started | active: {days: monday}",), "monday is no weekday"),
    ],
)
def test_problems(rules: tuple[str, ...], message: str, tmp_path: Path) -> None:
    """A rename of what is there, two heirs, a misspelt zone, a day in full."""
    path = tmp_path / "rules.yaml"
    path.write_text(text(*rules))
    (found,) = load(path).diagnostics
    assert found.message.startswith(message)
