"""The command line: one small file a verb, each loaded only when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import IO, Any, Final

import click
from click.shell_completion import CompletionItem

from runner.errors import JournalError, RunnerError, UsageError

REFUSED: Final = 1
USAGE: Final = 2

VERBS: Final = {
    "init": "Make a folder to begin with: settings, a first rule, its test, a secret.",
    "run": "Run the daemon: alerts, prices and schedules become orders.",
    "check": "Check rule files and say what is wrong, where, and the cure.",
    "test": "Play the tests of rules: the same engine, a virtual clock, no network.",
    "plan": "Show the requests a rule would send, unsent.",
    "replay": "Play recorded prices through rules, and report what comes of it.",
    "reload": "Have the running daemon take up the rule files, all or none.",
    "alert": "Show the message to paste into TradingView, or send it.",
    "status": "Show what runs, what is open, and what needs a person.",
    "dashboard": "Show and switch the runner in a browser.",
    "why": "Show what a rule waits for and why it did not fire.",
    "explain": "Show one run: its event, its orders, and what became of them.",
    "runs": "List the firings of rules.",
    "orders": "List orders and cancels with their state.",
    "positions": "Show what the account holds, and which exits it has.",
    "journal": "Show the log of everything that happened.",
    "alerts": "List the alerts that were taken.",
    "doctor": "Check everything that trading needs, each fine or with its cure.",
    "audit": "Hold the journal against the exchange, name every difference.",
    "resolve": "Say what became of a parked order.",
    "enable": "Let a rule fire again.",
    "disable": "Keep a rule from firing.",
    "fire": "Fire a rule by hand, once for each event key.",
    "pause": "Open nothing any more; exits go on.",
    "resume": "Take entries again after a pause.",
    "cancel": "Cancel our open orders: all, of a rule, of a symbol.",
    "flatten": "Cancel our orders and close positions, reduce-only.",
    "kill": "Cancel everything, close positions, open nothing until unlocked.",
    "unlock": "Take entries again after a kill.",
    "secrets": "Set and check secrets, renew the API key without a restart.",
    "db": "Back the journal up, check, prune or export it.",
    "paper": "Serve the paper exchange alone.",
    "demo": "Play the main job on the paper exchange.",
    "schema": "Print or write the JSON Schemas: of files for editors, of answers for programs.",
    "version": "Print the version.",
}
"""Every verb and what it is for; the module `runner.cli.<verb>` holds the command `<verb>`."""


class Refused(click.ClickException):
    """An expected error: one message on stderr, exit code 1."""

    exit_code = REFUSED

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message."""
        del file
        click.echo(f"runner: {self.message.rstrip()}", err=True)


class NotThere(Refused):
    """The command line names what is not there: exit code 2."""

    exit_code = USAGE


class Verbs(click.Group):
    """The group; a verb's module is imported when the verb is used, so that all start quickly."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order in which people need them."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a verb, or None when there is no such verb."""
        del ctx
        if cmd_name not in VERBS:
            return None
        command = getattr(import_module(f"runner.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `runner --help`, without loading anything."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the verb's name without loading anything."""
        verbs = [
            CompletionItem(name, help=purpose)
            for name, purpose in VERBS.items()
            if name.startswith(incomplete)
        ]
        return verbs + click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> object:
        """Run the verb; what the runner raises on purpose becomes a message, never a traceback."""
        try:
            return super().invoke(ctx)
        except RunnerError as error:
            there = not isinstance(error, UsageError | JournalError)
            raise (Refused if there else NotThere)(str(error)) from error


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: runner run --dir my --paper",
)
def main() -> None:
    """Turns alerts, prices, schedules and dead-man timers into futures orders, each exactly once.

    Exit codes: 0 fine, 1 findings or refused, 2 usage, 3 degraded (status), 78 configuration
    (run, paper).
    """
