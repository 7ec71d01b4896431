"""Logs: one line each, logfmt for people and JSON for systemd's journal, scrubbed of secrets."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any, TextIO
from urllib.parse import quote

FIELDS = (
    *("hook", "outcome", "status", "address", "method", "path", "duration", "account", "venue"),
    *("rule_id", "symbol", "run_id", "reason", "stream", "weight"),
)
"""What `extra=` may add to a line; nothing else gets out, order ids least of all."""

LEVELS: Mapping[str, int] = {
    "urllib3": logging.WARNING,  # at DEBUG it prints whole addresses, signatures included
    "websocket": logging.ERROR,
    "waitress": logging.WARNING,
    "waitress.queue": logging.ERROR,  # a line for each alert that waits a moment
    "werkzeug": logging.WARNING,
    "apscheduler": logging.WARNING,
}

HIDDEN = "***"

# Names whose value never gets out, as name=value, "name": "value", ('name', 'value') …
_NAMED = re.compile(
    r"""(?ix) \b (signature|x-mbx-apikey|api_?key|api_?secret|listenkey|passphrase)
    (["']? \s* [:=] \s* b?["']? | ["'] \s* , \s* b?["']) [^\s"'&,;)}\]]+"""
)
_HOOK_TOKEN = re.compile(r"(/hook/[^/\s\"']+/)[^\s\"'?]+")

Known = Callable[[], Collection[str]]


def configure(
    level: str = "INFO",
    registered_secrets: Known = frozenset,
    stream: TextIO | None = None,
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Send all logging to `stream` (stderr when None), and nothing anywhere else.

    `registered_secrets` is asked at each line, so secrets read later are covered too. JSON is
    written where the stream leads to systemd's journal (JOURNAL_STREAM), logfmt elsewhere.
    """
    out = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(out)
    layout = as_json if leads_to_journal(out, environ) else as_logfmt
    handler.setFormatter(_Lines(layout, registered_secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(True)
    for name, least in LEVELS.items():
        logging.getLogger(name).setLevel(least)


def scrub(text: str, secrets: Collection[str]) -> str:
    """Return the text without signatures, keys, hook tokens and the given secrets."""
    forms = {form for secret in secrets if secret for form in (secret, quote(secret, safe=""))}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, HIDDEN)
    text = _NAMED.sub(rf"\1\2{HIDDEN}", text)
    return _HOOK_TOKEN.sub(rf"\1{HIDDEN}", text)


def leads_to_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Return whether a stream is the one that systemd made (systemd.exec(5), JOURNAL_STREAM)."""
    device, _, inode = environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return (device, inode) == (str(status.st_dev), str(status.st_ino))


def as_logfmt(line: Mapping[str, Any]) -> str:
    """Return a line as `name=value` pairs; what has blanks or quotes is quoted."""
    return " ".join(f"{name}={_word(value)}" for name, value in line.items())


def as_json(line: Mapping[str, Any]) -> str:
    """Return a line as one JSON object."""
    return json.dumps(line, ensure_ascii=False)


def _message(record: logging.LogRecord) -> str:
    """The text with its arguments; where they do not fit, logging itself would print them raw."""
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} {record.args}"


def _word(value: Any) -> str:
    text = str(value)
    plain = text and text.isprintable() and not set(text) & set(' "=')
    return text if plain else json.dumps(text, ensure_ascii=False)


class _Lines(logging.Formatter):
    """Lays out a record; every text in it is scrubbed before it is quoted or escaped."""

    def __init__(self, layout: Callable[[Mapping[str, Any]], str], secrets: Known) -> None:
        super().__init__()
        self._layout = layout
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, whatever the record holds."""
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        line |= {name: vars(record)[name] for name in FIELDS if name in vars(record)}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = record.stack_info
        secrets = self._secrets()
        clean = {
            name: value if isinstance(value, (int, float)) else scrub(str(value), secrets)
            for name, value in line.items()
        }
        # half a surrogate pair would make the stream raise
        return self._layout(clean).encode("utf-8", "backslashreplace").decode()
