"""The engine's open orders: an arena, an index by id, and one list per strategy and instrument."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from tradebot._core.arena cimport IdIndexC


cdef struct OrderC:
    uint64_t id
    int64_t price               # ticks; of a market order the bound its lock was taken at
    int64_t quantity            # lots
    int64_t filled              # lots
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
    uint16_t pad


cdef struct OrderListC:         # of one strategy in one instrument
    uint32_t head
    uint32_t tail
    uint32_t count
    int64_t open_buys           # lots that remain
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
cdef int order_next_state(uint8_t state, uint8_t kind) noexcept nogil


cdef inline OrderListC* orders_list(const OrdersC* orders, uint16_t strategy, uint32_t instrument) noexcept nogil:
    return &orders.lists[strategy * orders.instruments + instrument]
