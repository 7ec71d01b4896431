"""The answer of every verb that takes --json, by the verb's name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from runner.cli.answers.parts import FINDING, ORDER, RECORD, RUN
from runner.cli.answers.state import POSITIONS, STATUS, WHY_ALL, WHY_ONE
from runner.cli.answers.words import (
    AMOUNT,
    ANYTHING,
    AT,
    COUNT,
    FLAG,
    INTEGER,
    NUMBER,
    SPAN,
    TEXT,
    TIME,
    Schema,
    by,
    items,
    maybe,
    one_of,
    record,
    said,
)

COMMANDED: Final = record(
    {
        "done": FLAG,
        "text": TEXT,
        "runs": items(
            record(
                {
                    "run_id": TEXT,
                    "symbol": TEXT,
                    "status": one_of("running", "done", "stopped"),
                    "told": TEXT,
                }
            )
        ),
    }
)

FIRED: Final = record(
    {"done": FLAG, "text": TEXT, "runs": COMMANDED["properties"]["runs"]},
    {"run": said(TEXT, "The run's id, when it fired."), "outcome": TEXT},
)

ALERT: Final = record(
    {
        "seq": COUNT,
        "path": TEXT,
        "body_hash": TEXT,
        "fields": ANYTHING,
        "received_at": AT,
        "event_time": maybe(TIME),
        "outcome": TEXT,
    }
)

ANSWERED: Final = record(
    {"status": said(COUNT, "The HTTP status.")},
    {
        "outcome": TEXT,
        "rules": items(
            record(
                {
                    "rule_id": TEXT,
                    "symbol": TEXT,
                    "outcome": TEXT,
                    "reason": TEXT,
                    "detail": TEXT,
                    "run_id": TEXT,
                }
            )
        ),
        "error": TEXT,
    },
)

AUDIT: Final = record(
    {
        "account": TEXT,
        "since": TIME,
        "journal_orders": COUNT,
        "exchange_orders": COUNT,
        "differences": items(TEXT),
    }
)

DOCTOR: Final = record(
    {
        "fit": FLAG,
        "checks": items(
            record(
                {
                    "check": TEXT,
                    "verdict": one_of("ok", "warning", "wrong"),
                    "text": TEXT,
                    "cure": TEXT,
                    "blocks": said(FLAG, "A live start refuses it."),
                }
            )
        ),
    }
)

EXPLAIN: Final = record(
    {
        **RUN["properties"],
        "rule_text": said(TEXT, "The rule as it was then."),
        "orders": items(ORDER),
        "records": items(RECORD),
    }
)

PLAN: Final = record(
    {
        "rule_id": TEXT,
        "account": TEXT,
        "plans": items(
            record(
                {
                    "symbol": TEXT,
                    "trigger": TEXT,
                    "at": AT,
                    "outcome": TEXT,
                    "reason": TEXT,
                    "detail": TEXT,
                    "conditions": items(record({"text": TEXT, "holds": maybe(FLAG), "seen": TEXT})),
                    "requests": items(
                        record(
                            {
                                "round": said(COUNT, "What has a later one waits for these."),
                                "method": TEXT,
                                "path": TEXT,
                                "headers": by("name", TEXT),
                                "parameters": by("name", TEXT),
                                "payload": TEXT,
                                "orders": items(
                                    record(
                                        {"leg": TEXT, "text": TEXT, "client_order_id": TEXT},
                                        {"parameters": said(ANYTHING, "In a batch.")},
                                    )
                                ),
                            }
                        )
                    ),
                    "notes": items(TEXT),
                    "guards": by(
                        "leg",
                        record(
                            {
                                "verdict": TEXT,
                                "guards": items(
                                    record(
                                        {
                                            "guard": TEXT,
                                            "seen": TEXT,
                                            "limit": TEXT,
                                            "where": TEXT,
                                        }
                                    )
                                ),
                            }
                        ),
                    ),
                }
            )
        ),
    }
)

RELOAD: Final[Schema] = {
    **RECORD,
    "properties": {
        **RECORD["properties"],
        "data": record(
            {"revision": TEXT, "rules": COUNT, "asked_monotonic": INTEGER},
            {
                "plan": items(TEXT),
                "changes": items(
                    record(
                        {
                            "file": TEXT,
                            "mark": one_of("~", "+", "-", ">", "="),
                            "name": TEXT,
                            "what": TEXT,
                            "then": TEXT,
                        }
                    )
                ),
                "tests": said(COUNT, "How many passed, where reload.require_tests asks."),
                "refused": said(TEXT, "The diagnostics; then nothing changed."),
            },
        ),
    },
}

_COUNTS: Final = {
    "fires": COUNT,
    "orders": COUNT,
    "rejected": COUNT,
    "fills": COUNT,
    "fees": AMOUNT,
    "realised_pnl": AMOUNT,
    "why_not": by("reason", COUNT),
}

REPLAY: Final = record(
    {
        "from": AT,
        "to": AT,
        "data": items(
            record(
                {
                    "symbol": TEXT,
                    "kind": TEXT,
                    "files": items(TEXT),
                    "span": said(SPAN, "Of a candle, in ms; 0 for what is none."),
                    "count": COUNT,
                    "from": AT,
                    "to": AT,
                    "gaps": items(items(AT)),
                }
            )
        ),
        "terms": record(
            {
                "balance": AMOUNT,
                "asset": TEXT,
                "maker_fee": AMOUNT,
                "taker_fee": AMOUNT,
                "funding_rate": AMOUNT,
            }
        ),
        "totals": record(
            {
                **_COUNTS,
                "funding": AMOUNT,
                "unrealised_pnl": AMOUNT,
                "liquidation_fees": AMOUNT,
                "net_pnl": AMOUNT,
                "balance": AMOUNT,
                "equity": AMOUNT,
                "max_drawdown": AMOUNT,
                "max_drawdown_percent": AMOUNT,
            }
        ),
        "rules": items(record({"rule": TEXT, **_COUNTS})),
        "not_played": by("rule", TEXT),
        "partly_played": by("rule", TEXT),
        "positions": items(
            record({"symbol": TEXT, "side": TEXT, "size": AMOUNT, "entry_price": AMOUNT})
        ),
        "fills": items(
            record(
                {
                    "time": AT,
                    "symbol": TEXT,
                    "rule": TEXT,
                    "side": one_of("buy", "sell"),
                    "price": AMOUNT,
                    "quantity": AMOUNT,
                    "fee": AMOUNT,
                    "realised_pnl": AMOUNT,
                    "maker": FLAG,
                }
            )
        ),
        "equity": items({"type": "array"}, "Pairs of UTC ms and an amount."),
        "errors": items(record({"at": AT, "rule": TEXT, "text": TEXT})),
        "assumptions": items(TEXT),
    }
)

SECRETS_CHECK: Final = items(record({"name": TEXT, "use": TEXT, "problem": maybe(TEXT)}))

SECRETS_AGE: Final = items(
    record({"account": TEXT, "days": maybe(INTEGER), "warning": said(TEXT, "Empty: none.")})
)

DB_CHECK: Final = record({"journal": TEXT, "problems": items(TEXT)})

RESOLVED: Final = record(
    {"done": FLAG, "waits": said(FLAG, "The next start does it."), "text": TEXT}
)

TESTED: Final = record(
    {
        "passed": COUNT,
        "failed": COUNT,
        "coverage": said(NUMBER, "Percent of the rules that have a test."),
        "untested": items(TEXT),
        "findings": items(FINDING),
        "tests": items(
            record(
                {
                    "file": TEXT,
                    "name": TEXT,
                    "rule": TEXT,
                    "symbol": TEXT,
                    "passed": FLAG,
                    "seconds": NUMBER,
                    "failures": items(FINDING),
                    "log": items(
                        record(
                            {
                                "at": said(SPAN, "Ms since the test began."),
                                "kind": TEXT,
                                "text": TEXT,
                                "reason": TEXT,
                            }
                        )
                    ),
                }
            )
        ),
    }
)

VERSION: Final = record(
    {
        "version": TEXT,
        "python": TEXT,
        "sqlite": TEXT,
        "journal_schema": said(INTEGER, "The revision of the journals that it writes."),
    }
)

SWITCHES: Final = ("enable", "disable", "pause", "resume", "cancel", "flatten", "kill", "unlock")

SEVERAL: Final = record({"accounts": by("account", {})})
"""Of verbs that go through several accounts: each one's own answer, null where it has none."""

ANSWERS: Final[Mapping[str, tuple[tuple[str, ...], Schema]]] = {
    "accounts": ((), SEVERAL),
    "alert": (("alert --send",), ANSWERED),
    "alerts": (("alerts",), items(ALERT)),
    "audit": (("audit",), AUDIT),
    "check": (("check",), items(FINDING)),
    "command": (SWITCHES, COMMANDED),
    "db-check": (("db check",), DB_CHECK),
    "doctor": (("doctor",), DOCTOR),
    "explain": (("explain",), EXPLAIN),
    "fire": (("fire",), FIRED),
    "journal": (("journal",), items(RECORD)),
    "orders": (("orders",), items(ORDER)),
    "plan": (("plan",), PLAN),
    "positions": (("positions",), POSITIONS),
    "reload": (("reload",), RELOAD),
    "replay": (("replay",), REPLAY),
    "resolve": (("resolve",), RESOLVED),
    "runs": (("runs",), items(RUN)),
    "secrets-age": (("secrets age",), SECRETS_AGE),
    "secrets-check": (("secrets check",), SECRETS_CHECK),
    "status": (("status",), STATUS),
    "test": (("test",), TESTED),
    "version": (("version",), VERSION),
    "why": (("why",), WHY_ONE),
    "why-all": (("why --all",), WHY_ALL),
}
"""Name of the file -> the verbs that print it with --json, and its schema.

A key that is not named here may come with a later version: who reads answers ignores those.
"""


def text(name: str) -> str:
    """One schema as it stands in schemas/cli/, the same bytes every time."""
    verbs, schema = ANSWERS[name]
    printed = ", ".join(f"runner {verb}" for verb in verbs)
    said = {"title": printed or "any verb that goes through several accounts"}
    whole = {"$schema": "http://json-schema.org/draft-07/schema#", **said, **schema}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def write(folder: Path) -> list[Path]:
    """Write all of them as <name>.v1.schema.json; the paths."""
    found = []
    for name in ANSWERS:
        path = folder / f"{name}.v1.schema.json"
        path.write_text(text(name), "utf-8")
        found.append(path)
    return found


if __name__ == "__main__":
    from runner.resources import folder

    write(folder("schemas") / "cli")
