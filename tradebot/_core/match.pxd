"""What an arriving order would trade with: a walk over the other side, by price and time."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from tradebot._core.book cimport BookC


cdef struct MatchC:             # one trade of an arriving order
    int64_t price               # the maker's limit, ticks
    int64_t quantity            # lots
    uint64_t maker              # order id
    uint32_t handle             # the maker's node


cdef struct MatchesC:           # a caller's buffer, reused
    MatchC* items
    uint32_t count
    uint32_t items_max
    int64_t quantity            # lots matched in all


cdef int matches_close(MatchesC* matches) noexcept nogil
cdef int match_find(const BookC* book, MatchesC* matches, uint8_t side, int64_t limit, int64_t quantity) except -1 nogil
