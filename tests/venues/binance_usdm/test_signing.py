"""Signatures are those of every recorded vector, and keys stay out of sight."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest

from runner.errors import ConfigurationError
from runner.venues.binance_usdm.signing import signer

SECRETS = ("secret", "key", "private_key_pem", "key_pem")
SIGNATURES = ("signature", "sig", "sig_b64")


def _vectors(recorded: Path) -> list[tuple[str, str, str, str]]:
    """Algorithm, secret, payload, signature, of both files; encrypted keys are left out."""
    rows: list[dict[str, Any]] = []
    for name in ("signature_vectors.json", "binance_sign_vectors.json"):
        rows += json.loads((recorded / name).read_text())
    found = []
    for row in rows:
        secret = next((row[name] for name in SECRETS if name in row), None)
        signature = next(row[name] for name in SIGNATURES if name in row)
        if secret is not None:
            found.append((row["alg"], secret, row["payload"], signature))
    return found


def test_every_recorded_vector(recorded: Path) -> None:
    """HMAC, RSA and Ed25519 sign exactly as the exchange's documentation and SDK do."""
    pytest.importorskip("cryptography")
    vectors = _vectors(recorded)
    assert {algorithm[:3] for algorithm, *_ in vectors} == {"HMA", "RSA", "Ed2"}
    assert len(vectors) >= 31
    for algorithm, secret, payload, signature in vectors:
        signed = signer(secret).sign(payload.encode())
        assert unquote(signed) == signature, algorithm
        assert quote(unquote(signed), safe="") == signed


def test_a_documented_order() -> None:
    """The example of the documentation, so that the code is checked without recorded data too."""
    secret = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
    payload = (
        b"symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC"
        b"&recvWindow=5000&timestamp=1591702613943"
    )
    expected = "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"
    assert signer(f" {secret}\n").sign(payload) == expected


def test_the_state_is_not_used_up() -> None:
    """Signing twice gives the same: the precomputed state is copied, not continued."""
    one = signer("secret")
    assert one.sign(b"a") == one.sign(b"a") != one.sign(b"b")


@pytest.mark.parametrize("secret", ["", "  ", "two words", "-----BEGIN PRIVATE KEY-----\nnonsense"])
def test_an_unusable_secret_is_refused_without_quoting_it(secret: str) -> None:
    """The message says what to do and never repeats the secret."""
    with pytest.raises(ConfigurationError) as refused:
        signer(secret)
    assert "nonsense" not in str(refused.value)
    assert "words" not in str(refused.value)


def test_a_key_of_another_kind_is_refused() -> None:
    """Only RSA and Ed25519 keys sign; an elliptic-curve key of another kind is named as wrong."""
    ec = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ec")
    from cryptography.hazmat.primitives import serialization

    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with pytest.raises(ConfigurationError, match="neither RSA nor Ed25519"):
        signer(pem.decode())


def test_a_private_key_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without cryptography the message names the package and the other way out."""
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric", None)
    with pytest.raises(ConfigurationError, match="install it, or use an HMAC key"):
        signer("-----BEGIN PRIVATE KEY-----")
