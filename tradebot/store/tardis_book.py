"""Book data of Tardis: changes of levels, and snapshots of the best so many.

A message of the venue became several rows with the same two times: the last of them ends it. In
`incremental_book_L2` a run of `is_snapshot` rows behind other rows is a new book, and what stood before is
forgotten, so its first row begins a snapshot. In `book_snapshot_N` every row is a whole book of N levels.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from tradebot._core.types import RECORD_DTYPE, Flag, Kind
from tradebot.domain.errors import BadContainer
from tradebot.domain.instrument import Instrument
from tradebot.store.batches import Records
from tradebot.store.table import Column, Rows, or_nothing, read_steps, read_words

_SELL, _SNAPSHOT, _BEGIN, _LAST = (int(flag) for flag in (Flag.SELL, Flag.SNAPSHOT, Flag.BEGIN, Flag.LAST))
_LEVEL: Final = re.compile(r"(asks|bids)\[\d+\]\.(price|amount)")
_NO_LEVEL: Final = -1


def change_columns(header: list[str], instrument: Instrument) -> dict[str, Column]:
    """Of `incremental_book_L2`; an amount of 0 takes the level away."""
    return {
        "is_snapshot": read_words({"true": 1, "false": 0}),
        "side": read_words({"bid": 0, "ask": _SELL}),
        "price": read_steps("price", instrument.ticks),
        "amount": read_steps("amount", instrument.lots),
    }


def change_records(blocks: Iterable[Rows], instrument: Instrument) -> Iterator[Records]:
    """One record a row; the last row is held back until the next one shows whether it ends its message."""
    held: Records | None = None
    before = None
    for rows in blocks:
        if not len(rows):
            continue
        records = _changes(rows, instrument)
        key = rows[["local_timestamp", "timestamp", "is_snapshot"]]
        is_new = np.ones(len(rows), np.bool_)
        is_new[1:] = key[1:] != key[:-1]
        was_snapshot = np.zeros(len(rows), np.bool_)
        was_snapshot[1:] = rows["is_snapshot"][:-1]
        if before is not None and held is not None:
            is_new[0] = key[0] != before
            was_snapshot[0] = bool(before["is_snapshot"])
            held["flags"] |= _LAST * int(is_new[0])
            yield held
        records["flags"][(rows["is_snapshot"] != 0) & ~was_snapshot] |= _BEGIN
        records["flags"][:-1][is_new[1:]] |= _LAST
        yield records[:-1]
        held, before = records[-1:].copy(), key[-1]
    if held is not None:
        held["flags"] |= _LAST
        yield held


def snapshot_columns(header: list[str], instrument: Instrument) -> dict[str, Column]:
    """Of `book_snapshot_N`: as many levels as the header has; where the book has fewer, cells are empty.

    Raises BadContainer where a level has only one of its two columns.
    """
    price = or_nothing(read_steps("price", instrument.ticks), _NO_LEVEL)
    amount = or_nothing(read_steps("amount", instrument.lots), _NO_LEVEL)
    found = {name: price if name.endswith("price") else amount for name in header if _LEVEL.fullmatch(name)}
    for name in found:
        if not {name.replace("price", "amount"), name.replace("amount", "price")} <= found.keys():
            raise BadContainer(f"expected a price and an amount for each level of the header, found {name} alone")
    return found


def snapshot_records(blocks: Iterable[Rows], instrument: Instrument) -> Iterator[Records]:
    """One record a level; a row without any level says nothing and gives none."""
    for rows in blocks:
        prices, amounts, sides = _levels(rows)
        there = (prices != _NO_LEVEL) & (amounts != _NO_LEVEL)
        row = np.nonzero(there)[0]
        records = np.zeros(len(row), RECORD_DTYPE)
        records["time_ns"], records["venue_ns"] = rows["local_timestamp"][row] * 1000, rows["timestamp"][row] * 1000
        records["price"], records["quantity"] = prices[there], amounts[there]
        records["kind"], records["instrument"] = int(Kind.L2_LEVEL), instrument.id
        records["flags"] = np.broadcast_to(sides, there.shape)[there] | _SNAPSHOT
        starts = np.ones(len(row), np.bool_)
        starts[1:] = row[1:] != row[:-1]
        records["flags"][starts] |= _BEGIN
        records["flags"][np.append(starts[1:], True)[: len(row)]] |= _LAST
        yield records


def _changes(rows: Rows, instrument: Instrument) -> Records:
    records = np.zeros(len(rows), RECORD_DTYPE)
    records["time_ns"], records["venue_ns"] = rows["local_timestamp"] * 1000, rows["timestamp"] * 1000
    records["price"], records["quantity"] = rows["price"], rows["amount"]
    records["kind"], records["instrument"] = int(Kind.L2_LEVEL), instrument.id
    records["flags"] = rows["side"] | np.where(rows["is_snapshot"] != 0, _SNAPSHOT, 0)
    return records


def _levels(rows: Rows) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Prices and amounts, a row of the matrix for each row of the file, and the side of each column."""
    names = [name for name in rows.dtype.names or () if name.endswith(".price")]
    prices = np.stack([rows[name] for name in names], axis=1)
    amounts = np.stack([rows[name.replace(".price", ".amount")] for name in names], axis=1)
    return prices, amounts, np.array([_SELL * name.startswith("asks") for name in names], np.uint8)
