"""The simulated venue where the data tells totals per price: our orders stand in a level by a queue model.

A trade of the other side at a price fills our orders at better prices, and at that price what the model lets through. A level's
new total moves our place in it. When a message is whole and the other side has come to our price, or beyond, we fill at our
price, from what stands there. What we take is gone from a level until the venue tells its total again.

With `whole_fills` an order that is reached at all fills whole, and takes nothing from the recorded book: the behaviour of
simulators without partial fills, kept for comparison with them.
"""

from tradebot._core.arena cimport grow
from tradebot._core.book cimport NO_ASK, NO_BID
from tradebot._core.depth cimport depth_apply, depth_next_down, depth_next_up, depth_quantity, depth_set
from tradebot._core.match cimport MatchC
from tradebot._core.queue_model cimport queue_change, queue_trade
from tradebot._core.types cimport Flag, Kind, Side
from tradebot._core.venue cimport RestingC, RestingListC, drop_reducing, fill_resting, resting_lots


cdef int levels_market(SimulatorC* simulator, uint32_t index, const RecordC* record) except -1 nogil:
    """Take in one level or trade."""
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef uint8_t side = record.flags & Flag.SELL
    cdef int64_t before
    if record.kind == Kind.TRADE:
        if market.resting[1 - side].count:
            fill_by_trade(simulator, index, 1 - side, record.price, record.quantity)
        return 0
    if may_stand_at(&market.resting[side], record.price) and not record.flags & Flag.SNAPSHOT:
        before = depth_quantity(&market.depth, side, record.price)
        depth_apply(&market.depth, record)
        move_standings(simulator, market, side, record.price, before, record.quantity)
    else:
        depth_apply(&market.depth, record)
    if record.flags & Flag.LAST and (market.resting[0].count or market.resting[1].count):
        if record.flags & Flag.SNAPSHOT:
            bound_standings(market)
        if is_crossed(market):
            levels_fill_crossed(simulator, index)
    return 0


cdef inline bint is_crossed(const VenueMarketC* market) noexcept nogil:
    """The other side has come to a best order of ours."""
    if market.resting[0].count and market.depth.ask <= market.resting[0].items[0].price:
        return 1
    return market.resting[1].count and market.depth.bid >= market.resting[1].items[0].price


cdef inline bint may_stand_at(const RestingListC* list, int64_t price) noexcept nogil:
    """Whether a price lies between the best and the last of our orders of a side."""
    cdef int64_t best, last
    if list.count == 0:
        return 0
    best = list.items[0].price
    last = list.items[list.count - 1].price
    return (last <= price <= best) or (best <= price <= last)


cdef int move_standings(
    SimulatorC* simulator, VenueMarketC* market, uint8_t side, int64_t price, int64_t before, int64_t after,
) noexcept nogil:
    cdef RestingListC* list = &market.resting[side]
    cdef uint32_t at
    for at in range(list.count):
        if list.items[at].price == price:
            queue_change(&simulator.queue_model, &list.items[at].standing, before, after if after > 0 else 0)
    return 0


cdef int bound_standings(VenueMarketC* market) noexcept nogil:
    """After a snapshot no more is ahead of us than it shows at our price."""
    cdef RestingC* order
    cdef int64_t shown
    cdef uint32_t at
    cdef uint8_t side
    for side in range(2):
        for at in range(market.resting[side].count):
            order = &market.resting[side].items[at]
            shown = depth_quantity(&market.depth, side, order.price)
            order.standing.traded = 0
            if order.standing.ahead > <double>shown:
                order.standing.ahead = <double>shown
    return 0


cdef int fill_by_trade(SimulatorC* simulator, uint32_t index, uint8_t side, int64_t price, int64_t lots) except -1 nogil:
    """A trade took `lots` of `side` at `price`: our better orders had come first, those at the price in their turn."""
    cdef RestingListC* list = &simulator.markets[index].resting[side]
    cdef RestingC* order
    cdef int64_t left = lots, reached, ahead
    cdef uint32_t at = 0
    while at < list.count:
        order = &list.items[at]
        if order.price != price and (order.price < price if side == Side.BUY else order.price > price):
            return 0
        if resting_lots(&simulator.markets[index], order, side) == 0:
            drop_reducing(simulator, index, side, at)
            continue
        ahead = 0
        reached = order.remaining
        if order.price == price:
            ahead = <int64_t>(order.standing.ahead + 0.5)
            reached = queue_trade(&order.standing, lots)
        if simulator.whole_fills:
            reached = order.remaining if reached > 0 else 0
        elif reached > left:
            reached = left
        if reached > resting_lots(&simulator.markets[index], order, side):
            reached = resting_lots(&simulator.markets[index], order, side)
        if reached < order.remaining:
            at += 1
        if reached > 0:
            left -= reached
            fill_resting(simulator, index, side, at if reached == order.remaining else at - 1, reached, 0, ahead)
    return 0


cdef int levels_fill_crossed(SimulatorC* simulator, uint32_t index) except -1 nogil:
    """Fill our orders that the other side has come to, at our price."""
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef RestingListC* list
    cdef RestingC* order
    cdef int64_t lots
    cdef uint8_t side
    for side in range(2):
        list = &market.resting[side]
        while list.count:
            order = &list.items[0]
            if market.depth.ask > order.price if side == Side.BUY else market.depth.bid < order.price:
                break
            lots = resting_lots(market, order, side)
            if lots == 0:
                drop_reducing(simulator, index, side, 0)
                continue
            if not simulator.whole_fills:
                levels_match(market, &simulator.matches, side, order.price, lots)
                levels_take(market, &simulator.matches, side)
                lots = simulator.matches.quantity
            fill_resting(simulator, index, side, 0, lots, 0, 0)
    return 0


cdef int levels_match(
    const VenueMarketC* market, MatchesC* matches, uint8_t side, int64_t limit, int64_t quantity
) except -1 nogil:
    """Fill `matches` with what an order of `side` would trade with, a level at a time. Changes nothing."""
    cdef int64_t price = market.depth.ask if side == Side.BUY else market.depth.bid
    cdef int64_t left = quantity, there
    cdef uint8_t other = 1 - side
    matches.count = 0
    while left > 0 and price != NO_ASK and price != NO_BID:
        if price > limit if side == Side.BUY else price < limit:
            break
        there = depth_quantity(&market.depth, other, price)
        if there > left:
            there = left
        grow(<void**>&matches.items, sizeof(MatchC), &matches.items_max, matches.count + 1)
        matches.items[matches.count] = MatchC(price, there, 0, 0)
        matches.count += 1
        left -= there
        price = depth_next_up(&market.depth, other, price) if side == Side.BUY else depth_next_down(&market.depth, other, price)
    matches.quantity = quantity - left
    return 0


cdef int levels_take(VenueMarketC* market, const MatchesC* matches, uint8_t side) except -1 nogil:
    """Take what was matched out of the levels."""
    cdef uint8_t other = 1 - side
    cdef uint32_t at
    cdef int64_t there
    for at in range(matches.count):
        there = depth_quantity(&market.depth, other, matches.items[at].price)
        depth_set(&market.depth, other, matches.items[at].price, there - matches.items[at].quantity)
    return 0
