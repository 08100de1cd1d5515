"""The simulated venue at trade grade."""

from libc.stdint cimport uint32_t

from tradebot._core.types cimport RecordC
from tradebot._core.venue cimport SimulatorC


cdef int trades_market(SimulatorC* simulator, uint32_t index, const RecordC* record) except -1 nogil
