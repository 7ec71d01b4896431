"""Each account's share of the settings, and the lead of each one's journal."""

from __future__ import annotations

from collections.abc import Mapping

from runner.connecting import Place, wall_ms
from runner.journal import Journal
from runner.remembering import lead
from runner.settings import Settings
from runner.sharing import refuse_strange


def share_of(settings: Settings, name: str) -> Settings:
    """An account's share of the settings; all of them where they name no account."""
    return settings.of(name) if settings.accounts else settings


def lead_all(
    journals: dict[str, Journal],
    place: Place,
    settings: Settings,
    shares: Mapping[str, Settings],
    accept_restored: bool,
) -> None:
    """Open the journal of each account into `journals`, in an order that all runners keep.

    So of two runners for the same accounts one gets all. Raises JournalError.
    """
    for name in sorted(shares):
        share = shares[name]
        refuse_strange(place.folder, settings, share)
        if share.apart and "://" not in share.journal:
            (place.folder / share.journal).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        journals[name] = lead(place.folder, share, wall_ms, accept_restored)
