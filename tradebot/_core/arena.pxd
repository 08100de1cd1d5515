"""Growing flat arrays. A handle is an index; capacity doubles; memory is zeroed where it is new."""

from libc.stdint cimport uint32_t, uint64_t

cdef int grow(void** items, size_t item_size, uint32_t* capacity, uint32_t needed) except -1 nogil
cdef uint32_t power_of_two_at_least(uint32_t value) noexcept nogil


cdef struct IndexEntryC:
    uint64_t id                 # any key
    uint32_t handle             # 0: the entry is empty


cdef struct IdIndexC:           # id -> handle: open addressing, linear probe, backward-shift delete
    IndexEntryC* entries
    uint64_t mask
    uint32_t shift
    uint32_t count


cdef int index_open(IdIndexC* index, uint32_t capacity) except -1 nogil
cdef int index_close(IdIndexC* index) noexcept nogil
cdef int index_clear(IdIndexC* index) noexcept nogil
cdef int index_grow(IdIndexC* index) except -1 nogil


cdef inline uint64_t index_slot(const IdIndexC* index, uint64_t id) noexcept nogil:
    return (id * <uint64_t>0x9E3779B97F4A7C15ULL) >> index.shift


cdef inline uint32_t index_get(const IdIndexC* index, uint64_t id) noexcept nogil:
    """The handle of `id`, 0 where absent."""
    cdef uint64_t at = index_slot(index, id)
    while index.entries[at].handle != 0:
        if index.entries[at].id == id:
            return index.entries[at].handle
        at = (at + 1) & index.mask
    return 0


cdef inline int index_put(IdIndexC* index, uint64_t id, uint32_t handle) except -1 nogil:
    """Add `id`, which must be absent."""
    cdef uint64_t at
    if (index.count + 1) * 2 > index.mask:
        index_grow(index)
    at = index_slot(index, id)
    while index.entries[at].handle != 0:
        at = (at + 1) & index.mask
    index.entries[at].id = id
    index.entries[at].handle = handle
    index.count += 1
    return 0


cdef inline int index_delete(IdIndexC* index, uint64_t id) noexcept nogil:
    """Take `id` out; does nothing where it is absent."""
    cdef uint64_t at = index_slot(index, id), next, home
    while True:
        if index.entries[at].handle == 0:
            return 0
        if index.entries[at].id == id:
            break
        at = (at + 1) & index.mask
    index.count -= 1
    next = at
    while True:
        next = (next + 1) & index.mask
        if index.entries[next].handle == 0:
            break
        home = index_slot(index, index.entries[next].id)
        if ((next - home) & index.mask) >= ((next - at) & index.mask):
            index.entries[at] = index.entries[next]
            at = next
    index.entries[at].handle = 0
    return 0
