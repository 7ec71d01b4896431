"""What a start says of itself; and a stop: what `on_stop` asks for, and what stays behind."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from runner import __version__
from runner.core import deadman
from runner.core.decision import Decision, Leg, Record
from runner.core.engine import Engine
from runner.core.events import Command
from runner.core.figures import figure
from runner.core.legs import Moment
from runner.core.orders import Family, OrderIntent
from runner.core.state import Work
from runner.core.switches import clock
from runner.dispatcher import Dispatcher

PATIENCE: Final = 8.0
"""Seconds that a stop waits for the exchange to take cancels and countdowns of 0."""

LOOK_EVERY: Final = 0.02

UNCOVERED: Final = "which no countdown cancels"


def first_words(
    at: int,
    account: str,
    mode: str,
    exchange: Mapping[str, str] | None,
    hook: str,
    unexercised: str = "",
) -> Record:
    """The record that tells other processes where this one is found.

    `exchange`: the addresses of the embedded paper exchange; `hook`: where alerts come in;
    `unexercised`: why rules may trade with real money that never fired.
    """
    data = {
        "account": account,
        "mode": mode,
        "exchange": exchange,
        "hook": hook,
        "pid": os.getpid(),
        "version": __version__,
    }
    text = f"runner {__version__}, account {account} ({mode})"
    if unexercised:
        data["accept_unexercised"] = unexercised
        text += f"; rules that never fired are accepted: {unexercised}"
    return Record(at, "started", text, data=data)


def waiting_words(at: int, account: str, mode: str, hook: str, why: str) -> Record:
    """The same of an account that cannot begin yet: it is found where the others are."""
    record = first_words(at, account, mode, None, hook)
    return replace(record, text=f"{record.text} cannot begin yet: {why}")


def wind_down(dispatcher: Dispatcher, on_stop: str, now: Callable[[], int]) -> None:
    """Do what `on_stop` asks for, while the dispatcher still turns; gives up after a while."""
    if on_stop == "leave_armed":
        return
    at = now()
    what = Command("halt", f"halt-{at}", "on_stop", at, reason=f"on_stop: {on_stop}")
    if dispatcher.ask(what, PATIENCE) is None:
        return
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and not _wound_down(dispatcher.engine):
        time.sleep(LOOK_EVERY)


def _wound_down(engine: Engine) -> bool:
    state = engine.state
    armed = any(known.countdown for known in list(state.dead_men.values()))
    cancelling = any(run.identity.rule_id == ":halt" for run in list(state.runs.values()))
    return not armed and not cancelling


def last_words(engine: Engine, moment: Moment, on_stop: str, failure: object) -> Decision:
    """The record of the stop; after one on purpose, countdowns that end are no lost link."""
    work = Work(engine.state, moment.now)
    if failure is None:
        deadman.stopped(work, moment.server_now)
    text = "stopped as asked" if failure is None else "stopped after a failure"
    left = _left(engine)
    data = {"on_stop": on_stop, "left": left}
    work.decision.records.append(Record(moment.now, "stopped", "; ".join([text, *left]), data=data))
    return work.apply(engine.state.revisions)


def _left(engine: Engine) -> list[str]:
    """What stays on the exchange, a clause a symbol."""
    state = engine.state
    symbols: dict[str, list[Leg]] = {}
    for leg in state.legs.values():
        if leg.open and isinstance(leg.intent, OrderIntent):
            symbols.setdefault(leg.intent.symbol, []).append(leg)
    found = [_of_symbol(engine, symbol, legs) for symbol, legs in sorted(symbols.items())]
    held = [
        f"{key[0]} {figure(position.size)}"
        for key, position in sorted(engine.world.view.positions.items())
        if position.size
    ]
    found = found or ["no order of ours is open"]
    return [*found, *([f"positions held: {', '.join(held)}"] if held else [])]


def _of_symbol(engine: Engine, symbol: str, legs: list[Leg]) -> str:
    conditional = sum(leg.intent.family is Family.ALGO for leg in legs)
    plain = len(legs) - conditional
    if not plain:
        count = _count(conditional, "conditional order")
        return f"{count} of {symbol} {_stay(conditional)}, {UNCOVERED}"
    known = engine.state.dead_men.get(symbol)
    count = f"{_count(plain, 'order')} of {symbol} {_stay(plain)}"
    if known is not None and known.countdown:
        end = clock(known.confirmed_time + known.countdown)
        text = f"{count}; the exchange cancels {symbol} at {end} UTC unless the runner is back"
    else:
        text = f"{count} without a countdown"
    if conditional:
        text += f", and {_count(conditional, 'conditional order')}, {UNCOVERED}"
    return text


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _stay(number: int) -> str:
    return "stays" if number == 1 else "stay"
