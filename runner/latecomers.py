"""Accounts whose exchange could not be asked when the others began: each begins by itself later.

Until then its journal is led by this runner, its alerts are kept in the journal's inbox, and
readiness says why. The other accounts trade as if it were not there.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future

from runner.connecting import monotonic_ms
from runner.core.decision import AlertAnswer, Decision, Record, RuleAnswer
from runner.core.events import Alert, Command, Fire
from runner.errors import CommitFailed, RunnerError, VenueError
from runner.journal import Journal
from runner.remembering import LeadWatch
from runner.sources.readiness import Problem, Readiness
from runner.venues import Venue

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks; each renews a lead that must be renewed."""

FIRST_WAIT = 5_000
LONGEST_WAIT = 60_000
"""Ms between two tries: they double, for a key that is refused is refused for long."""

KEPT = (
    "kept, and decided as soon as this account can begin: orders that open something lapse when "
    "they have waited for too long"
)
MEANING = (
    "its rules do not run and nothing watches its orders; its alerts are kept, and decided as "
    "soon as it begins. The other accounts trade"
)
CURE = (
    "it is tried again without end and begins by itself; stops and countdowns on the exchange "
    "work meanwhile. If it is urgent, act in the exchange's app"
)


class Latecomer:
    """One account that waits; `failure` is why the process must end, where it must."""

    def __init__(
        self,
        name: str,
        journal: Journal,
        inbox: Callable[[Alert, Command | None], bool],
        why: VenueError,
        now: Callable[[], int],
    ) -> None:
        """`inbox` keeps what shall be decided later; `why` it could not begin; `now` gives ms."""
        self.name = name
        self.journal = journal
        self.why = str(why)
        self.since = now()
        self.failure: BaseException | None = None
        self._inbox = inbox
        self._wait = FIRST_WAIT
        self._silent_until = monotonic_ms() + why.silence
        self._stopping = threading.Event()
        self._begun = False
        self._lead = LeadWatch(journal, monotonic_ms)
        self._thread: threading.Thread | None = None

    def start(
        self, told: Record, reach: Callable[[], Venue], begin: Callable[[Venue], None]
    ) -> None:
        """Say `told` in its journal, then try until it begins.

        `reach` connects it, `begin` starts it there; both may raise RunnerError, which is why it
        waits on.
        """
        name = f"waiting-{self.name}"
        self._thread = threading.Thread(
            target=self._run, args=(told, reach, begin), name=name, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Try no more; returns when its thread is gone, or 10 s are over."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(10)

    @property
    def lead_lost(self) -> bool:
        """True when another runner may lead its journal by now."""
        return not self._begun and self._lead.lost()

    def _run(
        self, told: Record, reach: Callable[[], Venue], begin: Callable[[Venue], None]
    ) -> None:
        try:
            self.journal.own()
            self.journal.commit([Decision([told])])
            while not self._stopping.is_set():
                venue = self._reached(reach)
                if venue is not None and self._began(venue, begin):
                    return
        except BaseException as error:
            log.exception("the account %s can begin no more", self.name)
            self.failure = error

    def _reached(self, reach: Callable[[], Venue]) -> Venue | None:
        """Wait, then connect; None when that could not be, or a stop was asked for.

        The lead is renewed meanwhile, however long the exchange takes for its answer.
        """
        due = max(monotonic_ms() + self._wait, self._silent_until)
        self._wait = min(2 * self._wait, LONGEST_WAIT)
        answer: Future[Venue] | None = None
        while not self._stopping.wait(min(LOOK_EVERY, self._wait / 1000)):
            if self.journal.lease_ttl is not None:
                self.journal.beat()
            if answer is None and monotonic_ms() >= due:
                answer = beside(reach)
            if answer is not None and answer.done():
                try:
                    return answer.result()
                except RunnerError as error:
                    self._again(error)
                    return None
        return None

    def _began(self, venue: Venue, begin: Callable[[Venue], None]) -> bool:
        self._begun = True
        try:
            if not self._stopping.is_set():
                begin(venue)
                log.warning("account %s begins now: %s is over", self.name, self.why)
            return True
        except CommitFailed:
            raise
        except RunnerError as error:
            venue.close()
            self._begun = False
            self._again(error)
            return False

    def _again(self, error: RunnerError) -> None:
        if isinstance(error, VenueError):
            # who asks during a ban is banned for longer
            self._silent_until = monotonic_ms() + error.silence
        if str(error) != self.why:
            log.error("account %s cannot begin yet: %s", self.name, error)
        self.why = str(error)

    # what other threads ask

    def readiness(self) -> Readiness:
        """That its alerts are kept, and why nothing more can be done."""
        reason = f"it could not begin yet: {self.why}"
        return Readiness(False, (reason,), True, (self.problem(),))

    def problem(self) -> Problem:
        """The same for a person."""
        what = f"account {self.name} could not begin yet: {self.why}"
        return Problem("an account", self.since, what, MEANING, CURE)

    def keep(self, event: Alert | Fire | Command, alert: Alert | None) -> AlertAnswer | None:
        """Keep it until it can be decided; None when it could not be stored."""
        if alert is None:
            return _answer("refused", f"account {self.name} could not begin yet: {self.why}")
        command = event if isinstance(event, Command) else None
        if not self._inbox(alert, command):
            return None
        return _answer("stored", f"account {self.name} could not begin yet ({self.why}): {KEPT}")


def _answer(outcome: str, detail: str) -> AlertAnswer:
    return AlertAnswer(outcome, (RuleAnswer("", "", outcome, detail=detail),))


def beside(reach: Callable[[], Venue]) -> Future[Venue]:
    """What comes of it, from a thread of its own that nobody waits for at the end."""
    answer: Future[Venue] = Future()

    def ask() -> None:
        try:
            answer.set_result(reach())
        except Exception as error:  # noqa: BLE001 - whoever asks for the result is told
            answer.set_exception(error)

    threading.Thread(target=ask, name="connecting", daemon=True).start()
    return answer
