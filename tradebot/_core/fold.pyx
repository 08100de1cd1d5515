"""Taking in what was recorded when the code that did it has changed since.

Recovery steps the facts again and the same strategies come to the same commands. Strategies that were edited would not. So their facts are folded:
books, orders and ledger take them, nobody is called, and each command that was recorded is taken as the kernel took it when it had
passed the gate: it is open, and holds what it holds. Guards follow their entries by the same rules, with their orders as recorded. What
the old code asked timers and bars for is gone with it; the digest is that of the run, since each output names the fact that it followed.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from tradebot._core.context cimport WISH_PLACE, WishC
from tradebot._core.digest cimport digest_slot
from tradebot._core.guards cimport give_way, guard_later, guard_refused, settle_protection
from tradebot._core.kernel cimport Kernel, Seat
from tradebot._core.orders cimport OrderC, order_next_state, orders_get, orders_list
from tradebot._core.protection cimport ProtectionC, protections_add, protections_get, protections_of_timer
from tradebot._core.risk cimport IntentC
from tradebot._core.timers cimport KERNEL_OWNER, MISSED_NS, TimerC, timers_cancel, timers_fire, timers_next_ns
from tradebot._core.types cimport ExtraC, FactC, Flag, Kind, OrderFlag, OrderType, RecordC, Reject
from tradebot._core.wishes cimport amend_taken, fill_intent, place_taken

cdef enum:
    NUMBER_MASK = 0xFFFFFFFFFF  # the number in an order id: domain.orders


cdef int fold_fact(Kernel kernel, const RecordC* record, const ExtraC* extra) except -1:
    """Take in one fact; what followed it is then given to `fold_output`, in order."""
    release_timers(kernel, record)
    settle_all(kernel)
    kernel.context.folding = 1
    try:
        if record.kind != Kind.TIMER:
            return kernel.step(record, extra)
        assert record.time_ns >= kernel.context.time_ns, "time ran back"
        kernel.context.sequence += 1
        kernel.context.time_ns = record.time_ns
        kernel.missed_ns = <int64_t>record.id2
        digest_slot(&kernel.digest, record)
    finally:
        kernel.context.folding = 0
    return 0


cdef int settle_all(Kernel kernel) except -1:
    """Forget the protections that ended with the fact before, now that what followed it is known."""
    cdef uint32_t at = kernel.protections.count
    while at:
        at -= 1
        settle_protection(kernel, kernel.protections.items[at].id)
    return 0


cdef int release_timers(Kernel kernel, const RecordC* record) except -1:
    """Let go of timers whose TIMER facts are all past. What a guard that waited to be tried again came to is known then; of several
    that are due at once each has a fact of its own, and is not past before the last of them."""
    cdef ProtectionC* protection
    cdef TimerC timer
    while timers_next_ns(&kernel.context.timers) < record.time_ns + (record.kind != Kind.TIMER):
        timers_fire(&kernel.context.timers, &timer)
        protection = protections_of_timer(&kernel.protections, timer.number)
        if timer.owner != KERNEL_OWNER or protection == NULL:
            continue
        if timer.due_ns < kernel.missed_ns - MISSED_NS:
            guard_later(kernel, timer.number, kernel.missed_ns)
        else:
            protection.timer = 0
    return 0


cdef int fold_output(Kernel kernel, const FactC* output) except -1:
    """Take in a command, or a refusal of the gate, that followed the last fact."""
    cdef uint64_t number = output.head.id & NUMBER_MASK
    digest_slot(&kernel.digest, &output.head)
    digest_slot(&kernel.digest, &output.tail)
    if output.head.kind == Kind.STRATEGY_QUARANTINED:
        return 0
    if number > kernel.context.order_number:
        kernel.context.order_number = number
    if output.head.kind == Kind.PLACE_ORDER:
        return fold_place(kernel, output)
    if output.head.kind == Kind.ORDER_REJECTED and output.tail.flags & OrderFlag.PROTECTIVE and output.tail.parent:
        return fold_refused_guard(kernel, output)
    if output.head.kind == Kind.AMEND_ORDER:
        return fold_amend(kernel, output)
    if output.head.kind == Kind.CANCEL_ORDER:
        return fold_cancel(kernel, output)
    return 0


cdef int fold_place(Kernel kernel, const FactC* output) except -1:
    cdef uint32_t index = kernel.market_of(output.head.instrument)
    cdef Seat seat = kernel.seats[output.head.owner]
    cdef WishC wish
    cdef IntentC intent
    wished(&wish, output, index)
    if wish.flags & OrderFlag.PROTECTIVE and wish.parent:
        fold_guard(kernel, &wish)
    fill_intent(kernel, &intent, seat, &wish, orders_list(&kernel.context.orders, seat.number, index))
    intent.price = wish.price
    return place_taken(kernel, &wish, &intent)


cdef int wished(WishC* wish, const FactC* output, uint32_t index) noexcept nogil:
    """The wish that an order, or its refusal, was made of."""
    memset(wish, 0, sizeof(WishC))
    wish.kind = WISH_PLACE
    wish.id = output.head.id
    wish.price = output.head.price
    wish.quantity = output.head.quantity
    wish.instrument = index
    wish.strategy = output.head.owner
    wish.is_sell = output.head.flags & Flag.SELL
    wish.order_type = output.tail.order_type
    wish.time_in_force = output.tail.time_in_force
    wish.flags = output.tail.flags & ~<int>Flag.CONT
    wish.trigger = output.tail.trigger
    wish.trail = output.tail.display
    wish.parent = output.tail.parent
    wish.stop = <int64_t>output.head.id2
    wish.target = <int64_t>output.head.venue_sequence
    wish.distance = <int64_t>output.tail.trade_id
    return 0


cdef int fold_refused_guard(Kernel kernel, const FactC* output) except -1:
    """The gate refused a guard: its protection waits to try again, as it does where that is not folded."""
    cdef ProtectionC* protection
    cdef WishC wish
    wished(&wish, output, kernel.market_of(output.head.instrument))
    fold_guard(kernel, &wish)
    protection = protections_get(&kernel.protections, wish.parent)
    if protection.target_id == wish.id:
        protection.target_id = 0
    else:
        protection.stop_id = 0
    return guard_refused(kernel, wish.parent, <Reject>output.tail.reject)


cdef int fold_guard(Kernel kernel, const WishC* wish) except -1:
    """A guard was placed, or refused: its protection is that of its entry, or, where a strategy guarded what it held, begins with it."""
    cdef ProtectionC* protection = protections_get(&kernel.protections, wish.parent)
    cdef bint is_target = wish.order_type == OrderType.LIMIT
    if protection == NULL:
        protection = begin_protection(kernel, wish)
    protection.base = protection.closed
    timers_cancel(&kernel.context.timers, protection.timer, KERNEL_OWNER)       # it has waited, or its other guard was refused with it
    protection.timer = 0
    if is_target:
        protection.target = wish.price
        protection.target_id = wish.id
        return 0
    protection.stop_id = wish.id
    if wish.trail:
        protection.distance = wish.trail
    elif wish.trigger:
        protection.stop = wish.trigger
    return 0


cdef ProtectionC* begin_protection(Kernel kernel, const WishC* wish) except NULL:
    cdef ProtectionC protection
    memset(&protection, 0, sizeof(ProtectionC))
    protection.id = wish.parent
    protection.filled = wish.quantity
    protection.instrument = wish.instrument
    protection.strategy = wish.strategy
    protection.is_sell = wish.is_sell
    protection.entry_done = 1
    protections_add(&kernel.protections, &protection)
    return protections_get(&kernel.protections, wish.parent)


cdef int fold_amend(Kernel kernel, const FactC* output) except -1:
    cdef OrderC* order = orders_get(&kernel.context.orders, output.head.id)
    assert order != NULL, "a recorded change names an order that is not open"
    if output.tail.parent:
        give_way(kernel, order, output.tail.parent)
    amend_taken(kernel, order, output.head.quantity, output.head.price)
    kernel.command_count += 1
    return 0


cdef int fold_cancel(Kernel kernel, const FactC* output) except -1:
    cdef OrderC* order = orders_get(&kernel.context.orders, output.head.id)
    assert order != NULL, "a recorded cancel names an order that is not open"
    give_way(kernel, order, output.tail.parent)
    order.state = <uint8_t>order_next_state(order.state, Kind.CANCEL_ORDER)
    kernel.command_count += 1
    return 0
