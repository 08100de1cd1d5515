"""What a strategy wished becomes commands: through the risk gate, with what it holds of the account, to the outlet.

A wish is an order to place, to change or to cancel. A refusal is a fact of its own. An order of spot holds what it could cost from the
moment it is sent: a buy quote for its dearest price, the taker fee included, a sale the base. A guard's target holds nothing of the
lots that its stop does; an order that only reduces may use what guards hold whose cancel goes before it.

Nothing comes to hold more than is there: an order that only reduces holds at most what is there beside what others hold. Where a
guard that is going does not set free what was counted on, since it filled or the venue refused to change it, those that counted on it
hold what is free instead. What they lack is at most what that guard held: lots that the position no longer has, or, after a refusal,
lots that another order of the account may take first; if both fill then, that much more is held than is there. Orders that reduce one position do not share one hold, as those of contracts do: a short of
spot is bought back dearer than it was sold, so such a hold would grow with a sale that asked for nothing of the quote asset.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from tradebot._core.book cimport NO_ASK
from tradebot._core.collateral cimport collateral_free, collateral_hold, collateral_needed
from tradebot._core.instrument cimport FEE_SCALE, SPOT, InstrumentC, add, muldiv_up, notional_up
from tradebot._core.kernel cimport Kernel, Seat
from tradebot._core.ledger cimport BalanceC, ledger_balance, ledger_position
from tradebot._core.market cimport bound_price, trigger_price, worst_price
from tradebot._core.orders cimport OrderC, OrderListC, lots_most, order_next_state, orders_add, orders_count, orders_get, orders_list, orders_walk
from tradebot._core.guards cimport give_way, lots_shared, note_protection, relock_reducing, spare_of_guards
from tradebot._core.risk cimport IntentC, check_order, rate_take
from tradebot._core.types cimport FactC, Flag, Kind, OrderFlag, OrderState, OrderType, Reject


cdef int commit_place(Kernel kernel, Seat seat, WishC* wish) except -1:
    """Returns the Reject of an order that was refused, else 0."""
    cdef ContextC* context = &kernel.context
    cdef MarketC* market = &context.markets[wish.instrument]
    cdef OrderListC* open = orders_list(&context.orders, seat.number, wish.instrument)
    cdef IntentC intent
    cdef FactC fact
    cdef Reject found
    if wish.order_type > OrderType.MARKET and context.by_mark:
        wish.flags |= OrderFlag.BY_MARK
    if wish.flags & OrderFlag.REDUCE_ONLY:
        wish.quantity = at_most_held(wish, ledger_position(&context.ledger, seat.number, wish.instrument).quantity)
    fill_intent(kernel, &intent, seat, wish, open)
    found = check_order(
        &kernel.limits[seat.number * context.market_count + wish.instrument], &kernel.rate, &market.terms, &intent
    )
    if found != Reject.ACCEPTED:
        return refuse_place(kernel, seat, wish, intent.price, found)
    if wish.trims:
        trim_guards(kernel, seat, wish)
        fill_intent(kernel, &intent, seat, wish, open)
        if market.terms.kind == SPOT:
            intent.needed = min(intent.needed, max(intent.free_base if wish.is_sell else intent.free_quote, 0))
    make_place(&fact, context, wish, market.terms.id, intent.price)
    place_taken(kernel, wish, &intent)
    kernel.emit(&fact)
    if kernel.send != NULL:
        kernel.send(kernel.target, &fact)
    return 0


cdef int trim_guards(Kernel kernel, Seat seat, const WishC* order_wish) except -1:
    """An order that reduces has passed the gate: before it goes, guards are asked to fill no more than what it leaves. A position
    whose close is refused keeps them.
    """
    cdef ContextC* context = &kernel.context
    cdef uint32_t handle = orders_list(&context.orders, seat.number, order_wish.instrument).head
    cdef OrderC* order
    cdef WishC wish
    memset(&wish, 0, sizeof(WishC))
    wish.instrument = order_wish.instrument
    wish.strategy = order_wish.strategy
    while orders_walk(&context.orders, &handle, &order):
        if not order.flags & OrderFlag.PROTECTIVE:
            continue
        wish.id = order.id
        wish.parent = order_wish.id
        if order_wish.kept == 0:
            commit_cancel(kernel, seat, &wish)
        elif order.asked - order.filled - order.reduced > order_wish.kept:
            wish.quantity = order.filled + order.reduced + order_wish.kept
            commit_amend(kernel, seat, &wish)
    return 0


cdef int refuse_place(Kernel kernel, Seat seat, const WishC* wish, int64_t price, Reject why) except -1:
    """Returns why."""
    cdef FactC fact
    make_place(&fact, &kernel.context, wish, kernel.context.markets[wish.instrument].terms.id, price)
    fact.head.kind = fact.tail.kind = Kind.ORDER_REJECTED
    fact.tail.reject = <uint16_t>why
    kernel.emit(&fact)
    if seat.on_reject is not None and not seat.quarantined:
        kernel._tell_refusal(seat, seat.on_reject, &fact, wish.instrument)
    return <int>why


cdef int place_taken(Kernel kernel, const WishC* wish, const IntentC* intent) except -1:
    """An order passed the gate: it is open from here on, and holds what it needs."""
    cdef ContextC* context = &kernel.context
    cdef OrderC order
    rate_take(&kernel.rate, context.time_ns)
    memset(&order, 0, sizeof(OrderC))
    order.id = wish.id
    order.price = intent.price
    order.quantity = wish.quantity
    order.sent_ns = context.time_ns
    order.instrument = wish.instrument
    order.strategy = wish.strategy
    order.is_sell = wish.is_sell
    order.order_type = wish.order_type
    order.time_in_force = wish.time_in_force
    order.state = OrderState.SENT
    order.flags = wish.flags
    order.trigger = wish.trigger
    order.trail = wish.trail
    order.parent = wish.parent
    order.asked = order.worst = wish.quantity
    order.worst_price = intent.price
    if wish.stop or wish.target or wish.distance:
        order.guards = 1
        note_protection(kernel, wish, 0, 0)
    relock(kernel, orders_add(&context.orders, &order), intent.needed)
    kernel.order_count += 1
    kernel.command_count += 1
    return 0


cdef int fill_intent(Kernel kernel, IntentC* intent, Seat seat, const WishC* wish, const OrderListC* open) noexcept nogil:
    cdef ContextC* context = &kernel.context
    cdef const MarketC* market = &context.markets[wish.instrument]
    cdef const BalanceC* quote = ledger_balance(&context.ledger, 0, market.terms.quote)
    cdef const BalanceC* base = ledger_balance(&context.ledger, 0, market.terms.base)
    intent.is_sell = wish.is_sell
    intent.order_type = wish.order_type
    intent.time_in_force = wish.time_in_force
    intent.state = kernel.state
    intent.quarantined = seat.quarantined
    intent.quantity = wish.quantity
    intent.reference = market.middle2 >> 1 if market.middle2 else market.last_price
    intent.price = bound_of(kernel, market, wish)
    intent.position = ledger_position(&context.ledger, seat.number, wish.instrument).quantity
    intent.open_buys = open.open_buys
    intent.open_sells = open.open_sells
    intent.orders_open = open.count
    intent.free_quote = quote.total - quote.locked
    intent.free_base = base.total - base.locked
    intent.needed = needed(kernel, market, wish.is_sell, intent.price, max(wish.quantity - lots_shared(kernel, wish.parent, wish.id), 0))
    intent.time_ns = context.time_ns
    intent.flags = wish.flags
    intent.trigger = wish.trigger
    intent.trigger_price = trigger_price(context, market)
    intent.stop = wish.stop
    intent.target = wish.target
    intent.distance = wish.distance
    if wish.flags & OrderFlag.REDUCE_ONLY:
        intent.needed -= spare_of_guards(kernel, seat.number, wish.instrument, wish.id, wish.kept if wish.trims else NO_ASK)
        intent.needed = max(intent.needed, 0)
    if market.terms.kind != SPOT:
        intent.free_quote = intent.free_base = collateral_free(context, wish.instrument)
        intent.needed = collateral_needed(context, intent, wish.id, seat.number, wish.instrument, kernel.lock_fee)
    return 0


cdef int64_t bound_of(Kernel kernel, const MarketC* market, const WishC* wish) noexcept nogil:
    """The price an order is paid for at the most: its limit, or as far beyond the best, or its trigger, as the band allows."""
    if wish.order_type == OrderType.MARKET:
        return worst_price(market, wish.is_sell, kernel.context.worst_band)
    if wish.order_type in (OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT):
        return wish.price
    return bound_price(wish.trigger, wish.is_sell, kernel.context.worst_band) if wish.trigger > 0 else 0


cdef int64_t hold(Kernel kernel, const OrderC* order) noexcept nogil:
    """Money units an order holds, at the most that is asked of it. For one that only reduces what guards that are going hold counts
    as its own, and no more than is there: it may come to hold more without having passed the gate. So with one whose change is under
    way: the gate knows it as it was and as it is to be, and the most lots at the dearest price may be more than both.
    """
    cdef int64_t whole = whole_of(kernel, order)
    cdef bint is_reducing = order.flags & OrderFlag.REDUCE_ONLY
    if not (is_reducing or order.amends) or kernel.context.markets[order.instrument].terms.kind != SPOT:
        return whole
    if is_reducing and whole > order.locked and order.state != OrderState.CANCELLING:
        whole = max(order.locked, whole - spare_of_guards(kernel, order.strategy, order.instrument, order.id, NO_ASK))
    return max(min(whole, order.locked + free_of(kernel, order)), 0)


cdef int relock_filled(Kernel kernel, OrderC* order) noexcept nogil:
    """After a fill: where the order counted on what guards that are going hold, those yield what it used of it."""
    relock(kernel, order, hold(kernel, order))
    if order.flags & OrderFlag.REDUCE_ONLY and kernel.context.markets[order.instrument].terms.kind == SPOT and free_of(kernel, order) < 0:
        relock_reducing(kernel, order)
    return 0


cdef int64_t free_of(Kernel kernel, const OrderC* order) noexcept nogil:
    """What is not held of the asset that an order of spot holds."""
    cdef const BalanceC* balance = balance_of(kernel, order)
    return balance.total - balance.locked


cdef int64_t whole_of(Kernel kernel, const OrderC* order) noexcept nogil:
    """Money units that an order needs by itself."""
    cdef int64_t lots = max(lots_most(order) - lots_shared(kernel, order.parent, order.id), 0)
    cdef int64_t price = order.worst_price if order.worst_price > order.price else order.price
    return needed(kernel, &kernel.context.markets[order.instrument], order.is_sell, price, lots)


cdef int commit_amend(Kernel kernel, Seat seat, const WishC* wish) except -1:
    """Ask for a change of an open order; it passes the gate as the order that it would become. Returns 1 where it was refused."""
    cdef ContextC* context = &kernel.context
    cdef MarketC* market = &context.markets[wish.instrument]
    cdef OrderC* order = orders_get(&context.orders, wish.id)
    cdef IntentC intent
    cdef WishC after
    cdef FactC fact
    cdef uint16_t found
    memset(&fact, 0, sizeof(FactC))
    fact.head.time_ns = context.time_ns
    fact.head.id = wish.id
    fact.head.instrument = market.terms.id
    fact.head.owner = seat.number
    fact.tail.cause = context.sequence
    fact.tail.flags = Flag.CONT
    if order == NULL or order.strategy != seat.number or order_next_state(order.state, Kind.AMEND_ORDER) == 0:
        return refuse_change(kernel, seat, seat.on_amend_reject, &fact, Kind.AMEND_REJECTED, Reject.VENUE_ORDER_UNKNOWN, wish.instrument)
    become(&after, order, wish)
    fill_intent(kernel, &intent, seat, &after, orders_list(&context.orders, seat.number, wish.instrument))
    without(&intent, order)
    fact.head.flags = Flag.SELL if order.is_sell else 0
    fact.head.price = intent.price
    fact.head.quantity = after.quantity + order.filled + order.reduced
    fact.tail.trigger = wish.trigger
    found = Reject.VENUE_AMEND_TOO_SMALL if after.quantity <= 0 else check_order(
        &kernel.limits[seat.number * context.market_count + wish.instrument], &kernel.rate, &market.terms, &intent
    )
    if found != Reject.ACCEPTED:
        return refuse_change(kernel, seat, seat.on_amend_reject, &fact, Kind.AMEND_REJECTED, found, wish.instrument)
    fact.tail.parent = wish.parent
    if wish.parent:
        give_way(kernel, order, wish.parent)
    amend_taken(kernel, order, fact.head.quantity, intent.price)
    fact.head.kind = fact.tail.kind = Kind.AMEND_ORDER
    kernel.command_count += 1
    kernel.emit(&fact)
    if kernel.send != NULL:
        kernel.send(kernel.target, &fact)
    return 0


cdef int amend_taken(Kernel kernel, OrderC* order, int64_t asked, int64_t price) except -1:
    """A change passed the gate: until the venue answers, the order counts at the worse of both."""
    rate_take(&kernel.rate, kernel.context.time_ns)
    order.amends += 1
    order.asked = asked
    if order.asked > order.worst:
        order.worst = order.asked
    if price > order.worst_price:
        order.worst_price = price
    orders_count(&kernel.context.orders, order)
    return relock(kernel, order, hold(kernel, order))


cdef int refuse_change(Kernel kernel, Seat seat, object handler, FactC* fact, uint8_t kind, uint16_t why, uint32_t index) except -1:
    fact.head.kind = fact.tail.kind = kind
    fact.tail.reject = why
    kernel.emit(fact)
    if handler is not None and not seat.quarantined:
        kernel._tell_refusal(seat, handler, fact, index)
    return 1


cdef int commit_cancel(Kernel kernel, Seat seat, const WishC* wish) except -1:
    """Returns 1 where the cancel was refused."""
    cdef ContextC* context = &kernel.context
    cdef OrderC* order = orders_get(&context.orders, wish.id)
    cdef FactC fact
    cdef uint8_t state
    memset(&fact, 0, sizeof(FactC))
    fact.head.time_ns = context.time_ns
    fact.head.id = wish.id
    fact.head.instrument = context.markets[wish.instrument].terms.id
    fact.head.owner = seat.number
    fact.tail.cause = context.sequence
    fact.tail.flags = Flag.CONT
    if order == NULL or order.strategy != seat.number:
        return refuse_change(kernel, seat, seat.on_cancel_reject, &fact, Kind.CANCEL_REJECTED, Reject.VENUE_ORDER_UNKNOWN, wish.instrument)
    state = <uint8_t>order_next_state(order.state, Kind.CANCEL_ORDER)
    if state == 0:
        return 0                    # a cancel is on its way already
    order.state = state
    give_way(kernel, order, wish.parent)
    fact.tail.parent = wish.parent
    fact.head.flags = Flag.SELL if order.is_sell else 0
    fact.head.kind = fact.tail.kind = Kind.CANCEL_ORDER
    kernel.command_count += 1
    kernel.emit(&fact)
    if kernel.send != NULL:
        kernel.send(kernel.target, &fact)
    return 0


cdef int cancel_open(Kernel kernel, Seat seat, uint32_t index) except -1:
    """All but what guards a position."""
    cdef WishC wish
    cdef OrderC* order
    cdef uint32_t handle = orders_list(&kernel.context.orders, seat.number, index).head
    memset(&wish, 0, sizeof(WishC))
    while orders_walk(&kernel.context.orders, &handle, &order):
        if order.flags & OrderFlag.PROTECTIVE:
            continue
        wish.id = order.id
        wish.instrument = index
        commit_cancel(kernel, seat, &wish)
    return 0


cdef int64_t needed(Kernel kernel, const MarketC* market, bint is_sell, int64_t price, int64_t quantity) noexcept nogil:
    """Money units an order holds: of base for a sale; of quote with the taker fee for a buy. Huge on overflow."""
    cdef int overflow = 0
    cdef int64_t amount
    if is_sell:
        amount = muldiv_up(quantity, 1, market.terms.base_num, market.terms.base_den, &overflow)
    else:
        amount = notional_up(&market.terms, price, quantity, &overflow)
        if not kernel.fee_in_base:
            add(&amount, muldiv_up(amount, kernel.lock_fee, 1, FEE_SCALE, &overflow), &overflow)
    return NO_ASK if overflow else amount


cdef int relock(Kernel kernel, OrderC* order, int64_t needed) noexcept nogil:
    """Hold `needed` for an order instead of what it held. Orders of contracts hold together with their position."""
    cdef const MarketC* market = &kernel.context.markets[order.instrument]
    if market.terms.kind != SPOT:
        return collateral_hold(&kernel.context, order.strategy, order.instrument, kernel.lock_fee)
    balance_of(kernel, order).locked += needed - order.locked
    order.locked = needed
    return 0


cdef inline BalanceC* balance_of(Kernel kernel, const OrderC* order) noexcept nogil:
    """The balance that an order of spot holds a part of."""
    cdef const InstrumentC* terms = &kernel.context.markets[order.instrument].terms
    return ledger_balance(&kernel.context.ledger, 0, terms.base if order.is_sell else terms.quote)


cdef int make_place(FactC* fact, const ContextC* context, const WishC* wish, uint32_t instrument, int64_t price) noexcept nogil:
    memset(fact, 0, sizeof(FactC))
    fact.head.time_ns = context.time_ns
    fact.head.price = price
    fact.head.quantity = wish.quantity
    fact.head.id = wish.id
    fact.head.instrument = instrument
    fact.head.kind = Kind.PLACE_ORDER
    fact.head.flags = Flag.SELL if wish.is_sell else 0
    fact.head.owner = wish.strategy
    fact.tail.cause = context.sequence
    fact.tail.order_type = wish.order_type
    fact.tail.time_in_force = wish.time_in_force
    fact.tail.trigger = wish.trigger
    fact.tail.display = wish.trail
    fact.tail.parent = wish.parent
    fact.tail.kind = Kind.PLACE_ORDER
    fact.tail.flags = Flag.CONT | wish.flags
    fact.head.id2 = <uint64_t>wish.stop
    fact.head.venue_sequence = <uint64_t>wish.target
    fact.tail.trade_id = <uint64_t>wish.distance
    return 0


cdef inline int64_t at_most_held(const WishC* wish, int64_t held) noexcept nogil:
    """What an order that only reduces asks for: no more than is there."""
    if not wish.is_sell:
        held = -held
    return held if 0 < held < wish.quantity else wish.quantity


cdef int become(WishC* after, const OrderC* order, const WishC* wish) noexcept nogil:
    """What would remain of an order after a change, as the wish of an order."""
    memset(after, 0, sizeof(WishC))
    after.id = order.id
    after.parent = order.parent
    after.instrument = order.instrument
    after.strategy = order.strategy
    after.is_sell = order.is_sell
    after.order_type = order.order_type
    after.time_in_force = order.time_in_force
    after.flags = order.flags
    after.price = wish.price if wish.price else order.price
    after.trigger = wish.trigger if wish.trigger else order.trigger
    after.trail = order.trail
    after.quantity = (wish.quantity if wish.quantity else order.asked) - order.filled - order.reduced
    if order.trigger == 0 and order.order_type > OrderType.MARKET:
        after.order_type = OrderType.LIMIT          # its trigger was met
    return 0


cdef int without(IntentC* intent, const OrderC* order) noexcept nogil:
    """Look at an account as if this order were not there: it is to be replaced."""
    if order.is_sell:
        intent.open_sells -= order.counted
        intent.free_base += order.locked
    else:
        intent.open_buys -= order.counted
        intent.free_quote += order.locked
    intent.orders_open -= 1
    return 0
