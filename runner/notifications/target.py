"""One place that notices are sent to, by apprise; its address is a secret and is never shown."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from runner.errors import ConfigurationError

QUIETLY: Mapping[str, str] = {
    "tgram": "silent=yes",
    "ntfy": "priority=low",
    "ntfys": "priority=low",
    "pover": "priority=low",
    "gotify": "priority=low",
    "gotifys": "priority=low",
}
"""What makes a service deliver without a sound, by the scheme of its address."""

TYPES: Mapping[str, str] = {
    "critical": "failure",
    "error": "failure",
    "exchange": "warning",
    "rejected": "warning",
    "reload_refused": "warning",
    "guard": "warning",
    "opened": "success",
    "closed": "success",
}
"""apprise's type of a notice, by kind; info for all others."""

SENDER = "runner"


class Target:
    """Sends to one apprise address; `send` blocks, for ten seconds or so at the most."""

    def __init__(self, name: str, url: str, where: str = "") -> None:
        """`name` is the secret's; `where` begins each title, so that a lock screen tells live from
        paper. Raises ConfigurationError for what is no apprise address.
        """
        self.name = name
        self._where = f"[{where}] " if where else ""
        loud = _plugin(url)
        if loud is None:
            raise ConfigurationError(
                f"the secret {name} holds no address that apprise knows: write one such as "
                "tgram://TOKEN/CHAT, mailto://… or json://… into it (docs/notifications.md)"
            )
        scheme = url.partition("://")[0].lower()
        quietly = QUIETLY.get(scheme)
        silent = _plugin(f"{url}{'&' if '?' in url else '?'}{quietly}") if quietly else None
        self._plugins = {False: loud, True: silent or loud}

    def __repr__(self) -> str:
        return f"Target({self.name})"

    def send(self, kind: str, title: str, body: str, *, silent: bool) -> str:
        """Return nothing when it was taken, else why it was not."""
        with _overheard() as said:
            try:
                taken = self._plugins[silent].notify(
                    title=f"{self._where}{title}",
                    body=body or title,
                    notify_type=TYPES.get(kind, "info"),
                )
            except Exception as error:  # noqa: BLE001 - 170 services, each with errors of its own
                return f"{type(error).__name__} in apprise"
        return "" if taken else (said[-1] if said else "it was not taken, and nobody says why")


def _plugin(url: str) -> Any:
    with warnings.catch_warnings(), _overheard():
        # its plug-ins use modules that Python is about to drop
        warnings.simplefilter("ignore", DeprecationWarning)
        import apprise

        asset = apprise.AppriseAsset(app_id=SENDER, app_desc=SENDER, app_url="")
        return apprise.Apprise.instantiate(url, asset=asset)


@contextmanager
def _overheard() -> Iterator[list[str]]:
    """What apprise says in this thread: the only place where it tells why it failed.

    None of it goes into our own log, for it may hold parts of the address.
    """
    log = logging.getLogger("apprise")
    log.propagate = False
    log.setLevel(logging.WARNING)
    ear = _Ear(threading.get_ident())
    log.addHandler(ear)
    try:
        yield ear.said
    finally:
        log.removeHandler(ear)


class _Ear(logging.Handler):
    """Keeps what one thread says."""

    def __init__(self, thread: int) -> None:
        super().__init__(logging.WARNING)
        self._thread = thread
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        if record.thread == self._thread:
            self.said.append(" ".join(record.getMessage().split())[:200])
