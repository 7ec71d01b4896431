"""What a check-up of an account says: one finding a check, each fine or with its cure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warning", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `runner doctor`; `blocks`: nothing goes live while it is wrong."""

    check: str
    verdict: Verdict
    text: str
    cure: str = ""
    blocks: bool = False


@dataclass(frozen=True, slots=True)
class Declared:
    """What runner.yaml says of the account (None: nothing), and the symbols of its rules."""

    position_mode: str = "one_way"
    leverage: int | None = None
    margin_type: str | None = None
    symbols: tuple[str, ...] = ()


def refusals(findings: Iterable[Finding]) -> list[Finding]:
    """Those that keep an account from going live."""
    return [one for one in findings if one.blocks and one.verdict == "wrong"]
