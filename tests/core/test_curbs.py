"""Losses past a guard: reduce-only from then on, told once, ended by the day or by a person."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runner.core import daily, losses
from runner.core.events import AccountUpdate, Command
from runner.core.limits import Limits, Most
from runner.core.orders import CancelCall, PlaceCall
from runner.core.state import Work
from runner.core.triggers.schedule import ScheduleTrigger
from runner.core.view import DAY
from tests.core.factories import Bench, built, dec, position, report, rule, rule_set

LOSS = Limits(max_daily_loss=Most(dec(500)))
FALL = Limits(max_drawdown=Most(dec("0.1"), True))


def entry(kind: str = "limit") -> Any:
    """A rule's order."""
    return built("place", {"side": "buy", "type": kind, "quantity": dec("0.1"), "price": 69000})


def bench_of(limits: Limits, *more: Any) -> Bench:
    """An account with 10,000 USDT and one rule, which buys."""
    bench = Bench(rule_set(rule("one", entry(), limits=limits), *more))
    equity(bench, 10_000)
    return bench


def equity(bench: Bench, amount: int, transferred: int = 0) -> None:
    """The account is stated."""
    bench.now += 1_000
    wallet = dec(amount)
    bench.tell(
        AccountUpdate(wallet, wallet, bench.now, equity=wallet, transferred=dec(transferred))
    )


def refused(bench: Bench, key: str) -> str:
    """Why the rule's run stopped, empty when its order may leave."""
    bench.fire("one", key)
    run = list(bench.journal.runs.values())[-1]
    return run.reason


def unlock(bench: Bench) -> str:
    """A person unlocks; what the command says."""
    command = Command("unlock", f"c{bench.now}", "ann", bench.now, "seen")
    return next(r.text for r in bench.tell(command).records if r.kind == "command")


def test_a_daily_loss_stops_entries_and_is_told_once() -> None:
    """The limit itself is reached; a recovery on the same day changes nothing."""
    bench = bench_of(LOSS)
    equity(bench, 9_501)
    assert refused(bench, "1") == ""
    equity(bench, 9_500)
    equity(bench, 9_400)
    [told] = bench.journal.alarms()
    assert "REDUCE-ONLY" in told
    assert "max_daily_loss: the account lost 500 today, the limit is 500" in told
    assert "before the next UTC day" in told
    equity(bench, 10_000)
    assert refused(bench, "2").startswith("guard: max_daily_loss: the account lost 600 today")


def test_a_daily_loss_outlasts_a_restart_and_a_reload() -> None:
    """It is latched in the journal, not in memory."""
    bench = bench_of(LOSS)
    equity(bench, 9_400)
    equity(bench, 9_900)
    bench.restart()
    equity(bench, 9_900)
    assert "max_daily_loss" in refused(bench, "1")
    assert len(bench.journal.alarms()) == 1


def test_the_next_day_takes_entries_again_and_says_so() -> None:
    """Without anybody doing anything, by the clock alone."""
    bench = bench_of(LOSS)
    equity(bench, 9_400)
    bench.now = bench.now // DAY * DAY + DAY
    bench.pass_time(1_000)
    assert any("entries are taken again" in r.text for r in bench.journal.records)
    assert not losses.closed(bench.engine.state.memories)
    assert refused(bench, "1") == ""


def test_open_entries_are_cancelled_and_exits_stay() -> None:
    """An entry on the book is new risk, too; the stop of what is held is not."""
    stop = built(
        "place",
        {"side": "sell", "type": "stop_market", "trigger_price": 60_000, "close_position": True},
    )
    bench = bench_of(LOSS, rule("two", stop, limits=LOSS))
    bench.fire("one", "1")
    bench.fire("two", "1")
    for call in bench.calls(PlaceCall):
        bench.send(call)
    for one in list(bench.journal.legs.values()):
        bench.tell(report(one, order_status="NEW"))
    equity(bench, 9_000)
    [cancel] = [call for call in bench.calls(CancelCall) if isinstance(call, CancelCall)]
    bought = next(
        leg for leg in bench.journal.legs.values() if getattr(leg.intent, "side", "") == "BUY"
    )
    assert cancel.intent.target == bought.client_order_id


def test_what_was_not_sent_yet_never_leaves() -> None:
    """Nor what would be sent once more after a lost answer."""
    bench = bench_of(LOSS)
    bench.fire("one", "1")
    equity(bench, 9_000)
    assert bench.calls(PlaceCall) == []


def test_a_deposit_and_a_withdrawal_are_no_result() -> None:
    """Money that is taken out is not lost, and money that comes in hides no loss."""
    bench = bench_of(Limits(max_daily_loss=Most(dec(500)), max_drawdown=Most(dec(500))))
    equity(bench, 8_000, transferred=-2_000)
    assert refused(bench, "1") == ""
    equity(bench, 12_400, transferred=5_000)
    assert "max_daily_loss" in refused(bench, "2")


@pytest.mark.parametrize("later", [1_000, DAY])
def test_a_withdrawal_while_nobody_listened_is_no_loss(later: int) -> None:
    """Neither of the day nor from the highest equity, also where the next day has begun."""
    limits = Limits(max_daily_loss=Most(dec(500)), max_drawdown=Most(dec(500)))
    before = bench_of(limits)
    at = before.now
    bench = Bench(rule_set(rule("one", entry(), limits=limits)))
    bench.engine.state.memories.update(before.engine.state.memories)
    bench.engine.world.view.opening = daily.opening(bench.engine.state.memories)
    work = Work(bench.engine.state, at)
    daily.catch_up(work, [daily.Transfer(dec(-2_000), at + 500)])
    work.apply({})
    bench.now = at + later
    equity(bench, 7_600)
    assert refused(bench, "1") == ""
    equity(bench, 7_400 if later < DAY else 7_000)
    assert "max_d" in refused(bench, "2")


def test_a_drawdown_counts_from_the_highest_and_lasts_until_unlock() -> None:
    """A share of the highest equity; the next day does not end it, a person does."""
    bench = bench_of(FALL)
    equity(bench, 11_000)
    equity(bench, 9_901)
    assert refused(bench, "1") == ""
    equity(bench, 9_900)
    text = refused(bench, "2")
    assert "max_drawdown: the account was 1100 under its highest, the limit is 10%, 1100" in text
    assert "runner unlock" in text
    bench.now = bench.now // DAY * DAY + DAY
    bench.pass_time(1_000)
    equity(bench, 10_500)
    assert "max_drawdown" in refused(bench, "3")
    assert "the drawdown counts from the present equity on" in unlock(bench)
    assert refused(bench, "4") == ""
    assert unlock(bench) == "it is not killed"


def test_the_guard_of_one_rule_does_not_stop_another() -> None:
    """Each block binds the rules that it stands over."""
    bench = Bench(rule_set(rule("one", entry(), own_limits=LOSS), rule("two", entry())))
    equity(bench, 10_000)
    equity(bench, 9_000)
    assert "(guards of rule one)" in refused(bench, "1")
    bench.fire("two", "1")
    assert len(bench.calls(PlaceCall)) == 1


def test_before_the_account_is_known_nothing_is_opened() -> None:
    """What is lost cannot be told then."""
    bench = Bench(rule_set(rule("one", entry(), limits=LOSS)))
    assert "guard: no account" in refused(bench, "1")


def test_while_something_is_held_the_account_is_read_often() -> None:
    """The exchange does not state an open loss by itself."""
    bench = bench_of(LOSS)
    bench.tell(position("0.1", at=bench.now))
    equity(bench, 9_900)
    wanted = {call.what: at for call, at in bench.engine.questions.wanted.items()}
    assert wanted["account"] <= bench.now + 10_000


def test_why_names_the_limit_its_figure_and_how_to_change_it() -> None:
    """A rule that only enters says what shuts it; one that also closes goes on."""
    hourly = ScheduleTrigger("schedule", None, 3_600_000, None, "UTC", "skip", 0, "hourly")
    one = replace(rule("one", entry(), limits=LOSS), triggers=(hourly,))
    close = built("close", {"type": "market"})
    both = replace(rule("both", entry(), close, limits=LOSS), triggers=(hourly,))
    bench = Bench(rule_set(one, both))
    equity(bench, 10_000)
    assert look(bench, "one")["reason"] == ""
    equity(bench, 9_400)
    told = look(bench, "one")
    assert told["reason"] == "guard"
    assert "max_daily_loss: the account lost 600 today, the limit is 500" in told["text"]
    assert told["text"].endswith("to change it: max_daily_loss under guards of its rule file")
    assert look(bench, "both")["reason"] == ""


def look(bench: Bench, rule_id: str) -> Any:
    """How a rule stands."""
    command = Command("look", f"l{rule_id}{bench.now}", "ann", bench.now, rule_id=rule_id)
    [record] = [each for each in bench.tell(command).records if each.kind == "command"]
    return record.data["rules"][rule_id][0]
