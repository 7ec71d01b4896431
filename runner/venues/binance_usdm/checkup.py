"""The check-up of an account before it trades: each check is fine, or names its cure."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from runner.core.events import Event, StreamState
from runner.core.prices import PriceBoard
from runner.errors import VenueError
from runner.venues import Stream
from runner.venues.binance_usdm.adapter import BinanceUsdm
from runner.venues.binance_usdm.cures import cure
from runner.venues.binance_usdm.limits import MINUTE
from runner.venues.binance_usdm.wire_answers import Reply
from runner.venues.binance_usdm.wire_values import integer, label, mapping
from runner.venues.findings import Declared, Finding

CLOCK_FAR = 1_000
"""Ms that this machine's clock may be off before alerts' ages and schedules suffer."""
CLOCK_VAGUE = 1_000
"""Ms of uncertainty above which the runner signs nothing."""
STREAM_WITHIN = 10.0
"""Seconds in which the first message of a stream must come."""
LOOK_EVERY = 0.02
DAY = 86_400_000
KEY_OLD, KEY_URGENT, KEY_OVERDUE = 76, 83, 90
"""Days after which a key should be renewed: two weeks and one week before 90, and then."""
EXPIRES_SOON = 14
LEFT_LOW = 0.2

ANY_SYMBOL = "BTCUSDT"
MARGIN_TYPES = {"CROSSED": "cross", "ISOLATED": "isolated"}

WITHDRAWS = {
    "enableWithdrawals": "withdraw",
    "enableInternalTransfer": "transfer to other accounts",
    "permitsUniversalTransfer": "transfer between wallets",
}
"""Permissions that a key that trades must not have."""


def findings(venue: BinanceUsdm, declared: Declared, *, streams: bool = True) -> Iterator[Finding]:
    """Every check, one after another; it ends early where nothing more can be asked.

    Asks only; `streams` False leaves out the two that take seconds.
    """
    reached = _address(venue)
    yield reached
    if reached.verdict == "wrong":
        return
    try:
        venue.connect()
    except VenueError as error:
        yield Finding("key", "wrong", str(error), "mend what is named, then run this again", True)
        return
    yield _clock(venue)
    yield Finding("key", "ok", "the exchange accepts key and signature")
    yield from _permissions(venue)
    yield _may_trade(venue)
    yield _position_mode(venue, declared)
    yield from _symbols(venue, declared)
    yield from _limits(venue)
    if streams:
        yield _market_stream(venue, declared)
        yield _user_stream(venue)


def _address(venue: BinanceUsdm) -> Finding:
    reply = venue.read("/fapi/v1/ping", signed=False)
    if reply.transport == "ok" and reply.status == 200 and reply.value is not None:
        return Finding("address", "ok", f"{venue.address} answers")
    text = f"{venue.address} does not answer as the exchange: {reply.message(reply.value)}"
    what = "check the network, a firewall, and the account's address in runner.yaml"
    return Finding("address", "wrong", text, what, blocks=True)


def _clock(venue: BinanceUsdm) -> Finding:
    offset, vague = venue.clock_offset(), venue.clock_uncertainty()
    if vague is None or vague > CLOCK_VAGUE:
        text = f"the exchange's clock is known to {vague} ms only"
        what = "the connection is too slow or unsteady to sign orders: use a better one"
        return Finding("clock", "wrong", text, what, blocks=True)
    way = "ahead of" if offset > 0 else "behind"
    text = f"this machine's clock is {abs(offset)} ms {way} the exchange's, give or take {vague}"
    if abs(offset) > CLOCK_FAR:
        what = "set the clock by NTP: alerts' ages and schedules go by it (signatures do not)"
        return Finding("clock", "warning", text, what)
    return Finding("clock", "ok", text)


def _permissions(venue: BinanceUsdm) -> Iterator[Finding]:
    reply = venue.permissions()
    if reply is None:
        yield Finding("permissions", "ok", "a demo key: nothing can be withdrawn with it")
        return
    fields = _fields(reply)
    if fields is None:
        text = f"the key's permissions cannot be read: {_said(reply)}"
        yield Finding("permissions", "wrong", text, cure(-2015), blocks=True)
        return
    yield _no_way_out(fields)
    yield _bound(fields)
    yield _futures(fields)
    yield from _ages(fields, venue.server_time())


def _no_way_out(fields: Mapping[str, Any]) -> Finding:
    may = [text for name, text in WITHDRAWS.items() if fields.get(name) is not False]
    if not may:
        return Finding("permissions", "ok", "the key can neither withdraw nor transfer")
    text = f"the key may {' and '.join(may)}: whoever steals it can empty the account"
    what = "take these permissions from the key on the exchange's API page"
    return Finding("permissions", "wrong", text, what, blocks=True)


def _bound(fields: Mapping[str, Any]) -> Finding:
    if fields.get("ipRestrict") is True:
        return Finding("key address", "ok", "the key works from named addresses only")
    text = "the key works from any address: whoever steals it can trade with it"
    what = "restrict the key to this machine's address on the exchange's API page"
    return Finding("key address", "wrong", text, what, blocks=True)


def _futures(fields: Mapping[str, Any]) -> Finding:
    if fields.get("enableFutures") is True:
        return Finding("futures", "ok", "the key may trade futures")
    what = "allow futures for the key; open the futures account first if there is none"
    return Finding("futures", "wrong", "the key may not trade futures", what, blocks=True)


def _ages(fields: Mapping[str, Any], now: int) -> Iterator[Finding]:
    created, ends = integer(fields.get("createTime")), fields.get("tradingAuthorityExpirationTime")
    if created:
        days = max(now - created, 0) // DAY
        old = days >= KEY_OLD
        what = (
            "make a new key and put it in its place: a key should not grow older than 90 days "
            "(runner secrets rotate does it without a restart)"
        )
        text = f"the key is {days} days old" + (_left(days) if old else "")
        yield Finding("key age", "warning" if old else "ok", text, what if old else "")
    end = integer(ends)
    if end and end - now < EXPIRES_SOON * DAY:
        text = f"the key's right to trade ends in {max(end - now, 0) // DAY} days"
        yield Finding("key age", "warning", text, "renew it on the exchange's API page")


def _left(days: int) -> str:
    """How urgent it is: two weeks before 90 days, one week before, and after."""
    if days >= KEY_OVERDUE:
        return f", older than {KEY_OVERDUE}: renew it now"
    return f", {KEY_OVERDUE - days} left" + (": renew it this week" if days >= KEY_URGENT else "")


def _may_trade(venue: BinanceUsdm) -> Finding:
    reply = venue.read("/fapi/v1/accountConfig")
    fields = _fields(reply)
    if fields is None:
        text = f"the account cannot be read: {_said(reply)}"
        return Finding("account", "wrong", text, "see docs/errors.md for the code", blocks=True)
    if fields.get("canTrade") is not True:
        text = "the exchange does not let this account trade"
        return Finding("account", "wrong", text, cure(-4088), blocks=True)
    return Finding("account", "ok", "the account may trade")


def _position_mode(venue: BinanceUsdm, declared: Declared) -> Finding:
    found = "hedge" if venue.hedge_mode else "one_way"
    if found == declared.position_mode:
        return Finding("position mode", "ok", f"{found}, as declared")
    text = f"the account is in {found} mode, runner.yaml says {declared.position_mode}"
    what = f"write position_mode: {found}, or change the account on the exchange"
    return Finding("position mode", "wrong", text, what, blocks=True)


def _symbols(venue: BinanceUsdm, declared: Declared) -> Iterator[Finding]:
    known = venue.instruments()
    idle = [each for each in declared.symbols if each not in known or not known[each].tradable]
    if idle:
        text = f"not traded now: {', '.join(idle)}"
        yield Finding("symbols", "warning", text, "their rules can do nothing: disable them")
    elif declared.symbols:
        yield Finding("symbols", "ok", f"{len(declared.symbols)} symbols of the rules are traded")
    if declared.leverage is not None or declared.margin_type is not None:
        yield _leverage(venue, declared)


def _leverage(venue: BinanceUsdm, declared: Declared) -> Finding:
    reply = venue.read("/fapi/v1/symbolConfig")
    rows = reply.value if reply.status == 200 and isinstance(reply.value, list) else None
    if rows is None:
        text = f"leverage and margin type cannot be read: {_said(reply)}"
        return Finding("leverage", "wrong", text, "see docs/errors.md for the code", blocks=True)
    wrong = []
    for row in map(mapping, rows):
        symbol, leverage = label(row.get("symbol")), integer(row.get("leverage"))
        kind = MARGIN_TYPES.get(str(row.get("marginType")), "unknown")
        if symbol not in declared.symbols:
            continue
        if declared.leverage not in (None, leverage):
            wrong.append(f"{symbol} has leverage {leverage}, declared is {declared.leverage}")
        if declared.margin_type not in (None, kind):
            wrong.append(f"{symbol} has {kind} margin, declared is {declared.margin_type}")
    if not wrong:
        return Finding("leverage", "ok", "leverage and margin type are as declared")
    what = "change them on the exchange or by a rule with set:, or declare what is so"
    return Finding("leverage", "wrong", "; ".join(wrong), what, blocks=True)


def _limits(venue: BinanceUsdm) -> Iterator[Finding]:
    for limit, left in venue.limits_left():
        what = "weight" if limit.kind == "weight" else "orders"
        span = "minute" if limit.interval == MINUTE else f"{limit.interval // 1_000} s"
        text = f"{max(left, 0)} of {limit.limit} {what} left in this {span}"
        low = left < limit.limit * LEFT_LOW
        again = "other programs use this address or account: stop or slow them"
        yield Finding("limits", "warning" if low else "ok", text, again if low else "")


def _market_stream(venue: BinanceUsdm, declared: Declared) -> Finding:
    """The mark price comes every second, so that silence means something."""
    known = venue.instruments()
    symbol = next((each for each in (*declared.symbols, ANY_SYMBOL) if each in known), "")
    symbol = symbol or next(iter(known))
    board = PriceBoard(60_000)
    stream = venue.market_stream(frozenset({(symbol, "mark")}), board, lambda _: None)
    if _comes(stream, lambda: board.last(symbol, "mark") is not None):
        return Finding("market stream", "ok", f"prices of {symbol} come")
    text = f"no price of {symbol} came within {STREAM_WITHIN:g} s"
    what = "check the address of the streams, and a proxy or firewall that stops WebSockets"
    return Finding("market stream", "wrong", text, what, blocks=True)


def _user_stream(venue: BinanceUsdm) -> Finding:
    told: list[Event] = []
    stream = venue.user_stream(told.append)
    stands = _comes(stream, lambda: any(isinstance(e, StreamState) and e.connected for e in told))
    if stands:
        return Finding("user stream", "ok", "a listen key was given and its stream connects")
    text = f"the account's own stream did not connect within {STREAM_WITHIN:g} s"
    what = "check that the key may read, and a proxy or firewall that stops WebSockets"
    return Finding("user stream", "wrong", text, what, blocks=True)


def _comes(stream: Stream, check: Callable[[], bool]) -> bool:
    """Read a stream until this is so, or for as long as is allowed."""
    stream.start()
    deadline, pause = time.monotonic() + STREAM_WITHIN, threading.Event()
    while not (so := check()) and time.monotonic() < deadline:
        pause.wait(LOOK_EVERY)
    stream.stop()
    return so


def _fields(reply: Reply) -> Mapping[str, Any] | None:
    return mapping(reply.value) or None if reply.status == 200 else None


def _said(reply: Reply) -> str:
    code = integer(mapping(reply.value).get("code"))
    return reply.message(reply.value) if code is None else f"{code}: {reply.message(reply.value)}"
