"""The simulated venue on best bid and ask quotes."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from tradebot._core.types cimport RecordC
from tradebot._core.venue cimport SimulatorC, VenueMarketC


cdef int quotes_market(SimulatorC* simulator, uint32_t index, const RecordC* record) except -1 nogil
cdef int quotes_close(VenueMarketC* market) except -1 nogil
cdef double quotes_ahead(const VenueMarketC* market, uint8_t side, int64_t price) noexcept nogil
