"""Commands by the dashboard: asked twice, given once, and told."""

from __future__ import annotations

import pytest

from tests.dashboard.scene import Scene


@pytest.mark.parametrize("verb", ["kill", "flatten", "pause", "resume", "unlock"])
def test_a_page_asks_before_anything_is_done(scene: Scene, verb: str) -> None:
    """The question says what will happen, and gives no command."""
    text = scene.text(f"/do/{verb}")
    assert f'action="/do/{verb}"' in text
    assert scene.desk.given == []


@pytest.mark.parametrize("verb", ["kill", "flatten", "pause", "resume", "unlock"])
def test_a_command_is_given_with_its_reason_and_told_once(scene: Scene, verb: str) -> None:
    """As the verb of the command line; then the overview says what became of it, one time."""
    answer = scene.send(f"/do/{verb}", {"token": scene.token(), "reason": "odd fills"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert scene.desk.given == [(verb, {"reason": "odd fills", "symbol": "", "rule_id": ""})]
    assert scene.client.get("/", headers={"X-Fragment": "1"}).status_code == 200
    assert f"Done: {verb} by dashboard" in scene.text("/")
    assert "Done:" not in scene.text("/")


def test_flatten_takes_one_symbol(scene: Scene) -> None:
    """Or all, when none is chosen; the choice is what is held and what rules trade."""
    text = scene.text("/do/flatten")
    assert "<option>BTCUSDT</option>" in text
    scene.send("/do/flatten", {"token": scene.token(), "symbol": "BTCUSDT"})
    assert scene.desk.given[0][1]["symbol"] == "BTCUSDT"


def test_unlock_needs_a_reason(scene: Scene) -> None:
    """Nothing is given without one."""
    answer = scene.send("/do/unlock", {"token": scene.token(), "reason": "  "})
    assert answer.status_code == 422
    assert "Say why" in answer.text
    assert scene.desk.given == []


@pytest.mark.parametrize("verb", ["disable", "enable"])
def test_a_rule_is_switched_from_its_page(scene: Scene, verb: str) -> None:
    """The question names the rule, and its page tells what became of it."""
    assert "tv-eth" in scene.text(f"/do/{verb}?rule=tv-eth")
    answer = scene.send(f"/do/{verb}", {"token": scene.token(), "rule": "tv-eth"})
    assert answer.headers["Location"] == "/rules/tv-eth"
    assert scene.desk.given == [(verb, {"reason": "", "symbol": "", "rule_id": "tv-eth"})]
    assert f"Done: {verb}" in scene.text("/rules/tv-eth")
    assert scene.get(f"/do/{verb}").status_code == 404


def test_a_refusal_is_told(scene: Scene) -> None:
    """In the command line's words, as not done."""
    scene.desk.refusal = "no runner runs in my: nothing could be sent"
    scene.send("/do/flatten", {"token": scene.token()})
    text = scene.text("/")
    assert "Not done: no runner runs in my" in text


@pytest.mark.parametrize("verb", ["fire", "look", "halt", "prune"])
def test_no_other_command_is_given(scene: Scene, verb: str) -> None:
    """Only what has a page; what machines use has none."""
    assert scene.get(f"/do/{verb}").status_code == 404
    assert scene.send(f"/do/{verb}", {"token": scene.token()}).status_code == 404
    assert scene.desk.given == []
