"""Which account a verb is about: the one that is named, the only one, or each of several in turn.

While a verb works on an account, the settings and rules that it reads are that account's share.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from runner.cli import output
from runner.errors import ConfigurationError, RunnerError, UsageError

if TYPE_CHECKING:
    from runner.core.rules import RuleSet
    from runner.settings import Settings

IN_EFFECT: Final = "runner.account"
FAILED: Final = 1
USAGE: Final = 2

Verb = Callable[..., None]


def _names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """For completion: the accounts of runner.yaml that begin like this."""
    from runner.settings import load

    del param
    try:
        known = load(Path(ctx.params.get("folder") or ".")).accounts
    except RunnerError:
        return []
    return [name for name in known if name.startswith(incomplete)]


option = click.option(
    "--account",
    default="",
    metavar="NAME",
    shell_complete=_names,
    help="Only this account, where runner.yaml has several. Default: all that were traded with.",
)

only = click.option(
    "--account",
    default="",
    metavar="NAME",
    shell_complete=_names,
    help="Which account, where runner.yaml has several. Default: the default one.",
)


def settings_of(folder: Path) -> Settings:
    """The settings, as far as they are the account's that is in effect; else the default one's.

    Raises ConfigurationError.
    """
    from runner.settings import load

    settings = load(folder)
    if not settings.accounts:
        return settings
    return settings.of(in_effect() or _remembered(folder, settings)[0])


def _remembered(folder: Path, settings: Settings) -> tuple[str, ...]:
    """The accounts that have a journal; where there is only one account it need not be asked."""
    if len(settings.accounts) < 2:
        return tuple(settings.accounts) or ("",)
    from runner.sharing import remembered_accounts

    return remembered_accounts(folder, settings)


def in_effect() -> str:
    """The account that the verb works on now; "" where it works on the only or default one."""
    ctx = click.get_current_context(silent=True)
    return str(ctx.meta.get(IN_EFFECT, "")) if ctx is not None else ""


def share_in_effect(rules: RuleSet, settings: Settings | None) -> RuleSet:
    """Of these rules those of the account in effect; all of them where there is none."""
    from runner.core.rules import RuleSet

    name = in_effect()
    if not name or settings is None:
        return rules
    default = settings.account().name
    own = {key: rule for key, rule in rules.rules.items() if (rule.account or default) == name}
    return RuleSet(own, rules.dead_men, rules.revision)


def chosen(folder: Path, account: str) -> tuple[str, ...]:
    """The accounts that a verb goes through; one "" where there is no choice.

    Raises UsageError for an account that is not there. Settings that cannot be read are no
    choice: the verb itself says what is wrong with them.
    """
    from runner.settings import load

    try:
        settings = load(folder)
    except ConfigurationError:
        return ("",)
    if account:
        if account not in settings.accounts:
            known = ", ".join(settings.accounts) or "none"
            raise UsageError(f"there is no account {account} in runner.yaml: there are {known}")
        return (account,) if len(settings.accounts) > 1 else ("",)
    names = _remembered(folder, settings)
    return names if len(names) > 1 else ("",)


def in_turn(names: Sequence[str], work: Callable[[], None]) -> None:
    """Do it for each account, whatever comes of the others; ends with the worst exit code."""
    ctx = click.get_current_context()
    if len(names) == 1:
        ctx.meta[IN_EFFECT] = names[0]
        work()
        return
    worst, as_json = 0, bool(ctx.params.get("as_json"))
    told: dict[str, Any] = {}
    for number, name in enumerate(names):
        ctx.meta[IN_EFFECT] = name
        if as_json:
            with output.kept() as documents:
                worst = max(worst, _code(name, work))
            told[name] = documents[0] if documents else None
        else:
            click.echo(f"{chr(10) if number else ''}account {name}")
            worst = max(worst, _code(name, work))
    if as_json:
        output.document({"accounts": told})
    sys.exit(worst)


def _code(name: str, work: Callable[[], None]) -> int:
    try:
        work()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else FAILED
    except UsageError as error:
        output.note(f"account {name}: {error}")
        return USAGE
    except RunnerError as error:
        output.note(f"account {name}: {error}")
        return FAILED
    return 0


def each(verb: Verb) -> Verb:
    """A verb that shows or does something for every account, unless one is named."""

    @functools.wraps(verb)
    def through(*args: Any, account: str, **named: Any) -> None:
        names = chosen(named["folder"], account)
        if named.get("follow") and len(names) > 1:
            listed = ", ".join(names)
            raise UsageError(f"--follow follows one account: say which, --account of {listed}")
        in_turn(names, lambda: verb(*args, **named))

    return option(through)


def one(verb: Verb) -> Verb:
    """A verb about one account: the named one, or the default one."""

    @functools.wraps(verb)
    def through(*args: Any, account: str, **named: Any) -> None:
        names = chosen(named["folder"], account) if account else ("",)
        in_turn(names, lambda: verb(*args, **named))

    return only(through)


def exactly_one(verb: Verb) -> Verb:
    """A verb that changes one account's journal: where there are several, one must be named."""

    @functools.wraps(verb)
    def through(*args: Any, account: str, **named: Any) -> None:
        names = chosen(named["folder"], account)
        if len(names) > 1:
            raise UsageError(f"name one account with --account: there are {', '.join(names)}")
        in_turn(names, lambda: verb(*args, **named))

    return option(through)


def whoever_knows(verb: Verb) -> Verb:
    """A verb about one thing of one account: the first account that knows it answers."""

    @functools.wraps(verb)
    def through(*args: Any, account: str, **named: Any) -> None:
        ctx = click.get_current_context()
        names = chosen(named["folder"], account)
        for name in names:
            ctx.meta[IN_EFFECT] = name
            try:
                return verb(*args, **named)
            except UsageError:
                if name == names[-1]:
                    raise
        return None

    return option(through)


def of_rule(verb: Verb) -> Verb:
    """A verb about one rule, which belongs to one account; about every account without a rule."""

    @functools.wraps(verb)
    def through(*args: Any, account: str, **named: Any) -> None:
        names = chosen(named["folder"], account)
        if len(names) > 1 and named["rule_id"] is not None:
            names = (_owner(named["folder"], str(named["rule_id"])),)
        in_turn(names, lambda: verb(*args, **named))

    return option(through)


def _owner(folder: Path, rule_id: str) -> str:
    """The account of a rule; the default one for a rule that is not there."""
    from runner.cli.rules import rules_of
    from runner.settings import load

    default = load(folder).account().name
    rule = rules_of(folder).rules.get(rule_id)
    return default if rule is None else rule.account or default
