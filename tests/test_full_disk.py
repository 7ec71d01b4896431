"""A full disk: nothing new is taken or sent, what is under way is recorded, and then it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from runner.audit import differences
from runner.core.events import Alert
from runner.core.rules import RuleSet
from runner.errors import JournalFull
from runner.journal import JournalReader
from runner.journal.room import MIB, Disk
from runner.rulebook.load import load
from runner.venues import SignedRequest
from runner.virtual import Calm, VirtualClock, VirtualExchange, VirtualRunner, Wire
from tests.exchanges import bottomless

START = 1_760_000_000_000
RULES = """\
version: 1
rules:
  - id: buy
    symbol: ETHUSDT
    when: [{webhook: {path: buy, secret: tv, body: {n: number}, dedupe: [n]}}]
    do: [{place: {side: buy, type: market, quantity: 0.1}}]
  - id: above
    symbol: ETHUSDT
    when: [{price: {crosses_above: 3600}}]
    do: [{place: {side: sell, type: market, quantity: 0.1}}]
  - id: timer
    symbol: ETHUSDT
    when: [{schedule: {every: 1m, missed: all}}]
    do: [{notify: tick}]
"""


class Slow(Calm):
    """A network on which a test decides when the answers come."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[Wire] | None = None

    def carry(self, signed: SignedRequest, wire: Wire) -> None:
        if self.held is not None and "order" in signed.path.lower() and signed.method == "POST":
            self.held.append(wire)
        else:
            super().carry(signed, wire)

    def let_go(self) -> None:
        """The exchange takes what was held, and answers at once."""
        held, self.held = self.held or [], None
        for wire in held:
            wire.answer(wire.execute())


class Story:
    """A runner on a virtual clock with a disk that a test fills."""

    def __init__(self, folder: Path) -> None:
        """An exchange with one symbol, and the rules above."""
        (folder / "rules.yaml").write_text(RULES)
        rules = load(folder / "rules.yaml").rules
        assert rules is not None
        self.rules: RuleSet = rules
        self.folder = folder
        self.clock = VirtualClock(START)
        engine = bottomless(START, lambda _: Decimal(3_500), ("ETHUSDT",))
        self.exchange = VirtualExchange(engine, self.clock)
        self.network = Slow()
        self.free = 100 * MIB
        self.runner = self.start()

    def start(self) -> VirtualRunner:
        """Begin a life of the runner, on the disk that the test fills."""
        runner = VirtualRunner(
            self.folder / "journal.db", self.rules, self.exchange, self.clock, network=self.network
        )
        disk = Disk(self.folder / "journal.db", lambda _: self.free, 0)
        runner.journal._database.room = disk  # type: ignore[misc]  # the test's own disk
        runner.advance(self.clock.now + 2_000)
        return runner

    def alert(self, number: int) -> str | None:
        """Post an alert; the outcome, or None for a 503."""
        alert = Alert("buy", {"n": Decimal(number)}, f"{number:064}", self.clock.now)
        answer = self.runner.ask(alert)
        return None if answer is None else answer.outcome

    def wait(self, ms: int) -> None:
        """Let time pass."""
        self.runner.advance(self.clock.now + ms)

    def states(self) -> list[str]:
        """The journal's orders."""
        with JournalReader.open(self.folder / "journal.db") as reader:
            return [order["state"] for order in reader.orders()]

    def wrong(self) -> list[str]:
        """What journal and exchange disagree about."""
        (account,) = self.exchange.exchange.state.accounts.values()
        accepted = [order.client_order_id for order in account.orders.values()]
        with JournalReader.open(self.folder / "journal.db") as reader:
            return differences(reader.orders(), accepted, "main")


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    """A quiet runner; ended with the test."""
    story = Story(tmp_path)
    yield story
    story.runner.crash()


def test_a_nearly_full_disk_takes_nothing_new_and_records_what_is_under_way(story: Story) -> None:
    """Alerts get 503, the answer to what was sent is written from the last room."""
    story.network.held = []
    assert story.alert(1) == "fired"
    assert story.states() == ["SENDING"]
    story.free = 8 * MIB
    assert story.alert(2) is None
    assert "free space" in story.runner.dispatcher.full
    story.network.let_go()
    story.wait(1_000)
    assert story.states() == ["FILLED"]
    story.free = 100 * MIB
    story.wait(2_000)
    assert story.runner.dispatcher.full == ""
    assert story.alert(2) == "fired"
    story.wait(2_000)
    assert story.states() == ["FILLED", "FILLED"]
    assert story.wrong() == []


def test_a_refused_commit_sends_nothing_and_is_forgotten_whole(story: Story) -> None:
    """What was decided and not committed did not happen: the same alert fires later, once."""
    story.runner.dispatcher._journal.room_to_begin = lambda: True  # type: ignore[method-assign]
    story.free = 0
    assert story.alert(1) is None
    story.wait(5_000)
    assert story.alert(1) is None
    story.free = 100 * MIB
    story.wait(2_000)
    assert story.states() == []
    assert story.alert(1) == "fired"
    assert story.alert(1) == "duplicate"
    story.wait(2_000)
    assert story.states() == ["FILLED"]
    assert story.wrong() == []


def test_an_answer_that_could_not_be_recorded_is_asked_for(story: Story) -> None:
    """With no room at all the answer is lost; the order is then found by its id, not sent again."""
    story.network.held = []
    assert story.alert(1) == "fired"
    story.free = 0
    story.network.let_go()
    story.wait(30_000)
    assert story.states() == ["SENDING"]
    story.free = 100 * MIB
    story.wait(30_000)
    assert story.states() == ["FILLED"]
    assert story.wrong() == []


def test_what_was_crossed_meanwhile_is_not_fired_late(story: Story) -> None:
    """A price that crossed while nothing could be recorded counts as crossed while away."""
    story.free = 8 * MIB
    story.wait(1_000)
    story.exchange.price("ETHUSDT", price=Decimal(3_650))
    story.wait(5_000)
    story.free = 100 * MIB
    story.wait(2_000)
    story.exchange.price("ETHUSDT", price=Decimal(3_660))
    story.wait(5_000)
    assert story.states() == []


def test_schedules_are_made_up_for_from_their_watermark(story: Story) -> None:
    """Instants that came while the disk was full are reckoned from the journal."""
    story.free = 8 * MIB
    story.wait(300_000)
    story.free = 100 * MIB
    story.wait(2_000)
    with JournalReader.open(story.folder / "journal.db") as reader:
        assert len(reader.runs(rule_id="timer")) == 5


def test_a_kill_while_full_loses_nothing(story: Story) -> None:
    """Starting again with room is the same walk as going on."""
    story.network.held = []
    assert story.alert(1) == "fired"
    story.free = 0
    story.network.let_go()
    story.wait(3_000)
    story.runner.crash()
    story.free = 100 * MIB
    story.runner = story.start()
    story.wait(30_000)
    assert story.states() == ["FILLED"]
    assert story.wrong() == []


def test_the_commit_itself_says_full(story: Story) -> None:
    """JournalFull of a commit is an end to the turn, never to the dispatcher."""
    journal = story.runner.journal

    def refuse(*_: object) -> None:
        raise JournalFull("no room left")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "commit", refuse)
        assert story.alert(1) is None
    story.wait(3_000)
    assert story.alert(1) == "fired"
