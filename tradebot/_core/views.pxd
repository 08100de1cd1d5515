"""What callbacks are handed: windows onto core memory, shut when the callback returns."""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from tradebot._core.bars cimport BarSeries
from tradebot._core.context cimport ContextC, MarketC
from tradebot._core.intervals cimport BarC
from tradebot._core.ledger cimport PositionC
from tradebot._core.margin cimport MarginC
from tradebot._core.orders cimport OrderC
from tradebot._core.types cimport ExtraC, RecordC


cdef class View:
    cdef const ContextC* context
    cdef object keeper          # the kernel, so that the context lives as long as the view
    cdef uint64_t call
    cdef str name_of_instrument
    cdef const MarketC* market
    cdef int check(self) except -1


cdef class TradeView(View):
    cdef const RecordC* record


cdef class BookView(View):
    cdef list _side(self, uint8_t side, int64_t levels)


cdef class BarView(View):
    cdef BarSeries series_told
    cdef BarC bar


cdef class OrderView(View):
    cdef OrderC order


cdef class FillView(View):
    cdef const RecordC* record
    cdef const ExtraC* extra
    cdef OrderC order


cdef class RejectView(View):
    cdef const RecordC* record
    cdef const ExtraC* extra


cdef class PositionView(View):
    cdef const PositionC* position
    cdef const MarginC* _margin(self) noexcept


cdef class TimerView(View):
    cdef const RecordC* record


cdef class FeedView(View):
    cdef const RecordC* record
