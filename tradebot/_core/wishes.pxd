"""From wishes to commands."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

from tradebot._core.context cimport ContextC, MarketC, WishC
from tradebot._core.kernel cimport Kernel, Seat
from tradebot._core.orders cimport OrderC, OrderListC
from tradebot._core.risk cimport IntentC
from tradebot._core.types cimport FactC, Reject


cdef int commit_place(Kernel kernel, Seat seat, WishC* wish) except -1
cdef int refuse_place(Kernel kernel, Seat seat, const WishC* wish, int64_t price, Reject why) except -1
cdef int commit_amend(Kernel kernel, Seat seat, const WishC* wish) except -1
cdef int place_taken(Kernel kernel, const WishC* wish, const IntentC* intent) except -1
cdef int amend_taken(Kernel kernel, OrderC* order, int64_t asked, int64_t price) except -1
cdef int fill_intent(Kernel kernel, IntentC* intent, Seat seat, const WishC* wish, const OrderListC* open) noexcept nogil
cdef int commit_cancel(Kernel kernel, Seat seat, const WishC* wish) except -1
cdef int cancel_open(Kernel kernel, Seat seat, uint32_t index) except -1
cdef int refuse_change(Kernel kernel, Seat seat, object handler, FactC* fact, uint8_t kind, uint16_t why, uint32_t index) except -1
cdef int make_place(FactC* fact, const ContextC* context, const WishC* wish, uint32_t instrument, int64_t price) noexcept nogil
cdef int64_t needed(Kernel kernel, const MarketC* market, bint is_sell, int64_t price, int64_t quantity) noexcept nogil
cdef int64_t hold(Kernel kernel, const OrderC* order) noexcept nogil
cdef int64_t whole_of(Kernel kernel, const OrderC* order) noexcept nogil
cdef int relock_filled(Kernel kernel, OrderC* order) noexcept nogil
cdef int relock(Kernel kernel, OrderC* order, int64_t needed) noexcept nogil
