"""Price-time matching against a book, in two steps: find what would trade, then let the caller commit it.

Finding changes nothing, so it serves three masters: an order of ours at the simulated venue, the check of a
recording against the trades it names, and fill-or-kill, which must know before it touches anything. Executions are written
to the caller's buffer; nobody is called back while the book is mid-change.
"""

from libc.stdlib cimport free

from tradebot._core.arena cimport grow
from tradebot._core.book cimport NO_ASK, NO_BID, L3Book, book_level, book_next_down, book_next_up
from tradebot._core.types cimport Side


cdef int matches_close(MatchesC* matches) noexcept nogil:
    free(matches.items)
    matches.items = NULL
    matches.items_max = 0
    return 0


cdef int match_find(const BookC* book, MatchesC* matches, uint8_t side, int64_t limit, int64_t quantity) except -1 nogil:
    """Fill `matches` with the trades of an order of `side` up to `limit` ticks (NO_ASK, NO_BID: at any price)."""
    cdef int64_t price = book.ask if side == Side.BUY else book.bid
    cdef int64_t left = quantity, taken
    cdef uint32_t handle
    matches.count = 0
    while left > 0 and price != NO_ASK and price != NO_BID:
        if price > limit if side == Side.BUY else price < limit:
            break
        handle = book_level(book, price).head
        while handle and left > 0:
            taken = book.nodes[handle].quantity if book.nodes[handle].quantity < left else left
            if matches.count >= matches.items_max:
                grow(<void**>&matches.items, sizeof(MatchC), &matches.items_max, matches.count + 1)
            matches.items[matches.count].price = price
            matches.items[matches.count].quantity = taken
            matches.items[matches.count].maker = book.nodes[handle].id
            matches.items[matches.count].handle = handle
            matches.count += 1
            left -= taken
            handle = book.nodes[handle].next
        price = book_next_up(book, price) if side == Side.BUY else book_next_down(book, price)
    matches.quantity = quantity - left
    return 0


def would_trade(L3Book book, side: int, limit: int | None, quantity: int) -> list[tuple[int, int, int]]:
    """(maker id, price in ticks, lots) an order would trade with now; `limit` None is a market order. Changes nothing."""
    cdef MatchesC matches
    cdef uint32_t at
    cdef int64_t bound = limit if limit is not None else (NO_ASK if side == Side.BUY else NO_BID)
    matches.items = NULL
    matches.items_max = 0
    try:
        match_find(&book.book, &matches, side, bound, quantity)
        return [
            (matches.items[at].maker, matches.items[at].price, matches.items[at].quantity)
            for at in range(matches.count)
        ]
    finally:
        matches_close(&matches)
