"""The simulated venue where the data tell prices and no book: what bar grade and trade grade share.

Without a book nothing says who stands where, so every rule leans against us. A market order pays the price that is told next and,
beyond it, what the run states: half a spread, and at bar grade slippage. It stays for the next price where this one has not
enough for it, until it is filled or cancelled; it ends where the price has gone beyond what risk let it pay. A limit fills at its
own price, never better, and only where a price went through it by a tick: at the price itself others may have stood before us.
What is immediate or cancelled, and what is all or nothing, is decided at the first price after its arrival.

`room` is how many lots ours may take of what was traded, all of them together: those that wait for a price first, by arrival, then
limits, the best first. An order that would meet one of ours on the other side is ended.

A limit that the last price had gone through when it came is a taker's; every other is a maker's.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint16_t
from libc.string cimport memcpy, memmove, memset

from tradebot._core.arena cimport grow
from tradebot._core.instrument cimport FEE_SCALE, muldiv_up
from tradebot._core.queue cimport queue_push
from tradebot._core.types cimport Flag, Kind, OrderType, RecordC, Reject, Side, TimeInForce
from tradebot._core.venue cimport RestingC, RestingListC, WaitingC, answer_accept, answer_end, answer_fill, make_answer, resting_insert, resting_remove


cdef int price_order(SimulatorC* simulator, uint32_t index, const FactC* command) except -1 nogil:
    """An order of ours arrives: refuse it, or accept it and let it wait or rest."""
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef uint8_t side = command.head.flags & Flag.SELL
    cdef uint8_t force = command.tail.time_in_force
    cdef int64_t limit = command.head.price, left = command.head.quantity
    cdef bint takes, meets_own
    if command.tail.order_type == OrderType.MARKET:
        answer_accept(simulator, index, command, left, -1)
        return wait(&market.priced.waiting, command)
    takes = is_through(side, limit, market.priced.price)
    meets_own = is_met(&market.resting[1 - side], side, limit)
    if force == TimeInForce.POST_ONLY and (takes or meets_own):
        return answer_end(simulator, index, command, Kind.ORDER_REJECTED, left, Reject.VENUE_POST_ONLY_WOULD_TAKE)
    answer_accept(simulator, index, command, left, -1)
    if meets_own:
        return answer_end(simulator, index, command, Kind.ORDER_CANCELLED, left, Reject.VENUE_SELF_TRADE)
    if force == TimeInForce.IOC or force == TimeInForce.FOK:
        return wait(&market.priced.waiting, command)
    return rest(market, command, takes)


cdef inline bint is_through(uint8_t side, int64_t limit, int64_t price) noexcept nogil:
    """`price` is better than the limit by a tick or more."""
    if price == 0:
        return 0
    return price < limit if side == Side.BUY else price > limit


cdef inline bint is_met(const RestingListC* other, uint8_t side, int64_t price) noexcept nogil:
    """An order of ours on the other side stands at `price` or before it."""
    if other.count == 0:
        return 0
    return price >= other.items[0].price if side == Side.BUY else price <= other.items[0].price


cdef int wait(WaitingListC* list, const FactC* command) except -1 nogil:
    cdef WaitingC* order
    grow(<void**>&list.items, sizeof(WaitingC), &list.items_max, list.count + 1)
    order = &list.items[list.count]
    memset(order, 0, sizeof(WaitingC))
    order.id = command.head.id
    order.price = command.head.price
    order.remaining = command.head.quantity
    order.sent_ns = command.head.time_ns
    order.strategy = command.head.owner
    order.side = command.head.flags & Flag.SELL
    order.order_type = command.tail.order_type
    order.time_in_force = command.tail.time_in_force
    list.count += 1
    return 0


cdef int rest(VenueMarketC* market, const FactC* command, bint takes) except -1 nogil:
    """In `rank` stands when it was sent, in `standing.traded` whether it is a taker's."""
    cdef RestingC order
    cdef uint8_t side = command.head.flags & Flag.SELL
    memset(&order, 0, sizeof(RestingC))
    order.id = command.head.id
    order.price = command.head.price
    order.remaining = command.head.quantity
    order.rank = <uint64_t>command.head.time_ns
    order.strategy = command.head.owner
    order.standing.traded = takes
    return resting_insert(&market.resting[side], &order, side)


cdef int price_cancel(SimulatorC* simulator, uint32_t index, const FactC* command) except -1 nogil:
    """Cancel an order that waits for a price. Returns 0 where none has that id."""
    cdef WaitingListC* list = &simulator.markets[index].priced.waiting
    cdef uint32_t at
    for at in range(list.count):
        if list.items[at].id == command.head.id:
            end_waiting(simulator, index, at, Reject.ACCEPTED, command.tail.cause)
            return 1
    return 0


cdef int end_waiting(SimulatorC* simulator, uint32_t index, uint32_t at, Reject why, uint64_t cause) except -1 nogil:
    cdef const WaitingC* order = &simulator.markets[index].priced.waiting.items[at]
    cdef FactC fact
    make_answer(simulator, &fact, Kind.ORDER_CANCELLED, order.id, simulator.markets[index].terms.id, order.strategy, order.side)
    fact.head.price = order.price
    fact.head.quantity = order.remaining
    fact.tail.reject = <uint16_t>why
    fact.tail.cause = cause
    leave(&simulator.markets[index].priced.waiting, at)
    return queue_push(&simulator.answers, fact.head.time_ns, &fact)


cdef int leave(WaitingListC* list, uint32_t at) noexcept nogil:
    list.count -= 1
    memmove(&list.items[at], &list.items[at + 1], (list.count - at) * sizeof(WaitingC))
    return 0


cdef int price_fill_waiting(SimulatorC* simulator, uint32_t index, int64_t price, int64_t sent_max_ns) except -1 nogil:
    """Offer `price` to every order that waits for one and was sent by `sent_max_ns`, up to the room there is."""
    cdef WaitingListC* list = &simulator.markets[index].priced.waiting
    cdef uint32_t at = 0, count
    while at < list.count:
        count = list.count
        if list.items[at].sent_ns <= sent_max_ns:
            fill_waiting(simulator, index, at, price)
        if list.count == count:
            at += 1
    return 0


cdef int fill_waiting(SimulatorC* simulator, uint32_t index, uint32_t at, int64_t price) except -1 nogil:
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef WaitingC* order = &market.priced.waiting.items[at]
    cdef int64_t lots = order.remaining if order.remaining < market.priced.room else market.priced.room
    cdef int64_t paid = order.price
    if order.order_type == OrderType.MARKET:
        paid = price_paid(simulator, order.side, price)
        if paid > order.price if order.side == Side.BUY else paid < order.price:
            return end_waiting(simulator, index, at, Reject.VENUE_NO_LIQUIDITY, 0)
    elif not is_through(order.side, order.price, price):
        lots = 0
    if lots and is_met(&market.resting[1 - order.side], order.side, paid):
        return end_waiting(simulator, index, at, Reject.VENUE_SELF_TRADE, 0)
    if order.time_in_force == TimeInForce.FOK and lots < order.remaining:
        return end_waiting(simulator, index, at, Reject.VENUE_FILL_OR_KILL_UNFILLED, 0)
    if lots:
        take(simulator, index, order, price, paid, lots)
    if order.remaining == 0:
        return leave(&market.priced.waiting, at)
    if order.order_type != OrderType.MARKET:
        return end_waiting(simulator, index, at, Reject.VENUE_NO_LIQUIDITY, 0)
    return 0


cdef int64_t price_paid(const SimulatorC* simulator, uint8_t side, int64_t price) noexcept nogil:
    """What a market order pays where `price` was told: worse by what the run states, at least a tick is left for a sale."""
    cdef int overflow = 0
    cdef int64_t worse = muldiv_up(price, simulator.paid, 1, FEE_SCALE, &overflow)
    if side == Side.BUY:
        return price + worse
    return price - worse if price > worse else 1


cdef int take(SimulatorC* simulator, uint32_t index, WaitingC* order, int64_t price, int64_t paid, int64_t lots) except -1 nogil:
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef RestingC taker
    order.remaining -= lots
    market.priced.room -= lots
    market.instant_middle2 = 2 * price
    memset(&taker, 0, sizeof(RestingC))
    taker.id = order.id
    taker.strategy = order.strategy
    return answer_fill(simulator, index, &taker, order.side, paid, lots, order.remaining, 0, 0, 0)


cdef int price_fill_through(
    SimulatorC* simulator, uint32_t index, uint8_t side, int64_t price, int64_t sent_max_ns
) except -1 nogil:
    """Fill our limits of a side that `price` went through and that were sent by `sent_max_ns`, up to the room there is."""
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef RestingListC* list = &market.resting[side]
    cdef RestingC order
    cdef uint32_t at = 0
    cdef int64_t lots
    while at < list.count and market.priced.room > 0 and is_through(side, list.items[at].price, price):
        if <int64_t>list.items[at].rank > sent_max_ns:
            at += 1
            continue
        lots = list.items[at].remaining if list.items[at].remaining < market.priced.room else market.priced.room
        list.items[at].remaining -= lots
        market.priced.room -= lots
        market.instant_middle2 = 2 * list.items[at].price
        order = list.items[at]
        if order.remaining:
            at += 1
        else:
            resting_remove(list, at)
        answer_fill(simulator, index, &order, side, order.price, lots, order.remaining, 0, not order.standing.traded, 0)
    return 0


cdef list priced_to_list(const PricedC* priced):
    cdef uint32_t at
    return [
        PyBytes_FromStringAndSize(<const char*>&priced.bar, sizeof(RecordC)), priced.open_ns, bool(priced.is_open), priced.room,
        priced.price, priced.marked2,
        [
            [
                priced.waiting.items[at].id, priced.waiting.items[at].price, priced.waiting.items[at].remaining,
                priced.waiting.items[at].sent_ns, priced.waiting.items[at].strategy, priced.waiting.items[at].side,
                priced.waiting.items[at].order_type, priced.waiting.items[at].time_in_force,
            ]
            for at in range(priced.waiting.count)
        ],
    ]


cdef int priced_from_list(PricedC* priced, object state) except -1:
    cdef const char* body = state[0]
    cdef WaitingC* order
    cdef uint32_t at
    memcpy(&priced.bar, body, sizeof(RecordC))
    priced.open_ns, priced.is_open, priced.room, priced.price, priced.marked2 = state[1:6]
    priced.waiting.count = <uint32_t>len(state[6])
    grow(<void**>&priced.waiting.items, sizeof(WaitingC), &priced.waiting.items_max, priced.waiting.count + 1)
    for at in range(priced.waiting.count):
        order = &priced.waiting.items[at]
        (
            order.id, order.price, order.remaining, order.sent_ns, order.strategy, order.side, order.order_type,
            order.time_in_force,
        ) = state[6][at]
    return 0
