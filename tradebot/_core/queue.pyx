"""A heap of facts by (time, sequence): what is under way between the engine and the simulated venue.

The order is total, so what comes out does not depend on the shape of the heap.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdlib cimport free
from libc.string cimport memcpy

from tradebot._core.arena cimport grow


cdef int queue_close(QueueC* queue) noexcept nogil:
    free(queue.items)
    queue.items = NULL
    queue.count = queue.items_max = 0
    return 0


cdef inline bint is_before(const WaitingC* left, const WaitingC* right) noexcept nogil:
    return left.time_ns < right.time_ns or (left.time_ns == right.time_ns and left.sequence < right.sequence)


cdef int queue_push(QueueC* queue, int64_t time_ns, const FactC* fact) except -1 nogil:
    cdef uint32_t at = queue.count, parent
    cdef WaitingC item
    grow(<void**>&queue.items, sizeof(WaitingC), &queue.items_max, queue.count + 1)
    item.time_ns = time_ns
    item.sequence = queue.sequence_next
    item.fact = fact[0]
    queue.sequence_next += 1
    queue.count += 1
    while at:
        parent = (at - 1) >> 1
        if not is_before(&item, &queue.items[parent]):
            break
        queue.items[at] = queue.items[parent]
        at = parent
    queue.items[at] = item
    return 0


cdef int queue_pop(QueueC* queue, FactC* fact) noexcept nogil:
    """Take the earliest into `fact`; the queue must not be empty."""
    cdef uint32_t at = 0, child
    cdef WaitingC* last
    fact[0] = queue.items[0].fact
    queue.count -= 1
    last = &queue.items[queue.count]
    while True:
        child = 2 * at + 1
        if child >= queue.count:
            break
        if child + 1 < queue.count and is_before(&queue.items[child + 1], &queue.items[child]):
            child += 1
        if not is_before(&queue.items[child], last):
            break
        queue.items[at] = queue.items[child]
        at = child
    queue.items[at] = last[0]
    return 0


cdef object queue_to_list(const QueueC* queue):
    """[next sequence, (time, sequence, fact bytes) in the order they would come out]."""
    cdef uint32_t at
    rows = [
        (
            queue.items[at].time_ns,
            queue.items[at].sequence,
            PyBytes_FromStringAndSize(<const char*>&queue.items[at].fact, sizeof(FactC)),
        )
        for at in range(queue.count)
    ]
    rows.sort()
    return [queue.sequence_next, rows]


cdef int queue_from_list(QueueC* queue, object state) except -1:
    cdef FactC fact
    cdef uint64_t sequence
    cdef const char* data
    queue.count = 0
    for time_ns, sequence, body in state[1]:
        data = body
        memcpy(&fact, data, sizeof(FactC))
        queue.sequence_next = sequence      # rows are sorted, and pushed with their old sequence
        queue_push(queue, time_ns, &fact)
    queue.sequence_next = state[0]
    return 0
