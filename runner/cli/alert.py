"""`runner alert`: the message to paste into TradingView for a rule, or a test of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli import options, output
from runner.errors import RunnerError, UsageError

if TYPE_CHECKING:
    from runner.core.formula import Type
    from runner.core.rules import Rule
    from runner.core.triggers.webhook import WebhookTrigger
    from runner.settings import Settings

REFUSED = 1
ANSWER_WITHIN = 10

PLACEHOLDERS = {
    "action": "{{strategy.order.action}}",
    "close": "{{close}}",
    "comment": "{{strategy.order.comment}}",
    "contracts": "{{strategy.order.contracts}}",
    "exchange": "{{exchange}}",
    "high": "{{high}}",
    "interval": "{{interval}}",
    "low": "{{low}}",
    "market_position": "{{strategy.market_position}}",
    "open": "{{open}}",
    "order_id": "{{strategy.order.id}}",
    "position": "{{strategy.market_position}}",
    "position_size": "{{strategy.position_size}}",
    "prev_market_position": "{{strategy.prev_market_position}}",
    "price": "{{close}}",
    "quantity": "{{strategy.order.contracts}}",
    "sentiment": "{{strategy.market_position}}",
    "side": "{{strategy.order.action}}",
    "signal": "{{strategy.order.action}}",
    "stopLoss": '{{plot("SL")}}',
    "symbol": "{{ticker}}",
    "takeProfit": '{{plot("TP")}}',
    "ticker": "{{ticker}}",
    "time": "{{timenow}}",
    "timenow": "{{timenow}}",
    "volume": "{{volume}}",
}
"""TradingView's placeholder for a field of this name (its help page on alert placeholders).

What an indicator draws has the name that its script gives it: SL and TP are examples.
"""


@click.command(
    epilog="""Example: runner alert tv-eth --dir my\n
    Example: runner alert tv-eth --dir my --send --field action=buy --field price=3500"""
)
@click.argument("rule_id", metavar="RULE", shell_complete=options.rule_ids)
@options.directory
@click.option("--send", is_flag=True, help="Post it to the running daemon, with the real secret.")
@click.option(
    "--field",
    "fields",
    type=options.pair,
    multiple=True,
    metavar="NAME=VALUE",
    help="The value of a field, in the place of the placeholder.",
)
@click.option("--show-secret", is_flag=True, help="Print the secret itself, not its name.")
def alert(
    rule_id: str,
    folder: Path,
    send: bool,
    fields: tuple[tuple[str, str], ...],
    show_secret: bool,
) -> None:
    """Show the message to paste into TradingView for RULE, and the address to post it to.

    With --send it is posted to the daemon that runs in DIR; exit 0: it fired, 1: it did not,
    and the answer says why.
    """
    from runner.cli.accounts import settings_of
    from runner.cli.rules import rule_of, rules_of
    from runner.ops.secrets import Secrets

    settings = settings_of(folder)
    trigger = _webhook(rule_of(rules_of(folder), rule_id))
    values = dict(fields)
    url = f"{_address(folder, settings)}/hook/{trigger.path}"
    secret = f"<the secret {trigger.secret}>"
    if send or show_secret:
        secret = Secrets(settings.secrets, folder).get(trigger.secret)
    if send:
        _send(url, _message(trigger, secret, values, example=False))
        return
    click.echo(_message(trigger, secret, values, example=True))
    output.note(f"post it to {url}")
    output.note("TradingView reaches ports 80 and 443 of a public address only: put a proxy there")


def _webhook(rule: Rule) -> WebhookTrigger:
    from runner.core.triggers.webhook import WebhookTrigger

    for trigger in rule.triggers:
        if isinstance(trigger, WebhookTrigger):
            return trigger
    raise UsageError(f"{rule.id} has no webhook: nothing can be posted to it")


def _address(folder: Path, settings: Settings) -> str:
    """Where the daemon of this folder takes alerts, or would."""
    from runner.cli.reading import journal_of, started

    try:
        with journal_of(folder, settings) as journal:
            known = started(journal)
    except RunnerError:
        known = {}
    host, port = settings.hook
    bracketed = f"[{host}]" if ":" in host else host
    return str(known.get("hook") or f"http://{bracketed}:{port}")


def _message(trigger: WebhookTrigger, secret: str, values: dict[str, str], *, example: bool) -> str:
    """The body: TradingView's placeholders where nothing was given.

    A number's placeholder stands without quotes. Raises UsageError for a field that must be
    given before it can be sent.
    """
    if trigger.text:
        return _text(trigger, secret, values, example=example)
    lines = {trigger.secret_field: json.dumps(secret)}
    for name, kind in trigger.body.items():
        lines[name] = _value(name, kind, values.get(name), example=example)
    named = {*trigger.dedupe, *values} - lines.keys()
    if trigger.max_age is not None and example:
        named |= {"time"} - lines.keys()
    for name in sorted(named):
        lines[name] = json.dumps(values.get(name, PLACEHOLDERS.get(name, f"{{{{{name}}}}}")))
    inner = ",\n".join(f"  {json.dumps(name)}: {text}" for name, text in lines.items())
    return f"{{\n{inner}\n}}"


def _text(trigger: WebhookTrigger, secret: str, values: dict[str, str], *, example: bool) -> str:
    """The body where the rule takes plain text: pairs, a line each, or words after the secret."""
    words = {
        name: _value(name, kind, values.get(name), example=example).strip('"')
        for name, kind in trigger.body.items()
    }
    if trigger.text == "words":
        between = "|" if any(" " in value for value in (secret, *words.values())) else " "
        return between.join((secret, *words.values()))
    named = [name for name in (*trigger.dedupe, *values) if name not in words]
    if trigger.max_age is not None and example and "time" not in words:
        named.append("time")
    more = {n: values.get(n, PLACEHOLDERS.get(n, f"{{{{{n}}}}}")) for n in named}
    pairs = {trigger.secret_field.lower(): secret, **words, **more}
    return "\n".join(f"{name}={value}" for name, value in pairs.items())


def _value(name: str, kind: Type, given: str | None, *, example: bool) -> str:
    from runner.core.formula import BOOLEAN, NUMBER

    bare = kind in (NUMBER, BOOLEAN)
    if given is not None:
        return given if bare and _is_json(given) else json.dumps(given)
    if not example:
        if kind.values:
            return json.dumps(kind.values[0])
        raise UsageError(f"{name} has no value: give it with --field {name}=…")
    if kind == BOOLEAN:
        return "true"
    usual = "{{close}}" if kind == NUMBER else "{{strategy.order.comment}}"
    placeholder = PLACEHOLDERS.get(name.rpartition(".")[2], usual)
    return placeholder if bare else json.dumps(placeholder)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _send(url: str, body: str) -> None:
    """Post it and print the answer; ends with 1 unless it fired."""
    import requests

    try:
        answer = requests.post(url, data=body.encode(), timeout=ANSWER_WITHIN)
        told: Any = answer.json()
    except requests.RequestException as error:
        raise RunnerError(
            f"nobody answers at {url} ({type(error).__name__}): is the runner running?"
        ) from None
    output.document({"status": answer.status_code, **told})
    sys.exit(0 if told.get("outcome") == "fired" else REFUSED)
