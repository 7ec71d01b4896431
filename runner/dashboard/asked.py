"""What a page was asked to show: filters and pages out of the address, and back into links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict

from runner.dashboard.figures import from_form

PAGE = 50
"""Rows on a page."""

MOST = 200
"""Characters of a filter that are looked at."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Filters as the form had them; "" and None where nothing was chosen."""

    rule: str = ""
    symbol: str = ""
    reason: str = ""
    kind: str = ""
    since: str = ""
    until: str = ""
    before: int | None = None

    @property
    def wanted(self) -> dict[str, Any]:
        """The same for `JournalReader.history`, without kinds."""
        return {
            "rule_id": self.rule or None,
            "symbol": self.symbol or None,
            "reason": self.reason or None,
            "since": from_form(self.since),
            "until": from_form(self.until),
        }

    @property
    def words(self) -> Mapping[str, str]:
        """The filters that were chosen, for links."""
        names = ("rule", "symbol", "reason", "kind", "since", "until")
        return {name: getattr(self, name) for name in names if getattr(self, name)}


def asked(arguments: MultiDict[str, str]) -> Asked:
    """Read the address's query; what makes no sense is left out."""
    texts = {
        name: arguments.get(name, "").strip()[:MOST]
        for name in ("rule", "symbol", "reason", "kind", "since", "until")
    }
    before = arguments.get("before", "")
    number = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None
    return Asked(**texts, before=number)
