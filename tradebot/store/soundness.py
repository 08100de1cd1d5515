"""Is what a store holds what it promises? Each check is one row, says what it found, and changes nothing.

A manifest promises an import's rows, each once and in their order. Read in the order of the table's key, the rows of an
import are therefore 0, 1, 2 and so on to the last: one pass over two columns that shows a row that is missing, doubled or out
of its place. Whether the files are what was written, the engine's own checksums say.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from tradebot.store.ahead import read_ahead
from tradebot.store.backend import Backend
from tradebot.store.migrations import version_of
from tradebot.store.schema import TABLES, VERSION
from tradebot.store.server import Server

Progress = Callable[[int], None]

_SHOWN_MAX = 5


class Finding(NamedTuple):
    """`detail` says what was found, and where it is wrong what to do."""

    name: str
    ok: bool
    detail: str


class Import(NamedTuple):
    id: int
    instrument: int
    rows: int
    first_ns: int
    last_ns: int


def check_store(backend: Backend, progress: Progress) -> Iterator[Finding]:
    """Every check, in an order in which the first failure explains the later ones; `progress` gets rows."""
    yield _check_version(backend)
    imports = [Import(*row) for row in backend.rows("SELECT id, instrument, rows, first_ns, last_ns FROM imports ORDER BY id")]
    yield _check_files(backend)
    yield _check_manifests(backend, imports)
    yield _check_rows(backend, imports, progress)
    yield _check_orphans(backend)
    yield _check_runs(backend)


def _check_version(backend: Backend) -> Finding:
    found = version_of(backend)
    if found == VERSION:
        return Finding("version", True, f"schema version {VERSION}")
    remedy = "run `tradebot store migrate`" if (found or 0) < VERSION else "update tradebot"
    return Finding("version", False, f"expected schema version {VERSION}, found {found}: {remedy}")


def _check_files(backend: Backend) -> Finding:
    """A file that was changed beneath the engine."""
    if isinstance(backend, Server):
        return Finding("files", True, "not read: they are the server's own, which has CHECK TABLE")
    broken = []
    for table in TABLES:
        for row in backend.rows(f"CHECK TABLE {backend.layout.kept(table.name)} SETTINGS check_query_single_value_result = 0"):
            if not row[-2]:
                broken.append(f"{table.name} {row[-3]}: {row[-1]}")
    if broken:
        return Finding("files", False, f"{_listed(broken)}: restore a backup with `tradebot store restore`")
    return Finding("files", True, "the checksums of all parts")


def _check_manifests(backend: Backend, imports: list[Import]) -> Finding:
    """Each import once, of an instrument that is defined once."""
    wrong = [f"import {id_:016x} {count} times" for id_, count in _repeated(backend, "SELECT id AS one FROM imports")]
    wrong += [
        f"instrument {id_} with {count} definitions"
        for id_, count in _repeated(backend, "SELECT DISTINCT id AS one, definition FROM instruments")
    ]
    known = {row[0] for row in backend.rows("SELECT DISTINCT id FROM instruments")}
    wrong += [f"import {one.id:016x} of an unknown instrument {one.instrument}" for one in imports if one.instrument not in known]
    if wrong:
        return Finding("manifests", False, f"{_listed(wrong)}: restore a backup")
    return Finding("manifests", True, f"{len(imports)} imports of {len(known)} instruments")


def _repeated(backend: Backend, select: str) -> list[tuple[int, int]]:
    return [(row[0], row[1]) for row in backend.rows(f"SELECT one, count() FROM ({select}) GROUP BY one HAVING count() > 1")]


def _check_rows(backend: Backend, imports: list[Import], progress: Progress) -> Finding:
    wrong = [text for one in imports if (text := _find_gap(backend, one, progress))]
    if wrong:
        return Finding("rows", False, f"{_listed(wrong)}: restore a backup, or import the files into a new --home")
    return Finding("rows", True, f"{sum(one.rows for one in imports)} rows, each once and in its place")


def _find_gap(backend: Backend, one: Import, progress: Progress) -> str | None:
    """What is wrong with the rows of an import."""
    statement = (
        f"SELECT `row`, time_ns FROM ticks WHERE instrument = {one.instrument} AND `import` = {one.id} "
        "ORDER BY instrument, time_ns, `import`, `row` SETTINGS optimize_read_in_order = 1, max_threads = 1"
    )
    at, first_ns, last_ns = 0, 0, 0
    for rows, times in read_ahead(backend.blocks(statement)):
        if not len(rows):
            continue
        differs = np.flatnonzero(rows != np.arange(at, at + len(rows), dtype=np.uint64))
        if len(differs):
            return f"import {one.id:016x}: expected row {at + int(differs[0])}, found row {int(rows[differs[0]])}"
        first_ns, last_ns = first_ns if at else int(times[0]), int(times[-1])
        at += len(rows)
        progress(len(rows))
    if (at, first_ns, last_ns) != one[2:]:
        expected = f"{one.rows} rows from {one.first_ns} to {one.last_ns}"
        return f"import {one.id:016x}: expected {expected}, found {at} from {first_ns} to {last_ns}"
    return None


def _check_orphans(backend: Backend) -> Finding:
    """Rows without a manifest: of an import that was killed they wait for its next run; others belong to nobody."""
    rows = backend.rows(
        "SELECT `import`, count(), `import` IN (SELECT id FROM imports_begun) FROM ticks "
        "WHERE `import` NOT IN (SELECT id FROM imports) GROUP BY `import` ORDER BY `import`"
    )
    lost = [f"{count} rows of {id_:016x}" for id_, count, is_begun in rows if not is_begun]
    if lost:
        return Finding("orphans", False, f"{_listed(lost)}, which no import began; no reader sees them: restore a backup")
    waiting = [f"{count} rows of {id_:016x}" for id_, count, _ in rows]
    if waiting:
        return Finding("orphans", True, f"{_listed(waiting)}, which was not finished; no reader sees them: run the import again")
    return Finding("orphans", True, "no row without an import")


def _check_runs(backend: Backend) -> Finding:
    wrong = [f"run {id_} {count} times" for id_, count in _repeated(backend, "SELECT run_id AS one FROM runs")]
    for table in ("orders", "fills", "equity"):
        rows = backend.rows(f"SELECT DISTINCT run_id FROM {table} WHERE run_id NOT IN (SELECT run_id FROM runs)")
        wrong += [f"{table} of {row[0]}, which is no run" for row in rows]
    if wrong:
        return Finding("runs", False, f"{_listed(wrong)}: run the backtest again")
    return Finding("runs", True, f"{backend.rows('SELECT count() FROM runs')[0][0]} runs")


def _listed(texts: list[str]) -> str:
    more = len(texts) - _SHOWN_MAX
    return "; ".join(texts[:_SHOWN_MAX]) + (f"; and {more} more" if more > 0 else "")
