"""`runner check` and secrets: what is wrong, with which secret, and the cure; never a value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.calling import call, demo_folder

LONG = "a-long-enough-secret"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The demo's folder, its secret long enough."""
    folder = demo_folder(tmp_path / "my")
    (folder / "secrets" / "tv_eth").write_text(LONG)
    return folder


def test_good_secrets_are_not_mentioned(folder: Path) -> None:
    """Exit 0 and nothing of them."""
    answer = call("check", "--dir", folder)
    assert answer.exit_code == 0
    assert "secret" not in answer.output


def test_a_secret_that_others_can_read_is_an_error(folder: Path) -> None:
    """Exit 1: the runner would refuse it; chmod is named."""
    path = folder / "secrets" / "tv_eth"
    path.chmod(0o644)
    answer = call("check", "--dir", folder)
    assert answer.exit_code == 1
    assert "error: the secret tv_eth" in answer.output
    assert "mode 0644" in answer.output
    assert f"chmod 600 {path}" in answer.output
    assert LONG not in answer.output


def test_a_short_secret_of_a_hook_is_a_warning_with_a_way_to_make_one(folder: Path) -> None:
    """Fewer than 16 characters; also in JSON."""
    (folder / "secrets" / "tv_eth").write_text("short-one")
    answer = call("check", "--dir", folder)
    assert answer.exit_code == 0
    assert "has 9 characters, fewer than 16" in answer.output
    assert "token_urlsafe" in answer.output
    assert "short-one" not in answer.output
    [found] = json.loads(call("check", "--dir", folder, "--json").stdout)
    assert (found["code"], found["severity"]) == ("short-secret", "warning")


def test_a_missing_secret_is_a_warning_since_a_service_may_have_it(folder: Path) -> None:
    """Of a rule, an account and a command; with the three ways to give it."""
    (folder / "secrets" / "tv_eth").unlink()
    (folder / "runner.yaml").write_text(
        "version: 1\n"
        "accounts: {a: {venue: binance_usdm, address: demo, api_key: k, api_secret: s}}\n"
        "secrets: {k: {env: NO_SUCH_VARIABLE}, s: {command: [cat, x]}}\n"
        "commands: {panic: {command: kill, secret: panic_secret}}\n"
    )
    answer = call("check", "--dir", folder)
    assert answer.exit_code == 0
    for name, use in (
        ("tv_eth", "the alerts of tv-eth"),
        ("k", "the API key of account a"),
        ("panic_secret", "the command hook panic"),
    ):
        assert f"warning: the secret {name} " in answer.output
        assert use in answer.output
    assert "secret s " not in answer.output
    assert "LoadCredential=tv_eth" in answer.output


def test_a_key_that_a_paper_account_names_is_not_missed(folder: Path) -> None:
    """No exchange asks for it; what the hook and another account need is still looked for."""
    (folder / "runner.yaml").write_text(
        "version: 1\n"
        "accounts:\n"
        "  a: {venue: binance_usdm, address: paper, api_key: k, api_secret: s, default: true}\n"
    )
    assert "secret" not in call("check", "--dir", folder).output
    checked = call("secrets", "check", "--dir", folder)
    assert (checked.exit_code, checked.stdout) == (0, "tv_eth (the alerts of tv-eth): fine\n")
    aged = call("secrets", "age", "--dir", folder)
    assert (aged.exit_code, aged.stdout) == (0, "")
    assert "no account in runner.yaml needs an API key" in aged.stderr
    with (folder / "runner.yaml").open("a") as settings:
        settings.write("  b: {venue: binance_usdm, address: demo, api_key: k, api_secret: t}\n")
    beside = call("check", "--dir", folder).output
    assert "the API key of account b" in beside
    assert "account a" not in beside


def test_a_secret_that_was_pasted_wrongly_is_an_error(folder: Path) -> None:
    """Blanks inside."""
    (folder / "secrets" / "tv_eth").write_text("two words and more")
    answer = call("check", "--dir", folder)
    assert answer.exit_code == 1
    assert "pasted wrongly" in answer.output


def test_mistakes_in_the_settings_are_told(folder: Path) -> None:
    """The runner would not start."""
    (folder / "runner.yaml").write_text("version: 2\n")
    answer = call("check", "--dir", folder)
    assert answer.exit_code == 1
    assert "the settings have mistakes" in answer.output


def test_named_files_are_checked_alone(folder: Path) -> None:
    """PATHS may be anywhere: no settings and no secrets belong to them."""
    (folder / "secrets" / "tv_eth").unlink()
    assert "secret" not in call("check", folder / "rules").output
