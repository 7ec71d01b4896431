"""What the daemon of a folder says of itself now, or where it was left when it ended."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from runner.cli import output
from runner.cli.accounts import in_effect
from runner.cli.reading import started

if TYPE_CHECKING:
    from runner.journal import JournalReader

ANSWER_WITHIN = 2
"""Seconds; the daemon answers from memory."""

Plain = dict[str, Any]


def daemon(journal: JournalReader, now: int) -> Plain:
    """What the newest start said, and what its hook address answers now (ms).

    `as_of` is the moment up to which the journal knows the world.
    """
    start = started(journal)
    answer = _ready(start.get("hook", "")) if start.get("running") else None
    alive_at = journal.meta().get("alive_at")
    stopped_at = start.get("stopped_at")
    return {
        "mode": start.get("mode"),
        "account": start.get("account"),
        "hook": start.get("hook"),
        "running": answer is not None,
        "ready": bool(answer and answer.get("ready")),
        "taking": bool(answer and answer.get("taking")),
        "reasons": (answer or {}).get("reasons", []),
        "links": (answer or {}).get("problems", []),
        "stale": (answer or {}).get("stale", []),
        "streams": (answer or {}).get("streams", []),
        "limits": (answer or {}).get("limits", []),
        "stopped": not start.get("running", False),
        "started_at": start.get("at"),
        "stopped_at": stopped_at,
        "how": start.get("how"),
        "alive_at": alive_at,
        "as_of": now if answer is not None else stopped_at or alive_at,
    }


def _ready(hook: str) -> Plain | None:
    """What GET /readyz answers; None when nobody does."""
    where = urlsplit(hook)
    if not where.hostname:
        return None
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=ANSWER_WITHIN)
    try:
        connection.request("GET", f"/readyz/{name}" if (name := in_effect()) else "/readyz")
        answer = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return answer if isinstance(answer, dict) else None


def ended(told: Plain, now: int) -> str:
    """How a daemon that does not run came to its end, in words."""
    if told["started_at"] is None:
        return "it was never started here"
    if told["stopped"]:
        how = told["how"] or "stopped"
        return f"{how}, {moment(told['stopped_at'], now)}"
    seen = moment(told["alive_at"], now)
    return f"it does not answer and did not say that it stops; last sign of life {seen}"


def moment(at: int | None, now: int) -> str:
    """A time and how long ago: 2026-11-20 08:00:00 UTC (3 min ago)."""
    if at is None:
        return "-"
    return f"{output.instant(at)[:19]} UTC ({output.ago(at, now)})"


def countdowns(rows: list[Plain]) -> list[Plain]:
    """The dead men, each with `runs_out_time`: when the exchange cancels, unless set again."""
    return [row | {"runs_out_time": _runs_out(row)} for row in rows]


def _runs_out(row: Plain) -> int | None:
    return row["confirmed_time"] + row["countdown"] if row["countdown"] else None
