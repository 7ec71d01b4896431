"""Scripted scenarios, played again and again with a crash at each point that they reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path

from runner.core.lifecycle import Timing
from runner.core.rules import RuleSet
from tests.simulation import cheap
from tests.simulation.exchange import PRICES
from tests.simulation.faults import Rates
from tests.simulation.history import Crash, History, Outcome, Story

SHORT = Timing(
    recv_window=2_000,
    engine_margin=300,
    skew=100,
    probe_offsets=(0, 100, 200, 300),
    probe_retry=500,
    first_probe=50,
)
SECOND = 1_000


class Scripted(History):
    """Plays one script; the process dies at the points whose numbers `crashes` names.

    The first number counts from the beginning, each further one from the crash before it.
    """

    def __init__(
        self, script: Script, crashes: tuple[int, ...], rules: RuleSet, folder: Path
    ) -> None:
        """`reached` are the points passed so far, in order."""
        story = Story(0, rates=Rates(), timing=SHORT, down=(SECOND,))
        super().__init__(story, rules, folder)
        self.script = script
        self.crashes = list(crashes)
        self.reached: list[str] = []
        self._since = 0

    def run(self) -> Outcome:
        """The script, then calm, then the reckoning."""
        try:
            self._restart_if_dead()
            self.script(self)
            self._restart_if_dead()
            self._calm()
            self._reckon()
        finally:
            self._end()
            self.exchange.close()
        return self.outcome

    def _reach(self, point: str) -> None:
        if self.network.calm:
            return
        self.reached.append(point)
        self._since += 1
        if self.crashes and self._since == self.crashes[0]:
            self.crashes.pop(0)
            self._since = 0
            raise Crash

    # what scripts are made of

    def wait(self, ms: int) -> None:
        """Let time pass; who died is started again at once, by its supervisor."""
        until = self.clock.now + ms
        while self.clock.now < until:
            self._restart_if_dead()
            self._pass(min(SECOND, max(until - self.clock.now, 1)))

    def alert(self, path: str) -> None:
        """An alert; without a 200 it is sent again, as TradingView does."""
        self.alerted(path)
        self._restart_if_dead()
        self._send_again_what_was_refused()
        self.wait(SECOND)

    def again(self) -> None:
        """The last alert once more."""
        self._post(self.sent[-1])

    def price(self, symbol: str, factor: str) -> None:
        """Move a market."""
        price = (PRICES[symbol] * Decimal(factor)).quantize(Decimal("0.1"))
        self._guarded(lambda: self.exchange.price(symbol, price=price))
        self.wait(SECOND)

    def lose(self, *kinds: str) -> None:
        """What becomes of the next placing requests."""
        self.network.forced += kinds

    def stand_still(self, ms: int) -> None:
        """The process is stopped for so long, and goes on."""
        self._guarded(lambda: self._stand_still(ms))


Script = Callable[[Scripted], None]


def _batch(play: Scripted) -> None:
    play.alert("batch")
    play.wait(2 * SECOND)


def _bracket_to_its_target(play: Scripted) -> None:
    play.alert("bracket")
    play.price("BTCUSDT", "1.012")


def _bracket_to_its_stop(play: Scripted) -> None:
    play.alert("bracket")
    play.price("BTCUSDT", "0.985")


def _cancel_and_close(play: Scripted) -> None:
    play.alert("batch")
    play.alert("sweep")
    play.wait(2 * SECOND)


def _dead_man(play: Scripted) -> None:
    play.alert("bracket")
    play.stand_still(150 * SECOND)
    play.wait(3 * SECOND)


def _batch_unanswered(play: Scripted) -> None:
    play.lose("unknown_503_executed")
    play.alert("batch")
    play.wait(6 * SECOND)


def _batch_never_arrived(play: Scripted) -> None:
    play.lose("unknown_503_lost")
    play.alert("batch")
    play.wait(6 * SECOND)


def _single_refused(play: Scripted) -> None:
    play.lose("refused_503", "throttled")
    play.alert("single")
    play.wait(3 * SECOND)


def _repeated(play: Scripted) -> None:
    play.alert("single")
    play.again()
    play.alert("single")
    play.again()


def _price(play: Scripted) -> None:
    play.price("BTCUSDT", "0.99")
    play.price("BTCUSDT", "1.004")
    play.wait(2 * SECOND)


def _answer_in_disorder(play: Scripted) -> None:
    play.lose("short_batch")
    play.alert("batch")
    play.wait(6 * SECOND)


def _paused(play: Scripted) -> None:
    play.alert("single")
    play.stand_still(20 * SECOND)
    play.alert("single")


SCRIPTS: Mapping[str, Script] = {
    "a batch": _batch,
    "a bracket to its target": _bracket_to_its_target,
    "a bracket to its stop": _bracket_to_its_stop,
    "cancel all, then close": _cancel_and_close,
    "the dead man's switch": _dead_man,
    "a batch placed and not answered": _batch_unanswered,
    "a batch that never arrived": _batch_never_arrived,
    "an order refused twice": _single_refused,
    "the same alert again": _repeated,
    "a price crossed": _price,
    "a batch answered in disorder": _answer_in_disorder,
    "a process that stood still": _paused,
}


def enact(script: Script, crashes: tuple[int, ...], rules: RuleSet) -> tuple[Outcome, list[str]]:
    """Play a script with these crashes; the points reached are told too."""
    with cheap.openings(), cheap.folder() as folder:
        played = Scripted(script, crashes, rules, folder)
        return played.run(), played.reached
