"""Who listens to which stream, what is sent to whom, and the live SUBSCRIBE messages."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl

from .book import Market
from .faults import Faults
from .frames import Stream, category, message, open_stream
from .numbers import Json, JsonObject
from .state import Event, MarketEvent, PublicEvent, State, UserEvent

MAX_STREAMS = 1024
# "A single connection is only valid for 24 hours".
CONNECTION_LIFE = 24 * 3_600_000


class Recipient(Protocol):
    """What a subscriber is to the streams: something that takes text and can be closed."""

    def send(self, text: str) -> None:
        """Send a message, or queue it."""

    def close(self, code: int = 1000, reason: str = "") -> None:
        """End the connection."""


@dataclass(eq=False, slots=True)
class Subscriber:
    """One stream connection: its address decides what it may hear (`room`) and how (`combined`)."""

    peer: Recipient
    room: str
    combined: bool
    names: dict[str, None] = field(default_factory=dict)
    keys: dict[str, frozenset[str]] = field(default_factory=dict)

    def hears(self, name: str) -> bool:
        """Return whether the address of this connection delivers a market stream."""
        return category(name) == (self.room or "public")


def dump(document: Json) -> str:
    """Return a document as the compact JSON the exchange sends."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


class Streams:
    """All stream connections. Not thread-safe: the server calls it under its lock."""

    def __init__(
        self,
        account_of: Callable[[str], str | None],
        life: int = CONNECTION_LIFE,
        faults: Faults | None = None,
    ) -> None:
        """`life` is how long (ms) a connection may last; `faults` befall what is sent."""
        self._account_of = account_of
        self._life, self._faults = life, faults
        self._opened: dict[Recipient, int] = {}
        self._subscribers: set[Subscriber] = set()
        self._streams: dict[str, Stream] = {}
        self._listeners: dict[str, set[Subscriber]] = {}
        self._by_symbol: dict[str, dict[str, Stream]] = {}

    def opened(self, peer: Recipient, now: int) -> None:
        """Note when a WebSocket connection, of streams or of the API, began."""
        self._opened[peer] = now

    def gone(self, peer: Recipient) -> None:
        """Forget a connection that has ended."""
        self._opened.pop(peer, None)

    def end_old(self, now: int) -> None:
        """End the connections that have lasted their time."""
        for peer, since in list(self._opened.items()):
            if now - since >= self._life:
                self.gone(peer)
                peer.close(1008, "Connection lasted its time")

    def cut(self, room: str = "") -> int:
        """End the stream connections of a room (of all, if none is named); return how many."""
        wanted = [one for one in self._subscribers if room in ("", one.room)]
        for subscriber in wanted:
            subscriber.peer.close(1011, "Cut, as the test asked")
        return len(wanted)

    def connect(self, peer: Recipient, path: str, query: str) -> Subscriber | None:
        """Take in a connection to `path`, None for a path that is no stream address."""
        parts = [part for part in path.split("/") if part]
        room = parts.pop(0) if parts and parts[0] in ("public", "market", "private") else ""
        if not parts or parts[0] not in ("ws", "stream"):
            return None
        subscriber = Subscriber(peer, room, combined=parts[0] == "stream")
        self._subscribers.add(subscriber)
        names = [name for part in parts[1:] for name in part.split("/")]
        pairs = parse_qsl(query)
        names += [name for key, text in pairs if key == "streams" for name in text.split("/")]
        if len(set(names)) > MAX_STREAMS:
            peer.close(1008, f"More than {MAX_STREAMS} streams")
            return subscriber
        for name in names:
            self.subscribe(subscriber, name)
        self._read_keys(subscriber, pairs)
        return subscriber

    @staticmethod
    def _read_keys(subscriber: Subscriber, pairs: Sequence[tuple[str, str]]) -> None:
        """Read `listenKey=K1&events=E1&listenKey=K2…`: events belong to the key before them."""
        newest = ""
        for key, text in pairs:
            if key == "listenKey":
                newest = text
                subscriber.keys[newest] = frozenset()
            elif key == "events" and newest:
                subscriber.keys[newest] = frozenset(text.split("/"))

    def disconnect(self, subscriber: Subscriber) -> None:
        """Forget a connection."""
        self._subscribers.discard(subscriber)
        for name in list(subscriber.names):
            self.unsubscribe(subscriber, name)

    def close_all(self) -> None:
        """Say goodbye to every connection."""
        for subscriber in list(self._subscribers):
            subscriber.peer.close(1001, "Server shutdown")

    def subscribe(self, subscriber: Subscriber, name: str) -> None:
        """Add a stream, or a listen key on a private connection; a name without data is kept."""
        if self._account_of(name) is not None or subscriber.room == "private":
            subscriber.keys.setdefault(name, frozenset())
        subscriber.names[name] = None
        self._listeners.setdefault(name, set()).add(subscriber)
        if name not in self._streams and (stream := open_stream(name)):
            self._streams[name] = stream
            self._by_symbol.setdefault(stream.symbol.upper(), {})[name] = stream

    def unsubscribe(self, subscriber: Subscriber, name: str) -> None:
        """Take a stream away."""
        subscriber.names.pop(name, None)
        subscriber.keys.pop(name, None)
        listeners = self._listeners.get(name, set())
        listeners.discard(subscriber)
        if not listeners:
            self._listeners.pop(name, None)
            stream = self._streams.pop(name, None)
            if stream:
                self._by_symbol[stream.symbol.upper()].pop(name, None)

    def command(self, subscriber: Subscriber, text: str) -> None:
        """Answer SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS, SET_PROPERTY or GET_PROPERTY."""
        try:
            request = json.loads(text)
            method, identity = request["method"], request.get("id")
        except (ValueError, TypeError, KeyError, AttributeError):
            subscriber.peer.close(1008, "Invalid request")
            return
        answer = self._answer(subscriber, method, request.get("params"))
        subscriber.peer.send(dump({**answer, "id": identity}))

    def _answer(self, subscriber: Subscriber, method: Any, params: Any) -> JsonObject:
        if method == "LIST_SUBSCRIPTIONS":
            return {"result": [*subscriber.names]}
        if method == "GET_PROPERTY":
            return {"result": subscriber.combined}
        if not isinstance(params, list):
            return _error(2, "Invalid request: params must be an array")
        if method == "SET_PROPERTY":
            if params[:1] != ["combined"] or not isinstance(params[-1], bool):
                return _error(0, "Unknown property")
            subscriber.combined = params[-1]
            return {"result": None}
        if method not in ("SUBSCRIBE", "UNSUBSCRIBE"):
            return _error(2, "Invalid request: unknown variant")
        names = [str(name) for name in params]
        if method == "SUBSCRIBE":
            if len({*subscriber.names, *names}) > MAX_STREAMS:
                return _error(2, f"Invalid request: more than {MAX_STREAMS} streams")
            for name in names:
                self.subscribe(subscriber, name)
        else:
            for name in names:
                self.unsubscribe(subscriber, name)
        return {"result": None}

    def publish(self, events: Sequence[Event], state: State, now: int, *, at_once: bool) -> None:
        """Send what happened, in its order; `at_once` sends moves that a pace would hold back."""
        for event in events:
            if isinstance(event, UserEvent):
                self._tell_user(event)
            elif isinstance(event, PublicEvent):
                for name in event.names:
                    self._spread(name, event.payload)
            else:
                self._tell_market(event, state.market(event.symbol), now, at_once)

    def _tell_user(self, event: UserEvent) -> None:
        for subscriber in self._subscribers:
            for key, wanted in subscriber.keys.items():
                if self._account_of(key) != event.account or subscriber.room != "private":
                    continue
                if not wanted or event.payload["e"] in wanted:
                    self._deliver(subscriber, key, event.payload)

    def expire_key(self, key: str, now: int) -> None:
        """Tell the listeners of a listen key that it has expired; they hear nothing more."""
        payload: JsonObject = {"e": "listenKeyExpired", "E": now, "listenKey": key}
        for subscriber in self._subscribers:
            if key in subscriber.keys and subscriber.room == "private":
                self._deliver(subscriber, key, payload)
                del subscriber.keys[key]

    def _tell_market(self, event: MarketEvent, market: Market, now: int, at_once: bool) -> None:
        streams = [*self._by_symbol.get(event.symbol, {}).values()]
        for stream in streams:
            if _concerns(stream.kind, event):
                self._push_or_mark(stream, market, now, at_once)
        for stream in self._by_symbol.get("", {}).values():
            stream.shown.setdefault("changed", {})[event.symbol] = ""
            stream.dirty = stream.dirty or _concerns(stream.kind, event)
            if at_once and stream.dirty:
                self._push_all(stream, {event.symbol: market}, now)

    def _push_or_mark(self, stream: Stream, market: Market, now: int, at_once: bool) -> None:
        if at_once or now - stream.sent_at >= stream.period:
            self._push(stream, market, now)
        else:
            stream.dirty = True

    def _push(self, stream: Stream, market: Market, now: int) -> None:
        stream.sent_at, stream.dirty = now, False
        payload = message(stream, market, now)
        if payload is not None:
            self._spread(stream.name, payload)

    def _push_all(self, stream: Stream, markets: dict[str, Market], now: int) -> None:
        stream.sent_at, stream.dirty = now, False
        stream.shown.pop("changed", None)
        rows = [row for one in markets.values() if (row := message(stream, one, now))]
        if stream.kind == "bookTicker":
            for row in rows:
                self._spread(stream.name, row)
        elif rows:
            self._spread(stream.name, [*rows])

    def next_candle(self) -> int | None:
        """When the candle of a subscribed kline stream ends (ms), None for none."""
        return min((one.ends_at for one in self._streams.values() if one.ends_at), default=None)

    def flush(self, state: State, now: int) -> None:
        """Send what a pace held back and is due now, and the mark prices of the second."""
        for stream in list(self._streams.values()):
            closing = 0 < stream.ends_at <= now
            wanted = stream.dirty or stream.steady or closing
            if not wanted or now - stream.sent_at < stream.period:
                continue
            if stream.symbol:
                if stream.symbol.upper() in state.symbols:
                    self._push(stream, state.market(stream.symbol.upper()), now)
                continue
            changed = stream.shown.get("changed", {})
            names = [name for name in state.markets if stream.steady or name in changed]
            self._push_all(stream, {name: state.market(name) for name in names}, now)

    def _spread(self, name: str, payload: Json) -> None:
        plain = dump(payload)
        wrapped = f'{{"stream":{dump(name)},"data":{plain}}}'
        for subscriber in self._listeners.get(name, ()):
            if subscriber.hears(name):
                self._send(subscriber, wrapped if subscriber.combined else plain)

    def _deliver(self, subscriber: Subscriber, name: str, payload: JsonObject) -> None:
        wrapped: JsonObject = {"stream": name, "data": payload}
        document = wrapped if subscriber.combined else payload
        self._send(subscriber, dump(document))

    def _send(self, subscriber: Subscriber, text: str) -> None:
        texts = [text] if self._faults is None else self._faults.told(text)
        for one in texts:
            subscriber.peer.send(one)


def _concerns(kind: str, event: MarketEvent) -> bool:
    if kind == "markPrice":
        return event.marked
    if kind == "bookTicker":
        return event.quoted
    if kind.startswith("depth"):
        return event.quoted or event.deep
    return event.trade is not None


def _error(code: int, text: str) -> JsonObject:
    return {"error": {"code": code, "msg": text}}
