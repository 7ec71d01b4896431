"""An order's path as tables: what an answer proves, where each state may go, fence and absence."""

from __future__ import annotations

from typing import Literal

from runner.core.orders import Family, Intent, OrderIntent, Outcome
from runner.core.values import dataclass, replace

Shape = Literal["order", "error", "other", "none"]
"""What the body was: an order as asked for, `{code, msg}`, something else, or nothing."""

Transport = Literal["ok", "not_sent", "broken"]
"""ok: a whole answer came; not_sent: provably no byte left; broken: anything else."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer (or one leg's part of a batch answer), as far as the classifier looks at it."""

    transport: Transport
    status: int = 0
    code: int | None = None
    message: str = ""
    shape: Shape = "none"


# Codes that say for certain "not executed, ask again later": rate limits, clock, and the
# documented 100 % failures (reference/binance-api.md section 5).
NOT_ACCEPTED_CODES = frozenset({-1003, -1015, -1008, -1021, -5028})
# Codes that give no verdict on a placing call, whatever their HTTP status. -1001 and -1016 are
# read the cautious way; -4116 says a copy with our id is open: ask for it.
UNKNOWN_CODES = frozenset(
    {-1000, -1001, -1006, -1007, -1010, -1016, -2012, -2013, -4083, -4115, -4116, -4117, -1099}
)
SERVICE_UNAVAILABLE = "Service Unavailable"


def classify(answer: Answer, known_codes: frozenset[int]) -> Outcome:
    """What an answer to a placing or cancelling request proves; the default is UNKNOWN.

    `known_codes` are the documented error codes of the venue: an unlisted code proves nothing.
    """
    if answer.transport == "not_sent":
        return Outcome.NOT_SENT
    if answer.transport == "broken":
        return Outcome.UNKNOWN
    if answer.shape == "order" and answer.status == 200:
        return Outcome.ACCEPTED
    return _classify_error(answer, known_codes)


def _classify_error(answer: Answer, known_codes: frozenset[int]) -> Outcome:
    if answer.status in (418, 429):
        return Outcome.NOT_ACCEPTED
    if answer.status >= 500:
        return _classify_server_error(answer)
    if answer.shape != "error" or answer.code is None or answer.status in (403, 408):
        return Outcome.UNKNOWN
    if 300 <= answer.status < 400 or answer.code in UNKNOWN_CODES:
        return Outcome.UNKNOWN
    if answer.code in NOT_ACCEPTED_CODES:
        return Outcome.NOT_ACCEPTED
    return Outcome.REJECTED if answer.code in known_codes else Outcome.UNKNOWN


def _classify_server_error(answer: Answer) -> Outcome:
    """HTTP 503 is told apart by its message; every other 5xx gives no verdict."""
    if answer.status != 503:
        return Outcome.UNKNOWN
    if answer.code == -1008 or answer.message.startswith(SERVICE_UNAVAILABLE):
        return Outcome.NOT_ACCEPTED
    return Outcome.UNKNOWN


@dataclass(frozen=True, slots=True)
class Timing:
    """The waits of the exactly-once rules, all in ms; tests shorten them, nobody else should.

    `engine_margin` is how long a request past the gateway may still take effect (assumption
    A2), `skew` the clock difference between the exchange's nodes (S), `probe_offsets` when the
    questions after the fence are asked: all must come back negative (K and V of the design).
    A reading that fails again and again waits twice as long each time, up to `retry_cap`; while
    the user stream is away, open orders are read every `poll_orders`.
    """

    recv_window: int = 3_000
    engine_margin: int = 10_000
    skew: int = 2_000
    probe_offsets: tuple[int, ...] = (0, 5_000, 20_000, 60_000)
    probe_retry: int = 2_000
    first_probe: int = 1_000
    answer_deadline: int = 12_000
    back_off: tuple[int, ...] = (200, 400, 800, 1_600, 3_200)
    max_attempts: int = 5
    retention: int = 3 * 86_400_000
    retry_cap: int = 30_000
    poll_orders: int = 3_000

    @property
    def longest_wait(self) -> int:
        """Nothing that is to be sent or asked waits longer than this."""
        wait = max(self.probe_offsets[-1], self.probe_retry, self.retry_cap, self.back_off[-1])
        return self.fence(0) + self.answer_deadline + wait

    def fence(self, timestamp: int) -> int:
        """Server time after which a copy signed at `timestamp` can no longer be accepted."""
        return timestamp + self.recv_window + self.engine_margin + self.skew


BY_WEBSOCKET = "WS"
"""The method of a request that travels over the WebSocket API instead of REST."""


def fenced_by_engine(intent: Intent) -> bool:
    """True where the matching engine itself refuses late copies.

    Only POST/PUT order and batchOrders over REST are (change-log 2023-04-17); the algo
    service and the WebSocket API check the gateway's clock only.
    """
    return isinstance(intent, OrderIntent) and intent.family is Family.ORDER and not intent.unfenced


@dataclass(frozen=True, slots=True)
class Absence:
    """The running proof that an order does not exist: negatives counted after the fence."""

    fence_time: int
    negatives: int = 0
    first_negative_time: int | None = None

    def counted(self, asked_time: int, timing: Timing) -> Absence:
        """One more negative answer to a question begun at `asked_time` (server time).

        Questions before the fence, or nearer to the one before than the table of offsets
        allows, count for nothing: reads lag. A late question shifts the rest of the table, so
        that one answer told twice never counts twice.
        """
        if asked_time < self.next_time(timing):
            return self
        offset = timing.probe_offsets[min(self.negatives, len(timing.probe_offsets) - 1)]
        return replace(self, negatives=self.negatives + 1, first_negative_time=asked_time - offset)

    def next_time(self, timing: Timing) -> int:
        """Server time from which the next negative counts."""
        if self.first_negative_time is None:
            return self.fence_time
        offsets = timing.probe_offsets
        return self.first_negative_time + offsets[min(self.negatives, len(offsets) - 1)]

    def proven(self, timing: Timing) -> bool:
        """True when every question of the table came back negative."""
        return self.negatives >= len(timing.probe_offsets)
