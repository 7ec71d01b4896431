"""Several accounts in one dashboard: their own pages behind one login, and switches for all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from runner.cli.desk import FolderDesk
from runner.dashboard.app import several, together
from runner.errors import RunnerError
from runner.settings import load
from tests.dashboard.scene import ORIGIN, PASSWORD, FakeDesk, lived

HERE: dict[str, Any] = {"base_url": ORIGIN, "environ_base": {"REMOTE_ADDR": "127.0.0.1"}}


@dataclass(slots=True)
class Two:
    """Two accounts, `main` being the default one, and a browser that is logged in."""

    main: FakeDesk
    hedge: FakeDesk
    client: Client

    def text(self, path: str) -> str:
        """A page."""
        answer = self.client.get(path, **HERE)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer.get_data(as_text=True)

    def give(self, path: str, **form: str) -> None:
        """Send the form of a question."""
        [token] = set(re.findall(r'name="token" value="([^"]+)"', self.text(path)))
        verb = path.partition("?")[0]
        answer = self.client.post(
            verb, data={"token": token, **form}, headers={"Origin": ORIGIN}, **HERE
        )
        assert answer.status_code == 303, answer.get_data(as_text=True)

    @property
    def given(self) -> tuple[list[str], list[str]]:
        """The commands that each account got."""
        return [verb for verb, _ in self.main.given], [verb for verb, _ in self.hedge.given]


@pytest.fixture
def two(tmp_path: Path) -> Two:
    """Logged in at the default account's door."""
    main, hedge = (FakeDesk(lived(tmp_path / name)) for name in ("main", "hedge"))
    client = Client(together(several({"main": main, "hedge": hedge})))
    form = {"password": PASSWORD}
    client.post("/login", data=form, headers={"Origin": ORIGIN}, **HERE)
    return Two(main, hedge, client)


def test_one_login_opens_the_pages_of_every_account(two: Two) -> None:
    """The same page of another account is one click away; its links stay with it."""
    text = two.text("/events")
    assert '<a href="/events" aria-current="true">main</a>' in text
    assert '<a href="/account/hedge/events">hedge</a>' in text
    text = two.text("/account/hedge/events")
    assert '<a href="/account/hedge/events" aria-current="true">hedge</a>' in text
    assert 'href="/account/hedge/rules/buy-dip"' in text
    assert 'href="/rules/buy-dip"' not in text


def test_who_is_not_logged_in_comes_back_to_the_account_asked_for(two: Two) -> None:
    """After the login the page of that account is shown."""
    two.client.delete_cookie("runner-80", domain="localhost")
    answer = two.client.get("/account/hedge/rules?q=x", **HERE)
    assert answer.status_code == 302
    assert answer.location == "/account/hedge/login?next=/account/hedge/rules?q%3Dx"


def test_kill_and_pause_are_for_all_unless_one_is_chosen(two: Two) -> None:
    """What stops trading stops all of it; the answer names each account."""
    two.hedge.refusal = "the journal is locked"
    two.give("/account/hedge/do/kill", account="")
    assert two.given == (["kill"], ["kill"])
    said = re.search(r'<p class="said bad"[^>]*>([^<]*)<', two.text("/account/hedge/"))
    assert said is not None
    assert (
        said[1] == "Not done: account main: kill by dashboard; account hedge: the journal is locked"
    )
    two.give("/account/hedge/do/pause", account="hedge")
    assert two.given == (["kill"], ["kill", "pause"])
    first = re.search(r"Which account <select[^>]*><option[^>]*>([^<]*)<", two.text("/do/pause"))
    assert first is not None
    assert first[1] == "all accounts"


def test_what_begins_again_is_for_the_account_of_the_page(two: Two) -> None:
    """Unless all are chosen; a rule's switch has no choice, a rule belongs to one account."""
    first = re.search(r"Which account <select[^>]*><option[^>]*>([^<]*)<", two.text("/do/resume"))
    assert first is not None
    assert first[1] == "main"
    two.give("/do/resume", account="main")
    assert two.given == (["resume"], [])
    assert "Which account" not in two.text("/do/disable?rule=tv-eth")
    two.give("/do/disable?rule=tv-eth", rule="tv-eth", account="")
    assert two.given == (["resume", "disable"], [])


SETTINGS = """\
version: 1
accounts:
  main: {venue: binance_usdm, address: paper, default: true}
  hedge: {venue: binance_usdm, address: paper}
"""
RULES = """\
version: 1
rules:
  - id: long
    symbol: BTCUSDT
    when: [{price: {crosses_above: 70000}}]
    do: [{notify: up}]
  - id: short
    account: hedge
    symbol: ETHUSDT
    when: [{price: {crosses_below: 3000}}]
    do: [{notify: down}]
"""


def test_a_desk_is_about_its_account_only(tmp_path: Path) -> None:
    """Its rules are that account's, and so is its journal."""
    (tmp_path / "runner.yaml").write_text(SETTINGS)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "r.yaml").write_text(RULES)
    settings = load(tmp_path)
    main, hedge = (FolderDesk(tmp_path, settings, name) for name in ("main", "hedge"))
    assert list(main.rules()) == ["long"]
    assert list(hedge.rules()) == ["short"]
    with pytest.raises(RunnerError, match=r"journals/hedge\.db"):
        hedge.status()
