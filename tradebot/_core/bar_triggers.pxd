"""Conditional orders at bar grade."""

from libc.stdint cimport int64_t, uint32_t

from tradebot._core.types cimport RecordC
from tradebot._core.venue cimport SimulatorC


cdef int triggers_open(SimulatorC* simulator, uint32_t index, int64_t price) except -1 nogil
cdef int triggers_range(SimulatorC* simulator, uint32_t index, const RecordC* bar) except -1 nogil
cdef int triggers_step(SimulatorC* simulator, uint32_t index, int64_t price) except -1 nogil
