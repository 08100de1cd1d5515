"""Timers as data: the engine only says when the next one is due; the source makes a TIMER fact of it, in every mode.

A run has a handful of timers, so a sorted array beats a heap. A repeating timer keeps its phase: the next due time is
the last one plus the interval, however late the fact came.
"""

from libc.stdlib cimport free

from tradebot._core.arena cimport grow

NEVER_NS = <int64_t>0x7FFFFFFFFFFFFFFF
MISSED_NS = <int64_t>5_000_000_000     # a timer that came due so long before a session went on was missed: nobody acts on it any more


cdef int timers_close(TimersC* timers) noexcept nogil:
    free(timers.items)
    timers.items = NULL
    timers.count = timers.items_max = 0
    return 0


cdef uint64_t timers_add(TimersC* timers, int64_t due_ns, int64_t interval_ns, uint16_t owner) except 0 nogil:
    """Add a timer; returns its number, from 1."""
    cdef TimerC timer
    timers.number_next += 1
    timer.due_ns = due_ns
    timer.interval_ns = interval_ns
    timer.number = timers.number_next
    timer.owner = owner
    timers_insert(timers, &timer)
    return timer.number


cdef int timers_insert(TimersC* timers, const TimerC* timer) except -1 nogil:
    cdef uint32_t at
    grow(<void**>&timers.items, sizeof(TimerC), &timers.items_max, timers.count + 1)
    at = timers.count
    while at and is_before(&timers.items[at - 1], timer):
        timers.items[at] = timers.items[at - 1]
        at -= 1
    timers.items[at] = timer[0]
    timers.count += 1
    return 0


cdef inline bint is_before(const TimerC* left, const TimerC* right) noexcept nogil:
    """Bars close before strategies' timers of the same instant, so that these see the closed bar."""
    if left.due_ns != right.due_ns:
        return left.due_ns < right.due_ns
    if (left.owner == KERNEL_OWNER) != (right.owner == KERNEL_OWNER):
        return left.owner == KERNEL_OWNER
    return left.number < right.number


cdef int timers_cancel(TimersC* timers, uint64_t number, uint16_t owner) noexcept nogil:
    """Take a timer of `owner` out; does nothing where it is gone already, or another's."""
    cdef uint32_t at
    for at in range(timers.count):
        if timers.items[at].number == number and timers.items[at].owner == owner:
            return take_out(timers, at)
    return 0


cdef int take_out(TimersC* timers, uint32_t at) noexcept nogil:
    cdef uint32_t left
    timers.count -= 1
    for left in range(at, timers.count):
        timers.items[left] = timers.items[left + 1]
    return 0


cdef int timers_fire(TimersC* timers, TimerC* fired) except -1 nogil:
    """Take the next timer, and set it again where it repeats."""
    cdef TimerC again
    timers.count -= 1
    fired[0] = timers.items[timers.count]
    if fired.interval_ns:
        again = fired[0]
        again.due_ns += again.interval_ns
        timers_insert(timers, &again)
    return 0


cdef int timers_skip(TimersC* timers, uint64_t number, int64_t not_before_ns) except -1 nogil:
    """Set a repeating timer forward, in its phase, to where it is not due before that time."""
    cdef TimerC timer
    cdef uint32_t at
    for at in range(timers.count):
        timer = timers.items[at]
        if timer.number != number:
            continue
        if timer.due_ns < not_before_ns:
            take_out(timers, at)
            timer.due_ns += (not_before_ns - timer.due_ns + timer.interval_ns - 1) // timer.interval_ns * timer.interval_ns
            timers_insert(timers, &timer)
        return 0
    return 0


cdef object timers_to_list(const TimersC* timers):
    cdef uint32_t at
    return [
        timers.number_next,
        [
            (timers.items[at].due_ns, timers.items[at].interval_ns, timers.items[at].number, timers.items[at].owner)
            for at in range(timers.count)
        ],
    ]


cdef int timers_from_list(TimersC* timers, object state) except -1:
    cdef TimerC timer
    timers.count = 0
    timers.number_next = state[0]
    for row in state[1]:
        timer.due_ns, timer.interval_ns, timer.number, timer.owner = row
        timers_insert(timers, &timer)
    return 0
