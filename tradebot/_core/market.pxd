"""What the kernel does to one instrument's market."""

from libc.stdint cimport int64_t

from tradebot._core.context cimport BY_LEVELS, BY_ORDERS, BY_QUOTES, TO_BARS, TO_BOOK, TO_QUOTES, TO_TRADES, ContextC, MarketC
from tradebot._core.depth cimport depth_apply
from tradebot._core.instrument cimport SPOT
from tradebot._core.types cimport Flag, Kind, RecordC


cdef int market_take_order(MarketC* market, const RecordC* record) except -1 nogil
cdef int market_take_rare(MarketC* market, const RecordC* record) except -1 nogil
cdef bint refresh_levels(MarketC* market) noexcept nogil
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


cdef inline bint is_bare(const MarketC* market) noexcept nogil:
    """No book and no quote was told: the last price is all there is."""
    return market.bid == 0 and market.ask == 0 and market.book_kind == BY_QUOTES


cdef inline int note_price(MarketC* market, int64_t price) noexcept nogil:
    """A trade, or a bar's close where trades are not told, as the last price; where there is nothing else also as the middle."""
    market.last_price = price
    if is_bare(market):
        market.middle2 = 2 * price
    return 0


cdef inline int64_t trigger_price(const ContextC* context, const MarketC* market) noexcept nogil:
    """What triggers watch; 0 where it is not known."""
    return market.mark_price if context.by_mark else market.last_price


cdef inline int market_take(MarketC* market, const RecordC* record) except -1 nogil:
    """Apply a market fact that is not void. Returns what there is to tell of it: Listener, or'ed."""
    if record.kind == Kind.L2_LEVEL:
        return market_take_level(market, record)
    if record.kind == Kind.TRADE:
        note_price(market, record.price)
        market.last_quantity = record.quantity
        market.trades += 1
        return TO_TRADES | TO_BARS
    if Kind.L3_ADD <= record.kind <= Kind.L3_EXECUTE:
        return market_take_order(market, record)
    return market_take_rare(market, record)


cdef inline int market_take_level(MarketC* market, const RecordC* record) except -1 nogil:
    cdef int heard
    if depth_apply(&market.depth, record):
        market.message_changed = 1
        market.message_touched |= is_best_touched(market, record)
    if not record.flags & Flag.LAST or market.book_kind == BY_ORDERS:
        return 0
    market.book_kind = BY_LEVELS
    heard = TO_BOOK if market.message_changed else 0
    market.message_changed = 0
    if market.message_touched:
        market.message_touched = 0
        if refresh_levels(market):
            heard |= TO_QUOTES
    return heard


cdef inline int64_t mark2_of(const MarketC* market) noexcept nogil:
    """Twice the price at which a position is judged, ticks: of a contract the mark where there is one, else the middle."""
    return 2 * market.mark_price if market.mark_price and market.terms.kind != SPOT else market.middle2
