"""Logs: one line each, logfmt for people and JSON for systemd's journal, scrubbed of secrets."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any, Protocol, TextIO
from urllib.parse import quote

from runner.errors import ConfigurationError

FIELDS = (
    *("hook", "outcome", "status", "address", "method", "path", "duration", "account", "venue"),
    *("rule_id", "symbol", "run_id", "reason", "stream", "weight", "target"),
    *("orders", "filled", "refused"),
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

PRIORITIES: Mapping[str, int] = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
"""What systemd's journal sorts by, as a `<6>` before the line (sd-daemon(3))."""

# Which order it was is told by the journal alone.
_ORDER_ID = re.compile(r"\br1-[a-z0-9]{1,5}-[a-z2-7]{22}\b|(?<=\border )\d{4,}\b")

# Names whose value never gets out, as name=value, "name": "value", ('name', 'value') …
_NAMED = re.compile(
    r"""(?ix) \b (signature|x-mbx-apikey|api_?key|api_?secret|listenkey|passphrase)
    (["']? \s* [:=] \s* b?["']? | ["'] \s* , \s* b?["']) [^\s"'&,;)}\]]+"""
)
_HOOK_TOKEN = re.compile(r"(/hook/[^/\s\"']+/)[^\s\"'?]+")

Known = Callable[[], Collection[str]]


class Target(Protocol):
    """Where lines go: stderr, stdout or a file; `format` is auto, logfmt or json."""

    @property
    def to(self) -> str:
        """The place."""

    @property
    def level(self) -> str | None:
        """Its own level, if it has one."""

    @property
    def format(self) -> str:
        """How lines are laid out there."""


class Wanted(Protocol):
    """The settings of logs."""

    @property
    def level(self) -> str:
        """The least level."""

    @property
    def levels(self) -> Mapping[str, str]:
        """Other levels, by the beginning of a logger's name."""

    @property
    def targets(self) -> Sequence[Target]:
        """Where to."""


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
    _install(level, {}, [_to_stream(out, "auto", registered_secrets, environ)])


def configure_as(
    wanted: Wanted,
    folder: Path,
    registered_secrets: Known = frozenset,
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Send all logging where the settings want it; files are seen from `folder`.

    Raises ConfigurationError for a file that cannot be written.
    """
    streams = {"stderr": sys.stderr, "stdout": sys.stdout}
    handlers: list[logging.Handler] = []
    for target in wanted.targets:
        if target.to in streams:
            out = streams[target.to]
            handler = _to_stream(out, target.format, registered_secrets, environ)
        else:
            handler = _to_file(folder / target.to, target.format, registered_secrets)
        if target.level is not None:
            handler.setLevel(target.level.upper())
        else:
            handler.addFilter(_Asked(wanted))
        handlers.append(handler)
    _install(_least(wanted).upper(), wanted.levels, handlers)


class _Asked(logging.Filter):
    """Lets through what the settings ask for, where another target asks for more."""

    def __init__(self, wanted: Wanted) -> None:
        super().__init__()
        self._level = getattr(logging, wanted.level.upper())
        self._levels = {
            name: getattr(logging, each.upper()) for name, each in wanted.levels.items()
        }

    def filter(self, record: logging.LogRecord) -> bool:
        """The longest name that fits decides."""
        name = record.name
        while name and name not in self._levels:
            name = name.rpartition(".")[0]
        least: int = self._levels.get(name, self._level)
        return record.levelno >= least


def _least(wanted: Wanted) -> str:
    """The lowest level that any target asks for."""
    asked = [wanted.level, *(each.level for each in wanted.targets if each.level is not None)]
    return min(asked, key=lambda name: getattr(logging, name.upper()))


def _to_stream(
    out: TextIO, form: str, secrets: Known, environ: Mapping[str, str]
) -> logging.Handler:
    journal = leads_to_journal(out, environ)
    handler = logging.StreamHandler(out)
    layout = as_json if form == "json" or (form == "auto" and journal) else as_logfmt
    handler.setFormatter(_Lines(layout, secrets, prioritised=journal))
    return handler


def _to_file(path: Path, form: str, secrets: Known) -> logging.Handler:
    """A file that may be moved away while it is written: the next line begins a new one."""
    try:
        path.touch(mode=0o600)
        handler = WatchedFileHandler(path, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"the log cannot be written to {path}: {error.strerror}. Name a file in a folder that "
            "this user may write in, under log.targets in runner.yaml"
        ) from error
    handler.setFormatter(_Lines(as_json if form == "json" else as_logfmt, secrets))
    return handler


def _install(level: str, levels: Mapping[str, str], handlers: Sequence[logging.Handler]) -> None:
    root = logging.getLogger()
    for old in root.handlers:
        if isinstance(old, WatchedFileHandler):
            old.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(True)
    for name, least in LEVELS.items():
        logging.getLogger(name).setLevel(least)
    for name, chosen in levels.items():
        logging.getLogger(name).setLevel(chosen.upper())


def scrub(text: str, secrets: Collection[str]) -> str:
    """Return the text without signatures, keys, hook tokens and the given secrets."""
    return _scrubbed(text, _forms(secrets))


def _forms(secrets: Collection[str]) -> list[str]:
    """As they are and as an address writes them; the longest first, for one may hold another."""
    forms = {form for secret in secrets if secret for form in (secret, quote(secret, safe=""))}
    return sorted(forms, key=len, reverse=True)


def _scrubbed(text: str, forms: Sequence[str]) -> str:
    for form in forms:
        text = text.replace(form, HIDDEN)
    # most texts lack what each pattern needs, and a look for that is far cheaper
    if ":" in text or "=" in text or "," in text:
        text = _NAMED.sub(rf"\1\2{HIDDEN}", text)
    return _HOOK_TOKEN.sub(rf"\1{HIDDEN}", text) if "/hook/" in text else text


def _clean(text: str, forms: Sequence[str]) -> str:
    text = _scrubbed(text, forms)
    return _ORDER_ID.sub(HIDDEN, text) if "r1-" in text or "order " in text else text


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

    def __init__(
        self,
        layout: Callable[[Mapping[str, Any]], str],
        secrets: Known,
        *,
        prioritised: bool = False,
    ) -> None:
        super().__init__()
        self._layout = layout
        self._secrets = secrets
        self._prioritised = prioritised
        self._forms: tuple[Collection[str], list[str]] = (frozenset(), [])

    def _current(self) -> list[str]:
        """The forms of the secrets known by now; worked out anew only when these are others."""
        secrets, (known, forms) = frozenset(self._secrets()), self._forms
        if secrets != known:
            forms = _forms(secrets)
            self._forms = secrets, forms
        return forms

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
        forms = self._current()
        clean = {
            name: value if isinstance(value, (int, float)) else _clean(str(value), forms)
            for name, value in line.items()
        }
        # half a surrogate pair would make the stream raise
        text = self._layout(clean).encode("utf-8", "backslashreplace").decode()
        if not self._prioritised:
            return text
        return f"<{PRIORITIES.get(str(clean['level']), 5)}>{text}"
