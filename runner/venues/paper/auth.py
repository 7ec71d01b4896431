"""Who asks: API keys, signatures over the bytes as they came, and the time window."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

from .errors import ApiError, refuse

DEFAULT_RECV_WINDOW = 5000
_SIGNATURE = re.compile(rb"(?:^|(?<=&))signature=([^&]*)&?")
_KEY_FORM = re.compile(r"[A-Za-z0-9_-]{1,128}\Z")


@dataclass(frozen=True, slots=True)
class Credential:
    """One API key: the account it acts for, and a secret (HMAC) or a public key (PEM)."""

    account: str
    secret: str = field(repr=False)

    @property
    def is_pem(self) -> bool:
        """Return whether the key signs with RSA or Ed25519."""
        return self.secret.lstrip().startswith("-----BEGIN")


class KeyRing:
    """The API keys that the exchange knows."""

    def __init__(self, keys: Mapping[str, str | Credential]) -> None:
        """Take `keys` as API key to secret; a bare secret gets an account named as its key."""
        self._keys = {
            name: one if isinstance(one, Credential) else Credential(name, one)
            for name, one in keys.items()
        }

    def accounts(self) -> list[str]:
        """Return the names of the accounts, each once."""
        return list(dict.fromkeys(one.account for one in self._keys.values()))

    def find(self, api_key: str) -> Credential:
        """Return a key's credential; raises -2014 for a malformed key, -2015 for an unknown."""
        if not _KEY_FORM.match(api_key):
            raise refuse(-2014)
        known = self._keys.get(api_key)
        if known is None:
            raise refuse(-2015)
        return known


def split_signature(query: bytes, body: bytes) -> tuple[bytes, str]:
    """Return what was signed, query and body joined without `&`, and the signature; raises -1102.

    Source: "SIGNED Endpoint Security", mixed query string and request body.
    """
    found = _SIGNATURE.search(query) or _SIGNATURE.search(body)
    if found is None or not found.group(1):
        raise refuse(-1102, "signature")
    text = unquote_to_bytes(found.group(1)).decode("ascii", "replace")
    return _without_signature(query) + _without_signature(body), text


def _without_signature(text: bytes) -> bytes:
    rest = _SIGNATURE.sub(b"", text)
    # What stood before a signature at the end keeps no dangling separator.
    return rest[:-1] if rest.endswith(b"&") and not text.endswith(b"&") else rest


def check_signature(credential: Credential, payload: bytes, signature: str) -> None:
    """Raise -1022 unless `signature` is the credential's over `payload`."""
    if credential.is_pem:
        valid = _verify_public(credential.secret, payload, signature)
    else:
        digest = hmac.new(credential.secret.encode(), payload, hashlib.sha256).hexdigest()
        valid = hmac.compare_digest(digest.encode(), signature.lower().encode())
    if not valid:
        raise refuse(-1022)


def _verify_public(pem: str, payload: bytes, signature: str) -> bool:
    # Needed for RSA and Ed25519 keys only, so not for the common paper exchange.
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding

    key: Any = serialization.load_pem_public_key(pem.encode())
    try:
        raw = base64.b64decode(signature, validate=True)
        if hasattr(key, "key_size"):
            key.verify(raw, payload, padding.PKCS1v15(), hashes.SHA256())
        else:
            key.verify(raw, payload)
    except (InvalidSignature, binascii.Error):
        return False
    return True


def check_window(params: Mapping[str, str], now: int) -> int:
    """Return timestamp + recvWindow (ms); raises -1102, -1100 and, outside it, -1021."""
    sent, window = _number(params, "timestamp"), DEFAULT_RECV_WINDOW
    if params.get("recvWindow"):
        window = _number(params, "recvWindow")
    if sent >= now + 1000:
        text = "Timestamp for this request was 1000ms ahead of the server's time."
        raise ApiError(400, -1021, text)
    if now - sent > window:
        raise refuse(-1021)
    return sent + window


def _number(params: Mapping[str, str], name: str) -> int:
    text = params.get(name, "")
    if not text:
        raise refuse(-1102, name)
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise refuse(-1100, name, "^[0-9]{1,20}$")
    return int(text)
