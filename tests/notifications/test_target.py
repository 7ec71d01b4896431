"""Notices reach real receivers through apprise, and a failure is told without the address."""

from __future__ import annotations

import pytest

from runner.errors import ConfigurationError
from runner.notifications.target import Target
from tests.notifications.receivers import MailReceiver, WebReceiver
from tests.support import eventually

TITLE = "BTCUSDT long 0.02 opened @ 70,117 (btc-breakout)"
BODY = "fee 0.7 USDT\norder 1, run abcdefghij\naccount main (live)"


def test_a_web_service_gets_first_line_and_body() -> None:
    """json://: the title alone is what a lock screen shows; the type tells how bad it is."""
    with WebReceiver() as receiver:
        target = Target("phone", receiver.url)
        assert target.send("opened", TITLE, BODY, silent=False) == ""
        assert target.send("critical", "look", "", silent=True) == ""
    first, second = receiver.taken
    assert (first["title"], first["message"], first["type"]) == (TITLE, BODY, "success")
    assert (second["title"], second["type"]) == ("look", "failure")


def test_the_first_line_says_which_account_it_is() -> None:
    """Live, demo and paper look alike on a lock screen otherwise."""
    with WebReceiver() as receiver:
        Target("phone", receiver.url, "live main").send("opened", TITLE, BODY, silent=False)
        Target("phone", receiver.url, "paper").send("critical", "look", "", silent=False)
    assert receiver.titles == [f"[live main] {TITLE}", "[paper] look"]


def test_a_mail_has_the_first_line_as_its_subject() -> None:
    """mailto://: a real SMTP dialogue."""
    with MailReceiver() as receiver:
        assert Target("mail", receiver.url).send("opened", TITLE, BODY, silent=False) == ""
        (mail,) = eventually(lambda: receiver.taken)
    assert mail["Subject"] == TITLE
    part = mail.get_body()
    assert part is not None
    assert "run abcdefghij" in part.get_content()


def test_a_refusal_is_told_without_the_address() -> None:
    """The service's own words, and never what stands in the secret."""
    with WebReceiver() as receiver:
        receiver.status = 500
        url = receiver.url.replace("json://", "json://user:verysecret@")
        trouble = Target("phone", url).send("opened", TITLE, BODY, silent=False)
    assert "500" in trouble or "Internal Server Error" in trouble
    assert "verysecret" not in trouble


def test_a_service_that_is_away_is_told() -> None:
    """Nobody listens: why, not an exception."""
    with WebReceiver() as receiver:
        url = receiver.url
    assert Target("phone", url).send("opened", TITLE, BODY, silent=False)


@pytest.mark.parametrize("url", ["nonsense", "foo://x/y", "https//typo"])
def test_what_is_no_address_is_refused_without_being_repeated(url: str) -> None:
    """The name of the secret, an example, and nothing of its value."""
    with pytest.raises(ConfigurationError, match="the secret phone holds no address") as caught:
        Target("phone", url)
    assert url not in str(caught.value)
    assert repr(Target("phone", "json://localhost")) == "Target(phone)"
