"""Secrets kept elsewhere: HashiCorp Vault (hvac) and AWS Secrets Manager (boto3), both optional."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from runner.errors import ConfigurationError

WITHIN = 10
"""Seconds that a vault may take to answer."""

VAULT = "VAULT_ADDR"
TOKEN = "VAULT_TOKEN"  # noqa: S105  # the name of a variable


def from_vault(name: str, told: Mapping[str, str], environ: Mapping[str, str]) -> str:
    """Return the newest version of a field of a KV v2 secret (`path`, `field`, `mount`).

    Where and with what token: VAULT_ADDR and VAULT_TOKEN. Raises ConfigurationError with the cure.
    """
    try:
        import hvac  # type: ignore[import-untyped]  # the library has no types
    except ImportError:
        raise _missing(name, "Vault", "hvac", "vault") from None
    address, token = environ.get(VAULT), environ.get(TOKEN)
    if not address or not token:
        raise ConfigurationError(
            f"the secret {name} is in Vault, and {VAULT} and {TOKEN} do not say where and how to "
            "get in: set both for the runner"
        )
    path, mount = told["path"], told.get("mount", "secret")
    client = hvac.Client(url=address, token=token, timeout=WITHIN, allow_redirects=False)
    try:
        answer: Any = client.secrets.kv.v2.read_secret_version(
            path=path, mount_point=mount, raise_on_deleted_version=True
        )
        fields = answer["data"]["data"]
    except Exception as error:  # noqa: BLE001  # its own texts hold addresses and may hold tokens
        problem = type(error).__name__
    else:
        return _field(name, fields, told.get("field", "value"), f"Vault's {mount}/{path}")
    raise ConfigurationError(
        f"the secret {name} cannot be read from Vault at {mount}/{path} ({problem}): look whether "
        "it is there, and whether the token may read it"
    )


def from_aws(name: str, told: Mapping[str, str]) -> str:
    """Return a secret of AWS Secrets Manager (`id`, and `field` where it is a JSON object).

    Region and credentials are found as every AWS program finds them. Raises ConfigurationError.
    """
    try:
        import boto3  # type: ignore[import-untyped]  # the library has no types
        from botocore.config import Config  # type: ignore[import-untyped]  # as above
    except ImportError:
        raise _missing(name, "AWS Secrets Manager", "boto3", "aws") from None
    patience = Config(
        connect_timeout=WITHIN / 2, read_timeout=WITHIN / 2, retries={"max_attempts": 2}
    )
    secret, field = told["id"], told.get("field")
    try:
        client: Any = boto3.client(
            "secretsmanager", region_name=told.get("region"), config=patience
        )
        text: str = client.get_secret_value(SecretId=secret)["SecretString"]
        fields = json.loads(text) if field else None
    except Exception as error:  # noqa: BLE001  # its own texts may hold what was sent
        problem = type(error).__name__
    else:
        return text if field is None else _field(name, fields, field, f"AWS's {secret}")
    raise ConfigurationError(
        f"the secret {name} cannot be read from AWS Secrets Manager as {secret} ({problem}): look "
        "whether it is there, in this region, as text, and whether this machine's role may read it"
    )


def _field(name: str, fields: Any, field: str, where: str) -> str:
    value = fields.get(field) if isinstance(fields, Mapping) else None
    if not isinstance(value, str):
        raise ConfigurationError(
            f"the secret {name}: {where} has no text under {field}: write field: with its name"
        )
    return value


def _missing(name: str, place: str, package: str, extra: str) -> ConfigurationError:
    return ConfigurationError(
        f"the secret {name} is in {place}, and the package {package} is not installed: "
        f"pip install 'order-runner[{extra}]'"
    )
