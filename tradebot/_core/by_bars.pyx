"""Bar grade: the simulated venue where the data tell bars. The rules of `by_price`, at a bar's open and within its range.

A bar is told to strategies at its close. The venue knows it before, in two steps on its own time: at the bar's open its opening
price, and at the last moment from which an answer still reaches us before the close its range. So a decision at the close of
bar k is filled in bar k+1, and that fill is known before the close of bar k+1 is told. Nothing of a bar that a strategy has not
been told can be traded on:

- an order trades at a bar's open only if it was sent by then. One that was sent after, in answer to a fill or a timer, waits for
  the next: a market order for its open, a limit for its open and its range;
- an order that takes longer than a bar to arrive trades in the bar in which it arrives, at its open;
- how much filled at an open depends on the volume of a bar that is not over; what is sent on seeing that comes under the
  first rule.

At the open: orders that wait, then limits that it opened through. In the range: limits that the low, for a buy, or the high, for a
sale, went through. Buys come first. In all a bar gives ours at most `participation` of its volume, in whole lots, rounded down.

Of several intervals the one named at the start fills, which is the smallest stored. Restated bars fill nothing again.
"""

from tradebot._core.by_price cimport price_fill_through, price_fill_waiting, price_order
from tradebot._core.instrument cimport FEE_SCALE, muldiv_down
from tradebot._core.types cimport Flag, Kind, Side
from tradebot._core.venue cimport PricedC


cdef bint bars_fill(const VenueMarketC* market, const RecordC* record) noexcept nogil:
    """Whether a record is one of the bars that fill. Where the slot for the interval is too small for it, the span decides."""
    if record.kind != Kind.BAR or record.owner != market.priced.bar_code or record.flags & Flag.RESTATED:
        return 0
    return record.owner != 0 or record.time_ns - record.venue_ns < 2 * market.priced.bar_ns


cdef int bars_open(SimulatorC* simulator, uint32_t index, const RecordC* bar) except -1 nogil:
    """The bar opens, at the venue's time."""
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef PricedC* priced = &market.priced
    cdef int overflow = 0
    cdef int64_t price = <int64_t>bar.venue_sequence
    priced.bar = bar[0]
    priced.open_ns = simulator.time_ns
    priced.is_open = 1
    priced.price = price
    priced.room = muldiv_down(bar.quantity, simulator.participation, 1, FEE_SCALE, &overflow)
    if priced.waiting.count:
        price_fill_waiting(simulator, index, price, priced.open_ns)
    return fill_limits(simulator, index, price, price)


cdef int fill_limits(SimulatorC* simulator, uint32_t index, int64_t low, int64_t high) except -1 nogil:
    cdef VenueMarketC* market = &simulator.markets[index]
    if market.resting[0].count:
        price_fill_through(simulator, index, Side.BUY, low, market.priced.open_ns)
    if market.resting[1].count:
        price_fill_through(simulator, index, Side.SELL_SIDE, high, market.priced.open_ns)
    return 0


cdef int bars_market(SimulatorC* simulator, uint32_t index, const RecordC* record) except -1 nogil:
    """Take in the range of the bar under way."""
    cdef PricedC* priced = &simulator.markets[index].priced
    if not bars_fill(&simulator.markets[index], record):
        return 0
    fill_limits(simulator, index, <int64_t>record.id2, <int64_t>record.id)
    priced.price = record.price
    priced.is_open = 0
    return 0


cdef int bars_order(SimulatorC* simulator, uint32_t index, const FactC* command) except -1 nogil:
    """An order of ours arrives; where it was sent before the bar under way opened, it trades at that open."""
    cdef VenueMarketC* market = &simulator.markets[index]
    price_order(simulator, index, command)
    if not market.priced.is_open or command.head.time_ns > market.priced.open_ns:
        return 0
    if market.priced.waiting.count:
        price_fill_waiting(simulator, index, market.priced.price, market.priced.open_ns)
    return fill_limits(simulator, index, market.priced.price, market.priced.price)
