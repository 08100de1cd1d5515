"""Round trips: what a strategy earned from flat to flat.

A **round trip** is the path of one strategy's position in one instrument from zero back to zero. A fill that
crosses zero is split pro rata: the part that closes belongs to the trip that ends, the rest opens the next
one, and its fee is divided in the same proportion (rounded down for the closing part, so that the parts add
up). A position that is still open at the end is no round trip. Funding is not divided over round trips. Money is in units of
1e-8 of the settle asset.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
from msgspec import Struct

from tradebot.research.fills import Book
from tradebot.research.valuation import trade_values, units_nearest


class RoundTrip(Struct, frozen=True):
    """From flat to flat. `pnl` is after fees, in money units of the settle asset."""

    opened_ns: int
    closed_ns: int
    pnl: int
    fees: int
    fills: int


def round_trips(book: Book) -> list[RoundTrip]:
    """The finished round trips, in the order in which they closed; an open position at the end is none."""
    return list(_trips(book))


def win_rate(trips: Sequence[RoundTrip]) -> float | None:
    """Round trips with a P&L after fees above zero over all round trips, a fraction."""
    return sum(trip.pnl > 0 for trip in trips) / len(trips) if trips else None


def profit_factor(trips: Sequence[RoundTrip]) -> float | None:
    """The sum of the winning round trips over that of the losing ones; None without a loss."""
    lost = -sum(trip.pnl for trip in trips if trip.pnl < 0)
    return sum(trip.pnl for trip in trips if trip.pnl > 0) / lost if lost else None


def mean_units(amounts: Sequence[int]) -> int | None:
    """The mean in money units, rounded half to even; None of nothing."""
    return round(Fraction(sum(amounts), len(amounts))) if amounts else None


def expectancy_t(trips: Sequence[RoundTrip]) -> float | None:
    """The mean P&L of a round trip over its standard error; None under two trips or when all are equal."""
    pnl = np.array([trip.pnl for trip in trips], dtype=np.float64)
    if len(pnl) < 2 or pnl.max() == pnl.min():
        return None
    return float(np.mean(pnl) / np.std(pnl, ddof=1) * np.sqrt(len(pnl)))


def _trips(book: Book) -> Iterator[RoundTrip]:
    position = paid = fees = fills = opened_ns = 0  # paid: the signed value of the trip's trades
    columns = (book.moved, book.fills["price"], book.fees_each, book.fills["time_ns"])
    for lots, price, fee, time_ns in zip(*(column.tolist() for column in columns), strict=True):
        if position == 0:
            paid = fills = 0
            opened_ns = time_ns
        if lots == 0:       # a fee took all that was bought: the next trip pays for it
            fees += fee
            continue
        closing = -position if position * (position + lots) < 0 else lots  # all of it, unless it crosses zero
        fee_closing = fee * closing // lots
        value_closing, value_opening = trade_values(book.instrument, (closing, lots - closing), (2 * price, 2 * price))
        position, paid, fees, fills = position + closing, paid + value_closing, fees + fee_closing, fills + 1
        if position == 0:
            yield RoundTrip(opened_ns, time_ns, units_nearest(book.instrument, -paid) - fees, fees, fills)
            fees = 0
        if closing != lots:
            position, paid, fees, fills, opened_ns = lots - closing, value_opening, fee - fee_closing, 1, time_ns
