"""Settings of what leaves the runner for people and machines: notifications, metrics, logs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from runner.core.notice import CRITICAL, KINDS, Loudness
from runner.settings.reading import Mistake

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "logfmt", "json"]


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours of the day (minutes since midnight in a time zone) in which what is on is silent.

    From 22:00 to 07:00 goes over midnight.
    """

    begin: int
    end: int
    timezone: str = "UTC"

    def holds(self, at: int) -> bool:
        """True when `at` (ms) lies in the quiet hours."""
        local = datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(self.timezone))
        minute = local.hour * 60 + local.minute
        if self.begin <= self.end:
            return self.begin <= minute < self.end
        return minute >= self.begin or minute < self.end


@dataclass(frozen=True, slots=True)
class Notifications:
    """Who is told what: `targets` are names of secrets that hold apprise addresses.

    `link`: where people open the dashboard, without a slash at its end; `summary`: when the day's
    summary is told (minutes since midnight, UTC), None for never.
    """

    targets: tuple[str, ...] = ()
    kinds: Mapping[str, Loudness] = field(default_factory=dict)
    quiet: Quiet | None = None
    heartbeat_url: str | None = None
    link: str = ""
    summary: int | None = None

    def loudness(self, kind: str, at: int) -> Loudness:
        """How loud a kind is at that moment (ms); what is critical is never made silent by it."""
        chosen = self.kinds.get(kind, KINDS[kind][0])
        if chosen == "on" and kind != CRITICAL and self.quiet is not None and self.quiet.holds(at):
            return "silent"
        return chosen


@dataclass(frozen=True, slots=True)
class LogTarget:
    """Where log lines go: stderr, stdout or a file; `level` None: the one of `log.level`."""

    to: str = "stderr"
    level: Level | None = None
    format: Format = "auto"


@dataclass(frozen=True, slots=True)
class Log:
    """What is logged, and where to; `levels` by the beginning of a logger's name."""

    level: Level = "info"
    levels: Mapping[str, Level] = field(default_factory=dict)
    targets: tuple[LogTarget, ...] = (LogTarget(),)


_CLOCK: Final = "^([01][0-9]|2[0-3]):[0-5][0-9]$"
_LEVEL: Final = {
    "enum": list(get_args(Level)),
    "description": "The least level that is written: debug, info, warning or error",
}


def _secret(what: str) -> dict[str, Any]:
    return {
        "type": "string",
        "pattern": "^[a-z][a-z0-9_]*$",
        "description": f"The name of the secret that holds {what}, never the address itself",
    }


def _block(description: str, properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "additionalProperties": False,
        "properties": dict(properties),
        **({"required": list(required)} if required else {}),
    }


def _clock(which: str) -> dict[str, Any]:
    return {"type": "string", "pattern": _CLOCK, "description": f'{which}, HH:MM: "22:00"'}


def _loudness(kind: str) -> dict[str, Any]:
    levels = ["on", "silent"] if kind == CRITICAL else ["on", "silent", "off"]
    usual, what = KINDS[kind]
    return {"enum": levels, "description": f"{', '.join(levels)}; {what} (default: {usual})"}


NOTIFICATIONS: Final[Mapping[str, Any]] = _block(
    "Who is told what, and how loud",
    {
        "targets": {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": _secret("an apprise address, such as tgram://…"),
            "description": "The names of the secrets that hold apprise addresses: [phone, mail]",
        },
        "kinds": _block(
            "How loud each kind of notice is: {opened: on, started: off}",
            {kind: _loudness(kind) for kind in KINDS},
        ),
        "quiet": _block(
            "Hours in which what is on is silent, but for what is critical: "
            '{from: "22:00", to: "07:00", timezone: Europe/Berlin}',
            {
                "from": _clock("When they begin"),
                "to": _clock("When they end"),
                "timezone": {
                    "type": "string",
                    "description": "The time zone of both: Europe/Berlin; UTC when left out",
                },
            },
            "from",
            "to",
        ),
        "link": {
            "type": "string",
            "pattern": "^https?://[^\\s/?#]+(/[^\\s?#]*)?$",
            "description": "Where you open the dashboard: notices end with the page that tells "
            "more: https://runner.example.com",
        },
        "summary": _clock("When the day's summary is told, in UTC"),
        "heartbeat_url": _secret("the address that is asked every minute while all is well"),
    },
)

METRICS: Final[Mapping[str, Any]] = {
    "type": "string",
    "description": "Where Prometheus reads /metrics, HOST:PORT; nothing when left out: "
    "127.0.0.1:9464",
}

LOG: Final[Mapping[str, Any]] = _block(
    "What is logged, and where to",
    {
        "level": _LEVEL,
        "levels": {
            "type": "object",
            "description": "Other levels for parts of the runner, by the beginning of the name "
            "that a line shows as logger: {runner.gateway: debug}",
            "propertyNames": {"pattern": "^[a-z][a-z0-9_.]*$"},
            "additionalProperties": _LEVEL,
        },
        "targets": {
            "type": "array",
            "minItems": 1,
            "description": "Where lines go: [{to: stderr}, {to: runner.log, format: json}]",
            "items": _block(
                "One place that log lines go to: {to: stderr}",
                {
                    "to": {
                        "type": "string",
                        "minLength": 1,
                        "description": "stderr, stdout, or a file seen from this folder: stderr",
                    },
                    "level": _LEVEL,
                    "format": {
                        "enum": list(get_args(Format)),
                        "description": "logfmt, json, or auto: json where the line goes to "
                        "systemd's journal, logfmt elsewhere",
                    },
                },
                "to",
            ),
        },
    },
)


def mistakes(tree: Mapping[str, Any]) -> Iterator[Mistake]:
    """What the schema cannot say: a time zone that nobody knows."""
    zone = tree.get("notifications", {}).get("quiet", {}).get("timezone", "UTC")
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        path = ("notifications", "quiet", "timezone")
        yield Mistake(path, "wrong-value", f"there is no time zone {zone}", "write Europe/Berlin")


def notifications(tree: Mapping[str, Any]) -> Notifications:
    """The block `notifications` of a tree that fits the schema."""
    written = tree.get("notifications", {})
    quiet, summary = written.get("quiet"), written.get("summary")
    return Notifications(
        targets=tuple(written.get("targets", ())),
        kinds=dict(written.get("kinds", {})),
        quiet=_quiet(quiet) if quiet is not None else None,
        heartbeat_url=written.get("heartbeat_url"),
        link=written.get("link", "").rstrip("/"),
        summary=None if summary is None else _minutes(summary),
    )


def _quiet(written: Mapping[str, str]) -> Quiet:
    begin, end = _minutes(written["from"]), _minutes(written["to"])
    return Quiet(begin, end, written.get("timezone", "UTC"))


def _minutes(clock: str) -> int:
    """22:30 -> 1350, minutes since midnight."""
    return int(clock[:2]) * 60 + int(clock[3:])


def log(tree: Mapping[str, Any]) -> Log:
    """The block `log` of a tree that fits the schema."""
    written = dict(tree.get("log", {}))
    if "targets" in written:
        written["targets"] = tuple(LogTarget(**target) for target in written["targets"])
    return Log(**written)
