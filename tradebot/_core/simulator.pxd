"""The simulated venue: our orders in the recorded queue, answers after a latency."""

from libc.stdint cimport int64_t, uint32_t

from tradebot._core.arena cimport IdIndexC
from tradebot._core.types cimport FactC, RecordC
from tradebot._core.venue cimport SimulatorC


cdef int simulator_send(void* simulator, const FactC* command) except -1 nogil
cdef int simulator_market(SimulatorC* simulator, uint32_t index, const RecordC* record, int64_t time_ns) except -1 nogil
cdef int simulator_open(SimulatorC* simulator, uint32_t index, const RecordC* bar, int64_t time_ns) except -1 nogil
cdef int simulator_arrive(SimulatorC* simulator) except -1 nogil


cdef class Simulator:
    cdef SimulatorC simulator
    cdef IdIndexC by_id
