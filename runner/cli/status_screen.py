"""What `runner status` shows to people: all of it, or as much as fits one screen."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import click

from runner.cli import output
from runner.cli.daemon import ended
from runner.cli.orders import row
from runner.cli.status_switches import off, uncovered

Plain = dict[str, Any]

LEAST: Final = (40, 24)
"""Columns and lines below which nothing is left out any more."""

ORDER_HEADS: Final = (
    "placed",
    "rule",
    "symbol",
    "order",
    "state",
    "filled",
    "average",
    "run",
    "why",
)
RULE_HEADS: Final = ("rule", "symbol", "waits for", "last fired", "fires")


def show(told: Plain, now: int, *, every: bool) -> None:
    """Print the document of `runner status`; on a terminal one screen of it unless `every`."""
    if every or not sys.stdout.isatty():
        _whole(told, now)
        return
    width, height = (max(pair) for pair in zip(shutil.get_terminal_size(), LEAST, strict=True))
    head = [line for each in _brief_head(told, now) for line in _wrapped(each, width)]
    # the prompt comes below
    for line in [*head, *fitted([*_sections(told, now, width, height)], height - len(head) - 1)]:
        click.echo(_cut(line, width))


# the head


def _head(told: Plain, now: int) -> Iterator[str]:
    where = f"account {told['account']} ({told['mode']}), {told['hook']}"
    if told["running"]:
        state = "ready" if told["ready"] else "not ready"
        if told["ready"] and any(
            each["link"] not in (None, "notifications") for each in told["problems"]
        ):
            state = "ready, but not all of the exchange can be reached"
        yield f"{state}: {where}, started {output.ago(told['started_at'], now)}"
    else:
        yield f"not running: {ended(told, now)}; {where}"
        at = output.instant(told["as_of"])[:19]
        yield f"all that follows is as of {at} UTC, not as it is now"
    if told["revision"]:
        at = output.instant(told["revision_at"])[:19]
        yield f"rules: revision {told['revision'][:12]}, running since {at} UTC"


def _links(told: Plain) -> Iterator[str]:
    streams = [
        f"{each['stream']} {'stands' if each['connected'] else _away(each)}"
        for each in told["streams"]
    ]
    if streams:
        yield f"streams: {', '.join(streams)}"
    used = [
        f"{each['limit']} {each['used']}/{each['most']} in {output.span(each['every'])}"
        for each in told["limits"]
    ]
    if used:
        yield f"limits: {', '.join(used)}"


def _away(link: Plain) -> str:
    return f"is away since {output.instant(link['since'])[:19]} UTC"


def _countdowns(told: Plain, now: int) -> Iterator[str]:
    for known in told["dead_men"]:
        beyond = uncovered(told, known["symbol"])
        yield f"dead man: {_countdown(known, now, running=told['running'])}{beyond}"


def _countdown(known: Plain, now: int, *, running: bool) -> str:
    """One countdown in words."""
    symbol, over = known["symbol"], known["runs_out_time"]
    if over is None:
        return f"{symbol} disarmed"
    seconds = f"{symbol} {known['countdown'] // 1000} s"
    if running:
        return f"{seconds}, confirmed {output.ago(known['confirmed_time'], now)}"
    verb = "ran out" if over <= now else "runs out"
    set_at, over_at = (output.instant(at)[:19] for at in (known["confirmed_time"], over))
    return f"{seconds}, last set {set_at} UTC, {verb} {over_at} UTC"


# all of it


def _whole(told: Plain, now: int) -> None:
    for line in (*_head(told, now), *_links(told), *_countdowns(told, now), *off(told)):
        click.echo(line)
    click.echo()
    output.table(RULE_HEADS, [_rule(each, now) for each in told["rules"]], "no rules")
    then = "" if told["running"] else f" as of {output.instant(told['as_of'])[:19]} UTC"
    click.echo(f"\nopen orders{then}: {len(told['open_orders'])}")
    if told["open_orders"]:
        output.table(ORDER_HEADS, [row(order) for order in told["open_orders"]], "")
    click.echo("\nlast events")
    for record in told["events"]:
        click.echo(f"  {_event(record, output.instant(record['at']))}")
    click.echo("\nproblems: none" if not told["problems"] else "\nproblems")
    for problem in told["problems"]:
        lines = (problem["what"], problem["meaning"], problem["cure"])
        click.echo("  " + "\n    ".join(line for line in lines if line))


def _rule(each: Plain, now: int) -> output.Row:
    reason = f"{each['reason']}: " if each["reason"] else ""
    waits = "disabled" if not each["enabled"] else f"{reason}{each['text']}"
    fired = output.ago(each["last_fired_at"], now)
    return each["rule_id"], each["symbol"], waits, fired, each["fires"]


def _event(record: Plain, at: str) -> str:
    who = f"{record['rule_id'] or '-'} {record['symbol'] or '-'}"
    return f"{at}  {record['kind']:<9} {who}  {record['text']}"


# as much as fits


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and entries of one or more lines; `least` are shown however small the screen is.

    `more` is the command that shows the rest; `count` is how many entries there are, where only
    those that could fit any screen were made.
    """

    heading: str
    entries: Sequence[Sequence[str]]
    least: int
    more: str
    count: int | None = None


def fitted(sections: Sequence[Section], room: int) -> list[str]:
    """The lines of these sections that fit: what each has at least first, then in their order.

    What is left out is counted in a last line of its section; headings are always there.
    """
    shown = [0] * len(sections)
    for most in ([each.least for each in sections], [len(each.entries) for each in sections]):
        for number, each in enumerate(sections):
            while shown[number] < min(most[number], len(each.entries)):
                trial = [*shown]
                trial[number] += 1
                if sum(len(_lines(*pair)) for pair in zip(sections, trial, strict=True)) > room:
                    break
                shown = trial
    return [line for pair in zip(sections, shown, strict=True) for line in _lines(*pair)]


def _lines(section: Section, shown: int) -> list[str]:
    lines = [section.heading, *(line for each in section.entries[:shown] for line in each)]
    left = (len(section.entries) if section.count is None else section.count) - shown
    return [*lines, f"  {left} more: {section.more}"] if left else lines


def _brief_head(told: Plain, now: int) -> Iterator[str]:
    """The head in few lines: symbols and switches share theirs."""
    first, *rest = _head(told, now)
    yield first
    yield from rest[:-1] if told["revision"] else rest
    yield from _links(told)
    set_ = [_countdown(each, now, running=told["running"]) for each in told["dead_men"]]
    beyond = sum(bool(uncovered(told, each["symbol"])) for each in told["dead_men"])
    if set_:
        more = f"; conditional orders of {output.count(beyond, 'symbol')} not covered"
        yield f"dead man: {'; '.join(set_)}{more if beyond else ''}"
    if told["disabled"]:
        yield f"disabled: {', '.join(sorted(told['disabled']))}; runner enable RULE ends it"


def _sections(told: Plain, now: int, width: int, height: int) -> Iterator[Section]:
    """The most urgent first: that is where room goes first, and where eyes begin."""
    problems = [_problem(each, width) for each in told["problems"]]
    heading = f"problems: {len(problems) or 'none'}"
    yield Section(heading, problems, 3, "runner status --all")
    orders = [[f"  {_order(each)}"] for each in told["open_orders"][:height]]
    count = len(told["open_orders"])
    heading = f"open orders: {count or 'none'}"
    yield Section(heading, orders, 1, "runner orders --state open", count)
    events = [
        [f"  {_event(each, output.instant(each['at'])[11:19])}"] for each in told["events"][::-1]
    ]
    rules = [[line] for line in _aligned([_brief(each, now) for each in told["rules"]])]
    revision = f", revision {told['revision'][:12]}" if told["revision"] else ""
    yield Section(f"rules: {len(rules) or 'none'}{revision}", rules, 3, "runner why --all")
    yield Section("last events, newest first", events, 2, "runner journal")


def _problem(problem: Plain, width: int) -> list[str]:
    """What it is and its cure; what it means stands in the whole."""
    what = textwrap.wrap(problem["what"], width - 2)
    cure = textwrap.wrap(problem["cure"], width - 4)
    return [*(f"  {line}" for line in what), *(f"    {line}" for line in cure)]


def _order(order: Plain) -> str:
    _, rule, symbol, words, state, filled, *_ = row(order)
    done = f", {filled} filled" if filled not in (None, "0") else ""
    return f"{symbol} {words} ({rule}) {state}{done}"


def _brief(each: Plain, now: int) -> tuple[str, str, str, str]:
    rule_id, symbol, waits, _, _ = _rule(each, now)
    at = each["last_fired_at"]
    fired = f"fired {output.ago(at, now)}" if at is not None else ""
    return str(rule_id), str(symbol), fired, str(waits)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column), default=0) for column in zip(*rows, strict=True)][:-1]
    return [
        "  "
        + "  ".join([*(f"{cell:<{width}}" for cell, width in zip(each, widths, strict=False))])
        + f"  {each[-1]}"
        for each in rows
    ]


def _wrapped(line: str, width: int) -> list[str]:
    """The line in two at most, the second one indented."""
    first, *others = textwrap.wrap(line, width, subsequent_indent="  ")
    return [first, "  " + " ".join(each.strip() for each in others)] if others else [first]


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[: width - 1]}…"
