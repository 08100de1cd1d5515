"""Market facts in the store: written by import, read back in order, and named by a checksum.

An import's rows lie in the table from its first batch on, but no reader sees them until its manifest row is
there, which is one insert and so all or nothing. An import that was killed left a row in `imports_begun`; the
next run of the same import finds it, removes what lies there, and starts over.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Final

import msgspec
import numpy as np
from msgspec import Struct

from tradebot._core.types import RECORD_DTYPE
from tradebot.domain.errors import EmptyRange, StoreError
from tradebot.domain.instrument import Instrument
from tradebot.domain.units import time_text
from tradebot.store.batches import Records, merge_in_time, rebatch
from tradebot.store.engine import Column, Engine
from tradebot.store.imports import ImportReport, ImportSource, check_findings
from tradebot.store.schema import IMPORT_COLUMNS, TICK_COLUMNS

INSERT_ROWS: Final = 1 << 18
BLOCK_ROWS: Final = 1 << 16

_SLOTS: Final = RECORD_DTYPE.names or ()
# Without the import: the same ticks have the same checksum, whichever version of an importer brought them.
_HASHED: Final = ", ".join(f"`{name}`" for name in ("row", *_SLOTS))
_READ: Final = ", ".join(f"`{name}`" for name in _SLOTS)

Progress = Callable[[int], None]


class Selection(Struct, frozen=True):
    """What a stream over the same range gives. `checksum` is 128 bits in hex: sums of SipHash and CityHash of
    each row with its place in its import, so it does not depend on how the rows are stored. `imports` are ids
    in hex.
    """

    rows: int
    first_ns: int
    last_ns: int
    checksum: str
    imports: list[str]


class Dataset(Struct, frozen=True):
    """What the store holds of one instrument. `bytes` is its share, by rows, of the compressed table."""

    instrument: str
    instrument_id: int
    rows: int
    first_ns: int
    last_ns: int
    imports: list[str]
    bytes: int


def import_records(
    engine: Engine,
    instrument: Instrument,
    source: ImportSource,
    batches: Iterable[Records],
    progress: Progress | None,
    register: Callable[[Instrument], None],
) -> ImportReport:
    """Write the batches and make them visible at the end. See Store.import_records."""
    import_id = source.import_id(instrument.id)
    _begin(engine, import_id, instrument.id)
    try:
        span = _write_batches(engine, instrument.id, import_id, batches, progress)
        check_findings(source.findings, span[0], source.path)
    except BaseException:
        with suppress(StoreError):
            _remove_rows(engine, import_id, instrument.id)
        raise
    register(instrument)
    return _commit(engine, instrument, import_id, source, span)


def find_report(engine: Engine, import_id: int) -> ImportReport | None:
    found = engine.rows(f"SELECT report FROM imports WHERE id = {import_id}")
    if not found:
        return None
    return msgspec.structs.replace(msgspec.json.decode(found[0][0], type=ImportReport), repeated=True)


def _begin(engine: Engine, import_id: int, instrument_id: int) -> None:
    if engine.rows(f"SELECT 1 FROM imports_begun WHERE id = {import_id} LIMIT 1"):
        _remove_rows(engine, import_id, instrument_id)
    else:
        row = {"id": [import_id], "instrument": [instrument_id]}
        engine.insert("imports_begun", row, {"id": "UInt64", "instrument": "UInt32"})


def _remove_rows(engine: Engine, import_id: int, instrument_id: int) -> None:
    """Take an unfinished import away.

    A part that holds nothing else is dropped, which is instant and needs no room. What merges have mixed with
    other rows is rewritten without them; a rewrite on a full disk would wait for ever, so room is checked
    before.
    """
    where = f"`instrument` = {instrument_id} AND `import` = {import_id}"
    mixed_bytes = _drop_parts(engine, where)
    if mixed_bytes:
        engine.check_room(2 * mixed_bytes)
        engine.command(f"ALTER TABLE ticks DELETE WHERE {where} SETTINGS mutations_sync = 2")


def _drop_parts(engine: Engine, where: str) -> int:
    """Drop the parts whose rows all match; returns the bytes of the parts of which only some do."""
    engine.command("SYSTEM STOP MERGES ticks")
    try:
        parts = engine.rows(
            "SELECT name, bytes_on_disk, rows = matching FROM system.parts "
            f"INNER JOIN (SELECT _part AS name, count() AS matching FROM ticks WHERE {where} GROUP BY _part) "
            "AS found USING (name) WHERE active AND database = currentDatabase() AND table = 'ticks'"
        )
        for name, _, whole in parts:
            if whole:
                engine.command(f"ALTER TABLE ticks DROP PART '{name}'")
    finally:
        engine.command("SYSTEM START MERGES ticks")
    return sum(size for _, size, whole in parts if not whole)


def _write_batches(
    engine: Engine, instrument_id: int, import_id: int, batches: Iterable[Records], progress: Progress | None
) -> tuple[int, int, int]:
    """(rows, first_ns, last_ns) of what was written."""
    rows, first_ns, last_ns = 0, 0, 0
    for batch in rebatch(batches, INSERT_ROWS):
        times = batch["time_ns"]
        assert (batch["instrument"] == instrument_id).all()
        assert (times[1:] >= times[:-1]).all()
        assert rows == 0 or times[0] >= last_ns
        engine.insert("ticks", _tick_columns(batch, import_id, rows), TICK_COLUMNS)
        first_ns, last_ns = (first_ns if rows else int(times[0])), int(times[-1])
        rows += len(batch)
        if progress is not None:
            progress(rows)
    return rows, first_ns, last_ns


def _tick_columns(batch: Records, import_id: int, first_row: int) -> dict[str, Column]:
    columns: dict[str, Column] = {name: np.ascontiguousarray(batch[name]) for name in _SLOTS}
    columns["import"] = np.full(len(batch), import_id, np.uint64)
    columns["row"] = np.arange(first_row, first_row + len(batch), dtype=np.uint64)
    return {name: columns[name] for name in TICK_COLUMNS}


def _commit(
    engine: Engine, instrument: Instrument, import_id: int, source: ImportSource, span: tuple[int, int, int]
) -> ImportReport:
    rows, first_ns, last_ns = span
    report = ImportReport(
        instrument=instrument.name,
        import_id=f"{import_id:016x}",
        format=source.format,
        rows=rows,
        first_ns=first_ns,
        last_ns=last_ns,
        **msgspec.structs.asdict(source.findings),
    )
    manifest: dict[str, Column] = {
        "id": [import_id],
        "instrument": [instrument.id],
        "rows": [rows],
        "first_ns": [first_ns],
        "last_ns": [last_ns],
        "path": [source.path],
        "report": [msgspec.json.encode(report).decode()],
    }
    engine.insert("imports", manifest, IMPORT_COLUMNS)
    return report


def stream(
    engine: Engine, instrument_ids: Sequence[int], from_ns: int | None, to_ns: int | None, batch_rows: int
) -> Iterator[Records]:
    """Records in batches, ordered by (time_ns, position of the instrument, import, row). See Store.stream."""
    assert len(set(instrument_ids)) == len(instrument_ids)
    streams = [_stream_one(engine, one, from_ns, to_ns) for one in instrument_ids]
    blocks = streams[0] if len(streams) == 1 else merge_in_time(streams)
    return rebatch(blocks, batch_rows)


def _stream_one(
    engine: Engine, instrument_id: int, from_ns: int | None, to_ns: int | None
) -> Iterator[Records]:
    imports = _committed(engine, [instrument_id])
    if not imports:
        return
    where = _where([instrument_id], imports, from_ns, to_ns)
    # The order is that of the table's key, so one thread reads straight through and nothing is sorted.
    for block in engine.blocks(
        f"SELECT {_READ} FROM ticks WHERE {where} ORDER BY instrument, time_ns, `import`, `row` "
        f"SETTINGS optimize_read_in_order = 1, max_threads = 1, max_block_size = {BLOCK_ROWS}"
    ):
        records = np.empty(len(block[0]), RECORD_DTYPE)
        for name, column in zip(_SLOTS, block, strict=True):
            records[name] = column
        yield records


def select(
    engine: Engine, instruments: Sequence[Instrument], from_ns: int | None, to_ns: int | None
) -> Selection:
    """Count and hash a range. Raises EmptyRange, naming the range that exists, where it holds nothing."""
    ids = [one.id for one in instruments]
    imports = _committed(engine, ids)
    found = _hash_imports(engine, _where(ids, imports, from_ns, to_ns)) if imports else []
    if not found:
        raise EmptyRange(_explain_empty(engine, instruments, from_ns, to_ns))
    return Selection(
        rows=sum(one[1] for one in found),
        first_ns=min(one[2] for one in found),
        last_ns=max(one[3] for one in found),
        checksum="".join(f"{sum(one[place] for one in found) % (1 << 64):016x}" for place in (4, 5)),
        imports=[f"{one[0]:016x}" for one in found],
    )


def _hash_imports(engine: Engine, where: str) -> list[tuple[int, ...]]:
    return engine.rows(
        f"SELECT `import`, count(), min(time_ns), max(time_ns), "
        f"sum(cityHash64({_HASHED})), sum(xxHash64({_HASHED})) FROM ticks WHERE {where} GROUP BY `import` ORDER BY `import`"
    )


def _committed(engine: Engine, instrument_ids: Sequence[int]) -> list[int]:
    ids = ", ".join(str(one) for one in instrument_ids)
    return [one[0] for one in engine.rows(f"SELECT id FROM imports WHERE instrument IN ({ids}) ORDER BY id")]


def _where(ids: Sequence[int], imports: Sequence[int], from_ns: int | None, to_ns: int | None) -> str:
    terms = [
        f"`instrument` = {ids[0]}" if len(ids) == 1 else f"`instrument` IN ({', '.join(map(str, ids))})",
        f"`import` IN ({', '.join(map(str, imports))})",
    ]
    if from_ns is not None:
        terms.append(f"time_ns >= {int(from_ns)}")
    if to_ns is not None:
        terms.append(f"time_ns < {int(to_ns)}")
    return " AND ".join(terms)


def _explain_empty(
    engine: Engine, instruments: Sequence[Instrument], from_ns: int | None, to_ns: int | None
) -> str:
    names = ", ".join(one.name for one in instruments)
    held = [one for one in catalogue(engine, instruments) if one.rows]
    if not held:
        return f"expected ticks of {names}, found none in the store; bring some with `tradebot data import`"
    first, last = min(one.first_ns for one in held), max(one.last_ns for one in held)
    start = "the beginning" if from_ns is None else time_text(from_ns)
    end = "the end" if to_ns is None else time_text(to_ns)
    return (
        f"expected ticks of {names} from {start} to {end}, found none; "
        f"the store holds {time_text(first)} to {time_text(last)}"
    )


def catalogue(engine: Engine, instruments: Sequence[Instrument]) -> list[Dataset]:
    """What there is of each instrument that has a committed import, in the order given."""
    found = {
        one[0]: one[1:]
        for one in engine.rows(
            "SELECT instrument, sum(rows), minIf(first_ns, rows > 0), maxIf(last_ns, rows > 0), "
            "groupArray(id) FROM (SELECT * FROM imports ORDER BY committed, id) GROUP BY instrument"
        )
    }
    row_bytes = _row_bytes(engine)
    return [
        Dataset(
            one.name,
            one.id,
            rows,
            first_ns,
            last_ns,
            [f"{number:016x}" for number in ids],
            round(rows * row_bytes),
        )
        for one in instruments
        if one.id in found
        for rows, first_ns, last_ns, ids in [found[one.id]]
    ]


def _row_bytes(engine: Engine) -> float:
    rows, size = engine.rows(
        "SELECT sum(rows), sum(bytes_on_disk) FROM system.parts "
        "WHERE active AND database = currentDatabase() AND table = 'ticks'"
    )[0]
    return size / rows if rows else 0.0
