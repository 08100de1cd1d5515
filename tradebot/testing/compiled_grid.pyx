"""The grid maker of `grid`, written in Cython against `_core`'s .pxd: the same orders, by the same steps, in the same float arithmetic.

It is the bench's `--face compiled` and an example of that face: C methods for what happens often, a struct that snapshots keep, and
a Python class under the name that a configuration uses. Orders are known in the order in which they were sent, as in a dict.
"""

from libc.math cimport ceil, floor
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memmove

from tradebot._core.compiled cimport Compiled, ExtraC, MarketC, OrderC, OrderState, RecordC, TimeInForce, price_of, quantity_of
from tradebot._core.instrument cimport steps_down

from tradebot.strategies.strategy import Strategy
from tradebot.testing import grid

cdef enum:
    LEVELS = 5
    STEP_TICKS = 2
    KNOWN_MAX = 256                     # orders whose end was not seen

cdef double ROUND = 6755399441055744.0  # 1.5 * 2**52: adding it leaves no room for a fraction, and rounds half to even


cdef struct KnownC:
    int64_t tick
    uint64_t id
    uint8_t is_sell
    uint8_t cancelling


cdef struct GridC:
    KnownC known[256]
    uint32_t count
    int64_t seen_bid
    int64_t seen_ask
    uint8_t changed
    uint8_t stepping


cdef class GridCore(Compiled):
    cdef GridC grid
    cdef int64_t bids[5]
    cdef int64_t asks[5]
    cdef int64_t lots
    cdef int64_t interval_ns
    cdef double position_max
    cdef double tick_size

    def on_start(self) -> None:
        cdef const MarketC* market = self.market()
        params = self.params
        self.keep(&self.grid, sizeof(GridC))
        self.grid.changed = 1
        self.lots = steps_down(params.size, market.terms.lot_num, market.terms.lot_den)
        self.interval_ns = params.interval_ns
        self.position_max = params.position_max
        self.tick_size = price_of(&market.terms, 1)
        self.after(params.first_ns - self.time_ns)

    cdef int on_timer(self, uint64_t number) except -1:
        cdef const MarketC* market = self.market()
        if not self.grid.stepping:
            self.grid.stepping = 1
            self.every(self.interval_ns)
        if market.bid == 0 or market.ask == 0:
            return 0
        if market.bid == self.grid.seen_bid and market.ask == self.grid.seen_ask and not self.grid.changed:
            return 0
        self.want(market)
        self.grid.seen_bid, self.grid.seen_ask, self.grid.changed = market.bid, market.ask, 0
        return self.step(market)

    cdef int want(self, const MarketC* market) noexcept:
        """The grid around best prices, in the peer's arithmetic: a price is its tick times the tick size."""
        cdef double tick = self.tick_size, gap = tick * STEP_TICKS
        cdef double bid = nearest(price_of(&market.terms, market.bid) / tick) * tick
        cdef double ask = nearest(price_of(&market.terms, market.ask) / tick) * tick
        cdef double middle = (bid + ask) / 2.0
        cdef double low = floor((middle - tick if middle - tick < bid else bid) / gap) * gap
        cdef double high = ceil((middle + tick if middle + tick > ask else ask) / gap) * gap
        cdef int at
        for at in range(LEVELS):
            self.bids[at] = <int64_t>nearest((low - at * gap) / tick)
            self.asks[at] = <int64_t>nearest((high + at * gap) / tick)
        return 0

    cdef int step(self, const MarketC* market) except -1:
        """Cancel what is off the grid, send what is missing."""
        cdef double held = quantity_of(&market.terms, self.position_in(market).quantity)
        cdef KnownC* order
        cdef uint32_t at
        for at in range(self.grid.count):
            order = &self.grid.known[at]
            if not order.cancelling and not is_among(order.tick, &self.asks[0] if order.is_sell else &self.bids[0]):
                order.cancelling = 1
                self.cancel_order(order.id)
        for at in range(LEVELS):
            if held < self.position_max and not self.is_known(self.bids[at]):
                self.note(self.bids[at], self.buy_lots(market, self.lots, self.bids[at], TimeInForce.POST_ONLY), 0)
            if held > -self.position_max and not self.is_known(self.asks[at]):
                self.note(self.asks[at], self.sell_lots(market, self.lots, self.asks[at], TimeInForce.POST_ONLY), 1)
        return 0

    cdef bint is_known(self, int64_t tick) noexcept:
        cdef uint32_t at
        for at in range(self.grid.count):
            if self.grid.known[at].tick == tick:
                return 1
        return 0

    cdef int note(self, int64_t tick, uint64_t id, bint is_sell) except -1:
        cdef KnownC* order = &self.grid.known[self.grid.count]
        if self.grid.count == KNOWN_MAX:
            raise OverflowError(f"expected at most {KNOWN_MAX} orders whose end was not seen, found more")
        order.tick, order.id, order.is_sell, order.cancelling = tick, id, is_sell, 0
        self.grid.count += 1
        return 0

    cdef int on_order(self, const OrderC* order) except -1:
        return self.forget(order.id) if order.state == OrderState.DONE else 0

    cdef int on_reject(self, const RecordC* refusal, const ExtraC* more) except -1:
        return self.forget(refusal.id)

    cdef int forget(self, uint64_t id) except -1:
        cdef uint32_t at = 0
        while at < self.grid.count and self.grid.known[at].id != id:
            at += 1
        if at == self.grid.count:
            raise KeyError(id)
        self.grid.count -= 1
        memmove(&self.grid.known[at], &self.grid.known[at + 1], (self.grid.count - at) * sizeof(KnownC))
        self.grid.changed = 1
        return 0


class CompiledGrid(GridCore, Strategy):
    """The grid under the name that the bench knows; its Params are those of the grid in Python."""

    Params = grid.Grid.Params


cdef inline double nearest(double value) noexcept nogil:
    """To the nearest whole number, half to even; of values below 2**51."""
    return value + ROUND - ROUND


cdef inline bint is_among(int64_t tick, const int64_t* ticks) noexcept nogil:
    cdef int at
    for at in range(LEVELS):
        if ticks[at] == tick:
            return 1
    return 0
