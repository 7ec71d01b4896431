"""A move of one symbol's prices, as a price source tells it to the exchange."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Move:
    """New prices of one symbol at a time (ms); `price` stands for mark and last together.

    Without bid and ask the book follows the last price, unless `keep_book` leaves it as it is.
    The index price follows the mark until it is given once.
    """

    at: int
    symbol: str
    price: Decimal | None = None
    mark: Decimal | None = None
    last: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    bid_quantity: Decimal | None = None
    ask_quantity: Decimal | None = None
    quantity: Decimal | None = None
    buyer_is_maker: bool | None = None
    index: Decimal | None = None
    funding_rate: Decimal | None = None
    keep_book: bool = False
