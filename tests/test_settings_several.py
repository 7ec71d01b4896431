"""Several accounts in runner.yaml: what is whose, and what no two may share."""

from __future__ import annotations

import pytest

from runner.errors import ConfigurationError
from runner.settings import Settings, parse

ONE = "venue: binance_usdm, address: demo"
MAIN = f"main: {{{ONE}, api_key: a_key, api_secret: a_secret, default: true}}"
HEDGE = f"hedge: {{{ONE}, api_key: b_key, api_secret: b_secret}}"


def settings(accounts: str, more: str = "") -> Settings:
    """The settings with these accounts."""
    text = f"version: 1\naccounts:\n  {accounts}\n{more}"
    return parse("runner.yaml", text.encode())


def both(more: str = "", hedge: str = HEDGE) -> Settings:
    """Two accounts, of which main is the default."""
    return settings(f"{MAIN}\n  {hedge}", more)


def test_the_default_account_keeps_the_usual_places() -> None:
    """Journal, witness and sign of life are what they were with one account."""
    whole = both("notifications: {heartbeat_url: beat}\n")
    share = whole.of("main")
    assert (share.journal, share.witness, share.apart) == (whole.journal, whole.witness, "")
    assert share.notifications == whole.notifications
    assert list(share.accounts) == ["main"]


def test_another_account_has_its_own_places() -> None:
    """Beside those of the default account; the sign of life is the process' and told once."""
    share = both("journal: data/j.db\nnotifications: {heartbeat_url: beat}\n").of("hedge")
    assert (share.journal, share.apart) == ("data/journals/hedge.db", "hedge")
    assert share.witness == "witness/journal-hedge.witness"
    assert share.notifications.heartbeat_url is None
    assert share.account().name == "hedge"
    assert (
        both("journal: sqlite:///d/j.db\n").of("hedge").journal == "sqlite:///d/journals/hedge.db"
    )


def test_a_share_is_of_a_known_account() -> None:
    """The known ones are named."""
    with pytest.raises(ConfigurationError, match=r"no account hegde .*known: main, hedge"):
        both().of("hegde")


def test_an_account_names_a_journal_of_its_own() -> None:
    """It goes before the usual place, also for the default account."""
    own = HEDGE.replace("}", ", journal: h.db}")
    assert both(hedge=own).of("hedge").journal == "h.db"
    assert settings(MAIN.replace("}", ", journal: m.db}")).of("main").journal == "m.db"


def test_on_a_server_each_account_needs_a_database() -> None:
    """Asked for when the account is used, not before."""
    server = "journal: postgresql+psycopg://db/main\n"
    found = both(server)
    assert found.of("main").journal == "postgresql+psycopg://db/main"
    with pytest.raises(ConfigurationError, match="account hedge has no place of its own"):
        found.of("hedge")
    own = HEDGE.replace("}", ", journal: 'postgresql+psycopg://db/hedge'}")
    assert both(server, own).of("hedge").journal == "postgresql+psycopg://db/hedge"


@pytest.mark.parametrize("journal", ["journal.db", "./journal.db", "sqlite:///journal.db"])
def test_two_accounts_have_two_journals(journal: str) -> None:
    """However the place is written: in one journal nobody could tell whose order is whose."""
    with pytest.raises(ConfigurationError, match="hedge and main have the same journal"):
        both(hedge=HEDGE.replace("}", f", journal: '{journal}'}}"))
    with pytest.raises(ConfigurationError, match="hedge and main have the same journal"):
        both(f"journal: '{journal}'\n", HEDGE.replace("}", ", journal: journal.db}"))


def test_the_usual_place_of_an_account_may_be_taken_too() -> None:
    """By another one that names it."""
    third = f"third: {{{ONE}, api_key: c_key, api_secret: c_secret, journal: journals/hedge.db}}"
    with pytest.raises(ConfigurationError, match="third and hedge have the same journal"):
        settings(f"{MAIN}\n  {HEDGE}\n  {third}")


def test_two_accounts_have_two_keys() -> None:
    """One key opens one account: each runner would take the other's orders for strangers'."""
    with pytest.raises(ConfigurationError, match="hedge and main have the same API key"):
        both(hedge=HEDGE.replace("b_key", "a_key"))


def test_paper_accounts_need_no_keys() -> None:
    """The embedded exchange knows them by their names."""
    found = settings("a: {venue: binance_usdm, address: paper}").account()
    assert (found.api_key, found.api_secret) == ("", "")
    two = "a: {venue: binance_usdm, address: paper, default: true}\n  "
    assert set(settings(f"{two}b: {{venue: binance_usdm, address: paper}}").accounts) == {"a", "b"}


def test_waits_for_tests_are_no_waits_for_a_real_account() -> None:
    """Whichever account it is: the waits are those of all."""
    paper = "p: {venue: binance_usdm, address: paper, default: true}"
    with pytest.raises(ConfigurationError, match="at least 10s on a real exchange"):
        settings(f"{paper}\n  {HEDGE}", "timing: {engine_margin: 1s}\n")
