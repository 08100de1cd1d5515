"""The simulated venue where the data tells best bid and ask quotes and no more: price levels of which only the touch is known.

A quote is the best level of each side, so all but its arrival is that of by_levels: what an order of ours takes is at most the quoted
size, and gone until the next quote; where the other side has come to our price, or beyond, we fill at our price, from what is
quoted there; trades, where they are told too, fill our better orders, and those at their price in turn.

What stands behind the touch is not told, so the worst is assumed. An order that rests there has all before it: when the touch first
comes to its price, everything quoted is ahead of it. While the touch stays, the queue model moves it. When the touch falls back
beyond its price, nothing was left at it: we are alone there, whatever comes later comes behind us. An order that rests inside
the spread is alone from the start.

More detail ends this: with the first level or order that is told the quotes are forgotten.
"""

from tradebot._core.book cimport NO_ASK, NO_BID
from tradebot._core.by_levels cimport levels_fill_crossed
from tradebot._core.depth cimport depth_quantity, depth_set
from tradebot._core.queue_model cimport queue_change
from tradebot._core.types cimport Side
from tradebot._core.venue cimport RestingC, RestingListC

cdef double BEHIND = 1e18       # lots ahead of an order behind the touch: more than any quote


cdef int quotes_market(SimulatorC* simulator, uint32_t index, const RecordC* record) except -1 nogil:
    """Take in one quote."""
    cdef VenueMarketC* market = &simulator.markets[index]
    market.by_levels = 1
    market.by_quotes = 1
    tell_best(simulator, market, Side.BUY, record.price, record.quantity)
    tell_best(simulator, market, Side.SELL_SIDE, <int64_t>record.id, <int64_t>record.id2)
    if market.resting[0].count or market.resting[1].count:
        levels_fill_crossed(simulator, index)
    return 0


cdef int quotes_close(VenueMarketC* market) except -1 nogil:
    """Levels are told from here on: forget the quotes. What was ahead of ours is bounded by the totals as they come."""
    market.by_quotes = 0
    if market.depth.bid != NO_BID:
        depth_set(&market.depth, Side.BUY, market.depth.bid, 0)
    if market.depth.ask != NO_ASK:
        depth_set(&market.depth, Side.SELL_SIDE, market.depth.ask, 0)
    return 0


cdef double quotes_ahead(const VenueMarketC* market, uint8_t side, int64_t price) noexcept nogil:
    """Lots ahead of an order of ours that comes to rest at `price`; `BEHIND` where that is not told."""
    if price < market.depth.bid if side == Side.BUY else price > market.depth.ask:
        return BEHIND
    return <double>depth_quantity(&market.depth, side, price)


cdef int tell_best(SimulatorC* simulator, VenueMarketC* market, uint8_t side, int64_t price, int64_t lots) except -1 nogil:
    """A side's best is now `lots` at `price`; none where either is 0."""
    cdef RestingListC* list = &market.resting[side]
    cdef int64_t old = market.depth.bid if side == Side.BUY else market.depth.ask
    cdef int64_t none = NO_BID if side == Side.BUY else NO_ASK
    cdef int64_t before = 0
    cdef uint32_t at
    if price <= 0 or lots <= 0:
        price = none
    if old != none:
        before = depth_quantity(&market.depth, side, old)
    for at in range(list.count):
        if price == none or (list.items[at].price > price if side == Side.BUY else list.items[at].price < price):
            list.items[at].standing.ahead = 0.0
            list.items[at].standing.traded = 0
        elif list.items[at].price == price:
            move(simulator, &list.items[at], before if old == price else 0, lots)
        else:
            break
    if old != none and old != price:
        depth_set(&market.depth, side, old, 0)
    if price != none:
        depth_set(&market.depth, side, price, lots)
    return 0


cdef int move(SimulatorC* simulator, RestingC* order, int64_t before, int64_t after) noexcept nogil:
    """The touch is at our price: it stayed there with another size, or it came, with `before` of 0, and we know no more than that."""
    if before:
        return queue_change(&simulator.queue_model, &order.standing, before, after)
    order.standing.traded = 0
    if order.standing.ahead > <double>after:
        order.standing.ahead = <double>after
    return 0
