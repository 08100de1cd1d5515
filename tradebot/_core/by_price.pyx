"""The simulated venue where the data tell prices and no book: what bar grade and trade grade share.

Without a book nothing says who stands where, so every rule leans against us. A market order pays the price that is told next and,
beyond it, what the run states: half a spread, and at bar grade slippage. It stays for the next price where this one has not
enough for it, until it is filled or cancelled; it ends where the price has gone beyond what risk let it pay, unless a trigger made
it: a guard is paid however far it goes. A limit fills at its own price, never better, and only where a price went through it by a
tick: at the price itself others may have stood before us. What is immediate or cancelled, and what is all or nothing, is decided
at the first price after its arrival.

`room` is how many lots ours may take of what was traded, all of them together: those that wait for a price first, by arrival, then
limits, the best first. An order that would meet one of ours on the other side is ended; a guard ends that one instead.

A limit that the last price had gone through when it came is a taker's; every other is a maker's.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memmove, memset

from tradebot._core.arena cimport grow
from tradebot._core.instrument cimport FEE_SCALE, muldiv_up
from tradebot._core.priced cimport StepC, WaitingC, WaitingListC
from tradebot._core.types cimport Flag, Kind, OrderFlag, OrderType, RecordC, Reject, TimeInForce
from tradebot._core.venue cimport RestingC, RestingListC, answer_end, answer_fill, answer_gone, answer_taken, drop_reducing, reducible, resting_insert, resting_lots, resting_remove


cdef int price_order(SimulatorC* simulator, uint32_t index, const FactC* command, uint8_t kind) except -1 nogil:
    """An order of ours arrives, or comes anew: refuse it, or take it and let it wait or rest. `kind` as in `take_order`."""
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef uint8_t side = command.head.flags & Flag.SELL, refusal = Kind.ORDER_REJECTED
    cdef uint8_t force = command.tail.time_in_force
    cdef int64_t limit = command.head.price, left = command.head.quantity
    if kind != Kind.ORDER_ACCEPTED:
        refusal = Kind.ORDER_CANCELLED
    if command.tail.flags & OrderFlag.REDUCE_ONLY and reducible(market, command.head.owner, side) == 0:
        return answer_end(simulator, index, command, refusal, left, Reject.VENUE_REDUCE_ONLY)
    if command.tail.order_type != OrderType.MARKET and force == TimeInForce.POST_ONLY and price_would_take(market, side, limit):
        return answer_end(simulator, index, command, refusal, left, Reject.VENUE_POST_ONLY_WOULD_TAKE)
    if kind != Kind.ORDER_TRIGGERED:
        answer_taken(simulator, index, command, kind, left + (command.tail.display if kind == Kind.ORDER_AMENDED else 0), -1)
    if command.tail.order_type == OrderType.MARKET:
        return wait(&market.priced.waiting, command)
    if not may_pass(simulator, index, side, limit, command.tail.flags):
        return answer_end(simulator, index, command, Kind.ORDER_CANCELLED, left, Reject.VENUE_SELF_TRADE)
    if force == TimeInForce.IOC or force == TimeInForce.FOK:
        return wait(&market.priced.waiting, command)
    return rest(market, command)


cdef int price_act(SimulatorC* simulator, uint32_t index, const FactC* order, int64_t price) except -1 nogil:
    """An order whose trigger was met acts at `price`; what that leaves of it waits for the next."""
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef uint32_t count = market.priced.waiting.count
    price_order(simulator, index, order, Kind.ORDER_TRIGGERED)
    if market.priced.waiting.count > count:
        return fill_waiting(simulator, index, count, price)
    return 0


cdef bint price_would_take(const VenueMarketC* market, uint8_t side, int64_t limit) noexcept nogil:
    """Whether the last price went through a limit, or one of ours stands there."""
    return is_through(side, limit, market.last_price) or is_met(&market.resting[1 - side], side, limit)


cdef inline bint is_met(const RestingListC* other, uint8_t side, int64_t price) noexcept nogil:
    """An order of ours on the other side stands at `price` or before it."""
    if other.count == 0:
        return 0
    return price >= other.items[0].price if side == Side.BUY else price <= other.items[0].price


cdef bint may_pass(SimulatorC* simulator, uint32_t index, uint8_t side, int64_t price, uint8_t flags) except -1 nogil:
    """Whether none of ours stands in the way; a guard ends those that do."""
    cdef RestingListC* other = &simulator.markets[index].resting[1 - side]
    cdef RestingC gone
    while is_met(other, side, price):
        if not flags & OrderFlag.PROTECTIVE:
            return 0
        gone = other.items[0]
        resting_remove(other, 0)
        answer_gone(simulator, index, gone.id, gone.strategy, 1 - side, gone.price, gone.remaining, Reject.VENUE_SELF_TRADE, 0)
    return 1


cdef int wait(WaitingListC* list, const FactC* command) except -1 nogil:
    cdef WaitingC* order
    grow(<void**>&list.items, sizeof(WaitingC), &list.items_max, list.count + 1)
    order = &list.items[list.count]
    memset(order, 0, sizeof(WaitingC))
    order.id = command.head.id
    order.parent = command.tail.parent
    order.price = command.head.price
    order.remaining = command.head.quantity
    order.sent_ns = command.head.time_ns
    order.strategy = command.head.owner
    order.side = command.head.flags & Flag.SELL
    order.order_type = command.tail.order_type
    order.time_in_force = command.tail.time_in_force
    order.flags = command.tail.flags & ~Flag.CONT
    order.triggered = command.tail.trigger != 0 and command.tail.order_type == OrderType.MARKET
    list.count += 1
    return 0


cdef int rest(VenueMarketC* market, const FactC* command) except -1 nogil:
    """In `rank` stands when it was sent, in `standing.traded` whether it is a taker's."""
    cdef RestingC order
    cdef uint8_t side = command.head.flags & Flag.SELL
    memset(&order, 0, sizeof(RestingC))
    order.id = command.head.id
    order.price = command.head.price
    order.remaining = command.head.quantity
    order.total = command.head.quantity + command.tail.display
    order.rank = <uint64_t>command.head.time_ns
    order.strategy = command.head.owner
    order.parent = command.tail.parent
    order.time_in_force = command.tail.time_in_force
    order.flags = command.tail.flags & ~Flag.CONT
    order.standing.traded = is_through(side, order.price, market.last_price)
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


cdef int price_end_all(SimulatorC* simulator, uint32_t index, uint16_t strategy, Reject why) except -1 nogil:
    """End all orders of a strategy that wait for a price."""
    cdef WaitingListC* list = &simulator.markets[index].priced.waiting
    cdef uint32_t at = 0
    while at < list.count:
        if list.items[at].strategy == strategy:
            end_waiting(simulator, index, at, why, 0)
        else:
            at += 1
    return 0


cdef int end_waiting(SimulatorC* simulator, uint32_t index, uint32_t at, Reject why, uint64_t cause) except -1 nogil:
    cdef WaitingC order = simulator.markets[index].priced.waiting.items[at]
    leave(&simulator.markets[index].priced.waiting, at)
    return answer_gone(simulator, index, order.id, order.strategy, order.side, order.price, order.remaining, why, cause)


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
    cdef int64_t lots = lots_of(market, order), paid = order.price
    if lots == 0 and order.flags & OrderFlag.REDUCE_ONLY and reducible(market, order.strategy, order.side) == 0:
        return end_waiting(simulator, index, at, Reject.VENUE_REDUCE_ONLY, 0)
    if order.order_type == OrderType.MARKET:
        paid = price_paid(simulator, order.side, price)
        if not order.triggered and (paid > order.price if order.side == Side.BUY else paid < order.price):
            return end_waiting(simulator, index, at, Reject.VENUE_NO_LIQUIDITY, 0)
    elif not is_through(order.side, order.price, price):
        lots = 0
    if lots and not may_pass(simulator, index, order.side, paid, order.flags):
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


cdef int64_t lots_of(const VenueMarketC* market, const WaitingC* order) noexcept nogil:
    """What an order may fill now: of what remains, what there is room for and, where it only reduces, what there is to reduce."""
    cdef int64_t lots = order.remaining, possible
    if order.flags & OrderFlag.REDUCE_ONLY:
        possible = reducible(market, order.strategy, order.side)
        lots = possible if possible < lots else lots
    return lots if lots < market.priced.room else market.priced.room


cdef int64_t price_paid(const SimulatorC* simulator, uint8_t side, int64_t price) noexcept nogil:
    """What a market order pays where `price` was told: worse by what the run states; a sale gets at least a tick."""
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
    taker.parent = order.parent
    taker.strategy = order.strategy
    return answer_fill(simulator, index, &taker, order.side, paid, lots, order.remaining, 0, 0, 0)


cdef int price_fill_through(
    SimulatorC* simulator, uint32_t index, uint8_t side, int64_t price, int64_t sent_max_ns, int64_t guard_max_ns
) except -1 nogil:
    """Fill our limits of a side that `price` went through and that were sent by `sent_max_ns`, those that guard an entry by
    `guard_max_ns`, up to the room there is.
    """
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef RestingListC* list = &market.resting[side]
    cdef RestingC order
    cdef uint32_t at = 0
    cdef int64_t lots
    while at < list.count and market.priced.room > 0 and is_through(side, list.items[at].price, price):
        if <int64_t>list.items[at].rank > (guard_max_ns if list.items[at].parent else sent_max_ns):
            at += 1
            continue
        lots = resting_lots(market, &list.items[at], side)
        if lots == 0:
            drop_reducing(simulator, index, side, at)
            continue
        if lots > market.priced.room:
            lots = market.priced.room
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
        priced.marked2,
        [
            [
                priced.waiting.items[at].id, priced.waiting.items[at].parent, priced.waiting.items[at].price,
                priced.waiting.items[at].remaining, priced.waiting.items[at].sent_ns, priced.waiting.items[at].strategy,
                priced.waiting.items[at].side, priced.waiting.items[at].order_type, priced.waiting.items[at].time_in_force,
                priced.waiting.items[at].flags, priced.waiting.items[at].triggered,
            ]
            for at in range(priced.waiting.count)
        ],
        [[priced.path.items[at].time_ns, priced.path.items[at].price] for at in range(priced.path.count)],
    ]


cdef int priced_from_list(PricedC* priced, object state) except -1:
    cdef const char* body = state[0]
    cdef WaitingC* order
    cdef uint32_t at
    memcpy(&priced.bar, body, sizeof(RecordC))
    priced.open_ns, priced.is_open, priced.room, priced.marked2 = state[1:5]
    priced.waiting.count = <uint32_t>len(state[5])
    grow(<void**>&priced.waiting.items, sizeof(WaitingC), &priced.waiting.items_max, priced.waiting.count + 1)
    for at in range(priced.waiting.count):
        order = &priced.waiting.items[at]
        (
            order.id, order.parent, order.price, order.remaining, order.sent_ns, order.strategy, order.side, order.order_type,
            order.time_in_force, order.flags, order.triggered,
        ) = state[5][at]
    priced.path.count = <uint32_t>len(state[6])
    grow(<void**>&priced.path.items, sizeof(StepC), &priced.path.items_max, priced.path.count + 1)
    for at in range(priced.path.count):
        priced.path.items[at].time_ns, priced.path.items[at].price = state[6][at]
    return 0
