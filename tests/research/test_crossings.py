"""Books that cross at the end of a message, quotes that cross, and events of orders that nobody knows."""

import numpy as np

from tests.research.ticks import FIRST_DAY, joined, row
from tradebot._core.types import Flag, Kind
from tradebot.research.crossings import Crossings

LAST, SELL, VOID = int(Flag.LAST), int(Flag.SELL), int(Flag.VOID)


def level(price: int, quantity: int, flags: int = 0) -> np.void:
    return row(FIRST_DAY, Kind.L2_LEVEL, price=price, quantity=quantity, flags=flags)


def test_a_book_is_looked_at_where_the_message_ends() -> None:
    crossings = Crossings()
    crossings.add(joined([level(100, 1), level(101, 1, SELL | LAST)]))
    crossings.add(joined([level(101, 2), level(101, 0, SELL), level(102, 1, SELL | LAST)]))
    assert crossings.take_day() == (0, 0), "inside the message the sides touched"
    crossings.add(joined([level(102, 1, LAST), level(103, 1, LAST), level(103, 1, LAST | VOID)]))
    assert crossings.take_day() == (2, 0)
    crossings.add(joined([level(90, 1, LAST)]))
    assert crossings.take_day() == (1, 0), "the book goes on over the days"
    crossings.forget()
    crossings.add(joined([level(90, 1, LAST)]))
    assert crossings.take_day() == (0, 0)


def test_quotes_cross_where_the_bid_reaches_the_ask() -> None:
    quotes = [(100, 101, 0), (101, 101, 0), (105, 101, VOID), (0, 101, 0), (105, 0, 0), (106, 101, 0)]
    rows = [row(FIRST_DAY + at, Kind.QUOTE, price=bid, id=ask, flags=flags) for at, (bid, ask, flags) in enumerate(quotes)]
    crossings = Crossings()
    times, middles = crossings.add(joined(rows))["quote"]
    assert crossings.take_day()[0] == 2
    assert (times - FIRST_DAY).tolist() == [0, 1, 5]
    assert middles.tolist() == [201, 202, 207]


def test_events_of_unknown_orders_are_counted_day_by_day() -> None:
    crossings = Crossings()
    add = row(FIRST_DAY, Kind.L3_ADD, id=1, price=5, quantity=1)
    gone = row(FIRST_DAY, Kind.L3_DELETE, id=2)
    crossings.add(joined([add, gone, gone]))
    assert crossings.take_day() == (0, 2)
    crossings.add(joined([gone]))
    assert crossings.take_day() == (0, 1)
