"""What leaves a runner for people: the day's summary, and where the dashboard tells more."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from runner.core.noticing import Noticing
from runner.journal import Journal, Tally
from runner.ops.secrets import Secrets
from runner.outside import Outside, pages_of
from runner.settings import Settings, parse
from runner.sources.readiness import Problem
from tests.journal.building import open_journal
from tests.notifications.receivers import WebReceiver
from tests.support import eventually

START = 1_795_294_799_000
"""2026-11-21, 20:59:59 UTC."""

PATIENCE = 60
TALLY = Tally({"dip": 2}, {"FILLED": 2}, 2, Decimal(-3), {}, 0)


def settings(more: str = "", link: str = "link: https://runner.example.com/") -> Settings:
    """One target, the summary at nine in the evening."""
    text = f"version: 1\nnotifications: {{targets: [phone], summary: '21:00', {link}}}\n{more}"
    return parse("runner.yaml", text.encode())


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An open journal."""
    journal = open_journal(tmp_path)
    yield journal
    journal.close()


class Loop:
    """A loop that turns, as far as the test has it turn."""

    full = ""
    turned_at = START


def outside_of(
    folder: Path, journal: Journal, clock: list[int], receiver: WebReceiver, loop: Loop
) -> Outside:
    """Everything that tells, with one problem and a key whose age is known."""
    (folder / "secrets").mkdir()
    secret = folder / "secrets" / "phone"
    secret.touch(mode=0o600)
    secret.write_text(receiver.url)
    chosen = settings()
    noticing = Noticing(lambda _: "dip", "account main (live)", pages_of(chosen))
    secrets = Secrets(chosen.secrets, folder)
    found = Outside(chosen, secrets, journal, noticing, lambda: clock[0], "live main")
    problem = Problem("REST", START + 10**9, "REST is away", "no orders", "wait")
    found.attend(loop, lambda: [problem], lambda: clock[0])
    found.add_up(lambda *_: TALLY, lambda: "API key: 84 days old")
    return found


def test_the_day_is_told_with_what_is_open_and_where_to_read_on(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the target, as any other notice."""
    monkeypatch.setattr("runner.notifications.daily.LOOK_EVERY", 0.01)
    clock, loop = [START], Loop()
    with WebReceiver() as receiver:

        def later() -> list[dict[str, Any]]:
            clock[0] = loop.turned_at = clock[0] + 1_000
            return receiver.taken

        outside = outside_of(tmp_path, journal, clock, receiver, loop)
        outside.start()
        try:
            assert outside.alive
            eventually(later, PATIENCE)
        finally:
            outside.stop(settle=False)
    [told] = receiver.taken
    assert told["title"] == (
        "[live main] the day until 21:00 UTC: 2 fires, 2 orders, 2 fills, -3.00 USDT before fees"
    )
    assert told["message"].splitlines() == [
        "fired: dip 2",
        "orders: filled 2",
        "open: REST is away",
        "API key: 84 days old",
        "https://runner.example.com/",
    ]


def test_without_a_time_or_a_target_nobody_waits_for_the_hour(journal: Journal) -> None:
    """The summary is asked for in the settings."""
    for text in ("version: 1\n", "version: 1\nnotifications: {summary: '21:00'}\n"):
        chosen = parse("runner.yaml", text.encode())
        noticing = Noticing(lambda _: "", "")
        outside = Outside(chosen, Secrets({}, Path()), journal, noticing, lambda: START)
        outside.add_up(lambda *_: TALLY, str)
        assert outside._rounds == []


def test_each_account_has_its_own_pages() -> None:
    """As the dashboard shows them: the default one at the root, without a link none at all."""
    both = settings(
        "accounts:\n"
        "  main: {venue: binance_usdm, address: paper, default: true}\n"
        "  hedge: {venue: binance_usdm, address: paper}\n"
    )
    assert pages_of(both.of("main")) == "https://runner.example.com"
    assert pages_of(both.of("hedge")) == "https://runner.example.com/account/hedge"
    assert pages_of(settings(link="")) == ""
