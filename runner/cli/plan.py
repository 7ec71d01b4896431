"""`runner plan`: the requests a rule would send now, unsent."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import click

from runner.cli import accounts, options, output
from runner.cli.progress import Working
from runner.errors import UsageError

if TYPE_CHECKING:
    from runner.core.events import Value
    from runner.core.rules import Rule
    from runner.planning import Plan
    from runner.venues import SignedRequest

HIDDEN = "***"
REFUSED = 1


@click.command(
    epilog="""Example: runner plan btc-breakout --dir my --price 70010\n
    Example: runner plan tv-eth --dir my --alert '{"action": "buy", "price": 3500}'\n
    Example: runner plan grid-offer --dir my --event price=3450 --event quantity=0.1"""
)
@click.argument("rule_id", metavar="RULE", shell_complete=options.rule_ids)
@options.directory
@click.option("--alert", metavar="JSON", help="The alert's body, for a rule with a webhook.")
@click.option("--price", metavar="PRICE", help="The price that crosses. Default: one tick past.")
@click.option(
    "--event",
    "told",
    type=options.pair,
    multiple=True,
    metavar="NAME=VALUE",
    help="What the event carries, trigger.NAME in formulas: size=0.5, rate=0.0007, status=filled.",
)
@click.option(
    "--trigger", metavar="NAME", default="", help="Which trigger of the rule: price#2, position."
)
@click.option("--symbol", metavar="SYMBOL", help="Only this symbol of the rule.")
@click.option(
    "--given",
    type=options.pair,
    multiple=True,
    metavar="NAME=VALUE",
    help="Put this in the place of what is: mark=70010, position.size=0, account.available=500.",
)
@click.option("--paper", is_flag=True, help="Beside the paper exchange, not the account.")
@options.as_json
@accounts.of_rule
def plan(
    rule_id: str,
    folder: Path,
    alert: str | None,
    price: str | None,
    told: tuple[tuple[str, str], ...],
    trigger: str,
    symbol: str | None,
    given: tuple[tuple[str, str], ...],
    paper: bool,
    as_json: bool,
) -> None:
    """Show the requests that RULE would send now, unsent; key and signature as ***.

    Account, positions and prices are read from the exchange; without an account in runner.yaml,
    or with --paper, from the paper exchange. The rule gets an event that fires its first trigger
    (a price one tick past its level, a candle that closes there, an order that fills, a position
    that opens); --price and --event say more of it. A `for:` is skipped. Cooldown and earlier
    fires do not count.

    Exit 0: it would send this, 1: it would not, and the reason.
    """
    from runner.cli.accounts import settings_of
    from runner.cli.exchange import exchange_of
    from runner.cli.rules import rule_of, rules_of
    from runner.occasions import Occasion
    from runner.planning import Planner

    settings = settings_of(folder)
    rule_of(rules_of(folder), rule_id)
    occasion = Occasion(_fields(alert), _price(price), dict(told), trigger)
    with ExitStack() as stack:
        with Working("asking the exchange"):
            venue, account = stack.enter_context(exchange_of(folder, settings, paper))
            rules = rules_of(folder, venue)
            rule = rule_of(rules, rule_id)
            chosen = _symbols(rule, symbol, occasion.price)
            planner = Planner(venue, rules, settings, account)
            remarks = planner.look(replace(rule, symbols=chosen))
        for remark in remarks:
            output.note(remark)
        for name, value in given:
            planner.give(chosen, name, value)
        plans = [planner.plan(rule, each, occasion) for each in chosen]
    if as_json:
        output.document(
            {"rule_id": rule_id, "account": account, "plans": [_as_json(each) for each in plans]}
        )
    else:
        for each in plans:
            _show(rule, account, each)
    sys.exit(0 if any(each.answer.outcome == "fired" for each in plans) else REFUSED)


def _fields(text: str | None) -> dict[str, Value] | None:
    """The fields of an alert's body. Raises UsageError with what is wrong with it."""
    if text is None:
        return None
    from runner.sources.bodies import parse
    from runner.sources.malformed import BodyError

    try:
        return parse(text.encode())
    except BodyError as error:
        raise UsageError(f"--alert: {error.message}; {error.cure}") from error


def _price(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        price = Decimal(text)
    except InvalidOperation:
        price = Decimal(0)
    if not price.is_finite() or price <= 0:
        raise UsageError(f"--price {text} is not a price: 70010")
    return price


def _symbols(rule: Rule, symbol: str | None, price: Decimal | None) -> tuple[str, ...]:
    if symbol is None and price is not None and len(rule.symbols) > 1:
        raise UsageError(f"whose price? Name one with --symbol: {', '.join(rule.symbols)}")
    if symbol is not None and symbol not in rule.symbols:
        raise UsageError(f"{rule.id} does not trade {symbol}: {', '.join(rule.symbols)}")
    return rule.symbols if symbol is None else (symbol,)


def _as_json(plan: Plan) -> dict[str, Any]:
    return {
        "symbol": plan.symbol,
        "trigger": plan.trigger,
        "at": plan.moment.now,
        "outcome": plan.answer.outcome,
        "reason": plan.answer.reason,
        "detail": plan.answer.detail,
        "conditions": [
            {"text": each.text, "holds": each.holds, "seen": each.seen} for each in plan.conditions
        ],
        "requests": [
            {"round": number, **_request(plan, signed)}
            for number, together in enumerate(plan.rounds, 1)
            for signed in together
        ],
        "notes": list(plan.notes),
        "guards": {name: dict(verdict) for name, verdict in plan.verdicts.items()},
    }


def _request(plan: Plan, signed: SignedRequest) -> dict[str, Any]:
    """A request as it would be signed, without what must stay secret."""
    parameters = dict(parse_qsl(signed.payload, keep_blank_values=True))
    parameters["signature"] = HIDDEN
    payload, _, _ = signed.payload.rpartition("signature=")
    return {
        "method": signed.method,
        "path": signed.path,
        "headers": {"X-MBX-APIKEY": HIDDEN},
        "parameters": parameters,
        "payload": f"{payload}signature={HIDDEN}",
        "orders": _orders(plan, signed),
    }


def _orders(plan: Plan, signed: SignedRequest) -> list[dict[str, Any]]:
    """What the request asks for, in words, one entry an order or cancel."""
    from runner.core.orders import Sending, intents_of
    from runner.core.wording import intent_words

    call = signed.call
    assert isinstance(call, Sending)
    intents = intents_of(call)
    parameters = dict(parse_qsl(signed.payload, keep_blank_values=True))
    batch = json.loads(parameters["batchOrders"]) if "batchOrders" in parameters else [None]
    return [
        {
            "leg": plan.legs.get(intent.client_order_id, ""),
            "text": intent_words(intent, plan.legs.get(intent.client_order_id, "")),
            "client_order_id": intent.client_order_id,
            **({"parameters": own} if own is not None else {}),
        }
        for intent, own in zip(intents, batch, strict=True)
    ]


def _show(rule: Rule, account: str, plan: Plan) -> None:
    answer = plan.answer
    click.echo(f"{rule.id} on {plan.symbol}, account {account}")
    click.echo(f"  when   {plan.trigger}")
    for number, each in enumerate(plan.conditions):
        verdict = {True: "holds", False: "does not hold", None: "has no value"}[each.holds]
        click.echo(f"  {'if' if not number else '  '}     {each.text}: {verdict} ({each.seen})")
    if answer.outcome == "fired":
        for number, line in enumerate(_guards(plan)):
            click.echo(f"  {'      ' if number else 'guards'} {line}")
    else:
        click.echo(f"  NOT SENT, {answer.reason or answer.outcome}: {answer.detail}")
    count = 0
    for number, together in enumerate(plan.rounds):
        if number:
            click.echo("  when that was accepted:")
        for signed in together:
            count += 1
            _show_request(count, plan, signed)
    for text in plan.notes:
        click.echo(f"  note   {text}")
    click.echo("  Nothing was sent.")


def _guards(plan: Plan) -> Iterator[str]:
    """What each guard saw of each order, or that none is set."""
    from runner.core.wording import leg_words

    for name, verdict in plan.verdicts.items():
        word = verdict["verdict"]
        yield f"{leg_words(name)}: {word}"
        for check in verdict["guards"]:
            yield f"  {check['guard']}: {check['seen']}, the limit is {check['limit']}"


def _show_request(number: int, plan: Plan, signed: SignedRequest) -> None:
    shown = _request(plan, signed)
    click.echo(f"  {number}.     {shown['method']} {shown['path']}")
    for order in shown["orders"]:
        click.echo(f"         {order['text']}   (leg {order['leg']})")
        for name, value in order.get("parameters", {}).items():
            click.echo(f"           {name}={value}")
    for name, value in shown["parameters"].items():
        if name != "batchOrders":
            click.echo(f"         {name}={value}")
    click.echo(f"         header X-MBX-APIKEY: {HIDDEN}")
    click.echo(f"         signed text: {shown['payload']}")
