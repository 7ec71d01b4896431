"""Who knocks: addresses behind proxies, the allow-list, refusals that are counted, signatures."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging

import pytest
from flask.testing import FlaskClient

from runner.core.decision import AlertAnswer
from runner.core.events import Alert
from runner.sources.door import UNKNOWN, WAIT
from runner.sources.hooks import Hook
from runner.sources.readiness import Readiness
from runner.sources.senders import (
    MINUTE,
    MOST_ALERTS,
    MOST_REFUSALS,
    MOST_REMEMBERED,
    MOST_TOLD,
    TRADINGVIEW,
    Refusals,
    Senders,
    Tally,
    networks,
)
from runner.sources.webhook import NOTHING_HERE, create_app

SECRET = "Geheimnis-17"
BODY = json.dumps({"action": "buy"}).encode()


class Door:
    """An app with one hook, its alerts and its clock."""

    def __init__(self, allow: tuple[str, ...] = (), proxies: tuple[str, ...] = ()) -> None:
        self.alerts: list[Alert] = []
        self.now = 10 * MINUTE
        hooks = {"eth": Hook("eth", SECRET.encode())}
        self.app = create_app(
            lambda: hooks,
            self.submit,
            lambda: Readiness(True),
            lambda: self.now,
            allow=allow,
            proxies=proxies,
        )

    def submit(self, alert: Alert) -> AlertAnswer:
        self.alerts.append(alert)
        return AlertAnswer("fired", ())

    def client(self) -> FlaskClient:
        return self.app.test_client()

    def post(self, body: bytes, path: str = "/hook/eth", **headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client().post(path, data=body, headers=named).status_code


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("9.9.9.9", [], "9.9.9.9"),
        ("9.9.9.9", ["52.89.214.238"], "9.9.9.9"),
        ("127.0.0.1", ["52.89.214.238"], "52.89.214.238"),
        ("127.0.0.1", ["52.89.214.238, 9.9.9.9"], "9.9.9.9"),
        ("127.0.0.1", ["52.89.214.238", "9.9.9.9, 10.0.0.7"], "9.9.9.9"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", [""], ""),
        ("127.0.0.1", ["52.89.214.238, nonsense"], "nonsense"),
        ("::ffff:127.0.0.1", ["9.9.9.9"], "9.9.9.9"),
    ],
)
def test_only_a_trusted_proxy_s_word_counts(peer: str, forwarded: list[str], address: str) -> None:
    """The last address of the chain that is no proxy of ours; a forged one stands before it."""
    senders = Senders(proxies=networks(["127.0.0.1", "10.0.0.0/8"]))
    assert senders.address(peer, forwarded) == address


def test_the_allow_list_knows_tradingview_by_name() -> None:
    """Its four addresses and any network beside them; everybody where there is no list."""
    senders = Senders(allow=networks(["tradingview", "10.0.0.0/8", "2001:db8::/32"]))
    assert all(senders.admits(address) for address in TRADINGVIEW)
    assert senders.admits("10.1.2.3")
    assert senders.admits("2001:db8::7")
    assert not senders.admits("9.9.9.9")
    assert not senders.admits("nonsense")
    assert not senders.admits("")
    assert Senders().admits("9.9.9.9")
    with pytest.raises(ValueError, match="binance"):
        networks(["binance"])


def test_an_address_off_the_list_is_answered_like_a_wrong_secret(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log says what it was; a forged header of an untrusted peer changes nothing."""
    door = Door(("9.9.9.9",), ("10.0.0.1",))
    with caplog.at_level(logging.WARNING):
        assert door.post(BODY, f"/hook/eth/{SECRET}", X_Forwarded_For="9.9.9.9") == 404
    assert "hooks.allow" in caplog.text
    assert door.alerts == []
    trusting = Door(("9.9.9.9",), ("127.0.0.1",))
    assert trusting.post(BODY, f"/hook/eth/{SECRET}", X_Forwarded_For="9.9.9.9") == 200


def test_a_signed_body_needs_no_secret_in_it() -> None:
    """HMAC-SHA256 in X-Signature; upper case and a missing prefix are the same signature."""
    door = Door()
    digest = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
    for header in (f"sha256={digest}", digest.upper(), f" SHA256={digest} "):
        assert door.post(BODY, X_Signature=header) == 200
    assert all("secret" not in alert.fields for alert in door.alerts)


@pytest.mark.parametrize("header", ["", "sha256=", "sha256=00", "é", SECRET])
def test_a_wrong_signature_is_no_secret(header: str) -> None:
    """And a right secret in the body does not mend it; unknown paths look alike."""
    door = Door()
    body = json.dumps({"secret": SECRET}).encode()
    assert door.post(body, X_Signature=header) == 404
    assert door.post(body, "/hook/nobody", X_Signature=header) == 404
    assert door.alerts == []


def test_a_signature_of_another_body_opens_nothing() -> None:
    """One changed byte."""
    digest = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
    assert Door().post(BODY.replace(b"buy", b"sel"), X_Signature=f"sha256={digest}") == 404


def test_a_flood_of_wrong_secrets_never_keeps_a_right_one_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """From the same address, in body, path and signature: each right one gets its 200.

    The wrong ones are told to wait, on known and unknown paths alike, and the log stays small.
    """
    door = Door()
    right = json.dumps({"secret": SECRET}).encode()
    wrong = json.dumps({"secret": "guess"}).encode()
    digest = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
    with caplog.at_level(logging.WARNING, "runner.sources.webhook"):
        statuses = [door.post(wrong, f"/hook/{'eth' if n % 2 else 'no'}") for n in range(500)]
    assert statuses == [404] * MOST_REFUSALS + [429] * (500 - MOST_REFUSALS)
    assert len(caplog.records) == MOST_REFUSALS + 1
    assert door.post(right) == 200
    assert door.post(BODY, f"/hook/eth/{SECRET}") == 200
    assert door.post(BODY, X_Signature=digest) == 200
    assert door.post(b"{", f"/hook/eth/{SECRET}") == 400
    assert door.post(b"{") == 429
    answer = door.client().post("/hook/eth", data=wrong)
    assert answer.get_json() == {"error": WAIT}
    assert answer.headers["Retry-After"] == "60"
    door.now += MINUTE
    assert door.post(wrong) == 404


def test_a_right_secret_is_never_told_to_wait() -> None:
    """Beyond what one path takes in a minute it hears 503: it is sent again."""
    door = Door()
    client, right = door.client(), json.dumps({"secret": SECRET}).encode()
    statuses = {client.post("/hook/eth", data=right).status_code for _ in range(MOST_ALERTS)}
    assert statuses == {200}
    answer = client.post("/hook/eth", data=right)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert str(MOST_ALERTS) in answer.get_json()["error"]
    assert len(door.alerts) == MOST_ALERTS


def test_a_tally_stays_small_whoever_comes() -> None:
    """A million addresses are no more memory than a few thousand; the oldest are forgotten."""
    tally = Tally()
    for number in range(3 * MOST_REMEMBERED):
        assert tally.add(str(number), 0) == 1
    assert len(tally._counts) == MOST_REMEMBERED
    assert tally.add(str(3 * MOST_REMEMBERED - 1), 1) == 2
    assert tally.add("0", 1) == 1


def test_many_addresses_do_not_fill_the_log() -> None:
    """All together are told of so often in a minute; an IPv6 /64 counts as one sender."""
    refusals = Refusals()
    told = [refusals.another(f"10.0.{n >> 8}.{n & 255}", 0)[1] for n in range(2_000)]
    assert sum(told) == MOST_TOLD
    neighbours = Refusals()
    waits = [neighbours.another(f"2001:db8::{n:x}", 0)[0] for n in range(MOST_REFUSALS + 1)]
    assert waits == [False] * MOST_REFUSALS + [True]
    assert Refusals().another("", 0) == (False, True)


def test_a_look_at_the_address_is_told_what_it_is_for() -> None:
    """GET / by a browser; everything else that is not there stays the usual 404."""
    client = Door().client()
    answer = client.get("/")
    assert answer.status_code == 404
    assert answer.get_json() == {"error": NOTHING_HERE}
    assert client.get("/favicon.ico").get_json() == {"error": UNKNOWN}
