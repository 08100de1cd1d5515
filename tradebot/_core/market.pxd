"""What the kernel does to one instrument's market."""

from libc.stdint cimport int64_t

from tradebot._core.context cimport ContextC, MarketC
from tradebot._core.instrument cimport SPOT
from tradebot._core.types cimport RecordC


cdef bint refresh_orders(MarketC* market, const RecordC* record) noexcept nogil
cdef bint refresh_levels(MarketC* market) noexcept nogil
cdef int set_quote(MarketC* market, const RecordC* record) noexcept nogil
cdef int64_t worst_price(const MarketC* market, bint is_sell, int64_t band) noexcept nogil
cdef int64_t bound_price(int64_t price, bint is_sell, int64_t band) noexcept nogil
cdef list market_to_list(const MarketC* market)
cdef int market_from_list(MarketC* market, object state) except -1


cdef inline bint is_best_touched(const MarketC* market, const RecordC* record) noexcept nogil:
    """A level that changed may have changed what is shown as the best."""
    return (
        record.price == market.bid or record.price == market.ask or market.depth.bid != market.bid
        or market.depth.ask != market.ask
    )


cdef inline int64_t trigger_price(const ContextC* context, const MarketC* market) noexcept nogil:
    """What triggers watch; 0 where it is not known."""
    return market.mark_price if context.by_mark else market.last_price


cdef inline int64_t mark2_of(const MarketC* market) noexcept nogil:
    """Twice the price at which a position is judged, ticks: of a contract the mark where there is one, else the middle."""
    return 2 * market.mark_price if market.mark_price and market.terms.kind != SPOT else market.middle2
