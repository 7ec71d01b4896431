"""Reload: new rule files take the place of what runs, all or nothing, between two events."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field

from runner.core.decision import AlertAnswer, Record
from runner.core.loading import Reload
from runner.core.orders import OrderIntent
from runner.core.rules import RuleSet
from runner.core.state import State
from runner.errors import RunnerError
from runner.rulebook.plan import Facts, Open, plan
from runner.rulebook.watch import Watch
from runner.sources.hooks import HookTable
from runner.sources.schedule import next_occurrence

log = logging.getLogger(__name__)

SETTLE = 0.2
"""Seconds between the two looks at files, when somebody asked for a reload."""

PATIENCE = 10.0
"""Seconds in which files that somebody asked to load must come to rest."""

COMMITTED_WITHIN = 30.0
RETRY_LOOKS = 30
"""How many looks pass before rules that could not be committed are tried again."""

Reply = Future[AlertAnswer | None]

MOST_SHOWN = 20_000
"""Characters of a refusal that the journal keeps."""

NOT_TAKEN = "the journal did not take the new rules: look at runner status, then reload again"
RESTLESS = "the rule files are changing all the time: wait until they are written, reload again"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Sound rules with the hooks they listen on, and how many of their tests passed.

    `shares` are the rules of each account, where there are several.
    """

    rules: RuleSet
    hooks: HookTable
    tests: int = 0
    shares: Mapping[str, RuleSet] = field(default_factory=dict)

    def of(self, account: str) -> RuleSet:
        """The rules of an account."""
        return self.shares.get(account, self.rules)


@dataclass(frozen=True, slots=True)
class Loop:
    """One account's loop: `hand_in` gives None when it can take nothing, `running` its rules."""

    hand_in: Callable[[Reload], Future[AlertAnswer | None] | None]
    running: Callable[[], RuleSet]


@dataclass(frozen=True, slots=True)
class Reloading:
    """What a reload works on: `read` raises RunnerError with every mistake; `loops` run the rules.

    `prepare` is called before they are taken, `taken` in a dispatcher's thread right after the
    last account's commit, `over` when all is done. `alone` is held meanwhile: no account may begin.
    """

    read: Callable[[], Candidate]
    prepare: Callable[[Candidate], None]
    loops: Mapping[str, Loop]
    taken: Callable[[Candidate], None]
    over: Callable[[], None]
    alone: threading.Lock = field(default_factory=threading.Lock)


class Reloader:
    """A thread that looks at the rule files, and reloads when they changed or somebody asks."""

    def __init__(self, watch: Watch, poll: float, work: Reloading) -> None:
        """`poll` is the time between two looks in seconds; 0: only when somebody asks."""
        self._work = work
        self._poll = poll
        self._watch = watch
        self._known = self._seen = watch.began
        self._pass_over = 0
        self._asked: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reload", daemon=True)

    def start(self) -> None:
        """Begin to look, in a thread of its own."""
        self._thread.start()

    def ask(self) -> None:
        """Reload now, also when nothing changed; may be called in a signal's handler."""
        self._asked.put(True)

    def stop(self) -> None:
        """End the thread; returns when it is gone or 3 s are over."""
        self._stopping.set()
        self._asked.put(False)
        if self._thread.is_alive():
            self._thread.join(3)

    @property
    def alive(self) -> bool:
        """False when the thread died without being stopped."""
        return self._thread.is_alive() or self._stopping.is_set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                asked = self._asked.get(timeout=self._poll or None)
            except queue.Empty:
                self.look()
                continue
            if asked:
                self.reload()

    def look(self) -> None:
        """Reload when the files changed, and are as they were at the last look."""
        now = self._watch.digest()
        at_rest, self._seen = now == self._seen, now
        if self._pass_over:
            self._pass_over -= 1
        elif now != self._known and at_rest:
            self._load(now, _monotonic_ms())

    def reload(self) -> None:
        """Reload as soon as the files are at rest, changed or not."""
        asked_at = _monotonic_ms()
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and not self._stopping.is_set():
            before = self._watch.digest()
            self._stopping.wait(SETTLE)
            if self._watch.digest() == before and self._load(before, asked_at):
                return
        self._refuse(RESTLESS, asked_at)

    def _load(self, content: str, asked_at: int) -> bool:
        """Load the files if they still have this content afterwards; False when they have not."""
        with self._work.alone:
            return self._load_alone(content, asked_at)

    def _load_alone(self, content: str, asked_at: int) -> bool:
        found = self._read()
        if self._watch.digest() != content:
            return False
        if isinstance(found, str):
            self._known = content
            self._refuse(found, asked_at)
        else:
            taken = self._take(found, asked_at)
            self._known, self._pass_over = (content, 0) if taken else ("", RETRY_LOOKS)
        return True

    def _read(self) -> Candidate | str:
        """Sound rules, or why there are none."""
        try:
            return self._work.read()
        except RunnerError as error:
            return str(error)
        except Exception as error:
            log.exception("the rule files could not be read")
            return f"the rule files could not be read ({type(error).__name__}): see the log"

    def _take(self, candidate: Candidate, asked_at: int) -> bool:
        """All accounts or none: those that took what another one did not go back."""
        self._work.prepare(candidate)
        loops = self._work.loops
        before = {name: loop.running() for name, loop in loops.items()}
        count = _Count(len(loops), lambda: self._work.taken(candidate))
        replies: dict[str, Reply] = {}
        for name, loop in loops.items():
            told = Told(candidate.of(name), asked_at, candidate.tests)
            reply = loop.hand_in(Reload(candidate.of(name), told.loaded))
            if reply is None:
                break
            replies[name] = reply
            reply.add_done_callback(count.one)
        committed = [name for name, reply in replies.items() if self._committed(reply)]
        taken = len(committed) == len(loops)
        if not taken:
            if committed:
                count.forget()
            for name in committed:
                told = Told(before[name], asked_at)
                self._committed(loops[name].hand_in(Reload(before[name], told.loaded)))
            self._refuse(NOT_TAKEN, asked_at)
        self._work.over()
        return taken

    @staticmethod
    def _committed(reply: Reply | None) -> bool:
        try:
            return reply is not None and reply.result(COMMITTED_WITHIN) is not None
        except TimeoutError:
            return False

    def _refuse(self, text: str, asked_at: int) -> None:
        log.error("the rules were not reloaded, those that run go on:\n%s", text.rstrip())
        told = _Refused(text, asked_at)
        for reply in [
            loop.hand_in(Reload(None, told.refused)) for loop in list(self._work.loops.values())
        ]:
            self._committed(reply)


class _Count:
    """Calls `done` once the last of so many replies tells of a commit; by any thread."""

    def __init__(self, missing: int, done: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._missing = missing
        self._done = done

    def one(self, reply: Reply) -> None:
        """Another reply is there."""
        with self._lock:
            self._missing -= reply.result() is not None
            last = not self._missing
        if last:
            self._done()

    def forget(self) -> None:
        """Whatever comes now is too late: an account that had committed goes back."""
        with self._lock:
            self._missing = -1


@dataclass(frozen=True, slots=True)
class Told:
    """What the journal says of rules that were taken up; `asked_at` by the monotonic clock.

    `tests` is how many tests of them passed before, 0 where none are asked for.
    """

    rules: RuleSet
    asked_at: int
    tests: int = 0

    def loaded(self, running: RuleSet, state: State, now: int) -> Record:
        """The record, with the plan of what changes."""
        found = plan(running, self.rules, facts(state, now))
        revision = self.rules.revision
        data = {
            "revision": revision,
            "rules": len(self.rules.rules),
            "plan": found.lines(),
            "changes": [asdict(change) for change in found.changes],
            "asked_monotonic": self.asked_at,
            "tests": self.tests,
        }
        text = f"{found.summary()}, revision {revision[:12]}"
        return Record(now, "reload", text, data=data)


@dataclass(frozen=True, slots=True)
class _Refused:
    """What the journal says of rules that were not."""

    text: str
    asked_at: int

    def refused(self, running: RuleSet, state: State, now: int) -> Record:
        del state
        data = {
            "revision": running.revision,
            "rules": len(running.rules),
            "refused": self.text[:MOST_SHOWN],
            "asked_monotonic": self.asked_at,
        }
        lines = self.text.strip().splitlines()
        # warnings may stand before what refused it
        first = next((line for line in lines if ": error: " in line), lines[0])
        text = f"not reloaded: {first}"
        return Record(now, "reload", text, reason="error", data=data)


def facts(state: State, now: int) -> Facts:
    """What a plan must know of the state."""
    fired: dict[str, int] = {}
    for (rule_id, _), memory in state.memories.items():
        if memory.last_fired_at is not None:
            fired[rule_id] = max(fired.get(rule_id, 0), memory.last_fired_at)
    orders: dict[tuple[str, str], Open] = {}
    for leg in state.legs.values():
        if leg.open and isinstance(leg.intent, OrderIntent):
            key = (state.rule_ids.get(leg.run_id, ""), leg.intent.symbol)
            one = Open(exits=1) if leg.intent.protective else Open(entries=1)
            orders[key] = orders.get(key, Open()) + one
    return Facts(now, next_occurrence, fired, orders)


def _monotonic_ms() -> int:
    """A clock that all processes of this machine share, and that never steps."""
    return time.monotonic_ns() // 1_000_000
