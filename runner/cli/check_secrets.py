"""What `runner check` says of secrets: missing, readable by others, too short; never a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import ConfigurationError
from runner.ops.secrets import Secrets
from runner.rulebook.diagnostics import Diagnostic
from runner.settings import FILE_NAME, Settings, load
from runner.settings.several import PAPER

if TYPE_CHECKING:
    from runner.core.rules import RuleSet

SHORTEST = 16
"""Characters of a hook's secret: whoever may try as often as they like must not find it."""

MAKE_ONE = 'python3 -c "import secrets; print(secrets.token_urlsafe(24))"'


def secret_findings(folder: Path, rules: RuleSet | None) -> list[Diagnostic]:
    """What is wrong with the settings, or with each secret that settings and rules name."""
    path = str(folder / FILE_NAME)
    try:
        settings = load(folder)
    except ConfigurationError as error:
        first = str(error).splitlines()[0].removeprefix(f"{path}:")
        what = f"the settings have mistakes, the runner does not start: {first}"
        return [_finding(path, "error", "settings", what, "runner doctor shows them with places")]
    secrets = Secrets(settings.secrets, folder)
    found: list[Diagnostic] = []
    for name, (use, hook) in sorted(named(settings, rules).items()):
        found += _of_secret(folder, settings, secrets, name, use, hook)
    return found


def named(settings: Settings, rules: RuleSet | None) -> Mapping[str, tuple[str, bool]]:
    """Each secret's name, what it is for, and whether a hook is opened by it.

    Keys that an account on the paper exchange inside the runner names are none: nobody asks it.
    """
    named: dict[str, tuple[str, bool]] = {}
    for account in settings.accounts.values():
        if account.address == PAPER:
            continue
        named[account.api_key] = (f"the API key of account {account.name}", False)
        named[account.api_secret] = (f"the API secret of account {account.name}", False)
    for rule in rules.rules.values() if rules is not None else ():
        for trigger in rule.triggers:
            name = getattr(trigger, "secret", "")
            if name:
                named.setdefault(name, (f"the alerts of {rule.id}", True))
    for command in settings.commands.values():
        named[command.secret] = (f"the command hook {command.path}", True)
    return named


def _of_secret(
    folder: Path, settings: Settings, secrets: Secrets, name: str, use: str, hook: bool
) -> Iterator[Diagnostic]:
    source = settings.secrets.get(name)
    if source is not None and (source.command or source.vault or source.aws):
        return  # a check runs nobody's programs and asks no vault: runner secrets check does
    place = str(folder / ((source.file if source else None) or f"secrets/{name}"))
    if source is not None and source.env is not None:
        place = str(folder / FILE_NAME)
    try:
        value = secrets.get(name)
    except ConfigurationError as error:
        # what a service gets from systemd or its environment cannot be seen from here
        seen = "nowhere to be found" not in str(error) and "is not set" not in str(error)
        text, _, cure = str(error).partition(": ")
        what, _, more = text.partition(". ")
        kept = "; ".join(each for each in (more, cure) if each)
        where = "" if seen else " from here"
        severity = "error" if seen else "warning"
        yield _finding(place, severity, "secret", f"{what}{where} ({use})", kept or "write it")
        return
    if hook and len(value) < SHORTEST:
        what = f"the secret {name} ({use}) has {len(value)} characters, fewer than {SHORTEST}"
        cure = f"make a new one: {MAKE_ONE} > {place}; chmod 600 {place}; tell it to the sender"
        yield _finding(place, "warning", "short-secret", what, cure)


def _finding(file: str, severity: str, code: str, message: str, cure: str) -> Diagnostic:
    return Diagnostic(file, 0, 0, 0, severity, code, message, cure)
