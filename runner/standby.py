"""Several runners on one journal: one leads, the others take alerts for it and wait."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Callable
from dataclasses import fields

from runner.app import App, read_rules
from runner.connecting import Place, wall_ms
from runner.core.decision import AlertAnswer, Received
from runner.core.events import Alert
from runner.errors import JournalAway, JournalBusy, JournalError
from runner.hooking import command_of, hook_table
from runner.journal import Journal, inbox_of, place_of
from runner.ops.secrets import Secrets
from runner.remembering import lead
from runner.settings import Settings
from runner.sources.hooks import HookTable
from runner.sources.readiness import Readiness
from runner.sources.server import HookServer
from runner.sources.webhook import create_app
from runner.taking import ALERT

log = logging.getLogger(__name__)

LOOK_EVERY = 0.5
"""Seconds between two looks whether somebody leads."""

STORED = AlertAnswer("stored", ())
STANDING_BY = Readiness(False, ("standing by: another runner leads",))


class Front:
    """The hook server of a runner whose journal is on a server, whoever leads.

    While this runner does not lead, or cannot decide yet, an alert is committed to the journal's
    inbox and answered; the leader decides it.
    """

    def __init__(self, place: Place, settings: Settings) -> None:
        """Bind the address. Raises ConfigurationError for rules, secrets or the address."""
        self._address = place_of(place.folder, settings.journal)
        self._hooks = hook_table(
            read_rules(place, None), Secrets(settings.secrets, place.folder), settings
        )
        self._settings = settings
        self._numbers = itertools.count()
        self.app: App | None = None
        host, port = settings.hook
        app = create_app(
            self.hooks,
            self.submit,
            self.readiness,
            wall_ms,
            allow=settings.allow,
            proxies=settings.trusted_proxies,
        )
        self.server = HookServer(app, host, port)

    def hooks(self) -> HookTable:
        """The hooks of the rules that run, or of the files."""
        return self._hooks if self.app is None else self.app.hooks

    def submit(self, alert: Alert) -> AlertAnswer | None:
        """Decide it here, or keep it for whoever can; None when neither may be had."""
        command = command_of(alert, self._settings)
        if self.app is not None and (command or self.app.taking()):
            return self.app.submit(alert)
        kind, told = (ALERT, alert) if command is None else (command.verb, command)
        key = f"{kind}-{alert.received_at}-{os.getpid()}-{next(self._numbers)}"
        without = {"verb", "key"} if command is not None else set()
        names = [field.name for field in fields(told) if field.name not in without]
        data = {name: getattr(told, name) for name in names}
        try:
            with inbox_of(self._address) as inbox:
                inbox.put(Received(key, kind, data, alert.received_at, alert.event_time))
        except JournalError as error:
            log.warning("an alert could not be stored: %s", error)
            return None
        return STORED

    def readiness(self) -> Readiness:
        """That of the leader; a standby is not ready."""
        return STANDING_BY if self.app is None else self.app.readiness()


def stand_by(
    place: Place,
    settings: Settings,
    accept_restored: bool,
    stopped: Callable[[float], bool],
    say: Callable[[str], None],
) -> Journal | None:
    """Wait until this runner leads; None when `stopped(seconds)` says so before.

    A server that goes away meanwhile is waited for. Raises JournalError as opening does.
    """
    waiting = False
    while not stopped(LOOK_EVERY if waiting else 0):
        try:
            return lead(place.folder, settings, wall_ms, accept_restored)
        except JournalBusy as error:
            if not waiting:
                say(str(error))
            waiting = True
        except JournalAway:
            if not waiting:
                raise
    return None
