"""The price-level (L2) book: lots per price and side, best prices in O(1).

Handles are indexes into the arena of shelves plus one; 0 is "none".
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from tradebot._core.arena cimport IdIndexC
from tradebot._core.types cimport RecordC

cdef enum:
    SHELF_BITS = 6
    SHELF_LEVELS = 64
    SHELF_MASK = 63
    NEAR_SHELVES = 1024
    NEAR_MASK = 1023


cdef struct ShelfC:             # SHELF_LEVELS neighbouring prices, both sides
    int64_t number              # price >> SHELF_BITS
    uint64_t bits[2]            # by Side: which levels hold lots
    uint64_t pad
    int64_t quantity[2][64]     # by Side: lots


cdef struct PlaceC:             # where a shelf is, by number
    int64_t number
    uint32_t handle
    uint32_t pad


cdef struct DepthC:
    ShelfC* shelves
    uint32_t shelves_max
    uint32_t shelves_used
    PlaceC* directory           # all shelves, by number
    uint32_t directory_max
    uint32_t near[1024]         # handle by number & NEAR_MASK, where that shelf was looked up last
    IdIndexC by_number          # shelf number -> handle
    int64_t bid                 # best prices, ticks; NO_BID and NO_ASK where empty
    int64_t ask
    uint32_t emptied            # shelves emptied since the last sweep


cdef int depth_open(DepthC* depth) except -1 nogil
cdef int depth_close(DepthC* depth) noexcept nogil
cdef int depth_clear(DepthC* depth) noexcept nogil
cdef int depth_apply(DepthC* depth, const RecordC* record) except -1 nogil
cdef int depth_set(DepthC* depth, uint8_t side, int64_t price, int64_t quantity) except -1 nogil
cdef int64_t depth_next_down(const DepthC* depth, uint8_t side, int64_t price) noexcept nogil
cdef int64_t depth_next_up(const DepthC* depth, uint8_t side, int64_t price) noexcept nogil
cdef int64_t depth_quantity(const DepthC* depth, uint8_t side, int64_t price) noexcept nogil
cdef object depth_to_list(const DepthC* depth)
cdef int depth_from_list(DepthC* depth, object state) except -1
cdef str depth_hash(const DepthC* depth)
cdef int depth_validate(const DepthC* depth) except -1


cdef class L2Book:
    cdef DepthC book
