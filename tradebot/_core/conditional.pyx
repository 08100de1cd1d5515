"""Conditional orders as a venue keeps them: each waits in a list of its market, off the book, until its trigger is met.

A trigger watches the last recorded trade, or the mark price where the order says so; never our own fills, since recorded flow does
not know of them. A stop is met when the price has come against it (a sale at or below, a buy at or above), a take-profit when it
has come its way. A trailing stop keeps its distance from the best price seen since it arrived, and never gives ground. An order
whose trigger is met already when it arrives, or is amended, is met at once: a guard that comes late still guards.

What is met acts after all recorded events of the same instant, as a command that arrives then: a sweep shows as several trades of
one venue time, and nobody trades in its middle. It then is an ordinary market or limit order of that moment, and takes what
the book shows. A market order that finds too little ends with what remains, as at any venue; the engine sees that and guards again.
"""

from libc.stdint cimport uint8_t
from libc.string cimport memset

from tradebot._core.arena cimport grow
from tradebot._core.queue cimport queue_push
from tradebot._core.types cimport Flag, Kind, OrderFlag, OrderType, Reject, Side, TimeInForce
from tradebot._core.venue cimport ConditionalC, RestingC, VenueMarketC, answer_gone, answer_taken, conditional_remove, resting_remove


cdef int conditional_take(SimulatorC* simulator, uint32_t index, const FactC* command) except -1 nogil:
    """A conditional order of ours arrives."""
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef ConditionalListC* list = &market.conditionals
    cdef ConditionalC order
    memset(&order, 0, sizeof(ConditionalC))
    order.id = command.head.id
    order.parent = command.tail.parent
    order.price = command.head.price
    order.remaining = command.head.quantity
    order.total = command.head.quantity
    order.trigger = command.tail.trigger
    order.trail = command.tail.display
    order.strategy = command.head.owner
    order.side = command.head.flags & Flag.SELL
    order.order_type = command.tail.order_type
    order.time_in_force = command.tail.time_in_force
    order.flags = command.tail.flags & ~Flag.CONT
    order.sent_ns = command.head.time_ns
    order.since_ns = simulator.time_ns
    grow(<void**>&list.items, sizeof(ConditionalC), &list.items_max, list.count + 1)
    list.items[list.count] = order
    list.count += 1
    answer_taken(simulator, index, command, Kind.ORDER_ACCEPTED, order.total, -1)
    return conditional_check(simulator, index, list.count - 1)


cdef int conditional_watch(SimulatorC* simulator, uint32_t index, int64_t price, bint by_mark) except -1 nogil:
    """A new trade price, or mark price: follow it, and let act what it meets."""
    cdef ConditionalListC* list = &simulator.markets[index].conditionals
    cdef uint32_t at
    for at in range(list.count):
        if (list.items[at].flags & OrderFlag.BY_MARK != 0) == by_mark:
            meet(simulator, index, &list.items[at], price)
    return 0


cdef int conditional_check(SimulatorC* simulator, uint32_t index, uint32_t at) except -1 nogil:
    """Hold an order that arrived, or was amended, against the price that holds already."""
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef ConditionalC* order = &market.conditionals.items[at]
    cdef int64_t price = market.mark_price if order.flags & OrderFlag.BY_MARK else market.last_price
    if price:
        meet(simulator, index, order, price)
    return 0


cdef int meet(SimulatorC* simulator, uint32_t index, ConditionalC* order, int64_t price) except -1 nogil:
    cdef FactC fact
    if order.fired:
        return 0
    if order.trail:
        conditional_follow(order, price)
    if not conditional_is_met(order, price):
        return 0
    order.fired = 1
    memset(&fact, 0, sizeof(FactC))
    fact.head.time_ns = simulator.time_ns
    fact.head.id = order.id
    fact.head.instrument = simulator.markets[index].terms.id
    fact.head.kind = fact.tail.kind = Kind.ORDER_TRIGGERED
    return queue_push(&simulator.arrivals, simulator.time_ns, &fact)


cdef int conditional_follow(ConditionalC* order, int64_t price) noexcept nogil:
    """Move the trigger of a trailing stop; it never gives ground."""
    cdef int64_t trigger = price + order.trail if order.side == Side.BUY else price - order.trail
    if trigger < order.trigger if order.side == Side.BUY else trigger > order.trigger:
        order.trigger = trigger
    return 0


cdef bint conditional_is_met(const ConditionalC* order, int64_t price) noexcept nogil:
    cdef bint from_below = order.side == Side.BUY
    if order.order_type == OrderType.TAKE_PROFIT or order.order_type == OrderType.TAKE_PROFIT_LIMIT:
        from_below = not from_below
    return price >= order.trigger if from_below else price <= order.trigger


cdef bint group_waits(const ConditionalListC* list, uint64_t parent) noexcept nogil:
    """Whether an order of that group waits for its trigger."""
    cdef uint32_t at
    for at in range(list.count):
        if list.items[at].parent == parent:
            return 1
    return 0


cdef int64_t conditional_find(const ConditionalListC* list, uint64_t id) noexcept nogil:
    """Where an order waits, -1 where it does not."""
    cdef uint32_t at
    for at in range(list.count):
        if list.items[at].id == id:
            return at
    return -1


cdef int conditional_release(SimulatorC* simulator, uint32_t index, uint32_t at, FactC* order) except -1 nogil:
    """Take a met order off the list, end its group, say so, and make `order` what acts in its place."""
    cdef ConditionalC met = simulator.markets[index].conditionals.items[at]
    conditional_remove(&simulator.markets[index].conditionals, at)
    memset(order, 0, sizeof(FactC))
    order.head.time_ns = met.sent_ns if met.since_ns == simulator.time_ns else simulator.time_ns   # met on arrival: as sent
    order.head.id = met.id
    order.head.owner = met.strategy
    order.head.instrument = simulator.markets[index].terms.id
    order.head.flags = met.side
    order.head.quantity = met.remaining
    order.head.price = met.price
    order.tail.trigger = met.trigger
    order.tail.parent = met.parent
    order.tail.flags = met.flags
    order.tail.display = met.total - met.remaining
    order.tail.order_type = OrderType.LIMIT
    order.tail.time_in_force = met.time_in_force
    answer_taken(simulator, index, order, Kind.ORDER_TRIGGERED, met.remaining, -1)
    if met.order_type != OrderType.STOP_LIMIT and met.order_type != OrderType.TAKE_PROFIT_LIMIT:
        order.tail.order_type = OrderType.MARKET
        order.tail.time_in_force = TimeInForce.IOC
    if met.parent:
        end_group(simulator, index, met.parent)
    return 0


cdef int end_group(SimulatorC* simulator, uint32_t index, uint64_t parent) except -1 nogil:
    """End every other order of a group: one of them was met."""
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef ConditionalC waiting
    cdef RestingC resting
    cdef uint8_t side
    cdef uint32_t at = 0
    while at < market.conditionals.count:
        if market.conditionals.items[at].parent != parent:
            at += 1
            continue
        waiting = market.conditionals.items[at]
        conditional_remove(&market.conditionals, at)
        answer_gone(simulator, index, waiting.id, waiting.strategy, waiting.side, waiting.price, waiting.remaining, Reject.VENUE_GROUP_DONE, 0)
    for side in range(2):
        at = 0
        while at < market.resting[side].count:
            if market.resting[side].items[at].parent != parent:
                at += 1
                continue
            resting = market.resting[side].items[at]
            resting_remove(&market.resting[side], at)
            answer_gone(simulator, index, resting.id, resting.strategy, side, resting.price, resting.remaining, Reject.VENUE_GROUP_DONE, 0)
    return 0


cdef object conditionals_to_list(const ConditionalListC* list):
    return [
        (
            list.items[at].id, list.items[at].parent, list.items[at].price, list.items[at].remaining, list.items[at].total,
            list.items[at].trigger, list.items[at].trail, list.items[at].strategy, list.items[at].side,
            list.items[at].order_type, list.items[at].time_in_force, list.items[at].flags, list.items[at].fired,
            list.items[at].sent_ns, list.items[at].since_ns,
        )
        for at in range(list.count)
    ]


cdef int conditionals_from_list(ConditionalListC* list, object state) except -1:
    cdef ConditionalC order
    list.count = 0
    for (
        order.id, order.parent, order.price, order.remaining, order.total, order.trigger, order.trail, order.strategy, order.side,
        order.order_type, order.time_in_force, order.flags, order.fired, order.sent_ns, order.since_ns,
    ) in state:
        grow(<void**>&list.items, sizeof(ConditionalC), &list.items_max, list.count + 1)
        list.items[list.count] = order
        list.count += 1
    return 0
