"""Vault and AWS Secrets Manager: a secret is found there, or one says why not, without values."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from runner.errors import ConfigurationError
from runner.ops.secrets import Secrets
from runner.settings import SecretSource, parse

VALUE = "Geheimnis-17"
TOKEN = "hvs.token-of-the-runner"


class FakeVault(BaseHTTPRequestHandler):
    """KV version 2 as far as it is read: the newest version, deleted ones, permissions."""

    def do_GET(self) -> None:
        """Answer as Vault's API documentation says."""
        kept: dict[str, Any] = {
            "/v1/secret/data/trading/demo": {"key": VALUE, "number": 7},
            "/v1/kv/data/plain": {"value": f"{VALUE}\n"},
        }
        if self.headers["X-Vault-Token"] != TOKEN:
            self._say(403, {"errors": ["permission denied"]})
        elif self.path in kept:
            meta = {"created_time": "2026-01-01T00:00:00Z", "deletion_time": "", "version": 3}
            self._say(200, {"data": {"data": kept[self.path], "metadata": meta}})
        else:
            self._say(404, {"errors": []})

    def _say(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def vault() -> Iterator[str]:
    """A Vault on loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), FakeVault) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def of_vault(tmp_path: Path, vault: str, token: str = TOKEN, **told: str) -> Secrets:
    environ = {"VAULT_ADDR": vault, "VAULT_TOKEN": token}
    return Secrets({"tv": SecretSource(vault=told)}, tmp_path, environ)


def refusal(of: Secrets) -> str:
    """Why it cannot be had; nothing secret is in it or comes along with it."""
    with pytest.raises(ConfigurationError) as caught:
        of.get("tv")
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    assert VALUE not in str(caught.value)
    assert TOKEN not in str(caught.value)
    return str(caught.value)


def test_a_field_of_vault_is_read(tmp_path: Path, vault: str) -> None:
    """By path and field; `value` of the mount `secret` where nothing else is said."""
    assert of_vault(tmp_path, vault, path="trading/demo", field="key").get("tv") == VALUE
    assert of_vault(tmp_path, vault, path="plain", mount="kv").get("tv") == VALUE


def test_what_vault_does_not_give_is_told(tmp_path: Path, vault: str) -> None:
    """Missing, forbidden, no text, nobody there, and no way in."""
    assert "(InvalidPath)" in refusal(of_vault(tmp_path, vault, path="nowhere"))
    assert "(Forbidden)" in refusal(of_vault(tmp_path, vault, "wrong", path="trading/demo"))
    assert "no text under number" in refusal(
        of_vault(tmp_path, vault, path="trading/demo", field="number")
    )
    assert "ConnectionError" in refusal(of_vault(tmp_path, "http://127.0.0.1:1", path="x"))
    nowhere = Secrets({"tv": SecretSource(vault={"path": "x"})}, tmp_path, {})
    assert "set both for the runner" in refusal(nowhere)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A Secrets Manager of moto's, in this process."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    from moto import mock_aws

    with mock_aws():
        import boto3  # type: ignore[import-untyped]  # the library has no types

        yield boto3.client("secretsmanager", region_name="eu-central-1")


def of_aws(tmp_path: Path, **told: str) -> Secrets:
    return Secrets({"tv": SecretSource(aws=told)}, tmp_path, {})


def test_a_secret_of_aws_is_read(tmp_path: Path, aws: Any) -> None:
    """As text, or a field of its JSON; the newest version, also after a change."""
    aws.create_secret(Name="plain", SecretString="first")
    aws.put_secret_value(SecretId="plain", SecretString=VALUE)
    aws.create_secret(Name="pair", SecretString=json.dumps({"key": VALUE}))
    assert of_aws(tmp_path, id="plain").get("tv") == VALUE
    assert of_aws(tmp_path, id="pair", field="key", region="eu-central-1").get("tv") == VALUE


def test_what_aws_does_not_give_is_told(tmp_path: Path, aws: Any) -> None:
    """Missing, another region, no JSON, no such field."""
    aws.create_secret(Name="plain", SecretString=VALUE)
    aws.create_secret(Name="pair", SecretString=json.dumps({"other": VALUE}))
    assert "(ResourceNotFoundException)" in refusal(of_aws(tmp_path, id="nowhere"))
    assert "cannot be read" in refusal(of_aws(tmp_path, id="plain", region="us-east-1"))
    assert "(JSONDecodeError)" in refusal(of_aws(tmp_path, id="plain", field="key"))
    assert "no text under key" in refusal(of_aws(tmp_path, id="pair", field="key"))


@pytest.mark.parametrize(
    ("source", "package"),
    [
        (SecretSource(vault={"path": "x"}), "hvac"),
        (SecretSource(aws={"id": "x"}), "boto3"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: SecretSource, package: str
) -> None:
    """Both are optional."""
    monkeypatch.setitem(sys.modules, package, None)
    text = refusal(Secrets({"tv": source}, tmp_path, {}))
    assert f"the package {package} is not installed: pip install 'order-runner[" in text


def test_the_settings_name_them() -> None:
    """With path and id required, and no second source beside."""
    written = b"version: 1\nsecrets: {a: {vault: {path: x, field: y}}, b: {aws: {id: z}}}\n"
    kept = parse("runner.yaml", written).secrets
    assert kept == {
        "a": SecretSource(vault={"path": "x", "field": "y"}),
        "b": SecretSource(aws={"id": "z"}),
    }
    for wrong in (b"{vault: {field: y}}", b"{aws: {id: z}, env: X}", b"{aws: {}}"):
        with pytest.raises(ConfigurationError):
            parse("runner.yaml", b"version: 1\nsecrets: {a: " + wrong + b"}\n")
