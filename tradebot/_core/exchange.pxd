"""A small exchange: orders in, fills out, by the matcher and the book of the simulated venue."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from tradebot._core.book cimport BookC
from tradebot._core.digest cimport DigestC
from tradebot._core.match cimport MatchesC


cdef struct OperationC:         # what a participant asks
    uint64_t id                 # of the order
    int64_t price               # limit, ticks; of a placed order
    int64_t quantity            # lots
    uint8_t kind                # OperationKind
    uint8_t side                # Side
    uint16_t pad
    uint32_t pad2


cpdef enum OperationKind:
    PLACE = 1                   # a limit order: it trades what it can, and rests with what remains
    CANCEL = 2
    MARKET = 3                  # trades what it can, and goes


cdef struct ExchangeC:
    BookC book                  # never crosses: nobody is parked
    MatchesC matches
    DigestC digest              # over the fills
    uint64_t operations
    uint64_t fills
    uint64_t refused            # operations that changed nothing: an id twice, an unknown id, no lots
    int64_t volume              # lots that traded


cdef int exchange_take(ExchangeC* exchange, const OperationC* operation) except -1 nogil


cdef class Exchange:
    cdef ExchangeC exchange
