"""The answers of the verbs that tell how things stand: status, why, positions."""

from __future__ import annotations

from typing import Final

from runner.cli.answers.parts import ORDER, RECORD, RUN, STATE
from runner.cli.answers.words import (
    AMOUNT,
    ANYTHING,
    AT,
    COUNT,
    FLAG,
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

LOOK: Final = {
    "reason": said(TEXT, "A word of docs/reasons.md; empty when only the event is missing."),
    "text": said(TEXT, "The same in words: what it waits for."),
}

_BY: Final[Schema] = record({"who": TEXT, "at": AT, "why": TEXT})

PROBLEM: Final = record(
    {
        "what": TEXT,
        "meaning": TEXT,
        "cure": TEXT,
        "link": said(maybe(TEXT), "The way to the exchange, or to people, that it is about."),
        "since": maybe(AT),
    }
)

STATUS: Final = record(
    {
        "mode": maybe(TEXT),
        "account": maybe(TEXT),
        "hook": maybe(TEXT),
        "running": FLAG,
        "ready": said(FLAG, "Alerts become orders."),
        "taking": said(FLAG, "Alerts are taken."),
        "reasons": items(TEXT, "Why it is not ready."),
        "stale": items(record({"symbol": TEXT, "source": TEXT, "since": maybe(AT)})),
        "streams": items(
            record({"stream": one_of("market", "user"), "connected": FLAG, "since": maybe(AT)})
        ),
        "limits": items(
            record(
                {
                    "limit": one_of("weight", "orders"),
                    "every": said(SPAN, "The window in ms."),
                    "used": COUNT,
                    "most": COUNT,
                }
            )
        ),
        "stopped": said(FLAG, "It said that it stops."),
        "started_at": maybe(AT),
        "stopped_at": maybe(AT),
        "how": said(maybe(TEXT), "How it stopped."),
        "alive_at": maybe(AT),
        "as_of": said(maybe(AT), "Of when all this is."),
        "revision": maybe(TEXT),
        "revision_at": maybe(AT),
        "refused_reload": maybe(RECORD),
        "rules": items(
            record(
                {
                    "rule_id": TEXT,
                    "symbol": TEXT,
                    "enabled": FLAG,
                    "last_fired_at": maybe(AT),
                    "fires": COUNT,
                    **LOOK,
                }
            )
        ),
        "open_orders": items(ORDER),
        "dead_men": items(
            record(
                {
                    "symbol": TEXT,
                    "countdown": SPAN,
                    "confirmed_time": TIME,
                    "expired": FLAG,
                    "late_told": FLAG,
                    "expired_since": maybe(TIME),
                    "runs_out_time": said(
                        maybe(TIME), "When the exchange cancels unless it is set anew."
                    ),
                }
            )
        ),
        "paused": maybe(_BY),
        "killed": maybe(_BY),
        "disabled": by("rule id", maybe(_BY)),
        "reduce_only": by("guard", TEXT),
        "events": items(RECORD),
        "problems": items(PROBLEM),
    }
)

_LINES: Final = items(record({"name": TEXT, **LOOK}))

WHY_ONE: Final = record(
    {
        "rule_id": TEXT,
        "loaded": FLAG,
        "enabled": FLAG,
        "live": said(FLAG, "The daemon answered; else the journal alone."),
        "when": items(TEXT),
        "if": items(TEXT),
        "symbols": items(
            record(
                {
                    "symbol": TEXT,
                    "last_fired_at": maybe(AT),
                    "fires": COUNT,
                    "fires_today": COUNT,
                    "max_fires": maybe(COUNT),
                    "max_fires_per_day": maybe(COUNT),
                    "cooldown_left": SPAN,
                    "triggers": said(ANYTHING, "What each trigger remembers."),
                    "now": maybe(
                        record({"symbol": TEXT, **LOOK, "triggers": _LINES, "conditions": _LINES})
                    ),
                }
            )
        ),
        "running": items(RUN),
        "records": items(RECORD),
    }
)

WHY_ALL: Final = items(
    record({"rule_id": TEXT, "symbol": TEXT, **LOOK, "last_fired_at": maybe(AT), "fires": COUNT})
)

POSITIONS: Final = record(
    {
        "live": said(FLAG, "The daemon answered; else what the journal knew last."),
        "known": said(FLAG, "The whole account was read; else positions may be missing."),
        "as_of": maybe(AT),
        "account": maybe(TEXT),
        "mode": maybe(TEXT),
        "balances": record(
            {
                "wallet_balance": maybe(AMOUNT),
                "available": maybe(AMOUNT),
                "equity": maybe(AMOUNT),
                "margin_ratio": said(maybe(AMOUNT), "A share: 0.02 is 2 %."),
            }
        ),
        "positions": items(
            record(
                {
                    "symbol": TEXT,
                    "side": one_of("long", "short"),
                    "position_side": one_of("BOTH", "LONG", "SHORT"),
                    "size": said(AMOUNT, "Negative: short."),
                    "entry_price": AMOUNT,
                    "mark": maybe(AMOUNT),
                    "unrealised_pnl": maybe(AMOUNT),
                    "liquidation_price": maybe(AMOUNT),
                    "leverage": maybe(AMOUNT),
                    "as_of": maybe(AT),
                    "runs": items(record({"run_id": TEXT, "rule_id": TEXT})),
                    "exits": items(
                        record(
                            {
                                "client_order_id": TEXT,
                                "rule_id": TEXT,
                                "run_id": TEXT,
                                "state": STATE,
                                "text": TEXT,
                            }
                        )
                    ),
                }
            )
        ),
    }
)
