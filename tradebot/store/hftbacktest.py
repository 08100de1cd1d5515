"""The hftbacktest importer: its event arrays, version 2, as `.npz` (the array `data`) or `.npy`.

An event has flags and a kind in `ev`, two times in nanoseconds, a price and a quantity as floats, which are
brought to the nearest step of the instrument and rejected where none is near. The file says nothing of the
instrument. Rows are numbered from 1.

Events are there for two readers, the exchange (`exch`) and the trader (`local`); where the two would see them
in another order, an event stands there twice, with one flag each. One stream is kept here, in the trader's
order: rows without the `local` flag are counted (`venue_only`) and left away, and the venue's time is kept.

Each depth event is a message of its own. A run of clear and snapshot events with the same times is one
message: where it leaves nothing of the book that stood before, a snapshot, else the levels that it took away
and those that it set. To know which levels a clear takes away, the book is followed, so memory grows with its
levels; it does not grow with the file.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from tradebot._core.types import RECORD_DTYPE, Flag, Kind
from tradebot.domain.errors import BadContainer
from tradebot.domain.instrument import Instrument
from tradebot.domain.units import TIME_MAX_NS
from tradebot.store.batches import Records
from tradebot.store.event_book import DEPTH, DEPTH_CLEAR, DEPTH_SNAPSHOT, EVENT, EventBook, Events, run_start
from tradebot.store.float_steps import nearest_steps, why_not
from tradebot.store.imports import Findings, ImportSource
from tradebot.store.npy import NpyFile
from tradebot.store.plain_csv import layout_sha256
from tradebot.store.reorder import keep_order

NAME: Final = "hftbacktest"
VERSION: Final = 1

TRADE: Final = 2
KINDS: Final = (DEPTH, TRADE, DEPTH_CLEAR, DEPTH_SNAPSHOT)
LOCAL: Final = 1 << 30
BUY: Final = 1 << 29
SELL: Final = 1 << 28

_KEY: Final = "data"
_KIND_MASK: Final = 0xFF
_FIELDS: Final = {"ev": "u8", "exch_ts": "i8", "local_ts": "i8", "px": "f8", "qty": "f8"}
_BOTH_SIDES: Final = -1

Mask = npt.NDArray[np.bool_]


def recognises(path: Path) -> bool:
    """Whether it is such an array."""
    try:
        return path.is_file() and path.suffix in (".npz", ".npy") and _has_fields(NpyFile(path, _KEY))
    except BadContainer:
        return False


def instruments(path: Path) -> list[Instrument]:
    """The file names none."""
    return []


def open_source(path: Path, instrument: Instrument) -> tuple[ImportSource, Iterator[Records]]:
    """The source, hashed, and its records in batches. Raises BadContainer where the array has other fields."""
    file = NpyFile(path, _KEY)
    if not _has_fields(file):
        raise BadContainer(
            f"expected events with the fields {', '.join(_FIELDS)} in {path}, found {file.dtype}"[:400]
        )
    source = ImportSource(NAME, VERSION, layout_sha256(_KEY, file.content_sha256()), str(path))
    return source, keep_order(_batches(file, instrument, source.findings), source.findings)


def _has_fields(file: NpyFile) -> bool:
    names = file.dtype.names or ()
    return all(name in names and file.dtype[name] == np.dtype(kind) for name, kind in _FIELDS.items())


def _batches(file: NpyFile, instrument: Instrument, findings: Findings) -> Iterator[Records]:
    """A run that a block cuts is held back until the rest of it is there."""
    book, held, first = EventBook(), np.empty(0, EVENT), 1
    for block in file.blocks():
        events = np.concatenate([held, _events(block, first, instrument, findings, file.name)])
        first += len(block)
        cut = run_start(events)
        yield _records(events[:cut], book, instrument)
        held = events[cut:]
    yield _records(held, book, instrument)


def _events(
    block: npt.NDArray[np.void], first: int, instrument: Instrument, findings: Findings, file: str
) -> Events:
    """What the trader sees, in integers."""
    is_local = (block["ev"] & LOCAL) != 0
    findings.notes["venue_only"] = findings.notes.get("venue_only", 0) + int((~is_local).sum())
    block, lines = block[is_local], np.arange(first, first + len(block))[is_local]
    events = np.empty(len(block), EVENT)
    events["kind"], events["line"] = block["ev"] & _KIND_MASK, lines
    events["time_ns"], events["venue_ns"] = block["local_ts"], block["exch_ts"]
    is_buy, is_sell = (block["ev"] & BUY) != 0, (block["ev"] & SELL) != 0
    events["side"] = np.where(is_buy == is_sell, _BOTH_SIDES, is_sell)
    events["price"], on_tick = _prices(block["px"], events, instrument)
    events["quantity"], on_lot = nearest_steps(block["qty"], instrument.lot_size)
    kept = _kept(block, events, on_tick, on_lot, instrument, findings, file)
    return events[kept]


def _prices(values: npt.NDArray[np.float64], events: Events, instrument: Instrument) -> tuple[npt.NDArray[np.int64], Mask]:
    """A clear may go to any price: the nearest tick; one that is no number means all of the side."""
    ticks, good = nearest_steps(values, instrument.tick_size)
    clears = np.flatnonzero(events["kind"] == DEPTH_CLEAR)
    for place in clears.tolist():
        ticks[place] = EventBook.limit(float(values[place]), int(events["side"][place]), instrument.tick_size)
    good[clears] = True
    return ticks, good


def _kept(
    block: npt.NDArray[np.void],
    events: Events,
    on_tick: Mask,
    on_lot: Mask,
    instrument: Instrument,
    findings: Findings,
    file: str,
) -> Mask:
    is_clear = events["kind"] == DEPTH_CLEAR
    kept = np.isin(events["kind"], KINDS)
    for name in ("time_ns", "venue_ns"):
        kept &= (events[name] >= 0) & (events[name] <= TIME_MAX_NS)
    kept &= is_clear | ((events["side"] != _BOTH_SIDES) & on_tick & on_lot & (events["price"] >= 0))
    kept &= is_clear | (events["quantity"] >= (events["kind"] == TRADE))
    for place in np.flatnonzero(~kept).tolist():
        why = _why_not(events[place], block[place], bool(on_tick[place]), bool(on_lot[place]), instrument)
        findings.reject(file, int(events["line"][place]), why)
    return kept


def _why_not(event: np.void, row: np.void, on_tick: bool, on_lot: bool, instrument: Instrument) -> str:
    if event["kind"] not in KINDS:
        return f"expected an event of depth, trade, clear or snapshot, found kind {event['kind']}"
    if not on_tick:
        return why_not(float(row["px"]), "price", instrument.tick_size)
    if not on_lot:
        return why_not(float(row["qty"]), "quantity", instrument.lot_size)
    if event["side"] == _BOTH_SIDES:
        return "expected the flag of one side, found none or both"
    if not 0 <= min(event["time_ns"], event["venue_ns"]) <= max(event["time_ns"], event["venue_ns"]) <= TIME_MAX_NS:
        return f"expected times from 1970 to 2116, found {event['venue_ns']} and {event['time_ns']}"
    return f"expected a price and a quantity that are not negative, and a trade of something, found {row['px']} and {row['qty']}"


def _records(events: Events, book: EventBook, instrument: Instrument) -> Records:
    parts = [np.empty(0, RECORD_DTYPE)]
    for is_run, part in book.split(events):
        parts.append(book.apply_run(part) if is_run else _plain(part))
        if not is_run:
            book.apply(part)
    records = np.concatenate(parts)
    records["instrument"] = instrument.id
    return records


def _plain(events: Events) -> Records:
    """Trades and single changes of levels."""
    is_trade = events["kind"] == TRADE
    records = np.zeros(len(events), RECORD_DTYPE)
    for name in ("time_ns", "venue_ns", "price", "quantity"):
        records[name] = events[name]
    records["kind"] = np.where(is_trade, int(Kind.TRADE), int(Kind.L2_LEVEL))
    records["flags"] = np.where(events["side"] > 0, int(Flag.SELL), 0) | np.where(is_trade, 0, int(Flag.LAST))
    return records
