"""Rules on a virtual clock with a real journal, adapter and paper exchange: what fired, and why."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from runner.journal import JournalReader
from tests.core.actions.stage import SYMBOL, Stage

HEAD = "version: 1\nrules:\n"


def text(*rules: str, head: str = HEAD) -> str:
    """A rule file: each rule is `id | when | further keys`, and notifies when it fires."""
    return head + "".join(_rule(rule) for rule in rules)


def _rule(rule: str) -> str:
    parts = [part.strip() for part in rule.split(" | ")]
    rule_id, when, *keys = parts
    lines = [f"  - id: {rule_id}", f"    when: [{{{when}}}]", *(f"    {key}" for key in keys)]
    if not any(key.startswith("symbol") for key in keys):
        lines.append(f"    symbol: {SYMBOL}")
    if not any(key.startswith("do:") for key in keys):
        lines.append("    do: [{notify: told}]")
    return "\n".join(lines) + "\n"


class Play(Stage):
    """A stage with one line for what happened."""

    def __init__(self, folder: Path, *rules: str, head: str = HEAD, **more: Any) -> None:
        super().__init__(text(*rules, head=head), folder, **more)

    def fired(self, rule_id: str | None = None) -> list[dict[str, Any]]:
        """What the runs of a rule (of all when None) carried, oldest first."""
        runs = sorted(self.runs(), key=lambda run: (run["fired_at"], run["run_id"]))
        return [run for run in runs if rule_id in (None, run["rule_id"])]

    def fields(self, rule_id: str) -> list[dict[str, Any]]:
        """The `trigger.*` of each run of a rule."""
        return [dict(run["fields"]) for run in self.fired(rule_id)]

    def records(self, kind: str) -> list[tuple[str, str]]:
        """Reason and text of every line of the log that is of this kind."""
        with JournalReader.open(self.file) as journal:
            rows = journal.records(limit=10_000)
        return [(row["reason"], row["text"]) for row in rows if row["kind"] == kind]

    def refused(self) -> list[str]:
        """Why rules did not fire."""
        return [reason for reason, _ in self.records("refused")]

    def prices(self, *values: int | str) -> None:
        """Prices one after another, a second apart."""
        for value in values:
            self.advance(1_000)
            self.price(Decimal(value))
