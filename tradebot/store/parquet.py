"""Parquet: what `data export` writes, and the import of that and of other people's trades and bars.

An export has a column for each slot of the record, with its name and its integers, and carries the
instrument version in the file's metadata, so it can be imported into a fresh home with nothing else said and
gives the same records. `price_text` and `quantity_text` may stand beside them, for people; they are not read.

Any other Parquet file is trades or bars with the columns of trades-csv or ccxt-ohlcv; it names no instrument.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from tradebot._core.types import RECORD_DTYPE
from tradebot.domain.errors import BadContainer, UsageError
from tradebot.domain.instrument import Instrument
from tradebot.store import generic_rows
from tradebot.store.arrow import PARQUET, ArrowFile, Cells, has_magic, write_parquet
from tradebot.store.batches import Records
from tradebot.store.imports import ImportSource
from tradebot.store.instruments import check_steps

NAME: Final = "parquet"
VERSION: Final = 1

_LAYOUT_KEY: Final = "tradebot.layout"
_INSTRUMENT_KEY: Final = "tradebot.instrument"
_LAYOUT: Final = "1"
_SLOTS: Final = RECORD_DTYPE.names or ()
_STORED: Final = [name for name in _SLOTS if name != "instrument"]


def recognises(path: Path) -> bool:
    """Whether it is an export, or a Parquet file with the columns of trades or of bars."""
    if not has_magic(path, PARQUET):
        return False
    try:
        file = ArrowFile(path)
    except BadContainer:
        return False
    return _is_export(file) or generic_rows.shape_of(file.names) is not None


def instruments(path: Path) -> list[Instrument]:
    """The instrument of an export; other files name none. Raises BadContainer."""
    file = ArrowFile(path)
    return [_instrument(file)] if _is_export(file) else []


def open_source(path: Path, instrument: Instrument) -> tuple[ImportSource, Iterator[Records]]:
    """The source, hashed, and its records in batches. Raises BadContainer, and UsageError where an export is
    to become an instrument with other steps than its own.
    """
    file = ArrowFile(path)
    if not _is_export(file):
        return generic_rows.open_rows(file, NAME, VERSION, instrument)
    _check_steps(_instrument(file), instrument)
    source = ImportSource(NAME, VERSION, file.content_sha256(_STORED), str(path))
    return source, _records(file, instrument.id)


def export(path: Path, batches: Iterable[Records], instrument: Instrument, with_text: bool = False) -> int:
    """Write records of one instrument; how many. The file appears whole or not at all."""
    metadata = {_LAYOUT_KEY: _LAYOUT, _INSTRUMENT_KEY: msgspec.json.encode(instrument).decode()}
    partial = path.with_name(path.name + ".partial")
    try:
        rows = write_parquet(partial, (_columns(batch, instrument, with_text) for batch in batches), metadata)
        partial.replace(path)
    except OSError as error:
        raise UsageError(f"expected to write {path}, found: {error}; give another --out") from error
    finally:
        partial.unlink(missing_ok=True)
    return rows


def _columns(records: Records, instrument: Instrument, with_text: bool) -> dict[str, Cells]:
    columns: dict[str, Cells] = {name: np.ascontiguousarray(records[name]) for name in _SLOTS}
    if with_text:
        columns["price_text"] = [instrument.price_text(ticks) for ticks in records["price"].tolist()]
        columns["quantity_text"] = [instrument.quantity_text(lots) for lots in records["quantity"].tolist()]
    return columns


def _is_export(file: ArrowFile) -> bool:
    return _LAYOUT_KEY in file.metadata and set(_SLOTS) <= set(file.names)


def _instrument(file: ArrowFile) -> Instrument:
    layout = file.metadata[_LAYOUT_KEY]
    if layout != _LAYOUT:
        raise BadContainer(f"expected layout {_LAYOUT} of an export in {file.path}, found {layout}; update tradebot")
    try:
        exported = msgspec.json.decode(file.metadata.get(_INSTRUMENT_KEY, ""), type=Instrument)
        check_steps(exported)
        return exported
    except (msgspec.DecodeError, UsageError) as error:
        raise BadContainer(f"expected the instrument of the export in {file.path}, found: {error}") from error


def _check_steps(exported: Instrument, instrument: Instrument) -> None:
    for what, found, wanted in (
        ("tick", instrument.tick_size, exported.tick_size),
        ("lot", instrument.lot_size, exported.lot_size),
    ):
        if found != wanted:
            raise UsageError(
                f"expected {what} {wanted}, which the export's integers count, found {found} for {instrument.name}"
            )


def _records(file: ArrowFile, instrument_id: int) -> Iterator[Records]:
    before_ns = 0
    for block in file.blocks(_STORED):
        records = np.empty(len(block[0]), RECORD_DTYPE)
        records["instrument"] = instrument_id
        for name, cells in zip(_STORED, block, strict=True):
            if isinstance(cells, list) or cells.dtype != RECORD_DTYPE[name]:
                raise BadContainer(f"expected {RECORD_DTYPE[name]} in the column {name} of {file.path}")
            records[name] = cells
        if not len(records):
            continue
        times = records["time_ns"]
        if times[0] < before_ns or (times[1:] < times[:-1]).any():
            raise BadContainer(f"expected times that never fall in the export {file.path}, found one that does")
        before_ns = int(times[-1])
        yield records
