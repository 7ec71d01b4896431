"""The kill switch's own way out: at once, for every symbol, repeated until it got through."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.core.events import Command
from runner.core.orders import CancelCall
from runner.killing import REQUEST, TRIES, KillSwitch, leave_request
from runner.venues import RawAnswer
from tests.support import eventually


class Wire:
    """A venue as far as the kill switch looks at it."""

    def __init__(self, answer: Callable[[int], RawAnswer]) -> None:
        """`answer` to the call of this number."""
        self.sent: list[tuple[str, str]] = []
        self.handed: list[Command] = []
        self._answer = answer

    def request(self, call: CancelCall) -> CancelCall:
        """The call itself."""
        assert call.intent.target is None
        return call

    def sign(self, call: CancelCall) -> CancelCall:
        """The call itself."""
        return call

    def send(self, call: CancelCall) -> RawAnswer:
        """Note it."""
        self.sent.append((call.intent.symbol, call.intent.family.value))
        return self._answer(len(self.sent))


def switch(folder: Path, wire: Wire) -> KillSwitch:
    """A kill switch of two symbols."""
    venue: Any = wire
    return KillSwitch(folder, venue, lambda: ["BTCUSDT", "ETHUSDT"], wire.handed.append)


ALL = [(symbol, family) for symbol in ("BTCUSDT", "ETHUSDT") for family in ("order", "algo")]


def test_a_request_in_the_folder_cancels_everything_once(tmp_path: Path) -> None:
    """Both families of each symbol; the request is gone."""
    wire = Wire(lambda _: RawAnswer("ok", 200))
    kill = switch(tmp_path, wire)
    kill.start()
    try:
        leave_request(tmp_path)
        eventually(lambda: len(wire.sent) == len(ALL), 60)
        assert sorted(wire.sent) == sorted(ALL)
        assert not (tmp_path / REQUEST).exists()
        assert kill.alive
    finally:
        kill.stop()
    assert len(wire.sent) == len(ALL)


def test_the_kernel_tells_of_a_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost until the next look, which here never comes; one after another."""
    monkeypatch.setattr("runner.killing.LOOK_EVERY", 3_600.0)
    wire = Wire(lambda _: RawAnswer("ok", 200))

    def sent(times: int) -> None:
        eventually(lambda: len(wire.sent) == times * len(ALL), 60)

    kill = switch(tmp_path, wire)
    kill.start()
    try:
        arrivals = kill._arrivals
        if arrivals is None or not arrivals.told:
            pytest.skip("this system does not tell of files")
        for times in (1, 2, 3):
            leave_request(tmp_path)
            sent(times)
        kill.now("k1")
        sent(4)
    finally:
        kill.stop()
    assert not kill._thread.is_alive()


def test_a_request_that_the_kernel_does_not_tell_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the folder is on another machine: it is found at the next look."""
    monkeypatch.setattr("runner.ops.arrivals._watch", lambda _: None)
    wire = Wire(lambda _: RawAnswer("ok", 200))
    kill = switch(tmp_path, wire)
    kill.start()
    try:
        leave_request(tmp_path)
        eventually(lambda: len(wire.sent) == len(ALL), 60)
    finally:
        kill.stop()


def test_the_command_of_a_request_is_handed_in_before_the_cancels(tmp_path: Path) -> None:
    """Nothing fires while the command itself is on its way through the inbox."""
    order: list[int] = []

    def answer(_: int) -> RawAnswer:
        order.append(len(wire.handed))
        return RawAnswer("ok", 200)

    wire = Wire(answer)
    kill = switch(tmp_path, wire)
    kill.start()
    try:
        leave_request(tmp_path, "k1", {"who": "me", "at": 7, "reason": "boo", "flatten": False})
        eventually(lambda: len(wire.sent) == len(ALL), 60)
    finally:
        kill.stop()
    told = Command("kill", "k1", "me", 7, "boo", flatten=False, live=True)
    assert wire.handed == [told]
    assert set(order) == {1}


@pytest.mark.parametrize("text", ["{", "[]", '{"key": "k1"}'])
def test_a_request_that_cannot_be_read_still_cancels(tmp_path: Path, text: str) -> None:
    """Its command comes by the inbox."""
    wire = Wire(lambda _: RawAnswer("ok", 200))
    kill = switch(tmp_path, wire)
    kill.start()
    try:
        (tmp_path / "new").write_text(text)
        (tmp_path / "new").rename(tmp_path / REQUEST)
        eventually(lambda: len(wire.sent) == len(ALL), 60)
    finally:
        kill.stop()
    assert wire.handed == []
    assert not (tmp_path / REQUEST).exists()


def test_a_hook_asks_from_inside(tmp_path: Path) -> None:
    """Without a file."""
    wire = Wire(lambda _: RawAnswer("ok", 200))
    kill = switch(tmp_path, wire)
    kill.start()
    try:
        kill.now("k1")
        eventually(lambda: len(wire.sent) == len(ALL), 60)
        kill.follow("k1")
    finally:
        kill.stop()
    assert len(wire.sent) == len(ALL)


def test_a_command_that_came_another_way_is_followed(tmp_path: Path) -> None:
    """From the journal's inbox: the cancels leave as for any other, once for each command."""
    wire = Wire(lambda _: RawAnswer("ok", 200))
    kill = switch(tmp_path, wire)
    kill.start()
    try:
        kill.follow("k1")
        eventually(lambda: len(wire.sent) == len(ALL), 60)
        kill.follow("k1")
        kill.follow("k2")
        eventually(lambda: len(wire.sent) == 2 * len(ALL), 60)
    finally:
        kill.stop()
    assert len(wire.sent) == 2 * len(ALL)


def test_an_old_request_is_left_to_the_journal(tmp_path: Path) -> None:
    """Whoever unlocked meanwhile shall not be killed again."""
    leave_request(tmp_path)
    wire = Wire(lambda _: RawAnswer("ok", 200))
    kill = switch(tmp_path, wire)
    kill.start()
    kill.stop()
    assert wire.sent == []
    assert not (tmp_path / REQUEST).exists()


@pytest.mark.parametrize(
    "failure",
    [RawAnswer("broken"), RawAnswer("ok", 503), RawAnswer("ok", 429), RawAnswer("not_sent")],
)
def test_what_did_not_get_through_is_repeated(
    tmp_path: Path, failure: RawAnswer, caplog: pytest.LogCaptureFixture
) -> None:
    """Only that; when nothing does it says what protects."""
    wire = Wire(lambda number: failure if number == 2 else RawAnswer("ok", 200))
    switch(tmp_path, wire).cancel_all()
    assert wire.sent == [*ALL, ALL[1]]
    never = Wire(lambda _: failure)
    switch(tmp_path, never).cancel_all()
    assert len(never.sent) == TRIES * len(ALL)
    assert "a countdown on the exchange cancels without us" in caplog.text


def test_trouble_with_one_symbol_keeps_no_other_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its cancel is tried again, the thread lives on."""

    def answer(number: int) -> RawAnswer:
        if number == 1:
            raise RuntimeError("no such thing")
        return RawAnswer("ok", 200)

    wire = Wire(answer)
    switch(tmp_path, wire).cancel_all()
    assert wire.sent == [*ALL, ALL[0]]
    assert "the cancel of BTCUSDT could not be made" in caplog.text


def test_an_order_that_is_gone_needs_no_repetition(tmp_path: Path) -> None:
    """A refusal is an answer."""
    wire = Wire(lambda _: RawAnswer("ok", 400))
    switch(tmp_path, wire).cancel_all()
    assert wire.sent == ALL
