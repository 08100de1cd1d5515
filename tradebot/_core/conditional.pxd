"""Orders that wait at the simulated venue for their trigger: stop, take-profit, trailing stop."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from tradebot._core.types cimport FactC
from tradebot._core.venue cimport ConditionalC, ConditionalListC, SimulatorC


cdef int conditional_take(SimulatorC* simulator, uint32_t index, const FactC* command) except -1 nogil
cdef int conditional_watch(SimulatorC* simulator, uint32_t index, int64_t price, bint by_mark) except -1 nogil
cdef int conditional_check(SimulatorC* simulator, uint32_t index, uint32_t at) except -1 nogil
cdef bint group_waits(const ConditionalListC* list, uint64_t parent) noexcept nogil
cdef int64_t conditional_find(const ConditionalListC* list, uint64_t id) noexcept nogil
cdef int conditional_release(SimulatorC* simulator, uint32_t index, uint32_t at, FactC* order) except -1 nogil
cdef int conditional_follow(ConditionalC* order, int64_t price) noexcept nogil
cdef bint conditional_is_met(const ConditionalC* order, int64_t price) noexcept nogil
cdef object conditionals_to_list(const ConditionalListC* list)
cdef int conditionals_from_list(ConditionalListC* list, object state) except -1
