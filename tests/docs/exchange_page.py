"""Writes docs/exchange.md: each endpoint, stream and event, whether it is used and served."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

from runner.core.orders import (
    AmendCall,
    AmendIntent,
    Call,
    CancelCall,
    CancelIntent,
    DeadManCall,
    Family,
    OrderIntent,
    OrderType,
    PlaceCall,
    ProbeCall,
    ReadCall,
    Setting,
    SettingCall,
    SettingIntent,
    Side,
    TimeCall,
)
from runner.venues.binance_usdm.allotment import PER_CONNECTION, STREAM_OF
from runner.venues.binance_usdm.link import LinkTiming
from runner.venues.binance_usdm.subscriptions import MOST, SPACING
from runner.venues.binance_usdm.wire_orders import request
from runner.venues.paper.frames import open_stream
from runner.venues.paper.operations import OPERATIONS
from runner.venues.paper.ws_api import _CALLS, _USER_STREAM
from tests.conftest import REPOSITORY
from tests.docs.exchange_table import (
    ENDPOINTS_2021,
    ENDPOINTS_SINCE,
    EVENTS,
    LIVE,
    STREAMS,
    WHY_NO_STREAM,
    WHY_NOT,
    WS_METHODS,
)

PAGE = REPOSITORY / "docs" / "exchange.md"
ADAPTER = REPOSITORY / "runner" / "venues" / "binance_usdm"
LITERAL = re.compile(r'"/?((?:fapi|sapi)/v\d/[A-Za-z0-9/]+)"')
AT_START = ("GET /fapi/v1/exchangeInfo", "GET /fapi/v1/positionSide/dual")
LISTEN_KEY = ("POST /fapi/v1/listenKey", "PUT /fapi/v1/listenKey")


def calls() -> Iterator[Call]:
    """One call of every kind and shape."""
    one = OrderIntent("a", "BTCUSDT", Side.BUY, OrderType.LIMIT, Decimal(1), Decimal(1))
    stop = OrderIntent("s", "BTCUSDT", Side.SELL, OrderType.STOP_MARKET, Decimal(1))
    yield PlaceCall((one,), (1,))
    yield PlaceCall((one, one), (1, 1))
    yield PlaceCall((stop,), (1,))
    for family in Family:
        yield CancelCall(CancelIntent("c", "BTCUSDT", family), 1)
        yield CancelCall(CancelIntent("c", "BTCUSDT", family, "a"), 1)
        yield ProbeCall("a", "BTCUSDT", family)
    yield AmendCall(AmendIntent("m", "BTCUSDT", "a", Side.BUY, Decimal(1), Decimal(1)), 1)
    for setting in Setting:
        yield SettingCall(SettingIntent("t", "BTCUSDT", setting, "1"), 1)
    for what in get_args(ReadCall.__dataclass_fields__["what"].type) or READINGS:
        yield ReadCall(what)
    yield DeadManCall("BTCUSDT", 60_000)
    yield TimeCall()


READINGS: tuple[Any, ...] = ("open_orders", "open_algo_orders", "positions", "account")


def used() -> set[str]:
    """Every endpoint that the adapter asks: its calls, and the readings that it spells out."""
    found = {f"{made.method} {made.path}" for made in map(request, calls())}
    found |= {*AT_START, *LISTEN_KEY}
    paths = {each.partition(" ")[2] for each in found}
    return found | {f"GET {path}" for path in literals() if path not in paths}


def literals() -> set[str]:
    """Every path that stands in the adapter's source."""
    texts = [path.read_text("utf-8") for path in sorted(ADAPTER.glob("*.py"))]
    return {f"/{path}" for text in texts for path in LITERAL.findall(text)}


def served() -> set[str]:
    """Every endpoint that the paper exchange answers."""
    own = {f"{method} {path}" for method, path in OPERATIONS}
    return own | {f"{method} /fapi/v1/listenKey" for method in ("POST", "PUT", "DELETE")}


def endpoints() -> list[str]:
    """Both documents' endpoints, by path."""
    rows = {*ENDPOINTS_2021.split("\n"), *ENDPOINTS_SINCE.split("\n")} - {""}
    return sorted(rows, key=lambda row: (row.partition(" ")[2], row))


def why_not(row: str) -> str:
    """Why an endpoint is neither used nor served, or a note on one that is served only."""
    path = row.partition(" ")[2]
    return next((why for start, why in WHY_NOT.items() if path.startswith(start)), "")


def stream_used(name: str) -> bool:
    """True when a price source of rules reads this stream."""
    kind = name.partition("@")[2]
    return name.startswith("<symbol>@") and (
        kind in {stream for _, stream in STREAM_OF.values()} or kind == "kline_<interval>"
    )


def ws_used() -> set[str]:
    """The methods of the WebSocket API that the adapter calls."""
    text = "".join(path.read_text("utf-8") for path in sorted(ADAPTER.glob("*.py")))
    return {name for name in WS_METHODS if "." in name and f'"{name}"' in text}


def page() -> str:
    """The whole page."""
    return "\n".join([*_head(), *_endpoints(), *_streams(), *_live(), *_events(), *_ws()]) + "\n"


def _head() -> Iterator[str]:
    yield "# The exchange's interface"
    yield ""
    yield "Every endpoint, stream and event of Binance USDⓈ-M futures: of the documentation that"
    yield "the project began with (2021-01-04) and of today's. *used*: the runner asks it."
    yield "*served*: the paper exchange answers it, so that other people's clients can trade on it."
    yield "Where neither is so, the last column says why. Made from the code by"
    yield "`python -m tests.docs.exchange_page`."
    yield ""


def _mark(so: bool) -> str:
    return "yes" if so else "–"


def _endpoints() -> Iterator[str]:
    yield "## REST"
    yield ""
    yield "| endpoint | 2021 | used | served | remark |"
    yield "| --- | --- | --- | --- | --- |"
    ours, theirs = used(), served()
    for row in endpoints():
        old = _mark(row in ENDPOINTS_2021.split("\n"))
        remark = "" if row in ours or row in theirs else why_not(row)
        yield f"| `{row}` | {old} | {_mark(row in ours)} | {_mark(row in theirs)} | {remark} |"
    yield ""


def _streams() -> Iterator[str]:
    yield "## Market streams"
    yield ""
    yield "| stream | 2021 | used | served | remark |"
    yield "| --- | --- | --- | --- | --- |"
    for name, (old, example) in STREAMS.items():
        ours, theirs = stream_used(name), open_stream(example) is not None
        remark = "" if ours or theirs else WHY_NO_STREAM.get(name, "")
        yield f"| `{name}` | {_mark(old)} | {_mark(ours)} | {_mark(theirs)} | {remark} |"
    yield ""


def _live() -> Iterator[str]:
    yield "## Messages on an open market connection"
    yield ""
    yield f"One at a time, at least {SPACING:g} s apart. After a refusal, no answer within"
    yield f"{LinkTiming().answer:g} s, or a stream that is missing on the exchange's list, another"
    yield "connection with the whole list in its address takes over before this one ends. A"
    yield f"connection carries {PER_CONNECTION} streams at most (the exchange allows {MOST:,}),"
    yield "because the length of that address is not documented."
    yield ""
    yield "| message | 2021 | used | served | the runner |"
    yield "| --- | --- | --- | --- | --- |"
    for name, (ours, what) in LIVE.items():
        yield f"| `{name}` | yes | {_mark(ours)} | yes | {what} |"
    yield ""


def _events() -> Iterator[str]:
    yield "## Events of the user stream"
    yield ""
    yield "| event | 2021 | the runner |"
    yield "| --- | --- | --- |"
    for name, (old, what) in EVENTS.items():
        yield f"| `{name}` | {_mark(old)} | {what} |"
    yield ""


def _ws() -> Iterator[str]:
    yield "## WebSocket API"
    yield ""
    yield "Used by accounts with `transport: ws`; not in the 2021 document."
    yield ""
    yield "| method | used | served | remark |"
    yield "| --- | --- | --- | --- |"
    ours = ws_used()
    theirs = {*_CALLS, *_USER_STREAM, "session.logon", "session.status", "session.logout"}
    for name, why in WS_METHODS.items():
        remark = "" if name in ours else why
        yield f"| `{name}` | {_mark(name in ours)} | {_mark(name in theirs)} | {remark} |"


if __name__ == "__main__":
    Path(sys.argv[1] if sys.argv[1:] else PAGE).write_text(page(), "utf-8")
