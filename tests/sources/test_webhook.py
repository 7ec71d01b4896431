"""The webhook app: who may fire, what each sender is told, and that secrets stay inside."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from runner.core.decision import AlertAnswer, RuleAnswer
from runner.core.events import Alert
from runner.sources.bodies import MAX_BYTES
from runner.sources.door import UNKNOWN
from runner.sources.hooks import Hook
from runner.sources.readiness import Link, Problem, Readiness, Stale, Used
from runner.sources.webhook import create_app

SECRET = "Geheimnis-17"
NOW = 1_778_507_702_000
FIRED = AlertAnswer("fired", (RuleAnswer("tv-eth", "ETHUSDT", "fired", "abcdefghij"),))


class Runner:
    """What stands behind the app: remembers alerts and answers as told."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        self.answer: AlertAnswer | None = FIRED
        self.error: Exception | None = None
        self.state = Readiness(True)
        self.hooks: Mapping[str, Hook] = {
            "eth": Hook("eth", SECRET.encode()),
            "pin": Hook("pin", b"123456", "auth.PIN"),
        }

    def submit(self, alert: Alert) -> AlertAnswer | None:
        self.alerts.append(alert)
        if self.error:
            raise self.error
        return self.answer

    def client(self) -> FlaskClient:
        return create_app(
            lambda: self.hooks, self.submit, lambda: self.state, lambda: NOW
        ).test_client()


@pytest.fixture
def runner() -> Runner:
    return Runner()


def body(**fields: Any) -> dict[str, Any]:
    return {"secret": SECRET, "action": "buy", **fields}


def test_an_alert_with_its_secret_in_the_body_is_submitted_without_it(runner: Runner) -> None:
    """The Alert carries the fields and the sender's time, and no trace of the secret."""
    sent = body(price=70000.5, time="2026-05-11T13:55:01Z")
    response = runner.client().post("/hook/eth", json=sent)
    assert response.status_code == 200
    assert response.json == {
        "outcome": "fired",
        "rules": [
            {
                "rule_id": "tv-eth",
                "symbol": "ETHUSDT",
                "outcome": "fired",
                "run_id": "abcdefghij",
                "reason": "",
                "detail": "",
            }
        ],
    }
    (alert,) = runner.alerts
    fields = {"action": "buy", "price": Decimal("70000.5"), "time": "2026-05-11T13:55:01Z"}
    assert (alert.path, alert.fields, alert.received_at) == ("eth", fields, NOW)
    assert alert.event_time == 1778507701000
    assert SECRET not in repr(alert) + response.get_data(as_text=True)


def test_the_secret_may_follow_the_path(runner: Runner) -> None:
    """Then the body needs none; one that is there is taken out all the same."""
    client = runner.client()
    assert client.post(f"/hook/eth/{SECRET}", json={"action": "buy"}).status_code == 200
    assert client.post(f"/hook/eth/{SECRET}", json=body()).status_code == 200
    assert [alert.fields for alert in runner.alerts] == [{"action": "buy"}] * 2
    assert runner.alerts[0].body_hash == runner.alerts[1].body_hash


def test_the_secret_s_field_is_the_hook_s_choice(runner: Runner) -> None:
    """Any field, a nested one too, and digits may stand without quotes."""
    client = runner.client()
    assert client.post("/hook/pin", json={"auth": {"PIN": 123456}}).status_code == 200
    assert client.post("/hook/pin", json={"auth": {"PIN": "123456"}}).status_code == 200
    assert client.post("/hook/pin", json={"auth": {"PIN": True}}).status_code == 404
    assert client.post("/hook/pin", json={"secret": "123456"}).status_code == 404


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/hook/eth", {"action": "buy"}),
        ("/hook/eth", {"secret": ""}),
        ("/hook/eth", {"secret": SECRET[:-1]}),
        ("/hook/eth", {"secret": None}),
        ("/hook/eth/wrong", {"secret": SECRET}),
        ("/hook/nobody", {"secret": SECRET}),
        (f"/hook/nobody/{SECRET}", {}),
        ("/hook/pin", {"secret": SECRET}),
        ("/hook/", {"secret": SECRET}),
        ("/hook//eth", {"secret": SECRET}),
        ("/", {}),
        ("/hook/eth/a/b", {}),
    ],
)
def test_unknown_path_and_wrong_secret_look_alike(
    runner: Runner, path: str, sent: dict[str, Any]
) -> None:
    """Both get 404 with the same words and headers, and nothing reaches the rules."""
    response = runner.client().post(path, json=sent)
    assert response.status_code == 404
    assert response.json == {"error": UNKNOWN}
    assert sorted(response.headers.keys()) == ["Content-Length", "Content-Type"]
    assert runner.alerts == []


def test_a_malformed_body_gets_the_same_answer_on_a_known_and_an_unknown_path(
    runner: Runner,
) -> None:
    """400 with place and cure, before the path is looked up."""
    client = runner.client()
    answers = [client.post(path, data="{'a': 1}") for path in ("/hook/eth", "/hook/nobody")]
    assert [answer.status_code for answer in answers] == [400, 400]
    assert answers[0].json == answers[1].json
    assert answers[0].json == {
        "error": "line 1 column 2: this quote is not JSON's",
        "cure": 'write double quotes: "action": "buy"',
    }


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_the_content_type_does_not_matter(runner: Runner, kind: str) -> None:
    """TradingView says text/plain for what is nearly JSON, curl says a form."""
    text = f'{{"secret": "{SECRET}", "action": "buy"}}'
    response = runner.client().post("/hook/eth", data=text, content_type=kind)
    assert response.status_code == 200
    assert runner.alerts[0].fields == {"action": "buy"}


@pytest.mark.parametrize(
    ("outcome", "status"), [("fired", 200), ("not fired", 200), ("duplicate", 200)]
)
def test_a_committed_outcome_is_never_asked_for_again(
    runner: Runner, outcome: str, status: int
) -> None:
    """200 whether it fired or not: the sender has nothing to repeat."""
    rule = RuleAnswer("tv-eth", "ETHUSDT", outcome, reason="cooldown", detail="2 h left")
    runner.answer = AlertAnswer(outcome, (rule,))
    response = runner.client().post("/hook/eth", json=body())
    assert response.status_code == status
    assert response.json is not None
    assert response.json["outcome"] == outcome
    assert response.json["rules"][0]["detail"] == "2 h left"


def test_a_body_that_fits_no_rule_names_each_rule_s_objection(runner: Runner) -> None:
    """422, since sending it again cannot help."""
    runner.answer = AlertAnswer(
        "unfit",
        (
            RuleAnswer(
                "a", "ETHUSDT", "not fired", reason="body does not fit", detail="price is missing"
            ),
            RuleAnswer("b", "ETHUSDT", "not fired", reason="body does not fit"),
        ),
    )
    response = runner.client().post("/hook/eth", json=body())
    assert response.status_code == 422
    assert response.json is not None
    assert response.json["error"] == (
        "no rule takes this body: a: price is missing; b: body does not fit"
    )


def test_what_was_not_committed_is_asked_for_again(
    runner: Runner, caplog: pytest.LogCaptureFixture
) -> None:
    """503 with Retry-After when the commit did not come in time, or failed with an error."""
    client = runner.client()
    runner.answer = None
    first = client.post("/hook/eth", json=body())
    runner.error = OSError("disk full")
    second = client.post(f"/hook/eth/{SECRET}", json={})
    for response in (first, second):
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "5"
        assert response.json == {
            "error": "the alert could not be stored, nothing was done: send it again"
        }
    assert "disk full" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize("path", ["/hook/eth", "/hook/nobody", "/hook/eth/token"])
def test_only_post_fires(runner: Runner, method: str, path: str) -> None:
    """Anything else is 405, for known and unknown paths alike."""
    response = runner.client().open(path, method=method)
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"
    assert runner.alerts == []


def test_a_body_over_16_kib_is_too_large(runner: Runner) -> None:
    """16 KiB to the byte pass, one byte more is 413."""
    frame = f'{{"secret": "{SECRET}", "text": ""}}'
    client = runner.client()
    filling = "x" * (MAX_BYTES - len(frame))
    response = client.post("/hook/eth", data=frame.replace('""', f'"{filling}"'))
    assert response.status_code == 200
    response = client.post("/hook/eth", data=frame.replace('""', f'"{filling}x"'))
    assert response.status_code == 413
    assert response.json == {
        "error": "the body is larger than 16384 bytes: send fewer or shorter fields"
    }


def test_a_reload_takes_effect_at_the_next_request(runner: Runner) -> None:
    """The table is asked for at each request."""
    client = runner.client()
    assert client.post("/hook/new", json=body()).status_code == 404
    runner.hooks = {"new": Hook("new", SECRET.encode())}
    assert client.post("/hook/new", json=body()).status_code == 200
    assert client.post("/hook/eth", json=body()).status_code == 404


def test_livez_and_readyz(runner: Runner) -> None:
    """Alive is 200 as long as it answers; ready is 503 with reasons while alerts lead nowhere."""
    client = runner.client()
    assert client.get("/livez").status_code == 200
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json) == (
        200,
        {
            "ready": True,
            "taking": False,
            "reasons": [],
            "problems": [],
            "stale": [],
            "streams": [],
            "limits": [],
        },
    )
    problem = Problem("REST", 5, "it is away", "no orders", "wait")
    stale = Stale("BTCUSDT", "mark", None)
    links = (Link("market", True), Link("user", False, 7))
    used = (Used("weight", 60_000, 40, 2_400),)
    runner.state = Readiness(False, ("it is away",), True, (problem,), (stale,), links, used)
    waiting = client.get("/readyz")
    assert (waiting.status_code, waiting.json) == (
        503,
        {
            "ready": False,
            "taking": True,
            "reasons": ["it is away"],
            "problems": [
                {
                    "link": "REST",
                    "since": 5,
                    "what": "it is away",
                    "meaning": "no orders",
                    "cure": "wait",
                }
            ],
            "stale": [{"symbol": "BTCUSDT", "source": "mark", "since": None}],
            "streams": [
                {"stream": "market", "connected": True, "since": None},
                {"stream": "user", "connected": False, "since": 7},
            ],
            "limits": [{"limit": "weight", "every": 60_000, "used": 40, "most": 2_400}],
        },
    )


def test_logs_tell_path_and_status_and_no_secret(
    runner: Runner, caplog: pytest.LogCaptureFixture
) -> None:
    """One line an alert; a refused one tells the address, not the path, which may be a secret."""
    caplog.set_level(logging.DEBUG)
    client = runner.client()
    client.post("/hook/eth", json=body())
    client.post(f"/hook/{SECRET}", json={"secret": SECRET})
    client.post("/hook/eth", data=SECRET)
    lines = [vars(record) for record in caplog.records]
    assert [line["msg"] for line in lines] == [
        "alert",
        "unknown hook or wrong secret",
        "malformed body",
    ]
    assert (lines[0]["hook"], lines[0]["status"], lines[0]["outcome"]) == ("eth", 200, "fired")
    assert lines[1]["address"] == "127.0.0.1"
    assert SECRET not in repr(lines)


def test_a_hook_does_not_show_its_secret() -> None:
    """Not in its repr, so in no trace; and an empty secret opens nothing."""
    assert SECRET not in repr(Hook("eth", SECRET.encode()))
    assert not Hook("eth", b"").admits("")
    assert not Hook("eth", b"").admits(None)


@given(st.text(max_size=40), st.text(max_size=10), st.text(max_size=10))
def test_no_answer_holds_the_secret_or_fails(before: str, between: str, after: str) -> None:
    """Whatever surrounds the secret in a body, no answer repeats it and none is a 5xx."""
    client = Runner().client()
    for quote in ('"', ""):
        text = f"{before}{{{quote}secret{quote}:{between}{quote}{SECRET}{quote}{after}}}"
        response = client.post("/hook/eth", data=text.encode("utf-8", "replace"))
        assert response.status_code in (200, 400, 404)
        assert SECRET not in response.get_data(as_text=True)
