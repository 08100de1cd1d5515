"""How fast ticks go into the store and come back in order, beside the engine alone and beside Parquet, in one run.

Each is given the same rows. Ours is an import as users run it, from records to committed rows, checked and durable, and a
stream of records in order. The engine alone is clickhouse-connect over the same embedded engine: ready numpy columns in
batches of half a million into a table of the record's slots with our codecs, without import and row, and
`column_block_stream` in order of time, which leaves columns. Parquet is one zstd file a round.

The machine is shared by whatever else runs on it, so the sides take turns, round by round, merges of one are over before the
next begins, and the median of the rounds counts. What was read is compared with what was written, outside the time.
"""

import hashlib
import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import numpy as np
from msgspec import Struct

from tradebot._core.columns import scatter_records
from tradebot._core.types import RECORD_DTYPE
from tradebot.domain.errors import UsageError
from tradebot.domain.instrument import Instrument
from tradebot.store.batches import rebatch
from tradebot.store.client import Store, open_store
from tradebot.store.formats import open_import
from tradebot.store.imports import ImportSource
from tradebot.store.instruments import spot_instrument
from tradebot.store.schema import TICK_CODECS, TICK_COLUMNS
from tradebot.testing import flow
from tradebot.testing.flow import Records

ROWS: Final = 10_000_000
ROUND_ROWS: Final = 1 << 21
RAW_BATCH_ROWS: Final = 500_000
READS: Final = 5
SETTLE_S: Final = 120.0

_SLOTS: Final = RECORD_DTYPE.names or ()
_RAW: Final = "bench_raw"

Told = Callable[[int], None]


class Measured(Struct, kw_only=True):
    """Of one stream; rates are of the median round."""

    rows: int
    ingest_rows_per_s: int
    raw_ingest_rows_per_s: int
    ingest_ratio: float
    read_rows_per_s: int
    raw_read_rows_per_s: int
    read_ratio: float
    bytes_per_row: float
    raw_bytes_per_row: float
    parquet_bytes_per_row: float
    parquet_ingest_rows_per_s: int
    parquet_read_rows_per_s: int
    digest: str


class Seconds(Struct):
    """Of each round, by what was measured."""

    ours: list[float] = []
    raw: list[float] = []
    parquet: list[float] = []


def measure(
    rows: int, folder: Path, path: Path | None, format_name: str, instrument: str | None, told: Told
) -> dict[str, Measured]:
    """Trades and level updates of the seeded flow, `rows` of each; or the first `rows` of a recording. `told` gets rows.

    Raises UsageError where there are no rows, and as an import does.
    """
    if rows < 1:
        raise UsageError(f"expected --rows of at least 1, found {rows}")
    if path is not None:
        opened = open_import(path, format_name, instrument)
        return {path.name: _measure(opened.instrument, opened.batches, rows, folder / "input", told)}
    made = spot_instrument("BASE/QUOTE@flow", "0.1", "0.001")
    kinds = {"trades": flow.trades, "deltas": flow.deltas}
    return {name: _measure(made, make(rows, made.id), rows, folder / name, told) for name, make in kinds.items()}


def total(found: dict[str, Measured]) -> dict[str, object]:
    """The keys of CLI.md, over all streams: rows over seconds, bytes over rows."""
    rows = sum(one.rows for one in found.values())

    def rate(name: str) -> int:
        return round(rows / sum(one.rows / float(getattr(one, name)) for one in found.values()))

    def size(name: str) -> float:
        return round(sum(one.rows * float(getattr(one, name)) for one in found.values()) / rows, 3)

    ingest, raw_ingest, read, raw_read = (
        rate(f"{name}_rows_per_s") for name in ("ingest", "raw_ingest", "read", "raw_read")
    )
    return {
        "rows": rows,
        "ingest_rows_per_s": ingest,
        "raw_ingest_rows_per_s": raw_ingest,
        "ingest_ratio": round(ingest / raw_ingest, 3),
        "read_rows_per_s": read,
        "raw_read_rows_per_s": raw_read,
        "read_ratio": round(read / raw_read, 3),
        "bytes_per_row": size("bytes_per_row"),
        "parquet_bytes_per_row": size("parquet_bytes_per_row"),
    }


def _measure(instrument: Instrument, batches: Iterable[Records], rows: int, folder: Path, told: Told) -> Measured:
    written, count, ingest, size = hashlib.blake2b(digest_size=16), 0, Seconds([], [], []), 0
    with open_store(folder / "data") as store, closing(_Raw(folder / "data")) as raw:
        for number, records in enumerate(_rounds(batches, rows)):
            written.update(records.data)
            count += len(records)
            size += _write_round(store, raw, instrument, records, number, folder, ingest)
            told(len(records))
        if not count:
            raise UsageError("expected rows to measure, found none in the input")
        read = _read_all(store, raw, instrument, count, folder)
        found = hashlib.blake2b(digest_size=16)
        for batch in store.stream([instrument.id]):
            found.update(batch.data)
        assert found.digest() == written.digest()
        return _measured(store, count, ingest, read, size, found.hexdigest())


def _rounds(batches: Iterable[Records], rows: int) -> Iterator[Records]:
    """Pieces of about a round, each an import of its own; facts of one time stay together, for between imports their order
    is that of the imports.
    """
    held = np.empty(0, RECORD_DTYPE)
    for batch in _first(batches, rows):
        held = np.concatenate([held, batch])
        cut = int(np.searchsorted(held["time_ns"], held["time_ns"][-1]))
        if cut and len(held) >= ROUND_ROWS:
            yield held[:cut]
            held = held[cut:]
    if len(held):
        yield held


def _first(batches: Iterable[Records], rows: int) -> Iterator[Records]:
    for batch in rebatch(batches, ROUND_ROWS):
        yield batch[:rows]
        rows -= len(batch)
        if rows <= 0:
            return


class _Raw:
    """The engine alone, over the client library."""

    def __init__(self, path: Path) -> None:
        import clickhouse_connect

        self._client: Any = clickhouse_connect.get_client(interface="chdb", path=os.path.realpath(path))
        columns = ", ".join(f"`{name}` {TICK_COLUMNS[name]} CODEC({TICK_CODECS[name]})" for name in _SLOTS)
        self._client.command(f"CREATE TABLE {_RAW} ({columns}) ENGINE = MergeTree ORDER BY (instrument, time_ns)")

    def close(self) -> None:
        self._client.close()

    def insert(self, columns: list[Any]) -> None:
        for at in range(0, len(columns[0]), RAW_BATCH_ROWS):
            batch = [column[at : at + RAW_BATCH_ROWS] for column in columns]
            types = [TICK_COLUMNS[name] for name in _SLOTS]
            self._client.insert(_RAW, batch, list(_SLOTS), column_type_names=types, column_oriented=True)

    def read(self) -> int:
        names = ", ".join(f"`{name}`" for name in _SLOTS)
        with self._client.query_column_block_stream(f"SELECT {names} FROM {_RAW} ORDER BY instrument, time_ns") as stream:
            return sum(len(block[0]) for block in stream)


def _write_round(
    store: Store, raw: _Raw, instrument: Instrument, records: Records, number: int, folder: Path, seconds: Seconds
) -> int:
    """Each side once, in turns of who is first; bytes of the Parquet file."""
    columns = scatter_records(records)
    source = ImportSource("bench", 1, f"round {number}", "seeded")
    batches = [records[at : at + flow.BLOCK_ROWS] for at in range(0, len(records), flow.BLOCK_ROWS)]
    sides: list[tuple[list[float], Callable[[], object]]] = [
        (seconds.ours, lambda: store.import_records(instrument, source, iter(batches))),
        (seconds.raw, lambda: raw.insert(columns)),
    ]
    file = folder / f"{number}.parquet"
    for kept, work in [*sides[:: -1 if number % 2 else 1], (seconds.parquet, lambda: _write_parquet(file, columns))]:
        kept.append(_timed(work) / len(records))
        _settle(store)
    return file.stat().st_size


def _read_all(store: Store, raw: _Raw, instrument: Instrument, rows: int, folder: Path) -> Seconds:
    seconds = Seconds([], [], [])

    def ours() -> None:
        assert sum(len(batch) for batch in store.stream([instrument.id])) == rows

    def engine() -> None:
        assert raw.read() == rows

    for number in range(READS):
        sides = [(seconds.ours, ours), (seconds.raw, engine)]
        for kept, work in sides[:: -1 if number % 2 else 1]:
            kept.append(_timed(work) / rows)
    seconds.parquet.append(_timed(lambda: _read_parquet(folder)) / rows)
    return seconds


def _measured(store: Store, rows: int, ingest: Seconds, read: Seconds, parquet_bytes: int, digest: str) -> Measured:
    wrote, got = (
        {name: statistics.median(getattr(one, name)) for name in ("ours", "raw", "parquet")} for one in (ingest, read)
    )
    return Measured(
        rows=rows,
        ingest_rows_per_s=round(1 / wrote["ours"]),
        raw_ingest_rows_per_s=round(1 / wrote["raw"]),
        ingest_ratio=round(wrote["raw"] / wrote["ours"], 3),
        read_rows_per_s=round(1 / got["ours"]),
        raw_read_rows_per_s=round(1 / got["raw"]),
        read_ratio=round(got["raw"] / got["ours"], 3),
        bytes_per_row=round(_bytes(store, "ticks") / rows, 3),
        raw_bytes_per_row=round(_bytes(store, _RAW) / rows, 3),
        parquet_bytes_per_row=round(parquet_bytes / rows, 3),
        parquet_ingest_rows_per_s=round(1 / wrote["parquet"]),
        parquet_read_rows_per_s=round(1 / got["parquet"]),
        digest=digest,
    )


def _bytes(store: Store, table: str) -> int:
    return int(store.query(f"SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = '{table}'")[0][0])


def _settle(store: Store) -> None:
    """Until no merge is under way: it would be counted for whoever comes next."""
    end = time.monotonic() + SETTLE_S
    while store.query("SELECT count() FROM system.merges")[0][0] and time.monotonic() < end:
        time.sleep(0.02)


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _write_parquet(file: Path, columns: list[Any]) -> None:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table(dict(zip(_SLOTS, columns, strict=True)))
    pyarrow.parquet.write_table(table, file, compression="zstd")


def _read_parquet(folder: Path) -> None:
    import pyarrow.parquet

    for file in sorted(folder.glob("*.parquet")):
        pyarrow.parquet.read_table(file)
