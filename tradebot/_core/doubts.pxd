"""Bars that do not tell which of a stop and a target came first."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from tradebot._core.priced cimport DoubtListC
from tradebot._core.venue cimport SimulatorC


cdef int doubts_add(SimulatorC* simulator, uint32_t index, uint64_t stop, uint64_t target, uint16_t strategy, uint8_t side, int64_t lots, int64_t stop_price, int64_t target_price, bint target_rests, bint known) except -1 nogil
cdef bytes doubts_to_bytes(const DoubtListC* doubts)
cdef int doubts_from_bytes(DoubtListC* doubts, bytes body) except -1
