"""What was deposited and withdrawn is read from the income history, page by page."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import requests

from runner.app import App
from runner.connecting import Place, connect_paper
from runner.core.daily import Transfer, counted_until
from runner.errors import VenueError
from runner.journal import JournalReader
from runner.settings import Settings
from runner.venues import Venue
from runner.venues.binance_usdm import transfers as module
from runner.venues.binance_usdm.transfers import INCOME, transfers
from runner.venues.binance_usdm.wire_answers import Reply
from runner.venues.paper.market import Still
from runner.venues.paper.server import PaperServer
from runner.venues.registry import moved
from tests.support import eventually

PATIENCE = 120
RULES = """\
version: 1
rules:
  - id: quiet
    symbol: BTCUSDT
    when: [{system: started}]
    do: [{notify: asked}]
"""


@pytest.fixture
def paper() -> Iterator[PaperServer]:
    """An exchange that takes orders from tests."""
    with PaperServer(market=Still(), control=True) as server:
        yield server


@pytest.fixture
def venue(paper: PaperServer) -> Venue:
    """Its account, connected."""
    return connect_paper(paper.addresses, Settings())


def move(paper: PaperServer, amount: str, asset: str = "USDT") -> int:
    """Somebody moves money; when it happened."""
    body = {"amount": amount, "asset": asset}
    answer = requests.post(f"{paper.addresses['rest']}/paper/transfer", json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["time"])


def test_transfers_are_told_with_amount_and_time(paper: PaperServer, venue: Venue) -> None:
    """Those after the time that is named, of the collateral only, the oldest first."""
    first = move(paper, "-250.5")
    move(paper, "1", "BNB")
    second = move(paper, "100")
    assert moved(venue, first - 1) == [
        Transfer(Decimal("-250.5"), first),
        Transfer(Decimal(100), second),
    ]
    assert moved(venue, second) == []


def test_many_are_read_page_by_page(
    paper: PaperServer, venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None twice and none left out, also where several happened in one millisecond."""
    monkeypatch.setattr(module, "MOST", 3)
    first = move(paper, "1")
    for amount in range(2, 9):
        move(paper, str(amount))
    assert sorted(one.amount for one in moved(venue, first - 1)) == list(range(1, 9))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A runner's folder with a rule that does nothing."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "rules.yaml").write_text(RULES)
    return Place(tmp_path)


@contextmanager
def running(place: Place, paper: PaperServer) -> Iterator[App]:
    """A runner of this folder that has read its account."""
    settings = replace(Settings(), hook=("127.0.0.1", 0), reload_poll=0)
    app = App(place, settings, paper)
    app.start()
    try:
        eventually(lambda: app.readiness().ready, PATIENCE)
        eventually(lambda: counted_until(app.cell.engine.state.memories), PATIENCE)
        yield app
    finally:
        app.stop()


def begun_with(app: App) -> Decimal | None:
    """The equity that the account's day began with, as far as transfers go."""
    opening = app.cell.view.opening
    return None if opening is None else opening.equity


def test_what_was_withdrawn_while_the_runner_was_stopped_is_no_loss(
    place: Place, paper: PaperServer
) -> None:
    """The day began with that much less, and the journal says so; also where a new day began."""
    with running(place, paper):
        pass
    move(paper, "-1000")
    move(paper, "-2000")
    with running(place, paper) as app:
        eventually(lambda: begun_with(app) == Decimal(7_000), PATIENCE)
        with JournalReader.open(place.folder / "journal.db") as journal:
            said = [row["text"] for row in journal.records(kinds=("notify",))]
        assert any("3000 USDT were withdrawn while nobody saw it" in text for text in said)


class Mute:
    """An exchange that does not tell."""

    address = "https://exchange.test"

    def server_time(self) -> int:
        """Some time."""
        return 2_000

    def silence(self) -> int:
        """None is wanted."""
        return 0

    def read(self, path: str, parameters: str) -> Reply:
        """A refusal."""
        assert path == INCOME
        return Reply("ok", 400, {"code": -2015, "msg": "Invalid API-key"}, "")


def test_one_that_does_not_tell_is_an_error() -> None:
    """In the exchange's words."""
    with pytest.raises(VenueError, match="Invalid API-key"):
        transfers(Mute(), 1_000)  # type: ignore[arg-type]


def test_the_documented_row_is_understood(recorded: Path) -> None:
    """The example of the exchange's own documentation."""
    text = gzip.decompress((recorded / "sdk-documentation-examples.json.gz").read_bytes())
    examples = json.loads(text)
    (row,) = examples["rest_api/account_api/test_get_income_history_success"]["expected_response"]
    assert [one for _, _, one in module._read([row, None, {}])] == [
        Transfer(Decimal("-0.375"), 1_570_608_000_000)
    ]
