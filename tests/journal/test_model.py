"""Whatever is decided, the journal holds what a plain model of it holds."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from runner.core.decision import (
    FINAL,
    Attempt,
    DeadManState,
    Decision,
    FillRow,
    Leg,
    Record,
    RuleMemory,
    Run,
    RunStatus,
)
from runner.core.events import Fill
from runner.core.orders import OrderState
from runner.journal import Journal, JournalReader
from tests.journal.building import (
    DEAD_MEN,
    MEMORIES,
    NOW,
    attempt_of,
    leg_of,
    open_journal,
    run_of,
)

CHANGES = st.fixed_dictionaries(
    {
        "state": st.sampled_from(OrderState),
        "negatives": st.integers(0, 4),
        "next_at": st.none() | st.integers(0, 2**40),
        "cumulative_quantity": st.decimals(0, 9, places=3),
        "message": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    }
)


class JournalModel(RuleBasedStateMachine):
    """Random decisions, gathered into groups, committed, and now and then a new life."""

    @initialize()
    def start(self) -> None:
        """An empty journal and an empty model."""
        self.folder = tempfile.TemporaryDirectory()
        self.journal: Journal = open_journal(Path(self.folder.name))
        self.waiting: list[Decision] = []
        self.decision = Decision()
        self.runs: dict[str, Run] = {}
        self.legs: dict[str, Leg] = {}
        self.attempts: list[Attempt] = []
        self.fills: dict[tuple[str, str], FillRow] = {}
        self.memories: dict[tuple[str, str], RuleMemory] = {}
        self.dead_men: dict[str, DeadManState] = {}
        self.records: list[Record] = []

    def teardown(self) -> None:
        """Give the file back."""
        if hasattr(self, "journal"):
            self.journal.close()
            self.folder.cleanup()

    @rule(legs=st.integers(0, 4))
    def fire(self, legs: int) -> None:
        """A new run with its legs."""
        run = replace(run_of(f"k{len(self.runs)}"), fired_at=NOW + len(self.runs))
        self.runs[run.run_id] = run
        self.decision.new_runs.append(run)
        for number in range(legs):
            leg = leg_of(run, f"0.{number}", planned_at=NOW + len(self.legs))
            self.legs[leg.client_order_id] = leg
            self.decision.change_leg(None, leg)

    @precondition(lambda self: self.legs)
    @rule(data=st.data(), changes=CHANGES, sign=st.booleans())
    def change_leg(self, data: st.DataObject, changes: dict[str, object], sign: bool) -> None:
        """A leg moves anywhere, perhaps signed anew."""
        before = data.draw(st.sampled_from(list(self.legs.values())))
        after = replace(before, **changes)  # type: ignore[arg-type]  # drawn from the field's types
        if sign:
            after = replace(after, attempt=before.attempt + 1)
            attempt = attempt_of(after, after.attempt)
            self.decision.attempts.append(attempt)
            self.attempts.append(attempt)
        self.decision.change_leg(before, after)
        self.legs[after.client_order_id] = after

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), status=st.sampled_from(RunStatus), step=st.integers(0, 5))
    def change_run(self, data: st.DataObject, status: RunStatus, step: int) -> None:
        """A run goes on or ends."""
        before = data.draw(st.sampled_from(list(self.runs.values())))
        after = replace(before, status=status, step=step, watching=(step,), reason=status.value)
        self.decision.runs[after.run_id] = after
        self.runs[after.run_id] = after

    @precondition(lambda self: self.legs)
    @rule(data=st.data(), trade=st.integers(0, 5), price=st.decimals(1, 9, places=2))
    def fill(self, data: st.DataObject, trade: int, price: Decimal) -> None:
        """A fill, perhaps one that was told before: the first telling stays."""
        leg = data.draw(st.sampled_from(list(self.legs.values())))
        fill = Fill(str(trade), price, Decimal(1), Decimal(0), "USDT", Decimal(0), NOW)
        row = FillRow(leg.client_order_id, "BTCUSDT", fill)
        self.decision.fills.append(row)
        self.fills.setdefault((row.symbol, fill.trade_id), row)

    @rule(key=st.sampled_from([("a", "X"), ("a", "Y"), ("b", "X")]), memory=MEMORIES)
    def remember(self, key: tuple[str, str], memory: RuleMemory) -> None:
        """A rule's memory changes."""
        self.decision.memories[key] = memory
        self.memories[key] = memory

    @rule(state=DEAD_MEN, symbol=st.sampled_from(["BTCUSDT", "ETHUSDT"]))
    def count_down(self, state: DeadManState, symbol: str) -> None:
        """A countdown is confirmed."""
        state = replace(state, symbol=symbol)
        self.decision.dead_men[symbol] = state
        self.dead_men[symbol] = state

    @rule(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
    def record(self, text: str) -> None:
        """A line of the log."""
        line = Record(NOW, "event", text)
        self.decision.records.append(line)
        self.records.append(line)

    @rule()
    def next_decision(self) -> None:
        """The decision is complete; it waits for the commit of its group."""
        self.waiting.append(self.decision)
        self.decision = Decision()

    @rule(again=st.booleans())
    def commit(self, again: bool) -> None:
        """The group is committed, and perhaps a new life begins."""
        self.journal.commit([*self.waiting, self.decision])
        self.waiting = []
        self.decision = Decision()
        if again:
            self.journal.close()
            self.journal = open_journal(Path(self.folder.name))

    @invariant()
    def journal_equals_model(self) -> None:
        """After each commit the journal holds exactly what was decided."""
        if not hasattr(self, "journal") or self.waiting or not self.decision.empty:
            return
        runs = {run.run_id: run for run in self.journal.runs(self.runs)}
        legs = {leg.client_order_id: leg for leg in self.journal.legs_of(self.runs)}
        assert runs == self.runs
        assert legs == self.legs
        assert self.journal.open_runs() == [
            run for run in self.runs.values() if run.status is RunStatus.RUNNING
        ]
        open_legs = {leg.client_order_id for leg in self.journal.open_legs()}
        assert open_legs == {key for key, leg in self.legs.items() if leg.state not in FINAL}
        assert self.journal.memories() == self.memories
        assert self.journal.dead_men() == self.dead_men
        for run in self.runs.values():
            identity = run.identity
            key = (identity.rule_id, identity.trigger, identity.symbol, identity.event_key)
            assert self.journal.seen(*key) == run.run_id
        with JournalReader.open(self.journal.path) as reader:
            assert [record["text"] for record in reader.records()] == [
                record.text for record in self.records
            ]
            prices = {(fill["symbol"], fill["trade_id"]): fill["price"] for fill in reader.fills()}
            orders = reader.orders()
        assert prices == {key: str(row.fill.price) for key, row in self.fills.items()}
        assert sum(len(order["attempts"]) for order in orders) == len(self.attempts)


JournalModel.TestCase.settings = settings(max_examples=40, stateful_step_count=25)
TestJournalModel = JournalModel.TestCase
