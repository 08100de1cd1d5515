"""The order-by-order (L3) book: FIFO queues per price, an id index, best prices in O(1).

Handles are indexes into the arenas below; 0 is "none" for nodes, so arena slot 0 is never used.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from tradebot._core.arena cimport IdIndexC
from tradebot._core.types cimport RecordC

cdef enum:
    PAGE_BITS = 8
    PAGE_LEVELS = 256
    PAGE_MASK = 255
    PAGE_WORDS = 4

cdef int64_t NO_BID             # below every price
cdef int64_t NO_ASK             # above every price


cdef struct NodeC:              # one order
    uint64_t id
    int64_t quantity            # lots that remain
    uint64_t rank               # order of arrival at its place; smaller is ahead
    int64_t price               # limit, ticks
    uint32_t level              # page * PAGE_LEVELS + slot; of a parked order: unused
    uint32_t next               # behind it in its queue
    uint32_t prev               # ahead of it in its queue
    uint8_t side                # Side
    uint8_t parked              # 1: it crosses the other side and waits for its executions
    uint16_t pad


cdef struct LevelC:             # one price
    int64_t quantity            # lots, the sum over its queue
    uint32_t head
    uint32_t tail
    uint32_t count              # orders
    uint32_t pad


cdef struct PageC:              # PAGE_LEVELS neighbouring prices
    int64_t number              # price >> PAGE_BITS
    uint64_t bits[4]            # which levels hold orders
    uint32_t live               # how many do
    uint32_t pad
    LevelC levels[256]


cdef struct BookC:
    NodeC* nodes
    uint32_t nodes_max
    uint32_t nodes_used         # high-water mark
    uint32_t node_free          # free list through `next`
    PageC* pages
    uint32_t pages_max
    uint32_t pages_used
    uint32_t* page_free         # stack of freed pages
    uint32_t page_free_max
    uint32_t page_free_count
    uint32_t* directory         # pages in use, by number
    uint32_t directory_max
    uint32_t directory_count
    IdIndexC by_id              # order id -> node
    IdIndexC by_page            # page number -> page + 1
    int64_t hot_number          # the page looked up last
    uint32_t hot_page
    int64_t bid                 # best prices, ticks; NO_BID and NO_ASK where empty
    int64_t ask
    uint64_t rank_next
    uint32_t parked_head[2]     # per side, in order of arrival
    uint32_t parked_tail[2]
    uint32_t parked_count
    uint32_t order_count        # parked ones included
    uint64_t unknown_count      # events that named an order the book does not hold


cdef int book_open(BookC* book) except -1 nogil
cdef int book_close(BookC* book) noexcept nogil
cdef int book_clear(BookC* book) except -1 nogil
cdef int book_apply(BookC* book, const RecordC* record) except -1 nogil
cdef int book_reduce(BookC* book, uint32_t handle, int64_t quantity) except -1 nogil
cdef int64_t book_next_down(const BookC* book, int64_t price) noexcept nogil
cdef int64_t book_next_up(const BookC* book, int64_t price) noexcept nogil
cdef const LevelC* book_level(const BookC* book, int64_t price) noexcept nogil
cdef int64_t book_level_quantity(const BookC* book, int64_t price) noexcept nogil
cdef int64_t book_quantity_ahead(const BookC* book, uint8_t side, int64_t price, uint64_t rank) noexcept nogil
cdef object book_to_list(const BookC* book)
cdef int book_from_list(BookC* book, object state) except -1
cdef str book_hash(const BookC* book)
cdef int book_validate(const BookC* book) except -1


cdef class L3Book:
    cdef BookC book
