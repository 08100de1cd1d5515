"""Strategies in Cython: which callbacks a class overrides, and how a fact reaches them.

A seat holds a `CompiledCall` where it would hold a Python handler, so the kernel tells both kinds of strategy in one order and
by one path: the same wishes, the same commit, the same quarantine. Whether a callback is overridden is asked once, by comparing
the method's address with that of a strategy that overrides nothing.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.string cimport memcpy

from tradebot._core.views cimport BarView, FeedView, FillView, OrderView, PositionView, RejectView, TimerView, TradeView

cdef enum Callback:
    ON_TRADE = 1
    ON_BOOK = 2
    ON_QUOTE = 3
    ON_BAR = 4
    ON_TIMER = 5
    ON_ORDER = 6
    ON_FILL = 7
    ON_REJECT = 8
    ON_CANCEL_REJECT = 9
    ON_POSITION = 10
    ON_FEED = 11


cdef class Compiled(Trader):
    """What a strategy in Cython is built on; its contract is the .pxd."""

    cdef int on_trade(self, const MarketC* market, const RecordC* trade) except -1:
        return 0

    cdef int on_book(self, const MarketC* market) except -1:
        return 0

    cdef int on_quote(self, const MarketC* market) except -1:
        return 0

    cdef int on_bar(self, BarSeries series, const BarC* bar) except -1:
        return 0

    cdef int on_timer(self, uint64_t number) except -1:
        return 0

    cdef int on_order(self, const OrderC* order) except -1:
        return 0

    cdef int on_fill(self, const OrderC* order, const RecordC* fill, const ExtraC* more) except -1:
        return 0

    cdef int on_reject(self, const RecordC* refusal, const ExtraC* more) except -1:
        return 0

    cdef int on_cancel_reject(self, const RecordC* refusal, const ExtraC* more) except -1:
        return 0

    cdef int on_position(self, const MarketC* market, const PositionC* position) except -1:
        return 0

    cdef int on_feed(self, const MarketC* market, const RecordC* feed) except -1:
        return 0

    cdef uint64_t buy_lots(self, const MarketC* market, int64_t lots, int64_t ticks, uint8_t force) except 0:
        return self.place_lots(self.index_in_run(market), False, lots, ticks, force, OrderType.LIMIT if ticks else OrderType.MARKET)

    cdef uint64_t sell_lots(self, const MarketC* market, int64_t lots, int64_t ticks, uint8_t force) except 0:
        return self.place_lots(self.index_in_run(market), True, lots, ticks, force, OrderType.LIMIT if ticks else OrderType.MARKET)

    cdef int cancel_order(self, uint64_t id) except -1:
        return self.cancel_id(id)

    cdef int keep(self, void* memory, size_t size) except -1:
        if self.kept != NULL and self.kept != memory:
            raise RuntimeError("the memory to keep is declared once: put all of it into one struct")
        self.kept = memory
        self.kept_size = size
        return 0

    def save_state(self) -> bytes:
        """State as bytes for a snapshot: what `keep` declared, then the State of Python."""
        kept = PyBytes_FromStringAndSize(<const char*>self.kept, self.kept_size) if self.kept_size else b""
        return kept + super().save_state()

    def load_state(self, body: bytes) -> None:
        """Take State back. Raises ValueError where the struct has changed its size."""
        cdef const char* data = body
        if <size_t>len(body) < self.kept_size:
            raise ValueError(f"expected {self.kept_size} bytes of kept memory, found {len(body)}: the strategy's struct has changed")
        if self.kept_size:
            memcpy(self.kept, data, self.kept_size)
        super().load_state(body[self.kept_size :])


cdef Compiled PLAIN = Compiled()


cdef object compiled_call(Compiled strategy, str name, object handler):
    """How to call what a strategy overrides: in Cython, or its Python handler. Raises TypeError where both do."""
    cdef void* own = NULL
    cdef void* plain = NULL
    cdef CompiledCall made = CompiledCall()
    if name == "on_trade":
        own, plain, made.callback = <void*>strategy.on_trade, <void*>PLAIN.on_trade, ON_TRADE
    elif name == "on_book":
        own, plain, made.callback = <void*>strategy.on_book, <void*>PLAIN.on_book, ON_BOOK
    elif name == "on_quote":
        own, plain, made.callback = <void*>strategy.on_quote, <void*>PLAIN.on_quote, ON_QUOTE
    elif name == "on_bar":
        own, plain, made.callback = <void*>strategy.on_bar, <void*>PLAIN.on_bar, ON_BAR
    elif name == "on_timer":
        own, plain, made.callback = <void*>strategy.on_timer, <void*>PLAIN.on_timer, ON_TIMER
    elif name == "on_order":
        own, plain, made.callback = <void*>strategy.on_order, <void*>PLAIN.on_order, ON_ORDER
    elif name == "on_fill":
        own, plain, made.callback = <void*>strategy.on_fill, <void*>PLAIN.on_fill, ON_FILL
    elif name == "on_reject":
        own, plain, made.callback = <void*>strategy.on_reject, <void*>PLAIN.on_reject, ON_REJECT
    elif name == "on_cancel_reject":
        own, plain, made.callback = <void*>strategy.on_cancel_reject, <void*>PLAIN.on_cancel_reject, ON_CANCEL_REJECT
    elif name == "on_position":
        own, plain, made.callback = <void*>strategy.on_position, <void*>PLAIN.on_position, ON_POSITION
    elif name == "on_feed":
        own, plain, made.callback = <void*>strategy.on_feed, <void*>PLAIN.on_feed, ON_FEED
    if own == plain:
        return handler
    if handler is not None:
        raise TypeError(f"{type(strategy).__name__} overrides {name} in Cython and in Python: keep one of both")
    return made


cdef class CompiledCall:
    """A callback of a compiled strategy, by number. What it is handed stands in the view, as for Python."""

    cdef int run(self, Compiled strategy, View view) except -1:
        if self.callback == ON_ORDER:
            return strategy.on_order(&(<OrderView>view).order)
        if self.callback == ON_TRADE:
            return strategy.on_trade(view.market, (<TradeView>view).record)
        if self.callback == ON_BOOK:
            return strategy.on_book(view.market)
        if self.callback == ON_QUOTE:
            return strategy.on_quote(view.market)
        if self.callback == ON_TIMER:
            return strategy.on_timer((<TimerView>view).record.id)
        if self.callback == ON_FILL:
            return strategy.on_fill(&(<FillView>view).order, (<FillView>view).record, (<FillView>view).extra)
        return self.run_rare(strategy, view)

    cdef int run_rare(self, Compiled strategy, View view) except -1:
        if self.callback == ON_BAR:
            return strategy.on_bar((<BarView>view).series_told, &(<BarView>view).bar)
        if self.callback == ON_REJECT:
            return strategy.on_reject((<RejectView>view).record, (<RejectView>view).extra)
        if self.callback == ON_CANCEL_REJECT:
            return strategy.on_cancel_reject((<RejectView>view).record, (<RejectView>view).extra)
        if self.callback == ON_POSITION:
            return strategy.on_position(view.market, (<PositionView>view).position)
        return strategy.on_feed(view.market, (<FeedView>view).record)
