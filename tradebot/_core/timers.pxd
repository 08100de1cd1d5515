"""Timers: what is due when, in a total order."""

from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t


cdef struct TimerC:
    int64_t due_ns
    int64_t interval_ns         # 0: once
    uint64_t number             # unique in a run
    uint16_t owner              # strategy; KERNEL_OWNER for bars


cdef enum:
    KERNEL_OWNER = 65535


cdef struct TimersC:
    TimerC* items               # sorted by (due, number), the next last
    uint32_t count
    uint32_t items_max
    uint64_t number_next


cdef int64_t NEVER_NS
cdef int64_t MISSED_NS


cdef int timers_close(TimersC* timers) noexcept nogil
cdef uint64_t timers_add(TimersC* timers, int64_t due_ns, int64_t interval_ns, uint16_t owner) except 0 nogil
cdef int timers_cancel(TimersC* timers, uint64_t number, uint16_t owner) noexcept nogil
cdef int timers_fire(TimersC* timers, TimerC* fired) except -1 nogil
cdef int timers_skip(TimersC* timers, uint64_t number, int64_t not_before_ns) except -1 nogil
cdef object timers_to_list(const TimersC* timers)
cdef int timers_from_list(TimersC* timers, object state) except -1


cdef inline int64_t timers_next_ns(const TimersC* timers) noexcept nogil:
    return timers.items[timers.count - 1].due_ns if timers.count else NEVER_NS
