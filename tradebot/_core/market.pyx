"""One instrument as the engine sees it: which of book, levels and quotes gives the best prices, and what they are.

Order by order wins over levels, and levels over quotes: what is told in more detail is shown. The middle price is kept from the
last moment at which both sides stood; before a book or a quote was told, the last price stands for it.
"""

from tradebot._core.book cimport NO_ASK, NO_BID, book_apply, book_from_list, book_level_quantity, book_to_list
from tradebot._core.context cimport BY_ORDERS, BY_QUOTES, TO_BARS, TO_BOOK, TO_FEED, TO_QUOTES, MarketC
from tradebot._core.depth cimport depth_from_list, depth_quantity, depth_to_list
from tradebot._core.instrument cimport FEE_SCALE, muldiv_up
from tradebot._core.types cimport Flag, Kind, RecordC, Side


cdef int64_t worst_price(const MarketC* market, bint is_sell, int64_t band) noexcept nogil:
    """The bound of a market order: `band` beyond the best of the other side, at least a tick; 0 where that side is empty. Beyond
    the last price where there is no book.
    """
    cdef int64_t best = market.last_price if is_bare(market) else market.bid if is_sell else market.ask
    if best == 0:
        return market.middle2 >> 1 if market.middle2 > 1 else is_sell
    return bound_price(best, is_sell, band)


cdef int64_t bound_price(int64_t price, bint is_sell, int64_t band) noexcept nogil:
    """`band` beyond a price, at least a tick."""
    cdef int overflow = 0
    cdef int64_t width = muldiv_up(price, band, 1, FEE_SCALE, &overflow)
    if is_sell:
        return price - width if price > width else 1
    return price + width


cdef int market_take_order(MarketC* market, const RecordC* record) except -1 nogil:
    """Apply a record of one order; inside a snapshot nothing is told until it is whole."""
    cdef int heard = 0
    market.book_kind = BY_ORDERS
    if book_apply(&market.book, record):
        heard = TO_BOOK | TO_QUOTES if refresh_orders(market, record) else TO_BOOK
    if record.flags & Flag.SNAPSHOT:
        return TO_BOOK | TO_QUOTES if record.flags & Flag.LAST else 0
    return heard


cdef int market_take_rare(MarketC* market, const RecordC* record) except -1 nogil:
    if record.kind == Kind.BAR:
        if market.trades == 0 and not record.flags & Flag.RESTATED:
            note_price(market, record.price)
        return TO_BARS
    if record.kind == Kind.QUOTE:
        return TO_QUOTES if market.book_kind == BY_QUOTES and set_quote(market, record) else 0
    if record.kind == Kind.MARK and record.price:
        market.mark_price = record.price
    if record.kind == Kind.FEED_STATE:
        market.feed_is_up = record.id != 0
    return TO_FEED if record.kind == Kind.FEED_STATE or record.kind == Kind.GAP else 0


cdef bint refresh_orders(MarketC* market, const RecordC* record) noexcept nogil:
    """Read best prices and sizes off the book. Returns 1 where one of the four changed."""
    cdef int64_t bid = 0 if market.book.bid == NO_BID else market.book.bid
    cdef int64_t ask = 0 if market.book.ask == NO_ASK else market.book.ask
    cdef int64_t quantity
    cdef bint changed = bid != market.bid or ask != market.ask
    if not changed and record.price != bid and record.price != ask and market.book.parked_count == 0 and record.kind != Kind.L3_CHANGE:
        return 0
    quantity = book_level_quantity(&market.book, bid) if bid else 0
    changed |= quantity != market.bid_quantity
    market.bid_quantity = quantity
    quantity = book_level_quantity(&market.book, ask) if ask else 0
    changed |= quantity != market.ask_quantity
    market.ask_quantity = quantity
    market.bid = bid
    market.ask = ask
    if bid and ask:
        market.middle2 = bid + ask
    return changed


cdef bint refresh_levels(MarketC* market) noexcept nogil:
    """Read best prices and sizes off the levels. Returns 1 where one of the four changed."""
    cdef int64_t bid = 0 if market.depth.bid == NO_BID else market.depth.bid
    cdef int64_t ask = 0 if market.depth.ask == NO_ASK else market.depth.ask
    cdef int64_t bid_quantity = depth_quantity(&market.depth, Side.BUY, bid) if bid else 0
    cdef int64_t ask_quantity = depth_quantity(&market.depth, Side.SELL_SIDE, ask) if ask else 0
    cdef bint changed = (
        bid != market.bid or ask != market.ask or bid_quantity != market.bid_quantity or ask_quantity != market.ask_quantity
    )
    market.bid = bid
    market.ask = ask
    market.bid_quantity = bid_quantity
    market.ask_quantity = ask_quantity
    if bid and ask:
        market.middle2 = bid + ask
    return changed


cdef int set_quote(MarketC* market, const RecordC* record) noexcept nogil:
    cdef int64_t ask = <int64_t>record.id, ask_quantity = <int64_t>record.id2
    cdef bint changed = (
        record.price != market.bid or ask != market.ask
        or record.quantity != market.bid_quantity or ask_quantity != market.ask_quantity
    )
    market.bid = record.price
    market.ask = ask
    market.bid_quantity = record.quantity
    market.ask_quantity = ask_quantity
    if market.bid and market.ask:
        market.middle2 = market.bid + market.ask
    return changed


cdef list market_to_list(const MarketC* market):
    return [
        book_to_list(&market.book), depth_to_list(&market.depth), market.book_kind, market.message_changed, market.message_touched,
        bool(market.feed_is_up), market.bid, market.ask,
        market.bid_quantity, market.ask_quantity, market.last_price, market.last_quantity, market.middle2, market.trades,
        market.mark_price,
    ]


cdef int market_from_list(MarketC* market, object state) except -1:
    book_from_list(&market.book, state[0])
    depth_from_list(&market.depth, state[1])
    (
        market.book_kind, market.message_changed, market.message_touched, market.feed_is_up, market.bid, market.ask, market.bid_quantity,
        market.ask_quantity, market.last_price, market.last_quantity, market.middle2, market.trades,
        market.mark_price,
    ) = state[2:]
    return 0
