"""Where the core's memory comes from: one growth rule, one hash index.

Multiplicative (Fibonacci) hashing after Knuth, The Art of Computer Programming, vol. 3, 6.4; backward-shift deletion
keeps probe runs short without tombstones, so a day of adds and deletes does not slow look-ups.
"""

from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset


cdef int grow(void** items, size_t item_size, uint32_t* capacity, uint32_t needed) except -1 nogil:
    """Make room for `needed` items, keeping the old ones and zeroing the new. Raises MemoryError."""
    cdef uint32_t wanted
    cdef void* bigger
    if needed <= capacity[0]:
        return 0
    wanted = power_of_two_at_least(needed)
    bigger = realloc(items[0], item_size * wanted)
    if bigger == NULL:
        with gil:
            raise MemoryError(f"no memory for {wanted} items of {item_size} bytes")
    memset(<char*>bigger + item_size * capacity[0], 0, item_size * (wanted - capacity[0]))
    items[0] = bigger
    capacity[0] = wanted
    return 0


cdef uint32_t power_of_two_at_least(uint32_t value) noexcept nogil:
    cdef uint32_t power = 16
    while power < value:
        power *= 2
    return power


cdef int index_open(IdIndexC* index, uint32_t capacity) except -1 nogil:
    cdef uint32_t size = power_of_two_at_least(capacity)
    cdef uint32_t bits = 0
    while (<uint32_t>1 << bits) < size:
        bits += 1
    index.entries = <IndexEntryC*>calloc(size, sizeof(IndexEntryC))
    if index.entries == NULL:
        with gil:
            raise MemoryError(f"no memory for an index of {size} entries")
    index.mask = size - 1
    index.shift = 64 - bits
    index.count = 0
    return 0


cdef int index_close(IdIndexC* index) noexcept nogil:
    free(index.entries)
    index.entries = NULL
    return 0


cdef int index_clear(IdIndexC* index) noexcept nogil:
    memset(index.entries, 0, (index.mask + 1) * sizeof(IndexEntryC))
    index.count = 0
    return 0


cdef int index_grow(IdIndexC* index) except -1 nogil:
    cdef IdIndexC bigger
    cdef uint64_t at
    index_open(&bigger, <uint32_t>((index.mask + 1) * 2))
    for at in range(index.mask + 1):
        if index.entries[at].handle != 0:
            index_put(&bigger, index.entries[at].id, index.entries[at].handle)
    index_close(index)
    index[0] = bigger
    return 0
