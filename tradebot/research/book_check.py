"""Holds a recording against itself: do the trades that the venue reported follow from the orders that it reported?

For each order that traded on arrival, ask the book, at that moment, whom it would trade with; then compare maker, price and size
with the trades that name it. It shows that the book is right and that matching is price-time, on data nobody here made.
"""

from collections.abc import Callable, Iterable

import numpy as np

from tradebot._core.book import L3Book
from tradebot._core.match import would_trade
from tradebot._core.types import Flag, Kind
from tradebot.domain.instrument import Instrument
from tradebot.engine.ports import Records
from tradebot.research.results import BookCheck

Trades = dict[int, list[tuple[int, int, int]]]


def check_book(instrument: Instrument, stream: Callable[[], Iterable[Records]]) -> BookCheck | None:
    """Compare every taker; None where trades name no order ids, or no taker of a trade shows as an order on arrival.

    Reads the stream twice; memory grows with trades.
    """
    trades = trades_by_taker(stream())
    if not trades:
        return None
    takers = np.fromiter(trades, dtype=np.uint64)
    book = L3Book()
    takers_shown = takers_exact = trades_exact = 0
    misses = []
    for batch in stream():
        done = 0
        for at in np.flatnonzero((batch["kind"] == Kind.L3_ADD) & np.isin(batch["id"], takers)).tolist():
            book.apply(batch[done:at])
            done = at
            expected = trades[int(batch[at]["id"])]
            found = _trades_of(book, batch[at])
            takers_shown += 1
            exact = sum(left == right for left, right in zip(expected, found, strict=False))
            trades_exact += exact
            takers_exact += expected == found
            if expected != found:
                misses.append(_miss(instrument, batch[at], expected, exact))
        book.apply(batch[done:])
    if not takers_shown:
        return None
    return BookCheck(
        takers=len(trades),
        takers_exact=takers_exact,
        trades=sum(len(one) for one in trades.values()),
        trades_exact=trades_exact,
        misses=misses,
    )


def trades_by_taker(stream: Iterable[Records]) -> Trades:
    """taker id -> its trades in order as (maker id, ticks, lots)."""
    trades: Trades = {}
    for batch in stream:
        chosen = batch[(batch["kind"] == Kind.TRADE) & (batch["id"] != 0) & (batch["id2"] != 0)]
        for row in chosen:
            buyer, seller = int(row["id"]), int(row["id2"])
            taker, maker = (seller, buyer) if row["flags"] & Flag.SELL else (buyer, seller)
            trades.setdefault(taker, []).append((maker, int(row["price"]), int(row["quantity"])))
    return trades


def _trades_of(book: L3Book, order: np.void) -> list[tuple[int, int, int]]:
    side = int(order["flags"]) & Flag.SELL
    return would_trade(book, side, int(order["price"]), int(order["quantity"]))


def _miss(instrument: Instrument, order: np.void, expected: list[tuple[int, int, int]], exact: int) -> str:
    if order["quantity"] == 0:
        return f"market order {int(order['id'])}, recorded with volume 0"
    quantity = instrument.quantity_text(int(order["quantity"]))
    return f"{len(expected) - exact} of {len(expected)} trades of order {int(order['id'])}, recorded with {quantity}"
