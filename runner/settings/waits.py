"""Which waits under `timing` make sense: shorter ones are for tests, and never for real money."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from runner.core.document import duration
from runner.settings.reading import Mistake

REAL: Final = ("live", "demo")
"""The addresses at which somebody else's machine decides how long things take."""

LEAST: Final[Mapping[str, tuple[str, str]]] = {
    "recv_window": ("100ms", "1s"),
    "engine_margin": ("100ms", "10s"),
    "skew": ("10ms", "1s"),
    "first_probe": ("10ms", "200ms"),
    "probe_retry": ("10ms", "500ms"),
    "answer_deadline": ("500ms", "3s"),
    "back_off": ("5ms", "50ms"),
    "retention": ("1m", "1h"),
    "retry_cap": ("10ms", "1s"),
    "poll_orders": ("100ms", "1s"),
    "stale_after": ("1s", "2s"),
}
"""The shortest of each: on a paper exchange or one of your own, and on the real one."""

MOST: Final[Mapping[str, str]] = {"recv_window": "1m", "retention": "3d", "answer_deadline": "1m"}
"""The exchange takes no longer recvWindow, and forgets cancelled orders after three days."""

LAST_OFFSET: Final = ("100ms", "20s")
QUESTIONS: Final = (2, 3)
MOST_ATTEMPTS: Final = 20


def senseless(tree: Mapping[str, Any]) -> Iterator[Mistake]:
    """Every wait that is too short for an account of the settings, or too long for any."""
    timing: Mapping[str, Any] = tree.get("timing", {})
    real = _real(tree.get("accounts", {}))
    where = "on a real exchange" if real else "even in a test"
    for name, written in timing.items():
        path = ("timing", name)
        parts = written if isinstance(written, list) else [written]
        if name in LEAST:
            least = LEAST[name][real]
            if any(_ms(part) < _ms(least) for part in parts):
                yield _mistake(path, f"{name} must be at least {least} {where}", _usual(name))
        if name in MOST and any(_ms(part) > _ms(MOST[name]) for part in parts):
            yield _mistake(path, f"{name} must be at most {MOST[name]}", _usual(name))
    yield from _questions(timing, real, where)
    if timing.get("max_attempts", 0) > MOST_ATTEMPTS:
        text = f"max_attempts must be at most {MOST_ATTEMPTS}"
        yield _mistake(("timing", "max_attempts"), text, "5 is usual")


def _questions(timing: Mapping[str, Any], real: bool, where: str) -> Iterator[Mistake]:
    """One question right away proves nothing: the exchange's readings lag."""
    offsets = timing.get("probe_offsets")
    if not offsets:
        return
    path = ("timing", "probe_offsets")
    if len(offsets) < QUESTIONS[real]:
        text = f"probe_offsets needs {QUESTIONS[real]} questions or more {where}"
        yield _mistake(path, text, "write [0s, 5s, 20s, 1m]")
    elif _ms(offsets[-1]) < _ms(LAST_OFFSET[real]):
        text = f"the last of probe_offsets must be at least {LAST_OFFSET[real]} {where}"
        yield _mistake(path, text, "write [0s, 5s, 20s, 1m]")


def _real(accounts: Mapping[str, Any]) -> bool:
    """Whether an account that may be traded is at an address that is not our own."""
    return any(each.get("address") in REAL for each in accounts.values())


def _usual(name: str) -> str:
    return f"leave {name} out for what is usual: orders could be sent twice otherwise"


def _mistake(path: tuple[str, str], text: str, cure: str) -> Mistake:
    return Mistake(path, "too-short" if "least" in text else "wrong-value", text, cure)


def _ms(text: str) -> int:
    length = duration(text)
    assert length is not None, "the schema let through what is no length of time"
    return length
