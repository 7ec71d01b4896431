"""Which hooks there are, and which of them give a command instead of bringing an alert."""

from __future__ import annotations

from collections.abc import Mapping

from runner.core.events import Alert, Command
from runner.core.rules import RuleSet
from runner.core.triggers.heartbeat import HeartbeatTrigger
from runner.core.triggers.webhook import WebhookTrigger
from runner.errors import ConfigurationError
from runner.ops.secrets import Secrets
from runner.settings import CommandHook, Settings
from runner.sources.hooks import Hook, HookTable
from runner.sources.texts import TextForm


def hook_table(rules: RuleSet, secrets: Secrets, settings: Settings) -> HookTable:
    """The hooks that the rules listen on, and those of `commands` in the settings.

    Raises ConfigurationError for a missing secret, or one path for an alert and a command.
    """
    triggers = [trigger for rule in rules.rules.values() for trigger in rule.triggers]
    table: dict[str, Hook] = {}
    for kind in (HeartbeatTrigger, WebhookTrigger):  # in this order: only webhooks read text
        for trigger in triggers:
            if isinstance(trigger, kind) and trigger.secret:
                table[trigger.path] = _hook(trigger, secrets)
    for path, hook in settings.commands.items():
        if path in table:
            raise ConfigurationError(
                f"the path {path} stands under commands in runner.yaml and in a rule's webhook: "
                "give one of them another path"
            )
        table[path] = Hook(path, _own_secret(hook, rules, secrets).encode())
    return table


def _hook(trigger: WebhookTrigger | HeartbeatTrigger, secrets: Secrets) -> Hook:
    secret, where = secrets.get(trigger.secret).encode(), trigger.secret_field
    if not isinstance(trigger, WebhookTrigger) or not trigger.text:
        return Hook(trigger.path, secret, where)
    if trigger.text == "words":
        return Hook(trigger.path, secret, where, TextForm("words", tuple(trigger.body), where))
    # pairs are read in small letters; the JSON of the same path keeps its own
    return Hook(trigger.path, secret, where, TextForm("pairs", (), where))


def _own_secret(hook: CommandHook, rules: RuleSet, secrets: Secrets) -> str:
    """A command's secret opens nothing else: whoever may send an alert may not kill."""
    for rule in rules.rules.values():
        for trigger in rule.triggers:
            if isinstance(trigger, WebhookTrigger) and trigger.secret == hook.secret:
                raise ConfigurationError(
                    f"the command {hook.path} in runner.yaml has the secret {hook.secret}, which "
                    f"opens the alerts of {rule.id}, too: give the command a secret of its own"
                )
    return secrets.get(hook.secret)


def command_of(alert: Alert, settings: Settings) -> Command | None:
    """The command that this authenticated request gives; None when it is an alert.

    The body may carry `rule`, `symbol`, `reason` and `event_key`.
    """
    hook = settings.commands.get(alert.path)
    if hook is None:
        return None
    said = _texts(alert.fields)
    return Command(
        verb=hook.command,
        key=f"hook-{alert.path}-{alert.received_at}-{alert.body_hash[:8]}",
        who=f"hook {alert.path}",
        at=alert.received_at,
        reason=said.get("reason", ""),
        rule_id=said.get("rule", ""),
        symbol=said.get("symbol", ""),
        event_key=said.get("event_key", ""),
        flatten=settings.on_kill == "flatten",
        live=True,
    )


def _texts(fields: Mapping[str, object]) -> dict[str, str]:
    return {key: str(value) for key, value in fields.items()}
