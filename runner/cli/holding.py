"""What the account holds: asked of the daemon, else of the journal; with its runs and exits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from runner.cli.daemon import daemon
from runner.core.figures import figure
from runner.core.wording import plain_words
from runner.errors import RunnerError
from runner.journal import JournalReader
from runner.settings import Settings

PATIENCE: Final = 3.0
"""Seconds that the daemon is waited for; then the journal alone answers."""

OPEN: Final = ("LIVE", "PLANNED", "SENDING", "UNKNOWN")
BALANCES: Final = ("wallet_balance", "available", "equity", "margin_ratio")
UNSEEN: Final = ("mark", "unrealised_pnl", "liquidation_price", "leverage")
"""What only somebody who watches the exchange can say."""

PAGE: Final = 500
"""So many lines of the log are read at a time, and so many orders are looked at for a position."""

_SIZE = re.compile(r"^(-?[0-9.]+) @ (-?[0-9.]+)$")

Plain = dict[str, Any]


def held(folder: Path, settings: Settings, journal: JournalReader, now: int) -> tuple[Plain, Plain]:
    """The document of `runner positions --json`, and what the daemon says of itself.

    `as_of` (ms) is of when it is; None when nothing is known.
    """
    runs = daemon(journal, now)
    as_of: int | None
    seen = _asked(folder, settings, now) if runs["running"] else None
    if seen is not None:
        found: list[Plain] = [{**each, "as_of": now} for each in seen["positions"]]
        as_of, known, account = now, bool(seen["known"]), seen.get("account", {})
    else:
        looked = _last_look(journal)
        known, account = looked["at"] is not None, looked["account"]
        found, as_of = _remembered(journal, settings, looked)
    orders = journal.orders(state=OPEN) if found else []
    told = {
        "live": seen is not None,
        "known": known,
        "as_of": as_of,
        "account": runs["account"],
        "mode": runs["mode"],
        "balances": {name: account.get(name) for name in BALANCES},
        "positions": [_joined(each, journal, orders) for each in found],
    }
    return told, runs


def _asked(folder: Path, settings: Settings, now: int) -> Mapping[str, Any] | None:
    """What the daemon sees; None when it does not answer, or this user may not ask."""
    from runner.cli.commanding import command

    data = {"who": "positions", "at": now}
    try:
        told = command(folder, settings, "account", data, now, PATIENCE)
    except RunnerError:
        return None
    return told.data if told.done else None


def _remembered(
    journal: JournalReader, settings: Settings, looked: Plain
) -> tuple[list[Plain], int | None]:
    """Positions as somebody last saw the account, with the changes that were told since; when."""
    found = {(each["symbol"], each["position_side"]): each for each in looked["positions"]}
    as_of: int | None = looked["at"]
    hedge = any(account.position_mode == "hedge" for account in settings.accounts.values())
    # in hedge mode the log's lines of positions do not name the side
    changes = [] if hedge else journal.records(after=looked["seq"], kinds=("position",))
    for record in changes:
        size = _size(record)
        if size is None:
            continue
        as_of, key = record["at"], (record["symbol"], "BOTH")
        found.pop(key, None)
        if size:
            found[key] = _changed(record, key)
    return [found[key] for key in sorted(found)], as_of


def _last_look(journal: JournalReader) -> Plain:
    """The newest answer: `seq`, `at`, `positions`, `account`; nothing from before the first."""
    before: int | None = None
    while page := journal.history(before, PAGE, kinds=("command",)):
        for record in page:
            data, at = record["data"], record["at"]
            if data.get("verb") == "account" and data.get("known"):
                rows = [{**each, "as_of": at} for each in data["positions"]]
                account = data.get("account", {})
                return {"seq": record["seq"], "at": at, "positions": rows, "account": account}
        before = page[-1]["seq"]
    return {"seq": 0, "at": None, "positions": [], "account": {}}


def _size(record: Mapping[str, Any]) -> Decimal | None:
    """The size that a line of the log tells; None for what is no statement of a position."""
    if record["text"] == "flat":
        return Decimal(0)
    found = _SIZE.match(record["text"])
    return Decimal(found[1]) if found else None


def _changed(record: Mapping[str, Any], key: tuple[str, str]) -> Plain:
    size, _, price = record["text"].partition(" @ ")
    told = {"symbol": key[0], "position_side": key[1], "size": size, "entry_price": price}
    return {**told, **dict.fromkeys(UNSEEN), "as_of": record["at"]}


def _joined(position: Plain, journal: JournalReader, orders: Iterable[Plain]) -> Plain:
    """The position with its `side`, the `runs` it came from and its `exits`."""
    long = not position["size"].startswith("-")
    of = [each for each in orders if _belongs(each, position)]
    exits = [each for each in of if _closes(each, long=long)]
    entries = _entries(journal, position, long=long)
    runs = {each["run_id"]: each["rule_id"] for each in (*entries, *exits)}
    return {
        **position,
        "unrealised_pnl": _result(position),
        "side": "long" if long else "short",
        "runs": [{"run_id": run_id, "rule_id": rule_id} for run_id, rule_id in runs.items()],
        "exits": [
            {
                "client_order_id": each["client_order_id"],
                "rule_id": each["rule_id"],
                "run_id": each["run_id"],
                "state": each["state"],
                "text": plain_words(each),
            }
            for each in exits
        ],
    }


def _result(position: Plain) -> str | None:
    """What closing at the mark would bring, fees apart; a reading of the account is older."""
    if position["mark"] is None:
        return position["unrealised_pnl"]  # type: ignore[no-any-return]
    moved = Decimal(position["mark"]) - Decimal(position["entry_price"])
    return figure(moved * Decimal(position["size"]))


def _belongs(order: Plain, position: Plain) -> bool:
    side = order.get("position_side") or "BOTH"
    same = (order["symbol"], side) == (position["symbol"], position["position_side"])
    return same and order["kind"] == "order"


def _closes(order: Plain, *, long: bool) -> bool:
    """True for an order that can only make the position smaller."""
    against = order["side"] == ("SELL" if long else "BUY")
    hedged = (order["position_side"] or "BOTH") != "BOTH"
    return against and bool(order["reduce_only"] or order["close_position"] or hedged)


def _entries(journal: JournalReader, position: Plain, *, long: bool) -> Sequence[Plain]:
    """Orders with fills that made this position, since it was last flat or the other way.

    In hedge mode nobody can tell since when: none.
    """
    if position["position_side"] != "BOTH":
        return []
    symbol, since = position["symbol"], 0
    for record in journal.history(limit=PAGE, kinds=("position",), symbol=symbol):
        size = _size(record)
        if size is not None and (size == 0 or (size > 0) is not long):
            since = record["at"]
            break
    side = "BUY" if long else "SELL"
    return [
        each
        for each in journal.orders(symbol=symbol, limit=PAGE)
        if _belongs(each, position)
        and each["side"] == side
        and not each["reduce_only"]
        and any(fill["event_time"] >= since for fill in each["fills"])
    ]
