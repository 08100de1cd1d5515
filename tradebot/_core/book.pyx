"""An order-by-order book that is right at any depth and after any price jump.

Prices are grouped in pages of 256 neighbouring levels; a page exists only while one of its levels holds orders.
Inside a page the next level is found in four words of bits; from page to page by a sorted directory of the few
hundred pages in use. So a far order costs a page, not an array up to it, and a jump of the price costs nothing.

An arriving order whose price reaches the other side is about to trade, or about to be refused as post-only; the venue
says which in later events. Until then it is *parked*: known by id, shown at no price. It rests at the tail of its
price as soon as it no longer crosses. So the displayed book never crosses, and one set of levels serves both sides:
every level at or below the best bid holds bids, every level at or above the best ask holds asks.

What priority an order keeps: less quantity keeps its place; more quantity, or another price, goes to the tail.
An execution takes quantity from the named order wherever it stands; one of no lots changes nothing. Events that name an unknown order are counted and
change nothing. Records flagged VOID, and kinds that are not L3, change nothing.

Absent on purpose: matching (match.pyx), our own orders (simulator.pyx).
"""

from libc.stdlib cimport free
from libc.string cimport memmove, memset

from tradebot._core.arena cimport grow, index_clear, index_close, index_delete, index_get, index_open, index_put
from tradebot._core.digest cimport DigestC, digest_open, digest_slot
from tradebot._core.types cimport Flag, Kind, Side, check_amounts

import numpy as np

from tradebot._core.types import BBO_DTYPE, record_rows

cdef extern from *:
    """
    #define tb_ctz(x) __builtin_ctzll(x)
    #define tb_clz(x) __builtin_clzll(x)
    """
    int ctz "tb_ctz"(uint64_t word) noexcept nogil
    int clz "tb_clz"(uint64_t word) noexcept nogil

cdef int64_t NO_PAGE = <int64_t>1 << 62      # no price is on it
NO_BID = -(<int64_t>1 << 62)
NO_ASK = <int64_t>1 << 62

assert sizeof(NodeC) == 48
assert sizeof(LevelC) == 24


cdef int book_open(BookC* book) except -1 nogil:
    memset(book, 0, sizeof(BookC))
    grow(<void**>&book.nodes, sizeof(NodeC), &book.nodes_max, 1024)
    grow(<void**>&book.pages, sizeof(PageC), &book.pages_max, 16)
    index_open(&book.by_id, 4096)
    index_open(&book.by_page, 64)
    return book_empty(book)


cdef int book_empty(BookC* book) noexcept nogil:
    book.nodes_used = 1
    book.node_free = 0
    book.pages_used = 0
    book.page_free_count = 0
    book.directory_count = 0
    book.hot_number = NO_PAGE
    book.bid = NO_BID
    book.ask = NO_ASK
    book.parked_head[0] = book.parked_head[1] = 0
    book.parked_tail[0] = book.parked_tail[1] = 0
    book.parked_count = 0
    book.order_count = 0
    return 0


cdef int book_close(BookC* book) noexcept nogil:
    free(book.nodes)
    free(book.pages)
    free(book.page_free)
    free(book.directory)
    index_close(&book.by_id)
    index_close(&book.by_page)
    memset(book, 0, sizeof(BookC))
    return 0


cdef int book_clear(BookC* book) except -1 nogil:
    """Drop every order. Ranks go on from where they were, so that arrival order stays one sequence."""
    if book.pages_used:
        memset(book.pages, 0, sizeof(PageC) * book.pages_used)
    index_clear(&book.by_id)
    index_clear(&book.by_page)
    return book_empty(book)


cdef int book_apply(BookC* book, const RecordC* record) except -1 nogil:
    """Take in one record. Returns 1 where the book changed, 0 where it did not."""
    cdef uint8_t kind = record.kind
    cdef uint32_t handle
    if kind < Kind.L3_ADD or kind > Kind.L3_EXECUTE or record.flags & Flag.VOID:
        return 0
    if kind == Kind.L3_ADD:
        if record.flags & Flag.BEGIN:
            book_clear(book)
        if record.quantity <= 0:
            return 0
        if index_get(&book.by_id, record.id):
            book.unknown_count += 1
            return 0
        book_add(book, record.id, record.flags & Flag.SELL, record.price, record.quantity)
        return 1
    handle = index_get(&book.by_id, record.id)
    if handle == 0:
        book.unknown_count += 1
        return 0
    if kind == Kind.L3_EXECUTE:
        if record.quantity <= 0:
            return 0
        book_reduce(book, handle, record.quantity)
    elif kind == Kind.L3_DELETE:
        book_remove(book, handle)
    else:
        book_change(book, handle, record.price, record.quantity)
    return 1


cdef inline int book_add(BookC* book, uint64_t id, uint8_t side, int64_t price, int64_t quantity) except -1 nogil:
    cdef uint32_t handle = book.node_free
    cdef NodeC* node
    if handle:
        book.node_free = book.nodes[handle].next
    else:
        if book.nodes_used >= book.nodes_max:
            grow(<void**>&book.nodes, sizeof(NodeC), &book.nodes_max, book.nodes_used + 1)
        handle = book.nodes_used
        book.nodes_used += 1
    node = &book.nodes[handle]
    node.id = id
    node.quantity = quantity
    node.price = price
    node.side = side
    index_put(&book.by_id, id, handle)
    book.order_count += 1
    return book_place(book, handle)


cdef inline int book_place(BookC* book, uint32_t handle) except -1 nogil:
    """Put a node where it belongs: parked while it crosses, else at the tail of its price."""
    cdef NodeC* node = &book.nodes[handle]
    node.rank = book.rank_next
    book.rank_next += 1
    if node.price >= book.ask if node.side == Side.BUY else node.price <= book.bid:
        return book_park(book, handle)
    return book_rest(book, handle)


cdef inline int book_rest(BookC* book, uint32_t handle) except -1 nogil:
    cdef NodeC* node = &book.nodes[handle]
    cdef int64_t price = node.price
    cdef uint32_t page = page_of(book, price >> PAGE_BITS)
    cdef uint32_t slot = <uint32_t>(price & PAGE_MASK)
    cdef LevelC* level = &book.pages[page].levels[slot]
    node.parked = 0
    node.level = page * PAGE_LEVELS + slot
    node.next = 0
    node.prev = level.tail
    if level.tail:
        book.nodes[level.tail].next = handle
    else:
        level.head = handle
        book.pages[page].bits[slot >> 6] |= <uint64_t>1 << (slot & 63)
        book.pages[page].live += 1
        if node.side == Side.BUY:
            if price > book.bid:
                book.bid = price
        elif price < book.ask:
            book.ask = price
    level.tail = handle
    level.quantity += node.quantity
    level.count += 1
    return 0


cdef int book_park(BookC* book, uint32_t handle) noexcept nogil:
    cdef NodeC* node = &book.nodes[handle]
    cdef uint8_t side = node.side
    node.parked = 1
    node.next = 0
    node.prev = book.parked_tail[side]
    if node.prev:
        book.nodes[node.prev].next = handle
    else:
        book.parked_head[side] = handle
    book.parked_tail[side] = handle
    book.parked_count += 1
    return 0


cdef int book_unpark(BookC* book, uint32_t handle) noexcept nogil:
    cdef NodeC* node = &book.nodes[handle]
    cdef uint8_t side = node.side
    if node.prev:
        book.nodes[node.prev].next = node.next
    else:
        book.parked_head[side] = node.next
    if node.next:
        book.nodes[node.next].prev = node.prev
    else:
        book.parked_tail[side] = node.prev
    book.parked_count -= 1
    return 0


cdef int book_settle(BookC* book) except -1 nogil:
    """Rest the parked orders that no longer cross, in order of arrival."""
    cdef uint32_t handle, next
    cdef uint8_t side
    for side in range(2):
        handle = book.parked_head[side]
        while handle:
            next = book.nodes[handle].next
            if book.nodes[handle].price < book.ask if side == Side.BUY else book.nodes[handle].price > book.bid:
                book_unpark(book, handle)
                book_rest(book, handle)
            handle = next
    return 0


cdef inline int book_lift(BookC* book, uint32_t handle) except -1 nogil:
    """Take a node from its queue, parked or resting; the node itself stays allocated."""
    cdef NodeC* node = &book.nodes[handle]
    cdef LevelC* level
    cdef PageC* page
    cdef uint32_t slot
    if node.parked:
        return book_unpark(book, handle)
    page = &book.pages[node.level >> PAGE_BITS]
    slot = node.level & PAGE_MASK
    level = &page.levels[slot]
    level.quantity -= node.quantity
    level.count -= 1
    if node.prev:
        book.nodes[node.prev].next = node.next
    else:
        level.head = node.next
    if node.next:
        book.nodes[node.next].prev = node.prev
    else:
        level.tail = node.prev
    if level.head == 0:
        page.bits[slot >> 6] &= ~(<uint64_t>1 << (slot & 63))
        page.live -= 1
        book_level_emptied(book, node.price, node.level >> PAGE_BITS)
    return 0


cdef inline int book_level_emptied(BookC* book, int64_t price, uint32_t page) except -1 nogil:
    cdef bint was_best = 1
    if price == book.bid:
        book.bid = book_next_down(book, price)
    elif price == book.ask:
        book.ask = book_next_up(book, price)
    else:
        was_best = 0
    if book.pages[page].live == 0:
        page_drop(book, page)
    if was_best and book.parked_count:
        book_settle(book)
    return 0


cdef inline int book_remove(BookC* book, uint32_t handle) except -1 nogil:
    index_delete(&book.by_id, book.nodes[handle].id)
    book.order_count -= 1
    book_lift(book, handle)
    book.nodes[handle].next = book.node_free
    book.node_free = handle
    return 0


cdef int book_reduce(BookC* book, uint32_t handle, int64_t quantity) except -1 nogil:
    """Take `quantity` lots from an order; it leaves at zero."""
    cdef NodeC* node = &book.nodes[handle]
    if quantity >= node.quantity:
        return book_remove(book, handle)
    node.quantity -= quantity
    if not node.parked:
        book.pages[node.level >> PAGE_BITS].levels[node.level & PAGE_MASK].quantity -= quantity
    return 0


cdef int book_change(BookC* book, uint32_t handle, int64_t price, int64_t quantity) except -1 nogil:
    """Set what remains, and perhaps the limit. `book_lift` may settle others first, so the place is taken after it."""
    cdef NodeC* node = &book.nodes[handle]
    if quantity <= 0:
        return book_remove(book, handle)
    if price == node.price and quantity <= node.quantity:
        return book_reduce(book, handle, node.quantity - quantity) if quantity < node.quantity else 0
    book_lift(book, handle)
    node.price = price
    node.quantity = quantity
    return book_place(book, handle)


cdef inline uint32_t page_of(BookC* book, int64_t number) except? 0xFFFFFFFF nogil:
    """The page of that number, made where it is missing."""
    cdef uint32_t found
    if number == book.hot_number:
        return book.hot_page
    found = index_get(&book.by_page, <uint64_t>number)
    if found == 0:
        found = page_make(book, number) + 1
    book.hot_number = number
    book.hot_page = found - 1
    return found - 1


cdef uint32_t page_make(BookC* book, int64_t number) except? 0xFFFFFFFF nogil:
    cdef uint32_t page, at
    if book.page_free_count:
        book.page_free_count -= 1
        page = book.page_free[book.page_free_count]
    else:
        grow(<void**>&book.pages, sizeof(PageC), &book.pages_max, book.pages_used + 1)
        page = book.pages_used
        book.pages_used += 1
    book.pages[page].number = number
    index_put(&book.by_page, <uint64_t>number, page + 1)
    grow(<void**>&book.directory, sizeof(uint32_t), &book.directory_max, book.directory_count + 1)
    at = directory_at(book, number)
    memmove(&book.directory[at + 1], &book.directory[at], (book.directory_count - at) * sizeof(uint32_t))
    book.directory[at] = page
    book.directory_count += 1
    return page


cdef int page_drop(BookC* book, uint32_t page) except -1 nogil:
    """Give back an empty page. Its levels are all zero already."""
    cdef int64_t number = book.pages[page].number
    cdef uint32_t at = directory_at(book, number)
    book.directory_count -= 1
    memmove(&book.directory[at], &book.directory[at + 1], (book.directory_count - at) * sizeof(uint32_t))
    index_delete(&book.by_page, <uint64_t>number)
    grow(<void**>&book.page_free, sizeof(uint32_t), &book.page_free_max, book.page_free_count + 1)
    book.page_free[book.page_free_count] = page
    book.page_free_count += 1
    if book.hot_number == number:
        book.hot_number = NO_PAGE
    return 0


cdef uint32_t directory_at(const BookC* book, int64_t number) noexcept nogil:
    """The first place in the directory whose page is not below `number`."""
    cdef uint32_t low = 0, high = book.directory_count, middle
    while low < high:
        middle = (low + high) >> 1
        if book.pages[book.directory[middle]].number < number:
            low = middle + 1
        else:
            high = middle
    return low


cdef int64_t book_next_down(const BookC* book, int64_t price) noexcept nogil:
    """The nearest price below with orders; NO_BID where there is none."""
    cdef int64_t number = price >> PAGE_BITS
    cdef uint32_t slot = <uint32_t>(price & PAGE_MASK), found, at
    cdef uint64_t word
    cdef int64_t index
    found = index_get(&book.by_page, <uint64_t>number)
    if found:
        index = slot >> 6
        word = book.pages[found - 1].bits[index] & ((<uint64_t>1 << (slot & 63)) - 1)
        while True:
            if word:
                return (number << PAGE_BITS) + index * 64 + 63 - clz(word)
            index -= 1
            if index < 0:
                break
            word = book.pages[found - 1].bits[index]
    at = directory_at(book, number)
    while at > 0:
        at -= 1
        for index in range(PAGE_WORDS - 1, -1, -1):
            word = book.pages[book.directory[at]].bits[index]
            if word:
                return (book.pages[book.directory[at]].number << PAGE_BITS) + index * 64 + 63 - clz(word)
    return NO_BID


cdef int64_t book_next_up(const BookC* book, int64_t price) noexcept nogil:
    """The nearest price above with orders; NO_ASK where there is none."""
    cdef int64_t number = price >> PAGE_BITS
    cdef uint32_t slot = <uint32_t>(price & PAGE_MASK), found, at
    cdef uint64_t word
    cdef int64_t index
    found = index_get(&book.by_page, <uint64_t>number)
    if found:
        index = slot >> 6
        word = book.pages[found - 1].bits[index] & ~((<uint64_t>2 << (slot & 63)) - 1)
        while True:
            if word:
                return (number << PAGE_BITS) + index * 64 + ctz(word)
            index += 1
            if index == PAGE_WORDS:
                break
            word = book.pages[found - 1].bits[index]
    at = directory_at(book, number + 1)
    while at < book.directory_count:
        for index in range(PAGE_WORDS):
            word = book.pages[book.directory[at]].bits[index]
            if word:
                return (book.pages[book.directory[at]].number << PAGE_BITS) + index * 64 + ctz(word)
        at += 1
    return NO_ASK


cdef const LevelC* book_level(const BookC* book, int64_t price) noexcept nogil:
    """The level at a price, NULL where its page does not exist."""
    cdef uint32_t found = index_get(&book.by_page, <uint64_t>(price >> PAGE_BITS))
    if found == 0:
        return NULL
    return &book.pages[found - 1].levels[price & PAGE_MASK]


cdef int64_t book_level_quantity(const BookC* book, int64_t price) noexcept nogil:
    cdef const LevelC* level = book_level(book, price)
    return 0 if level == NULL else level.quantity


cdef int64_t book_quantity_ahead(const BookC* book, uint8_t side, int64_t price, uint64_t rank) noexcept nogil:
    """Lots of `side` at `price` that arrived before `rank`; none where the level belongs to the other side."""
    cdef const LevelC* level = book_level(book, price)
    cdef int64_t ahead = 0
    cdef uint32_t handle
    if level == NULL:
        return 0
    handle = level.head
    while handle and book.nodes[handle].side == side and book.nodes[handle].rank < rank:
        ahead += book.nodes[handle].quantity
        handle = book.nodes[handle].next
    return ahead


cdef object book_to_list(const BookC* book):
    """The content in canonical order: bids from the best down, asks from the best up, then the parked."""
    cdef list bids = [], asks = [], parked = []
    cdef int64_t price = book.bid
    cdef uint32_t handle
    cdef uint8_t side
    while price != NO_BID:
        level_to_list(book, price, bids)
        price = book_next_down(book, price)
    price = book.ask
    while price != NO_ASK:
        level_to_list(book, price, asks)
        price = book_next_up(book, price)
    for side in range(2):
        handle = book.parked_head[side]
        while handle:
            parked.append(node_to_tuple(&book.nodes[handle]))
            handle = book.nodes[handle].next
    return [bids, asks, parked, book.rank_next, book.unknown_count]


cdef int level_to_list(const BookC* book, int64_t price, list orders) except -1:
    cdef uint32_t handle = book_level(book, price).head
    while handle:
        orders.append(node_to_tuple(&book.nodes[handle]))
        handle = book.nodes[handle].next
    return 0


cdef tuple node_to_tuple(const NodeC* node):
    return (node.id, node.side, node.price, node.quantity, node.rank)


cdef int book_from_list(BookC* book, object state) except -1:
    """Rebuild from `book_to_list`. Ranks are restored, so queue positions of our orders stay true."""
    cdef uint64_t rank
    cdef uint32_t handle
    book_clear(book)
    for orders in state[:3]:
        for id, side, price, quantity, rank in orders:
            book_add(book, id, side, price, quantity)
            handle = index_get(&book.by_id, id)
            book.nodes[handle].rank = rank
    book.rank_next = state[3]
    book.unknown_count = state[4]
    return 0


cdef str book_hash(const BookC* book):
    """32 hex digits over (id, side, price, quantity) in canonical order; parked orders are marked by their side + 2.

    Quantities at a price and the order inside a queue count; ranks, handles and pages do not.
    """
    cdef DigestC digest
    cdef uint64_t slot[8]
    cdef int part
    digest_open(&digest)
    memset(slot, 0, 64)
    state = book_to_list(book)
    for part in range(3):
        for id, side, price, quantity, _ in state[part]:
            slot[0] = id
            slot[1] = <uint64_t>(side + 2 if part == 2 else side)
            slot[2] = <uint64_t><int64_t>price
            slot[3] = <uint64_t><int64_t>quantity
            digest_slot(&digest, slot)
    return f"{digest.high:016x}{digest.low:016x}"


cdef int book_validate(const BookC* book) except -1:
    """Assert everything the book promises; O(orders)."""
    cdef uint32_t at, slot, handle, prev, count, resting = 0
    cdef int64_t quantity, last_number = -(<int64_t>1 << 60)
    cdef const PageC* page
    cdef uint8_t side
    assert book.bid < book.ask
    for at in range(book.directory_count):
        page = &book.pages[book.directory[at]]
        assert page.number > last_number
        assert page.live > 0
        last_number = page.number
        count = 0
        for slot in range(PAGE_LEVELS):
            resting += level_validate(book, page, slot)
            count += page.levels[slot].head != 0
        assert count == page.live
    count = 0
    for side in range(2):
        prev = 0
        handle = book.parked_head[side]
        while handle:
            assert book.nodes[handle].parked and book.nodes[handle].prev == prev
            assert book.nodes[handle].price >= book.ask if side == Side.BUY else book.nodes[handle].price <= book.bid
            prev = handle
            count += 1
            handle = book.nodes[handle].next
        assert book.parked_tail[side] == prev
    assert count == book.parked_count
    assert resting + count == book.order_count
    assert book.order_count == book.by_id.count
    return 0


cdef uint32_t level_validate(const BookC* book, const PageC* page, uint32_t slot) except? 0xFFFFFFFF:
    cdef const LevelC* level = &page.levels[slot]
    cdef const NodeC* node
    cdef int64_t price = (page.number << PAGE_BITS) + slot, quantity = 0
    cdef uint32_t handle = level.head, prev = 0, count = 0
    assert ((page.bits[slot >> 6] >> (slot & 63)) & 1) == (level.head != 0)
    while handle:
        node = &book.nodes[handle]
        assert node.quantity > 0
        assert node.price == price
        assert node.prev == prev
        assert not node.parked
        assert prev == 0 or book.nodes[prev].rank < node.rank
        assert (price <= book.bid) if node.side == Side.BUY else (price >= book.ask)
        assert index_get(&book.by_id, node.id) == handle
        quantity += node.quantity
        count += 1
        prev = handle
        handle = node.next
    assert level.tail == prev
    assert level.quantity == quantity
    assert level.count == count
    return count


cdef class L3Book:
    """An order-by-order book for Python: tests, tools, the book check. Prices in ticks, quantities in lots."""

    def __cinit__(self):
        book_open(&self.book)

    def __dealloc__(self):
        book_close(&self.book)

    def apply(self, records) -> int:
        """Take in an array of RECORD_DTYPE in order; returns how many changed the book. Raises ValueError at an order whose price or
        quantity is beyond the bounds of `check_amounts`; what came before it is in."""
        cdef const RecordC[::1] rows = record_rows(records)
        cdef Py_ssize_t at, count = rows.shape[0]
        cdef int changed = 0
        with nogil:
            for at in range(count):
                if rows[at].kind <= Kind.L3_CHANGE:     # what says a price and lots; a removal only names an order
                    check_amounts(&rows[at], at)
                changed += book_apply(&self.book, &rows[at])
        return changed

    def apply_checksum(self, records) -> int:
        """Take in records and sum best ask minus best bid after each, modulo 2**64: what a benchmark prints."""
        cdef const RecordC[::1] rows = record_rows(records)
        cdef Py_ssize_t at, count = rows.shape[0]
        cdef uint64_t total = 0
        with nogil:
            for at in range(count):
                if rows[at].kind <= Kind.L3_CHANGE:
                    check_amounts(&rows[at], at)
                book_apply(&self.book, &rows[at])
                total += <uint64_t>(self.book.ask - self.book.bid)
        return total

    def apply_bbo(self, records):
        """Take in records; the best bid and ask after each book event, as BBO_DTYPE. A snapshot is one event."""
        cdef const RecordC[::1] rows = record_rows(records)
        cdef Py_ssize_t at, count = rows.shape[0]
        cdef Py_ssize_t found = 0
        cdef int64_t bid, ask
        out = np.zeros(count, dtype=BBO_DTYPE)
        cdef int64_t[:, ::1] cells = out.view(np.int64).reshape(count, 5)
        with nogil:
            for at in range(count):
                if rows[at].kind < Kind.L3_ADD or rows[at].kind > Kind.L3_EXECUTE or rows[at].flags & Flag.VOID:
                    continue
                if rows[at].kind <= Kind.L3_CHANGE:
                    check_amounts(&rows[at], at)
                book_apply(&self.book, &rows[at])
                if rows[at].flags & Flag.SNAPSHOT and not rows[at].flags & Flag.LAST:
                    continue
                bid = 0 if self.book.bid == NO_BID else self.book.bid
                ask = 0 if self.book.ask == NO_ASK else self.book.ask
                cells[found, 0] = at
                cells[found, 1] = bid
                cells[found, 2] = book_level_quantity(&self.book, bid) if bid else 0
                cells[found, 3] = ask
                cells[found, 4] = book_level_quantity(&self.book, ask) if ask else 0
                found += 1
        return out[:found]

    @property
    def bid(self) -> int | None:
        """Best bid in ticks, None where there is none."""
        return None if self.book.bid == NO_BID else self.book.bid

    @property
    def ask(self) -> int | None:
        """Best ask in ticks, None where there is none."""
        return None if self.book.ask == NO_ASK else self.book.ask

    @property
    def order_count(self) -> int:
        return self.book.order_count

    @property
    def parked_count(self) -> int:
        return self.book.parked_count

    @property
    def unknown_count(self) -> int:
        return self.book.unknown_count

    def depth(self, side: int, levels: int) -> list[tuple[int, int, int]]:
        """(price, quantity, orders) of up to `levels` prices from the best."""
        cdef int64_t price = self.book.bid if side == Side.BUY else self.book.ask
        cdef list rows = []
        cdef const LevelC* level
        while price != NO_BID and price != NO_ASK and len(rows) < levels:
            level = book_level(&self.book, price)
            rows.append((price, level.quantity, level.count))
            price = book_next_down(&self.book, price) if side == Side.BUY else book_next_up(&self.book, price)
        return rows

    def order(self, id: int) -> tuple[int, int, int, bool] | None:
        """(side, price, quantity, parked) of an order, None where unknown."""
        cdef uint32_t handle = index_get(&self.book.by_id, id)
        if handle == 0:
            return None
        return (
            self.book.nodes[handle].side,
            self.book.nodes[handle].price,
            self.book.nodes[handle].quantity,
            bool(self.book.nodes[handle].parked),
        )

    def queue(self, price: int) -> list[tuple[int, int]]:
        """(id, quantity) at a price, first in first."""
        cdef list orders = []
        if book_level(&self.book, price) != NULL:
            level_to_list(&self.book, price, orders)
        return [(order[0], order[3]) for order in orders]

    def clear(self) -> None:
        book_clear(&self.book)

    def validate(self) -> None:
        """Assert every invariant; O(orders)."""
        book_validate(&self.book)

    def hash(self) -> str:
        """The book hash: 32 hex digits over the content."""
        return book_hash(&self.book)

    def state(self) -> list:
        """Plain data that `restore` takes."""
        return book_to_list(&self.book)

    def restore(self, state: list) -> None:
        book_from_list(&self.book, state)

