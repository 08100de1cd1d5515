"""The record that everything is made of: 64 bytes, one C struct, one numpy dtype, one normative table.

Market facts take one slot. Commands and account facts take two (`FactC`): the second carries `CONT` in its
flags. The kind byte stands at the same offset in both, so a reader can walk a stream slot by slot. The sequence of
a record in a run is implicit: the base of its frame plus its index.

Numbers of kinds, flags and refusals never change meaning; new ones are added.
"""

import numpy as np

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uintptr_t

assert sizeof(RecordC) == 64
assert sizeof(ExtraC) == 64
assert sizeof(FactC) == 128

RECORD_DTYPE = np.dtype(
    [
        ("time_ns", "<i8"),
        ("venue_ns", "<i8"),
        ("venue_sequence", "<u8"),
        ("price", "<i8"),
        ("quantity", "<i8"),
        ("id", "<u8"),
        ("id2", "<u8"),
        ("instrument", "<u4"),
        ("kind", "u1"),
        ("flags", "u1"),
        ("owner", "<u2"),
    ]
)

EXTRA_DTYPE = np.dtype(
    [
        ("trigger", "<i8"),
        ("expiry_ns", "<i8"),
        ("display", "<i8"),
        ("parent", "<u8"),
        ("fee", "<i8"),
        ("trade_id", "<u8"),
        ("cause", "<u8"),
        ("fee_asset", "<u2"),
        ("order_type", "u1"),
        ("time_in_force", "u1"),
        ("kind2", "u1"),
        ("flags2", "u1"),
        ("reject", "<u2"),
    ]
)

FACT_DTYPE = np.dtype(RECORD_DTYPE.descr + EXTRA_DTYPE.descr)

# What a run writes beside its facts, for reports; not facts themselves, and not in the digest.
SAMPLE_DTYPE = np.dtype(
    [
        ("time_ns", "<i8"),      # the grid time sampled
        ("bid", "<i8"),          # ticks; 0 where the side is empty
        ("ask", "<i8"),          # ticks; 0 where the side is empty
        ("position", "<i8"),     # lots, signed
        ("realised", "<i8"),     # money units of the settle asset, before fees; funding is taken off
        ("unrealised", "<i8"),   # money units of the settle asset, at the mark, else at the middle price
        ("fees", "<i8"),         # money units of the settle asset paid so far, of the base asset at the trade's price
        ("instrument", "<u4"),
        ("strategy", "<u2"),
        ("pad", "<u2"),
        ("mark", "<i8"),         # ticks, of a contract; 0 where unknown
    ]
)

MARKOUT_DTYPE = np.dtype(
    [
        ("time_ns", "<i8"),      # of the fill
        ("trade_id", "<u8"),     # of the fill
        ("horizon_ns", "<i8"),   # how long after it
        ("middle2", "<i8"),      # bid + ask then, ticks; 0 where a side was empty
        ("price", "<i8"),        # of the fill, ticks
        ("quantity", "<i8"),     # of the fill, lots, negative for a sale
        ("instrument", "<u4"),
        ("strategy", "<u2"),
        ("maker", "<u2"),        # 1: our order rested
        ("spare", "<i8"),
    ]
)

# A bar that reached a stop and a target of ours: which came first, and what the other would have brought. Bar grade only.
DOUBT_DTYPE = np.dtype(
    [
        ("time_ns", "<i8"),      # when the bar opened at the venue
        ("stop", "<u8"),         # order id
        ("target", "<u8"),       # order id
        ("lots", "<i8"),         # that the one taken filled at once
        ("stop_price", "<i8"),   # ticks, costs included
        ("target_price", "<i8"),
        ("difference", "<i8"),   # money units of quote that the target first would have brought more, fees included; 0 where known
        ("instrument", "<u4"),
        ("strategy", "<u2"),
        ("known", "<u2"),        # 1: stored trades told which came first
    ]
)

# Best bid and offer after a book event; prices are 0 where a side is empty.
BBO_DTYPE = np.dtype(
    [
        ("row", "<i8"),          # index of the event in its batch
        ("bid", "<i8"),          # ticks
        ("bid_quantity", "<i8"), # lots
        ("ask", "<i8"),
        ("ask_quantity", "<i8"),
    ]
)

assert SAMPLE_DTYPE.itemsize == 72
assert MARKOUT_DTYPE.itemsize == 64
assert DOUBT_DTYPE.itemsize == 64
assert RECORD_DTYPE.itemsize == sizeof(RecordC)
assert FACT_DTYPE.itemsize == sizeof(FactC)

# What each slot means per kind. A slot that is not named is zero. `side` is the SELL flag.
# time_ns, venue_ns and instrument mean the same for every kind and are not repeated.
RECORD_TABLE = {
    Kind.TRADE: {
        "venue_sequence": "trade id", "price": "ticks", "quantity": "lots",
        "id": "buy order id, 0 where unknown", "id2": "sell order id, 0 where unknown",
        "flags": "side of the aggressor",
    },
    Kind.L2_LEVEL: {
        "venue_sequence": "update id", "price": "ticks", "quantity": "new total in lots, 0 deletes the level",
        "flags": "side, SNAPSHOT, BEGIN, LAST",
    },
    Kind.L3_ADD: {
        "venue_sequence": "event number", "price": "limit in ticks", "quantity": "lots", "id": "order id",
        "flags": "side, SNAPSHOT, BEGIN, LAST, VOID",
    },
    Kind.L3_CHANGE: {
        "venue_sequence": "event number", "price": "limit in ticks", "quantity": "lots that remain",
        "id": "order id", "flags": "side, VOID",
    },
    Kind.L3_DELETE: {
        "venue_sequence": "event number", "price": "limit in ticks", "quantity": "lots that remained",
        "id": "order id", "flags": "side, VOID",
    },
    Kind.L3_EXECUTE: {
        "venue_sequence": "event number", "price": "ticks", "quantity": "lots executed",
        "id": "order id of the maker", "id2": "order id of the taker, 0 where unknown",
        "flags": "side of the maker, VOID",
    },
    Kind.QUOTE: {
        "venue_sequence": "update id", "price": "bid in ticks", "quantity": "bid size in lots",
        "id": "ask in ticks", "id2": "ask size in lots",
    },
    Kind.BAR: {
        "venue_ns": "open time, the bar's label", "venue_sequence": "open in ticks", "price": "close in ticks",
        "quantity": "volume in lots", "id": "high in ticks", "id2": "low in ticks",
        "owner": "interval in seconds, 0 where it does not fit", "flags": "RESTATED",
    },
    Kind.MARK: {
        "price": "mark price in ticks", "quantity": "index price in ticks",
        "id": "funding rate in 1e-12, two's complement", "id2": "next funding time in ns",
    },
    Kind.GAP: {"venue_sequence": "found", "id": "expected"},
    Kind.FEED_STATE: {"id": "0 down, 1 up"},
    Kind.TIMER: {"id": "timer number", "owner": "strategy", "id2": "missed: when the session went on; 0: on time"},
    Kind.OPEN_INTEREST: {"quantity": "lots held open at the venue"},
    Kind.FUNDING: {
        "price": "mark price in ticks at the settlement, 0 where unknown", "id": "rate in 1e-12, two's complement",
        "id2": "ns since the settlement before, 0 where unknown",
    },
    Kind.INSTRUMENT_CHANGED: {"id": "the version that holds from here on"},
    Kind.ORDER_ACCEPTED: {
        "price": "ticks", "quantity": "lots", "id": "order id", "id2": "venue order id", "flags": "side",
        "owner": "strategy", "display": "lots ahead in the queue, -1 where unknown", "cause": "command",
    },
    Kind.ORDER_REJECTED: {
        "price": "ticks", "quantity": "lots", "id": "order id", "flags": "side", "owner": "strategy",
        "reject": "Reject", "cause": "command, or the fact that led to the wish",
    },
    Kind.ORDER_FILLED: {
        "price": "ticks", "quantity": "lots", "id": "order id", "id2": "order id of the other side",
        "flags": "side, MAKER", "owner": "strategy", "fee": "money units, positive is paid",
        "fee_asset": "asset number", "trade_id": "of this fill", "parent": "lots of the order that remain",
        "trigger": "bid + ask at the venue before the instant of the trade, ticks; 0 where a side was empty",
        "display": "lots ahead in the queue before the trade, for a maker",
    },
    Kind.ORDER_CANCELLED: {
        "price": "ticks", "quantity": "lots that remained", "id": "order id", "flags": "side",
        "owner": "strategy", "reject": "why, where the venue ended it by itself", "cause": "command",
    },
    Kind.CANCEL_REJECTED: {"id": "order id", "owner": "strategy", "reject": "Reject", "cause": "command"},
    Kind.ORDER_AMENDED: {
        "price": "ticks", "quantity": "lots of the order in all", "id": "order id", "flags": "side", "owner": "strategy",
        "trigger": "ticks, 0 of an order without", "display": "lots ahead in the queue, -1 where unknown", "cause": "command",
        "reject": "why, where the venue did it by itself",
    },
    Kind.AMEND_REJECTED: {"id": "order id", "owner": "strategy", "reject": "Reject", "cause": "command"},
    Kind.ORDER_TRIGGERED: {
        "price": "ticks", "quantity": "lots that remain", "id": "order id", "flags": "side", "owner": "strategy",
        "trigger": "ticks, where it stood when it was met",
    },
    Kind.FUNDING_PAID: {
        "price": "mark in ticks that it was reckoned at, rounded down", "quantity": "lots held, signed",
        "id": "rate in 1e-12, two's complement", "owner": "strategy", "fee": "money units, positive is paid", "fee_asset": "asset number",
    },
    Kind.LIQUIDATED: {
        "price": "ticks", "quantity": "lots closed", "flags": "side of the closing trade", "owner": "strategy",
        "fee": "money units: what was left of the margin, negative where the venue's fund made up for a loss beyond it",
        "fee_asset": "asset number", "trade_id": "of this fill",
        "trigger": "bid + ask at the venue before the instant, ticks; 0 where a side was empty",
    },
    Kind.STRATEGY_QUARANTINED: {"owner": "strategy", "id": "sequence of the fact it raised on"},
    Kind.TRADING_STATE_CHANGED: {"id": "TradingState"},
    Kind.EPOCH_STARTED: {"id": "epoch of the engine from here on", "id2": "1: strategies begin anew"},
    Kind.OPERATOR_ACT: {"id": "Act", "owner": "strategy, 65535 for all"},
    Kind.PLACE_ORDER: {
        "price": "ticks", "quantity": "lots", "id": "order id", "flags": "side", "owner": "strategy",
        "order_type": "OrderType", "time_in_force": "TimeInForce", "cause": "sequence of the fact",
        "trigger": "ticks, of a conditional order", "display": "distance in ticks, of a trailing stop",
        "parent": "the group it shares its lots with: the entry that it guards; 0: none", "flags2": "OrderFlag",
        "id2": "ticks: where what it fills is stopped out; 0: nowhere", "venue_sequence": "ticks: where its profit is taken; 0: nowhere",
        "trade_id": "ticks: how far behind the best price its stop follows; 0: it stays",
    },
    Kind.AMEND_ORDER: {
        "price": "ticks", "quantity": "lots of the order in all", "id": "order id", "flags": "side", "owner": "strategy",
        "trigger": "ticks, of a conditional order; 0: as it is", "cause": "sequence of the fact",
    },
    Kind.CANCEL_ORDER: {"id": "order id", "owner": "strategy", "cause": "sequence of the fact"},
}


cdef int refuse_record(const RecordC* record, int64_t number) except -1 nogil:
    """The words of `check_bounds`."""
    with gil:
        raise ValueError(
            f"record {number} of the stream has a price of {record.price} ticks, a quantity of {record.quantity} lots or a time of "
            f"{record.time_ns} ns (shown {record.venue_ns}) beyond any market's: expected less than 2**58, and times from 1970 to 2116; "
            "import the data again"
        )


def record_rows(records):
    """Records as an array that C may view: contiguous, each word at an address of its size. Raises TypeError where the dtype is
    another, so that no byte is misread.
    """
    if not isinstance(records, np.ndarray) or records.dtype != RECORD_DTYPE:
        raise TypeError(f"expected an array of RECORD_DTYPE, found {getattr(records, 'dtype', type(records).__name__)}")
    rows = np.ascontiguousarray(records)
    return rows if is_aligned(rows) else rows.copy()


cdef bint is_aligned(rows) except -1:
    """Asked of the buffer: the array's own interface tells the names of all fields with the address, which takes 10 us."""
    cdef Py_buffer view
    PyObject_GetBuffer(rows, &view, PyBUF_SIMPLE)
    cdef bint found = <uintptr_t>view.buf % 8 == 0
    PyBuffer_Release(&view)
    return found
