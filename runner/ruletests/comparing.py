"""What a test expects beside what the rule did: the first field that differs, with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from runner.core.document import Path
from runner.core.figures import figure
from runner.rulebook.tests_meaning import reason_of
from runner.rulebook.tests_model import Step, spoken
from runner.rulebook.tests_schema import SWITCHES, WORDS
from runner.ruletests.watching import Cause, Done, Order


@dataclass(frozen=True, slots=True)
class Difference:
    """Something else happened than is expected at this place of the file."""

    path: Path
    text: str


def differences(step: Step, done: Done, standing: Sequence[Cause]) -> Iterator[Difference]:
    """Every difference of one step; `standing` says why the rule does not fire right now."""
    path = (*step.path, "expect")
    found: list[Difference] = []
    if step.expect == "nothing" and not done.nothing:
        found.append(Difference(path, f"expected nothing, but {told(done)}"))
    elif step.expect == "fired" and not done.fired_at:
        found.append(Difference(path, _nothing_but("a fire", done)))
    elif isinstance(step.expect, Mapping):
        found += _expected(path, step.expect, done)
    # why something else happened than expected is told by the log
    if step.because and not found:
        found += _because(step, done, standing)
    yield from found


def told(done: Done) -> str:
    """What happened, in a few words, the most important first."""
    if done.fired_at:
        return f"the rule fired at {spoken(done.fired_at[0])}"
    if done.orders:
        return f"it placed {described(done.orders[0])}"
    if done.cancelled:
        number = done.cancelled[0]
        return "it cancelled all orders" if number is None else f"it cancelled order {number}"
    if done.notes:
        return f"it said {done.notes[0]}"
    if done.switched:
        return f"it did {' '.join(done.switched[0])}"
    return "nothing happened"


def _expected(path: Path, expect: Mapping[str, Any], done: Done) -> Iterator[Difference]:
    named = {key for key in expect if key not in WORDS and key != "place"}
    for key, wanted in expect.items():
        here = (*path, key)
        if key == "notify":
            yield from _texts(here, "message", wanted, done.notes, done)
        elif key in SWITCHES:
            happened = [what for how, what in done.switched if how == key]
            yield from _texts(here, key, wanted, happened, done)
        elif key == "cancel":
            yield from _cancelled(here, wanted, done)
        elif key == "place":
            rest = [order for order in done.orders if order.action not in named]
            yield from _orders(here, wanted, rest, done)
        else:
            own = [order for order in done.orders if order.action == key]
            yield from _action(here, wanted, own, done)


def _nothing_but(what: str, done: Done) -> str:
    """`expected 1 order, but …`, with the reason when the rule stood still."""
    if done.nothing and done.causes:
        cause = done.causes[-1]
        words = f"{cause.reason} {cause.detail}".strip()
        return f"expected {what}, but nothing happened: {words}"
    return f"expected {what}, but {told(done)}"


def _texts(
    path: Path, noun: str, wanted: Any, happened: Sequence[str], done: Done
) -> Iterator[Difference]:
    texts = wanted if isinstance(wanted, list) else [wanted]
    for index, text in enumerate(texts):
        here = (*path, index) if isinstance(wanted, list) else path
        if index >= len(happened):
            yield Difference(here, _nothing_but(f"the {noun} {text}", done))
            return
        if " ".join(str(text).split()) != " ".join(happened[index].split()):
            yield Difference(here, f"{noun}: expected {text}, got {happened[index]}")
    if len(happened) > len(texts):
        yield Difference(path, f"there is one {noun} more: {happened[len(texts)]}")


def _cancelled(path: Path, wanted: Any, done: Done) -> Iterator[Difference]:
    everything = None in done.cancelled
    if wanted == "all":
        if not everything:
            yield Difference(path, _nothing_but("all orders to be cancelled", done))
        return
    numbers = sorted(wanted if isinstance(wanted, list) else [wanted])
    got = sorted(number for number in done.cancelled if number is not None)
    if everything or numbers != got:
        listed = "all orders" if everything else _numbers(got)
        yield Difference(path, f"cancelled: expected {_numbers(numbers)}, got {listed}")


def _numbers(numbers: Sequence[int]) -> str:
    listed = ", ".join(map(str, numbers))
    return f"order {listed}" if numbers else "none"


def _action(path: Path, wanted: Any, happened: Sequence[Order], done: Done) -> Iterator[Difference]:
    """One action's orders: as a list, or each by the name of its part."""
    parts = {order.part for order in happened} | {"entry", "stop", "target"}
    by_part = isinstance(wanted, Mapping) and any(isinstance(v, Mapping) for v in wanted.values())
    if not by_part:
        yield from _orders(path, wanted, happened, done)
        return
    for part, fields in wanted.items():
        found = [order for order in happened if order.part == part]
        if not found:
            what = f"the {part}" if part in parts else f"an order called {part}"
            yield Difference((*path, part), _nothing_but(what, done))
        elif isinstance(fields, Mapping):
            yield from _fields((*path, part), str(part), fields, found[-1])
    for order in happened:
        if order.part not in wanted:
            text = f"there is one order more, the {order.part}: {described(order)}"
            yield Difference(path, text)


def _orders(path: Path, wanted: Any, happened: Sequence[Order], done: Done) -> Iterator[Difference]:
    listed = wanted if isinstance(wanted, list) else [wanted]
    for index, fields in enumerate(listed):
        here = (*path, index) if isinstance(wanted, list) else path
        if index >= len(happened):
            yield Difference(here, _nothing_but(f"order {index + 1}", done))
            return
        yield from _fields(here, f"order {index + 1}", fields, happened[index])
    if len(happened) > len(listed):
        more = described(happened[len(listed)])
        count = "1 order" if len(listed) == 1 else f"{len(listed)} orders"
        yield Difference(path, f"expected {count}, got {len(happened)}: also {more}")


def _fields(path: Path, name: str, fields: Mapping[str, Any], order: Order) -> Iterator[Difference]:
    for key, wanted in fields.items():
        got = order.fields.get(key, False if isinstance(wanted, bool) else None)
        if not _same(wanted, got):
            text = f"{name} {key}: expected {_shown(wanted)}, got {_shown(got)}"
            yield Difference((*path, key), text)


def _same(wanted: Any, got: Any) -> bool:
    if isinstance(wanted, bool) or isinstance(got, bool):
        return wanted is got
    if isinstance(wanted, (int, Decimal)) and got is not None:
        return Decimal(wanted) == _number(got)
    return got is not None and str(wanted).lower() == str(got).lower()


def _number(value: Any) -> Decimal | None:
    """A setting's value is text, also where it is a number."""
    try:
        return Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        return None


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def described(order: Order) -> str:
    """An order in a few words: sell limit 0.02 @ 75000.1."""
    fields = order.fields
    words = [str(fields[key]) for key in ("side", "type") if key in fields]
    words += [figure(fields["quantity"])] if "quantity" in fields else []
    prices = (fields.get(key) for key in ("trigger_price", "price"))
    words += [f"@ {figure(price)}" for price in prices if price is not None]
    words += ["reduce only"] if fields.get("reduce_only") else []
    return " ".join(words) or order.action


# reasons


def _because(step: Step, done: Done, standing: Sequence[Cause]) -> Iterator[Difference]:
    found = done.causes[-1:] or list(standing)
    if any(_fits(step.because, cause) for cause in found):
        return
    said = " or ".join(f"{cause.reason} {cause.detail}".strip() for cause in found)
    text = f"expected the reason {step.because}, got {said or 'none'}"
    yield Difference((*step.path, "because"), text)


def _fits(because: str, cause: Cause) -> bool:
    """The reason itself, and what more is written must stand in its words."""
    reason = reason_of(because)
    if reason is None or reason.value != cause.reason:
        return False
    rest = because.removeprefix(reason.value).strip()
    detail = " ".join(cause.detail.split())
    if reason.value == "if":
        return not rest or detail == rest or detail.startswith(f"{rest} (")
    return rest in detail
