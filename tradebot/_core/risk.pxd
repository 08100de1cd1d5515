"""The one risk gate: limits, and a check that decides and cannot fail."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from tradebot._core.instrument cimport InstrumentC
from tradebot._core.types cimport Reject


cdef struct LimitsC:            # of one strategy in one instrument; 0 is no limit unless said otherwise
    int64_t quantity_max        # lots in one order
    int64_t notional_max        # money units of quote in one order
    int64_t position_max        # lots, either way, open orders counted at their worst
    int64_t band                # how far a limit may lie on the far side of the reference, fraction in 1e-8
    uint32_t orders_open_max


cdef struct RateC:              # at most `count` orders in any `interval_ns`
    int64_t* times              # ring of the last `count` send times
    uint32_t count              # 0: no limit
    uint32_t at
    int64_t interval_ns


cdef struct IntentC:            # an order before it is one, with what the gate needs to know
    uint8_t is_sell
    uint8_t order_type
    uint8_t time_in_force
    uint8_t state               # TradingState
    uint8_t quarantined
    int64_t price               # ticks; of a market order the worst price the band allows
    int64_t quantity            # lots
    int64_t reference           # ticks; 0 where there is no market
    int64_t position            # lots, signed
    int64_t open_buys           # lots
    int64_t open_sells          # lots
    int64_t free_quote          # money units
    int64_t free_base           # money units
    int64_t needed              # money units that the order would lock, of quote for a buy, of base for a sale
    uint32_t orders_open
    int64_t time_ns
    uint8_t flags               # OrderFlag
    int64_t trigger             # ticks; 0: none
    int64_t trigger_price       # ticks: what a trigger watches; 0 where it is not known
    int64_t stop                # ticks: where what it fills is stopped out; 0: nowhere
    int64_t target              # ticks: where its profit is taken; 0: nowhere
    int64_t distance            # ticks that its stop follows behind; 0: it stays


cdef int rate_open(RateC* rate, uint32_t count, int64_t interval_ns) except -1
cdef int rate_close(RateC* rate) noexcept nogil
cdef int rate_take(RateC* rate, int64_t time_ns) noexcept nogil
cdef Reject check_order(const LimitsC* limits, const RateC* rate, const InstrumentC* instrument, const IntentC* intent) noexcept nogil
cdef object rate_to_list(const RateC* rate)
cdef int rate_from_list(RateC* rate, object state) except -1
