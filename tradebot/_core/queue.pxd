"""Facts that wait for their time: a binary heap by (time, sequence of arrival)."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from tradebot._core.types cimport FactC


cdef struct WaitingC:
    int64_t time_ns
    uint64_t sequence           # ties go to the one that came first
    FactC fact


cdef struct QueueC:
    WaitingC* items
    uint32_t count
    uint32_t items_max
    uint64_t sequence_next


cdef int queue_close(QueueC* queue) noexcept nogil
cdef int queue_push(QueueC* queue, int64_t time_ns, const FactC* fact) except -1 nogil
cdef int queue_pop(QueueC* queue, FactC* fact) noexcept nogil
cdef object queue_to_list(const QueueC* queue)
cdef int queue_from_list(QueueC* queue, object state) except -1
