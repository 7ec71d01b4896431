"""The account's declared position mode is compared at the start, never changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import requests

from runner.connecting import Place, connect
from runner.errors import ConfigurationError
from runner.settings import Account, Settings
from runner.venues.paper.server import PaperServer


def settings_for(paper: PaperServer, folder: Path, mode: str) -> Settings:
    """Settings whose only account is on this exchange, with its key pair in files."""
    (folder / "secrets").mkdir()
    for name in ("key", "secret"):
        path = folder / "secrets" / name
        path.touch(mode=0o600)
        path.write_text(f"paper-{name}")
    account = Account(
        "main",
        venue="binance_usdm",
        address=dict(paper.addresses),
        api_key="key",
        api_secret="secret",
        position_mode=mode,
    )
    return replace(Settings(), accounts={"main": account})


def test_a_position_mode_that_is_not_the_accounts_is_refused(tmp_path: Path) -> None:
    """An order for the wrong mode would be refused at 3 a.m.: better now, with the cure."""
    with PaperServer() as paper:
        settings = settings_for(paper, tmp_path, "hedge")
        with pytest.raises(ConfigurationError, match=r"one_way mode, runner\.yaml says"):
            connect(Place(tmp_path), settings, None)
        assert requests.get(f"{paper.addresses['rest']}/fapi/v1/ping", timeout=5).ok


def test_the_declared_mode_is_accepted(tmp_path: Path) -> None:
    """The common case says nothing."""
    with PaperServer() as paper:
        venue = connect(Place(tmp_path), settings_for(paper, tmp_path, "one_way"), None)
        assert "BTCUSDT" in venue.instruments()
