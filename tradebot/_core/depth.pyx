"""A price-level book that is right at any depth and after any price jump, and as fast as an array where it is dense.

Prices are grouped in shelves of 64 neighbouring levels, a word of bits for each side. A shelf is found through a
direct-mapped table of the shelves in use, so a near price costs one look and one compare; a price that falls on a taken place of the
table costs a hash look-up. The next level is found in the shelf's word, and from shelf to shelf by a sorted directory. An
emptied shelf stays until half of all are empty, then all such go at once: a price that trades to and fro around a border
makes and drops nothing.

The two sides are kept apart. Venues send levels one by one, so inside a message the sides may cross; whoever shows the book
waits for LAST. A level of quantity 0 is deleted, whether it was there or not.

Absent on purpose: what a level consists of. Where in a level an order of ours stands is the queue models' matter.
"""

from libc.stdlib cimport free
from libc.string cimport memmove, memset

from tradebot._core.arena cimport grow, index_clear, index_close, index_get, index_open, index_put
from tradebot._core.book cimport NO_ASK, NO_BID
from tradebot._core.digest cimport DigestC, digest_open, digest_slot
from tradebot._core.types cimport Flag, Kind, Side, is_bounded

import numpy as np

from tradebot._core.types import BBO_DTYPE, record_rows

cdef extern from *:
    """
    #define tb_ctz(x) __builtin_ctzll(x)
    #define tb_clz(x) __builtin_clzll(x)
    """
    int ctz "tb_ctz"(uint64_t word) noexcept nogil
    int clz "tb_clz"(uint64_t word) noexcept nogil

cdef enum:
    SWEEP_MIN = 64              # emptied shelves that are not worth a sweep

assert sizeof(ShelfC) == 32 + 2 * 64 * 8


cdef int depth_open(DepthC* depth) except -1 nogil:
    memset(depth, 0, sizeof(DepthC))
    grow(<void**>&depth.shelves, sizeof(ShelfC), &depth.shelves_max, 16)
    grow(<void**>&depth.directory, sizeof(PlaceC), &depth.directory_max, 16)
    index_open(&depth.by_number, 64)
    return depth_clear(depth)


cdef int depth_close(DepthC* depth) noexcept nogil:
    free(depth.shelves)
    free(depth.directory)
    index_close(&depth.by_number)
    memset(depth, 0, sizeof(DepthC))
    return 0


cdef int depth_clear(DepthC* depth) noexcept nogil:
    """Drop every level."""
    memset(depth.shelves, 0, sizeof(ShelfC) * depth.shelves_max)
    memset(depth.near, 0, sizeof(depth.near))
    index_clear(&depth.by_number)
    depth.shelves_used = 0
    depth.emptied = 0
    depth.bid = NO_BID
    depth.ask = NO_ASK
    return 0


cdef int depth_begin(DepthC* depth, const RecordC* record) except -1 nogil:
    """The first level of a snapshot: nothing of before stands."""
    depth_clear(depth)
    depth_set(depth, record.flags & Flag.SELL, record.price, record.quantity)
    return 1


cdef int depth_set_far(DepthC* depth, uint8_t side, int64_t price, int64_t quantity) except -1 nogil:
    """`depth_set` where the shelf is not where it was looked up last, or is none."""
    cdef ShelfC* shelf = shelf_near(depth, price >> SHELF_BITS)
    if shelf == NULL:
        if quantity <= 0:
            return 0
        shelf = &depth.shelves[shelf_make(depth, price >> SHELF_BITS)]
    return shelf_set(depth, shelf, side, price, quantity)


cdef int depth_reached(DepthC* depth, uint8_t side, int64_t price, int64_t quantity) except -1 nogil:
    """A level at the best price of its side or beyond it was set: what the best is now."""
    if side == Side.BUY:
        depth.bid = price if quantity else depth_next_down(depth, side, price)
    else:
        depth.ask = price if quantity else depth_next_up(depth, side, price)
    return 0


cdef inline ShelfC* shelf_near(DepthC* depth, int64_t number) noexcept nogil:
    """The shelf of that number, NULL where there is none."""
    cdef uint32_t handle = depth.near[number & NEAR_MASK]
    if handle and depth.shelves[handle - 1].number == number:
        return &depth.shelves[handle - 1]
    handle = index_get(&depth.by_number, <uint64_t>number)
    if handle == 0:
        return NULL
    depth.near[number & NEAR_MASK] = handle
    return &depth.shelves[handle - 1]


cdef const ShelfC* shelf_find(const DepthC* depth, int64_t number) noexcept nogil:
    """As `shelf_near`, for readers that change nothing."""
    cdef uint32_t handle = depth.near[number & NEAR_MASK]
    if handle and depth.shelves[handle - 1].number == number:
        return &depth.shelves[handle - 1]
    handle = index_get(&depth.by_number, <uint64_t>number)
    return &depth.shelves[handle - 1] if handle else NULL


cdef uint32_t shelf_make(DepthC* depth, int64_t number) except? 0xFFFFFFFF nogil:
    """A new shelf; returns its index. Others may move. Raises ValueError for one at 2**58 ticks or beyond, where no market is: asked
    here, a bound costs nothing. Totals need none, for they are never summed in this book.
    """
    cdef uint32_t at, count = depth.shelves_used
    if not is_bounded(number << SHELF_BITS) or not is_bounded(number):
        with gil:
            raise ValueError(f"a level around {number << SHELF_BITS} ticks is beyond any market's: expected less than 2**58; import the data again")
    grow(<void**>&depth.shelves, sizeof(ShelfC), &depth.shelves_max, count + 1)
    grow(<void**>&depth.directory, sizeof(PlaceC), &depth.directory_max, count + 1)
    memset(&depth.shelves[count], 0, sizeof(ShelfC))
    depth.shelves[count].number = number
    index_put(&depth.by_number, <uint64_t>number, count + 1)
    depth.near[number & NEAR_MASK] = count + 1
    at = directory_at(depth, number)
    memmove(&depth.directory[at + 1], &depth.directory[at], (count - at) * sizeof(PlaceC))
    depth.directory[at] = PlaceC(number, count + 1, 0)
    depth.shelves_used = count + 1
    return count


cdef uint32_t directory_at(const DepthC* depth, int64_t number) noexcept nogil:
    """The first place in the directory whose shelf has that number or a greater one."""
    cdef uint32_t low = 0, high = depth.shelves_used, middle
    while low < high:
        middle = (low + high) >> 1
        if depth.directory[middle].number < number:
            low = middle + 1
        else:
            high = middle
    return low


cdef int shelf_emptied(DepthC* depth) except -1 nogil:
    """Count an emptied shelf; one that filled again was counted too, so a sweep may find fewer."""
    depth.emptied += 1
    if depth.emptied > SWEEP_MIN and depth.emptied * 2 > depth.shelves_used:
        shelves_sweep(depth)
    return 0


cdef int shelves_sweep(DepthC* depth) except -1 nogil:
    """Drop the empty shelves and close up the rest."""
    cdef uint32_t at, kept = 0, place = 0
    cdef ShelfC* shelf
    for at in range(depth.shelves_used):
        shelf = &depth.shelves[depth.directory[at].handle - 1]
        if shelf.bits[0] | shelf.bits[1]:
            depth.directory[kept] = depth.directory[at]
            kept += 1
    index_clear(&depth.by_number)
    memset(depth.near, 0, sizeof(depth.near))
    for at in range(depth.shelves_used):
        shelf = &depth.shelves[at]
        if shelf.bits[0] | shelf.bits[1]:
            if place != at:
                memmove(&depth.shelves[place], shelf, sizeof(ShelfC))
            place += 1
            index_put(&depth.by_number, <uint64_t>depth.shelves[place - 1].number, place)
    for at in range(kept):
        depth.directory[at].handle = index_get(&depth.by_number, <uint64_t>depth.directory[at].number)
    depth.shelves_used = kept
    depth.emptied = 0
    return 0


cdef int64_t depth_next_down(const DepthC* depth, uint8_t side, int64_t price) noexcept nogil:
    """The nearest lower price of a side with lots; NO_BID where there is none."""
    cdef int64_t number = price >> SHELF_BITS
    cdef const ShelfC* shelf = shelf_find(depth, number)
    cdef uint64_t word
    cdef uint32_t at
    if shelf != NULL:
        word = shelf.bits[side] & ((<uint64_t>1 << (price & SHELF_MASK)) - 1)
        if word:
            return (number << SHELF_BITS) + 63 - clz(word)
    at = directory_at(depth, number)
    while at > 0:
        at -= 1
        shelf = &depth.shelves[depth.directory[at].handle - 1]
        if shelf.bits[side]:
            return (shelf.number << SHELF_BITS) + 63 - clz(shelf.bits[side])
    return NO_BID


cdef int64_t depth_next_up(const DepthC* depth, uint8_t side, int64_t price) noexcept nogil:
    """The nearest higher price of a side with lots; NO_ASK where there is none."""
    cdef int64_t number = price >> SHELF_BITS
    cdef const ShelfC* shelf = shelf_find(depth, number)
    cdef uint64_t word
    cdef uint32_t at
    if shelf != NULL:
        word = shelf.bits[side] & ~((<uint64_t>2 << (price & SHELF_MASK)) - 1)
        if word:
            return (number << SHELF_BITS) + ctz(word)
    at = directory_at(depth, number + 1)
    while at < depth.shelves_used:
        shelf = &depth.shelves[depth.directory[at].handle - 1]
        if shelf.bits[side]:
            return (shelf.number << SHELF_BITS) + ctz(shelf.bits[side])
        at += 1
    return NO_ASK


cdef int64_t depth_quantity_far(const DepthC* depth, uint8_t side, int64_t price) noexcept nogil:
    cdef const ShelfC* shelf = shelf_find(depth, price >> SHELF_BITS)
    return 0 if shelf == NULL else shelf.quantity[side][price & SHELF_MASK]


cdef list side_to_list(const DepthC* depth, uint8_t side, int64_t levels):
    """(price, lots) of a side from the best away."""
    cdef int64_t price = depth.bid if side == Side.BUY else depth.ask
    cdef list rows = []
    while price != NO_BID and price != NO_ASK and len(rows) < levels:
        rows.append((price, depth_quantity(depth, side, price)))
        price = depth_next_down(depth, side, price) if side == Side.BUY else depth_next_up(depth, side, price)
    return rows


cdef object depth_to_list(const DepthC* depth):
    """The content in canonical order: bids from the best down, asks from the best up."""
    return [side_to_list(depth, side, NO_ASK) for side in range(2)]


cdef int depth_from_list(DepthC* depth, object state) except -1:
    """Rebuild from `depth_to_list`."""
    cdef uint8_t side
    depth_clear(depth)
    for side in range(2):
        for price, quantity in state[side]:
            depth_set(depth, side, price, quantity)
    return 0


cdef str depth_hash(const DepthC* depth):
    """32 hex digits over (side, price, lots) in canonical order."""
    cdef DigestC digest
    cdef uint64_t slot[8]
    cdef uint8_t side
    digest_open(&digest)
    memset(slot, 0, 64)
    for side in range(2):
        for price, quantity in side_to_list(depth, side, NO_ASK):
            slot[1] = side
            slot[2] = <uint64_t><int64_t>price
            slot[3] = <uint64_t><int64_t>quantity
            digest_slot(&digest, slot)
    return f"{digest.high:016x}{digest.low:016x}"


cdef int depth_validate(const DepthC* depth) except -1:
    """Assert everything the book promises; O(shelves)."""
    cdef uint32_t at
    cdef const ShelfC* shelf
    cdef int64_t bid = NO_BID, ask = NO_ASK, last = -(<int64_t>1 << 60), price
    cdef int slot, side
    assert depth.by_number.count == depth.shelves_used
    for at in range(depth.shelves_used):
        shelf = &depth.shelves[depth.directory[at].handle - 1]
        assert shelf.number > last
        assert index_get(&depth.by_number, <uint64_t>shelf.number) == depth.directory[at].handle
        assert shelf.number == depth.directory[at].number
        last = shelf.number
        for slot in range(SHELF_LEVELS):
            price = (shelf.number << SHELF_BITS) + slot
            for side in range(2):
                assert ((shelf.bits[side] >> slot) & 1) == (shelf.quantity[side][slot] > 0)
                assert shelf.quantity[side][slot] >= 0
            if shelf.quantity[0][slot] and price > bid:
                bid = price
            if shelf.quantity[1][slot] and price < ask:
                ask = price
    assert depth.bid == bid
    assert depth.ask == ask
    return 0


cdef class L2Book:
    """A price-level book for Python: tests, tools, checks. Prices in ticks, quantities in lots."""

    def __cinit__(self):
        depth_open(&self.book)

    def __dealloc__(self):
        depth_close(&self.book)

    def apply(self, records) -> int:
        """Take in an array of RECORD_DTYPE in order; returns how many changed the book. Raises ValueError at a level of 2**58
        ticks or more; those before it are in."""
        cdef const RecordC[::1] rows = record_rows(records)
        cdef Py_ssize_t at, count = rows.shape[0]
        cdef int changed = 0
        with nogil:
            for at in range(count):
                changed += depth_apply(&self.book, &rows[at])
        return changed

    def apply_checksum(self, records) -> int:
        """Take in records and sum best ask minus best bid after each, modulo 2**64: what a benchmark prints."""
        cdef const RecordC[::1] rows = record_rows(records)
        cdef Py_ssize_t at, count = rows.shape[0]
        cdef uint64_t total = 0
        with nogil:
            for at in range(count):
                depth_apply(&self.book, &rows[at])
                total += <uint64_t>(self.book.ask - self.book.bid)
        return total

    def apply_bbo(self, records):
        """Take in records; the best bid and ask after each venue message that touched the book, as BBO_DTYPE."""
        cdef const RecordC[::1] rows = record_rows(records)
        cdef Py_ssize_t at, count = rows.shape[0]
        cdef Py_ssize_t found = 0
        cdef int64_t bid, ask
        out = np.zeros(count, dtype=BBO_DTYPE)
        cdef int64_t[:, ::1] cells = out.view(np.int64).reshape(count, 5)
        with nogil:
            for at in range(count):
                depth_apply(&self.book, &rows[at])
                if rows[at].kind != Kind.L2_LEVEL or not rows[at].flags & Flag.LAST or rows[at].flags & Flag.VOID:
                    continue
                bid = 0 if self.book.bid == NO_BID else self.book.bid
                ask = 0 if self.book.ask == NO_ASK else self.book.ask
                cells[found, 0] = at
                cells[found, 1] = bid
                cells[found, 2] = depth_quantity(&self.book, Side.BUY, bid) if bid else 0
                cells[found, 3] = ask
                cells[found, 4] = depth_quantity(&self.book, Side.SELL_SIDE, ask) if ask else 0
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
    def bid_quantity(self) -> int:
        """Lots at the best bid, 0 where there is none."""
        return 0 if self.book.bid == NO_BID else depth_quantity(&self.book, Side.BUY, self.book.bid)

    @property
    def ask_quantity(self) -> int:
        """Lots at the best ask, 0 where there is none."""
        return 0 if self.book.ask == NO_ASK else depth_quantity(&self.book, Side.SELL_SIDE, self.book.ask)

    def quantity(self, side: int, price: int) -> int:
        """Lots of a side at a price, 0 where there are none."""
        return depth_quantity(&self.book, side, price)

    def depth(self, side: int, levels: int) -> list[tuple[int, int]]:
        """(price, quantity) of up to `levels` prices from the best."""
        return side_to_list(&self.book, side, levels)

    def clear(self) -> None:
        depth_clear(&self.book)

    def validate(self) -> None:
        """Assert every invariant; O(shelves)."""
        depth_validate(&self.book)

    def hash(self) -> str:
        """The book hash: 32 hex digits over the content."""
        return depth_hash(&self.book)

    def state(self) -> list:
        """Plain data that `restore` takes."""
        return depth_to_list(&self.book)

    def restore(self, state: list) -> None:
        depth_from_list(&self.book, state)

