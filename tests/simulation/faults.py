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

DEADLINE = 12_000
UNKNOWN_503 = "Unknown error, please check your request or try again later."


@dataclass(slots=True)
class Rates:
    """How often each thing goes wrong, drawn a history at a time: some are never."""

    lost: float = 0.0
    unanswered: float = 0.0
    late: float = 0.0
    unknown_503: float = 0.0
    refused_503: float = 0.0
    timeout_1007: float = 0.0
    throttled: float = 0.0
    garbled: float = 0.0
    short_batch: float = 0.0
    lag: float = 0.0
    silent: float = 0.0
    repeated: float = 0.0
    crash: float = 0.0

    @classmethod
    def drawn(cls, dice: random.Random) -> Rates:
        """Swarm testing: each kind is off in half of the histories."""
        rates = cls()
        for kind in fields(cls):
            if dice.random() < 0.5:
                setattr(rates, kind.name, dice.choice((0.02, 0.1, 0.3)))
        return rates


@dataclass(slots=True)
class Faulty:
    """The Network of one history."""

    dice: random.Random
    rates: Rates
    accepted_at: Callable[[str], int | None]
    counts: Counter[str] = field(default_factory=Counter)
    calm: bool = False

    def carry(self, signed: SignedRequest, wire: Wire) -> None:
        """One request: mostly there and back, sometimes not."""
        clock = wire.clock
        kind = None if self.calm else self._drawn(signed)
        if kind is not None:
            self.counts[kind] += 1
        delay = self.dice.randint(1, 30)
        if kind == "late":
            delay = self.dice.randint(500, 11_000)
        if kind == "lost":
            self._answer(wire, DEADLINE, RawAnswer("broken", detail="timed out"))
            return
        clock.plan(clock.now + delay, lambda: self._arrive(kind, signed, wire))

    def _drawn(self, signed: SignedRequest) -> str | None:
        kinds = ["lost", "unanswered", "late", "unknown_503", "refused_503", "timeout_1007"]
        kinds += ["throttled", "garbled"]
        if isinstance(signed.call, PlaceCall) and len(signed.call.intents) > 1:
            kinds.append("short_batch")
        if isinstance(signed.call, (ProbeCall, ReadCall)):
            kinds.append("lag")
        self.dice.shuffle(kinds)
        return next((k for k in kinds if self.dice.random() < getattr(self.rates, k)), None)

    def _arrive(self, kind: str | None, signed: SignedRequest, wire: Wire) -> None:
        if kind in ("refused_503", "throttled") or (
            kind == "unknown_503" and self.dice.random() < 0.5
        ):
            self._answer(wire, 5, self._refusal(kind))
            return
        if kind == "lag" and self._lagging(signed):
            body = {"code": -2013, "msg": "Order does not exist."}
            found = body if isinstance(signed.call, ProbeCall) else []
            status = 400 if isinstance(signed.call, ProbeCall) else 200
            self._answer(wire, 5, _json(status, found))
            return
        answer = wire.execute()
        self._answer(wire, *self._changed(kind, answer))

    def _refusal(self, kind: str | None) -> RawAnswer:
        if kind == "throttled":
            text = "Request throttled by system-level protection."
            return _json(503, {"code": -1008, "msg": text})
        text = UNKNOWN_503 if kind == "unknown_503" else "Service Unavailable."
        return _json(503, {"code": -1000, "msg": text})

    def _lagging(self, signed: SignedRequest) -> bool:
        """Readings may be up to 40 s behind; orders older than that are seen."""
        call = signed.call
        if isinstance(call, ReadCall):
            return call.what in ("open_orders", "open_algo_orders")
        assert isinstance(call, ProbeCall)
        at = self.accepted_at(call.client_order_id)
        return at is not None and signed.timestamp - at < 40_000

    def _changed(self, kind: str | None, answer: RawAnswer) -> tuple[int, RawAnswer]:
        match kind:
            case "unanswered":
                return DEADLINE, RawAnswer("broken", detail="reset")
            case "unknown_503":
                return 5, _json(503, {"code": -1000, "msg": UNKNOWN_503})
            case "timeout_1007":
                body = {"code": -1007, "msg": "Timeout waiting for response from backend server."}
                return 9_000, _json(408, body)
            case "garbled":
                cut = self.dice.randint(0, len(answer.body))
                return 5, RawAnswer("ok", answer.status, answer.body[:cut], answer.headers)
            case "short_batch" if answer.status == 200:
                legs = json.loads(answer.body)
                self.dice.shuffle(legs)
                return 5, _json(200, legs[self.dice.randint(0, 1) :])
            case _:
                return self.dice.randint(1, 30), answer

    @staticmethod
    def _answer(wire: Wire, after: int, answer: RawAnswer) -> None:
        wire.clock.plan(wire.clock.now + after, lambda: wire.answer(answer))

    def tell(self, text: str, hear: Callable[[str], object], clock: VirtualClock) -> None:
        """One stream message: heard, heard twice, or (a silent stream) never."""
        if not self.calm and self.dice.random() < self.rates.silent:
            self.counts["silent"] += 1
            return
        clock.plan(clock.now, lambda: hear(text))
        if not self.calm and self.dice.random() < self.rates.repeated:
            self.counts["repeated"] += 1
            clock.plan(clock.now + self.dice.randint(0, 5_000), lambda: hear(text))


def _json(status: int, document: object) -> RawAnswer:
    return RawAnswer("ok", status, json.dumps(document).encode(), {})
