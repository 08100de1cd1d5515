"""The price-level (L2) book: lots per price and side, best prices in O(1).

Handles are indexes into the arena of shelves plus one; 0 is "none".
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from tradebot._core.arena cimport IdIndexC
from tradebot._core.types cimport Flag, Kind, RecordC

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
cdef int depth_begin(DepthC* depth, const RecordC* record) except -1 nogil
cdef int depth_set_far(DepthC* depth, uint8_t side, int64_t price, int64_t quantity) except -1 nogil
cdef int depth_reached(DepthC* depth, uint8_t side, int64_t price, int64_t quantity) except -1 nogil
cdef int shelf_emptied(DepthC* depth) except -1 nogil
cdef int64_t depth_next_down(const DepthC* depth, uint8_t side, int64_t price) noexcept nogil
cdef int64_t depth_next_up(const DepthC* depth, uint8_t side, int64_t price) noexcept nogil
cdef int64_t depth_quantity_far(const DepthC* depth, uint8_t side, int64_t price) noexcept nogil
cdef object depth_to_list(const DepthC* depth)
cdef int depth_from_list(DepthC* depth, object state) except -1
cdef str depth_hash(const DepthC* depth)
cdef int depth_validate(const DepthC* depth) except -1


cdef inline int depth_apply(DepthC* depth, const RecordC* record) except -1 nogil:
    """Take in one record. Returns 1 where the book changed, 0 where it did not."""
    if record.kind != Kind.L2_LEVEL or record.flags & Flag.VOID:
        return 0
    if record.flags & Flag.BEGIN:
        return depth_begin(depth, record)
    return depth_set(depth, record.flags & Flag.SELL, record.price, record.quantity)


cdef inline int depth_set(DepthC* depth, uint8_t side, int64_t price, int64_t quantity) except -1 nogil:
    """Set the lots at a price; 0 or less deletes it. Returns 1 where that changed it."""
    cdef uint32_t handle = depth.near[(price >> SHELF_BITS) & NEAR_MASK]
    if handle == 0 or depth.shelves[handle - 1].number != price >> SHELF_BITS:
        return depth_set_far(depth, side, price, quantity)
    return shelf_set(depth, &depth.shelves[handle - 1], side, price, quantity)


cdef inline int shelf_set(DepthC* depth, ShelfC* shelf, uint8_t side, int64_t price, int64_t quantity) except -1 nogil:
    """Set a level of a shelf. Which side and whether it is a deletion are a coin's toss to the processor, so neither is a branch."""
    cdef uint32_t slot = <uint32_t>(price & SHELF_MASK)
    cdef int64_t kept = quantity if quantity > 0 else 0
    cdef int64_t before = shelf.quantity[side][slot]
    cdef int64_t beyond = depth.ask - price if side else price - depth.bid
    if before == kept:
        return 0
    shelf.quantity[side][slot] = kept
    shelf.bits[side] = (shelf.bits[side] & ~(<uint64_t>1 << slot)) | (<uint64_t>(kept != 0) << slot)
    if beyond >= 0:
        depth_reached(depth, side, price, kept)
    if (shelf.bits[0] | shelf.bits[1]) == 0:
        shelf_emptied(depth)
    return 1


cdef inline int64_t depth_quantity(const DepthC* depth, uint8_t side, int64_t price) noexcept nogil:
    """Lots of a side at a price, 0 where there are none."""
    cdef uint32_t handle = depth.near[(price >> SHELF_BITS) & NEAR_MASK]
    if handle == 0 or depth.shelves[handle - 1].number != price >> SHELF_BITS:
        return depth_quantity_far(depth, side, price)
    return depth.shelves[handle - 1].quantity[side][price & SHELF_MASK]


cdef class L2Book:
    cdef DepthC book
