"""The store on the real engine: what goes in comes out, in order, once, whoever is killed on the way."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.store.support import (
    FIRST,
    HOLD,
    SECOND,
    Records,
    joined,
    kill,
    line_of,
    numbers_of,
    python,
    random_records,
    source,
)
from tradebot._core.types import RECORD_DTYPE
from tradebot.domain.errors import (
    EmptyRange,
    StoreError,
    StoreFull,
    StoreOwned,
    UnknownInstrument,
    UsageError,
)
from tradebot.store import ticks
from tradebot.store.client import Store, open_store
from tradebot.store.instruments import spot_instrument

IMPORT_HALF = """
import sys
from pathlib import Path
from tests.store.support import FIRST, random_records, source
from tradebot.store.client import open_store

def pause(rows):
    print(rows, flush=True)
    sys.stdin.read()

with open_store(Path(sys.argv[1])) as store:
    store.import_records(FIRST, source(), iter([random_records(FIRST, 600_000)]), pause)
"""

IMPORT_LONG = """
import resource
import sys
from pathlib import Path
from tests.store.support import FIRST, random_records, source
from tradebot.store.client import open_store

def batches(count):
    batch = random_records(FIRST, 262_144)
    for _ in range(count):
        yield batch
        batch = batch.copy()
        batch["time_ns"] += batch["time_ns"][-1] - batch["time_ns"][0]

def measure(rows):
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, flush=True)

with open_store(Path(sys.argv[1])) as store:
    store.import_records(FIRST, source(), batches(32), measure)
"""

READ_LONG = """
import resource
import sys
from pathlib import Path
from tests.store.support import FIRST
from tradebot.store.client import open_store

with open_store(Path(sys.argv[1])) as store:
    store._backend.command("OPTIMIZE TABLE ticks FINAL")
    first_ns, last_ns = store.query("SELECT min(time_ns), max(time_ns) FROM ticks")[0]
    for end_ns in (first_ns + (last_ns - first_ns) // 4, None):
        print(sum(len(batch) for batch in store.stream([FIRST.id], None, end_ns)))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_every_slot_comes_back_bit_for_bit(store: Store) -> None:
    records = random_records(FIRST, 10_000)
    for name in RECORD_DTYPE.names or ():
        if name not in ("time_ns", "instrument"):
            limits = np.iinfo(records.dtype[name])
            records[name][0], records[name][1] = limits.min, limits.max
    store.import_records(FIRST, source(), iter([records]))
    assert joined(store.stream([FIRST.id])).tobytes() == records.tobytes()


def test_extreme_times_come_back(store: Store) -> None:
    records = random_records(FIRST, 3)
    limits = np.iinfo(np.int64)
    records["time_ns"] = [limits.min, 0, limits.max]
    store.import_records(FIRST, source(), iter([records]))
    assert joined(store.stream([FIRST.id])).tobytes() == records.tobytes()


@pytest.mark.parametrize("batch_rows", [1, 1_000, 65_536])
def test_the_size_of_a_batch_changes_nothing(store: Store, batch_rows: int) -> None:
    records = random_records(FIRST, 70_000)
    store.import_records(FIRST, source(), iter([records]))
    batches = list(store.stream([FIRST.id], batch_rows=batch_rows))
    assert {len(batch) for batch in batches[:-1]} <= {batch_rows}
    assert joined(batches).tobytes() == records.tobytes()


@pytest.mark.parametrize("batch_rows", [1_000, 65_536])
def test_several_instruments_are_merged_in_time_then_by_position(store: Store, batch_rows: int) -> None:
    first, second = random_records(FIRST, 80_000, 1), random_records(SECOND, 30_000, 2, step_ns=9)
    store.import_records(FIRST, source(), iter([first]))
    store.import_records(SECOND, source(), iter([second]))
    merged = joined(store.stream([SECOND.id, FIRST.id], batch_rows=batch_rows))
    both = np.concatenate([second, first])
    assert merged.tobytes() == both[np.argsort(both["time_ns"], kind="stable")].tobytes()


def test_a_time_that_fills_many_blocks_is_still_ordered_by_position(store: Store) -> None:
    first, second = random_records(FIRST, 150_000, step_ns=1), random_records(SECOND, 150_000, 2, step_ns=1)
    store.import_records(FIRST, source(), iter([first]))
    store.import_records(SECOND, source(), iter([second]))
    merged = joined(store.stream([FIRST.id, SECOND.id]))
    assert merged.tobytes() == np.concatenate([first, second]).tobytes()


def test_two_imports_of_one_instrument_are_read_in_time(store: Store) -> None:
    records = random_records(FIRST, 20_000, step_ns=1_000)
    early, late = records[:12_000], records[12_000:]
    store.import_records(FIRST, source("late"), iter([late]))
    store.import_records(FIRST, source("early"), iter([early]))
    assert joined(store.stream([FIRST.id]))["id"].tolist() == records["id"].tolist()


@pytest.mark.parametrize("slice_rows", [60, 777, 10_000])
def test_a_stream_in_slices_of_time_is_the_same_stream(store: Store, slice_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two imports that overlap, many facts at each moment, ends that lie in the middle."""
    records = [random_records(FIRST, 3_000, number, step_ns=2) for number in range(2)]
    for number, one in enumerate(records):
        store.import_records(FIRST, source(str(number)), iter([one]))
    ranges = [(None, None), (int(records[0]["time_ns"][500]), None), (None, int(records[1]["time_ns"][900]))]
    ranges += [(int(records[0]["time_ns"][700]), int(records[0]["time_ns"][701]) + 1), (0, 5)]
    whole = [joined(store.stream([FIRST.id], *one)).tobytes() for one in ranges]
    monkeypatch.setattr(ticks, "SLICE_ROWS", slice_rows)
    assert [joined(store.stream([FIRST.id], *one)).tobytes() for one in ranges] == whole


def test_a_stream_of_one_moment_is_not_parted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticks, "SLICE_ROWS", 10)
    records = random_records(FIRST, 1_000, step_ns=1)
    store.import_records(FIRST, source(), iter([records]))
    assert joined(store.stream([FIRST.id])).tobytes() == records.tobytes()


def test_a_range_includes_its_start_and_excludes_its_end(store: Store) -> None:
    records = random_records(FIRST, 5_000)
    store.import_records(FIRST, source(), iter([records]))
    start, end = int(records["time_ns"][1_000]), int(records["time_ns"][4_000])
    inside = records[(records["time_ns"] >= start) & (records["time_ns"] < end)]
    assert joined(store.stream([FIRST.id], start, end)).tobytes() == inside.tobytes()
    selection = store.selection([FIRST.id], start, end)
    assert (selection.rows, selection.first_ns) == (len(inside), start)
    assert selection.last_ns == inside["time_ns"][-1] < end


def test_streams_run_side_by_side_and_may_be_left(store: Store) -> None:
    records = random_records(FIRST, 100_000)
    store.import_records(FIRST, source(), iter([records]))
    left, other = store.stream([FIRST.id], batch_rows=1_000), store.stream([FIRST.id], batch_rows=1_000)
    assert next(left).tobytes() == next(other).tobytes() == records[:1_000].tobytes()
    assert store.selection([FIRST.id]).rows == 100_000
    del left
    assert len(joined(other)) == 99_000


def test_memory_does_not_grow_with_the_length_of_an_import_or_a_stream(tmp_path: Path) -> None:
    written = numbers_of(python(IMPORT_LONG, str(tmp_path / "data")))
    assert len(written) == 16
    # The 12 blocks after the fourth are 400 MB of records, and as much again on their way to the engine.
    assert written[15] - written[3] < 300
    quarter_rows, quarter_megabytes, rows, megabytes = numbers_of(python(READ_LONG, str(tmp_path / "data")))
    assert rows == 32 * 262_144
    assert rows // 5 < quarter_rows < rows // 3
    assert megabytes - quarter_megabytes < 50


def test_the_same_import_again_changes_nothing_and_reads_nothing(store: Store) -> None:
    records = random_records(FIRST, 1_000)
    report = store.import_records(FIRST, source(), iter([records]))

    def unread() -> Iterator[Records]:
        raise AssertionError("the batches were read")
        yield records

    again = store.import_records(FIRST, source(), unread())
    assert again.repeated and not report.repeated
    assert (again.rows, again.first_ns, again.last_ns) == (report.rows, report.first_ns, report.last_ns)
    assert store.query("SELECT count() FROM ticks") == [(1_000,)]


def test_a_selection_is_named_by_what_is_in_it(tmp_path: Path) -> None:
    records = random_records(FIRST, 1_000)
    changed = records.copy()
    changed["id2"][500] ^= 1
    swapped = records.copy()
    swapped[["id", "price"]][10:12] = swapped[["id", "price"]][10:12][::-1]
    found = []
    for number, one in enumerate([records, records, changed, swapped]):
        with open_store(tmp_path / str(number) / "data") as store:
            store.import_records(FIRST, source(str(number)), iter([one]))
            found.append(store.selection([FIRST.id]).checksum)
    assert found[0] == found[1]
    assert len(set(found)) == 3
    assert all(len(checksum) == 32 for checksum in found)


def test_an_import_that_fails_leaves_the_store_as_it_was(store: Store) -> None:
    def broken() -> Iterator[Records]:
        yield random_records(FIRST, 300_000)
        raise ValueError("the source broke")

    with pytest.raises(ValueError, match="the source broke"):
        store.import_records(FIRST, source(), broken())
    assert store.catalogue() == []
    assert store.instruments() == []
    assert store.query("SELECT count() FROM ticks") == [(0,)]


def test_a_killed_import_is_invisible_and_its_next_run_doubles_nothing(tmp_path: Path) -> None:
    child = python(IMPORT_HALF, str(tmp_path / "data"))
    written = int(line_of(child))
    kill(child)
    records = random_records(FIRST, 600_000)
    with open_store(tmp_path / "data") as store:
        assert store.catalogue() == []
        assert store.query("SELECT count() FROM ticks") == [(written,)]
        assert 0 < written < 600_000
        report = store.import_records(FIRST, source(), iter([records]))
        assert (report.rows, report.repeated) == (600_000, False)
        assert store.query("SELECT count() FROM ticks") == [(600_000,)]
        assert joined(store.stream([FIRST.id])).tobytes() == records.tobytes()


def test_an_import_that_goes_on_keeps_the_blocks_that_are_there(tmp_path: Path) -> None:
    child = python(IMPORT_HALF, str(tmp_path / "data"))
    written = int(line_of(child))
    kill(child)
    first_part = f"SELECT DISTINCT _part FROM ticks WHERE row < {written}"
    with open_store(tmp_path / "data") as store:
        store._backend.command("SYSTEM STOP MERGES ticks")
        before = store.query(first_part)
        store.import_records(FIRST, source(), iter([random_records(FIRST, 600_000)]))
        assert store.query(first_part) == before


@pytest.mark.parametrize("changed_row", [0, 262_143])
def test_a_block_that_is_not_the_sources_is_written_anew(tmp_path: Path, changed_row: int) -> None:
    child = python(IMPORT_HALF, str(tmp_path / "data"))
    line_of(child)
    kill(child)
    records = random_records(FIRST, 600_000)
    records["id2"][changed_row] ^= 1
    with open_store(tmp_path / "data") as store:
        store.import_records(FIRST, source(), iter([records]))
        assert joined(store.stream([FIRST.id])).tobytes() == records.tobytes()


def test_blocks_beyond_a_shorter_source_are_removed(tmp_path: Path) -> None:
    child = python(IMPORT_HALF, str(tmp_path / "data"))
    line_of(child)
    kill(child)
    with open_store(tmp_path / "data") as store:
        store.import_records(FIRST, source(), iter([]))
        assert store.query("SELECT count() FROM ticks") == [(0,)]


def test_an_unfinished_import_that_was_merged_with_another_is_removed_from_it(tmp_path: Path) -> None:
    kept = random_records(FIRST, 5_000, 7)
    with open_store(tmp_path / "data") as store:
        store.import_records(FIRST, source("kept"), iter([kept]))
    child = python(IMPORT_HALF, str(tmp_path / "data"))
    written = int(line_of(child))
    kill(child)
    with open_store(tmp_path / "data") as store:
        store._backend.command("OPTIMIZE TABLE ticks FINAL")
        parts = "SELECT rows FROM system.parts WHERE active AND table = 'ticks'"
        assert store.query(parts) == [(5_000 + written,)]
        assert joined(store.stream([FIRST.id])).tobytes() == kept.tobytes()
        store.import_records(FIRST, source(), iter([random_records(FIRST, 600_000)]))
        assert store.query("SELECT count() FROM ticks") == [(605_000,)]


def test_a_killed_owner_blocks_nobody(tmp_path: Path) -> None:
    child = python(HOLD, str(tmp_path / "data"))
    assert line_of(child) == "ready"
    kill(child)
    assert str(child.pid) in (tmp_path / "data.owner").read_text()
    with open_store(tmp_path / "data") as store:
        assert store.catalogue() == []


def test_a_second_store_in_one_process_is_refused_until_the_first_is_closed(tmp_path: Path) -> None:
    with open_store(tmp_path / "one"):
        with pytest.raises(StoreError, match="close the first"):
            open_store(tmp_path / "two")
        with pytest.raises(StoreOwned, match="this process"):
            open_store(tmp_path / "one")
    with open_store(tmp_path / "two") as store:
        assert store.catalogue() == []


def test_folders_are_closed_to_others(tmp_path: Path) -> None:
    with open_store(tmp_path / "home" / "data"):
        modes = {
            path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "home", tmp_path / "home" / "data")
        }
    assert modes == {"home": 0o700, "data": 0o700}


def test_a_file_where_the_store_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    with pytest.raises(StoreError, match="another --home"):
        open_store(tmp_path / "data")


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    with open_store(tmp_path / "data") as store:
        store.query("SELECT 1")
        store._backend.insert("schema_versions", {"version": [99]}, {"version": "UInt32"})
    with pytest.raises(StoreError, match=r"version \d+ .* found 99; update tradebot"):
        open_store(tmp_path / "data")


def test_a_full_disk_is_named_and_costs_nothing_that_was_there(small_disk: Path) -> None:
    kept = random_records(FIRST, 20_000)
    with open_store(small_disk / "data") as store:
        store.import_records(FIRST, source("kept"), iter([kept]))
        too_many = (random_records(SECOND, 262_144, 1) for _ in range(1))
        with pytest.raises(StoreFull, match="another --home"):
            store.import_records(SECOND, source("too many"), _repeated(too_many))
        assert joined(store.stream([FIRST.id])).tobytes() == kept.tobytes()
    with open_store(small_disk / "data") as store:
        assert [one.instrument for one in store.catalogue()] == [FIRST.name]
        assert joined(store.stream([FIRST.id])).tobytes() == kept.tobytes()


def _repeated(batches: Iterator[Records]) -> Iterator[Records]:
    """The same records later and later, until the disk is full."""
    for batch in batches:
        for _ in range(8):
            yield batch
            batch = batch.copy()
            batch["time_ns"] += batch["time_ns"][-1] - batch["time_ns"][0]


def test_an_instrument_is_found_by_symbol_or_by_name(store: Store) -> None:
    store.register(FIRST)
    store.register(FIRST)
    store.register(SECOND)
    assert store.instruments() == [FIRST, SECOND]
    assert store.instrument("AAA/USD") == store.instrument("AAA/USD@venue") == FIRST


def test_an_unknown_instrument_names_the_nearest(store: Store) -> None:
    with pytest.raises(UnknownInstrument, match=r"holds none yet.*tradebot data import"):
        store.instrument("AAA/USD")
    store.register(FIRST)
    store.register(SECOND)
    with pytest.raises(UnknownInstrument, match=r"nearest is AAA/USD@venue.*tradebot data list"):
        store.instrument("AAA/EUR@venue")


def test_a_symbol_at_two_venues_must_name_one(store: Store) -> None:
    store.register(FIRST)
    store.register(spot_instrument("AAA/USD@other", tick="1", lot="1"))
    with pytest.raises(UnknownInstrument, match="AAA/USD@other, AAA/USD@venue; add the @venue"):
        store.instrument("AAA/USD")


def test_an_id_that_stands_for_another_definition_is_refused(store: Store) -> None:
    store.register(FIRST)
    other = spot_instrument("AAA/USD@venue", tick="0.1", lot="0.001")
    assert other.id == FIRST.id
    with pytest.raises(UsageError, match="new version"):
        store.register(other)
    with pytest.raises(UsageError, match="new version"):
        store.import_records(other, source(), iter([random_records(other, 10)]))


def test_an_empty_range_names_the_range_that_exists(store: Store) -> None:
    store.register(SECOND)
    store.import_records(FIRST, source(), iter([random_records(FIRST, 10)]))
    with pytest.raises(EmptyRange, match="holds 2023-11-14T22:13:20"):
        store.selection([FIRST.id], 0, 5)
    with pytest.raises(EmptyRange, match="tradebot data import"):
        store.selection([SECOND.id])
    assert list(store.stream([FIRST.id], 0, 5)) == []
    assert list(store.stream([SECOND.id])) == []


def test_the_catalogue_sums_an_instruments_imports(store: Store) -> None:
    records = random_records(FIRST, 3_000)
    reports = [
        store.import_records(FIRST, source(str(part)), iter([records[part * 1_000 :][:1_000]]))
        for part in range(3)
    ]
    (dataset,) = store.catalogue()
    assert (dataset.instrument, dataset.rows) == (FIRST.name, 3_000)
    assert (dataset.first_ns, dataset.last_ns) == (records["time_ns"][0], records["time_ns"][-1])
    assert sorted(dataset.imports) == sorted(report.import_id for report in reports)
    assert dataset.bytes > 0


def test_an_import_without_rows_is_kept_and_selects_nothing(store: Store) -> None:
    report = store.import_records(FIRST, source(), iter([]))
    assert report.rows == 0
    assert store.catalogue()[0].rows == 0
    with pytest.raises(EmptyRange):
        store.selection([FIRST.id])


def test_time_is_shown_to_people(store: Store) -> None:
    store.import_records(FIRST, source(), iter([random_records(FIRST, 1)]))
    ((text, ns),) = store.query("SELECT toString(time), time_ns FROM ticks")
    assert text == f"2023-11-14 22:13:20.{ns % 1_000_000_000:09}"
