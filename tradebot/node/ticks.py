"""Ticks into the home's store: from files, from the published sample, or from the seeded stand-in without a
network.

The store knows formats and rows; this file says where the store and the downloads of a home lie, and what to
do when the sample is out of reach.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from tradebot.domain.errors import DownloadFailed, StoreError, UsageError
from tradebot.domain.market import kind_name
from tradebot.node.places import store_path, store_place
from tradebot.node.progress import Progress

if TYPE_CHECKING:
    from tradebot.domain.instrument import Instrument
    from tradebot.store.batches import Records
    from tradebot.store.client import Store
    from tradebot.store.formats import Import
    from tradebot.store.imports import ImportReport

ROUND_TRIP_EVENTS: Final = 2_000

BESIDE_NAMES: Final = ("LICENSE", "LICENCE", "COPYING", "NOTICE", "README")
BESIDE_SUFFIXES: Final = (".md", ".pdf")


def is_beside(path: Path) -> bool:
    """Whether a file is one of those that lie beside recordings, by its name."""
    return path.is_file() and (path.suffix.lower() in BESIDE_SUFFIXES or path.name.partition(".")[0].upper() in BESIDE_NAMES)


def import_paths(
    home: Path,
    paths: Sequence[Path],
    format_name: str,
    instrument: str | None,
    tick: str | None,
    lot: str | None,
    progress: Progress,
    dsn: str | None = None,
) -> dict[str, object]:
    """Import each path, those that follow one another by their venue's ids as one stream; what cannot be opened is refused
    before the first row is written. Of several, those that only lie beside recordings are left out and told as `skipped`.

    Raises UsageError, UnknownInstrument, BadContainer or StoreError.
    """
    from tradebot.store.client import open_store
    from tradebot.store.formats import open_imports

    given = paths
    if len(given) > 1:
        paths = [path for path in given if not is_beside(path)] or given
    skipped = [str(path) for path in given if path not in paths]

    with open_store(store_place(home, dsn)) as store:
        known, newest_book = store.instruments(), partial(_newest_book, store)
        imports = open_imports(paths, format_name, instrument, tick, lot, known, newest_book)
        _check_places(store, imports)
        reports = _import_all(store, imports, progress)
        beside = _beside(store, reports)
    return {**_merged(reports), "beside": beside, "skipped": skipped}


def export_ticks(
    home: Path,
    instrument: str,
    start: str | None,
    end: str | None,
    out: Path,
    with_text: bool,
    progress: Progress,
    dsn: str | None = None,
) -> dict[str, object]:
    """Write a range of the home's store as Parquet. `start` and `end` are times as people write them.

    Raises UsageError, UnknownInstrument, EmptyRange or StoreError.
    """
    from tradebot.node.values import parse_from, parse_to
    from tradebot.store.client import open_store
    from tradebot.store.parquet import export

    try:
        from_ns, to_ns = parse_from(start) if start else None, parse_to(end) if end else None
    except ValueError as error:
        raise UsageError(str(error)) from error
    with open_store(store_place(home, dsn)) as store:
        chosen = store.instrument(instrument)
        selection = store.selection([chosen.id], from_ns, to_ns)
        progress.start(f"exporting {chosen.name}", selection.rows)
        batches = _told(store.stream([chosen.id], from_ns, to_ns), progress)
        rows = export(out, batches, chosen, with_text)
        progress.done()
    return {
        "instrument": chosen.name,
        "rows": rows,
        "first_ns": selection.first_ns,
        "last_ns": selection.last_ns,
        "checksum": selection.checksum,
        "path": str(out),
        "bytes": out.stat().st_size,
    }


def import_sample(home: Path, progress: Progress, dsn: str | None = None) -> dict[str, object]:
    """The sample ticks in the home's store; see `import_sample_into`."""
    from tradebot.store.client import open_store

    with open_store(store_place(home, dsn)) as store:
        return import_sample_into(store, home, progress)


def import_sample_into(store: "Store", home: Path, progress: Progress) -> dict[str, object]:
    """The real sample, fetched where it is absent; where no index is in reach, the seeded synthetic stream.

    Keys: rows, instrument, first_ns, last_ns, source ("sample" or "synthetic"), note (why, where it is
    synthetic), repaired, repairs, repeated (it was there before).
    """
    try:
        source, opened, note = "sample", _open_sample(store, home, progress), ""
    except DownloadFailed as error:
        source, opened = "synthetic", _open_synthetic()
        note = f"no sample: {error}; this is the seeded synthetic stream instead"
    report = _import_one(store, opened, progress)
    return {
        "rows": report.rows,
        "instrument": report.instrument,
        "first_ns": report.first_ns,
        "last_ns": report.last_ns,
        "source": source,
        "note": note,
        "repaired": report.repaired,
        "repairs": report.repairs,
        "repeated": report.repeated,
    }


def list_catalogue(home: Path, dsn: str | None = None) -> list[dict[str, object]]:
    """What the home's store holds, one entry an instrument version, with its rows by kind and its imports."""
    from tradebot.store.client import open_store
    from tradebot.store.facts import count_all_kinds

    with open_store(store_place(home, dsn)) as store:
        counts = count_all_kinds(store)
        held = {one.import_id: msgspec.to_builtins(one) for one in store.imports()}
        return [
            {
                **msgspec.to_builtins(entry),
                "kinds": {kind_name(kind): rows for kind, rows in counts.get(entry.instrument_id, {}).items()},
                "held": [held[one] for one in entry.imports if one in held],
            }
            for entry in store.catalogue()
        ]


def round_trip(folder: Path) -> int:
    """Write records into a new store in `folder` and read them back; how many. Raises StoreError where they
    differ."""
    import numpy as np

    from tradebot.node.progress import Silent
    from tradebot.store import synthetic
    from tradebot.store.client import open_store
    from tradebot.store.formats import Import

    source, batches = synthetic.open_source(events=ROUND_TRIP_EVENTS)
    written = np.concatenate(list(batches))
    with open_store(folder) as store:
        _import_one(store, Import(synthetic.INSTRUMENT, source, iter([written])), Silent())
        read = np.concatenate(list(store.stream([synthetic.INSTRUMENT.id])))
    if not np.array_equal(written, read):
        raise StoreError(
            f"expected the {len(written)} records that were written, found {len(read)} that differ"
        )
    return len(read)


def _open_sample(store: "Store", home: Path, progress: Progress) -> "Import":
    from tradebot.store.formats import open_import
    from tradebot.store.sample import fetch_sample

    wheel = fetch_sample(store_path(home) / "downloads", lambda text: progress.start(text, None))
    progress.done()
    return open_import(wheel, known=store.instruments())


def _open_synthetic() -> "Import":
    from tradebot.store import synthetic
    from tradebot.store.formats import Import

    return Import(synthetic.INSTRUMENT, *synthetic.open_source())


def _import_one(store: "Store", opened: "Import", progress: Progress) -> "ImportReport":
    progress.start(f"importing {opened.instrument.name}", None)
    try:
        return store.import_records(opened.instrument, opened.source, opened.batches, _advance_to(progress))
    finally:
        progress.done()


def _newest_book(store: "Store", instrument: "Instrument") -> int | None:
    from tradebot._core.types import Kind
    from tradebot.store.facts import newest_of

    found = newest_of(store, instrument.id, (Kind.L2_LEVEL,))
    return None if found is None else found[1]


def _check_places(store: "Store", imports: Sequence["Import"]) -> None:
    """Raise UsageError where a recording that another follows, or that follows another, is in the store by itself: its book
    there is not the one that the others go on with.
    """
    followed = {one.source.follows for one in imports}
    for one in imports:
        wanted = f"{one.source.import_id(one.instrument.id):016x}"
        held = store.find_import(one.instrument, one.source) if one.source.follows or wanted in followed else None
        if held is not None and held.import_id != wanted and (held.follows or one.source.follows):
            behind = f"behind import {held.follows}" if held.follows else "by itself"
            raise UsageError(
                f"expected {one.source.path} with the recordings it continues, found it in the store {behind} as import "
                f"{held.import_id}: run `tradebot data remove {held.import_id}` first, or import it without the others"
            )


def _import_all(store: "Store", imports: Sequence["Import"], progress: Progress) -> list["ImportReport"]:
    """In order; what follows another is told the name under which that one is in the store."""
    named: dict[str, str] = {}
    reports = []
    for one in imports:
        wanted = f"{one.source.import_id(one.instrument.id):016x}"
        one.source.follows = named.get(one.source.follows, one.source.follows)
        reports.append(_import_one(store, one, progress))
        named[wanted] = reports[-1].import_id
    return reports


def _told(batches: Iterator["Records"], progress: Progress) -> Iterator["Records"]:
    for batch in batches:
        yield batch
        progress.advance(len(batch))


def _advance_to(progress: Progress) -> Callable[[int], None]:
    """The store tells how far it is, progress wants how much was added."""
    before = 0

    def tell(rows: int) -> None:
        nonlocal before
        progress.advance(rows - before)
        before = rows

    return tell


def _beside(store: "Store", reports: Sequence["ImportReport"]) -> dict[str, int]:
    """Rows by kind that other imports hold over the same ranges: a run over these sees both."""
    from tradebot.store.facts import count_beside

    found: Counter[str] = Counter()
    for report in {one.import_id: one for one in reports if one.rows and not one.repeated}.values():
        for kind, rows in count_beside(store, report.import_id, report.first_ns, report.last_ns).items():
            found[kind_name(kind)] += rows
    return dict(found)


def _merged(given: Sequence["ImportReport"]) -> dict[str, object]:
    """One answer for several imports; the same content named twice counts once."""
    from tradebot.store.formats import GAPS

    reports = list({report.import_id: report for report in reversed(given)}.values())[::-1]
    filled = [report for report in reports if report.rows]
    repairs: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    for report in reports:
        repairs.update(report.repairs)
        notes.update(report.notes)
    return {
        "instrument": ", ".join(dict.fromkeys(report.instrument for report in reports)),
        "rows": sum(report.rows for report in reports),
        "first_ns": min((report.first_ns for report in filled), default=None),
        "last_ns": max((report.last_ns for report in filled), default=None),
        "gaps": sum(report.gaps for report in reports),
        "gaps_are": "; ".join(dict.fromkeys(GAPS.get(report.format, "") for report in reports)).strip("; "),
        "duplicates": sum(report.duplicates for report in reports),
        "repaired": sum(report.repaired for report in reports),
        "rejected": sum(report.rejected for report in reports),
        "late": sum(report.late for report in reports),
        "repairs": dict(repairs),
        "notes": dict(notes),
        "repeated": all(report.repeated for report in given),
        "rejects": [msgspec.structs.asdict(reject) for report in reports for reject in report.rejects],
    }
