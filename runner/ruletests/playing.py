"""Plays one test: its steps in their order on a virtual clock, and what came of them."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from runner.core.decision import Reason, Record
from runner.core.events import Alert
from runner.core.firing import trigger_memory
from runner.core.formula import EvaluationError
from runner.core.rules import Rule, WaitsForPrice
from runner.core.view import Exposure, Names
from runner.rulebook.diagnostics import Diagnostic
from runner.rulebook.tests_model import Case, Prices, Step, TestsFile, spoken
from runner.ruletests.comparing import Difference, differences
from runner.ruletests.happening import stop, tell
from runner.ruletests.stage import NotOnStage, Stage, build, choose
from runner.ruletests.watching import Cause, Watch
from runner.sources.bodies import body_hash, event_time, parse
from runner.sources.malformed import BodyError
from runner.venues.paper.matching import close, fill_by_hand
from runner.venues.paper.orders import Order as PaperOrder
from runner.virtual import VirtualRunner

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # where the machine has it, a journal costs least
BEAT = 1_000
"""Ms between two prices of a stream that says the same again, as the exchange's mark does."""

CLOSELY = 10_000
"""How long (ms) after a step every beat is played; later only what somebody waits for."""

STRIDE = 60_000
SETTLED = 1_000
"""Ms that orders may take to come to rest before an `expect` is read."""

AGES = 10**15
"""Prices that nobody moved are as good as new through a stretch in which nothing happens."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one test: it passed when `failures` is empty.

    `log` is the rule's own, times in ms from the start of the test; `seconds` is ours.
    """

    case: Case
    failures: tuple[Diagnostic, ...]
    log: tuple[tuple[int, Record], ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """True when all was as expected."""
        return not self.failures


def play(tests: TestsFile, case: Case, snapshot: Path | None = None) -> Result:
    """Play one sound test. Raises UsageError when the snapshot cannot be read."""
    assert tests.rules is not None
    began = time.perf_counter()
    try:
        stage = build(tests, case, tests.rules, snapshot)
    except NotOnStage as problem:
        path = (*case.path, problem.what)
        found = tests.mark(path, problem.message, "unknown-symbol", problem.cure)
        return Result(case, (found,), (), time.perf_counter() - began)
    with _folder() as folder:
        player = Player(tests, case, stage, folder)
        found_ones = [tests.mark(d.path, d.text, "test") for d in player.play()]
    return Result(case, tuple(found_ones), tuple(player.watch.log), time.perf_counter() - began)


@contextmanager
def _folder() -> Iterator[Path]:
    place = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="runner-test-", dir=place) as name:
        yield Path(name)


class Player:
    """One test under way."""

    def __init__(self, tests: TestsFile, case: Case, stage: Stage, folder: Path) -> None:
        """Nothing has happened yet; the runner starts with `play`."""
        self._tests = tests
        self._case = case
        self._stage = stage
        self._journal = folder / "journal.db"
        self._rules = stage.rules
        self.watch = Watch(self._rule(), case.start, self._planned)
        self._rejected = {s.reject["order"]: s.reject["code"] for s in case.steps if s.reject}
        self._fills = [step.fill["order"] for step in case.steps if step.fill]
        self._runner = self._start()
        self._runner.advance(case.start)
        self._gap_from = 0
        self._back_at: int | None = None
        self._own = _own_prices(case)

    def _rule(self) -> Rule:
        return self._rules.rules[self._case.rule]

    def _start(self) -> VirtualRunner:
        stage = self._stage
        return VirtualRunner(
            self._journal,
            self._rules,
            stage.exchange,
            stage.clock,
            network=stage.network,
            observers=[self.watch.observe],
        )

    def _planned(self, number: int, client_order_id: str) -> None:
        """An order is about to be sent: what the test says of it holds from now on."""
        state = self._stage.exchange.exchange.state
        if number in self._rejected:
            state.refused[client_order_id] = self._rejected[number]
        if number in self._fills:
            state.held.add(client_order_id)

    def play(self) -> Iterator[Difference]:
        """Every step; the first that is not as expected ends it."""
        try:
            for step in self._case.steps:
                found = list(self._step(step))
                yield from found
                if found:
                    return
            self._settle()
            if self.watch.done.fired_at:
                at = spoken(self.watch.done.fired_at[0])
                text = f"the rule fired at {at}, and no expect after it says so"
                yield Difference((*self._case.path, "name"), text)
        finally:
            self._runner.crash()

    def _step(self, step: Step) -> Iterator[Difference]:
        self._pass(self._at(step.at))
        yield from self._happen(step)
        self._runner.advance(self._stage.clock.now)
        if step.expect is not None or step.because:
            self._settle()
            standing = standing_causes(self._rule(), self._case.symbol, self._runner)
            yield from differences(step, self.watch.done, standing)
        if step.expect is not None:
            self.watch.take()

    def _at(self, at: int) -> int:
        return self._case.start + at

    # what happens

    def _happen(self, step: Step) -> Iterator[Difference]:
        if step.restart is not None:
            self._restart(step.restart)
        if step.stop is not None:
            stop(self._runner)
            self._restart(step.stop)
        if step.reload:
            self._reload(step.reload)
        if step.gap:
            self._gap(step.gap)
        for prices in step.prices:
            self._pass(self._at(step.at + prices.after))
            yield from self._move(step, prices)
        if step.hook:
            yield from self._alert(step)
        if step.fill is not None:
            yield from self._fill(step, step.fill)
        if step.dead_man:
            yield from self._dead_man(step)
        for key, told in step.events.items():
            text = tell(self._runner, self._stage, self._rule(), self._case.symbol, key, told)
            if text:
                yield Difference((*step.path, key), text)

    def _restart(self, down: int) -> None:
        self._runner.crash()
        clock = self._stage.clock
        clock.now += down
        clock.run_due()
        self._stage.exchange.settle()
        self._back_at = None
        self._runner = self._start()

    def _reload(self, name: str) -> None:
        self._rules = choose(self._tests.reloads[name], self._case)
        if self._case.rule in self._rules.rules:
            self.watch.rule = self._rule()
        self._runner.reload(self._rules)

    def _gap(self, length: int) -> None:
        self._runner.break_off()
        self._gap_from = self._stage.clock.now
        self._back_at = self._gap_from + length

    def _move(self, step: Step, prices: Prices) -> Iterator[Difference]:
        values: dict[str, Decimal] = dict(prices.values)
        own = self._own.get(prices.symbol, set())
        for leader, follower in (("mark", "last"), ("last", "mark")):
            if leader in values and follower not in own:
                values[follower] = values[leader]
        self._stage.network.unpriced.discard(prices.symbol)
        try:
            self._stage.exchange.price(prices.symbol, **values)
        except ValueError as error:
            yield Difference(step.path, str(error))
        self._runner.advance(self._stage.clock.now)

    def _alert(self, step: Step) -> Iterator[Difference]:
        now = self._stage.clock.now
        try:
            fields = parse(as_json(step.body).encode())
        except BodyError as error:
            yield Difference((*step.path, "webhook", "body"), str(error))
            return
        alert = Alert(step.hook, fields, body_hash(fields), now, event_time(fields))
        self._runner.ask(alert)

    def _fill(self, step: Step, fill: Mapping[str, Any]) -> Iterator[Difference]:
        self._settle()
        number, state = fill["order"], self._stage.exchange.exchange.state
        order = self._paper_order(number)
        self._fills.remove(number)
        if order is None or not order.is_open:
            text = self._no_fill(number)
            yield Difference((*step.path, "fill", "order"), text)
            return
        now = self._stage.clock.now
        price, quantity = _decimal(fill.get("price")), _decimal(fill.get("quantity"))
        fill_by_hand(state, order, price, quantity, now)
        brief = order.type == "MARKET" or order.time_in_force in ("IOC", "FOK")
        if number not in self._fills:
            state.held.discard(order.client_order_id)
            if brief and order.left:
                close(state, order, "EXPIRED", now)
        self._stage.exchange.settle(at_once=True)

    def _paper_order(self, number: int) -> PaperOrder | None:
        leg = self.watch.legs.get(number)
        for order in self._stage.exchange.exchange.orders():
            if leg is not None and order.client_order_id == leg.client_order_id:
                return order
        return None

    def _no_fill(self, number: int) -> str:
        leg = self.watch.legs.get(number)
        if leg is None:
            return f"there is no order {number} yet: so far {len(self.watch.legs)} were placed"
        return (
            f"order {number} is not on the book ({leg.state.value.lower()}): a stop fills when "
            "the price reaches it"
        )

    def _dead_man(self, step: Step) -> Iterator[Difference]:
        what: Literal["expired", "late"] = "expired" if step.dead_man == "expired" else "late"
        if not self._runner.countdown(self._case.symbol, what):
            text = f"{self._case.symbol} has no countdown: it is not under dead_man in the rules"
            yield Difference((*step.path, "dead_man"), text)

    # how time passes

    def _pass(self, until: int) -> None:
        """Let time pass with the prices as they are, and end a gap that is over on the way."""
        back = self._back_at
        if back is not None and back <= until:
            self._runner.advance(max(back, self._stage.clock.now))
            self._back_at = None
            self._runner.rejoin(self._gap_from)
        if self._back_at is not None:
            self._runner.advance(until)
            return
        self._beat(until)

    def _beat(self, until: int) -> None:
        """Every second at first, or while a wait ends; then in strides, the prices kept fresh."""
        clock, runner = self._stage.clock, self._runner
        closely = clock.now + CLOSELY
        stale_after = runner.board.stale_after
        while clock.now < until:
            wakes = self._wakes_at()
            near = clock.now < closely or until - clock.now <= 2 * BEAT
            if wakes is not None and wakes - clock.now <= 2 * BEAT:
                near = True
            ends = [until - BEAT, clock.now + STRIDE, *([wakes - BEAT] if wakes else [])]
            at = clock.now + BEAT if near else max(min(ends), clock.now + BEAT)
            runner.board.stale_after = stale_after if near else AGES
            runner.advance(min(_on_the_beat(at, self._case.start), until))
            self._repeat()
        runner.board.stale_after = stale_after

    def _wakes_at(self) -> int | None:
        """When a `for:` that runs is over."""
        found = []
        for rule in self._rules.rules.values():
            for trigger in rule.triggers:
                if not isinstance(trigger, WaitsForPrice):
                    continue
                for symbol in rule.symbols:
                    wakes = _wakes(self._runner, rule, symbol, trigger)
                    found += [] if wakes is None or wakes < self._stage.clock.now else [wakes]
        return min(found, default=None)

    def _repeat(self) -> None:
        """Every stream says again what it said last."""
        self._stage.exchange.repeat()
        self._runner.advance(self._stage.clock.now)

    def _settle(self) -> None:
        """Wait until what was sent is answered and what it led to is sent."""
        clock = self._stage.clock
        end = clock.now + SETTLED
        self._runner.advance(clock.now)
        while self._runner.busy and clock.now < end:
            self._runner.advance(clock.now + 50)


def _wakes(runner: VirtualRunner, rule: Rule, symbol: str, trigger: Any) -> int | None:
    memory = runner.engine.state.memories.get((rule.id, symbol))
    if memory is None:
        return None
    now = runner.clock.now
    names = Names(runner.view, symbol, now, {}, memory, Exposure)
    try:
        return trigger.waits(trigger_memory(memory, trigger), names).wake_at  # type: ignore[no-any-return]
    except EvaluationError:
        return None


def _on_the_beat(at: int, start: int) -> int:
    return start + (at - start) // BEAT * BEAT


def as_json(value: Any) -> str:
    """A tree as JSON, its numbers exactly as they were written."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{as_json(str(k))}:{as_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(as_json, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def standing_causes(rule: Rule, symbol: str, runner: VirtualRunner) -> list[Cause]:
    """Why the rule does not fire right now, as its triggers' memories tell."""
    memories = runner.engine.state.memories
    switched, memory = memories.get((rule.id, "")), memories.get((rule.id, symbol))
    enabled = None if switched is None else switched.enabled
    if not (rule.enabled if enabled is None else enabled):
        return [Cause(Reason.DISABLED.value, f"{rule.id} is disabled")]
    found = []
    for trigger in rule.triggers:
        if not isinstance(trigger, WaitsForPrice):
            continue
        own = trigger_memory(memory, trigger) if memory else {}
        if not own:
            found.append(Cause(Reason.NO_DATA.value, "no price came yet"))
        elif own.get("crossed_at") is not None:
            found.append(Cause(Reason.WAITING.value, "it crossed and must stay there"))
        elif own.get("armed") is False:
            found.append(Cause(Reason.NOT_ARMED.value, "it fired and waits for rearm"))
    return found


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)


def _own_prices(case: Case) -> dict[str, set[str]]:
    """The sources that the test itself moves, for each symbol: those follow no other."""
    own: dict[str, set[str]] = {}
    for step in case.steps:
        for prices in step.prices:
            own.setdefault(prices.symbol, set()).update(prices.values)
    return own
