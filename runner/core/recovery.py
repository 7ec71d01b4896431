"""The walk of a start over what the journal remembers, also where it forgot what came after."""

from __future__ import annotations

from runner.core import legs, reporting
from runner.core.decision import Leg, RuleMemory, Run
from runner.core.legs import Moment
from runner.core.orders import OrderIntent, OrderState
from runner.core.state import State, Work
from runner.core.values import replace

DOUBTFUL_FOR = 600_000
"""Ms after an accepted restore during which every new order is asked for before it is sent."""

JUST_NOW = 60_000
"""Ms by our clock since an event came in, above which that clock is no evidence of its age."""

LEAP = 1_000
"""How far the generation of a price trigger leaps: no firing takes the id of a forgotten one."""


def recover(work: Work, moment: Moment) -> None:
    """Every SENDING leg is UNKNOWN; after a restore whatever may have been sent is asked for."""
    state = work.state
    note_time(state, moment)
    for leg in list(state.legs.values()):
        after = legs.recovered(leg, moment)
        if state.fresh or (state.restored_at is not None and leg.planned_at <= state.restored_at):
            after = _forgotten(after, moment)
        if after != leg:
            reporting.change(work, leg, after)
    if state.restored_at is not None:
        state.doubtful |= {run_id for run_id in state.runs if not _has_orders(state, run_id)}
        for (rule_id, symbol), memory in list(state.memories.items()):
            work.put_memory(rule_id, symbol, _leapt(memory, state.restored_at))


def _has_orders(state: State, run_id: str) -> bool:
    """Whether the journal tells by the orders of a run that it was doubted: others are asked for.

    It began before this start, perhaps by a clock that was wrong.
    """
    legs = state.by_run.get(run_id, {}).values()
    return any(isinstance(leg.intent, OrderIntent) for leg in legs)


def _forgotten(leg: Leg, moment: Moment) -> Leg:
    """The journal may have forgotten a later send of this order: its fence begins now."""
    unsettled = leg.state in (OrderState.PLANNED, OrderState.UNKNOWN)
    if leg.ask_first or not unsettled or not isinstance(leg.intent, OrderIntent):
        return leg
    return asked_first(replace(leg, ask_first=True), moment)


def _leapt(memory: RuleMemory, restored_at: int) -> RuleMemory:
    triggers = {
        name: {**own, "generation": own["generation"] + LEAP, "restored": restored_at}
        if "generation" in own and own.get("restored") != restored_at
        else own
        for name, own in memory.triggers.items()
    }
    return replace(memory, triggers=triggers)


def note_time(state: State, moment: Moment) -> None:
    """Tell by the exchange's clock whether any event may still be from the forgotten time.

    Not by ours: on a machine that was put back it may be hours off, and be set at any moment.
    """
    restored_at = state.restored_at
    state.in_doubt = restored_at is not None and moment.server_now <= restored_at + DOUBTFUL_FOR


def doubt(
    state: State, run: Run, event_time: int, now: int, received_at: int | None = None
) -> None:
    """A run begins `now` (ms): note whether the forgotten time may have seen its event.

    An event that tells no time of its own has that of its receipt, by our clock (ms): it is new
    only if it came in just now. What came in earlier may have done so by a clock that was wrong.
    """
    if state.restored_at is None:
        return
    kept = received_at is not None and abs(now - received_at) > JUST_NOW
    if state.in_doubt or kept or event_time <= state.restored_at:
        state.doubtful.add(run.run_id)


def stamped(state: State, key: str) -> str:
    """The event key of a command that was given after the restore: no id of before is of it.

    The restore's own time is in the hash of each of its ids; the forgotten time did not know it.
    """
    return key if state.restored_at is None else f"{key}~{state.restored_at}"


def _stamped(state: State, run: Run) -> bool:
    who = run.identity
    return who.rule_id.startswith(":") and who.event_key.endswith(f"~{state.restored_at}")


def ask_first(work: Work, run: Run) -> bool:
    """Whether a new order of this run may be at the exchange already, though it is not known."""
    restored_at = work.state.restored_at
    if restored_at is None or _stamped(work.state, run):
        return False
    if work.state.in_doubt or run.run_id in work.state.doubtful:
        return True
    if run.fired_at <= restored_at + DOUBTFUL_FOR:
        return True
    return any(leg.ask_first for leg in work.legs_of(run.run_id).values())


def ask(work: Work, moment: Moment) -> None:
    """What is planned and must be asked for first becomes UNKNOWN: its proof begins."""
    for leg in list(work.state.restless.values()):
        if leg.unasked:
            reporting.change(work, leg, asked_first(leg, moment))


def asked_first(leg: Leg, moment: Moment) -> Leg:
    """The leg as if it had been sent this moment: found, or proven absent and only then sent."""
    return replace(
        leg,
        state=OrderState.UNKNOWN,
        fence_time=moment.timing.fence(moment.server_now),
        negatives=0,
        first_negative_time=None,
        next_at=moment.now,
        message="asked for before it is sent: the journal was restored",
        updated_at=moment.now,
    )
