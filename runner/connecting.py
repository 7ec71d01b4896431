"""Where a runner lives and what it trades on: its folder, its clocks, the venue it connects to."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import ConfigurationError
from runner.ops.secrets import Secrets
from runner.rulebook.shelf import Shelf
from runner.settings import Settings
from runner.venues import Venue
from runner.venues.binance_usdm.presets import reach
from runner.venues.registry import VENUES, Adapter, share_limits

if TYPE_CHECKING:
    from runner.venues.paper.server import PaperServer

PAPER = "paper"
"""The name of the account, and of the address, that means the embedded paper exchange."""

PAPER_KEY = "paper-key"
PAPER_SECRET = "paper-secret"  # noqa: S105 - it opens nothing but the exchange inside this process


def wall_ms() -> int:
    """Our clock: UTC epoch milliseconds."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> int:
    """A clock that never steps, in ms."""
    return time.monotonic_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a runner lives: `rules/*.yaml`, `journal.db`, `runner.yaml` and `secrets/`.

    `shelf` remembers what the rule files hold, for who reads them more than once.
    """

    folder: Path
    shelf: Shelf | None = field(default=None, compare=False)

    @property
    def rules(self) -> Path:
        """The folder of the rule files."""
        return self.folder / "rules"

    def paper_state(self, settings: Settings) -> Path:
        """Where the embedded paper exchange keeps orders and positions."""
        return self.folder / settings.paper.state


def connect(
    place: Place,
    settings: Settings,
    paper: PaperServer | None,
    secrets: Secrets | None = None,
    beside: Iterable[Venue] = (),
) -> Venue:
    """The account's venue, connected; `secrets` reads its key, and knows it from then on.

    `beside` are the venues of this process' other accounts, with which it may share limits. Raises
    ConfigurationError or VenueError with the cure.
    """
    if paper is not None:
        return connect_paper(paper.addresses, settings, beside)
    account = settings.account()
    if account.address == PAPER:
        raise ConfigurationError(
            f"the account {account.name} is on the embedded paper exchange: start with --paper"
        )
    venue = unconnected(settings, secrets or Secrets(settings.secrets, place.folder))
    share_limits(venue, beside)
    venue.connect()
    if venue.hedge_mode is not (account.position_mode == "hedge"):
        found = "hedge" if venue.hedge_mode else "one_way"
        raise ConfigurationError(
            f"the account {account.name} is in {found} mode, runner.yaml says "
            f"position_mode: {account.position_mode}; change one of them"
        )
    return venue


def unconnected(settings: Settings, secrets: Secrets) -> Adapter:
    """The account's venue, nothing asked yet. Raises ConfigurationError for a missing secret."""
    account = settings.account()
    return VENUES[account.venue](
        reach(account.address, account.transport),
        secrets.get(account.api_key),
        secrets.get(account.api_secret),
        settings.timing,
        wall_ms,
        monotonic_ms,
    )


def on_paper(settings: Settings) -> bool:
    """True when the account that would be traded is on the embedded paper exchange."""
    return bool(settings.accounts) and settings.account().address == PAPER


def paper_key(settings: Settings) -> str:
    """The key of an account on the embedded paper exchange, where it names the account, too."""
    return f"{PAPER_KEY}-{settings.apart}" if settings.apart else PAPER_KEY


def connect_paper(
    addresses: Mapping[str, str], settings: Settings, beside: Iterable[Venue] = ()
) -> Venue:
    """The embedded paper exchange of this process or another. Raises VenueError."""
    key, timing = paper_key(settings), settings.timing
    venue = VENUES["binance_usdm"](
        reach(addresses, "rest"), key, PAPER_SECRET, timing, wall_ms, monotonic_ms
    )
    share_limits(venue, beside)
    venue.connect()
    return venue


def embedded_paper(
    place: Place, settings: Settings, shares: Sequence[Settings] = ()
) -> PaperServer:
    """The paper exchange inside this process, started; its orders and positions survive a kill.

    `shares` are the settings of each account that has one of its own there. Raises
    ConfigurationError when it cannot keep them.
    """
    from runner.venues.paper.market import Walk
    from runner.venues.paper.server import PaperServer

    state = place.paper_state(settings)
    try:
        return PaperServer(
            keys={paper_key(each): PAPER_SECRET for each in shares or (settings,)},
            market=Walk(settings.paper.seed),
            state_file=state,
            balance=str(settings.paper.balance),
        ).start()
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"the paper exchange cannot use {state}: {error}; give the runner a folder it may "
            "write in, with --dir, or move the file away"
        ) from error
