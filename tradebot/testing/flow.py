"""Seeded market facts by the million, made block by block: trades, and level updates with a book that never crosses.

The clock, the walk of the middle price and the sizes are drawn as a busy perpetual shows them: two milliseconds between
facts, sizes with a long tail, a third of the updates deletions. Each block draws from its own generator, so a stream is
the same in whatever pieces it is read, and none of it is held.
"""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from tradebot._core.types import RECORD_DTYPE, Flag, Kind

Records = npt.NDArray[np.void]
Make = Callable[[np.random.Generator, Records], None]

BLOCK_ROWS: Final = 1 << 16
SEED: Final = 1

_START_NS: Final = 1_700_000_000_000_000_000
_GAP_NS: Final = 2_000_000
_LAG_NS: Final = 20_000_000
_JITTER_NS: Final = 5_000_000
_MIDDLE_TICKS: Final = 600_000
_STEP_TICKS: Final = 200  # of the middle, between two blocks, at most
_LEVELS: Final = 50  # a side, of the snapshot that each block of levels begins with
_DELETED: Final = 0.3
_MESSAGE_ROWS: Final = 3


def trades(rows: int, instrument_id: int, seed: int = SEED) -> Iterator[Records]:
    """`rows` trades that follow a walking price."""
    return _blocks(rows, instrument_id, seed, _fill_trades)


def deltas(rows: int, instrument_id: int, seed: int = SEED) -> Iterator[Records]:
    """`rows` level updates in messages of three; each block begins with a snapshot, for the middle has moved."""
    return _blocks(rows, instrument_id, seed, _fill_deltas)


def _blocks(rows: int, instrument_id: int, seed: int, fill: Make) -> Iterator[Records]:
    venue_ns, time_ns = _START_NS, 0
    for number, first in enumerate(range(0, rows, BLOCK_ROWS)):
        chance = np.random.default_rng((seed, number))
        records = np.zeros(min(BLOCK_ROWS, rows - first), RECORD_DTYPE)
        records["instrument"] = instrument_id
        records["venue_ns"] = venue_ns + np.cumsum(1 + chance.exponential(_GAP_NS, len(records)).astype(np.int64))
        received = records["venue_ns"] + _LAG_NS + chance.integers(0, _JITTER_NS, len(records))
        records["time_ns"] = np.maximum(np.maximum.accumulate(received), time_ns)
        records["venue_sequence"] = first + np.arange(1, len(records) + 1)
        records["flags"] = np.where(chance.random(len(records)) < 0.5, int(Flag.SELL), 0)
        fill(chance, records)
        venue_ns, time_ns = int(records["venue_ns"][-1]), int(records["time_ns"][-1])
        yield records


def _fill_trades(chance: np.random.Generator, records: Records) -> None:
    records["kind"] = int(Kind.TRADE)
    records["price"] = _middle(chance) + np.cumsum(chance.integers(-1, 2, len(records)))
    records["quantity"] = 1 + chance.exponential(60, len(records)).astype(np.int64)


def _fill_deltas(chance: np.random.Generator, records: Records) -> None:
    records["kind"] = int(Kind.L2_LEVEL)
    sign = np.where(records["flags"] & int(Flag.SELL), 1, -1)
    away = 1 + np.minimum(chance.exponential(8, len(records)).astype(np.int64), 5 * _LEVELS)
    middle = _middle(chance)
    records["price"] = middle + sign * away
    sizes = 1 + chance.exponential(300, len(records)).astype(np.int64)
    records["quantity"] = np.where(chance.random(len(records)) < _DELETED, 0, sizes)
    records["flags"][_MESSAGE_ROWS - 1 :: _MESSAGE_ROWS] |= int(Flag.LAST)
    records["flags"][-1] |= int(Flag.LAST)
    _open_with_snapshot(records[: 2 * _LEVELS], sizes, middle)


def _open_with_snapshot(records: Records, sizes: npt.NDArray[np.int64], middle: int) -> None:
    place = np.arange(len(records))
    is_ask = place % 2 == 1
    records["price"] = middle + np.where(is_ask, 1, -1) * (1 + place // 2)
    records["quantity"] = sizes[: len(records)]
    records["flags"] = np.where(is_ask, int(Flag.SELL), 0) | int(Flag.SNAPSHOT)
    records["flags"][0] |= int(Flag.BEGIN)
    records["flags"][-1] |= int(Flag.LAST)


def _middle(chance: np.random.Generator) -> int:
    return _MIDDLE_TICKS + int(chance.integers(-_STEP_TICKS, _STEP_TICKS + 1))
