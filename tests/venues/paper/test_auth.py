"""Signatures over the bytes as received: every recorded vector, and what is no signature."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.venues.paper.auth import (
    Credential,
    KeyRing,
    check_signature,
    check_window,
    split_signature,
)
from runner.venues.paper.errors import ApiError

DOCUMENTED = (
    "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9",
    (
        "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC"
        "&recvWindow=5000&timestamp=1591702613943"
    ),
    "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9",
)


def test_the_documents_own_example_is_accepted() -> None:
    """Example 1 of the signature chapter."""
    secret, payload, signature = DOCUMENTED
    check_signature(Credential("a", secret), payload.encode(), signature)


def test_recorded_vectors_are_accepted(recorded: Path) -> None:
    """HMAC, and RSA and Ed25519 by their public keys."""
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    checked = 0
    for vector in json.loads((recorded / "binance_sign_vectors.json").read_text()):
        if "key" in vector:
            key = vector["key"]
        elif "key_pem" in vector:
            private = serialization.load_pem_private_key(vector["key_pem"].encode(), None)
            key = private.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            key = key.decode()
        else:
            continue
        signature = vector.get("sig") or vector["sig_b64"]
        check_signature(Credential("a", key), vector["payload"].encode(), signature)
        with pytest.raises(ApiError, match="-1022"):
            check_signature(Credential("a", key), b"other", signature)
        checked += 1
    assert checked >= 6


@pytest.mark.parametrize(
    ("query", "body", "payload"),
    [
        (b"a=1&signature=ab", b"", b"a=1"),
        (b"a=1&signature=ab&b=2", b"", b"a=1&b=2"),
        (b"signature=ab&a=1", b"", b"a=1"),
        (b"signature=ab", b"a=1", b"a=1"),
        (b"a=1", b"b=2&signature=ab", b"a=1b=2"),
        (b"", b"a=1&signature=ab", b"a=1"),
        (b"xsignature=no&signature=ab", b"", b"xsignature=no"),
    ],
)
def test_the_signature_is_taken_out_wherever_it_stands(
    query: bytes, body: bytes, payload: bytes
) -> None:
    """What is left of query and body is joined without a separator."""
    assert split_signature(query, body) == (payload, "ab")


def test_a_base64_signature_is_percent_decoded() -> None:
    """RSA and Ed25519 signatures travel percent-encoded."""
    assert split_signature(b"a=1&signature=%2Fab%3D", b"") == (b"a=1", "/ab=")


@pytest.mark.parametrize("query", [b"", b"a=1", b"a=1&signature="])
def test_no_signature_is_a_missing_parameter(query: bytes) -> None:
    """-1102."""
    with pytest.raises(ApiError, match="'signature'"):
        split_signature(query, b"")


def test_a_secret_is_not_in_the_repr_of_its_credential() -> None:
    """Logs and traces show the account only."""
    assert "hidden" not in repr(Credential("a", "hidden"))


def test_two_keys_may_act_for_one_account() -> None:
    """Credentials name their account; bare secrets get one of their own."""
    ring = KeyRing({"k1": Credential("shared", "s"), "k2": Credential("shared", "t"), "k3": "u"})
    assert ring.accounts() == ["shared", "k3"]


@pytest.mark.parametrize("text", ["now", "-1", "1.5", "1" * 21])
def test_a_timestamp_that_is_no_number_is_refused(text: str) -> None:
    """-1100."""
    with pytest.raises(ApiError, match="-1100"):
        check_window({"timestamp": text}, 0)
