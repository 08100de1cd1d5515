"""What a contract's position and orders must be backed by, and when the venue closes it."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from tradebot._core.instrument cimport InstrumentC
from tradebot._core.ledger cimport PositionC
from tradebot._core.orders cimport OrderC, OrderListC, OrdersC


cdef struct TierC:              # of maintenance margin
    int64_t floor               # notional above which it holds, money units of the settle asset
    int64_t rate                # of the notional, fraction in 1e-8
    int64_t amount              # money units off, so that the margin does not jump at the floor


cdef struct MarginC:            # of one market; all zero for spot
    int64_t leverage            # notional over margin
    uint8_t is_cross            # the account's balance backs every position; else each has its own margin
    TierC* tiers                # by floor, the first 0
    uint32_t tier_count


cdef MarginC* margins_open(list rows, uint32_t count) except NULL
cdef int margins_close(MarginC* margins, uint32_t count) noexcept nogil
cdef int64_t position_margin(const MarginC* margin, const PositionC* position, int* overflow) noexcept nogil
cdef int64_t maintenance(const MarginC* margin, const InstrumentC* terms, int64_t lots, int64_t mark2, int* overflow) noexcept nogil
cdef int64_t margin_held(const MarginC* margin, const InstrumentC* terms, const PositionC* position, const OrdersC* orders, const OrderListC* list, const OrderC* extra, int64_t lock_fee, int* overflow) noexcept nogil
cdef int64_t funding_payment(const InstrumentC* terms, int64_t lots, int64_t mark2, int64_t rate, int* overflow) noexcept nogil
cdef double liquidation_ticks(const MarginC* margin, const InstrumentC* terms, int64_t lots, int64_t cost, double wallet) noexcept nogil
