"""How long a wrong secret takes tells nothing: every request is compared once, hash with hash.

Measured times would depend on the machine; what is compared with what does not.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
from flask.testing import FlaskClient

from runner.core.decision import AlertAnswer
from runner.sources.hooks import Hook
from runner.sources.readiness import Readiness
from runner.sources.webhook import create_app

SECRET = b"right-secret-0123456789"
BODY = b'{"action": "buy"}'
RIGHT = hmac.new(SECRET, BODY, hashlib.sha256).hexdigest()
GIVEN = {
    "right": SECRET.decode(),
    "nearly right": SECRET.decode()[:-1] + "x",
    "wrong from the first letter": "x" + SECRET.decode()[1:],
    "one letter": "r",
    "long": "x" * 4_000,
    "not ASCII": "é" * 20,
    "empty": "",
}
SHA256 = 32


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The lengths of what was compared in constant time, in order."""
    found: list[tuple[int, int]] = []
    real = hmac.compare_digest

    def comparing(one: Any, other: Any) -> bool:
        found.append((len(one), len(other)))
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", comparing)
    return found


@pytest.fixture
def client() -> FlaskClient:
    """One hook; whatever gets in is done."""
    table = {"signal": Hook("signal", SECRET)}
    answer = AlertAnswer("fired", ())
    ready = Readiness(True, ())
    return create_app(lambda: table, lambda _: answer, lambda: ready, lambda: 0).test_client()


@pytest.mark.parametrize("path", ["signal", "nowhere"])
@pytest.mark.parametrize("given", GIVEN)
def test_every_secret_in_a_body_is_compared_once_by_its_hash(
    client: FlaskClient, compared: list[tuple[int, int]], path: str, given: str
) -> None:
    """Right or wrong, near or far, known path or not; also where none is given."""
    answer = client.post(f"/hook/{path}", json={"secret": GIVEN[given]})
    assert compared == [(SHA256, SHA256)]
    assert answer.status_code == (200 if (path, given) == ("signal", "right") else 404)
    compared.clear()
    client.post(f"/hook/{path}", json={"action": "buy"})
    assert compared == [(SHA256, SHA256)]


@pytest.mark.parametrize("path", ["signal", "nowhere"])
@pytest.mark.parametrize("given", [name for name in GIVEN if name != "empty"])
def test_every_secret_in_a_path_is_compared_once_by_its_hash(
    client: FlaskClient, compared: list[tuple[int, int]], path: str, given: str
) -> None:
    """The same where the secret follows the path."""
    answer = client.post(f"/hook/{path}/{GIVEN[given]}", data=BODY)
    assert compared == [(SHA256, SHA256)]
    assert answer.status_code == (200 if (path, given) == ("signal", "right") else 404)


@pytest.mark.parametrize("path", ["signal", "nowhere"])
@pytest.mark.parametrize("header", [RIGHT, f"sha256={RIGHT}", RIGHT[:-1] + "g", "", "0", "f" * 999])
def test_every_signature_is_compared_once_by_its_hash(
    client: FlaskClient, compared: list[tuple[int, int]], path: str, header: str
) -> None:
    """A short one takes as long as a whole one."""
    answer = client.post(f"/hook/{path}", data=BODY, headers={"X-Signature": header})
    assert compared == [(SHA256, SHA256)]
    right = path == "signal" and header.endswith(RIGHT)
    assert answer.status_code == (200 if right else 404)
