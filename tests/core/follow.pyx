"""A user's strategy in Cython, built by test_compiled.py; its twin in Python stands there."""

from libc.stdint cimport int64_t, uint64_t

from tradebot._core.compiled cimport (
    BarC, BarSeries, Compiled, ExtraC, MarketC, OrderC, OrderState, PositionC, RecordC, TimeInForce,
)

from tradebot.strategies.strategy import Strategy, Struct


cdef struct FollowC:
    int64_t trades
    int64_t quotes
    int64_t timers
    int64_t fills
    uint64_t bid_id
    uint64_t told


cdef class Quiet(Compiled):
    """Overrides nothing."""


cdef class Core(Compiled):
    cdef FollowC own
    cdef int64_t fail_at

    def on_start(self) -> None:
        self.keep(&self.own, sizeof(FollowC))
        self.fail_at = self.params.fail_at
        self.every(100_000_000)
        self.bars("1s")

    cdef int on_trade(self, const MarketC* market, const RecordC* trade) except -1:
        self.own.trades += 1
        if self.own.trades % 10 == 0:
            self.own.told += self.sell_lots(market, 2, 0, TimeInForce.IOC) % 1000
        elif self.own.trades % 5 == 0:
            self.own.told += self.buy_lots(market, 2, 0, TimeInForce.IOC) % 1000
        if self.own.trades == self.fail_at:
            self.buy_lots(market, 1, 0, TimeInForce.IOC)
            raise ValueError("as asked")
        return 0

    cdef int on_quote(self, const MarketC* market) except -1:
        self.own.quotes += 1
        if self.own.bid_id == 0 and market.bid:
            self.own.bid_id = self.buy_lots(market, 3, market.bid - 1, TimeInForce.POST_ONLY)
        return 0

    cdef int on_timer(self, uint64_t number) except -1:
        self.own.timers += number
        if self.own.bid_id and self.order(self.own.bid_id) != NULL:
            self.cancel_order(self.own.bid_id)
        return 0

    cdef int on_order(self, const OrderC* order) except -1:
        if order.state == OrderState.DONE and order.id == self.own.bid_id:
            self.own.bid_id = 0
        return 0

    cdef int on_reject(self, const RecordC* refusal, const ExtraC* more) except -1:
        if refusal.id == self.own.bid_id:
            self.own.bid_id = 0
        return 0

    cdef int on_cancel_reject(self, const RecordC* refusal, const ExtraC* more) except -1:
        self.own.told += 1
        return 0

    cdef int on_fill(self, const OrderC* order, const RecordC* fill, const ExtraC* more) except -1:
        self.own.fills += 1
        return 0

    cdef int on_position(self, const MarketC* market, const PositionC* position) except -1:
        self.own.told += position.quantity
        return 0

    cdef int on_bar(self, BarSeries series, const BarC* bar) except -1:
        self.own.told += bar.trades
        return 0

    cdef int on_feed(self, const MarketC* market, const RecordC* feed) except -1:
        self.own.told += 1_000_000
        return 0

    def counts(self) -> dict[str, int]:
        return self.own

    def ask_outside(self) -> None:
        self.buy_lots(self.market(), 1, 0, TimeInForce.IOC)

    def cancel_outside(self) -> None:
        self.cancel_order(1)


class Follow(Core, Strategy):
    class Params(Struct, frozen=True, forbid_unknown_fields=True):
        fail_at: int = 0
