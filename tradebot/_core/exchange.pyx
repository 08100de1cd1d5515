"""A whole exchange without a network: the matcher on its own, for `bench match` and for tests.

An arriving order trades against the other side by price and time, each fill at the resting order's price; what a limit order has left
rests, what a market order has left is gone. `match_find` says what trades and `book_reduce` commits it: the same two that
an order of ours meets at the simulated venue, so what is measured here is what a backtest runs.

The digest is taken over every fill in order: maker, taker, price, lots, and the number of the operation.
"""

from libc.string cimport memset

import numpy as np

from tradebot._core.arena cimport index_get
from tradebot._core.book cimport NO_ASK, NO_BID, book_apply, book_close, book_level_quantity, book_open, book_reduce, book_validate
from tradebot._core.digest cimport digest_open, digest_slot
from tradebot._core.match cimport match_find, matches_close
from tradebot._core.types cimport Flag, Kind, RecordC, Side, is_bounded

OPERATION_DTYPE = np.dtype(
    [("id", "<u8"), ("price", "<i8"), ("quantity", "<i8"), ("kind", "u1"), ("side", "u1"), ("pad", "<u2"), ("pad2", "<u4")]
)

assert sizeof(OperationC) == 32
assert OPERATION_DTYPE.itemsize == sizeof(OperationC)


cdef int exchange_take(ExchangeC* exchange, const OperationC* operation) except -1 nogil:
    """Take one operation."""
    cdef uint32_t handle
    exchange.operations += 1
    if operation.kind == OperationKind.CANCEL:
        handle = index_get(&exchange.book.by_id, operation.id)
        if handle == 0:
            exchange.refused += 1
            return 0
        return book_reduce(&exchange.book, handle, exchange.book.nodes[handle].quantity)
    if operation.quantity <= 0 or operation.side > Side.SELL_SIDE:
        exchange.refused += 1
        return 0
    if operation.kind == OperationKind.MARKET:
        match_find(&exchange.book, &exchange.matches, operation.side, NO_BID if operation.side else NO_ASK, operation.quantity)
        return commit_matches(exchange, operation)
    if operation.kind != OperationKind.PLACE or index_get(&exchange.book.by_id, operation.id):
        exchange.refused += 1
        return 0
    return place(exchange, operation)


cdef int place(ExchangeC* exchange, const OperationC* operation) except -1 nogil:
    cdef RecordC rest
    match_find(&exchange.book, &exchange.matches, operation.side, operation.price, operation.quantity)
    if exchange.matches.count:
        commit_matches(exchange, operation)
    if exchange.matches.quantity == operation.quantity:
        return 0
    memset(&rest, 0, sizeof(RecordC))
    rest.kind = Kind.L3_ADD
    rest.flags = Flag.SELL if operation.side else 0
    rest.id = operation.id
    rest.price = operation.price
    rest.quantity = operation.quantity - exchange.matches.quantity
    book_apply(&exchange.book, &rest)
    return 0


cdef int commit_matches(ExchangeC* exchange, const OperationC* operation) except -1 nogil:
    cdef uint64_t slot[8]
    cdef uint32_t at
    memset(slot, 0, sizeof(slot))
    slot[1] = operation.id
    slot[4] = exchange.operations
    for at in range(exchange.matches.count):
        slot[0] = exchange.matches.items[at].maker
        slot[2] = <uint64_t>exchange.matches.items[at].price
        slot[3] = <uint64_t>exchange.matches.items[at].quantity
        digest_slot(&exchange.digest, slot)
        book_reduce(&exchange.book, exchange.matches.items[at].handle, exchange.matches.items[at].quantity)
    exchange.fills += exchange.matches.count
    exchange.volume += exchange.matches.quantity
    return 0


cdef class Exchange:
    """An exchange of one instrument. Prices in ticks, quantities in lots."""

    def __cinit__(self):
        memset(&self.exchange, 0, sizeof(ExchangeC))
        book_open(&self.exchange.book)
        digest_open(&self.exchange.digest)

    def __dealloc__(self):
        book_close(&self.exchange.book)
        matches_close(&self.exchange.matches)

    def apply(self, operations) -> int:
        """Take an array of OPERATION_DTYPE in order; returns fills so far. Raises TypeError for another, ValueError at an operation
        beyond 2**58 ticks or lots; those before it are done."""
        cdef const OperationC[::1] rows
        cdef Py_ssize_t at
        if not isinstance(operations, np.ndarray) or operations.dtype != OPERATION_DTYPE:
            raise TypeError(f"expected an array of OPERATION_DTYPE, found {getattr(operations, 'dtype', type(operations).__name__)}")
        rows = np.ascontiguousarray(operations)
        with nogil:
            for at in range(rows.shape[0]):
                if not is_bounded(rows[at].price) or not is_bounded(rows[at].quantity):
                    with gil:
                        raise ValueError(f"operation {at} asks for {rows[at].quantity} lots at {rows[at].price} ticks: expected at most 2**58")
                exchange_take(&self.exchange, &rows[at])
        return self.exchange.fills

    @property
    def operations(self) -> int:
        return self.exchange.operations

    @property
    def fills(self) -> int:
        return self.exchange.fills

    @property
    def refused(self) -> int:
        """Operations that changed nothing: an id twice, an unknown id, no lots."""
        return self.exchange.refused

    @property
    def volume(self) -> int:
        """Lots that traded."""
        return self.exchange.volume

    @property
    def live(self) -> int:
        """Orders that rest."""
        return self.exchange.book.order_count

    @property
    def digest_text(self) -> str:
        return f"{self.exchange.digest.high:016x}{self.exchange.digest.low:016x}"

    def best(self, side: int) -> tuple[int, int] | None:
        """(price, lots) of a side, None where it is empty."""
        cdef int64_t price = self.exchange.book.ask if side else self.exchange.book.bid
        if price == NO_BID or price == NO_ASK:
            return None
        return price, book_level_quantity(&self.exchange.book, price)

    def validate(self) -> None:
        """Assert every invariant; O(orders)."""
        assert self.exchange.book.parked_count == 0
        book_validate(&self.exchange.book)
