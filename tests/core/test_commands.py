"""A person's commands: what each switches, what it says, and that it outlasts a restart."""

from __future__ import annotations

from typing import Any

import pytest

from runner.core.decision import Decision, Reason, RunStatus
from runner.core.events import Command
from runner.core.orders import CancelCall, OrderState, OrderType, Outcome, PlaceCall
from runner.core.sweep import Sweep, rebuilt, rule_of
from runner.core.switches import only_enters
from tests.core.factories import SYMBOL, Bench, built, position, report, rule, rule_set, view

BUY = {"side": "buy", "type": "limit", "price": 60000, "quantity": 1}
SELL = {"side": "sell", "type": "market", "quantity": 1, "reduce_only": True}


def bench() -> Bench:
    """One rule that only enters, one that only exits."""
    rules = rule_set(
        rule("enter", built("place", [BUY])),
        rule("leave", built("close", {"type": "market"})),
    )
    return Bench(rules, view())


def say(of: Bench, verb: str, **more: Any) -> tuple[bool, str]:
    """Give a command; whether it was done, and what was told."""
    decision = of.tell(Command(verb, f"{verb}-{of.now}", "ann", of.now, **more))
    return outcome(decision)


def outcome(decision: Decision) -> tuple[bool, str]:
    """Of the command's record, which is what its sender waits for."""
    [record] = [each for each in decision.records if each.kind == "command"]
    return record.data["done"], record.text


def refused(of: Bench) -> tuple[str, str]:
    """The newest reason why a rule did not fire."""
    record = [each for each in of.journal.records if each.kind == "refused"][-1]
    return record.reason, record.text


def restart(of: Bench) -> None:
    """The next process has what the journal remembers, the texts of commands included."""
    found = [one for one in of.engine.state.revisions.values() if one.id.startswith(":")]
    state = of.journal.remembered()
    for one in found:
        again = rebuilt(one.text)
        assert again == one
        state.revisions[one.text_hash] = again
    of.engine = of._engine(state)


def sending(of: Bench, kind: type) -> list[Any]:
    """The calls of this kind that may leave now."""
    return list(of.calls(kind))


def live(of: Bench, name: str = "0.0") -> None:
    """Send what is planned; the exchange takes it."""
    of.send(*of.calls(PlaceCall))
    of.tell(report(of.journal.named(name), order_status="NEW"))


def test_a_pause_keeps_entries_out_and_lets_exits_go_on_over_restarts() -> None:
    """Until resume; the refusal says who, since when, why, and the cure."""
    run = bench()
    assert say(run, "pause", reason="news")[0]
    run.restart()
    run.fire("enter", "1")
    reason, text = refused(run)
    assert reason == Reason.PAUSED
    assert text.startswith("paused by ann since 2023-11-14")
    assert text.endswith("(news): runner resume")
    run.hold(position("1"))
    run.fire("leave", "1")
    assert [call.intents[0].type for call in sending(run, PlaceCall)] == [OrderType.MARKET]
    assert say(run, "pause") == (
        True,
        "paused already, " + text[7:].removesuffix(": runner resume"),
    )
    assert say(run, "resume")[0]
    run.fire("enter", "2")
    assert len(run.calls(PlaceCall)) == 2
    assert say(run, "resume") == (True, "it is not paused")


def test_a_pause_takes_unsent_entries_back() -> None:
    """What was decided and not sent never leaves."""
    run = bench()
    run.fire("enter")
    done, text = say(run, "pause")
    assert done
    assert "1 unsent entries were taken back" in text
    assert run.journal.named("0.0").state is OrderState.LAPSED
    assert run.calls(PlaceCall) == []


def test_a_rule_is_disabled_and_enabled_by_name() -> None:
    """Kept over restarts, with who and why; a name that is wrong is told with those there are."""
    run = bench()
    assert say(run, "disable", rule_id="enter", reason="wrong")[0]
    run.restart()
    run.fire("enter", "1")
    reason, text = refused(run)
    assert reason == Reason.DISABLED
    assert text.endswith("(wrong): runner enable enter")
    assert say(run, "disable", rule_id="enter") == (True, "enter is disabled already")
    assert say(run, "enable", rule_id="enter") == (True, "enter enabled by ann")
    run.fire("enter", "2")
    assert len(run.calls(PlaceCall)) == 1
    assert say(run, "enable", rule_id="x") == (False, "no rule x runs (known: enter, leave)")


def test_cancel_takes_our_orders_off_the_book_and_ends_their_runs() -> None:
    """Each by its name; the command's run is done when each is gone, also after a restart."""
    run = bench()
    run.fire("enter")
    live(run)
    assert say(run, "cancel", rule_id="leave")[1].startswith("no open orders of leave")
    done, text = say(run, "cancel", rule_id="enter", reason="enough")
    assert (done, text) == (True, f"cancelling the open orders of enter on {SYMBOL}")
    entry = run.journal.named("0.0")
    restart(run)
    [cancel] = sending(run, CancelCall)
    assert cancel.intent.target == entry.client_order_id
    run.send(cancel)
    run.tell(report(run.journal.named(f"0.cancel:{entry.client_order_id}")))
    run.tell(report(entry, origin="stream", order_status="CANCELED"))
    [sweep] = [each for each in run.journal.runs.values() if each.identity.rule_id == ":cancel"]
    assert sweep.status is RunStatus.DONE


def test_cancel_ends_a_run_that_waits_so_that_it_places_nothing_again() -> None:
    """A bracket whose exits go is over, and says by whom."""
    exits = {"stop": {"trigger_price": 60000}, "target": {"price": 80000}}
    entry = {"side": "buy", "type": "market", "quantity": 1}
    run = Bench(rule_set(rule("trade", built("bracket", {"entry": entry, **exits}))), view())
    run.fire("trade")
    run.send(*run.calls(PlaceCall))
    filled: dict[str, Any] = {"order_status": "FILLED", "cumulative_quantity": "1"}
    run.tell(report(run.journal.named("0.entry"), **filled))
    live(run, "0.stop@1")
    assert say(run, "cancel", reason="enough")[0]
    [trade] = [each for each in run.journal.runs.values() if each.identity.rule_id == "trade"]
    assert (trade.status, trade.reason) == (RunStatus.STOPPED, "cancelled by ann (enough)")
    assert run.journal.named("0.target@1").state is OrderState.LAPSED
    assert run.calls(PlaceCall) == []
    assert len(run.calls(CancelCall)) == 1


def closes(of: Bench) -> list[Any]:
    """The orders that may leave now."""
    return [intent for call in sending(of, PlaceCall) for intent in call.intents]


def test_flatten_cancels_first_and_closes_what_is_held_reduce_only() -> None:
    """The close waits until nothing of ours can fill; a fill on the way is closed, too."""
    run = bench()
    run.fire("enter")
    live(run)
    run.hold(position("1"))
    assert say(run, "flatten", symbol=SYMBOL)[0]
    entry = run.journal.named("0.0")
    run.send(*run.calls(CancelCall))
    assert closes(run) == []
    filled: dict[str, Any] = {"order_status": "FILLED", "cumulative_quantity": "1"}
    run.tell(report(entry, origin="stream", event_time=run.now + 1, **filled))
    run.tell(report(run.journal.named(f"0.cancel:{entry.client_order_id}")))
    [close] = closes(run)
    assert (close.quantity, close.reduce_only, close.side) == (2, True, "SELL")
    run.send(*run.calls(PlaceCall))
    done: dict[str, Any] = {"order_status": "FILLED", "cumulative_quantity": "2"}
    run.tell(report(close.client_order_id, origin="stream", event_time=run.now + 2, **done))
    run.hold(*())
    [sweep] = [each for each in run.journal.runs.values() if each.identity.rule_id == ":flatten"]
    assert sweep.status is RunStatus.DONE


def test_flatten_waits_until_positions_are_known() -> None:
    """Flat would be a guess; then what is held is closed, in parts as large as may be."""
    run = bench()
    run.view.positions_known = False
    assert say(run, "flatten", symbol=SYMBOL)[0]
    run.pass_time(60_000)
    assert closes(run) == []
    run.hold(position("-2500"))
    run.pass_time(1)
    [close] = closes(run)
    assert (close.quantity, close.side) == (1000, "BUY")


def test_a_close_that_is_refused_is_told() -> None:
    """The run ends with the exchange's words, and raises the alarm."""
    run = bench()
    run.hold(position("1"))
    say(run, "flatten")
    [close] = closes(run)
    run.send(*run.calls(PlaceCall))
    refusal = report(close.client_order_id, Outcome.REJECTED, attempt=1, message="no margin")
    run.tell(refusal)
    [sweep] = [each for each in run.journal.runs.values() if each.identity.rule_id == ":flatten"]
    assert sweep.status is RunStatus.STOPPED
    assert "is not closed: no margin" in sweep.reason
    assert run.journal.alarms()


@pytest.mark.parametrize("flatten", [True, False])
def test_kill_cancels_everything_and_lets_nothing_in_until_unlock(flatten: bool) -> None:
    """Both families of each symbol by one request; latched over restarts; resume is not enough."""
    run = bench()
    run.fire("enter")
    live(run)
    run.fire("enter", "2")
    run.hold(position("1"))
    assert say(run, "kill", reason="boo", flatten=flatten)[0]
    assert run.calls(PlaceCall) == []
    cancels = sending(run, CancelCall)
    assert {(c.intent.family, c.intent.target) for c in cancels} == {
        ("order", None),
        ("algo", None),
    }
    restart(run)
    run.send(*run.calls(CancelCall))
    for family in ("order", "algo"):
        run.tell(report(run.journal.named(f"0.{family}")))
    [late] = sending(run, CancelCall)
    run.send(late)
    run.tell(report(late.intent.client_order_id, attempt=1))
    run.tell(report(late.intent.target, origin="stream", order_status="CANCELED"))
    assert [close.quantity for close in closes(run)] == ([1] if flatten else [])
    run.fire("enter", "3")
    assert refused(run)[0] == Reason.KILLED
    assert say(run, "resume") == (
        False,
        "it is killed, not only paused: runner unlock --reason TEXT",
    )
    assert say(run, "unlock") == (False, "unlock needs a reason: runner unlock --reason TEXT")
    assert say(run, "unlock", reason="seen")[0]
    assert say(run, "unlock", reason="seen") == (True, "it is not killed")
    run.fire("enter", "4")
    assert any(not intent.reduce_only for intent in closes(run))


def test_one_kill_that_comes_on_two_ways_is_done_once() -> None:
    """At once from the kill switch, then from the inbox: one alarm, the same runs."""
    run = bench()
    run.fire("enter")
    live(run)
    event = Command("kill", "one", "me", run.now, "boo")
    runs = []
    for _ in range(2):
        decision = run.tell(event)
        assert outcome(decision)[0]
        runs.append([each.data["runs"] for each in decision.records if each.kind == "command"])
    assert runs[0] == runs[1] != [[]]
    kills = [each for each in run.journal.runs.values() if each.identity.rule_id == ":kill"]
    assert len(kills) == len(run.journal.alarms()) == 1


@pytest.mark.parametrize("meanwhile", ["nothing", "restart", "unlock"])
def test_a_kill_that_comes_again_when_all_is_over_does_nothing(meanwhile: str) -> None:
    """Also the second kill in a row: its copy in the inbox comes when its run is over."""
    run = bench()
    say(run, "kill", reason="first")
    event = Command("kill", "two", "me", run.now, "boo")
    assert outcome(run.tell(event))[0]
    while cancels := sending(run, CancelCall):
        for call in cancels:
            run.send(call)
            run.tell(report(call.intent.client_order_id, attempt=1))
    assert not run.engine.state.runs
    if meanwhile == "restart":
        restart(run)
    if meanwhile == "unlock":
        assert say(run, "unlock", reason="seen")[0]
    before = len(run.journal.runs)
    done, text = outcome(run.tell(event))
    assert done
    assert ("no entries until runner unlock" in text) == (meanwhile != "unlock")
    assert len(run.journal.runs) == before
    run.fire("enter", "9")
    entered = any(not intent.reduce_only for intent in closes(run))
    assert entered == (meanwhile == "unlock")


def test_fire_fires_once_for_each_key() -> None:
    """The same key again is a duplicate; a wrong symbol or no key is refused."""
    run = bench()
    assert say(run, "fire", rule_id="enter", event_key="a")[0]
    done, text = say(run, "fire", rule_id="enter", event_key="a")
    assert not done
    assert "duplicate" in text
    assert not say(run, "fire", rule_id="enter")[0]
    assert not say(run, "fire", rule_id="enter", event_key="b", symbol="XUSDT")[0]
    assert not say(run, "fire", rule_id="x", event_key="b")[0]
    assert len(run.calls(PlaceCall)) == 1


@pytest.mark.parametrize("on_stop", ["disarm", "cancel"])
def test_a_stop_that_leaves_nothing_lets_nothing_in(on_stop: str) -> None:
    """Orders are cancelled where it says so; an entry meanwhile is refused."""
    run = bench()
    run.fire("enter")
    live(run)
    assert say(run, "halt", reason=f"on_stop: {on_stop}")[0]
    assert len(run.calls(CancelCall)) == (on_stop == "cancel")
    run.fire("enter", "2")
    assert refused(run) == (Reason.PAUSED, "the runner is stopping")


@pytest.mark.parametrize(
    ("kind", "value", "entering"),
    [
        ("place", [BUY], True),
        ("place", [SELL], False),
        ("place", [{**BUY, "position_side": "long"}], False),
        ("close", {"type": "market"}, False),
        ("notify", "hello", False),
        ("cancel", "all", False),
    ],
)
def test_what_a_pause_keeps_from_firing_only_enters(kind: str, value: Any, entering: bool) -> None:
    """A rule that may exit fires; its entries are refused one by one."""
    assert only_enters(rule("one", built(kind, value))) is entering


def test_a_rule_that_exits_and_enters_does_the_first_only_while_paused() -> None:
    """The cancel goes, the entry after it is refused with the reason."""
    run = Bench(
        rule_set(rule("both", built("cancel", {"tag": "x"}), built("place", [BUY]))), view()
    )
    say(run, "pause")
    run.fire("both")
    [one] = run.journal.runs.values()
    assert one.status is RunStatus.STOPPED
    assert one.reason.startswith("guard: paused: paused by ann")


def test_the_text_of_a_command_builds_it_again() -> None:
    """And that of a rule file's rule is none."""
    one = rule_of("kill", Sweep(None, True, True))
    assert rebuilt(one.text) == one
    assert rebuilt('{"id": "x"}') is None
    assert rebuilt("x") is None
