"""Open orders and the table of their life. A closed order leaves at once, so memory follows what is open.

Per strategy and instrument the list keeps order of placement, and the lots that open buys and sales could still fill:
what the risk gate needs is a field, not a walk.
"""

from libc.stdlib cimport calloc, free

from tradebot._core.arena cimport grow, index_clear, index_close, index_delete, index_get, index_open, index_put
from tradebot._core.types cimport Kind, OrderFlag, OrderState

assert sizeof(OrderC) == 136


cdef int order_next_state(uint8_t state, uint8_t kind) noexcept nogil:
    """The table of an order's life: the state after `kind`, 0 where it cannot happen. Mirrored by domain.orders.NEXT."""
    if state == OrderState.SENT:
        if kind == Kind.AMEND_ORDER:
            return OrderState.SENT
        if kind == Kind.ORDER_ACCEPTED:
            return OrderState.OPEN
        if kind == Kind.ORDER_REJECTED:
            return OrderState.DONE
        if kind == Kind.CANCEL_ORDER:
            return OrderState.CANCELLING
    elif state == OrderState.OPEN:
        if kind == Kind.ORDER_FILLED or kind == Kind.AMEND_ORDER or is_change(kind):
            return OrderState.OPEN
        if kind == Kind.ORDER_CANCELLED:
            return OrderState.DONE
        if kind == Kind.CANCEL_ORDER:
            return OrderState.CANCELLING
    elif state == OrderState.CANCELLING:
        if kind == Kind.ORDER_ACCEPTED or kind == Kind.ORDER_FILLED or is_change(kind):
            return OrderState.CANCELLING
        if kind == Kind.ORDER_REJECTED or kind == Kind.ORDER_CANCELLED:
            return OrderState.DONE
        if kind == Kind.CANCEL_REJECTED:
            return OrderState.OPEN
    return 0


cdef inline bint is_change(uint8_t kind) noexcept nogil:
    """What the venue says of an order that stays open."""
    return Kind.ORDER_AMENDED <= kind <= Kind.ORDER_TRIGGERED


def next_state(state: int, kind: int) -> int:
    """The state after `kind`, 0 where it cannot happen."""
    return order_next_state(state, kind)


cdef int orders_open(OrdersC* orders, uint32_t strategies, uint32_t instruments) except -1:
    orders.strategies = strategies
    orders.instruments = instruments
    orders.used = 1
    orders.free = 0
    orders.count = 0
    orders.items = NULL
    orders.items_max = 0
    grow(<void**>&orders.items, sizeof(OrderC), &orders.items_max, 64)
    index_open(&orders.by_id, 256)
    orders.lists = <OrderListC*>calloc(strategies * instruments + 1, sizeof(OrderListC))
    if orders.lists == NULL:
        raise MemoryError("no memory for the order lists")
    return 0


cdef int orders_close(OrdersC* orders) noexcept nogil:
    free(orders.items)
    free(orders.lists)
    index_close(&orders.by_id)
    orders.items = NULL
    orders.lists = NULL
    return 0


cdef OrderC* orders_get(const OrdersC* orders, uint64_t id) noexcept nogil:
    """The open order of that id, NULL where there is none."""
    cdef uint32_t handle = index_get(&orders.by_id, id)
    return &orders.items[handle] if handle else NULL


cdef OrderC* orders_add(OrdersC* orders, const OrderC* order) except NULL nogil:
    """Add a copy at the end of its list; pointers to other orders may move."""
    cdef uint32_t handle = orders.free
    cdef OrderListC* list = orders_list(orders, order.strategy, order.instrument)
    if handle:
        orders.free = orders.items[handle].next
    else:
        grow(<void**>&orders.items, sizeof(OrderC), &orders.items_max, orders.used + 1)
        handle = orders.used
        orders.used += 1
    orders.items[handle] = order[0]
    orders.items[handle].next = 0
    orders.items[handle].prev = list.tail
    if list.tail:
        orders.items[list.tail].next = handle
    else:
        list.head = handle
    list.tail = handle
    list.count += 1
    orders.count += 1
    orders.items[handle].counted = 0
    orders_count(orders, &orders.items[handle])
    index_put(&orders.by_id, order.id, handle)
    return &orders.items[handle]


cdef int orders_count(OrdersC* orders, OrderC* order) noexcept nogil:
    """Count an order at the most it may still fill; one that only reduces is not counted: it cannot make a position larger."""
    cdef OrderListC* list = orders_list(orders, order.strategy, order.instrument)
    cdef int64_t lots = 0
    if not order.flags & OrderFlag.REDUCE_ONLY:
        lots = lots_most(order)
    if order.is_sell:
        list.open_sells += lots - order.counted
    else:
        list.open_buys += lots - order.counted
    order.counted = lots
    return 0


cdef int orders_take(OrdersC* orders, OrderC* order, int64_t lots) noexcept nogil:
    """Count `lots` of an order as filled."""
    order.filled += lots
    return orders_count(orders, order)


cdef int orders_remove(OrdersC* orders, OrderC* order) noexcept nogil:
    cdef OrderListC* list = orders_list(orders, order.strategy, order.instrument)
    cdef uint32_t handle = index_get(&orders.by_id, order.id)
    if order.is_sell:
        list.open_sells -= order.counted
    else:
        list.open_buys -= order.counted
    if order.prev:
        orders.items[order.prev].next = order.next
    else:
        list.head = order.next
    if order.next:
        orders.items[order.next].prev = order.prev
    else:
        list.tail = order.prev
    list.count -= 1
    orders.count -= 1
    index_delete(&orders.by_id, order.id)
    order.next = orders.free
    orders.free = handle
    return 0


cdef object orders_to_list(const OrdersC* orders):
    """Open orders in canonical order: by strategy, instrument, then placement."""
    cdef uint32_t at, handle
    cdef const OrderC* order
    rows = []
    for at in range(orders.strategies * orders.instruments):
        handle = orders.lists[at].head
        while handle:
            order = &orders.items[handle]
            rows.append((
                order.id, order.price, order.quantity, order.filled, order.locked, order.sent_ns,
                order.instrument, order.strategy, order.is_sell, order.order_type, order.time_in_force, order.state,
                order.reduced, order.trigger, order.trail, order.asked, order.worst, order.worst_price, order.parent, order.flags,
                order.guards, order.amends,
            ))
            handle = order.next
    return rows


cdef int orders_from_list(OrdersC* orders, object state) except -1:
    cdef OrderC order
    cdef uint32_t at
    orders.used = 1
    orders.free = 0
    orders.count = 0
    index_clear(&orders.by_id)
    for at in range(orders.strategies * orders.instruments):
        orders.lists[at] = OrderListC(0, 0, 0, 0, 0)
    for row in state:
        (
            order.id, order.price, order.quantity, order.filled, order.locked, order.sent_ns,
            order.instrument, order.strategy, order.is_sell, order.order_type, order.time_in_force, order.state,
            order.reduced, order.trigger, order.trail, order.asked, order.worst, order.worst_price, order.parent, order.flags,
            order.guards, order.amends,
        ) = row
        order.next = order.prev = 0
        orders_add(orders, &order)
    return 0
