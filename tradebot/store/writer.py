"""Blocks of ticks on their way into the table: one is inserted while the next is read and put into columns.

An insert keeps the engine busy for as long as an importer needs for its next block, so the two go on side by side: one
insert is under way at a time, in order, which is what lets a killed import go on behind its last block. Records are put
straight into columns, and the columns are the same two sets of arrays, turn by turn: fresh memory would cost as much as
the work.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from tradebot._core.columns import gather_records, scatter_records
from tradebot._core.types import RECORD_DTYPE
from tradebot.store.backend import Backend, Column
from tradebot.store.batches import Records
from tradebot.store.schema import TICK_COLUMNS

_SLOTS: Final = RECORD_DTYPE.names or ()

Columns = dict[str, npt.NDArray[Any]]


class Writer:
    """Use it in a `with`: it waits at the end for what is under way. `filled` are the rows of the block that is being put
    together, at most `block_rows`.
    """

    def __init__(self, backend: Backend, import_id: int, block_rows: int) -> None:
        self.filled = 0
        self._backend = backend
        self._block_rows = block_rows
        self._sets = [_make(import_id, block_rows), _make(import_id, block_rows)]
        self._thread = ThreadPoolExecutor(1, "store-writer")
        self._under_way: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._thread.shutdown()

    def fill(self, records: Records) -> int:
        """Put what fits of the records into the block; how many that were."""
        start, count = self.filled, min(self._block_rows - self.filled, len(records))
        columns = self._sets[0]
        scatter_records(records[:count], [columns[name][start : start + count] for name in _SLOTS])
        self.filled += count
        return count

    def take(self, first_row: int) -> Columns:
        """The block as columns of the table, good until the one after the next is begun; the next is begun."""
        columns = {name: column[: self.filled] for name, column in self._sets[0].items()}
        columns["row"][:] = np.arange(first_row, first_row + self.filled, dtype=np.uint64)
        self._sets.reverse()
        self.filled = 0
        return columns

    def insert(self, columns: Columns) -> None:
        """Begin to insert a block, once what is under way is on disk. Raises what that raised."""
        self.wait()
        ordered: dict[str, Column] = {name: columns[name] for name in TICK_COLUMNS}
        self._under_way = self._thread.submit(self._backend.insert, "ticks", ordered, TICK_COLUMNS)

    def wait(self) -> None:
        """Until all is on disk. Raises StoreError."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()


def records_of(columns: Columns) -> Records:
    """The block's records again."""
    return gather_records([columns[name] for name in _SLOTS])


def _make(import_id: int, rows: int) -> Columns:
    columns: Columns = {name: np.empty(rows, RECORD_DTYPE[name]) for name in _SLOTS}
    columns["import"] = np.full(rows, import_id, np.uint64)
    columns["row"] = np.empty(rows, np.uint64)
    return columns
