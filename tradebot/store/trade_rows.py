"""Trades as any table has them: time, price, quantity, the side of the aggressor, and an id if there is one.

The formats trades-csv, parquet and freqtrade differ in how they are packed and agree in this. There is no
time of receipt in such a table, so a trade counts as known when it happened.

A side must be there: which side took decides what a resting order may have been filled by, and it is not
guessed. An id that is no number is not kept, for the record has room for a number only.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

from tradebot._core.types import RECORD_DTYPE, Flag, Kind
from tradebot.domain.instrument import Instrument
from tradebot.store.batches import Records
from tradebot.store.imports import Findings
from tradebot.store.reorder import Lined, drop_repeats, only_records, sort_in_time
from tradebot.store.table import Column, Rows, read_steps, read_words
from tradebot.store.times import TIMES

NAMES: Final = {
    "time": ("timestamp", "time", "datetime", "date"),
    "price": ("price",),
    "quantity": ("quantity", "amount", "size", "qty"),
    "side": ("side",),
}
ID_NAMES: Final = {"id": ("id", "trade_id", "tradeid")}
SIDES: Final = {
    word: side
    for side, words in ((0, ("buy", "b")), (int(Flag.SELL), ("sell", "s")))
    for one in words
    for word in (one, one.upper(), one.capitalize())
}

ROW: Final = np.dtype(
    [
        ("time", "<i8"),
        ("price", "<i8"),
        ("quantity", "<i8"),
        ("side", "u1"),
        ("id", "<u8"),
        ("line", "<i8"),
    ]
)
_ID_MAX: Final = (1 << 64) - 1


def read_id(text: str) -> int:
    """The number of a trade; 0 where it has none, or one that is no number."""
    return int(text) if text.isdecimal() and text.isascii() and int(text) <= _ID_MAX else 0


IDS: Final = Column(read_id, lambda texts: map(read_id, texts))


def columns_of(instrument: Instrument) -> dict[str, Column]:
    """How each column is read."""
    return {
        "time": TIMES,
        "price": read_steps("price", instrument.ticks),
        "quantity": read_steps("quantity", instrument.lots, least=1),
        "side": read_words(SIDES),
        "id": IDS,
    }


def trade_records(
    blocks: Iterable[Rows], instrument: Instrument, findings: Findings, file: str
) -> Iterator[Records]:
    """Rows of `ROW` as records in the order of time; what a window cannot put right is rejected."""
    lined = (_records(rows, instrument.id) for rows in blocks)
    return only_records(drop_repeats(sort_in_time(lined, findings, file), findings, file))


def _records(rows: Rows, instrument_id: int) -> Lined:
    records = np.zeros(len(rows), RECORD_DTYPE)
    records["time_ns"] = records["venue_ns"] = rows["time"]
    records["venue_sequence"] = rows["id"]
    records["price"], records["quantity"], records["flags"] = rows["price"], rows["quantity"], rows["side"]
    records["kind"], records["instrument"] = int(Kind.TRADE), instrument_id
    return Lined(records, rows["line"])
