"""What a start takes from the journal, and whether the journal knows what the exchange knows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from runner.audit import LOOK_BACK, described, orphans
from runner.core import daily, sweep
from runner.core.daily import Transfer
from runner.core.decision import Decision, Record
from runner.core.rules import RuleSet
from runner.core.state import MINUTE, Entry, State, Work, parked_ids
from runner.errors import VenueError
from runner.journal import ORPHAN, Journal, place_of
from runner.rulebook import build
from runner.settings import Settings
from runner.venues import PlacedOrder, Venue
from runner.venues.registry import moved

log = logging.getLogger(__name__)

OVERLAP = 60_000
"""Ms before the journal's newest order that are looked at, too."""


def lead(
    folder: Path, settings: Settings, now: Callable[[], int], accept_restored: bool = False
) -> Journal:
    """The journal of a runner's folder, with this process as its leader. Raises JournalError."""
    return Journal.open(
        place_of(folder, settings.journal),
        settings.namespace,
        now,
        witness=folder / settings.witness,
        accept_restored=accept_restored,
    )


class LeadWatch:
    """Whether a lead that must be renewed was; for the thread that watches the others."""

    def __init__(self, journal: Journal, monotonic: Callable[[], int]) -> None:
        """`monotonic` gives ms."""
        self._journal = journal
        self._monotonic = monotonic
        self._seen = journal.renewals
        self._at = monotonic()

    def lost(self) -> bool:
        """True when the lease has run out by our own clock: then nothing may be sent any more."""
        ttl, now = self._journal.lease_ttl, self._monotonic()
        if self._journal.renewals != self._seen:
            self._seen, self._at = self._journal.renewals, now
        return ttl is not None and now - self._at >= ttl


def remembered(journal: Journal, *, fresh: bool = False) -> State:
    """The engine's state as the journal has it; `fresh`: it was just accepted as a restored one."""
    state = State(
        memories=journal.memories(),
        dead_men=journal.dead_men(),
        restored_at=journal.meta.restored_at,
        fresh=fresh,
    )
    # a restart is no fresh allowance of orders a minute
    state.entries.extend(_entries(journal))
    runs = journal.open_runs()
    legs = {leg.client_order_id: leg for leg in journal.legs_of([run.run_id for run in runs])}
    legs |= {leg.client_order_id: leg for leg in journal.open_legs()}
    for key in parked_ids(state.memories):
        if (leg := journal.leg(key)) is not None:
            legs.setdefault(key, leg)
    for run in runs:
        text = journal.rule_text(run.rule_hash)
        if text is not None and run.rule_hash not in state.revisions:
            state.revisions[run.rule_hash] = sweep.rebuilt(text) or build.rebuild(text)
        state.put_run(run)
    for run in journal.runs({leg.run_id for leg in legs.values()} - state.runs.keys()):
        state.rule_ids[run.run_id] = run.identity.rule_id
    for leg in legs.values():
        state.put_leg(leg)
    return state


def _entries(journal: Journal) -> list[Entry]:
    """The entries of the last minute, whatever became of them."""
    recent = [leg for leg in journal.planned_within(MINUTE) if not leg.intent.protective]
    runs = journal.runs({leg.run_id for leg in recent})
    rules = {run.run_id: run.identity.rule_id for run in runs}
    return sorted(
        Entry(leg.planned_at, rules.get(leg.run_id, ""), leg.intent.symbol) for leg in recent
    )


def unknown_orders(
    journal: Journal, venue: Venue, rules: RuleSet, namespace: str, now: int
) -> list[PlacedOrder]:
    """Own orders that the exchange has and the journal does not know, oldest first.

    A journal that was rolled back forgot what came after the last order that it knows to be
    signed; that time is the exchange's, as `now` is: our own clock may have been wrong. Raises
    VenueError.
    """
    since = now - LOOK_BACK
    signed = journal.newest_signed()
    if signed is not None:
        since = max(since, signed - OVERLAP)
    symbols = {symbol for rule in rules.rules.values() for symbol in rule.symbols}
    symbols |= {leg.intent.symbol for leg in journal.open_legs()}
    placed = venue.placed(symbols, since)
    known = journal.known_ids([order.client_order_id for order in placed])
    return orphans(placed, known, namespace)


def moved_meanwhile(venue: Venue, journal: Journal) -> list[Transfer] | None:
    """What was deposited and withdrawn since this journal knew it all; None: nobody tells."""
    since = daily.counted_until(journal.memories())
    try:
        return [] if since is None else moved(venue, since)
    except VenueError as error:
        log.warning("what was withdrawn while nobody listened counts as a loss: %s", error)
        return None


def caught_up(state: State, transfers: Sequence[Transfer] | None, now: int) -> Decision:
    """The decision by which these are neither loss nor gain; without an answer nothing changes."""
    work = Work(state, now)
    if transfers is not None:
        daily.catch_up(work, transfers)
    return work.apply(state.revisions)


def told(found: Sequence[PlacedOrder], now: int) -> Decision:
    """The records by which the journal knows orders that it only heard of from the exchange."""
    text = "CRITICAL an order that the journal forgot is on the exchange: {}; it is left alone"
    return Decision(
        [
            Record(
                now,
                "notify",
                text.format(described(order)),
                symbol=order.symbol,
                client_order_id=order.client_order_id,
                reason=ORPHAN,
            )
            for order in found
        ]
    )
