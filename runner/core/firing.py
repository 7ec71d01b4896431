"""How an event becomes a run: the trigger's match, then every reason why not, then the firing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from runner.core.actions.target import MEMORY as TARGET
from runner.core.decision import Reason, RuleAnswer, RuleMemory, Run
from runner.core.events import Alert, Due, Event
from runner.core.figures import span
from runner.core.formula import EvaluationError
from runner.core.modes import behind, no_room, step_aside
from runner.core.orders import Identity
from runner.core.recovery import doubt
from runner.core.rules import Hit, Memory, Miss, Rule, RuleSet, Trigger
from runner.core.running import World, advance, rule_of
from runner.core.state import Work
from runner.core.switches import no_entries, only_enters, switched
from runner.core.used_up import told_before, used_up
from runner.core.values import replace
from runner.core.view import DAY, fires_on

LASTING = frozenset({"generation", "recent", "fingerprint"})
"""What a trigger remembers also while it does not run."""

TOLD = frozenset(
    {
        "mark",
        "position.size",
        "position.entry_price",
        "position.leverage",
        "account.available",
    }
)
"""What is recorded of the world with every fire, whatever the rule looks at."""


NOTED: Mapping[str, str] = {"crossed": Reason.WAITING.value, "reset": Reason.RESET.value}
"""The reason why it does not fire (yet) with which a trigger's note is recorded."""


def offer(
    work: Work, world: World, rule: Rule, symbol: str, trigger: Trigger, event: Event
) -> RuleAnswer:
    """Show one event to one trigger of one rule; says what came of it."""
    memory = work.memory(rule.id, symbol)
    own = trigger_memory(memory, trigger)
    names = world.names_before(work, rule, symbol)
    try:
        match = trigger.match(event, own, names)
    except EvaluationError as error:
        return _refuse(work, rule, symbol, Reason.NO_DATA, error.reason)
    _remember(work, rule.id, symbol, trigger, match.memory)
    if isinstance(match, Hit):
        at, received_at = _event_time(event, work.now), _received_at(event)
        kept = event.received_at if isinstance(event, Alert) and event.stored else None
        return fire(work, world, rule, symbol, trigger.name, match, at, received_at, kept)
    if isinstance(match, Miss):
        known = _known(work, world, rule, symbol, trigger, match.event_key)
        return _refuse(work, rule, symbol, match.reason, match.detail, known)
    if match.note is not None:
        kind, text = match.note
        work.record(kind, text, rule_id=rule.id, symbol=symbol, reason=NOTED.get(kind, ""))
    return RuleAnswer(rule.id, symbol, "quiet")


def trigger_memory(memory: RuleMemory, trigger: Trigger) -> Memory:
    """The trigger's own memory; an edited trigger starts over but for its generation."""
    own = memory.triggers.get(trigger.name, {})
    if own.get("fingerprint", trigger.fingerprint) == trigger.fingerprint:
        return own
    return {"generation": own.get("generation", 0)}


def lose_sight(work: Work, rules: RuleSet) -> None:
    """Triggers that no longer run as they were forget the world, for it goes on without them.

    What makes an event unique is kept: a trigger that comes back repeats no firing.
    """
    for rule_id, symbol in work.state.memories:
        memory = work.memory(rule_id, symbol)
        rule = rules.rules.get(rule_id)
        running = rule.triggers if rule and symbol in rule.symbols else ()
        prints = {trigger.name: trigger.fingerprint for trigger in running}
        triggers = {
            name: own if own.get("fingerprint") == prints.get(name) else _lasting(own)
            for name, own in memory.triggers.items()
        }
        work.put_memory(rule_id, symbol, replace(memory, triggers=triggers))


def _lasting(own: Memory) -> Memory:
    return {key: value for key, value in own.items() if key in LASTING}


def _remember(work: Work, rule_id: str, symbol: str, trigger: Trigger, own: Memory) -> None:
    memory = work.memory(rule_id, symbol)
    kept = {**own, "fingerprint": trigger.fingerprint}
    if memory.triggers.get(trigger.name) != kept:
        triggers = {**memory.triggers, trigger.name: kept}
        work.put_memory(rule_id, symbol, replace(memory, triggers=triggers))


def _identity(world: World, rule_id: str, symbol: str, trigger: str, key: str) -> Identity:
    return Identity(world.namespace, world.account, rule_id, trigger, symbol, key)


def _known(work: Work, world: World, rule: Rule, symbol: str, trigger: Trigger, key: str) -> str:
    """The run that this event led to before; empty when it led to none."""
    return _before(work, world, rule, symbol, trigger.name, key) if key else ""


def _before(work: Work, world: World, rule: Rule, symbol: str, trigger: str, key: str) -> str:
    """The run that began for this event, also under the rule's former id; empty for none."""
    for rule_id in filter(None, (rule.id, rule.renamed_from)):
        identity = _identity(world, rule_id, symbol, trigger, key)
        if found := begun(work, world, identity):
            return found
    return ""


def begun(work: Work, world: World, identity: Identity) -> str:
    """The run of this identity, in this life or one before; empty when none began."""
    run_id = identity.run_id()
    if work.fired(run_id):
        return run_id
    return world.seen(identity.rule_id, identity.trigger, identity.symbol, identity.event_key) or ""


def _refuse(
    work: Work, rule: Rule, symbol: str, reason: Reason, detail: str, run_id: str = ""
) -> RuleAnswer:
    work.refuse(rule.id, symbol, reason, detail, run_id)
    outcome = "duplicate" if reason is Reason.DUPLICATE else "not fired"
    return RuleAnswer(rule.id, symbol, outcome, run_id, reason.value, detail)


def _event_time(event: Event, now: int) -> int:
    """When it happened as far as it says so itself (ms): what decides which event is newer."""
    match event:
        case Alert():
            return event.received_at if event.event_time is None else event.event_time
        case Due():
            return event.planned_at
        case _:
            return now


def _received_at(event: Event) -> int | None:
    """When it came in by our clock (ms), where it tells no time of its own."""
    return event.received_at if isinstance(event, Alert) and event.event_time is None else None


def fire(
    work: Work,
    world: World,
    rule: Rule,
    symbol: str,
    trigger: str,
    hit: Hit,
    event_time: int,
    received_at: int | None = None,
    stored_at: int | None = None,
) -> RuleAnswer:
    """Every reason why not, in order; then the run, its memory and its first steps.

    `received_at` (ms) is given where nothing but our own clock tells when it happened;
    `stored_at` where its sender was answered then, and an entry's time runs since then.
    """
    identity = _identity(world, rule.id, symbol, trigger, hit.event_key)
    run_id = identity.run_id()
    earlier = _before(work, world, rule, symbol, trigger, hit.event_key)
    if earlier:
        return _refuse(work, rule, symbol, Reason.DUPLICATE, "it fired for this event", earlier)
    fired_at = work.now if stored_at is None else min(stored_at, work.now)
    run = Run(run_id, identity, rule.text_hash, hit.fields, fired_at)
    why_not = _why_not(work, world, rule, run, event_time, stored_at is not None)
    if why_not is not None:
        reason, detail = why_not
        if reason is Reason.MAX_FIRES and told_before(work, rule, symbol, trigger):
            return RuleAnswer(rule.id, symbol, "not fired", "", reason.value, detail)
        return _refuse(work, rule, symbol, reason, detail)
    doubt(work.state, run, event_time, work.now, received_at)
    memory = work.memory(rule.id, symbol)
    fired = replace(
        memory,
        last_fired_at=work.now,
        fires=memory.fires + 1,
        fires_today=fires_on(memory, work.now) + 1,
        day=work.now // DAY,
    )
    older = work.all_running(rule.id, symbol)
    if rule.supersedes:
        newest = {"run_id": run_id, "event_time": event_time}
        fired = replace(fired, triggers={**fired.triggers, TARGET: newest})
    work.put_memory(rule.id, symbol, fired)
    work.add_run(run, rule)
    seen = {"seen": _seen(work, world, rule, run)}
    work.record("fired", hit.detail, rule_id=rule.id, symbol=symbol, run_id=run_id, data=seen)
    for each in older:
        _give_way(work, world, rule, each, run_id)
    detail = hit.detail
    if first := behind(work, rule, run):
        text = f"waits until run {first} is over (mode: queued)"
        work.record("run", text, rule_id=rule.id, symbol=symbol, run_id=run_id)
        detail = f"{detail}; {text}"
    advance(work, world, run_id)
    return RuleAnswer(rule.id, symbol, "fired", run_id, detail=detail)


def _give_way(work: Work, world: World, rule: Rule, older: str, newer: str) -> None:
    """An earlier run that goes on hears that a newer one begins."""
    run = work.run(older)
    if run is not None and rule.mode == "restart" and not rule.supersedes:
        step_aside(work, rule_of(work, world, run) or rule, run, newer)
    elif rule.supersedes:
        advance(work, world, older)


def _seen(work: Work, world: World, rule: Rule, run: Run) -> dict[str, str]:
    """What the rule's formulas saw of the world as it fired, for whoever asks why, or plays it."""
    names, found = world.names(work, run), {}
    for name in sorted(TOLD | rule.named):
        if name.startswith("trigger."):
            continue
        try:
            found[name] = str(names[name])
        except KeyError:
            continue  # no data: an action that needs it waits
    return found


def _why_not(
    work: Work, world: World, rule: Rule, run: Run, event_time: int, stored: bool
) -> tuple[Reason, str] | None:
    symbol = run.identity.symbol
    return (
        _shut(work, rule)
        or _superseded(work, rule, symbol, event_time)
        or _not_now(work, rule, symbol, stored=stored)
        or _condition(work, world, rule, run)
        or ((Reason.DRY_RUN, "it would have fired") if rule.dry_run else None)
    )


def blocked(work: Work, rule: Rule, symbol: str) -> tuple[Reason, str] | None:
    """Why it would not fire now, whatever happens and whatever its conditions say."""
    return _shut(work, rule) or _not_now(work, rule, symbol)


def _shut(work: Work, rule: Rule) -> tuple[Reason, str] | None:
    """A person, another rule or its file keeps it from firing."""
    switched = work.memory(rule.id, "").enabled
    if not (rule.enabled if switched is None else switched):
        return Reason.DISABLED, _disabled(work, rule)
    return no_entries(work) if only_enters(rule) else None


def _superseded(work: Work, rule: Rule, symbol: str, at: int) -> tuple[Reason, str] | None:
    """A newer event has set its target already."""
    newest = work.memory(rule.id, symbol).triggers.get(TARGET, {}) if rule.supersedes else {}
    if newest.get("event_time", at) <= at:
        return None
    return Reason.SUPERSEDED, f"run {newest['run_id']} set a newer target"


def _not_now(
    work: Work, rule: Rule, symbol: str, *, stored: bool = False
) -> tuple[Reason, str] | None:
    """It fires at other times, or its last run, cooldown or count stands in the way."""
    if rule.active is not None and not rule.active.holds(work.now):
        return Reason.NOT_ACTIVE, f"it is {rule.active.local(work.now):%a %H:%M %Z}"
    return (
        no_room(work, rule, symbol, stored=stored)
        or _cooling(work, rule, symbol)
        or used_up(work, rule, symbol)
    )


def _disabled(work: Work, rule: Rule) -> str:
    """Who disabled it, since when and why, and how it is enabled again."""
    by = switched(work.memory(rule.id, ""))
    who = "in its file" if by is None else by.text
    return f"{rule.id} is disabled {who}: runner enable {rule.id}"


def _cooling(work: Work, rule: Rule, symbol: str) -> tuple[Reason, str] | None:
    fired = work.memory(rule.id, symbol).last_fired_at
    if fired is None or not rule.cooldown or work.now - fired >= rule.cooldown:
        return None
    left = span(max((fired + rule.cooldown - work.now) // 1000 * 1000, 1_000))
    return Reason.COOLDOWN, f"{left} of the cooldown are left"


def _condition(work: Work, world: World, rule: Rule, run: Run) -> tuple[Reason, str] | None:
    """The first condition that does not hold, with the values it saw."""
    names = world.names(work, run)
    for formula in rule.conditions:
        try:
            if formula.evaluate(names) is True:
                continue
        except EvaluationError as error:
            return Reason.IF_FAILED, f"{formula.text}: {error.reason}"
        return Reason.IF, f"{formula.text} ({formula.trace(names)})"
    return None


def answered(answers: Iterable[RuleAnswer]) -> str:
    """One word for an alert's sender: fired, not fired, duplicate, or unfit for every rule."""
    outcomes = list(answers)
    if any(answer.outcome == "fired" for answer in outcomes):
        return "fired"
    fitting = [answer for answer in outcomes if answer.reason != Reason.BODY.value]
    heard = [answer for answer in fitting if answer.outcome != "quiet"]
    if not heard:
        # a heartbeat takes every body, but it does not make up for a rule that wants another
        return "not fired" if len(fitting) == len(outcomes) and fitting else "unfit"
    return "duplicate" if all(a.outcome == "duplicate" for a in heard) else "not fired"
