"""Every error of the exchange, played through engine, adapter and journal on a virtual clock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from runner.connecting import PAPER_KEY
from runner.core.decision import Leg
from runner.core.events import Alert
from runner.core.lifecycle import Answer, classify
from runner.core.orders import OrderState, Outcome
from runner.rulebook.load import load
from runner.venues import RawAnswer, SignedRequest
from runner.venues.binance_usdm.code_names import NAME_OF
from runner.venues.binance_usdm.codes import CLASS_OF, KNOWN_CODES, ErrorClass
from runner.venues.binance_usdm.cures import CURE_OF, UNLISTED, cure
from runner.venues.binance_usdm.error_page import (
    ELSEWHERE,
    FATES,
    HTTP_KINDS,
    HttpKind,
    outcome_of,
    page,
)
from runner.venues.paper.exchange import Exchange
from runner.venues.paper.symbols import built_in, start_price
from runner.virtual import Calm, VirtualClock, VirtualExchange, VirtualRunner, Wire
from tests.conftest import REPOSITORY

START = 1_763_640_000_000
FINAL = frozenset(
    {OrderState.REJECTED, OrderState.LAPSED, OrderState.PARKED, OrderState.LIVE, OrderState.FILLED}
)
RULE = """
version: 1
rules:
  - id: tv
    symbol: ETHUSDT
    when: [{webhook: {path: tv, secret: tv, body: {n: number}}}]
    do: [{place: {side: buy, type: limit, price: =mark * 0.9, quantity: 0.1}}]
"""


class Scripted(Calm):
    """Answers the next `times` placing calls itself, so that none of them reaches the book."""

    def __init__(self) -> None:
        super().__init__(1)
        self.sent = self.times = 0
        self.answer = RawAnswer("broken")

    def carry(self, signed: SignedRequest, wire: Wire) -> None:
        if (signed.method, signed.path) != ("POST", "/fapi/v1/order"):
            super().carry(signed, wire)
            return
        self.sent += 1
        if self.sent > self.times:
            super().carry(signed, wire)
        else:
            wire.clock.plan(wire.clock.now + 1, lambda: wire.answer(self.answer))


class Stage:
    """One runner over the paper exchange; each entry played on it is an alert of its own."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock(START)
        symbols = {"ETHUSDT": built_in()["ETHUSDT"]}
        engine = Exchange(symbols, accounts=(), price_of=start_price, now=START)
        self.exchange = VirtualExchange(engine, self.clock)
        engine.open_account(PAPER_KEY, START)
        rules = folder / "rules.yaml"
        rules.write_text(RULE, "utf-8")
        found = load(rules).rules
        assert found is not None
        self.network = Scripted()
        self.runner = VirtualRunner(
            folder / "journal.db", found, self.exchange, self.clock, network=self.network
        )
        self.runner.advance(START + 1_000)
        self.played = 0

    def play(self, answer: RawAnswer, times: int = 10**9) -> tuple[int, Leg]:
        """An entry whose first placing calls are answered so; how often it left, and its leg."""
        self.network.answer, self.network.times, self.network.sent = answer, times, 0
        self.played += 1
        runner, now = self.runner, self.clock.now
        self.exchange.price("ETHUSDT", mark=Decimal(3_000), last=Decimal(3_000))
        before = {*runner.engine.state.legs}
        runner.ask(Alert("tv", {"n": Decimal(self.played)}, f"body {self.played}", now, now))
        (name,) = {*runner.engine.state.legs} - before
        for _ in range(30):
            runner.advance(self.clock.now + 1_000)
            known = runner.engine.state.find(name)
            if known is not None and known.state in FINAL:
                return self.network.sent, known
            runner.advance(self.clock.now + 9_000)
        raise AssertionError(f"{name} does not come to an end")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One life of a runner for all codes of this process: what is over is over."""
    made = Stage(tmp_path_factory.mktemp("errors"))
    yield made
    made.runner.crash()


def _said(code: int, status: int = 400) -> RawAnswer:
    return RawAnswer("ok", status, json.dumps({"code": code, "msg": "so it said"}).encode())


def _check(attempts: int, leg: Leg, outcome: Outcome) -> None:
    fate = FATES[outcome]
    assert leg.state is fate.end
    assert (attempts == 1) if fate.attempts == "1" else (15 <= attempts <= 25)
    assert leg.attempt == attempts


@pytest.mark.parametrize("code", sorted(KNOWN_CODES))
def test_each_code_ends_as_the_page_says(code: int, stage: Stage) -> None:
    """Attempts and final state of an entry that the exchange always answers with this code."""
    attempts, leg = stage.play(_said(code))
    outcome = outcome_of(code)
    _check(attempts, leg, outcome)
    if outcome is Outcome.REJECTED:
        assert leg.code == code
        assert leg.message == f"so it said ({cure(code)})"


@pytest.mark.parametrize(
    "code", sorted(code for code in KNOWN_CODES if outcome_of(code) is Outcome.NOT_ACCEPTED)
)
def test_what_is_certainly_not_executed_is_sent_again_once(code: int, stage: Stage) -> None:
    """Answered so once, the second attempt rests on the book."""
    attempts, leg = stage.play(_said(code), 1)
    assert (attempts, leg.state) == (2, OrderState.LIVE)


def test_an_unlisted_code_proves_nothing(stage: Stage) -> None:
    """A code that no list has is asked about, never taken for a refusal."""
    attempts, leg = stage.play(_said(-9_999))
    _check(attempts, leg, Outcome.UNKNOWN)


def _http(kind: HttpKind) -> RawAnswer:
    answer = kind.answer
    if answer.transport != "ok":
        return RawAnswer(answer.transport, detail="as scripted")
    body = b"<html>"
    if answer.code is not None or answer.message:
        fields = {"msg": answer.message} | ({} if answer.code is None else {"code": answer.code})
        body = json.dumps(fields).encode()
    return RawAnswer("ok", answer.status, body)


@pytest.mark.parametrize("kind", HTTP_KINDS, ids=lambda kind: kind.kind)
def test_each_http_kind_ends_as_the_page_says(kind: HttpKind, tmp_path: Path) -> None:
    """Attempts and final state for every status that is told apart, with its text."""
    stage = Stage(tmp_path)
    attempts, leg = stage.play(_http(kind))
    stage.runner.crash()
    _check(attempts, leg, classify(kind.answer, KNOWN_CODES))


def test_the_page_is_what_the_code_says() -> None:
    """docs/errors.md is generated; `python -m runner.venues.binance_usdm.error_page` writes it."""
    assert (REPOSITORY / "docs" / "errors.md").read_text("utf-8") == page()


def test_every_code_has_a_name_a_class_and_a_cure() -> None:
    """No code without one, none invented, and each cure is words."""
    assert NAME_OF.keys() == CURE_OF.keys() == CLASS_OF.keys() == KNOWN_CODES
    assert ELSEWHERE.keys() <= KNOWN_CODES
    assert all(len(text) > 15 and not text.endswith(".") for text in CURE_OF.values())
    assert cure(-9_999) == UNLISTED
    assert {CLASS_OF[code] for code in KNOWN_CODES} == set(ErrorClass)


def test_the_names_are_the_documented_ones(recorded: Path) -> None:
    """As recorded, spaces and small letters apart; two codes have no name of the exchange's."""
    rows = json.loads((recorded / "binance_errors.json").read_text())
    theirs = {row["code"]: row["name"].upper().replace(" ", "_") for row in rows}
    differing = {code for code, name in theirs.items() if NAME_OF[code] != name}
    assert differing == {-4531, -5047}


def test_every_recorded_http_kind_is_in_the_table(recorded: Path) -> None:
    """The rows of the recorded table, apart from 400, which goes by code."""
    rows = json.loads((recorded / "binance_http.json").read_text())
    assert len(HTTP_KINDS) == len(rows) - 1


def test_an_answer_without_verdict_is_never_a_refusal() -> None:
    """Each of the classes that prove nothing leads to UNKNOWN, whatever else is in the table."""
    for code in KNOWN_CODES:
        if CLASS_OF[code] in (ErrorClass.UNKNOWN, ErrorClass.DUPLICATE):
            assert outcome_of(code) is Outcome.UNKNOWN
    assert classify(Answer("ok", 500, -2019, "", "error"), KNOWN_CODES) is Outcome.UNKNOWN
