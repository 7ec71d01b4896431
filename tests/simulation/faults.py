"""A network that loses, delays and garbles, by a seed; each history draws its own rates."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields

from runner.core.orders import PlaceCall, ProbeCall, ReadCall
from runner.venues import RawAnswer, SignedRequest
from runner.virtual import VirtualClock, Wire
from tests.simulation.exchange import Witness

DEADLINE = 12_000
SKEW = 1_000
"""Ms by which the runner may reckon the exchange's time wrongly."""

UNKNOWN_503 = "Unknown error, please check your request or try again later."
ODD = (
    (403, b"<html>WAF</html>"),
    (307, b""),
    (502, b"<html>Bad Gateway</html>"),
    (500, b'{"code":-1000,"msg":"An unknown error occured"}'),
    (200, b"[]"),
    (200, b"<html>maintenance</html>"),
    (200, b'{"code":200,"msg":"done"}'),
)
"""Answers that prove nothing, whether the request was executed or not."""


@dataclass(slots=True)
class Rates:
    """How often each thing goes wrong, drawn a history at a time: some are never."""

    lost: float = 0.0
    unanswered: float = 0.0
    reset: float = 0.0
    late: float = 0.0
    late_order: float = 0.0
    queued: float = 0.0
    unknown_503: float = 0.0
    refused_503: float = 0.0
    timeout_1007: float = 0.0
    duplicate_4116: float = 0.0
    throttled: float = 0.0
    limited: float = 0.0
    garbled: float = 0.0
    odd: float = 0.0
    short_batch: float = 0.0
    lag: float = 0.0
    silent: float = 0.0
    repeated: float = 0.0
    overtaken: float = 0.0
    gap: float = 0.0
    cut: float = 0.0
    key: float = 0.0
    pause: float = 0.0
    clock: float = 0.0
    crash: float = 0.0
    rollback: float = 0.0

    @classmethod
    def drawn(cls, dice: random.Random) -> Rates:
        """Swarm testing: each kind is off in more than half of the histories."""
        rates = cls()
        for kind in fields(cls):
            if dice.random() < 0.45:
                setattr(rates, kind.name, dice.choice((0.02, 0.1, 0.3)))
        return rates


ON_THE_WAY = (
    "lost",
    "unanswered",
    "reset",
    "late",
    "queued",
    "unknown_503",
    "refused_503",
    "timeout_1007",
    "throttled",
    "limited",
    "garbled",
    "odd",
)


@dataclass(slots=True)
class Faulty:
    """The Network of one history. `reach` is told of each point at which a process may die."""

    dice: random.Random
    rates: Rates
    exchange: Witness
    reach: Callable[[str], None]
    counts: Counter[str] = field(default_factory=Counter)
    calm: bool = False
    forced: list[str] = field(default_factory=list)
    life: int = 0
    deaf_until: int = 0
    banned: tuple[int, int, int] = (-1, 0, 0)
    """In which life a 429 or 418 was read, when, and until when nothing may leave."""

    # requests

    def carry(self, signed: SignedRequest, wire: Wire) -> None:
        """One request: mostly there and back, sometimes not."""
        self.reach("send.before")
        self._may_leave(signed, wire.clock.now)
        kind = None if self.calm else self._drawn(signed)
        if kind is not None:
            self.counts[kind] += 1
        life = self.life
        if kind == "lost":
            self._answer(life, wire, DEADLINE, RawAnswer("broken", detail="timed out"))
        else:
            at = wire.clock.now + self._delay(kind)
            wire.clock.plan(at, lambda: self._arrive(life, kind, signed, wire))
        self.reach("send.after")

    def _delay(self, kind: str | None) -> int:
        if kind == "late":
            return self.dice.choice((500, 2_900, 5_000, 11_000, 40_000))
        if kind == "late_order":
            return self.dice.choice((500, 1_500, 2_900))
        return self.dice.randint(1, 30)

    def _drawn(self, signed: SignedRequest) -> str | None:
        if self.forced and isinstance(signed.call, PlaceCall):
            return self.forced.pop(0)
        kinds = list(ON_THE_WAY)
        if isinstance(signed.call, PlaceCall):
            kinds.append("late_order")
            kinds.append("short_batch" if len(signed.call.intents) > 1 else "duplicate_4116")
        if isinstance(signed.call, (ProbeCall, ReadCall)):
            kinds.append("lag")
        self.dice.shuffle(kinds)
        return next((k for k in kinds if self.dice.random() < getattr(self.rates, k)), None)

    def _arrive(self, life: int, kind: str | None, signed: SignedRequest, wire: Wire) -> None:
        refusal = self._refusal(kind)
        if refusal is not None:
            self._answer(life, wire, 5, refusal)
        elif kind == "lag" and self._lagging(signed):
            self._answer(life, wire, 5, self._not_there(signed))
        elif kind == "limited":
            answer = self.exchange.refused(self._limit(wire.clock.now), wire.execute)
            self._answer(life, wire, 5, answer)
        elif kind == "queued":
            self._queue(life, wire)
        else:
            self._answer(life, wire, *self._changed(kind, wire.execute()))

    def _refusal(self, kind: str | None) -> RawAnswer | None:
        """An answer to what was not executed; for some the other half was executed."""
        half = self.dice.random() < 0.5
        match kind:
            case "refused_503":
                return _json(503, {"code": -1000, "msg": "Service Unavailable."})
            case "throttled":
                text = "Request throttled by system-level protection."
                return _json(503, {"code": -1008, "msg": text})
            case "unknown_503" | "unknown_503_lost" if half or kind == "unknown_503_lost":
                return _json(503, {"code": -1000, "msg": UNKNOWN_503})
            case "odd" if half:
                return self._odd()
            case "reset" if half:
                return RawAnswer("broken", detail="connection reset")
            case _:
                return None

    def _odd(self) -> RawAnswer:
        status, body = self.dice.choice(ODD)
        return RawAnswer("ok", status, body, {})

    def _limit(self, now: int) -> RawAnswer:
        if self.dice.random() < 0.2:
            text = f"Way too many requests; IP banned until {now + 120_000}."
            return _json(418, {"code": -1003, "msg": text}, {"Retry-After": "120"})
        headers = {"Retry-After": str(self.dice.randint(1, 20))} if self.dice.random() < 0.5 else {}
        return _json(429, {"code": -1003, "msg": "Too many requests."}, headers)

    def _queue(self, life: int, wire: Wire) -> None:
        """Past the gateway in time, taken up later: only the matching engine may refuse it."""
        admitted = wire.clock.now

        def execute() -> None:
            answer = self.exchange.admitted(admitted, wire.execute)
            self._answer(life, wire, 5, answer)

        wire.clock.plan(admitted + self.dice.choice((1_000, 5_000, 10_000)), execute)

    def _lagging(self, signed: SignedRequest) -> bool:
        """Readings may be up to 40 s behind; orders older than that are seen."""
        call = signed.call
        if isinstance(call, ReadCall):
            return call.what in ("open_orders", "open_algo_orders")
        assert isinstance(call, ProbeCall)
        at = self.exchange.accepted_at.get(call.client_order_id)
        return at is not None and signed.timestamp - at < 40_000

    @staticmethod
    def _not_there(signed: SignedRequest) -> RawAnswer:
        if isinstance(signed.call, ProbeCall):
            return _json(400, {"code": -2013, "msg": "Order does not exist."})
        return _json(200, [])

    def _changed(self, kind: str | None, answer: RawAnswer) -> tuple[int, RawAnswer]:
        """When the answer to an executed request is read, and what became of it on its way."""
        match kind:
            case "unanswered":
                return DEADLINE, RawAnswer("broken", detail="timed out")
            case "reset":
                return 5, RawAnswer("broken", detail="connection reset")
            case "unknown_503" | "unknown_503_executed":
                return 5, _json(503, {"code": -1000, "msg": UNKNOWN_503})
            case "timeout_1007":
                body = {"code": -1007, "msg": "Timeout waiting for response from backend server."}
                return 9_000, _json(408, body)
            case "duplicate_4116":
                # as when something between delivered it twice
                return 5, _json(400, {"code": -4116, "msg": "clientOrderId is duplicated"})
            case "odd":
                return 5, self._odd()
            case "garbled":
                cut = self.dice.randint(0, len(answer.body))
                return 5, RawAnswer("ok", answer.status, answer.body[:cut], answer.headers)
            case "short_batch" if answer.status == 200:
                return 5, self._disordered(answer)
            case _:
                return self.dice.randint(1, 30), answer

    def _disordered(self, answer: RawAnswer) -> RawAnswer:
        legs = json.loads(answer.body)
        if not isinstance(legs, list):
            return answer
        self.dice.shuffle(legs)
        return _json(200, self.dice.choice((legs, legs[1:], [*legs, legs[0]], [legs[0]] * 2)))

    def _answer(self, life: int, wire: Wire, after: int, answer: RawAnswer) -> None:
        def read() -> None:
            if life == self.life:
                self.reach("answer.before")
                self._banned(answer, wire.clock.now)
            wire.answer(answer)

        wire.clock.plan(wire.clock.now + after, read)

    def _banned(self, answer: RawAnswer, now: int) -> None:
        """Note how long this process may send nothing, if the answer says so."""
        seconds = int((answer.headers or {}).get("Retry-After", 0))
        if answer.status in (418, 429) and seconds:
            life, _, until = self.banned
            until = until if life == self.life else 0
            self.banned = (self.life, now, max(until, now + seconds * 1_000))

    def _may_leave(self, signed: SignedRequest, now: int) -> None:
        """What is signed after a ban was read waits for its end (but for the clock's error)."""
        life, learned, until = self.banned
        if life == self.life and signed.timestamp > learned + SKEW and now < until - SKEW:
            self.exchange.wrong.append(f"{signed.method} {signed.path} left while banned")

    # the streams

    def tell(self, text: str, hear: Callable[[str], object], clock: VirtualClock) -> None:
        """One stream message: heard, heard twice, late, or (a silent stream) never."""
        life = self.life

        def heard() -> None:
            if life == self.life:
                self.reach("message.before")
            hear(text)

        if self._is("silent") or clock.now < self.deaf_until:
            return
        delay = self.dice.randint(1, 2_000) if self._is("overtaken") else 0
        clock.plan(clock.now + delay, heard)
        if self._is("repeated"):
            clock.plan(clock.now + self.dice.randint(0, 5_000), heard)

    def _is(self, kind: str) -> bool:
        rate: float = getattr(self.rates, kind)
        if self.calm or not rate or self.dice.random() >= rate:
            return False
        self.counts[kind] += 1
        return True


def _json(status: int, document: object, headers: dict[str, str] | None = None) -> RawAnswer:
    return RawAnswer("ok", status, json.dumps(document).encode(), headers or {})
