"""Commands by webhook: denied unless written, each with a secret that opens nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runner.connecting import Place
from runner.core.events import Alert, Command
from runner.errors import ConfigurationError
from runner.hooking import command_of, hook_table
from runner.ops.secrets import Secrets
from runner.settings import CommandHook, Settings
from runner.sharing import read_rules
from tests.cli.calling import demo_folder

PANIC = CommandHook("panic", "kill", "panic_secret")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The demo's folder with a secret for a command."""
    folder = demo_folder(tmp_path / "my")
    path = folder / "secrets" / "panic_secret"
    path.touch(mode=0o600)
    path.write_text("panic-1234567890")
    return folder


def settings(*commands: CommandHook) -> Settings:
    """Settings with these commands."""
    return replace(Settings(), commands={each.path: each for each in commands})


def alert(path: str = "panic", **fields: str) -> Alert:
    """An authenticated request."""
    return Alert(path, fields, "0123456789abcdef", 1_000)


def test_nothing_is_a_command_unless_the_settings_say_so() -> None:
    """Any path, any body."""
    assert command_of(alert(command="kill"), Settings()) is None
    assert command_of(alert("other"), settings(PANIC)) is None


def test_a_command_takes_its_details_from_the_body() -> None:
    """Never the verb: that is the settings'."""
    body = {"reason": "losses", "rule": "x", "symbol": "BTCUSDT", "event_key": "1", "command": "y"}
    assert command_of(alert(**body), settings(PANIC)) == Command(
        "kill",
        "hook-panic-1000-01234567",
        "hook panic",
        1_000,
        "losses",
        "x",
        "BTCUSDT",
        "1",
        flatten=True,
        live=True,
    )


def test_on_kill_cancel_leaves_positions() -> None:
    """As by the command line."""
    kept = replace(settings(PANIC), on_kill="cancel")
    command = command_of(alert(), kept)
    assert command is not None
    assert not command.flatten


def test_the_table_has_alerts_and_commands(folder: Path) -> None:
    """Each with its own secret."""
    rules = read_rules(Place(folder), None)
    table = hook_table(rules, Secrets({}, folder), settings(PANIC))
    assert sorted(table) == ["eth-signal", "panic"]
    assert table["panic"].admits("panic-1234567890")
    assert not table["eth-signal"].admits("panic-1234567890")


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        (CommandHook("eth-signal", "kill", "panic_secret"), "give one of them another path"),
        (CommandHook("panic", "kill", "tv_eth"), "give the command a secret of its own"),
        (CommandHook("panic", "kill", "no_such"), "nowhere to be found"),
    ],
)
def test_what_would_open_too_much_is_refused(folder: Path, hook: CommandHook, said: str) -> None:
    """A path twice, the secret of an alert, or none."""
    rules = read_rules(Place(folder), None)
    with pytest.raises(ConfigurationError, match=said):
        hook_table(rules, Secrets({}, folder), settings(hook))
