"""What the simulated venue does the same for every kind of book: answers, fees, resting lists, markouts.

Each answer is a fact stamped with the venue's time and with the time at which it reaches us. Fees are charged per trade and
rounded up, against us. A markout is the middle price at a fixed time after a fill, on the venue's time.

Orders with one `parent` are a group, as a venue's one-cancels-other list: lots that one fills are taken off the others in the
same instant, and a trigger that is met ends the others. One that joins a group of which nobody waits any more is refused. An order that only reduces never fills more than its strategy holds by its fills here; what
exceeds that is taken off it after each event. A venue knows an account, not strategies: here each strategy's lots count by themselves.
"""

from libc.string cimport memcpy, memmove, memset

from tradebot._core.arena cimport grow
from tradebot._core.instrument cimport FEE_SCALE, SPOT, InstrumentC, lots_begun, muldiv_up, notional_up, settle_asset
from tradebot._core.latency cimport latency_arrival
from tradebot._core.ledger cimport NO_ASSET, ledger_fill, ledger_position
from tradebot._core.queue cimport queue_push
from tradebot._core.timers cimport NEVER_NS
from tradebot._core.types cimport Flag, Kind, OrderFlag, Side

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
    queue_push(&simulator.answers, fact.head.time_ns, &fact)
    note_held(market, order.strategy, side, lots, fact.tail.fee if market.terms.kind == SPOT and fact.tail.fee_asset == market.terms.base else 0)
    if order.parent:
        group_take(simulator, index, order.parent, order.id, lots)
    return 0


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
    cdef int64_t mark2 = venue_mark2(&simulator.markets[index])
    clearing.price2[index] = mark2 if mark2 else 2 * fill.head.price
    clearing.due[index] = 1
    return ledger_fill(
        &clearing.ledger, ledger_position(&clearing.ledger, fill.head.owner, index), &simulator.markets[index].terms,
        fill.head.flags & Flag.SELL, fill.head.price, fill.head.quantity, fill.tail.fee, fill.tail.fee_asset,
    )


cdef int answer_taken(
    SimulatorC* simulator, uint32_t index, const FactC* command, uint8_t kind, int64_t quantity, int64_t ahead,
) except -1 nogil:
    """An order, or a change of it, holds from here on: `kind` is ORDER_ACCEPTED, ORDER_AMENDED or ORDER_TRIGGERED."""
    cdef FactC fact
    make_answer(
        simulator, &fact, kind, command.head.id, simulator.markets[index].terms.id, command.head.owner,
        command.head.flags & Flag.SELL,
    )
    fact.head.price = command.head.price
    fact.head.quantity = quantity
    if kind == Kind.ORDER_ACCEPTED:
        fact.head.id2 = command.head.id
    else:
        fact.tail.trigger = command.tail.trigger
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


cdef int answer_gone(
    SimulatorC* simulator, uint32_t index, uint64_t id, uint16_t strategy, uint8_t side, int64_t price, int64_t left, Reject why,
    uint64_t cause,
) except -1 nogil:
    """An order that waited or rested is cancelled; `cause` is 0 where the venue did it by itself."""
    cdef FactC fact
    make_answer(simulator, &fact, Kind.ORDER_CANCELLED, id, simulator.markets[index].terms.id, strategy, side)
    fact.head.price = price
    fact.head.quantity = left
    fact.tail.reject = <uint16_t>why
    fact.tail.cause = cause
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
    list.prices |= <uint64_t>1 << (order.price & 63)
    if order.price < list.low:
        list.low = order.price
    if order.price > list.high:
        list.high = order.price
    return 0


cdef int resting_remove(RestingListC* list, uint32_t at) noexcept nogil:
    list.count -= 1
    memmove(&list.items[at], &list.items[at + 1], (list.count - at) * sizeof(RestingC))
    return resting_bound(list)


cdef int resting_bound(RestingListC* list) noexcept nogil:
    """Note where a list stands, so that what happens elsewhere is told from it without a look at the orders."""
    cdef int64_t price
    cdef uint32_t at
    list.low, list.high, list.prices = NO_ASK, NO_BID, 0
    for at in range(list.count):
        price = list.items[at].price
        list.prices |= <uint64_t>1 << (price & 63)
        if price < list.low:
            list.low = price
        if price > list.high:
            list.high = price
    return 0


cdef int conditional_remove(ConditionalListC* list, uint32_t at) noexcept nogil:
    list.count -= 1
    memmove(&list.items[at], &list.items[at + 1], (list.count - at) * sizeof(ConditionalC))
    return 0


cdef int group_take(SimulatorC* simulator, uint32_t index, uint64_t parent, uint64_t taker, int64_t lots) except -1 nogil:
    """Take what `taker` filled off those of its group that wait. None of them rests: a met trigger ends its group."""
    cdef ConditionalListC* list = &simulator.markets[index].conditionals
    cdef ConditionalC gone
    cdef uint32_t at = 0
    while at < list.count:
        if list.items[at].parent != parent or list.items[at].id == taker:
            at += 1
            continue
        list.items[at].remaining -= lots
        if list.items[at].remaining > 0:
            at += 1
            continue
        gone = list.items[at]
        conditional_remove(list, at)
        answer_gone(simulator, index, gone.id, gone.strategy, gone.side, gone.price, 0, Reject.VENUE_GROUP_DONE, 0)
    return 0


cdef HeldC* held_of(VenueMarketC* market, uint16_t strategy) except NULL nogil:
    cdef uint32_t before = market.held_max
    if strategy >= before:
        grow(<void**>&market.held, sizeof(HeldC), &market.held_max, strategy + 1)
        memset(&market.held[before], 0, (market.held_max - before) * sizeof(HeldC))
    return &market.held[strategy]


cdef int note_held(VenueMarketC* market, uint16_t strategy, uint8_t side, int64_t lots, int64_t fee_in_base) except -1 nogil:
    """A fill, and what its fee took out of it: the whole lots that all such fees have begun, as the ledger has them."""
    cdef HeldC* held = held_of(market, strategy)
    cdef int overflow = 0
    held.lots += lots if side == Side.BUY else -lots
    if fee_in_base:
        held.lots += lots_begun(&market.terms, held.fees_in_base, &overflow)
        held.fees_in_base += fee_in_base
        held.lots -= lots_begun(&market.terms, held.fees_in_base, &overflow)
    return 0


cdef int64_t reducible(const VenueMarketC* market, uint16_t strategy, uint8_t side) noexcept nogil:
    """Lots that an order of `side` can fill before the strategy's position is zero."""
    cdef int64_t held = market.held[strategy].lots if strategy < market.held_max else 0
    if side == Side.BUY:
        held = -held
    return held if held > 0 else 0


cdef int drop_reducing(SimulatorC* simulator, uint32_t index, uint8_t side, uint32_t at) except -1 nogil:
    """End a resting order that has nothing left to reduce."""
    cdef RestingListC* list = &simulator.markets[index].resting[side]
    cdef RestingC gone = list.items[at]
    resting_remove(list, at)
    return answer_gone(simulator, index, gone.id, gone.strategy, side, gone.price, gone.remaining, Reject.VENUE_REDUCE_ONLY, 0)


cdef int trim_reducing(SimulatorC* simulator, uint32_t index) except -1 nogil:
    """After fills: take off each order that only reduces what it could no longer fill."""
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef RestingC* order
    cdef uint8_t side
    cdef uint32_t at
    cdef int64_t possible
    for side in range(2):
        at = 0
        while at < market.resting[side].count:
            order = &market.resting[side].items[at]
            possible = resting_lots(market, order, side)
            if possible == 0:
                drop_reducing(simulator, index, side, at)
                continue
            if possible < order.remaining:
                order.total -= order.remaining - possible
                order.remaining = possible
                answer_trimmed(simulator, index, order.id, order.strategy, side, order.price, order.total, 0)
            at += 1
    return trim_conditionals(simulator, index)


cdef int trim_conditionals(SimulatorC* simulator, uint32_t index) except -1 nogil:
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef ConditionalListC* list = &market.conditionals
    cdef ConditionalC* order
    cdef ConditionalC gone
    cdef uint32_t at = 0
    cdef int64_t possible
    while at < list.count:
        order = &list.items[at]
        possible = reducible(market, order.strategy, order.side) if order.flags & OrderFlag.REDUCE_ONLY else order.remaining
        if possible == 0:
            gone = order[0]
            conditional_remove(list, at)
            answer_gone(simulator, index, gone.id, gone.strategy, gone.side, gone.price, gone.remaining, Reject.VENUE_REDUCE_ONLY, 0)
            continue
        if possible < order.remaining:
            order.total -= order.remaining - possible
            order.remaining = possible
            answer_trimmed(simulator, index, order.id, order.strategy, order.side, order.price, order.total, order.trigger)
        at += 1
    return 0


cdef int answer_trimmed(
    SimulatorC* simulator, uint32_t index, uint64_t id, uint16_t strategy, uint8_t side, int64_t price, int64_t total, int64_t trigger,
) except -1 nogil:
    cdef FactC fact
    make_answer(simulator, &fact, Kind.ORDER_AMENDED, id, simulator.markets[index].terms.id, strategy, side)
    fact.head.price = price
    fact.head.quantity = total
    fact.tail.trigger = trigger
    fact.tail.display = -1
    fact.tail.reject = <uint16_t>Reject.VENUE_REDUCE_ONLY
    return queue_push(&simulator.answers, fact.head.time_ns, &fact)


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
        if pending.head and pending.tail >= pending.items_max and pending.head * 2 >= pending.items_max:
            memmove(pending.items, &pending.items[pending.head], (pending.tail - pending.head) * sizeof(MarkoutC))
            pending.tail -= pending.head
            pending.head = 0
        grow(<void**>&pending.items, sizeof(MarkoutC), &pending.items_max, pending.tail + 1)
        markout.horizon_ns = simulator.horizons_ns[at]
        pending.items[pending.tail] = markout
        pending.tail += 1
        if markout.time_ns + markout.horizon_ns < simulator.markout_ns:
            simulator.markout_ns = markout.time_ns + markout.horizon_ns
    return 0


cdef int markouts_settle_due(SimulatorC* simulator, int64_t time_ns) except -1 nogil:
    cdef PendingC* pending
    cdef int64_t next_ns
    cdef uint32_t at
    simulator.markout_ns = NEVER_NS
    for at in range(HORIZONS):
        pending = &simulator.pending[at]
        markouts_settle_one(simulator, pending, time_ns)
        if pending.head != pending.tail:
            next_ns = pending.items[pending.head].time_ns + simulator.horizons_ns[at]
            if next_ns < simulator.markout_ns:
                simulator.markout_ns = next_ns
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
