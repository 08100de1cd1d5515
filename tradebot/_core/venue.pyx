"""What the simulated venue does the same for every kind of book: answers, fees, resting lists, markouts.

Each answer is a fact stamped with the venue's time and with the time at which it reaches us. Fees are charged per trade and
rounded up, against us. A markout is the middle price at a fixed time after a fill, on the venue's time.
"""

from libc.string cimport memcpy, memmove, memset

from tradebot._core.arena cimport grow
from tradebot._core.instrument cimport FEE_SCALE, SPOT, InstrumentC, muldiv_up, notional_up, settle_asset
from tradebot._core.latency cimport latency_arrival
from tradebot._core.ledger cimport NO_ASSET, ledger_fill, ledger_position
from tradebot._core.margin cimport mark2_of
from tradebot._core.queue cimport queue_push
from tradebot._core.types cimport Flag, Kind, Side

assert sizeof(MarkoutC) == 64


cdef int fill_resting(
    SimulatorC* simulator, uint32_t index, uint8_t side, uint32_t at, int64_t lots, uint64_t taker, int64_t ahead,
) except -1 nogil:
    """Fill `lots` of our resting order `at`; it leaves its list at zero."""
    cdef RestingListC* list = &simulator.markets[index].resting[side]
    cdef RestingC order
    list.items[at].remaining -= lots
    order = list.items[at]
    if order.remaining == 0:
        resting_remove(list, at)
    return answer_fill(simulator, index, &order, side, order.price, lots, order.remaining, taker, 1, ahead)


cdef int answer_fill(
    SimulatorC* simulator, uint32_t index, const RestingC* order, uint8_t side, int64_t price, int64_t lots,
    int64_t remaining, uint64_t other, bint is_maker, int64_t ahead,
) except -1 nogil:
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef int overflow = 0
    cdef FactC fact
    cdef int64_t fee_rate = simulator.maker_fee if is_maker else simulator.taker_fee
    make_answer(simulator, &fact, Kind.ORDER_FILLED, order.id, market.terms.id, order.strategy, side)
    simulator.trade_number += 1
    fact.head.price = price
    fact.head.quantity = lots
    fact.head.id2 = other
    fact.tail.trade_id = simulator.trade_number
    fact.tail.parent = <uint64_t>remaining
    fact.tail.trigger = market.instant_middle2
    if is_maker:
        fact.head.flags |= Flag.MAKER
        fact.tail.display = ahead
    charge_fee(simulator, &market.terms, &fact, fee_rate, &overflow)
    if overflow:
        with gil:
            raise OverflowError(f"the fee of {lots} lots at {price} ticks leaves 64 bits")
    if market.terms.kind != SPOT and simulator.clearing.margins != NULL:
        clear_fill(simulator, index, &fact)
    markouts_add(simulator, &fact)
    return queue_push(&simulator.answers, fact.head.time_ns, &fact)


cdef int charge_fee(SimulatorC* simulator, const InstrumentC* terms, FactC* fill, int64_t rate, int* overflow) noexcept nogil:
    """What a fill costs: in the third asset while there is enough of it, a spot buy perhaps in base, else in the settle asset."""
    cdef int64_t notional = notional_up(terms, fill.head.price, fill.head.quantity, overflow)
    cdef int64_t fee = muldiv_up(notional, rate, 1, FEE_SCALE, overflow), base
    cdef int64_t third
    if simulator.fee_asset.asset != NO_ASSET:
        third = muldiv_up(fee, simulator.fee_asset.worth_den, 1, simulator.fee_asset.worth_num, overflow)
        if third <= simulator.fee_left:
            simulator.fee_left -= third
            fill.tail.fee_asset = simulator.fee_asset.asset
            fill.tail.fee = third
            return 0
    if simulator.fee_in_base and not fill.head.flags & Flag.SELL and terms.kind == SPOT:
        base = muldiv_up(fill.head.quantity, 1, terms.base_num, terms.base_den, overflow)
        fill.tail.fee_asset = terms.base
        fill.tail.fee = muldiv_up(base, rate, 1, FEE_SCALE, overflow)
        return 0
    fill.tail.fee_asset = settle_asset(terms)
    fill.tail.fee = fee
    return 0


cdef int clear_fill(SimulatorC* simulator, uint32_t index, const FactC* fill) except -1 nogil:
    """Post a fill of a contract to the venue's own books."""
    cdef ClearingC* clearing = &simulator.clearing
    cdef int64_t mark2 = mark2_of(&clearing.margins[index], venue_middle2(&simulator.markets[index]))
    clearing.price2[index] = mark2 if mark2 else 2 * fill.head.price
    clearing.due[index] = 1
    return ledger_fill(
        &clearing.ledger, ledger_position(&clearing.ledger, fill.head.owner, index), &simulator.markets[index].terms,
        fill.head.flags & Flag.SELL, fill.head.price, fill.head.quantity, fill.tail.fee, fill.tail.fee_asset,
    )


cdef int answer_accept(SimulatorC* simulator, uint32_t index, const FactC* command, int64_t quantity, int64_t ahead) except -1 nogil:
    cdef FactC fact
    make_answer(
        simulator, &fact, Kind.ORDER_ACCEPTED, command.head.id, simulator.markets[index].terms.id, command.head.owner,
        command.head.flags & Flag.SELL,
    )
    fact.head.price = command.head.price
    fact.head.quantity = quantity
    fact.head.id2 = command.head.id
    fact.tail.display = ahead
    fact.tail.cause = command.tail.cause
    return queue_push(&simulator.answers, fact.head.time_ns, &fact)


cdef int answer_end(SimulatorC* simulator, uint32_t index, const FactC* command, uint8_t kind, int64_t left, Reject why) except -1 nogil:
    """The venue ends an order: refused, or cancelled by its own rules."""
    cdef FactC fact
    make_answer(
        simulator, &fact, kind, command.head.id, simulator.markets[index].terms.id, command.head.owner,
        command.head.flags & Flag.SELL,
    )
    fact.head.price = command.head.price
    fact.head.quantity = left
    fact.tail.reject = <uint16_t>why
    fact.tail.cause = command.tail.cause
    return queue_push(&simulator.answers, fact.head.time_ns, &fact)


cdef int make_answer(
    SimulatorC* simulator, FactC* fact, uint8_t kind, uint64_t id, uint32_t instrument, uint16_t strategy, uint8_t side
) noexcept nogil:
    memset(fact, 0, sizeof(FactC))
    fact.head.time_ns = latency_arrival(&simulator.answer_latency, simulator.time_ns)
    fact.head.venue_ns = simulator.time_ns
    fact.head.id = id
    fact.head.instrument = instrument
    fact.head.kind = kind
    fact.head.flags = side
    fact.head.owner = strategy
    fact.tail.kind = kind
    fact.tail.flags = Flag.CONT
    return 0


cdef int resting_insert(RestingListC* list, const RestingC* order, uint8_t side) except -1 nogil:
    cdef uint32_t at
    grow(<void**>&list.items, sizeof(RestingC), &list.items_max, list.count + 1)
    at = list.count
    while at and (list.items[at - 1].price < order.price if side == Side.BUY else list.items[at - 1].price > order.price):
        list.items[at] = list.items[at - 1]
        at -= 1
    list.items[at] = order[0]
    list.count += 1
    return 0


cdef int resting_remove(RestingListC* list, uint32_t at) noexcept nogil:
    list.count -= 1
    memmove(&list.items[at], &list.items[at + 1], (list.count - at) * sizeof(RestingC))
    return 0


cdef int markouts_add(SimulatorC* simulator, const FactC* fill) except -1 nogil:
    """Ask for the middle price at each horizon after a fill, on the venue's time."""
    cdef MarkoutC markout
    cdef PendingC* pending
    cdef uint32_t at
    memset(&markout, 0, sizeof(MarkoutC))
    markout.time_ns = fill.head.venue_ns
    markout.trade_id = fill.tail.trade_id
    markout.price = fill.head.price
    markout.quantity = -fill.head.quantity if fill.head.flags & Flag.SELL else fill.head.quantity
    markout.instrument = fill.head.instrument
    markout.strategy = fill.head.owner
    markout.maker = 1 if fill.head.flags & Flag.MAKER else 0
    for at in range(HORIZONS):
        pending = &simulator.pending[at]
        if pending.tail >= pending.items_max and pending.head * 2 >= pending.items_max:
            memmove(pending.items, &pending.items[pending.head], (pending.tail - pending.head) * sizeof(MarkoutC))
            pending.tail -= pending.head
            pending.head = 0
        grow(<void**>&pending.items, sizeof(MarkoutC), &pending.items_max, pending.tail + 1)
        markout.horizon_ns = simulator.horizons_ns[at]
        pending.items[pending.tail] = markout
        pending.tail += 1
    return 0


cdef int markouts_settle_one(SimulatorC* simulator, PendingC* pending, int64_t time_ns) except -1 nogil:
    cdef MarkoutC* markout
    cdef uint32_t index
    while pending.head != pending.tail:
        markout = &pending.items[pending.head]
        if markout.time_ns + markout.horizon_ns >= time_ns:
            return 0
        for index in range(simulator.market_count):
            if simulator.markets[index].terms.id == markout.instrument:
                markout.middle2 = venue_middle2(&simulator.markets[index])
        grow(<void**>&simulator.markouts, sizeof(MarkoutC), &simulator.markouts_max, simulator.markout_count + 1)
        simulator.markouts[simulator.markout_count] = markout[0]
        simulator.markout_count += 1
        pending.head += 1
    return 0


cdef bytes pending_to_bytes(const PendingC* pending):
    if pending.head == pending.tail:
        return b""
    return (<const char*>&pending.items[pending.head])[: (pending.tail - pending.head) * sizeof(MarkoutC)]


cdef int pending_from_bytes(PendingC* pending, bytes body) except -1:
    cdef const char* data = body
    cdef uint32_t count = <uint32_t>(len(body) // sizeof(MarkoutC))
    grow(<void**>&pending.items, sizeof(MarkoutC), &pending.items_max, count + 1)
    memcpy(pending.items, data, len(body))
    pending.head = 0
    pending.tail = count
    return 0
