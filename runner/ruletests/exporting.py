"""A run of the journal as a test: its event, the world as it was, and what became of its orders."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from runner.core.rules import Rule
from runner.errors import UsageError
from runner.journal import JournalReader
from runner.rulebook.build import rebuild
from runner.rulebook.diagnostics import render
from runner.rulebook.tests_file import GIVEN, load_tests
from runner.rulebook.tests_meaning import reason_of
from runner.rulebook.tests_model import spoken
from runner.rulebook.tests_schema import SOURCES, order_fields
from runner.ruletests import writing
from runner.ruletests.occasions import Keys, Occasion, occasions
from runner.ruletests.playing import play
from runner.ruletests.reporting import failure

_FILLED = re.compile(r": (\S+) filled")

HEAD = "# yaml-language-server: $schema=tests.v1.schema.json\n"
LEFT_OUT = frozenset({"symbol", "tag", "hold_unknown", "price_protect"})
"""Fields of an order that say little, unless the rule writes them."""

LEVERAGE = Decimal(20)
SECOND = 1_000


def as_test(journal: JournalReader, run: Mapping[str, Any], rules_file: Path) -> tuple[str, str]:
    """The text of a tests file with one test of this run, and what does not pass in it (or "").

    Raises UsageError for what no test can play: an old journal, a trigger that is unknown now.
    """
    rule = rebuild(str(run["rule_text"]))
    records = journal.records(run_id=run["run_id"])
    seen = _seen(records)
    tried = []
    for occasion in occasions(journal, run, rule, seen):
        text = _written_test(run, rule, rules_file, records, seen, occasion)
        wrong = passes(text, rules_file)
        if not wrong:
            return text, ""
        tried.append((text, wrong))
    return tried[0]


def _written_test(
    run: Mapping[str, Any],
    rule: Rule,
    rules_file: Path,
    records: Sequence[Mapping[str, Any]],
    seen: Mapping[str, Decimal],
    occasion: Occasion,
) -> str:
    start = run["fired_at"] - occasion.at
    first = {"clock": _instant(start), **_prices(seen, occasion)}
    steps = [{**first, **occasion.steps[0]}, *occasion.steps[1:]]
    steps += list(_aftermath(run, records, occasion.at))
    symbol = {} if len(rule.symbols) == 1 else {"symbol": run["symbol"]}
    test = {
        "name": f"as it happened on {_instant(run['fired_at'])}, run {run['run_id']}",
        "rule": rule.id,
        **symbol,
        "given": _given(seen, occasion),
    }
    lines = [f"    {key}: {writing.value(below)}" for key, below in test.items() if below]
    lines[0] = f"  - {lines[0].strip()}"
    told = [writing.step(keys, "      ") for keys in steps]
    top = f"{HEAD}tests_for: {writing.scalar(rules_file.name)}\n\ntests:\n"
    return top + "\n".join([*lines, "    steps:", *told]) + "\n"


def passes(text: str, rules_file: Path) -> str:
    """Play a written test where it would stand; empty when it passes, else what differs."""
    with tempfile.TemporaryDirectory(prefix="runner-test-") as name:
        (Path(name) / rules_file.name).write_bytes(rules_file.read_bytes())
        path = Path(name) / "written.tests.yaml"
        path.write_text(text, "utf-8")
        tests = load_tests(path)
        if not tests.sound:
            return render(tests.found, "").replace(f"{name}/", "")
        results = [play(tests, case) for case in tests.cases]
        return "\n".join(failure(one) for one in results if not one.passed).replace(f"{name}/", "")


def _seen(records: Sequence[Mapping[str, Any]]) -> dict[str, Decimal]:
    """The numbers that the rule saw as it fired."""
    fired = next((record for record in records if record["kind"] == "fired"), None)
    told = (fired or {}).get("data", {}).get("seen")
    if told is None:
        raise UsageError(
            "the journal does not say what this run saw as it fired: it was written by an older "
            "runner; take a newer run"
        )
    found = {}
    for name, text in told.items():
        if name in GIVEN or name in SOURCES:
            found[name] = Decimal(text)
    return found


def _given(seen: Mapping[str, Decimal], occasion: Occasion) -> Keys:
    seen = {**seen, **(occasion.given or {})}
    held = bool(seen.get("position.size"))
    given = {name: seen[name] for name in GIVEN if name in seen}
    if not held:
        given.pop("position.entry_price", None)
    if not held or given.get("position.leverage") == LEVERAGE:
        given.pop("position.leverage", None)
    if "account.available" in given:
        given.pop("account.wallet_balance", None)
        given.pop("account.equity", None)
    return given


def _prices(seen: Mapping[str, Decimal], occasion: Occasion) -> Keys:
    """The prices at the start: what it saw, unless the occasion itself moves them."""
    moved = {key for keys in occasion.steps for key in keys if key in SOURCES}
    return {name: seen[name] for name in SOURCES if name in seen and name not in moved}


def _instant(at: int) -> str:
    moment = datetime.fromtimestamp(at / 1000, UTC)
    thousandths = f".{at % 1000:03d}" if at % 1000 else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{thousandths}Z"


# what became of it


@dataclass(slots=True)
class _Group:
    """What is expected at one moment."""

    orders: list[Keys]
    cancelled: list[Any]
    notes: list[str]

    def expect(self) -> Keys:
        """As it is written; empty when there is nothing."""
        found: Keys = {"place": self.orders} if self.orders else {}
        if self.cancelled:
            found["cancel"] = "all" if None in self.cancelled else sorted(set(self.cancelled))
        if self.notes:
            found["notify"] = self.notes if len(self.notes) > 1 else self.notes[0]
        return found


def _aftermath(
    run: Mapping[str, Any], records: Sequence[Mapping[str, Any]], at: int
) -> Iterator[Keys]:
    """Refusals first, then orders, messages and fills in the order in which they happened."""
    numbers = {
        order["client_order_id"]: number for number, order in enumerate(_orders(run), start=1)
    }
    happened = list(_happened(run, records, numbers))
    for order in _orders(run):
        if order["state"] == "REJECTED" and order["code"] is not None:
            number = numbers[order["client_order_id"]]
            yield {"reject": {"order": number, "code": order["code"]}}
    group, told = _Group([], [], []), False
    for when, what, detail in happened:
        now = at + (when - run["fired_at"]) // SECOND * SECOND
        if what == "order":
            group.orders.append(detail)
        elif what == "cancel":
            group.cancelled.append(detail)
        elif what == "notify":
            group.notes.append(detail)
        else:
            if group.expect():
                yield {"at": spoken(now), "expect": group.expect()}
                group, told = _Group([], [], []), True
            yield {"at": spoken(now), **detail}
    last = at + (happened[-1][0] - run["fired_at"]) // SECOND * SECOND if happened else at
    if group.expect():
        yield {"at": spoken(last), "expect": group.expect()}
    elif not told:
        yield {"at": spoken(at), **_silent(run, records)}


def _silent(run: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> Keys:
    """A run without orders and messages: what it switched, or that it fired and why it stopped."""
    switched: Keys = {}
    for record in records:
        name, _, word = str(record["text"]).rpartition(" ")
        if record["kind"] == "state" and word in ("enabled", "disabled") and " " not in name:
            switched.setdefault(word.removesuffix("d"), []).append(name)
    if switched:
        return {"expect": switched}
    reason = str(run["reason"]).partition(":")[0]
    known = reason_of(reason)
    return {"expect": "fired", **({"because": known.value} if known else {})}


def _orders(run: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [order for order in run["orders"] if order["kind"] == "order"]


def _happened(
    run: Mapping[str, Any], records: Sequence[Mapping[str, Any]], numbers: Mapping[str, int]
) -> Iterator[tuple[int, str, Any]]:
    """The log's own order, which is that of the decisions."""
    orders = {order["client_order_id"]: order for order in run["orders"]}
    left = {key: sorted(one["fills"], key=_fill_time) for key, one in orders.items()}
    for record in records:
        at, order = record["at"], orders.get(record["client_order_id"])
        if record["kind"] == "notify":
            yield at, "notify", record["text"]
        elif record["kind"] == "planned" and order is not None:
            if order["kind"] == "order":
                yield at, "order", _written(order)
            elif order["kind"] == "cancel":
                yield at, "cancel", numbers.get(order["target"] or "")
        elif record["kind"] == "fill" and order is not None:
            found = _FILLED.search(record["text"])
            fills, filled = left[record["client_order_id"]], Decimal(found[1] if found else 0)
            for fill in _until(fills, filled, order):
                yield at, "fill", _fill(order, numbers[record["client_order_id"]], fill)


def _fill_time(fill: Mapping[str, Any]) -> tuple[int, str]:
    return fill["event_time"], str(fill["trade_id"])


def _until(
    fills: list[Mapping[str, Any]], filled: Decimal, order: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    """The next fills of an order until so much of it is filled in all."""
    done = sum((Decimal(fill["quantity"]) for fill in order["fills"]), Decimal(0))
    done -= sum((Decimal(fill["quantity"]) for fill in fills), Decimal(0))
    while fills and done < filled:
        fill = fills.pop(0)
        done += Decimal(fill["quantity"])
        yield fill


def _fill(order: Mapping[str, Any], number: int, fill: Mapping[str, Any]) -> Keys:
    """An order of the book fills by hand; a conditional one when the price reaches it."""
    price = Decimal(fill["price"])
    if order["family"] == "algo":
        trigger = Decimal(order["trigger_price"] or price)
        nearest = min(trigger, price) if order["side"] == "SELL" else max(trigger, price)
        return {"mark": nearest, "last": nearest}
    return {"fill": {"order": number, "price": price, "quantity": Decimal(fill["quantity"])}}


def _written(order: Mapping[str, Any]) -> Keys:
    """An order's fields as a test writes them: those that say something."""
    found: Keys = {}
    for name, schema in order_fields().items():
        told = order.get(name)
        if name in LEFT_OUT or told in (None, False, "", "BOTH"):
            continue
        if schema.get("type") == "number":
            found[name] = Decimal(told)
        else:
            found[name] = told.lower() if isinstance(told, str) else told
    if found.get("time_in_force") == "gtc":
        del found["time_in_force"]
    return found
