"""The simulated venue where the data tell prices and no book: what bar grade and trade grade share."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from tradebot._core.types cimport FactC
from tradebot._core.venue cimport PricedC, SimulatorC, VenueMarketC, WaitingListC


cdef int price_order(SimulatorC* simulator, uint32_t index, const FactC* command) except -1 nogil
cdef int price_cancel(SimulatorC* simulator, uint32_t index, const FactC* command) except -1 nogil
cdef int price_fill_waiting(SimulatorC* simulator, uint32_t index, int64_t price, int64_t sent_max_ns) except -1 nogil
cdef int price_fill_through(SimulatorC* simulator, uint32_t index, uint8_t side, int64_t price, int64_t sent_max_ns) except -1 nogil
cdef list priced_to_list(const PricedC* priced)
cdef int priced_from_list(PricedC* priced, object state) except -1
