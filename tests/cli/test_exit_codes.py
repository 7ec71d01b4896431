"""Wrong words, missing folders, empty folders: the promised exit code and one message, always."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.cli import main
from tests.cli.calling import call, demo_folder
from tests.cli.test_answers import commands
from tests.journal.building import open_journal

EVERY = dict(commands(main, ""))
FOLDERED = [
    name for name, each in EVERY.items() if any("--dir" in option.opts for option in each.params)
]
NEEDED = {
    "fire": ("r", "--event-key", "k"),
    "resolve": ("r1-main-x", "--as", "absent", "--reason", "x"),
    "unlock": ("--reason", "x"),
    "kill": ("--yes",),
    "flatten": ("--yes",),
    "replay": ("--data", "x.csv"),
    "db prune": ("--keep", "9"),
    "secrets set": ("name",),
    "why": ("tv-eth",),
    "explain": ("abc",),
    **dict.fromkeys(("plan", "alert", "enable", "disable"), ("tv-eth",)),
}
"""What a verb cannot do without."""

NOTHING_RAN = ["runs", "orders", "positions", "journal", "alerts", "status", "why", "explain"]
"""They read the journal, which is not there yet."""


@pytest.mark.parametrize("verb", EVERY)
def test_an_unknown_option_is_usage(verb: str) -> None:
    """Exit 2, the usage line, nothing on stdout, no traceback."""
    result = call(*verb.split(), "--no-such-option")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"Usage: runner {verb}" in result.stderr
    assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("verb", FOLDERED)
def test_a_missing_folder_is_usage(verb: str, tmp_path: Path) -> None:
    """Exit 2 and the name of what is not there."""
    nowhere = tmp_path / "nowhere"
    result = call(*verb.split(), *NEEDED.get(verb, ()), "--dir", nowhere)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert "nowhere" in result.stderr
    assert not nowhere.exists()


@pytest.mark.parametrize("verb", NOTHING_RAN)
@pytest.mark.parametrize("as_json", [False, True])
def test_a_folder_in_which_nothing_ran_is_usage(verb: str, as_json: bool, tmp_path: Path) -> None:
    """Exit 2, what to do, and nothing that could be taken for an answer."""
    folder = demo_folder(tmp_path / "my")
    more = ("--json",) if as_json else ()
    result = call(verb, *NEEDED.get(verb, ()), "--dir", folder, *more)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "runner run --dir" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("verb", ["status", "orders", "runs", "journal", "alerts", "positions"])
def test_mistakes_in_the_settings_keep_nobody_from_reading(verb: str, tmp_path: Path) -> None:
    """Who just mistyped a setting may need to know what is open; it is said on stderr."""
    folder = demo_folder(tmp_path / "my")
    open_journal(folder).close()
    usual = call(verb, "--dir", folder, "--json")
    (folder / "runner.yaml").write_text("version: 1\nhok: 127.0.0.1:1\n")
    result = call(verb, "--dir", folder, "--json")
    assert (result.exit_code, result.stdout) == (usual.exit_code, usual.stdout)
    assert "runner.yaml has mistakes (runner check)" in result.stderr


@pytest.mark.parametrize("verb", FOLDERED)
def test_mistakes_in_the_settings_are_one_message(verb: str, tmp_path: Path) -> None:
    """Never a traceback, whatever verb reads them; the daemon's code is 78."""
    folder = demo_folder(tmp_path / "my")
    (folder / "runner.yaml").write_text("version: 1\nhok: 127.0.0.1:1\n")
    result = call(*verb.split(), *NEEDED.get(verb, ()), "--dir", folder)
    assert isinstance(result.exception, SystemExit | None), result.exception
    assert result.exit_code in (0, 1, 2, 78)
    if result.exit_code:
        assert result.stderr or result.stdout
    if verb == "run":
        assert result.exit_code == 78


@pytest.mark.parametrize(
    "verb",
    ["check", "test", "plan", "replay", "reload", "status", "doctor", "audit", "fire", "run"],
)
def test_help_tells_the_codes_of_verbs_that_judge(verb: str) -> None:
    """Whoever ends with 1 or 3 because of what it found says so in its help."""
    assert "Exit 0: " in call(verb, "--help").output
