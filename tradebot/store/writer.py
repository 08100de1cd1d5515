"""Blocks of ticks on their way into the table: one is inserted while the next is read and put into columns.

An insert keeps the engine busy for as long as an importer needs for its next block, so the two go on side by side: one
insert is under way at a time, in order, which is what lets a killed import go on behind its last block. Columns are
written into the same two sets of arrays, turn by turn: fresh memory would cost as much as the work.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from tradebot._core.columns import scatter_records
from tradebot._core.types import RECORD_DTYPE
from tradebot.store.backend import Backend, Column
from tradebot.store.batches import Records
from tradebot.store.schema import TICK_COLUMNS

_SLOTS: Final = RECORD_DTYPE.names or ()

Columns = dict[str, npt.NDArray[Any]]


class Writer:
    """Use it in a `with`: it waits at the end for what is under way."""

    def __init__(self, backend: Backend, import_id: int) -> None:
        self._backend = backend
        self._import_id = import_id
        self._sets: list[Columns] = []
        self._turn = 0
        self._thread = ThreadPoolExecutor(1, "store-writer")
        self._under_way: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._thread.shutdown()

    def scatter(self, block: Records, first_row: int) -> Columns:
        """The block as columns of the table, good until the block after the next."""
        columns = self._columns(len(block))
        scatter_records(block, [columns[name] for name in _SLOTS])
        columns["row"][:] = np.arange(first_row, first_row + len(block), dtype=np.uint64)
        return columns

    def insert(self, columns: Columns) -> None:
        """Begin to insert what `scatter` gave, once what is under way is on disk. Raises what that raised."""
        self.wait()
        ordered: dict[str, Column] = {name: columns[name] for name in TICK_COLUMNS}
        self._under_way = self._thread.submit(self._backend.insert, "ticks", ordered, TICK_COLUMNS)

    def wait(self) -> None:
        """Until all is on disk. Raises StoreError."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()

    def _columns(self, rows: int) -> Columns:
        self._turn ^= 1
        while len(self._sets) <= self._turn or len(self._sets[self._turn]["row"]) < rows:
            del self._sets[self._turn :]
            self._sets.append(self._make(rows))
        return {name: column[:rows] for name, column in self._sets[self._turn].items()}

    def _make(self, rows: int) -> Columns:
        columns: Columns = {name: np.empty(rows, RECORD_DTYPE[name]) for name in _SLOTS}
        columns["import"] = np.full(rows, self._import_id, np.uint64)
        columns["row"] = np.empty(rows, np.uint64)
        return columns
