"""Where orders go: the Venue protocol that every exchange adapter fulfils."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

from runner.core.events import Event
from runner.core.instruments import Instrument
from runner.core.lifecycle import Transport
from runner.core.orders import Call, Family
from runner.core.prices import PriceBoard
from runner.core.values import dataclass
from runner.venues.gate import Gate

Post = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Request:
    """A call turned into the venue's own request, not yet signed: what `runner plan` prints.

    `payload` is the percent-encoded parameter text without timestamp and signature.
    """

    call: Call
    method: str
    path: str
    payload: str


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """The exact bytes that leave once, with the fence they carry.

    `payload` is signed, percent-encoded, `signature` last; `timestamp` and `recv_window` in
    ms of server time are inside it. `payload_sha256` is what the journal keeps of it.
    `signed_monotonic` is our monotonic clock in ms: too old a signature is not sent any more.
    """

    request_id: str
    call: Call
    method: str
    path: str
    payload: str
    timestamp: int
    recv_window: int
    payload_sha256: str
    signed_monotonic: int

    def __repr__(self) -> str:
        """Without the payload: it carries the signature."""
        return f"SignedRequest({self.request_id} {self.method} {self.path})"


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """What came back: `transport` tells whether anything is proven at all.

    `sent_monotonic` and `received_monotonic` are our monotonic clock in ms around the exchange:
    the round trip that an answer to TimeCall is worth.
    """

    transport: Transport
    status: int = 0
    body: bytes = b""
    headers: Mapping[str, str] | None = None
    detail: str = ""
    sent_monotonic: int | None = None
    received_monotonic: int | None = None


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An order as the exchange tells of it afterwards; `placed_time` in ms."""

    client_order_id: str
    family: Family
    symbol: str
    order_id: str
    status: str
    placed_time: int


class Stream(Protocol):
    """A running stream reader."""

    def start(self) -> None:
        """Connect and keep reading in a thread of its own."""

    def stop(self) -> None:
        """Disconnect and end the thread; returns when it is gone or 3 s are over."""

    @property
    def alive(self) -> bool:
        """False when the thread died without being stopped: the process must go down."""


class MarketReader(Stream, Protocol):
    """A running reader of prices."""

    def change(self, wanted: frozenset[tuple[str, str]]) -> None:
        """Read exactly these (symbol, price source) pairs; what stays is not interrupted."""


class Venue(Protocol):
    """One account on one exchange. Only `send` and the streams touch the network after start."""

    known_codes: frozenset[int]

    def instruments(self) -> Mapping[str, Instrument]:
        """Every symbol of the exchange. Raises VenueError when they cannot be had."""

    def request(self, call: Call) -> Request:
        """The call in the venue's words, unsigned; pure."""

    def sign(self, request: Request) -> SignedRequest:
        """Add timestamp (estimated server time), recvWindow and signature; no I/O."""

    def send(self, signed: SignedRequest, gate: Gate | None = None) -> RawAnswer:
        """Write the bytes once, when `gate` lets them, and read the answer within the deadline.

        Never repeats; raises nothing but Withheld, where the gate is shut.
        Called on a gateway lane's thread; keeps one warm connection a thread.
        """

    def warm(self) -> None:
        """Open the calling thread's connection, or keep it open, so that no order waits for it.

        Takes 2 s at most; never raises.
        """

    def close(self) -> None:
        """Let go of connections that it keeps open beside the lanes' own; nothing leaves after."""

    def interpret(self, signed: SignedRequest, answer: RawAnswer) -> list[Event]:
        """The answer as events: ExecutionReports for every leg, OpenOrders, DeadManReport …; pure.

        A reading that failed becomes one CallFailed.
        """

    def placed(self, symbols: Iterable[str], since: int) -> list[PlacedOrder]:
        """Every order of these symbols since then (server time), and all that is open.

        Raises VenueError. For starts and audits only: it takes several questions a symbol.
        """

    def room(self, call: Call) -> bool:
        """True when the rate limits leave room for this call now; then it is counted as spent."""

    def server_time(self) -> int:
        """The exchange's clock now, estimated, in ms."""

    def clock_uncertainty(self) -> int | None:
        """Half the best round trip in ms, or None before the first answer: then nothing is sent."""

    def market_stream(
        self, wanted: frozenset[tuple[str, str]], board: PriceBoard, post: Post
    ) -> MarketReader:
        """A reader of these (symbol, price source) pairs, offering prices to the board."""

    def user_stream(self, post: Post) -> Stream:
        """A reader of this account's own events."""


class Limit(Protocol):
    """So much of `kind` in each `interval` ms."""

    @property
    def kind(self) -> Literal["weight", "orders"]:
        """The address' weight, or the account's orders."""

    @property
    def interval(self) -> int:
        """The window's length in ms."""

    @property
    def limit(self) -> int:
        """How much."""


@runtime_checkable
class Limited(Protocol):
    """A venue that tells its limits; any thread may ask."""

    def limits_left(self) -> Sequence[tuple[Limit, int]]:
        """Each limit with what is left of it in the running window."""


@runtime_checkable
class Silenced(Protocol):
    """A venue that may have to be silent; any thread may ask."""

    def silence(self) -> int:
        """Ms for which the exchange takes nothing at all (429, 418); 0 when it does."""
