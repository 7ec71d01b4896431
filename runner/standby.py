"""Several runners on one journal: one leads, the others take alerts for it and wait."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import fields

from runner.app import App, account_in, lead_all, share_of
from runner.connecting import Place, wall_ms
from runner.core.decision import AlertAnswer, Received
from runner.core.events import Alert, Command
from runner.errors import JournalAway, JournalBusy, JournalError
from runner.hooking import command_of, hook_table
from runner.journal import Journal, inbox_of, place_of
from runner.ops.secrets import Secrets
from runner.routing import Routes, no_such_account
from runner.settings import Settings
from runner.sharing import read_allotted, traded
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
        self.accounts = traded(place, settings)
        self._addresses = {
            name: place_of(place.folder, share_of(settings, name).journal) for name in self.accounts
        }
        found = read_allotted(place, settings, self.accounts)
        self._hooks = hook_table(found.whole, Secrets(settings.secrets, place.folder), settings)
        self._routes = Routes(found.by_account)
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
            readiness_of=lambda name: None if self.app is None else self.app.readiness_of(name),
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
        if command is None:
            names = self._routes.of_alert(alert.path)
        elif not (names := self._routes.of_command(command, account_in(alert))):
            return no_such_account(account_in(alert), self.accounts)
        stored = [self._store(name, alert, command) for name in names]
        return STORED if all(stored) else None

    def _store(self, account: str, alert: Alert, command: Command | None) -> bool:
        """Keep it in the account's inbox; False when that cannot be."""
        kind, told = (ALERT, alert) if command is None else (command.verb, command)
        key = f"{kind}-{alert.received_at}-{os.getpid()}-{next(self._numbers)}"
        without = {"verb", "key"} if command is not None else set()
        names = [field.name for field in fields(told) if field.name not in without]
        data = {name: getattr(told, name) for name in names}
        try:
            with inbox_of(self._addresses[account]) as inbox:
                inbox.put(Received(key, kind, data, alert.received_at, alert.event_time))
        except JournalError as error:
            log.warning("an alert could not be stored: %s", error)
            return False
        return True

    def readiness(self) -> Readiness:
        """That of the leader; a standby is not ready."""
        return STANDING_BY if self.app is None else self.app.readiness()


def stand_by(
    place: Place,
    settings: Settings,
    accounts: Sequence[str],
    accept_restored: bool,
    stopped: Callable[[float], bool],
    say: Callable[[str], None],
) -> dict[str, Journal] | None:
    """Wait until this runner leads the journal of each account; None when `stopped(seconds)` says
    so before.

    A server that goes away meanwhile is waited for. Raises JournalError as opening does.
    """
    shares = {name: share_of(settings, name) for name in accounts}
    journals: dict[str, Journal] = {}
    waiting, told = False, ""
    while not stopped(LOOK_EVERY if waiting else 0):
        try:
            lead_all(journals, place, settings, shares, accept_restored)
            return {name: journals[name] for name in accounts}
        except JournalBusy as error:
            if not waiting:
                say(str(error))
            told, waiting = _told(told, error), True
        except JournalAway as error:
            if not waiting:
                raise
            told = _told(told, error)
        _give_back(journals)
    return None


def _told(before: str, error: JournalError) -> str:
    """Say why this one waits, when that has changed."""
    if str(error) != before:
        log.info("standing by: %s", error)
    return str(error)


def _give_back(journals: dict[str, Journal]) -> None:
    """Lead all or none: a lead that nobody renews would be lost."""
    while journals:
        journals.popitem()[1].close()
