"""Several runners on one journal: one leads, the others take alerts for it and wait."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from runner.app import App, account_in
from runner.connecting import Place, wall_ms
from runner.core.decision import AlertAnswer
from runner.core.events import Alert
from runner.errors import JournalAway, JournalBusy, JournalError
from runner.hooking import command_of, hook_table
from runner.journal import Journal, place_of
from runner.leading import lead_all, share_of
from runner.leaving import Leaving
from runner.ops.secrets import Secrets
from runner.routing import Routes, no_such_account
from runner.settings import Settings
from runner.sharing import read_allotted, traded
from runner.sources.hooks import HookTable
from runner.sources.readiness import Readiness
from runner.sources.server import HookServer
from runner.sources.webhook import create_app

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
        self._inboxes = Leaving()
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
            hand_in=lambda alert: None if self.app is None else self.app.hand_in(alert),
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
        inboxes = [self._addresses[name] for name in names]
        stored = [self._inboxes.leave(each, alert, command) for each in inboxes]
        return STORED if all(stored) else None

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
