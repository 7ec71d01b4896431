"""Turns events (alerts, prices, due times, dead-man expiries) into orders, each exactly once."""

from __future__ import annotations

__version__ = "0.1.0"
