"""Leaves an alert or a command in an account's inbox, durably, for whoever decides it later."""

from __future__ import annotations

import itertools
import logging
import os
from dataclasses import fields
from pathlib import Path
from typing import Final

from runner.core.decision import Received
from runner.core.events import Alert, Command
from runner.errors import JournalError
from runner.journal import inbox_of
from runner.taking import ALERT

log = logging.getLogger(__name__)


class Leaving:
    """The inboxes of a runner's accounts, for the threads that answer senders."""

    def __init__(self) -> None:
        """Nothing was left yet."""
        self._numbers: Final = itertools.count()

    def leave(self, address: str | Path, alert: Alert, command: Command | None) -> bool:
        """Keep the alert, or the command that it gives, in the inbox of the journal at `address`.

        True once it is durable; False when that cannot be.
        """
        kind, told = (ALERT, alert) if command is None else (command.verb, command)
        key = f"{kind}-{alert.received_at}-{os.getpid()}-{next(self._numbers)}"
        without = {"stored"} if command is None else {"verb", "key"}
        names = [field.name for field in fields(told) if field.name not in without]
        data = {name: getattr(told, name) for name in names}
        try:
            with inbox_of(address) as inbox:
                inbox.put(Received(key, kind, data, alert.received_at, alert.event_time))
        except JournalError as error:
            log.warning("an alert could not be stored: %s", error)
            return False
        return True
