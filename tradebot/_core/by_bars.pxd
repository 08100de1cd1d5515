"""The simulated venue at bar grade."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from tradebot._core.types cimport FactC, RecordC
from tradebot._core.venue cimport SimulatorC, VenueMarketC


cdef bint bars_fill(const VenueMarketC* market, const RecordC* record) noexcept nogil
cdef int bars_open(SimulatorC* simulator, uint32_t index, const RecordC* bar) except -1 nogil
cdef int bars_market(SimulatorC* simulator, uint32_t index, const RecordC* record) except -1 nogil
cdef int bars_order(SimulatorC* simulator, uint32_t index, const FactC* command, uint8_t kind) except -1 nogil
