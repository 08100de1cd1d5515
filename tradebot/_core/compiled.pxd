"""The face of a strategy that is written in Cython: what it overrides, and what it may ask for, without a Python object.

    cdef class Core(Compiled):
        cdef int on_trade(self, const MarketC* market, const RecordC* trade) except -1:
            if trade.quantity > 1000:
                self.sell_lots(market, 10, market.ask, TimeInForce.POST_ONLY)
            return 0

    class Follow(Core, Strategy):
        "What the configuration names; Params, State and whatever is rare stay Python."

The names above are cimported from here, `Strategy` is imported from `tradebot.strategies.strategy`; docs/compiled.md has the whole file
and how it is built.

A callback is overridden here or, by its `def` name, in Python; one that is neither costs nothing. All that holds for a strategy in
Python holds here: wishes take effect when the callback returns, a callback that raises (returns -1 with an exception set) is
undone and shuts the strategy out, and what is to survive a restart is declared (`keep`, or State). What a callback is handed is
core memory of that moment: read it, copy what you need, never keep the pointer.

Prices are ticks and quantities lots of the instrument; `price_of` and `quantity_of` turn them into units.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from tradebot._core.bars cimport BarSeries
from tradebot._core.context cimport MarketC
from tradebot._core.instrument cimport price_of, quantity_of
from tradebot._core.intervals cimport BarC
from tradebot._core.ledger cimport PositionC, ledger_position
from tradebot._core.orders cimport OrderC, orders_get, orders_list
from tradebot._core.trader cimport Trader
from tradebot._core.types cimport ExtraC, Flag, Kind, OrderState, OrderType, RecordC, Reject, TimeInForce
from tradebot._core.views cimport View


cdef class Compiled(Trader):
    cdef void* kept                     # what `keep` declared
    cdef size_t kept_size

    # Callbacks. `market` is the instrument's; of a trade, a fill or a refusal RECORD_TABLE says what each field means.
    cdef int on_trade(self, const MarketC* market, const RecordC* trade) except -1
    cdef int on_book(self, const MarketC* market) except -1
    cdef int on_quote(self, const MarketC* market) except -1
    cdef int on_bar(self, BarSeries series, const BarC* bar) except -1
    cdef int on_timer(self, uint64_t number) except -1
    cdef int on_order(self, const OrderC* order) except -1
    cdef int on_fill(self, const OrderC* order, const RecordC* fill, const ExtraC* more) except -1
    cdef int on_reject(self, const RecordC* refusal, const ExtraC* more) except -1
    cdef int on_cancel_reject(self, const RecordC* refusal, const ExtraC* more) except -1
    cdef int on_position(self, const MarketC* market, const PositionC* position) except -1
    cdef int on_feed(self, const MarketC* market, const RecordC* feed) except -1

    # Wishes; `ticks` 0 is a market order. Each returns the order's id, and raises outside of callbacks.
    cdef uint64_t buy_lots(self, const MarketC* market, int64_t lots, int64_t ticks, uint8_t force) except 0
    cdef uint64_t sell_lots(self, const MarketC* market, int64_t lots, int64_t ticks, uint8_t force) except 0
    cdef int cancel_order(self, uint64_t id) except -1

    # State that a snapshot keeps: one flat struct without pointers, declared in on_start. It begins as zeros; set it field by field,
    # for the bytes between fields are kept too.
    cdef int keep(self, void* memory, size_t size) except -1

    cdef inline const MarketC* market(self) noexcept:
        """The first instrument's."""
        return &self.context.markets[self.first]

    cdef inline uint32_t index_in_run(self, const MarketC* market) noexcept:
        return <uint32_t>(market - self.context.markets)

    cdef inline const PositionC* position_in(self, const MarketC* market) noexcept:
        """What the strategy holds by its own trades."""
        return ledger_position(&self.context.ledger, self.number, self.index_in_run(market))

    cdef inline const OrderC* order(self, uint64_t id) noexcept:
        """An open order, NULL where it is not open."""
        return orders_get(&self.context.orders, id)

    cdef inline uint32_t orders_open(self, const MarketC* market) noexcept:
        return orders_list(&self.context.orders, self.number, self.index_in_run(market)).count


cdef class CompiledCall:                # what a seat holds in the place of a Python handler
    cdef uint8_t callback
    cdef int run(self, Compiled strategy, View view) except -1
    cdef int run_rare(self, Compiled strategy, View view) except -1


cdef object compiled_call(Compiled strategy, str name, object handler)
