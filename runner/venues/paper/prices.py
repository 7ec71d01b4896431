"""Price sources as a command line names them: `walk`, `still`, `klines:FILE`, `live` …"""

from __future__ import annotations

import re
from pathlib import Path

from .live import REST, STREAMS, Live
from .market import Source, Still, Walk
from .recordings import Frames, Klines, Trades

FORMS = "walk, still, klines:FILE, trades:FILE, frames:FILE, live or live:REST,STREAMS"
_FILE_KINDS = {"klines": Klines, "trades": Trades}
_SYMBOL = re.compile(r"[A-Z0-9]{5,}")


def price_source(text: str, *, seed: int = 1, speed: int = 1) -> Source:
    """Return the source that a text names; `speed` is of recordings.

    A file of candles or trades names its symbol first (`klines:BTCUSDT=FILE`), unless its own name
    begins with it. Raises ValueError for a text that names none and OSError for what cannot be
    read or reached.
    """
    kind, _, rest = text.partition(":")
    if text == "walk":
        return Walk(seed)
    if text == "still":
        return Still()
    if kind == "live":
        addresses = rest.split(",") if rest else [REST, STREAMS]
        if len(addresses) == 2:
            return Live(rest=addresses[0], streams=addresses[1])
    if kind == "frames" and rest:
        return Frames(rest, speed=speed)
    if kind in _FILE_KINDS and rest:
        symbol, path = _symbol_and_path(rest)
        return _FILE_KINDS[kind](path, symbol, speed=speed)
    raise ValueError(f"no prices are named {text}: use {FORMS}")


def _symbol_and_path(text: str) -> tuple[str, Path]:
    symbol, separator, path = text.partition("=")
    if separator:
        return symbol.upper(), Path(path)
    found = _SYMBOL.match(Path(text).name)
    if found is None:
        raise ValueError(f"{text} does not begin with a symbol: write BTCUSDT={text}")
    return found.group(), Path(text)
