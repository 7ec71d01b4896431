"""The errors that leave a room, as one tree; each says what happened, to what, and the cure."""

from __future__ import annotations


class RunnerError(Exception):
    """Anything the runner raises on purpose; `str()` is a sentence for the user."""


class ConfigurationError(RunnerError):
    """Settings, rules or secrets are wrong; the daemon exits with 78 and is not restarted."""


class UsageError(RunnerError):
    """The command line asks for something that does not exist."""


class VenueError(RunnerError):
    """The exchange could not be asked, or answered with an error, outside the order path."""

    def __init__(self, text: str, silence: int = 0) -> None:
        """`silence`: how long the exchange wants not to be asked again, in ms."""
        super().__init__(text)
        self.silence = silence


class JournalError(RunnerError):
    """The journal cannot be opened, read or trusted."""


class JournalBusy(JournalError):
    """Another runner already leads on this journal."""


class JournalAway(JournalError):
    """The server that keeps the journal cannot be reached now."""


class JournalFull(JournalError):
    """The disk is full; nothing was written, and the same may be committed when there is room."""


class JournalRestored(JournalError):
    """The journal is older than what it led to: orders may be out there that it does not know."""


class CommitFailed(JournalError):
    """A commit did not end well: whether it is durable is unknown, so the process must stop."""
