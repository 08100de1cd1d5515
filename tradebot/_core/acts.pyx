"""What an operator does to the engine: each act is a fact, so that a replay does it too.

Cancelling takes the way of a strategy's own cancels. Flattening cancels what is open, guards too, and sends what closes each position at
the market: orders that only reduce, and that neither a halt nor an order rate holds back. What an act asks for is
refused and told like any wish. A strategy is shut out as if it had raised: so its keeper does where a callback ends the engine or never returns.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from tradebot._core.context cimport NOBODY, WISH_PLACE, WishC
from tradebot._core.kernel cimport Kernel, Seat
from tradebot._core.ledger cimport ledger_position
from tradebot._core.orders cimport OrderC, orders_list
from tradebot._core.protection cimport ProtectionC, protections_of_timer
from tradebot._core.timers cimport TimersC
from tradebot._core.types cimport Act, ExtraC, OrderFlag, OrderType, RecordC, Reject, TimeInForce, TradingState
from tradebot._core.wishes cimport cancel_open, commit_cancel, commit_place

cdef enum:
    NUMBER_BITS = 40            # of an order id, below its epoch: domain.orders
    EPOCH_MASK = 0x1FFF
    TIMER_BITS = 32             # of a timer's number, below its epoch


cdef int begin_epoch(Kernel kernel, const RecordC* record) noexcept:
    """Orders from here on bear the epoch in their ids. Where strategies begin anew, timers do in their numbers.

    What waits still then is guards to be placed again. Their numbers, and those of the timers to come, must not depend on how the engine came
    here: by a snapshot that other strategies left, or by folding all that they did.
    """
    kernel.context.order_base = (kernel.context.order_base & ~(<uint64_t>EPOCH_MASK << NUMBER_BITS)) | ((record.id & EPOCH_MASK) << NUMBER_BITS)
    if record.id2 and kernel.context.sequence > 1:
        renumber_timers(kernel, record.id << TIMER_BITS)
    return 0


cdef int renumber_timers(Kernel kernel, uint64_t base) noexcept:
    cdef TimersC* timers = &kernel.context.timers
    cdef ProtectionC* protection
    cdef uint32_t at = timers.count
    timers.number_next = base
    while at:
        at -= 1
        timers.number_next += 1
        protection = protections_of_timer(&kernel.protections, timers.items[at].number)
        if protection != NULL:
            protection.timer = timers.number_next
        timers.items[at].number = timers.number_next
    return 0


cdef int operator_act(Kernel kernel, const RecordC* record) except -1:
    cdef Seat seat
    cdef uint32_t index
    if kernel.context.folding:
        return 0                # what was cancelled and placed then comes as it was recorded
    for seat in kernel.seats:
        if record.owner != NOBODY and record.owner != seat.number:
            continue
        if record.id == Act.QUARANTINE:
            shut_out(kernel, seat)
            continue
        for index in range(kernel.context.market_count):
            act_on(kernel, seat, index, <Act>record.id)
        if kernel.context.wish_count:
            kernel.commit(seat)
    return 0


cdef int shut_out(Kernel kernel, Seat seat) except -1:
    """Quarantine a strategy that is not; its guards stay."""
    if seat.quarantined:
        return 0
    return kernel.quarantine(seat, RuntimeError("shut out by an act, whose reason is in the log"))


cdef int act_on(Kernel kernel, Seat seat, uint32_t index, Act act) except -1:
    if act == Act.CANCEL_ENTRIES:
        return cancel_open(kernel, seat, index)
    if act != Act.FLATTEN or ledger_position(&kernel.context.ledger, seat.number, index).quantity == 0:
        return cancel_every(kernel, seat, index)
    cancel_open(kernel, seat, index)
    close_position(kernel, seat, index)     # it takes the guards along; where it is refused, for there is no market, they stay
    return 0


cdef int cancel_every(Kernel kernel, Seat seat, uint32_t index) except -1:
    """All open orders, guards too."""
    cdef WishC wish
    cdef const OrderC* order
    cdef uint32_t handle = orders_list(&kernel.context.orders, seat.number, index).head
    memset(&wish, 0, sizeof(WishC))
    while handle:
        order = &kernel.context.orders.items[handle]
        handle = order.next
        wish.id = order.id
        wish.instrument = index
        commit_cancel(kernel, seat, &wish)
    return 0


cdef int close_again(Kernel kernel, Seat seat, const OrderC* order, const ExtraC* extra, uint32_t index) except -1:
    """An order was refused. Where it was to close a position for an operator and never came to the venue, and trading has not been
    opened since, the position is closed once more: who ordered it does not hear of this.
    """
    cdef bint is_close = order.flags & OrderFlag.PROTECTIVE and order.parent == 0
    cdef bint is_lost = extra.reject == Reject.VENUE_NOT_ACCEPTED or extra.reject == Reject.TOO_OLD_TO_SEND
    if kernel.context.folding or kernel.state == TradingState.ACTIVE or not (is_close and is_lost):
        return 0
    if ledger_position(&kernel.context.ledger, seat.number, index).quantity:
        close_position(kernel, seat, index)
    return 0


cdef int close_position(Kernel kernel, Seat seat, uint32_t index) except -1:
    """Returns the Reject of the order, 0 where it was sent."""
    cdef int64_t held = ledger_position(&kernel.context.ledger, seat.number, index).quantity
    cdef WishC wish
    memset(&wish, 0, sizeof(WishC))
    kernel.context.order_number += 1
    wish.id = kernel.context.order_base | kernel.context.order_number
    wish.kind = WISH_PLACE
    wish.instrument = index
    wish.strategy = seat.number
    wish.is_sell = held > 0
    wish.quantity = held if held > 0 else -held
    wish.order_type = OrderType.MARKET
    wish.time_in_force = TimeInForce.IOC
    wish.flags = OrderFlag.REDUCE_ONLY | OrderFlag.PROTECTIVE
    wish.trims = 1
    return commit_place(kernel, seat, &wish)
