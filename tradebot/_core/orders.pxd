"""The engine's open orders: an arena, an index by id, and one list per strategy and instrument."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from tradebot._core.arena cimport IdIndexC


cdef struct OrderC:
    uint64_t id
    int64_t price               # ticks; of a market order the bound its lock was taken at
    int64_t quantity            # lots
    int64_t filled              # lots
    int64_t reduced             # lots that others of its group filled
    int64_t trigger             # ticks; 0 of an order without, or whose trigger was met
    int64_t trail               # ticks; 0: the trigger stays
    int64_t asked               # lots in all as last asked for; the most of what is under way in `worst`
    int64_t worst
    int64_t worst_price         # ticks: the dearest of what is under way; 0: no more than `price`
    int64_t counted             # lots of it in the list's open_buys or open_sells
    uint64_t parent             # its group; 0: none
    int64_t locked              # money units held of quote (buy) or base (sale)
    int64_t sent_ns
    uint32_t instrument         # index
    uint32_t next               # in its list, and in the free list
    uint32_t prev
    uint16_t strategy
    uint8_t is_sell
    uint8_t order_type
    uint8_t time_in_force
    uint8_t state               # OrderState
    uint8_t flags               # OrderFlag
    uint8_t guards              # it has a protection: what it fills is to be guarded
    uint8_t amends              # changes under way


cdef struct OrderListC:         # of one strategy in one instrument
    uint32_t head
    uint32_t tail
    uint32_t count
    int64_t open_buys           # lots that remain, at the most that is asked for; without orders that only reduce
    int64_t open_sells


cdef struct OrdersC:
    OrderC* items
    uint32_t items_max
    uint32_t used
    uint32_t free
    IdIndexC by_id
    OrderListC* lists           # [strategy * instruments + instrument]
    uint32_t instruments
    uint32_t strategies
    uint32_t count


cdef int orders_open(OrdersC* orders, uint32_t strategies, uint32_t instruments) except -1
cdef int orders_close(OrdersC* orders) noexcept nogil
cdef OrderC* orders_add(OrdersC* orders, const OrderC* order) except NULL nogil
cdef int orders_remove(OrdersC* orders, OrderC* order) noexcept nogil
cdef OrderC* orders_get(const OrdersC* orders, uint64_t id) noexcept nogil
cdef int orders_take(OrdersC* orders, OrderC* order, int64_t lots) noexcept nogil
cdef object orders_to_list(const OrdersC* orders)
cdef int orders_from_list(OrdersC* orders, object state) except -1
cdef int orders_count(OrdersC* orders, OrderC* order) noexcept nogil
cdef int order_next_state(uint8_t state, uint8_t kind) noexcept nogil


cdef inline int64_t order_remaining(const OrderC* order) noexcept nogil:
    """Lots it may still fill."""
    return order.quantity - order.filled - order.reduced


cdef inline int64_t lots_fillable(const OrderC* order) noexcept nogil:
    """Lots that a fill of it may have. What others of its group filled is ours to expect and the venue's to carry out: a fill that goes
    against it has happened all the same.
    """
    return order.quantity - order.filled


cdef inline int64_t lots_most(const OrderC* order) noexcept nogil:
    """Lots it may still fill, at the most that is asked of it."""
    return (order.worst if order.worst > order.quantity else order.quantity) - order.filled - order.reduced


cdef inline OrderListC* orders_list(const OrdersC* orders, uint16_t strategy, uint32_t instrument) noexcept nogil:
    return &orders.lists[strategy * orders.instruments + instrument]


cdef inline bint orders_walk(const OrdersC* orders, uint32_t* handle, OrderC** order) noexcept nogil:
    """Hand out the order of a list at `handle`, from its head on, and move to the next; the order may leave meanwhile. False at the end."""
    order[0] = &orders.items[handle[0]]
    if handle[0] == 0:
        return False
    handle[0] = order[0].next
    return True
