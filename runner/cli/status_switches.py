"""What `runner status` says of switches, runs with a problem and the reach of countdowns."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.core.decision import RuleMemory
from runner.core.losses import closed
from runner.core.switches import KILLED, PAUSED, Latch, latch, switched

if TYPE_CHECKING:
    from runner.journal import JournalReader


SETTLED = 5_000
"""Ms: how long after its position an exit may stay, until its cancel is done."""


def switches(journal: JournalReader) -> dict[str, Any]:
    """Who paused, killed or disabled what, when and why: `paused`, `killed` (null when not so)
    and `disabled` (by rule id), each with `who`, `at`, `why`; `reduce_only` are the limits on
    losses that are reached, each with its sentence.
    """
    memories = _memories(journal)
    disabled = {
        rule_id: _plain(switched(memory))
        for (rule_id, symbol), memory in memories.items()
        if not symbol and memory.enabled is False and not rule_id.startswith(":")
    }
    return {
        "paused": _plain(latch(memories, PAUSED)),
        "killed": _plain(latch(memories, KILLED)),
        "disabled": disabled,
        "reduce_only": dict(closed(memories)),
    }


def _memories(journal: JournalReader) -> dict[tuple[str, str], RuleMemory]:
    return {
        (each["rule_id"], each["symbol"]): RuleMemory(
            enabled=each["enabled"], triggers=each["triggers"]
        )
        for each in journal.memories()
    }


def _plain(by: Latch | None) -> dict[str, Any] | None:
    return None if by is None else {"who": by.who, "at": by.at, "why": by.why}


def _latch(kept: dict[str, Any] | None) -> str:
    return Latch(kept["who"], kept["at"], kept["why"]).text if kept else ""


def problems(folder: Path, told: dict[str, Any], journal: JournalReader) -> list[dict[str, str]]:
    """A kill, a pause, and each run that goes on with a problem."""
    found = []
    if told["killed"]:
        cure = f"runner unlock --reason TEXT --dir {folder}"
        found.append({"what": f"killed {_latch(told['killed'])}: no entries", "cure": cure})
    if told["paused"]:
        what = f"paused {_latch(told['paused'])}: no new entries, exits go on"
        found.append({"what": what, "cure": f"runner resume --dir {folder}"})
    for guard, text in told["reduce_only"].items():
        cure = "wait for the next UTC day"
        if guard.startswith("max_drawdown"):
            cure = f"runner unlock --reason TEXT --dir {folder}"
        found.append({"what": f"reduce-only, exits go on: {text}", "cure": cure})
    for run in journal.runs(status="running", troubled=True):
        what = f"run {run['run_id']} of {run['rule_id']} on {run['symbol']}: {run['reason']}"
        cure = (
            "it goes on; protect the position in the exchange's app, or close it: runner "
            f"flatten --symbol {run['symbol']} --dir {folder}"
        )
        found.append({"what": what, "cure": cure})
    return found


def idle_exits(
    folder: Path, told: dict[str, Any], journal: JournalReader, now: int
) -> list[dict[str, str]]:
    """Exits that stay on the book though their position was closed by other means.

    Only what this start was told of counts, and in hedge mode nothing is said: the log's lines of
    positions do not name the side.
    """
    found: dict[tuple[str, str], str] = {}
    flat_at = cache(partial(_flat_at, journal))
    for order in told["open_orders"]:
        exits = order["kind"] == "order" and order["reduce_only"]
        if exits and order["position_side"] in (None, "BOTH"):
            since = max(order["planned_at"], told["started_at"] or 0)
            if since < flat_at(order["symbol"]) < now - SETTLED:
                found[order["rule_id"], order["symbol"]] = order["run_id"]
    return [
        {
            "what": f"{symbol} is flat, and an exit of {rule_id} stays on the book (run {run_id})",
            "meaning": "its run goes on, and the exit would close a position that comes later",
            "cure": f"runner cancel --rule {rule_id} --symbol {symbol} --dir {folder}",
        }
        for (rule_id, symbol), run_id in found.items()
    ]


def _flat_at(journal: JournalReader, symbol: str) -> int:
    """Since when (ms) the symbol has no position, 0 while it has one or nobody knows."""
    newest = journal.records(kinds=("position",), symbol=symbol, limit=1)
    return int(newest[0]["at"]) if newest and newest[0]["text"] == "flat" else 0


def off(told: dict[str, Any]) -> list[str]:
    """A line for each rule that somebody disabled: wanted, so no problem, but not forgotten."""
    return [
        f"disabled: {f'{rule_id} {_latch(by)}'.rstrip()}; runner enable {rule_id} ends it"
        for rule_id, by in sorted(told["disabled"].items())
    ]


def uncovered(told: dict[str, Any], symbol: str) -> str:
    """The symbol's conditional orders, which no countdown cancels; empty when there are none."""
    orders = [
        order
        for order in told["open_orders"]
        if order["symbol"] == symbol and order["kind"] == "order" and order["family"] == "algo"
    ]
    count = f"{len(orders)} conditional order{'' if len(orders) == 1 else 's'}"
    return f"; not covered: {count}" if orders else ""
