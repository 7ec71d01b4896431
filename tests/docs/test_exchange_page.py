"""docs/exchange.md lists what the exchange offers, and says truly what is used and served."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from runner.venues.binance_usdm.wire_events import user_events
from tests.docs import exchange_page
from tests.docs.exchange_table import (
    ENDPOINTS_2021,
    EVENTS,
    LIVE,
    STREAMS,
    WHY_NO_STREAM,
    WHY_NOT,
    WS_METHODS,
)

ORIGIN = "origin-binance-futures-api-2021-01-04.txt"
SDK = "binance_sdk_derivatives_trading_usds_futures"


def test_the_page_is_what_the_code_says() -> None:
    """Made by `python -m tests.docs.exchange_page`; run it when an endpoint comes or goes."""
    assert exchange_page.PAGE.read_text("utf-8") == exchange_page.page()


def test_nothing_that_is_used_or_served_is_missing() -> None:
    """The table has every endpoint of ours and of the paper exchange's."""
    listed = {*exchange_page.endpoints()}
    assert exchange_page.used() <= listed
    assert exchange_page.served() <= listed
    assert exchange_page.literals() <= {row.partition(" ")[2] for row in listed}


def test_what_is_used_is_served() -> None:
    """Paper trading needs the paper exchange to answer all that the runner asks."""
    assert exchange_page.used() - exchange_page.served() == set()


def test_what_is_neither_used_nor_served_has_its_reason() -> None:
    """Endpoints, streams and methods: a row without either says why."""
    ours = exchange_page.used() | exchange_page.served()
    silent = [row for row in exchange_page.endpoints() if row not in ours]
    assert [row for row in silent if not exchange_page.why_not(row)] == []
    assert set(WHY_NO_STREAM) <= {*STREAMS}
    unused = {*WS_METHODS} - exchange_page.ws_used()
    assert [name for name in unused if not WS_METHODS[name]] == []
    assert all(WHY_NOT.values())


def test_live_messages_are_what_the_code_sends() -> None:
    """A message counts as used exactly when the adapter's source has it."""
    source = (exchange_page.ADAPTER / "subscriptions.py").read_text("utf-8")
    assert {name for name in LIVE if f'"{name}"' in source} == (
        {name for name, (used, _) in LIVE.items() if used}
    )


def test_every_endpoint_of_the_2021_document_is_there(recorded: Path) -> None:
    """Read from the document itself."""
    origin = recorded.parent / "reference" / ORIGIN
    if not origin.is_file():
        pytest.skip(f"no {origin}")
    found = re.findall(r"(?:GET|POST|PUT|DELETE) /fapi/v\d/[A-Za-z0-9/]+", origin.read_text())
    assert found
    assert {*found} <= {*ENDPOINTS_2021.split("\n")}
    names = re.findall(r'"e": ?"([A-Z][A-Z_]+)"', origin.read_text())
    assert {*names} <= {name for name, (old, _) in EVENTS.items() if old}


def test_every_endpoint_of_the_official_sdk_is_there() -> None:
    """Read from its source: paths, stream names and methods of the WebSocket API."""
    pytest.importorskip(SDK)
    root = Path(import_module(SDK).__path__[0])
    rest = "".join(path.read_text("utf-8") for path in (root / "rest_api" / "api").glob("*.py"))
    found = re.findall(r'method="(\w+)",\s*path="([^"]+)"', rest)
    assert len(found) > 90
    assert {f"{method} {path}" for method, path in found} <= {*exchange_page.endpoints()}
    api = "".join(path.read_text("utf-8") for path in (root / "websocket_api").rglob("*.py"))
    assert {*re.findall(r'"method": "/([^"]+)"', api)} <= {*WS_METHODS}
    streams = "".join(
        path.read_text("utf-8") for path in (root / "websocket_streams").rglob("*.py")
    )
    names = {
        name.replace("@<updateSpeed>", "")
        for name in re.findall(r'"/([^"]*)"\.replace\("/", "", 1\)', streams)
    }
    assert names - {"!markPrice@arr", *STREAMS} == set()


def test_every_event_is_tolerated() -> None:
    """An event with nothing in it, and one that nobody knows, lead to nothing and raise nothing."""
    for name in (*EVENTS, "SOMETHING_NEW"):
        assert user_events({"e": name, "E": 1}) == []
