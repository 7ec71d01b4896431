"""The exchanges that the runner can trade on, by the name that runner.yaml gives them."""

from __future__ import annotations

from runner.venues.binance_usdm.adapter import BinanceUsdm

VENUES: dict[str, type[BinanceUsdm]] = {"binance_usdm": BinanceUsdm}
"""Venue name -> its adapter; another exchange is a package in runner/venues/ and a line here."""
