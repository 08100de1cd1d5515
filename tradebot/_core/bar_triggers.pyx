"""Conditional orders at bar grade: what a bar's open and its range do to stops, trailing stops and targets.

**At the open** an order whose trigger the open has met acts: a stop at the open, which is the worse of the two, a target at its trigger,
for it never does better. **In the range** it acts at its trigger. Costs of a market order come on top, as everywhere.

A bar does not tell the order of its prices, so the worse is taken: every stop that has arrived is held against the bar's adverse
end first, also one that came after the bar had opened. Then trailing stops follow the better end, and are held against the close, which
came after it. Targets come last, then limits; one that was sent after the open waits for the next bar, unless it guards an entry,
which filled before it. Where a stop was taken and a target of the same position was reached as well, that is noted (`doubts`).

**Where trades of the bar are stored** they are walked in their order instead, and each order counts from its arrival: a stop acts at
the worse of its trigger and the trade that met it, a target at its trigger, a limit at its price. A bar that reached both is then
known, not doubted.

Triggers on the mark price are met by MARK facts, and act at the next open.
"""

from libc.stdint cimport uint8_t, uint64_t

from tradebot._core.arena cimport grow
from tradebot._core.by_price cimport is_through, price_act, price_fill_through, price_paid
from tradebot._core.conditional cimport conditional_follow, conditional_is_met, conditional_release
from tradebot._core.doubts cimport doubts_add
from tradebot._core.priced cimport PathC, StepC
from tradebot._core.types cimport FactC, OrderFlag, OrderType, Side
from tradebot._core.venue cimport ConditionalC, ConditionalListC, RestingC, RestingListC, VenueMarketC


cdef struct TargetC:            # what a stop would have competed with in its bar
    uint64_t id                 # 0: none
    int64_t price               # ticks paid or got
    uint8_t rests               # a limit


cdef inline bint is_target(const ConditionalC* order) noexcept nogil:
    return order.order_type == OrderType.TAKE_PROFIT or order.order_type == OrderType.TAKE_PROFIT_LIMIT


cdef inline bint is_watching(const ConditionalC* order) noexcept nogil:
    """The bar's prices count for it."""
    return not order.fired and not order.flags & OrderFlag.BY_MARK


cdef inline int64_t worse_of(const ConditionalC* order, int64_t price) noexcept nogil:
    """The trigger or `price`, whichever is worse for us."""
    if order.side == Side.BUY:
        return price if price > order.trigger else order.trigger
    return price if price < order.trigger else order.trigger


cdef inline int64_t adverse_end(const ConditionalC* order, const RecordC* bar) noexcept nogil:
    """Where a stop of this side is met."""
    return <int64_t>bar.id if order.side == Side.BUY else <int64_t>bar.id2


cdef inline int64_t better_end(const ConditionalC* order, const RecordC* bar) noexcept nogil:
    return <int64_t>bar.id2 if order.side == Side.BUY else <int64_t>bar.id


cdef int triggers_open(SimulatorC* simulator, uint32_t index, int64_t price) except -1 nogil:
    """A bar opens at `price`."""
    cdef ConditionalListC* list = &simulator.markets[index].conditionals
    cdef uint32_t at = 0
    while at < list.count:
        if not is_watching(&list.items[at]):
            at += 1
        elif conditional_is_met(&list.items[at], price):
            act(simulator, index, at, worse_of(&list.items[at], price))
            at = 0
        else:
            if list.items[at].trail:
                conditional_follow(&list.items[at], price)
            at += 1
    return 0


cdef int act(SimulatorC* simulator, uint32_t index, uint32_t at, int64_t price) except -1 nogil:
    """The order leaves the list, its group ends with it, and it trades at `price` what there is room for."""
    cdef FactC order
    conditional_release(simulator, index, at, &order)
    order.head.time_ns = simulator.time_ns
    return price_act(simulator, index, &order, price)


cdef int triggers_step(SimulatorC* simulator, uint32_t index, int64_t price) except -1 nogil:
    """Keep a trade of the bar under way, for the order of things in it."""
    cdef PathC* path = &simulator.markets[index].priced.path
    grow(<void**>&path.items, sizeof(StepC), &path.items_max, path.count + 1)
    path.items[path.count].time_ns = simulator.time_ns
    path.items[path.count].price = price
    path.count += 1
    return 0


cdef int triggers_range(SimulatorC* simulator, uint32_t index, const RecordC* bar) except -1 nogil:
    """The range of the bar under way is known."""
    if simulator.markets[index].priced.path.count:
        return walk(simulator, index, bar)
    meet_stops(simulator, index, bar)
    follow_trails(simulator, index, bar)
    return meet_targets(simulator, index, bar)


cdef int meet_stops(SimulatorC* simulator, uint32_t index, const RecordC* bar) except -1 nogil:
    cdef ConditionalListC* list = &simulator.markets[index].conditionals
    cdef ConditionalC* order
    cdef uint32_t at = 0
    while at < list.count:
        order = &list.items[at]
        if is_watching(order) and not is_target(order) and conditional_is_met(order, adverse_end(order, bar)):
            act_noted(simulator, index, at, order.trigger, bar, 0)
            at = 0
        else:
            at += 1
    return 0


cdef int follow_trails(SimulatorC* simulator, uint32_t index, const RecordC* bar) except -1 nogil:
    cdef ConditionalListC* list = &simulator.markets[index].conditionals
    cdef ConditionalC* order
    cdef uint32_t at = 0
    while at < list.count:
        order = &list.items[at]
        if is_watching(order) and order.trail:
            conditional_follow(order, better_end(order, bar))
            if conditional_is_met(order, bar.price):
                act_noted(simulator, index, at, order.trigger, bar, 0)
                at = 0
                continue
        at += 1
    return 0


cdef int meet_targets(SimulatorC* simulator, uint32_t index, const RecordC* bar) except -1 nogil:
    cdef ConditionalListC* list = &simulator.markets[index].conditionals
    cdef uint32_t at = 0
    while at < list.count:
        if is_watching(&list.items[at]) and is_target_reached(&simulator.markets[index], &list.items[at], bar):
            act(simulator, index, at, list.items[at].trigger)
            at = 0
        else:
            at += 1
    return 0


cdef bint is_target_reached(const VenueMarketC* market, const ConditionalC* order, const RecordC* bar) noexcept nogil:
    if not is_target(order) or not conditional_is_met(order, better_end(order, bar)):
        return 0
    return order.sent_ns <= market.priced.open_ns or order.parent != 0


cdef int walk(SimulatorC* simulator, uint32_t index, const RecordC* bar) except -1 nogil:
    """The trades of the bar, one by one."""
    cdef PathC* path = &simulator.markets[index].priced.path
    cdef uint32_t at
    for at in range(path.count):
        step(simulator, index, &path.items[at], bar)
    return 0


cdef int step(SimulatorC* simulator, uint32_t index, const StepC* trade, const RecordC* bar) except -1 nogil:
    cdef ConditionalListC* list = &simulator.markets[index].conditionals
    cdef ConditionalC* order
    cdef uint32_t at = 0
    while at < list.count:
        order = &list.items[at]
        if is_watching(order) and order.since_ns <= trade.time_ns:
            if conditional_is_met(order, trade.price):
                act_noted(simulator, index, at, worse_of(order, trade.price), bar, 1)
                at = 0
                continue
            if order.trail:
                conditional_follow(order, trade.price)
        at += 1
    return step_limits(simulator, index, trade, bar)


cdef int step_limits(SimulatorC* simulator, uint32_t index, const StepC* trade, const RecordC* bar) except -1 nogil:
    """Limits that a trade of the bar went through: those sent by its open, and guards that had arrived."""
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef int64_t guard_max_ns = trade.time_ns - simulator.order_latency.least_ns
    cdef uint8_t side
    for side in range(2):
        if market.resting[side].count == 0 or not is_through(side, market.resting[side].items[0].price, trade.price):
            continue
        note_stops(simulator, index, side, trade, bar, guard_max_ns)
        price_fill_through(simulator, index, side, trade.price, market.priced.open_ns, guard_max_ns)
    return 0


cdef int note_stops(
    SimulatorC* simulator, uint32_t index, uint8_t side, const StepC* trade, const RecordC* bar, int64_t guard_max_ns
) except -1 nogil:
    """Stops that the bar reaches, and that limits about to fill come before: the trades tell so."""
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef const ConditionalC* stop
    cdef const RestingC* limit
    cdef uint32_t at, other
    for at in range(market.conditionals.count):
        stop = &market.conditionals.items[at]
        if not is_watching(stop) or is_target(stop) or stop.side != side or not conditional_is_met(stop, adverse_end(stop, bar)):
            continue
        for other in range(market.resting[side].count):
            limit = &market.resting[side].items[other]
            if (
                is_shared(stop, limit.strategy, side, limit.parent, limit.flags) and is_through(side, limit.price, trade.price)
                and <int64_t>limit.rank <= (guard_max_ns if limit.parent else market.priced.open_ns)
            ):
                doubts_add(
                    simulator, index, stop.id, limit.id, stop.strategy, side, limit.remaining,
                    price_paid(simulator, side, stop.trigger), limit.price, 1, 1,
                )
                break
    return 0


cdef int act_noted(SimulatorC* simulator, uint32_t index, uint32_t at, int64_t price, const RecordC* bar, bint known) except -1 nogil:
    """As `act`, and note what else the bar reached that guards the same position."""
    cdef ConditionalC order = simulator.markets[index].conditionals.items[at]
    cdef TargetC other = find_other(simulator, index, &order, bar)
    cdef int64_t room = simulator.markets[index].priced.room, lots, paid = price_paid(simulator, order.side, price)
    act(simulator, index, at, price)
    lots = room - simulator.markets[index].priced.room
    if other.id == 0 or lots == 0:
        return 0
    if is_target(&order):
        return doubts_add(simulator, index, other.id, order.id, order.strategy, order.side, lots, other.price, paid, 0, known)
    return doubts_add(simulator, index, order.id, other.id, order.strategy, order.side, lots, paid, other.price, other.rests, known)


cdef TargetC find_other(SimulatorC* simulator, uint32_t index, const ConditionalC* order, const RecordC* bar) noexcept nogil:
    """Of the orders that guard the same position, the first that is of the other kind and that the bar reached."""
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef RestingListC* limits = &market.resting[order.side]
    cdef ConditionalC* one
    cdef TargetC found
    cdef uint32_t at
    found.id = 0
    found.price = 0
    found.rests = 0
    for at in range(market.conditionals.count):
        one = &market.conditionals.items[at]
        if not is_watching(one) or is_target(one) == is_target(order):
            continue
        if not is_shared(order, one.strategy, one.side, one.parent, one.flags):
            continue
        if is_target_reached(market, one, bar) if is_target(one) else conditional_is_met(one, adverse_end(one, bar)):
            found.id = one.id
            found.price = price_paid(simulator, one.side, one.trigger)
            return found
    if is_target(order):
        return found
    for at in range(limits.count):
        if not is_shared(order, limits.items[at].strategy, order.side, limits.items[at].parent, limits.items[at].flags):
            continue
        if limits.items[at].parent == 0 and <int64_t>limits.items[at].rank > market.priced.open_ns:
            continue
        if is_through(order.side, limits.items[at].price, better_end(order, bar)):
            found.id = limits.items[at].id
            found.price = limits.items[at].price
            found.rests = 1
            return found
    return found


cdef inline bint is_shared(const ConditionalC* order, uint64_t strategy, uint8_t side, uint64_t parent, uint8_t flags) noexcept nogil:
    """Both guard one position: they are of one group, or both only reduce."""
    if order.strategy != strategy or order.side != side:
        return 0
    if order.parent and order.parent == parent:
        return 1
    return order.flags & OrderFlag.REDUCE_ONLY != 0 and flags & OrderFlag.REDUCE_ONLY != 0
