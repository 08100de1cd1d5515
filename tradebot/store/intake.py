"""The way of an import into the store: block by block, invisible until the manifest, exactly once whoever is killed.

An import is cut into blocks of a fixed number of rows, so that the same content always makes the same blocks. A block
is one insert, and that is all there or not at all; `writer` makes one while the next is read. Rows lie in the table from
the first block on, but no reader sees them until the manifest row is there, which is again one insert.

An import that was killed left its name in `imports_begun` and some of its blocks among the ticks. The ticks themselves
say which: there is no second record that could disagree with them. The next run of the same import reads each of these
blocks back, compares it with the source bit for bit, and goes on behind the last; a block that differs is removed
with all that follow it.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

import msgspec
import numpy as np
from msgspec import Struct

from tradebot._core.types import RECORD_DTYPE
from tradebot.domain.errors import StoreError
from tradebot.domain.instrument import Instrument
from tradebot.store.backend import Backend, Column
from tradebot.store.batches import Records
from tradebot.store.imports import ImportReport, ImportSource, check_findings
from tradebot.store.schema import IMPORT_COLUMNS
from tradebot.store.ticks import read
from tradebot.store.writer import Columns, Writer, records_of

BLOCK_ROWS: Final = 1 << 19

Progress = Callable[[int], None]


class Written(Struct):
    """What of an import is in the table so far."""

    rows: int = 0
    first_ns: int = 0
    last_ns: int = 0


def import_records(
    backend: Backend,
    instrument: Instrument,
    source: ImportSource,
    batches: Iterable[Records],
    progress: Progress | None,
    register: Callable[[Instrument], None],
) -> ImportReport:
    """Write the batches and make them visible at the end. See Store.import_records."""
    import_id = source.import_id(instrument.id)
    with backend.lease(f"the import {source.content_id(instrument.id):016x}", 0):
        report = find_report(backend, import_id) or find_content(backend, source.content_id(instrument.id))
        if report is not None:
            return report
        lying = _begin(backend, import_id, instrument.id)
        try:
            with Writer(backend, import_id, BLOCK_ROWS) as writer:
                written = Intake(backend, writer, instrument.id, import_id, lying).write_all(batches, progress)
            check_findings(source.findings, written.rows, source.path)
        except Exception:  # an interrupt leaves the blocks to the next run
            with suppress(StoreError):
                _remove(backend, instrument.id, import_id)
            raise
        register(instrument)
        return _commit(backend, instrument, import_id, source, written)


def find_report(backend: Backend, import_id: int) -> ImportReport | None:
    found = backend.rows(f"SELECT report FROM imports WHERE id = {import_id}")
    if not found:
        return None
    return msgspec.structs.replace(msgspec.json.decode(found[0][0], type=ImportReport), repeated=True)


def find_content(backend: Backend, content_id: int) -> ImportReport | None:
    """The report of the import that holds a content, in whatever place it stands."""
    found = backend.rows(
        f"SELECT id FROM imports WHERE id = {content_id} "
        f"OR JSONExtractString(report, 'content_id') = '{content_id:016x}' ORDER BY committed, id LIMIT 1"
    )
    return find_report(backend, found[0][0]) if found else None


def _begin(backend: Backend, import_id: int, instrument_id: int) -> dict[int, int]:
    """Announce the import; the rows that an earlier run left, by block."""
    if backend.rows(f"SELECT 1 FROM imports_begun WHERE id = {import_id} LIMIT 1"):
        counted = backend.rows(
            f"SELECT intDiv(`row`, {BLOCK_ROWS}) AS block, count() FROM ticks "
            f"WHERE {_where(instrument_id, import_id)} GROUP BY block"
        )
        return {int(block): int(rows) for block, rows in counted}
    announce(backend, import_id, instrument_id)
    return {}


def announce(backend: Backend, import_id: int, instrument_id: int) -> None:
    """Note that the ticks may have rows of an import that no manifest names."""
    row = {"id": [import_id], "instrument": [instrument_id]}
    backend.insert("imports_begun", row, {"id": "UInt64", "instrument": "UInt32"})


class Intake:
    """One import under way. `lying` are the rows that were there before, by block."""

    def __init__(
        self, backend: Backend, writer: Writer, instrument_id: int, import_id: int, lying: dict[int, int]
    ) -> None:
        self._backend = backend
        self._writer = writer
        self._instrument_id = instrument_id
        self._import_id = import_id
        self._lying = lying
        self.written = Written()

    def write_all(self, batches: Iterable[Records], progress: Progress | None) -> Written:
        """Bring the table to what the batches hold. Raises StoreError where it cannot be made so."""
        for batch in batches:
            rest = np.ascontiguousarray(batch, RECORD_DTYPE)
            while len(rest):
                rest = rest[self._writer.fill(rest) :]
                if self._writer.filled == BLOCK_ROWS:
                    self._take(progress)
        if self._writer.filled:
            self._take(progress)
        self._settle(progress)
        if self._lying:
            self._remove_from(self.written.rows)
        self._check_whole()
        return self.written

    def _take(self, progress: Progress | None) -> None:
        written = self.written
        columns = self._writer.take(written.rows)
        times = columns["time_ns"]
        assert (columns["instrument"] == self._instrument_id).all()
        assert (times[1:] >= times[:-1]).all()
        assert written.rows == 0 or times[0] >= written.last_ns
        self._settle(progress)
        if not self._lies_there(columns):
            self._writer.insert(columns)
        written.first_ns = written.first_ns if written.rows else int(times[0])
        written.last_ns = int(times[-1])
        written.rows += len(times)

    def _settle(self, progress: Progress | None) -> None:
        """Wait for the block before this one, and tell of it."""
        self._writer.wait()
        if progress is not None and self.written.rows:
            progress(self.written.rows)

    def _lies_there(self, columns: Columns) -> bool:
        """Whether an earlier run wrote this very block. Whatever else lies in its place is removed."""
        rows = self._lying.pop(self.written.rows // BLOCK_ROWS, 0)
        if not rows:
            return False
        block = records_of(columns)
        if rows == len(block) and self._read_back(block).tobytes() == block.tobytes():
            return True
        self._remove_from(self.written.rows)
        return False

    def _read_back(self, block: Records) -> Records:
        start = self.written.rows
        where = (
            f"{_where(self._instrument_id, self._import_id)} AND `row` >= {start} AND `row` < {start + len(block)} "
            f"AND time_ns >= {block['time_ns'][0]} AND time_ns <= {block['time_ns'][-1]}"
        )
        return np.concatenate([np.empty(0, RECORD_DTYPE), *read(self._backend, where)])

    def _remove_from(self, row: int) -> None:
        self._lying.clear()
        self._backend.delete("ticks", f"{_where(self._instrument_id, self._import_id)} AND `row` >= {row}")

    def _check_whole(self) -> None:
        """Each row once: this is what a manifest promises."""
        rows = self.written.rows
        found = self._backend.rows(
            "SELECT count(), sum(`row`), max(`row`) FROM ticks " f"WHERE {_where(self._instrument_id, self._import_id)}"
        )[0]
        if found != (rows, rows * (rows - 1) // 2, max(rows - 1, 0)):
            raise StoreError(
                f"expected each of {rows} imported rows once, found {found[0]}: a connection broke, or another "
                "process brings in the same files; wait for it to end, then run this again"
            )


def _remove(backend: Backend, instrument_id: int, import_id: int) -> None:
    if find_report(backend, import_id) is None:
        backend.delete("ticks", _where(instrument_id, import_id))


def _where(instrument_id: int, import_id: int) -> str:
    return f"`instrument` = {instrument_id} AND `import` = {import_id}"


def _commit(
    backend: Backend, instrument: Instrument, import_id: int, source: ImportSource, written: Written
) -> ImportReport:
    report = ImportReport(
        instrument=instrument.name,
        import_id=f"{import_id:016x}",
        format=source.format,
        rows=written.rows,
        first_ns=written.first_ns,
        last_ns=written.last_ns,
        content_id=f"{source.content_id(instrument.id):016x}",
        follows=source.follows,
        **msgspec.structs.asdict(source.findings),
    )
    manifest: dict[str, Column] = {
        "id": [import_id],
        "instrument": [instrument.id],
        "rows": [written.rows],
        "first_ns": [written.first_ns],
        "last_ns": [written.last_ns],
        "path": [source.path],
        "report": [msgspec.json.encode(report).decode()],
    }
    backend.insert("imports", manifest, IMPORT_COLUMNS)
    return report
