"""What made a run fire, as the steps of a test that lead to it again, for every kind of trigger."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from runner.core.candles import INTERVALS
from runner.core.deadman import STOPPED
from runner.core.rules import Rule
from runner.core.triggers.webhook import WebhookTrigger
from runner.errors import UsageError
from runner.journal import JournalReader
from runner.rulebook.tests_model import spoken

Keys = dict[str, Any]
Seen = Mapping[str, Decimal]
Run = Mapping[str, Any]

SECOND = 1_000
SHORTEST = "0.001"


@dataclass(frozen=True, slots=True)
class Occasion:
    """The steps that lead to the firing; it happens `at` ms after the first.

    `given` is what the account had before, where the event itself changed it.
    """

    steps: tuple[Keys, ...]
    at: int
    given: Mapping[str, Decimal] | None = None


START: Keys = {"at": "0s"}


def occasions(journal: JournalReader, run: Run, rule: Rule, seen: Seen) -> list[Occasion]:
    """Ways to make it happen again, the likeliest first.

    Raises UsageError when the run's trigger is not in its rule's text.
    """
    found = [_now({"fire": True})] if run["trigger"] == "manual" else []
    trigger = next((one for one in rule.triggers if one.name == run["trigger"]), None)
    writer = None if trigger is None else _WRITERS.get(trigger.kind)
    if writer is not None:
        found += writer(journal, run, trigger, seen)
    if not found:
        raise UsageError(
            f"a run of the trigger {run['trigger']} cannot be written as a test: write the steps "
            "that lead to it by hand, docs/testing-rules.md lists them"
        )
    starts = any(one.interest == ("system", "started") for one in rule.triggers)
    told = trigger is not None and trigger.interest == ("system", "started")
    return found if told or not starts else [*found, *map(_started, found)]


def _started(occasion: Occasion) -> Occasion:
    """The same where the test's own start fires the rule as well."""
    first, *rest = occasion.steps
    steps = (first, {"at": "500ms", "expect": "fired"}, *rest)
    return Occasion(steps, occasion.at, occasion.given)


def _now(what: Keys, given: Mapping[str, Decimal] | None = None) -> Occasion:
    return Occasion((START, {"at": "1s", **what}), SECOND, given)


def _alert(
    journal: JournalReader, run: Run, trigger: WebhookTrigger, seen: Seen
) -> Iterator[Occasion]:
    del seen
    body = dict(run["fields"])
    digest = str(run["event_key"]).partition("@")[0]
    for alert in journal.alerts(path=trigger.path):
        if alert["body_hash"].startswith(digest) or alert["received_at"] == run["fired_at"]:
            body = dict(alert["fields"])
    typed = {key: _typed(text) for key, text in body.items()}
    yield _now({"webhook": {"path": trigger.path, **({"body": typed} if typed else {})}})


def _typed(text: Any) -> Any:
    """Amounts come out of the journal as text; a number that was text fits as well."""
    if not isinstance(text, str):
        return text
    try:
        number = Decimal(text)
    except ArithmeticError:
        return text
    return number if number.is_finite() and str(number) == text else text


def _price(journal: JournalReader, run: Run, trigger: Any, seen: Seen) -> Iterator[Occasion]:
    """From where it was not past, over the level, and there as long as it must stay."""
    del journal, seen
    fields = run["fields"]
    if "interval" in fields:
        yield _candle(run, fields)
        return
    origin = Decimal(fields.get("extreme", fields["level"]))
    source, hold = str(fields["source"]), int(getattr(trigger, "hold", 0))
    yield _step(source, origin, Decimal(fields["price"]), hold)


def _step(source: str, before: Decimal, past: Decimal, hold: int) -> Occasion:
    return Occasion(({"at": "0s", source: before}, {"at": "1s", source: past}), SECOND + hold)


def _candle(run: Run, fields: Mapping[str, Any]) -> Occasion:
    """One candle that closes on the level, and the next one past it."""
    span = INTERVALS[str(fields["interval"])]
    over_at = int(run["event_key"]) + 1
    steps = (
        {"at": "0s", "last": Decimal(fields["level"])},
        {"at": "2s", "last": Decimal(fields["price"])},
    )
    return Occasion(steps, run["fired_at"] - over_at + span + SECOND)


def _funding(journal: JournalReader, run: Run, trigger: Any, seen: Seen) -> Iterator[Occasion]:
    del journal, seen
    fields = run["fields"]
    yield _step("funding_rate", Decimal(fields["level"]), Decimal(fields["rate"]), trigger.hold)


def _schedule(journal: JournalReader, run: Run, trigger: Any, seen: Seen) -> Iterator[Occasion]:
    del journal, trigger, seen
    yield Occasion((START,), SECOND + run["fired_at"] - int(run["event_key"]))


def _dead_man(journal: JournalReader, run: Run, trigger: Any, seen: Seen) -> Iterator[Occasion]:
    del seen
    what = str(run["event_key"]).partition("@")[0]
    if trigger.interest[0] == "webhook":
        # it counts from the start of the test, and nothing comes
        yield Occasion((START,), int(trigger.every))
    elif what == STOPPED:
        yield from _stopped(journal, run)
    else:
        yield _now({"dead_man": what})


def _stopped(journal: JournalReader, run: Run) -> Iterator[Occasion]:
    """As long as the runner was away; longer where the countdown was nearer its end then."""
    stops = [each["at"] for each in journal.records(kinds=("stopped",))]
    away = run["fired_at"] - max((at for at in stops if at <= run["fired_at"]), default=0)
    if away < run["fired_at"]:
        for length in (away, 2 * away):
            steps = (START, {"at": "1s", "stop": spoken(length)})
            yield Occasion(steps, SECOND + length)


def _order(journal: JournalReader, run: Run, trigger: Any, seen: Seen) -> Iterator[Occasion]:
    del journal, trigger, seen
    fields = run["fields"]
    told: Keys = {"status": str(fields["status"]), "leg": str(fields["leg"])}
    told |= {"side": str(fields["side"]), "quantity": Decimal(fields["quantity"])}
    if "price" in fields:
        told["price"] = Decimal(fields["price"])
    told |= {key: str(fields[key]) for key in ("tag", "order") if fields.get(key)}
    yield _now({"order": told})


def _position(journal: JournalReader, run: Run, trigger: Any, seen: Seen) -> Iterator[Occasion]:
    fields = run["fields"]
    what, price = str(fields["what"]), Decimal(fields["price"])
    if "result" in fields:
        entry = seen.get("position.entry_price", price)
        yield _step("mark", entry, price, trigger.hold)
        return
    told: Keys = {"size": Decimal(fields["size"]), "price": price}
    if what == "opened":
        yield _now({"position": told}, {"position.size": Decimal(0)})
    elif what == "closed":
        yield _now({"position": told}, {"position.size": _before(journal, run, fields)})
    else:
        yield _now({"position": {"is": what, **told}})


def _before(journal: JournalReader, run: Run, fields: Mapping[str, Any]) -> Decimal:
    """How large the position was before it closed, as its last statement had it."""
    size = Decimal(SHORTEST)
    for record in journal.records(kinds=("position",), symbol=run["symbol"]):
        word = str(record["text"]).partition(" @ ")
        if record["at"] <= run["fired_at"] and word[1]:
            size = abs(_figure(word[0]) or size)
    return -size if fields["side"] == "short" else size


def _figure(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except ArithmeticError:
        return None


def _system(journal: JournalReader, run: Run, trigger: Any, seen: Seen) -> Iterator[Occasion]:
    del journal, trigger, seen
    fields = run["fields"]
    what, away = str(fields["what"]), int(Decimal(fields["away"]) * SECOND)
    if what == "journal":
        yield _now({"system": {"journal": str(fields["detail"])}})
    elif what == "stream_gap":
        yield _now({"system": {"stream_gap": str(fields["detail"]), "away": spoken(away)}})
    elif not away:
        yield Occasion((START,), SECOND)
    else:
        # the test's own start is one as well: it fires or not, as the conditions have it
        for first in ("fired", "nothing"):
            steps = (START, {"at": "1s", "expect": first}, {"at": "2s", "restart": spoken(away)})
            yield Occasion(steps, 3 * SECOND + away)
        yield Occasion((START,), SECOND)


_WRITERS: Mapping[str, Callable[..., Iterator[Occasion]]] = {
    "webhook": _alert,
    "price": _price,
    "schedule": _schedule,
    "dead_man": _dead_man,
    "order": _order,
    "position": _position,
    "funding": _funding,
    "system": _system,
}
