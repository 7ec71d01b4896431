"""The exchange that a verb looks at: the account's, or the paper exchange."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import RunnerError

if TYPE_CHECKING:
    from runner.settings import Settings
    from runner.venues import Venue


@contextmanager
def exchange_of(folder: Path, settings: Settings, paper: bool) -> Iterator[tuple[Venue, str]]:
    """The account's exchange, connected, and the account's name; without one the paper exchange.

    Raises ConfigurationError or VenueError with the cure.
    """
    from runner.connecting import PAPER, Place, connect, embedded_paper, on_paper

    place = Place(folder)
    if settings.accounts and not paper and not on_paper(settings):
        yield connect(place, settings, None), settings.account().name
        return
    running = _running_paper(folder, settings)
    if running is not None:
        yield running, PAPER
        return
    with tempfile.TemporaryDirectory(prefix="runner-paper-") as scratch:
        state = place.paper_state(settings)
        if state.exists():
            shutil.copy(state, Path(scratch, state.name))
        server = embedded_paper(Place(Path(scratch)), settings)
        try:
            yield connect(place, settings, server), PAPER
        finally:
            server.stop()


def _running_paper(folder: Path, settings: Settings) -> Venue | None:
    """The paper exchange of the runner that runs in this folder, if one does."""
    from runner.cli.reading import journal_of, started
    from runner.connecting import connect_paper

    try:
        with journal_of(folder, settings) as journal:
            addresses = started(journal).get("exchange")
        return connect_paper(addresses, settings) if addresses else None
    except RunnerError:
        return None
