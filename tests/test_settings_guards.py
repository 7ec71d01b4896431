"""The guards of an account in runner.yaml."""

from __future__ import annotations

from decimal import Decimal

import pytest

from runner.core.limits import Limits, Most
from runner.errors import ConfigurationError
from runner.settings import Settings, parse

TEXT = """\
version: 1
accounts:
  main:
    venue: binance_usdm
    address: demo
    api_key: k
    api_secret: s
    guards: GUARDS
"""


def settings(guards: str) -> Settings:
    """Settings whose account has these guards."""
    return parse("runner.yaml", TEXT.replace("GUARDS", guards).encode())


def test_an_account_has_guards() -> None:
    """The same keys as in rule files; an account that is not set has none."""
    found = settings("{max_daily_loss: 5%, symbols: {BTCUSDT: {max_open_orders: 2}}}")
    assert found.limits("main") == Limits(
        max_daily_loss=Most(Decimal("0.05"), share=True),
        symbols={"BTCUSDT": Limits(max_open_orders=2)},
    )
    assert found.limits("paper") == Limits()


def test_a_limit_that_is_none_is_refused_with_its_place() -> None:
    """Before anything starts."""
    with pytest.raises(ConfigurationError) as error:
        settings("{max_price_distance: 0%}")
    assert "runner.yaml:8:34: error: 0% is no share [guard]" in str(error.value)
