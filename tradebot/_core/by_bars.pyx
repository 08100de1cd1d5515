"""Bar grade: the simulated venue where the data tell bars. The rules of `by_price`, at a bar's open and within its range.

A bar is told to strategies at its close. The venue knows it before, in two steps on its own time: at the bar's open its opening
price, and at the last moment from which an answer still reaches us before the close its range. So a decision at the close of
bar k is filled in bar k+1, and that fill is known before the close of bar k+1 is told. Nothing of a bar that a strategy has not
been told can be traded on:

- an order trades at a bar's open only if it was sent by then. One that was sent after, in answer to a fill or a timer, waits for
  the next: a market order for its open, a limit for its open and its range. What guards an entry (it has a parent) counts in the
  bar in which it came, for the entry filled at that bar's open;
- an order that takes longer than a bar to arrive trades in the bar in which it arrives, at its open;
- how much filled at an open depends on the volume of a bar that is not over; what is sent on seeing that comes under the
  first rule.

At the open: triggers that it meets, orders that wait, then limits that it opened through. In the range: triggers (bar_triggers), then
limits that the low, for a buy, or the high, for a sale, went through. Buys come first. In all a bar gives ours at most `participation`
of its volume, in whole lots, rounded down.

Of several intervals the one named at the start fills, which is the smallest stored. Restated bars fill nothing again. Trades, where
they are stored, tell the order of things inside a bar and fill nothing either.
"""

from libc.string cimport memmove

from tradebot._core.bar_triggers cimport triggers_open, triggers_range, triggers_step
from tradebot._core.by_price cimport price_fill_through, price_fill_waiting, price_order
from tradebot._core.conditional cimport conditional_watch
from tradebot._core.instrument cimport FEE_SCALE, muldiv_down
from tradebot._core.priced cimport PathC, PricedC, StepC
from tradebot._core.types cimport Flag, Kind, Side

cdef int64_t ANY_TIME = 0x7FFFFFFFFFFFFFFF


cdef bint bars_fill(const VenueMarketC* market, const RecordC* record) noexcept nogil:
    """Whether a record is one of the bars that fill. Where the slot for the interval is too small for it, the span decides."""
    if record.kind != Kind.BAR or record.owner != market.priced.bar_code or record.flags & (Flag.RESTATED | Flag.VOID):
        return 0
    return record.owner != 0 or record.time_ns - record.venue_ns < 2 * market.priced.bar_ns


cdef int bars_open(SimulatorC* simulator, uint32_t index, const RecordC* bar) except -1 nogil:
    """The bar opens, at the venue's time."""
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef PricedC* priced = &market.priced
    cdef int overflow = 0
    priced.bar = bar[0]
    priced.open_ns = simulator.time_ns
    priced.is_open = 1
    priced.room = muldiv_down(bar.quantity, simulator.participation, 1, FEE_SCALE, &overflow)
    market.last_price = <int64_t>bar.venue_sequence
    if priced.path.count:
        forget_before(&priced.path, priced.open_ns)
    if market.conditionals.count:
        triggers_open(simulator, index, market.last_price)
    return offer_open(simulator, index)


cdef int forget_before(PathC* path, int64_t time_ns) noexcept nogil:
    cdef uint32_t done = 0
    while done < path.count and path.items[done].time_ns < time_ns:
        done += 1
    path.count -= done
    memmove(path.items, &path.items[done], path.count * sizeof(StepC))
    return 0


cdef int offer_open(SimulatorC* simulator, uint32_t index) except -1 nogil:
    """The open of the bar under way, to all that was sent before it."""
    cdef VenueMarketC* market = &simulator.markets[index]
    if market.priced.waiting.count:
        price_fill_waiting(simulator, index, market.last_price, market.priced.open_ns)
    return fill_limits(simulator, index, market.last_price, market.last_price)


cdef int fill_limits(SimulatorC* simulator, uint32_t index, int64_t low, int64_t high) except -1 nogil:
    cdef VenueMarketC* market = &simulator.markets[index]
    if market.resting[0].count:
        price_fill_through(simulator, index, Side.BUY, low, market.priced.open_ns, ANY_TIME)
    if market.resting[1].count:
        price_fill_through(simulator, index, Side.SELL_SIDE, high, market.priced.open_ns, ANY_TIME)
    return 0


cdef int bars_market(SimulatorC* simulator, uint32_t index, const RecordC* record) except -1 nogil:
    """Take in one recorded fact; of a bar that fills, its range."""
    cdef VenueMarketC* market = &simulator.markets[index]
    if record.kind == Kind.TRADE and market.conditionals.count:
        return triggers_step(simulator, index, record.price)
    if record.kind == Kind.MARK and record.price:
        market.mark_price = record.price
        return conditional_watch(simulator, index, record.price, 1)
    if bars_fill(market, record):
        return take_range(simulator, index, record)
    return 0


cdef int take_range(SimulatorC* simulator, uint32_t index, const RecordC* bar) except -1 nogil:
    cdef VenueMarketC* market = &simulator.markets[index]
    if market.conditionals.count:
        triggers_range(simulator, index, bar)
    fill_limits(simulator, index, <int64_t>bar.id2, <int64_t>bar.id)
    market.last_price = bar.price
    market.priced.is_open = 0
    return 0


cdef int bars_order(SimulatorC* simulator, uint32_t index, const FactC* command, uint8_t kind) except -1 nogil:
    """An order of ours arrives; where it was sent before the bar under way opened, it trades at that open."""
    cdef PricedC* priced = &simulator.markets[index].priced
    price_order(simulator, index, command, kind)
    if priced.is_open and command.head.time_ns <= priced.open_ns:
        return offer_open(simulator, index)
    return 0
