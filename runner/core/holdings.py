"""What a statement of positions means: the view, what waits for it, and runs that lost theirs."""

from __future__ import annotations

from collections.abc import Iterable

from runner.core.asking import Questions
from runner.core.closers import ENTRY
from runner.core.decision import Leg
from runner.core.events import PositionIncident, Positions, PositionUpdate
from runner.core.figures import figure
from runner.core.flats import GRACE
from runner.core.legs import Moment
from runner.core.listening import Listening
from runner.core.orders import ReadCall
from runner.core.running import World
from runner.core.state import State, Work
from runner.core.telling import Telling
from runner.core.view import ZERO

ACCOUNT_PAUSE = 500


class Holdings:
    """Takes in what the exchange says of positions."""

    def __init__(
        self, world: World, listening: Listening, telling: Telling, questions: Questions
    ) -> None:
        """Nothing is known yet."""
        self._world = world
        self._listening = listening
        self._telling = telling
        self._questions = questions

    def position(self, work: Work, event: PositionUpdate, moment: Moment) -> None:
        """One position, told by the stream or read."""
        if not self._world.view.apply_position(event):
            return
        state, place = work.state, (event.symbol, event.position_side)
        state.seen_until(event.event_time, *place)
        state.flats.state(place, event.size, event.event_time, reading=event.reading)
        self._listening.moved((event.symbol,))
        self._questions.want(ReadCall("account"), moment.now + ACCOUNT_PAUSE)
        text = f"{figure(event.size)} @ {figure(event.entry_price)}" if event.size else "flat"
        work.record("position", text, symbol=event.symbol)
        self._telling.tell(work, ("position", ""), event.symbol, event)
        self._ask_owners(work, {event.symbol}, moment)

    def positions(self, work: Work, event: Positions, moment: Moment) -> None:
        """All positions as one reading."""
        view, flats = self._world.view, work.state.flats
        known = {symbol for symbol, _ in view.positions}
        view.apply_positions(event)
        work.state.seen_until(event.asked_time)
        read = {(each.symbol, each.position_side): each.size for each in event.positions}
        for place in {*read, *flats.places(), *_places(work.state)}:
            flats.state(place, read.get(place, ZERO), event.asked_time, reading=True)
        self._listening.moved(known | {update.symbol for update in event.positions})
        self._telling.positions(work, event)
        self._ask_owners(work, None, moment)

    def incident(self, work: Work, event: PositionIncident) -> None:
        """The exchange closed a position by itself, or warns that it will."""
        place = (event.symbol, event.position_side)
        work.state.flats.note_forced(place, event.what, event.event_time)
        text = f"{event.what.replace('_', ' ')}: {figure(event.size)} @ {figure(event.price)}"
        work.record("position", text, symbol=event.symbol)
        self._telling.tell(work, ("position", ""), event.symbol, event)

    def _ask_owners(self, work: Work, symbols: set[str] | None, moment: Moment) -> None:
        """Runs that may have lost what they hold are asked; a doubt is read away."""
        for entry in _entries(work.state):
            if symbols is None or entry.intent.symbol in symbols:
                work.touch(entry.run_id)
                if work.state.flats.doubted(entry):
                    self._questions.want(ReadCall("positions"), moment.now + GRACE)


def _entries(state: State) -> Iterable[Leg]:
    """The filled entries of brackets that go on."""
    return [
        leg
        for run_id in state.runs
        for leg in state.by_run.get(run_id, {}).values()
        if leg.name.endswith(ENTRY) and leg.cumulative_quantity and not leg.open
    ]


def _places(state: State) -> set[tuple[str, str]]:
    """The positions that these entries opened."""
    return {
        (leg.intent.symbol, getattr(leg.intent, "position_side", "BOTH")) for leg in _entries(state)
    }
