"""Every committed record as a log line: what the daemon shows of what it does."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from runner.core.decision import Decision

log = logging.getLogger(__name__)


def logged(decisions: Sequence[Decision]) -> None:
    """Observer: every record of a committed decision as a log line."""
    for decision in decisions:
        for record in decision.records:
            level = logging.ERROR if record.kind == "error" else logging.INFO
            names = ("rule_id", "symbol", "run_id", "reason")
            fields = {name: getattr(record, name) for name in names if getattr(record, name)}
            log.log(level, "%s: %s", record.kind, record.text, extra=fields)
