"""The venue's own books of contracts: funding and liquidation."""

from libc.stdint cimport uint32_t

from tradebot._core.types cimport RecordC
from tradebot._core.venue cimport SimulatorC


cdef int clearing_open(SimulatorC* simulator, list margins, list opening, uint32_t strategies, bint pays_funding) except -1
cdef int clearing_close(SimulatorC* simulator) noexcept nogil
cdef int clearing_market(SimulatorC* simulator, uint32_t index, const RecordC* record) except -1 nogil
cdef object clearing_to_list(const SimulatorC* simulator)
cdef int clearing_from_list(SimulatorC* simulator, object state) except -1
