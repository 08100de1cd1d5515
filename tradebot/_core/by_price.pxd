"""The simulated venue where the data tell prices and no book: what bar grade and trade grade share."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

from tradebot._core.priced cimport PricedC
from tradebot._core.types cimport FactC, Reject, Side
from tradebot._core.venue cimport SimulatorC, VenueMarketC


cdef int price_order(SimulatorC* simulator, uint32_t index, const FactC* command, uint8_t kind) except -1 nogil
cdef int price_act(SimulatorC* simulator, uint32_t index, const FactC* order, int64_t price) except -1 nogil
cdef bint price_would_take(const VenueMarketC* market, uint8_t side, int64_t limit) noexcept nogil
cdef int price_cancel(SimulatorC* simulator, uint32_t index, const FactC* command) except -1 nogil
cdef int price_end_all(SimulatorC* simulator, uint32_t index, uint16_t strategy, Reject why) except -1 nogil
cdef int price_fill_waiting(SimulatorC* simulator, uint32_t index, int64_t price, int64_t sent_max_ns) except -1 nogil
cdef int price_fill_through(SimulatorC* simulator, uint32_t index, uint8_t side, int64_t price, int64_t sent_max_ns, int64_t guard_max_ns) except -1 nogil
cdef int64_t price_paid(const SimulatorC* simulator, uint8_t side, int64_t price) noexcept nogil
cdef list priced_to_list(const PricedC* priced)
cdef int priced_from_list(PricedC* priced, object state) except -1


cdef inline bint is_through(uint8_t side, int64_t limit, int64_t price) noexcept nogil:
    """`price` is better than the limit by a tick or more."""
    if price == 0:
        return 0
    return price < limit if side == Side.BUY else price > limit
