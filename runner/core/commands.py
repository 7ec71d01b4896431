"""What a person orders from the command line or by a hook: switches, cancels, flatten, kill."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from runner.core import curbs, looking, losses, recovery, sweep, switches
from runner.core.decision import AlertAnswer, Leg, RuleAnswer, Run, RunStatus
from runner.core.events import Command
from runner.core.firing import begun, fire
from runner.core.legs import taken_back
from runner.core.orders import Identity, OrderState
from runner.core.rules import Hit
from runner.core.running import World, advance
from runner.core.state import State, Work
from runner.core.sweep import Sweep
from runner.core.switches import KILLED, PAUSED, Latch, latch
from runner.core.values import replace

Done = tuple[bool, str, Mapping[str, Any]]
"""Whether it was done, what to tell, and more for those who read JSON."""


def command(work: Work, world: World, event: Command) -> None:
    """Do it, and leave the record that answers who asked; a refusal changes nothing."""
    done, text, more = {**VERBS, "halt": _halt}[event.verb](work, world, event)
    symbol, rule_id = event.symbol, event.rule_id
    data = {"command": event.key, "verb": event.verb, "done": done, "who": event.who, **more}
    reason = event.reason if done else "refused"
    at = _first(event.verb, done, work)
    work.record("command", text, rule_id=rule_id, symbol=symbol, reason=reason, data=data)
    # told before what follows from it
    work.decision.records.insert(at, work.decision.records.pop())
    outcome = "done" if done else "refused"
    work.decision.answer = AlertAnswer(
        outcome, (RuleAnswer(rule_id, symbol, outcome, more.get("run", ""), detail=text),)
    )


def _first(verb: str, done: bool, work: Work) -> int:
    return 0 if done and verb != "fire" else len(work.decision.records)


def _by(event: Command) -> Latch:
    return Latch(event.who, event.at, event.reason)


def _enable(work: Work, world: World, event: Command) -> Done:
    return _switch(work, world, event, True)


def _disable(work: Work, world: World, event: Command) -> Done:
    return _switch(work, world, event, False)


def _switch(work: Work, world: World, event: Command, on: bool) -> Done:
    rule = world.rules.rules.get(event.rule_id)
    if rule is None:
        return False, _no_rule(world, event.rule_id), {}
    word = "enabled" if on else "disabled"
    before = work.memory(rule.id, "").enabled
    if (rule.enabled if before is None else before) is on:
        return True, f"{rule.id} is {word} already", {}
    switches.switch_rule(work, rule.id, on, _by(event))
    text = f"{rule.id} {word} by {event.who}"
    return True, text if on else f"{text}: it does not fire until runner enable {rule.id}", {}


def _no_rule(world: World, rule_id: str) -> str:
    known = ", ".join(sorted(world.rules.rules)) or "none"
    return f"no rule {rule_id} runs (known: {known})"


def _pause(work: Work, world: World, event: Command) -> Done:
    del world
    paused = latch(work.state.memories, PAUSED)
    if paused is not None:
        return True, f"paused already, {paused.text}", {}
    switches.set_latch(work, PAUSED, _by(event))
    taken = _take_back(work, f"paused by {event.who}")
    more = f"; {taken} unsent entries were taken back" if taken else ""
    return (
        True,
        f"paused by {event.who}: no new entries, exits go on, until runner resume{more}",
        {},
    )


def _resume(work: Work, world: World, event: Command) -> Done:
    del world
    if latch(work.state.memories, KILLED) is not None:
        return False, "it is killed, not only paused: runner unlock --reason TEXT", {}
    if latch(work.state.memories, PAUSED) is None:
        return True, "it is not paused", {}
    switches.set_latch(work, PAUSED, None)
    return True, f"resumed by {event.who}: entries are taken again", {}


def _unlock(work: Work, world: World, event: Command) -> Done:
    if not event.reason:
        return False, "unlock needs a reason: runner unlock --reason TEXT", {}
    forgiven = _forgive(work, world)
    if latch(work.state.memories, KILLED) is None:
        if not forgiven:
            return True, "it is not killed", {}
        return True, f"unlocked by {event.who}: {forgiven}", {}
    switches.set_latch(work, KILLED, None)
    for run in list(work.state.runs.values()):
        if run.identity.rule_id == ":kill":
            _end(work, run, f"unlocked by {event.who}")
    paused = latch(work.state.memories, PAUSED)
    rest = "; it is still paused: runner resume" if paused else ": entries are taken again"
    return True, f"unlocked by {event.who}{rest}", {}


def _forgive(work: Work, world: World) -> str:
    """A drawdown past its guard counts from now on anew; what that means, empty without one."""
    if not any(key.startswith("max_drawdown") for key in losses.closed(work.state.memories)):
        return ""
    account = world.view.account
    losses.forgive(work, None if account is None else account.equity)
    curbs.follow(work, world)
    return "the drawdown counts from the present equity on"


def _cancel(work: Work, world: World, event: Command) -> Done:
    if event.rule_id and event.rule_id not in _rules_known(work, world):
        return False, _no_rule(world, event.rule_id), {}
    symbols = _symbols_of(work.state, lambda leg: event.rule_id in ("", work.rule_id(leg.run_id)))
    symbols = [symbol for symbol in symbols if event.symbol in ("", symbol)]
    what = " of ".join(each for each in ("open orders", event.rule_id or event.symbol) if each)
    if not symbols and not _runs(work, event):
        return True, f"no {what}: nothing to cancel", {"runs": []}
    runs = _sweep(work, world, event, symbols, Sweep(event.rule_id or None), "cancelled")
    return True, f"cancelling the {what} on {_listed(symbols)}", {"runs": runs}


def _flatten(work: Work, world: World, event: Command) -> Done:
    symbols = [s for s in known_symbols(work.state, world) if event.symbol in ("", s)]
    if event.symbol and not symbols:
        symbols = [event.symbol]
    runs = _sweep(work, world, event, symbols, Sweep(close=True), "flattened")
    text = f"cancelling our orders and closing the positions of {_listed(symbols)}, reduce-only"
    return True, text, {"runs": runs}


def _kill(work: Work, world: World, event: Command) -> Done:
    before = latch(work.state.memories, KILLED)
    symbols = known_symbols(work.state, world)
    own = [_own(work, world, event, ":kill", one) for one in symbols]
    # it comes twice: by the kill switch's thread, and through the inbox when all may be over
    if before == _by(event) or any(begun(work, world, one) for one in own):
        text = f"KILLED by {event.who}: no entries until runner unlock --reason TEXT"
        if before is None:
            text = f"killed by {event.who} before, by this same command; unlocked since"
        return True, f"{text}{_unsent(work, world)}", {"runs": [one.run_id() for one in own]}
    if before is None:
        switches.set_latch(work, KILLED, _by(event))
    kill = Sweep(everything=True, close=event.flatten)
    runs = _sweep(work, world, event, symbols, kill, "killed")
    then = "closing the positions" if event.flatten else "positions are left as they are"
    text = (
        f"KILLED by {event.who}: cancelling every order of {_listed(symbols)}, {then}; "
        f"no entries until runner unlock --reason TEXT{_unsent(work, world)}"
    )
    work.record("notify", f"CRITICAL {text}", reason="critical", data={"verb": "kill"})
    return True, text, {"runs": runs}


def _unsent(work: Work, world: World) -> str:
    """While the exchange takes nothing: until when, and what protects meanwhile; else empty."""
    silence = world.silence()
    if not silence:
        return ""
    armed = [symbol for symbol, known in work.state.dead_men.items() if known.countdown]
    protects = (
        f"the countdown of {_listed(armed)} protects: without us it cancels plain orders, not stops"
        if armed
        else "no countdown is armed, so nothing cancels without us"
    )
    return (
        ". NOTHING CAN BE SENT NOW: the exchange wants silence (429, or a ban: 418) until "
        f"{switches.clock(work.now + silence)} UTC, then everything leaves by itself; {protects}. "
        "If it is urgent, act in the exchange's app"
    )


def _fire(work: Work, world: World, event: Command) -> Done:
    rule = world.rules.rules.get(event.rule_id)
    if rule is None:
        return False, _no_rule(world, event.rule_id), {}
    symbol = event.symbol or (rule.symbols[0] if len(rule.symbols) == 1 else "")
    if symbol not in rule.symbols:
        return False, f"{rule.id} has {', '.join(rule.symbols)}: name one with --symbol", {}
    if not event.event_key:
        return False, "fire needs an event key: the same key fires once", {}
    hit = Hit(event.event_key, {}, {}, f"fired by {event.who}")
    told = fire(work, world, rule, symbol, "manual", hit, event.at, event.at)
    text = f"{rule.id} {symbol}: {told.outcome}"
    text += f", {told.reason}: {told.detail}" if told.reason else f", run {told.run_id}"
    return told.outcome == "fired", text, {"run": told.run_id, "outcome": told.outcome}


def _halt(work: Work, world: World, event: Command) -> Done:
    """The runner stops: no countdown shall run on, and no order if `on_stop` says cancel."""
    work.state.disarming = True
    if not event.reason.endswith("cancel"):
        return True, "stopping: the countdowns are switched off, orders stay", {}
    symbols = _symbols_of(work.state, lambda _: True)
    runs = _sweep(work, world, event, symbols, Sweep(), "cancelled")
    return True, f"stopping: cancelling our orders on {_listed(symbols)}", {"runs": runs}


def _look(work: Work, world: World, event: Command) -> Done:
    """Nothing changes: how a rule, or each rule (of a symbol), stands with what it sees now."""
    rules = world.rules.rules
    if event.rule_id and event.rule_id not in rules:
        return False, _no_rule(world, event.rule_id), {}
    chosen = [rules[event.rule_id]] if event.rule_id else list(rules.values())
    chosen = [rule for rule in chosen if event.symbol in ("", *rule.symbols)]
    text = f"looked at {event.rule_id or 'every rule'}"
    return True, text, looking.seen_rules(work, world, chosen)


def _account(work: Work, world: World, event: Command) -> Done:
    """Nothing changes: the positions and balances that it knows."""
    del work, event
    return True, "looked at the account", looking.seen_account(world.view)


VERBS: Mapping[str, Callable[[Work, World, Command], Done]] = {
    "enable": _enable,
    "disable": _disable,
    "pause": _pause,
    "resume": _resume,
    "cancel": _cancel,
    "flatten": _flatten,
    "kill": _kill,
    "unlock": _unlock,
    "fire": _fire,
    "look": _look,
    "account": _account,
}


# what follows from it


def _sweep(
    work: Work, world: World, event: Command, symbols: list[str], what: Sweep, word: str
) -> list[str]:
    """End the runs that it concerns, and begin one of its own on each symbol."""
    why = f"{word} by {event.who}" + (f" ({event.reason})" if event.reason else "")
    for run in _runs(work, event):
        _end(work, run, why)
    rule = sweep.rule_of(event.verb, what)
    work.state.revisions[rule.text_hash] = rule
    found = []
    for symbol in symbols:
        who = _own(work, world, event, rule.id, symbol)
        run = Run(who.run_id(), who, rule.text_hash, {}, work.now)
        work.add_run(run, rule)
        advance(work, world, run.run_id)
        found.append(run.run_id)
    if event.verb == "kill":
        _take_back(work, why)
    return found


def _own(work: Work, world: World, event: Command, rule_id: str, symbol: str) -> Identity:
    """Whoever acts in an emergency after a restored journal waits for no proof of absence."""
    key = recovery.stamped(work.state, event.key) if event.live else event.key
    return Identity(world.namespace, world.account, rule_id, "manual", symbol, key)


def _runs(work: Work, event: Command) -> list[Run]:
    """The runs whose orders go, so that none of them places anything again by itself."""
    return [
        run
        for run in work.state.runs.values()
        if event.rule_id in ("", run.identity.rule_id)
        and event.symbol in ("", run.identity.symbol)
        and not run.identity.rule_id.startswith(":")
    ]


def _end(work: Work, run: Run, why: str) -> None:
    work.put_run(replace(run, status=RunStatus.STOPPED, reason=why))
    for waits in (work.state.waiting, work.state.held_up):
        for key in [key for key in waits if key[0] == run.run_id]:
            del waits[key]
    for leg in work.legs_of(run.run_id).values():
        if leg.state is OrderState.PLANNED:
            work.put_leg(taken_back(leg, work.now, why))
    who = run.identity
    named = {"rule_id": who.rule_id, "symbol": who.symbol, "run_id": run.run_id}
    work.record("run", f"stopped: {why}", reason=why, **named)


def _take_back(work: Work, why: str) -> int:
    """Entries that were not sent yet never leave; returns how many."""
    found = 0
    for known in list(work.state.restless.values()):
        leg = work.leg(known.client_order_id) or known
        if leg.state is OrderState.PLANNED and not leg.intent.protective:
            work.put_leg(taken_back(leg, work.now, why))
            found += 1
    return found


def _rules_known(work: Work, world: World) -> set[str]:
    open_ones = {work.rule_id(leg.run_id) for leg in work.state.legs.values() if leg.open}
    return open_ones | set(world.rules.rules)


def _symbols_of(state: State, wanted: Callable[[Leg], bool]) -> list[str]:
    legs = list(state.legs.values())
    return sorted({leg.intent.symbol for leg in legs if leg.open and wanted(leg)})


def known_symbols(state: State, world: World) -> list[str]:
    """Every symbol that the runner trades, holds or has orders on."""
    found = {symbol for rule in world.rules.rules.values() for symbol in rule.symbols}
    found |= {key[0] for key, held in list(world.view.positions.items()) if held.size}
    found |= set(_symbols_of(state, lambda _: True)) | set(world.rules.dead_men)
    return sorted(found)


def _listed(symbols: list[str]) -> str:
    shown = ", ".join(symbols[:8]) + (", …" if len(symbols) > 8 else "")
    return shown or "no symbol"
