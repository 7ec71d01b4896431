"""Signs a request's parameter text: HMAC-SHA256, RSA or Ed25519, chosen by the secret's shape."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any, Protocol
from urllib.parse import quote

from runner.errors import ConfigurationError


class Signer(Protocol):
    """Turns the exact bytes that will be sent into a signature, already percent-encoded."""

    def sign(self, payload: bytes) -> str:
        """The value of the `signature` parameter for this payload."""


class HmacSigner:
    """HMAC-SHA256 in hex; the key's two inner states are computed once."""

    __slots__ = ("_state",)

    def __init__(self, secret: str) -> None:
        self._state = hmac.new(secret.encode(), digestmod=hashlib.sha256)

    def sign(self, payload: bytes) -> str:
        """64 hexadecimal digits."""
        state = self._state.copy()
        state.update(payload)
        return state.hexdigest()


class RsaSigner:
    """RSASSA-PKCS1-v1_5 with SHA-256, base64, percent-encoded."""

    __slots__ = ("_key",)

    def __init__(self, key: Any) -> None:
        self._key = key

    def sign(self, payload: bytes) -> str:
        """Base64 of the key's length, with `+`, `/` and `=` percent-encoded."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        signature = self._key.sign(payload, padding.PKCS1v15(), hashes.SHA256())
        return quote(base64.b64encode(signature), safe="")


class Ed25519Signer:
    """Ed25519, base64, percent-encoded."""

    __slots__ = ("_key",)

    def __init__(self, key: Any) -> None:
        self._key = key

    def sign(self, payload: bytes) -> str:
        """Base64 of 64 bytes, with `+`, `/` and `=` percent-encoded."""
        return quote(base64.b64encode(self._key.sign(payload)), safe="")


def signer(secret: str) -> Signer:
    """The signer for this secret: a PEM private key (RSA, Ed25519), else an HMAC secret.

    Raises ConfigurationError when it is empty, holds white space, or is a key nobody can use.
    """
    secret = secret.strip()
    if "-----BEGIN" in secret:
        return _from_pem(secret)
    if not secret or not secret.isprintable() or any(char.isspace() for char in secret):
        raise ConfigurationError(
            "the API secret is empty or holds spaces: copy it again from the exchange"
        )
    return HmacSigner(secret)


def _from_pem(pem: str) -> Signer:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise ConfigurationError(
            "the API secret is a private key, and signing with one needs the package "
            "cryptography: install it, or use an HMAC key"
        ) from None
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        # the parser's own text could quote the key
        raise ConfigurationError(
            "the API secret looks like a private key but cannot be read: it must be unencrypted "
            "PKCS#8 PEM, whole"
        ) from None
    if isinstance(key, rsa.RSAPrivateKey):
        return RsaSigner(key)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return Ed25519Signer(key)
    raise ConfigurationError("the private key is neither RSA nor Ed25519: Binance takes only these")
