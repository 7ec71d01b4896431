"""The JSON Schema of runner.yaml; its descriptions are also the cures of mistakes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from runner.settings import outward
from runner.settings.guarding import GUARDS

FILE_NAME = "settings.v1.schema.json"

SECRET_NAME = "^[a-z][a-z0-9_]*$"  # noqa: S105  # the form of a name
_NAME = "^[a-z][a-z0-9_-]{0,31}$"
_LENGTH = "^(?=.)([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$"


def _length(description: str) -> dict[str, Any]:
    return {"type": "string", "pattern": _LENGTH, "description": description}


def _secret(what: str) -> dict[str, Any]:
    return {
        "type": "string",
        "pattern": SECRET_NAME,
        "description": f"The name of the secret that holds {what}, never the secret itself: "
        "a-z, 0-9 and _, such as demo_key",
    }


def _block(description: str, properties: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "additionalProperties": False,
        "properties": dict(properties),
        **more,
    }


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "description": description}


def _named(description: str, pattern: str, item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "propertyNames": {"pattern": pattern},
        "additionalProperties": dict(item),
    }


_URL = {"type": "string", "pattern": "^(https?|wss?)://[^ ]+$"}

ADDRESS: Mapping[str, Any] = {
    "type": ["string", "object"],
    "pattern": "^(live|demo|paper)$",
    "description": "live, demo or paper, or the addresses: {rest: https://…, streams: wss://…, "
    "ws_api: wss://…}",
    "additionalProperties": False,
    "required": ["rest", "streams", "ws_api"],
    "properties": {
        "rest": {**_URL, "description": "Where REST calls go: http://127.0.0.1:9090"},
        "streams": {**_URL, "description": "Where streams are read: ws://127.0.0.1:9090"},
        "ws_api": {**_URL, "description": "The WebSocket API: ws://127.0.0.1:9090/ws-fapi/v1"},
    },
}

ACCOUNT: Mapping[str, Any] = _block(
    "One account on an exchange",
    {
        "venue": {"enum": ["binance_usdm"], "description": "The exchange: binance_usdm"},
        "address": ADDRESS,
        "api_key": _secret("the API key"),
        "api_secret": _secret("the API key's secret"),
        "position_mode": {
            "enum": ["one_way", "hedge"],
            "description": "What the account is set to: one_way (default) or hedge",
        },
        "leverage": {
            "type": "integer",
            "minimum": 1,
            "maximum": 125,
            "description": "What the rules' symbols are set to, 1 to 125; only compared: 5",
        },
        "margin_type": {
            "enum": ["cross", "isolated"],
            "description": "What the rules' symbols are set to, only compared: cross or isolated",
        },
        "transport": {
            "enum": ["rest", "ws"],
            "description": "How orders travel: rest (default), or ws, the WebSocket API",
        },
        "guards": GUARDS,
        "journal": {
            "type": "string",
            "minLength": 1,
            "description": "Where this account is remembered, a file or a URL of its own: "
            "journals/hedge.db. Left out: the journal of the settings for the default account, "
            "journals/<name>.db beside it for another",
        },
        "default": {
            "type": "boolean",
            "description": "true for the account of rules that name none; one account may be it",
        },
    },
    required=["venue", "address"],
)

SECRET: Mapping[str, Any] = _block(
    "Where a secret comes from: {env: NAME}, {file: path}, {command: [program, argument]}, "
    "{vault: {path: …}} or {aws: {id: …}}",
    {
        "env": {
            "type": "string",
            "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
            "description": "The name of an environment variable: BINANCE_KEY",
        },
        "file": {
            "type": "string",
            "minLength": 1,
            "description": "A file that only you can read (mode 0600): secrets/demo_key",
        },
        "command": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "description": "The program or one argument, as text"},
            "description": "A program that prints the secret, with its arguments: [pass, demo/key]",
        },
        "vault": _block(
            "A field of a secret in HashiCorp Vault (KV version 2): {path: trading/demo, field: "
            "key}; VAULT_ADDR and VAULT_TOKEN say where and how",
            {
                "path": _text("Where it is, without the mount: trading/demo"),
                "field": _text("The field's name, value when left out: key"),
                "mount": _text("The mount of the secrets engine, secret when left out: secret"),
            },
            required=["path"],
        ),
        "aws": _block(
            "A secret in AWS Secrets Manager: {id: trading/demo, field: key}",
            {
                "id": _text("The secret's name or ARN: trading/demo"),
                "field": _text("The field's name where the secret is a JSON object: key"),
                "region": _text("The region where it is not the machine's own: eu-central-1"),
            },
            required=["id"],
        ),
    },
    minProperties=1,
    maxProperties=1,
)

_LENGTHS = {
    "recv_window": "How long a signed request is valid at the exchange: 3s",
    "engine_margin": "How long a request past the gateway may still take effect: 10s",
    "skew": "The most that the clocks of the exchange's nodes differ: 2s",
    "probe_retry": "How long to wait before a question that failed is asked again: 2s",
    "first_probe": "How long after an unclear answer the first question is asked: 1s",
    "answer_deadline": "How long the exchange may take to answer: 12s",
    "retention": "How long the exchange surely remembers an order: 3d",
    "retry_cap": "The longest wait before a question that fails again and again is asked: 30s",
    "poll_orders": "How often open orders are read while the user stream is away: 3s",
    "stale_after": "The age at which a price is too old to act on: 30s",
}

TIMING: Mapping[str, Any] = _block(
    "The waits that keep orders from being sent twice; change them for tests only",
    {
        **{name: _length(text) for name, text in _LENGTHS.items()},
        "probe_offsets": {
            "type": "array",
            "minItems": 1,
            "items": _length("A length of time: 5s"),
            "description": "When the questions after the fence are asked: [0s, 5s, 20s, 1m]",
        },
        "back_off": {
            "type": "array",
            "minItems": 1,
            "items": _length("A length of time: 200ms"),
            "description": "The waits before a refused request is sent again: [200ms, 400ms]",
        },
        "max_attempts": {
            "type": "integer",
            "minimum": 1,
            "description": "How often an order whose answer was lost is sent at most: 5. "
            "One that the exchange was too busy to take is sent until its deadline",
        },
    },
)

PAPER: Mapping[str, Any] = _block(
    "The embedded paper exchange of runner run --paper",
    {
        "seed": {"type": "integer", "description": "The number its prices grow from: 1"},
        "state": {
            "type": "string",
            "minLength": 1,
            "description": "The file that keeps its orders and positions: paper.json",
        },
        "balance": {
            "type": "number",
            "exclusiveMinimum": 0,
            "description": "The USDT it starts with: 10000",
        },
    },
)


def _addresses(description: str) -> dict[str, Any]:
    item = {
        "type": "string",
        "minLength": 1,
        "description": "An address or a network: 10.0.0.7 or 10.0.0.0/8",
    }
    return {"type": "array", "minItems": 1, "items": item, "description": description}


HOOKS: Mapping[str, Any] = _block(
    "Whose alerts are taken",
    {
        "allow": _addresses(
            "The only addresses whose alerts are taken; tradingview stands for TradingView's "
            "own: [tradingview, 10.0.0.7]"
        ),
        "trusted_proxies": _addresses(
            "The proxies whose X-Forwarded-For tells the sender's address: [127.0.0.1]"
        ),
    },
)

COMMANDS: Mapping[str, Any] = _named(
    "Commands by webhook, none unless written here: POST /hook/<name> gives the command: "
    "{panic: {command: kill, secret: panic_secret}}",
    "^[a-z0-9][a-z0-9-]{0,63}$",
    _block(
        "One command by webhook",
        {
            "command": {
                "enum": [
                    "enable",
                    "disable",
                    "fire",
                    "pause",
                    "resume",
                    "cancel",
                    "flatten",
                    "kill",
                    "unlock",
                ],
                "description": "What it does, as the verb of that name: kill",
            },
            "secret": _secret("what opens this command, and nothing else"),
        },
        required=["command", "secret"],
    ),
)

RELOAD: Mapping[str, Any] = _block(
    "How changed rule files are taken up",
    {
        "poll": _length(
            "How often the rule files are looked at: 1s; 0s: only runner reload and SIGHUP reload"
        ),
        "require_tests": {
            "enum": ["pass"],
            "description": "pass: a reload is refused unless the tests beside the rules pass",
        },
    },
)

SCHEMA: Mapping[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "$id": FILE_NAME,
    "title": "runner.yaml",
    **_block(
        "The settings of one runner",
        {
            "version": {"const": 1, "description": "The version of this format: 1"},
            "namespace": {
                "type": "string",
                "pattern": "^[a-z0-9]{1,5}$",
                "description": "One to five of a-z and 0-9, part of every client order id: main",
            },
            "accounts": _named(
                "The accounts by name, a name of a-z, 0-9, - and _: "
                "{demo: {venue: binance_usdm, address: demo, …}}",
                _NAME,
                ACCOUNT,
            ),
            "journal": {
                "type": "string",
                "minLength": 1,
                "description": "The journal's file, seen from this folder, or its URL: journal.db",
            },
            "witness": {
                "type": "string",
                "minLength": 1,
                "description": "A small file, best on another disk, that tells when the journal "
                "was restored from a backup: /var/lib/runner/journal.witness",
            },
            "hook": {
                "type": "string",
                "description": "Where alerts come in, HOST:PORT: 127.0.0.1:8080",
            },
            "dashboard": {
                "type": "string",
                "description": "Where the dashboard is shown, HOST:PORT or unix:PATH, or off: "
                "127.0.0.1:8081",
            },
            "hooks": HOOKS,
            "secrets": _named(
                "Where secrets come from, by name, a name of a-z, 0-9 and _: "
                "{demo_key: {env: BINANCE_KEY}}",
                SECRET_NAME,
                SECRET,
            ),
            "timing": TIMING,
            "on_stop": {
                "enum": ["leave_armed", "disarm", "cancel"],
                "description": "What happens when the runner is stopped: leave_armed: orders stay, "
                "and the countdown cancels them unless it is back in time; disarm: orders stay, "
                "without a countdown; cancel: our open orders are cancelled",
            },
            "on_kill": {
                "enum": ["flatten", "cancel"],
                "description": "What runner kill does after every order is cancelled: flatten: "
                "close positions at market; cancel: leave them, without any exit order",
            },
            "commands": COMMANDS,
            "reload": RELOAD,
            "notifications": outward.NOTIFICATIONS,
            "metrics": outward.METRICS,
            "log": outward.LOG,
            "paper": PAPER,
        },
        required=["version"],
    ),
}


def schema_text() -> str:
    """Return the schema as it stands in schemas/settings.v1.schema.json."""
    return json.dumps(SCHEMA, indent=2, ensure_ascii=False) + "\n"
