"""Guards: what the kernel does so that a position that was to be guarded is.

A guard rests at the venue, not here, so that it works while the engine is dead. It is placed in the same step in which the entry's
fill is taken in; as the entry fills further, the guards are amended up; what they fill is counted. A stop and a target share their
lots at the venue (one group), so both together never close more than was opened.

When the venue ends a guard by itself (no liquidity, a refusal), or our own gate refuses it, what is left is guarded again after
`RETRY_NS`, by the market where the stop was triggered already; not where it is too small, which waiting does not mend. A target does
not stand without its stop: where that is refused, or is gone by the time that the target reaches the venue, so is the target: the
two travel by themselves, and a stop that is met before its target has arrived has closed already what the target would close once
more. A guard that the strategy cancels stays cancelled.

Guards make room for the order that is to close what they guard. When that order has ended, and no other that reduces is open, what it
left of the position is guarded as before: a market too thin, a refusal of the venue or a limit that was taken back leaves nothing bare.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from tradebot._core.book cimport NO_ASK
from tradebot._core.context cimport WISH_AMEND, WISH_PLACE, MarketC, WishC
from tradebot._core.instrument cimport SPOT, InstrumentC
from tradebot._core.kernel cimport Kernel, Seat
from tradebot._core.ledger cimport ledger_position
from tradebot._core.market cimport trigger_price
from tradebot._core.orders cimport OrderC, lots_most, order_remaining, orders_count, orders_get, orders_list, orders_walk
from tradebot._core.protection cimport ProtectionC, protections_add, protections_get, protections_of_timer, protections_remove, unguarded_after
from tradebot._core.timers cimport KERNEL_OWNER, timers_add
from tradebot._core.types cimport ExtraC, Kind, OrderFlag, OrderState, OrderType, RecordC, Reject, TimeInForce
from tradebot._core.wishes cimport commit_amend, commit_place, hold, needed, refuse_place, relock, whole_of

cdef int64_t RETRY_NS = 1_000_000_000   # after the venue ended a guard by itself, or the gate refused it


cdef int note_guards(Kernel kernel, Seat seat, const OrderC* order, const RecordC* record, const ExtraC* extra) except -1:
    """What happened to an order that is guarded, or that guards."""
    cdef ProtectionC* protection
    cdef OrderC* other
    cdef bint is_done = order.state == OrderState.DONE
    if order.guards:
        protection = protections_get(&kernel.protections, order.id)
        if record.kind == Kind.ORDER_FILLED:
            protection.filled += record.quantity
            if kernel.context.markets[order.instrument].terms.kind == SPOT and extra.fee_asset == kernel.context.markets[order.instrument].terms.base:
                protection.fee += extra.fee     # a contract's fee is paid out of its margin, not out of what was bought
        protection.entry_done = is_done
        if is_done or (record.kind == Kind.ORDER_FILLED and not is_immediate(order)):
            guard(kernel, seat, order.id)
    if order.parent:
        protection = protections_get(&kernel.protections, order.parent)
        if record.kind == Kind.ORDER_FILLED:
            protection.closed += record.quantity
            other = orders_get(&kernel.context.orders, protection.stop_id if protection.target_id == order.id else protection.target_id)
            if other != NULL:
                other.reduced += record.quantity if record.quantity < order_remaining(other) else order_remaining(other)
                orders_count(&kernel.context.orders, other)
                relock(kernel, other, hold(kernel, other))
        elif record.kind == Kind.ORDER_TRIGGERED:
            protection.met = 1
        elif record.kind in (Kind.ORDER_AMENDED, Kind.AMEND_REJECTED, Kind.CANCEL_REJECTED):
            relock_reducing(kernel, order)
        if is_done:
            guard_ended(kernel, seat, order, record, extra)
        elif record.kind == Kind.CANCEL_REJECTED:
            stand_again(kernel, seat, order.parent)
    if kernel.context.wish_count:
        kernel.commit(seat)
    return 0


cdef int give_way(Kernel kernel, const OrderC* guard, uint64_t closing_id) noexcept nogil:
    """A guard was asked to go, or to become smaller: for the order that is to close the position, or, where that is 0, for good."""
    cdef ProtectionC* protection = protections_get(&kernel.protections, guard.parent) if guard.parent else NULL
    if protection != NULL:
        protection.yields_to = closing_id
    return 0


cdef int note_closing_ended(Kernel kernel, Seat seat, uint64_t id) except -1:
    """An order ended: those that made room for it guard what it left."""
    cdef uint32_t at = kernel.protections.count
    while at:
        at -= 1
        if kernel.protections.items[at].yields_to == id:
            stand_again(kernel, seat, kernel.protections.items[at].id)
    if kernel.context.wish_count:
        kernel.commit(seat)
    return 0


cdef int stand_again(Kernel kernel, Seat seat, uint64_t id) except -1:
    """Guard what is left of a position, where the order that the guards made room for has ended and their own answers are in."""
    cdef ProtectionC* protection = protections_get(&kernel.protections, id)
    cdef uint64_t other
    if protection == NULL or protection.yields_to == 0 or orders_get(&kernel.context.orders, protection.yields_to) != NULL:
        return 0
    if is_going(kernel, protection.stop_id) or is_going(kernel, protection.target_id):
        return 0
    other = closing_order(kernel, protection)
    if other:
        protection.yields_to = other
        return 0
    protection.yields_to = 0
    count_closed(kernel, protection)
    return guard(kernel, seat, id)


cdef inline int64_t held_lots(Kernel kernel, const ProtectionC* protection) noexcept nogil:
    """Lots of the position that the guards would close; negative where it is on the other side."""
    cdef int64_t held = ledger_position(&kernel.context.ledger, protection.strategy, protection.instrument).quantity
    return held if protection.is_sell else -held


cdef int64_t closing_lots(Kernel kernel, const ProtectionC* protection) noexcept nogil:
    """Lots of the position that open orders which guard nothing are still to close."""
    cdef uint32_t handle = orders_list(&kernel.context.orders, protection.strategy, protection.instrument).head
    cdef OrderC* order
    cdef int64_t sum = 0
    while orders_walk(&kernel.context.orders, &handle, &order):
        if order.id == protection.yields_to or is_closing(order, protection):
            sum += order_remaining(order)
    return sum


cdef uint64_t closing_order(Kernel kernel, const ProtectionC* protection) noexcept nogil:
    """An open order that reduces the position and guards nothing; 0 without one."""
    cdef uint32_t handle = orders_list(&kernel.context.orders, protection.strategy, protection.instrument).head
    cdef OrderC* order
    while orders_walk(&kernel.context.orders, &handle, &order):
        if is_closing(order, protection):
            return order.id
    return 0


cdef inline bint is_closing(const OrderC* order, const ProtectionC* protection) noexcept nogil:
    return order.flags & OrderFlag.REDUCE_ONLY and order.parent == 0 and order.is_sell == protection.is_sell


cdef int count_closed(Kernel kernel, ProtectionC* protection) noexcept nogil:
    """What others closed of it is not to be guarded any more: that is what it lacks of the position that no other guards."""
    cdef const InstrumentC* terms = &kernel.context.markets[protection.instrument].terms
    cdef int64_t lots = held_lots(kernel, protection) - guarded_by_others(kernel, protection)
    lots = unguarded_after(protection, terms, protection.closed) - max(lots, 0)
    if lots > 0:
        protection.closed += lots
        protection.base += lots
    return 0


cdef int64_t guarded_by_others(Kernel kernel, const ProtectionC* protection) noexcept nogil:
    """Lots of the same position that guards of other entries are asked to close."""
    cdef const ProtectionC* other
    cdef const OrderC* order
    cdef int64_t sum = 0
    cdef uint32_t at
    for at in range(kernel.protections.count):
        other = &kernel.protections.items[at]
        if other.id == protection.id or other.strategy != protection.strategy or other.instrument != protection.instrument:
            continue
        order = orders_get(&kernel.context.orders, other.stop_id if other.stop_id else other.target_id)
        if order != NULL and order.is_sell == protection.is_sell and order.state != OrderState.CANCELLING:
            sum += order.asked - order.filled - order.reduced
    return sum


cdef inline bint is_going(Kernel kernel, uint64_t id) noexcept nogil:
    """Whether a guard is open whose cancel is on its way."""
    cdef const OrderC* order = orders_get(&kernel.context.orders, id) if id else NULL
    return order != NULL and order.state == OrderState.CANCELLING


cdef int guard_ended(Kernel kernel, Seat seat, const OrderC* order, const RecordC* record, const ExtraC* extra) except -1:
    """A guard left: pass on what it held, and guard what is bare unless the strategy wanted it so."""
    cdef ProtectionC* protection = protections_get(&kernel.protections, order.parent)
    cdef bint came_late = record.kind == Kind.ORDER_REJECTED and extra.reject == Reject.VENUE_GROUP_DONE    # its stop was gone
    if protection.stop_id == order.id:
        protection.stop_id = 0
    else:
        protection.target_id = 0
    relock_reducing(kernel, order)
    if protection.yields_to and (came_late or not extra.reject):
        return stand_again(kernel, seat, order.parent)
    if protection.stop_id or protection.target_id:
        protection.dropped = protection.stop_id == 0 and record.kind == Kind.ORDER_CANCELLED and not extra.reject
        return 0
    if came_late and not protection.dropped:
        if unguarded_after(protection, &kernel.context.markets[protection.instrument].terms, protection.closed) > 0 and not protection.timer:
            retry_later(kernel, protection)
    elif came_late:
        protection.closed = protection.filled
    elif extra.reject == Reject.VENUE_GROUP_DONE or record.kind == Kind.ORDER_FILLED:
        guard(kernel, seat, order.parent)      # nothing, unless more was opened meanwhile
    elif extra.reject and extra.reject != Reject.VENUE_REDUCE_ONLY and extra.reject != Reject.VENUE_LIQUIDATED:
        retry_later(kernel, protection)
    else:
        protection.closed = protection.filled   # by the strategy's wish, or with the position: nothing is left to guard
    return settle_protection(kernel, order.parent)


cdef int relock_reducing(Kernel kernel, const OrderC* gone) noexcept nogil:
    """A guard left, became smaller, or stays though it was to: the others that reduce the same position now hold what they need by themselves. Those that
    are going come first, for what they hold is what the rest may still count on.
    """
    cdef OrderC* order
    cdef uint32_t handle
    cdef int is_going
    for is_going in range(1, -1, -1):
        handle = orders_list(&kernel.context.orders, gone.strategy, gone.instrument).head
        while orders_walk(&kernel.context.orders, &handle, &order):
            if order.flags & OrderFlag.REDUCE_ONLY and (order.state == OrderState.CANCELLING) == is_going:
                relock(kernel, order, hold(kernel, order))
    return 0


cdef int settle_protection(Kernel kernel, uint64_t id) except -1:
    """Forget a protection that has nothing more to do."""
    cdef ProtectionC* protection = protections_get(&kernel.protections, id)
    if protection == NULL or kernel.context.folding:
        return 0
    if protection.entry_done and not (protection.stop_id or protection.target_id or protection.timer or protection.yields_to):
        protections_remove(&kernel.protections, id)
    return 0


cdef int retry_later(Kernel kernel, ProtectionC* protection) except -1:
    protection.timer = timers_add(&kernel.context.timers, kernel.context.time_ns + RETRY_NS, 0, KERNEL_OWNER)
    return 0


cdef int guard_refused(Kernel kernel, uint64_t id, Reject why) except -1:
    """The gate refused what would guard: try again later, if nothing else guards and waiting may mend it."""
    cdef ProtectionC* protection = protections_get(&kernel.protections, id)
    if protection.stop_id or protection.target_id or protection.timer:
        return 0
    if why == Reject.QUANTITY_TOO_SMALL or why == Reject.NOTIONAL_TOO_SMALL:
        return 0
    return retry_later(kernel, protection)


cdef int guard_again(Kernel kernel, uint64_t number) except -1:
    """The venue ended a guard by itself a while ago, or the gate refused it."""
    cdef ProtectionC* protection = protections_of_timer(&kernel.protections, number)
    cdef Seat seat = kernel.seats[protection.strategy]
    protection.timer = 0
    guard(kernel, seat, protection.id)
    if kernel.context.wish_count:
        kernel.commit(seat)
    return 0


cdef int guard_later(Kernel kernel, uint64_t number, int64_t now_ns) except -1:
    """That came due while nobody ran: it is tried once the session goes on, at `now_ns`."""
    cdef ProtectionC* protection = protections_of_timer(&kernel.protections, number)
    protection.timer = timers_add(&kernel.context.timers, now_ns + RETRY_NS, 0, KERNEL_OWNER)
    return 0


cdef int guard(Kernel kernel, Seat seat, uint64_t id) except -1:
    """Guard what a protection has not covered yet: place its guards, or ask more of those that are open."""
    cdef ProtectionC* protection = protections_get(&kernel.protections, id)
    cdef const InstrumentC* terms = &kernel.context.markets[protection.instrument].terms
    cdef int64_t lots, held
    if kernel.context.folding:
        return 0                # what was placed then comes as it was recorded
    held = held_lots(kernel, protection)
    if protection.yields_to:
        held = max(held - closing_lots(kernel, protection), 0)
    if protection.stop_id or protection.target_id:
        lots = unguarded_after(protection, terms, protection.base)
        amend_guard(kernel, seat, protection.stop_id, lots, held if protection.yields_to else NO_ASK)
        return amend_guard(kernel, seat, protection.target_id, lots, held if protection.yields_to else NO_ASK)
    if protection.timer:
        return 0
    lots = unguarded_after(protection, terms, protection.closed)
    if lots > held:
        lots = held
    if lots > 0 and (protection.entry_done or lots >= terms.quantity_min):
        place_guards(kernel, seat, id, lots)
    return settle_protection(kernel, id)


cdef int place_guards(Kernel kernel, Seat seat, uint64_t id, int64_t lots) except -1:
    """A stop, then a target; each is a wish of the strategy that passes the gate as any other."""
    cdef ProtectionC* protection = protections_get(&kernel.protections, id)
    cdef MarketC* market = &kernel.context.markets[protection.instrument]
    cdef WishC wish
    cdef int refused = 0
    protection.base = protection.closed
    protection.dropped = 0
    memset(&wish, 0, sizeof(WishC))
    wish.kind = WISH_PLACE
    wish.parent = id
    wish.quantity = lots
    wish.instrument = protection.instrument
    wish.strategy = protection.strategy
    wish.is_sell = protection.is_sell
    wish.flags = OrderFlag.REDUCE_ONLY | OrderFlag.PROTECTIVE
    if protection.met:
        wish.order_type = OrderType.MARKET
        wish.time_in_force = TimeInForce.IOC
        place_guard(kernel, seat, &wish, 0)
        return 0
    if protection.stop or protection.distance:
        wish.order_type = OrderType.TRAILING_STOP if protection.distance else OrderType.STOP
        wish.time_in_force = TimeInForce.GTC
        wish.trail = protection.distance
        wish.trigger = protection.stop
        if wish.trigger == 0:
            wish.trigger = trigger_price(&kernel.context, market) + (-wish.trail if wish.is_sell else wish.trail)
        refused = place_guard(kernel, seat, &wish, 0)
        protection = protections_get(&kernel.protections, id)
    if protection.target:
        wish.order_type = OrderType.LIMIT
        wish.time_in_force = TimeInForce.GTC
        wish.trail = wish.trigger = 0
        wish.price = protection.target
        if refused:
            name_guard(kernel, &wish)
            refuse_place(kernel, seat, &wish, wish.price, <Reject>refused)
        else:
            if protection.stop_id:
                wish.flags |= OrderFlag.JOINS
            place_guard(kernel, seat, &wish, 1)
    return 0


cdef int place_guard(Kernel kernel, Seat seat, WishC* wish, bint is_target) except -1:
    """Its id is noted before it is asked for: the gate has to know what shares its lots with what. Returns the Reject of the gate, or 0."""
    cdef ProtectionC* protection = protections_get(&kernel.protections, wish.parent)
    cdef int refused
    name_guard(kernel, wish)
    if is_target:
        protection.target_id = wish.id
    else:
        protection.stop_id = wish.id
    refused = commit_place(kernel, seat, wish)
    if refused:
        protection = protections_get(&kernel.protections, wish.parent)
        if is_target:
            protection.target_id = 0
        else:
            protection.stop_id = 0
        guard_refused(kernel, wish.parent, <Reject>refused)
    return refused


cdef inline int name_guard(Kernel kernel, WishC* wish) except -1:
    kernel.context.order_number += 1
    wish.id = kernel.context.order_base | kernel.context.order_number
    return 0


cdef int amend_guard(Kernel kernel, Seat seat, uint64_t id, int64_t total, int64_t room) except -1:
    """Ask for `total` lots in all, of which no more than `room` are still to be filled."""
    cdef const OrderC* order = orders_get(&kernel.context.orders, id)
    cdef WishC wish
    if order != NULL and room < total - order.filled - order.reduced:
        total = order.filled + order.reduced + room
    if order == NULL or order.state == OrderState.CANCELLING or order.asked >= total:
        return 0
    memset(&wish, 0, sizeof(WishC))
    wish.kind = WISH_AMEND
    wish.id = id
    wish.quantity = total
    wish.instrument = order.instrument
    wish.strategy = order.strategy
    return commit_amend(kernel, seat, &wish)


cdef int protect(Kernel kernel, Seat seat, const WishC* wish) except -1:
    """Guard what the strategy holds now. Returns the Reject where there is nothing, else 0."""
    cdef int64_t held = ledger_position(&kernel.context.ledger, seat.number, wish.instrument).quantity
    cdef WishC entry = wish[0]
    entry.is_sell = held < 0
    if held == 0:
        return refuse_place(kernel, seat, wish, wish.stop, Reject.NOTHING_TO_REDUCE)
    note_protection(kernel, &entry, held if held > 0 else -held, 1)
    guard(kernel, seat, wish.id)
    return 0


cdef int note_protection(Kernel kernel, const WishC* wish, int64_t filled, bint entry_done) except -1:
    cdef ProtectionC protection
    memset(&protection, 0, sizeof(ProtectionC))
    protection.id = wish.id
    protection.stop = wish.stop
    protection.target = wish.target
    protection.distance = wish.distance
    protection.filled = filled
    protection.instrument = wish.instrument
    protection.strategy = wish.strategy
    protection.is_sell = not wish.is_sell
    protection.entry_done = entry_done
    return protections_add(&kernel.protections, &protection)


cdef int64_t lots_shared(Kernel kernel, uint64_t parent, uint64_t id) noexcept nogil:
    """Lots of a target that an open stop guards too: the stop holds them."""
    cdef const ProtectionC* protection = protections_get(&kernel.protections, parent) if parent else NULL
    cdef const OrderC* stop
    if protection == NULL or protection.target_id != id or protection.stop_id == 0:
        return 0
    stop = orders_get(&kernel.context.orders, protection.stop_id)
    return lots_most(stop) if stop != NULL else 0


cdef int64_t spare_of_guards(Kernel kernel, uint16_t strategy, uint32_t index, uint64_t id, int64_t kept) noexcept nogil:
    """Money units of guards that their cancels and changes under way set free, and those before the order `id` that leave them `kept`
    lots: what reaches the venue after may use them to reduce. What other orders than `id` count on already is not free for it.
    """
    cdef uint32_t handle = orders_list(&kernel.context.orders, strategy, index).head
    cdef OrderC* order
    cdef int64_t sum = 0, lacking
    while orders_walk(&kernel.context.orders, &handle, &order):
        if order.flags & OrderFlag.REDUCE_ONLY and order.state != OrderState.CANCELLING and order.id != id:
            lacking = whole_of(kernel, order) - order.locked
            sum -= lacking if lacking > 0 else 0
        if not order.flags & OrderFlag.PROTECTIVE:
            continue
        if order.state == OrderState.CANCELLING:
            sum += order.locked
        elif order.locked and (order.asked < order.quantity or order.asked - order.filled - order.reduced > kept):
            sum += order.locked - needed(
                kernel, &kernel.context.markets[order.instrument], order.is_sell, order.price, min(order.asked - order.filled - order.reduced, kept)
            )
    return sum if sum > 0 else 0


cdef inline bint is_immediate(const OrderC* order) noexcept nogil:
    """It ends in the instant it arrives, so its fills are guarded together."""
    return order.time_in_force == TimeInForce.IOC or order.time_in_force == TimeInForce.FOK
