"""A market reader that changes what it reads, over real sockets to the paper exchange."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs

import pytest

from runner.core.events import Event, StreamState
from runner.core.prices import PriceBoard
from runner.venues.binance_usdm.allotment import Wanted
from runner.venues.binance_usdm.link import LinkTiming
from runner.venues.binance_usdm.presets import reach
from runner.venues.binance_usdm.streams import MarketStream
from runner.venues.paper.server import PaperServer
from runner.venues.paper.streams import Streams, Subscriber
from tests.support import eventually

BTC, ETH = ("BTCUSDT", "mark"), ("ETHUSDT", "mark")
BTC_NAME, ETH_NAME = "btcusdt@markPrice@1s", "ethusdt@markPrice@1s"
PATIENT = 60.0
CALM = LinkTiming(socket_timeout=0.2, stale_after=PATIENT, answer=PATIENT, back_off=0.01)


class Exchange:
    """What the paper exchange was told, and ways to have it misbehave."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.connected: list[list[str]] = []
        self.messages: list[tuple[str, list[str]]] = []
        self.subscribers: list[Subscriber] = []
        self.deaf = self.mute = False
        self.refuses = ""
        self._patch = patch
        self._note_connections()
        self._note_messages()

    def _note_connections(self) -> None:
        connect = Streams.connect

        def noted(streams: Streams, peer: Any, path: str, query: str) -> Subscriber | None:
            found = connect(streams, peer, path, query)
            if found is not None:
                self.subscribers.append(found)
                self.connected.append(parse_qs(query)["streams"][0].split("/"))
            return found

        self._patch.setattr(Streams, "connect", noted)

    def _note_messages(self) -> None:
        command, spread = Streams.command, Streams._spread

        def noted(streams: Streams, subscriber: Subscriber, text: str) -> None:
            message = json.loads(text)
            self.messages.append((message["method"], message.get("params", [])))
            if self.deaf:
                return
            if message["method"] == self.refuses:
                refusal = {"error": {"code": 2, "msg": "Invalid request"}, "id": message["id"]}
                subscriber.peer.send(json.dumps(refusal))
                return
            command(streams, subscriber, text)

        def spoken(streams: Streams, name: str, payload: Any) -> None:
            if not self.mute:
                spread(streams, name, payload)

        self._patch.setattr(Streams, "command", noted)
        self._patch.setattr(Streams, "_spread", spoken)


class Scene:
    """A paper exchange, and a reader that was started on it."""

    def __init__(self, exchange: Exchange, server: PaperServer, timing: LinkTiming) -> None:
        self.exchange = exchange
        self.board = PriceBoard(10_000)
        self.posted: list[Event] = []
        addresses = reach(server.addresses, "rest")
        self.stream = MarketStream(
            addresses,
            frozenset({BTC}),
            self.board,
            self.posted.append,
            lambda: int(time.time() * 1_000),
            timing,
        )

    @property
    def states(self) -> list[tuple[str, bool]]:
        return [(one.stream, one.connected) for one in self.posted if isinstance(one, StreamState)]

    def change(self, *pairs: tuple[str, str]) -> None:
        """Read these from now on, and wait until each has a price."""
        wanted: Wanted = frozenset(pairs)
        self.board.forget(wanted)
        self.stream.change(wanted)
        eventually(lambda: all(self.board.last(*one) for one in wanted), PATIENT)

    def asked(self, *messages: tuple[str, list[str]]) -> None:
        """Wait until exactly these messages were sent."""
        eventually(lambda: self.exchange.messages == [*messages], PATIENT)


@contextmanager
def _scene(exchange: Exchange, timing: LinkTiming = CALM) -> Iterator[Scene]:
    with PaperServer(keys={"paper-key": "paper-secret"}) as server:
        scene = Scene(exchange, server, timing)
        scene.stream.start()
        try:
            eventually(lambda: scene.board.last(*BTC), PATIENT)
            yield scene
        finally:
            scene.stream.stop()


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Exchange:
    """Notes of every stream connection and message of a paper exchange."""
    return Exchange(monkeypatch)


def test_a_change_is_asked_for_on_the_connection_that_is_there(exchange: Exchange) -> None:
    """Subscribed and given back on one connection, which never breaks off."""
    with _scene(exchange) as scene:
        scene.change(BTC, ETH)
        added = [("SUBSCRIBE", [ETH_NAME]), ("LIST_SUBSCRIPTIONS", [])]
        scene.asked(*added)
        scene.stream.change(frozenset({ETH}))
        scene.asked(*added, ("UNSUBSCRIBE", [BTC_NAME]), ("LIST_SUBSCRIPTIONS", []))
        assert exchange.connected == [[BTC_NAME]]
        eventually(lambda: [*exchange.subscribers[0].names] == [ETH_NAME], PATIENT)
        assert scene.states == [("market", True)]
        assert scene.stream.wanted == {ETH}
        assert scene.stream.alive


def test_another_category_is_another_connection_until_nobody_needs_it(
    exchange: Exchange,
) -> None:
    """It is opened beside, and ended without the alarm that a break would be."""
    with _scene(exchange) as scene:
        scene.change(BTC, ("ETHUSDT", "bid"))
        assert exchange.connected == [[BTC_NAME], ["ethusdt@bookTicker"]]
        market, public = scene.stream.links
        ended = scene.stream._feeds[1]
        scene.stream.change(frozenset({BTC}))
        ended.connected()  # it was being opened anew just then
        assert scene.stream.links == [market]
        assert not public._thread.is_alive()
        assert scene.states == [("market", True), ("public", True)]
        assert exchange.messages == []


@pytest.mark.parametrize("method", ["SUBSCRIBE", "LIST_SUBSCRIPTIONS"])
def test_a_refusal_opens_another_one_with_the_whole_list(exchange: Exchange, method: str) -> None:
    """It takes over before the old one ends: what is read already goes on."""
    exchange.refuses = method
    with _scene(exchange) as scene:
        scene.change(BTC, ETH)
        eventually(lambda: exchange.connected == [[BTC_NAME], [BTC_NAME, ETH_NAME]], PATIENT)
        eventually(lambda: scene.stream.links[0].generation == 2, PATIENT)
        assert scene.states == [("market", True)]


def test_no_answer_opens_another_one_with_the_whole_list(exchange: Exchange) -> None:
    """A connection that does not hear us is not trusted."""
    exchange.deaf = True
    with _scene(exchange, LinkTiming(socket_timeout=0.2, stale_after=PATIENT, answer=0.5)) as scene:
        scene.change(BTC, ETH)
        assert exchange.connected == [[BTC_NAME], [BTC_NAME, ETH_NAME]]
        assert exchange.messages == [("SUBSCRIBE", [ETH_NAME])]
        assert scene.states == [("market", True)]


def test_a_success_that_was_none_is_found_out(exchange: Exchange, monkeypatch: Any) -> None:
    """The exchange says yes and does nothing: its own list tells."""
    monkeypatch.setattr(Streams, "subscribe", _only_at_first(Streams.subscribe))
    with _scene(exchange) as scene:
        scene.change(BTC, ETH)
        assert exchange.messages[:2] == [("SUBSCRIBE", [ETH_NAME]), ("LIST_SUBSCRIPTIONS", [])]
        assert exchange.connected == [[BTC_NAME], [BTC_NAME, ETH_NAME]]


def _only_at_first(subscribe: Any) -> Any:
    """A `subscribe` that does nothing the second time: the first live one."""
    calls = iter(range(1_000))

    def spoilt(streams: Streams, subscriber: Subscriber, name: str) -> None:
        if next(calls) != 1:
            subscribe(streams, subscriber, name)

    return spoilt


def test_after_a_break_the_new_list_is_read(exchange: Exchange) -> None:
    """The exchange hangs up: the next address has what was subscribed since."""
    with _scene(exchange) as scene:
        scene.change(BTC, ETH)
        scene.stream.change(frozenset({ETH}))
        eventually(lambda: [*exchange.subscribers[0].names] == [ETH_NAME], PATIENT)
        exchange.subscribers[0].peer.close(1011, "Cut")
        eventually(lambda: exchange.connected[1:] == [[ETH_NAME]], PATIENT)
        eventually(lambda: scene.states[1:] == [("market", False), ("market", True)], PATIENT)
        eventually(lambda: scene.board.last(*ETH), PATIENT)


def test_a_message_that_cannot_be_sent_ends_the_connection(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The socket breaks while it is asked: the next one has the whole list."""
    with _scene(exchange) as scene:

        def broken(text: str, generation: int) -> bool:
            raise BrokenPipeError(f"{generation}: {text}")

        monkeypatch.setattr(scene.stream.links[0], "send", broken)
        scene.change(BTC, ETH)
        assert exchange.connected == [[BTC_NAME], [BTC_NAME, ETH_NAME]]
        eventually(lambda: scene.states[1:] == [("market", False), ("market", True)], PATIENT)
        assert exchange.messages == []


def test_silence_brings_the_new_list(exchange: Exchange) -> None:
    """The watchdog goes on after a change, and connects anew with it."""
    with _scene(exchange, LinkTiming(socket_timeout=0.2, stale_after=4, back_off=0.01)) as scene:
        scene.change(BTC, ETH)
        before = len(exchange.connected)
        exchange.mute = True
        eventually(lambda: len(exchange.connected) > before, PATIENT)
        exchange.mute = False
        assert exchange.connected[-1] == [BTC_NAME, ETH_NAME]
        assert ("market", False) in scene.states


def test_the_rollover_carries_the_new_list(exchange: Exchange) -> None:
    """Before the exchange ends a connection another one takes over, with what is read by then."""
    timing = LinkTiming(socket_timeout=0.2, stale_after=PATIENT, life=4)
    with _scene(exchange, timing) as scene:
        scene.change(BTC, ETH)
        generation = scene.stream.links[0].generation
        eventually(lambda: scene.stream.links[0].generation > generation, PATIENT)
        assert exchange.connected[-1] == [BTC_NAME, ETH_NAME]
        assert scene.states == [("market", True)]


def test_a_source_that_no_stream_carries_changes_nothing(exchange: Exchange) -> None:
    """An error at once; what was read is read."""
    with _scene(exchange) as scene:
        with pytest.raises(KeyError):
            scene.stream.change(frozenset({("BTCUSDT", "colour")}))
        assert scene.stream.wanted == {BTC}
        assert exchange.messages == []


def test_a_connection_that_was_away_is_not_away_for_ever(exchange: Exchange) -> None:
    """It broke off and nobody needs it any more: that it is missing is no trouble any longer."""
    with _scene(exchange) as scene:
        scene.change(BTC, ("ETHUSDT", "bid"))
        public = scene.stream._feeds[1]
        public.lost("as the test says")
        scene.stream.change(frozenset({BTC}))
        told = [one for one in scene.posted if isinstance(one, StreamState)][-1]
        assert (told.stream, told.connected) == ("public", True)
        assert told.detail == "no rule needs it any more"
