"""What must come of each fault of the wire, for each kind of call: the table that the tests play.

A reader checks it in two steps. PROOF says what an answer proves, as the classifier of
runner/core/lifecycle.py and reliability.md 2.2 have it; OUTCOMES says what follows from that proof
for each kind of call. A cell reads: state and number of attempts of each leg, then how many
requests of that kind were sent in all.
"""

from __future__ import annotations

from collections.abc import Mapping

HARMLESS = "harmless"
"""The whole answer came, or nothing was written to a connection that was found closed."""

NOT_SENT = "not sent"
"""No byte left: it is sent again at once, with a signature of its own."""

REFUSED = "refused for certain"
"""The exchange says that it did nothing and may be asked again soon."""

SILENCED = "refused, and silence wanted"
"""The same, but nothing may be sent for a minute or more: what is due by then lapses."""

UNKNOWN_PLACED = "without a verdict, and it was placed"
"""Asked for by its id, it is found: sent once."""

UNKNOWN_ABSENT = "without a verdict, and it was not placed"
"""Proven absent after the fence, it is sent again, singly; a conditional entry is parked."""

OUTCOMES: Mapping[str, Mapping[str, str]] = {
    HARMLESS: {
        "single": "FILLED 1 x1",
        "late": "FILLED 1 x1",
        "batch": "LIVE 1 FILLED 1 x1",
        "algo": "LIVE 1 x1",
        "exit": "FILLED 1 LIVE 1 x1",
        "cancel": "CANCELED 1 DONE 1 x1",
        "cancel algo": "CANCELED 1 DONE 1 x1",
        "sweep": "CANCELED 1 DONE 1 x1",
        "probe": "FILLED 1 x1",
        "heartbeat": "ARMED 1",
    },
    # "late" has 10 s to be sent: what is proven absent after them lapses
    UNKNOWN_ABSENT: {
        "single": "FILLED 2 x2",
        "late": "LAPSED 1 x1",
        "batch": "LIVE 2 FILLED 2 x4",
        "algo": "PARKED 1 x1",
        "exit": "FILLED 1 LIVE 2 x2",
        "cancel": "CANCELED 1 DONE 2 x2",
        "cancel algo": "CANCELED 1 DONE 2 x2",
        "sweep": "CANCELED 1 DONE 1 DONE 2 x2",
        "probe": "FILLED 1 x2",
        "heartbeat": "ARMED 2",
    },
    # a cancel is repeated until the exchange says that there is nothing left to cancel, and, as
    # reads lag, once more while the journal still has the order on the book
    UNKNOWN_PLACED: {
        "single": "FILLED 1 x1",
        "late": "FILLED 1 x1",
        "batch": "LIVE 1 FILLED 1 x1",
        "algo": "LIVE 1 x1",
        "exit": "FILLED 1 LIVE 1 x1",
        "cancel": "CANCELED 1 DONE 3 x3",
        "cancel algo": "CANCELED 1 DONE 3 x3",
        "sweep": "CANCELED 1 DONE 1 DONE 2 x2",
        "probe": "FILLED 1 x2",
        "heartbeat": "ARMED 2",
    },
    REFUSED: {
        "single": "FILLED 2 x2",
        "late": "FILLED 2 x2",
        "batch": "LIVE 2 FILLED 2 x4",
        "algo": "LIVE 2 x2",
        "exit": "FILLED 1 LIVE 2 x2",
        "cancel": "CANCELED 1 DONE 2 x2",
        "cancel algo": "CANCELED 1 DONE 2 x2",
        "sweep": "CANCELED 1 DONE 1 DONE 2 x2",
        "probe": "FILLED 1 x2",
        "heartbeat": "ARMED 2",
    },
    SILENCED: {
        "single": "FILLED 2 x2",
        "late": "LAPSED 1 x1",
        "batch": "LIVE 2 FILLED 2 x4",
        "algo": "LIVE 2 x2",
        "exit": "FILLED 1 LIVE 2 x2",
        "cancel": "CANCELED 1 DONE 2 x2",
        "cancel algo": "CANCELED 1 DONE 2 x2",
        # "cancel everything" that comes a minute late would hit what was placed since
        "sweep": "LIVE 1 LAPSED 1 x1",
        "probe": "FILLED 1 x2",
        "heartbeat": "ARMED 2",
    },
}
OUTCOMES = {**OUTCOMES, NOT_SENT: OUTCOMES[REFUSED]}

PROOF: Mapping[str, str] = {
    "refused at the door": NOT_SENT,
    "kept-alive closed before": HARMLESS,
    "kept-alive reset before": HARMLESS,
    "kept-alive closed as we write": UNKNOWN_ABSENT,
    "reset before the answer, not placed": UNKNOWN_ABSENT,
    "reset before the answer, placed": UNKNOWN_PLACED,
    "reset within the answer, placed": UNKNOWN_PLACED,
    "closed after the answer, placed": HARMLESS,
    "truncated answer, placed": UNKNOWN_PLACED,
    "half-open, not placed": UNKNOWN_ABSENT,
    "half-open, placed": UNKNOWN_PLACED,
    "a byte now and then, placed": UNKNOWN_PLACED,
    "garbled body, placed": UNKNOWN_PLACED,
    "no HTTP at all, placed": UNKNOWN_PLACED,
    "200 and an empty body, placed": UNKNOWN_PLACED,
    "200 and an empty body, not placed": UNKNOWN_ABSENT,
    # never followed: the place it leads to is never asked
    "307": UNKNOWN_ABSENT,
    "308": UNKNOWN_ABSENT,
    # four kinds of 503, told apart by their words
    "503 unknown error, placed": UNKNOWN_PLACED,
    "503 unknown error, not placed": UNKNOWN_ABSENT,
    "503 without a body, placed": UNKNOWN_PLACED,
    "503 without a body, not placed": UNKNOWN_ABSENT,
    "503 service unavailable": REFUSED,
    # documented as a failure; sources differ, so the cautious reading holds (design/03)
    "503 internal error, placed": UNKNOWN_PLACED,
    "503 internal error, not placed": UNKNOWN_ABSENT,
    "503 throttled": REFUSED,
    "502 page, placed": UNKNOWN_PLACED,
    "502 page, not placed": UNKNOWN_ABSENT,
    "504 -1007, placed": UNKNOWN_PLACED,
    "504 -1007, not placed": UNKNOWN_ABSENT,
    "408, placed": UNKNOWN_PLACED,
    "408, not placed": UNKNOWN_ABSENT,
    # design/03: a 403 page is no verdict on a placing call
    "403 page, placed": UNKNOWN_PLACED,
    "403 page, not placed": UNKNOWN_ABSENT,
    "429 with Retry-After": REFUSED,
    # until the minute of the limit is over; a ban lasts two minutes at least
    "429 without Retry-After": SILENCED,
    "418 with Retry-After": SILENCED,
    "418 without Retry-After": SILENCED,
    "400 -1007, placed": UNKNOWN_PLACED,
    "400 -1007, not placed": UNKNOWN_ABSENT,
    "400 -1006, placed": UNKNOWN_PLACED,
    "400 -1006, not placed": UNKNOWN_ABSENT,
    "400 -1001, placed": UNKNOWN_PLACED,
    "400 -1001, not placed": UNKNOWN_ABSENT,
    # outside the window of time, at the door or at the engine: signed anew
    "400 -1021": REFUSED,
    "400 -5028": REFUSED,
    "400 with a code nobody knows, placed": UNKNOWN_PLACED,
    "400 with a code nobody knows, not placed": UNKNOWN_ABSENT,
    # our id is taken: by the copy that was placed
    "400 -4116 after placing": UNKNOWN_PLACED,
    "another order, placed": UNKNOWN_PLACED,
    "short answer, placed": UNKNOWN_PLACED,
    "long answer, placed": UNKNOWN_PLACED,
    "one without a verdict, placed": UNKNOWN_PLACED,
}

EXCEPTIONS: Mapping[tuple[str, str], str] = {
    # the answer to "cancel everything" names no order
    ("another order, placed", "sweep"): OUTCOMES[HARMLESS]["sweep"],
    # silent for 7 s and 10 s: the sweep's two requests wait alike, then both are sent
    ("429 with Retry-After", "sweep"): "CANCELED 1 DONE 2 x2",
    ("429 without Retry-After", "sweep"): "CANCELED 1 DONE 2 x2",
}


def expected(fault: str, kind: str) -> str:
    """What must come of this fault for this kind of call."""
    return EXCEPTIONS.get((fault, kind)) or OUTCOMES[PROOF[fault]][kind]
