"""The simulated venue on price levels."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from tradebot._core.match cimport MatchesC
from tradebot._core.types cimport RecordC
from tradebot._core.venue cimport SimulatorC, VenueMarketC


cdef int levels_market(SimulatorC* simulator, uint32_t index, const RecordC* record) except -1 nogil
cdef int levels_fill_crossed(SimulatorC* simulator, uint32_t index) except -1 nogil
cdef int levels_match(const VenueMarketC* market, MatchesC* matches, uint8_t side, int64_t limit, int64_t quantity) except -1 nogil
cdef int levels_take(VenueMarketC* market, const MatchesC* matches, uint8_t side) except -1 nogil
