"""A strategy's hands: what it may ask for, and what it may look at."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from tradebot._core.bars cimport BarSeries
from tradebot._core.context cimport ContextC, MarketC, WishC
from tradebot._core.views cimport BookView, PositionView


cdef class Trader:
    cdef ContextC* context                  # of the kernel it sits at, NULL before
    cdef object keeper                      # that kernel, so that the context lives as long as we do
    cdef ContextC* seated(self) except NULL
    cdef public uint16_t number             # strategy number of the run, from 0
    cdef uint32_t first                     # index of its first instrument
    cdef dict indexes                       # name -> market index
    cdef dict books                         # market index -> BookView
    cdef dict positions                     # market index -> PositionView
    cdef BookView first_book
    cdef PositionView first_position
    cdef readonly list series               # BarSeries in order of declaration
    cdef uint32_t index_of(self, object instrument) except? 0xFFFFFFFF
    cdef WishC* wish(self, uint32_t index) except NULL
    cdef object place(self, bint is_sell, object quantity, object notional, object price, bint post_only, object time_in_force, object instrument, bint reduce_only)
    cdef int put_trigger(self, const MarketC* market, WishC* wish, object stop, object touch, object follow) except -1
    cdef int put_guards(self, const MarketC* market, WishC* wish, object stop_loss, object take_profit, object trail) except -1
    cdef int64_t distance_of(self, const MarketC* market, object trail) except? -1
    cdef int64_t held_lots(self, uint32_t index) noexcept nogil
    cdef int64_t wished_lots(self, uint32_t index) noexcept nogil
    cdef int only_reduce(self, int64_t kept) noexcept nogil
    cdef int cancel_guards(self, uint32_t index) except -1
    cdef int64_t _lots(self, const MarketC* market, object quantity, object notional, int64_t ticks, bint is_sell) except? -1
    cdef object place_lots(self, uint32_t index, bint is_sell, int64_t lots, int64_t ticks, uint8_t force, uint8_t order_type)
    cdef int cancel_id(self, uint64_t order_id) except -1
    cdef BookView _open(self, BookView view)
    cdef object _timer(self, int64_t delay_ns, int64_t interval_ns)
    cdef BarSeries _series(self, int64_t warmup, object instrument)
