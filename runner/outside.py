"""What a running runner tells the world: notices to people, and a heartbeat to a service."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from runner import __version__
from runner.core.figures import span
from runner.core.notice import Notice
from runner.core.noticing import Noticing
from runner.core.values import replace
from runner.errors import ConfigurationError, JournalError
from runner.journal import Journal, Tally
from runner.notifications import daily, lookout
from runner.notifications.desk import Desk
from runner.notifications.heartbeat import Heartbeat
from runner.notifications.rounds import Rounds
from runner.notifications.target import Target
from runner.ops.secrets import Secrets
from runner.settings import Settings
from runner.sources.readiness import Problem

LINK: Final = "notifications"
"""How readiness calls what does not get out."""


def pages_of(settings: Settings) -> str:
    """Where people open the dashboard's pages of this account; empty where nothing says so."""
    link = settings.notifications.link
    return f"{link}/account/{settings.apart}" if link and settings.apart else link


class Outside:
    """Built before the dispatcher, whose observer its desk is; attends to it from then on."""

    def __init__(
        self,
        settings: Settings,
        secrets: Secrets,
        journal: Journal,
        noticing: Noticing,
        now: Callable[[], int],
        where: str = "",
    ) -> None:
        """`where` names mode and account. Raises ConfigurationError for a wrong address."""
        wanted = settings.notifications
        targets = [Target(name, secrets.get(name), where) for name in wanted.targets]
        self._beat_url = secrets.get(wanted.heartbeat_url) if wanted.heartbeat_url else None
        self._journal = journal
        self._now = now
        self.desk = Desk(targets, wanted, noticing.notices, journal.epoch, now)
        self.heartbeat: Heartbeat | None = None
        self._rounds: list[Rounds] = []
        self._problems: Callable[[], Sequence[Problem]] = tuple
        self._summary = wanted.summary if targets else None
        self._page = f"{pages}/" if (pages := pages_of(settings)) else ""

    def attend(
        self,
        loop: lookout.Loop,
        problems: Callable[[], Sequence[Problem]],
        turned_at: Callable[[], int],
    ) -> None:
        """From its start on, watch this loop and these ways to the exchange.

        The sign of life is that of the whole process: `turned_at` is when each loop had turned.
        """
        watch = lookout.Lookout(problems, loop, self._say, self._now)
        self._rounds.append(Rounds("lookout", lookout.LOOK_EVERY, watch.look))
        if self._beat_url is not None:
            self.heartbeat = Heartbeat(self._beat_url, turned_at, self._now)
        self._problems = problems

    def add_up(self, count: Callable[[int, int], Tally], key_age: Callable[[], str]) -> None:
        """Tell each day what it came to, where the settings want that.

        `count` adds up a stretch of time (ms); `key_age` says how old the API key is.
        """

        def remarks() -> list[str]:
            age = key_age()
            return [*(f"open: {each.what}" for each in self._problems()), *([age] if age else [])]

        if self._summary is not None:
            day = daily.Daily(self._summary, count, remarks, self._say, self._now)
            self._rounds.append(Rounds("summary", daily.LOOK_EVERY, day.look))

    def _say(self, notice: Notice) -> None:
        body = "\n".join(line for line in (notice.body, self._page) if line)
        self.desk.say(replace(notice, body=body))

    def start(self) -> None:
        """Begin, with the critical notices that a life before could not bring; before commits."""
        self.desk.start(self._journal.unsent())
        for each in (self.heartbeat, *self._rounds):
            if each is not None:
                each.start()

    def stop(self, *, settle: bool) -> None:
        """Send what waits; `settle`: nobody commits any more, so note here what was taken."""
        for each in (self.heartbeat, *self._rounds):
            if each is not None:
                each.stop()
        self.desk.stop()
        if not settle:
            return
        with suppress(JournalError):
            self._journal.own()
            told = self.desk.announce([], self._now())
            self._journal.commit([told])

    @property
    def alive(self) -> bool:
        """True while all its threads run."""
        threads = [self.desk, self.heartbeat, *self._rounds]
        return all(each.alive for each in threads if each is not None)

    def problems(self) -> Iterator[Problem]:
        """What does not get out, each with what to do."""
        now = self._now()
        for courier in self.desk.couriers:
            failing = courier.failing
            if failing is None:
                continue
            ago = span(max(now - failing.since, 0))
            what = f"the notification target {courier.target.name} takes nothing for {ago}"
            waiting = f"; {courier.waiting} wait now" if courier.waiting else ""
            meaning = f"what is critical is kept and tried again, the rest is dropped{waiting}"
            cure = "look at the secret of that name, then try it: runner doctor --notify"
            yield Problem(LINK, failing.since, f"{what}: {failing.trouble}", meaning, cure)
        beat = self.heartbeat
        if beat is not None and (since := beat.failing_since) is not None:
            what = f"the heartbeat gets no good answer for {span(max(now - since, 0))}"
            meaning = "the service outside may raise its alarm although the runner is well"
            cure = "look at the secret that notifications.heartbeat_url names, and at the network"
            yield Problem(LINK, since, f"{what}: {beat.trouble}", meaning, cure)


def tried(settings: Settings, folder: Path) -> Iterator[tuple[str, str, str]]:
    """What is tried, what came of it, and what is wrong with it, for each target and the beat."""
    wanted, secrets = settings.notifications, Secrets(settings.secrets, folder)
    for name in wanted.targets:
        try:
            target = Target(name, secrets.get(name))
        except ConfigurationError as error:
            yield f"target {name}", "", str(error)
            continue
        title = f"runner {__version__}: a test, nothing happened"
        body = f"sent by runner doctor --notify from {folder.resolve()}"
        yield (
            f"target {name}",
            "took a test message",
            target.send("test", title, body, silent=False),
        )
    if wanted.heartbeat_url:
        try:
            url = secrets.get(wanted.heartbeat_url)
        except ConfigurationError as error:
            yield "heartbeat", "", str(error)
            return
        heartbeat = Heartbeat(url, lambda: 0, lambda: 0)
        heartbeat.beat()
        heartbeat.stop()
        yield "heartbeat", "the service outside answered", heartbeat.trouble
