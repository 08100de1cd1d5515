"""The kernel: one fact in, callbacks, risk, commands out."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from tradebot._core.arena cimport IdIndexC
from tradebot._core.bars cimport BarSeries
from tradebot._core.context cimport ContextC
from tradebot._core.digest cimport DigestC
from tradebot._core.orders cimport OrderC
from tradebot._core.protection cimport ProtectionsC
from tradebot._core.risk cimport LimitsC, RateC
from tradebot._core.trader cimport Trader
from tradebot._core.types cimport ExtraC, FactC, RecordC
from tradebot._core.views cimport (
    BarView, BookView, FeedView, FillView, OrderView, PositionView, RejectView, TimerView, TradeView, View,
)

ctypedef int (*SendC)(void* target, const FactC* command) except -1 nogil


cdef class Seat:                        # one strategy at the kernel's table
    cdef Trader trader
    cdef uint16_t number
    cdef uint8_t quarantined
    cdef object on_trade, on_book, on_quote, on_bar, on_timer, on_order, on_fill
    cdef object on_reject, on_cancel_reject, on_amend_reject, on_position, on_feed
    cdef list trade_views, bar_views, order_views, fill_views, reject_views, position_views
    cdef list timer_views, feed_views, book_views   # by market index


cdef class Kernel:
    cdef ContextC context
    cdef int64_t missed_ns      # while folding: until when timers were missed, as the last of them says
    cdef DigestC digest
    cdef RateC rate
    cdef ProtectionsC protections
    cdef LimitsC* limits                # [strategy * markets + market]
    cdef IdIndexC by_id                 # instrument id -> market index + 1
    cdef uint32_t hot_market
    cdef uint8_t state                  # TradingState
    cdef int64_t lock_fee               # taker fee that a buy's lock includes, fraction in 1e-8
    cdef uint8_t fee_in_base
    cdef SendC send
    cdef void* target
    cdef object target_owner
    cdef object mark_owner              # keeps the memory of context.call_mark
    cdef FactC* audit                   # commands and account facts, until taken
    cdef uint32_t audit_count
    cdef uint32_t audit_max
    cdef uint64_t command_count
    cdef uint64_t order_count
    cdef uint64_t fill_count
    cdef uint64_t void_count
    cdef uint64_t gap_count
    cdef readonly list names            # by market index
    cdef list seats
    cdef list market_seats              # by market index: seats in order
    cdef list market_series             # by market index: (seat, BarSeries)
    cdef dict timer_series              # timer number -> (seat, BarSeries)
    cdef public list failures           # (strategy number, sequence, exception)

    cdef int connect(self, SendC send, void* target, object owner) except -1
    cdef int step(self, const RecordC* record, const ExtraC* extra) except -1
    cdef int step_market(self, const RecordC* record) except -1
    cdef int step_timer(self, const RecordC* record) except -1
    cdef int step_account(self, const RecordC* record, const ExtraC* extra) except -1
    cdef int step_margin(self, const RecordC* record, const ExtraC* extra) except -1
    cdef int step_state(self, const RecordC* record) except -1
    cdef uint32_t market_of(self, uint32_t instrument) except? 0xFFFFFFFF
    cdef int tell_market(self, uint32_t index, const RecordC* record, int heard) except -1
    cdef int _tell_fill(self, Seat seat, const RecordC* record, const ExtraC* extra, const OrderC* order, uint32_t index) except -1
    cdef int _tell_refusal(self, Seat seat, object handler, const FactC* fact, uint32_t index) except -1
    cdef int note_answer(self, OrderC* order, const RecordC* record, const ExtraC* extra) except -1
    cdef int post_fill(self, OrderC* order, const RecordC* record, const ExtraC* extra, uint32_t index) except -1
    cdef int tell_order(self, Seat seat, const OrderC* order, uint32_t index) except -1
    cdef int tell_reject(self, Seat seat, object handler, const RecordC* record, const ExtraC* extra, uint32_t index) except -1
    cdef int feed_series(self, uint32_t index, const RecordC* record) except -1
    cdef int tell_bars(self, Seat seat, BarSeries series, const RecordC* record) except -1
    cdef int miss_bars(self, Seat seat, BarSeries series) except -1
    cdef int next_bar(self, Seat seat, BarSeries series, const RecordC* record) except -1
    cdef int call(self, Seat seat, object handler, View view) except -1
    cdef int call_only(self, Seat seat, object handler, View view) except -1
    cdef int commit(self, Seat seat) except -1
    cdef int quarantine(self, Seat seat, object error) except -1
    cdef int emit(self, FactC* fact) except -1
    cdef int record(self, const FactC* fact) except -1
