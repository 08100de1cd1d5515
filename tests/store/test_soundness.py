"""What a check of a store sees: each kind of wrong, by the check that is for it, on stores of every kind where it can be made."""

from pathlib import Path

import numpy as np
import pytest

from tests.store.support import FIRST, SECOND, random_records, source
from tradebot.store.client import Store, open_as_it_is, open_store
from tradebot.store.schema import TICK_COLUMNS, VERSION
from tradebot.store.soundness import Finding, check_store
from tradebot.store.writer import Writer

ROWS = 5_000


def silent(rows: int) -> None:
    pass


def failed(store: Store) -> dict[str, str]:
    return {one.name: one.detail for one in check_store(store._backend, silent) if not one.ok}


def insert(store: Store, import_id: int, row: int) -> None:
    """One row of ticks more."""
    with Writer(store._backend, import_id, 1) as writer:
        records = random_records(FIRST, 1)
        assert writer.fill(records) == 1
        columns = writer.take(row)
        assert set(columns) == set(TICK_COLUMNS)
        writer.insert(columns)
        writer.wait()


@pytest.fixture
def filled(store: Store) -> Store:
    store.import_records(FIRST, source(), iter([random_records(FIRST, ROWS)]))
    store.import_records(SECOND, source(), iter([random_records(SECOND, ROWS)]))
    store.write_run({"run_id": "r1"})
    return store


def test_a_sound_store_passes_every_check_and_all_its_rows_are_read(filled: Store) -> None:
    read: list[int] = []
    found = list(check_store(filled._backend, read.append))
    assert [one.name for one in found] == ["version", "files", "manifests", "rows", "orphans", "runs"]
    assert all(one.ok for one in found)
    assert sum(read) == 2 * ROWS
    assert found[3] == Finding("rows", True, f"{2 * ROWS} rows, each once and in its place")


def test_a_row_too_many_of_an_import_is_seen(filled: Store) -> None:
    insert(filled, source().import_id(FIRST.id), 4_321)
    assert "expected row" in failed(filled)["rows"] and list(failed(filled)) == ["rows"]


def test_a_row_that_is_missing_is_seen(filled: Store) -> None:
    filled._backend.delete("ticks", f"instrument = {FIRST.id} AND row = 1234")
    assert "expected row 1234, found row 1235" in failed(filled)["rows"]
    filled._backend.delete("ticks", f"instrument = {SECOND.id} AND row = {ROWS - 1}")
    assert f"expected {ROWS} rows" in failed(filled)["rows"]


def test_rows_that_no_import_began_are_seen(filled: Store) -> None:
    insert(filled, 77, 0)
    assert "1 rows of 000000000000004d, which no import began" in failed(filled)["orphans"]


def test_rows_of_an_import_that_waits_to_go_on_are_told_and_not_wrong(filled: Store) -> None:
    filled._backend.insert("imports_begun", {"id": [77], "instrument": [FIRST.id]}, {"id": "UInt64", "instrument": "UInt32"})
    insert(filled, 77, 0)
    (orphans,) = [one for one in check_store(filled._backend, silent) if one.name == "orphans"]
    assert orphans.ok and "was not finished" in orphans.detail and "run the import again" in orphans.detail


def test_a_manifest_twice_and_one_of_an_unknown_instrument_are_seen(filled: Store) -> None:
    filled._backend.command("INSERT INTO imports SELECT * EXCEPT committed, committed FROM imports")
    assert "2 times" in failed(filled)["manifests"]
    filled._backend.delete("instruments", f"id = {SECOND.id}")
    assert f"unknown instrument {SECOND.id}" in failed(filled)["manifests"]


def test_results_of_no_run_are_seen(filled: Store) -> None:
    filled._backend.delete("runs", "run_id = 'r1'")
    filled._backend.command("INSERT INTO equity (run_id, time_ns) VALUES ('r2', 1)")
    assert failed(filled)["runs"].startswith("equity of r2, which is no run")


def test_a_store_of_another_version_is_told_what_to_do(filled: Store) -> None:
    filled._backend.insert("schema_versions", {"version": [VERSION + 1]}, {"version": "UInt32"})
    assert failed(filled) == {"version": f"expected schema version {VERSION}, found {VERSION + 1}: update tradebot"}
    filled._backend.command("TRUNCATE TABLE schema_versions")
    filled._backend.insert("schema_versions", {"version": [VERSION]}, {"version": "UInt32"})


def test_a_bit_that_was_flipped_on_the_disk_is_seen(tmp_path: Path) -> None:
    with open_store(tmp_path / "data") as store:
        store.import_records(FIRST, source(), iter([random_records(FIRST, 300_000)]))
    (file,) = (tmp_path / "data" / "store").rglob("quantity.bin")
    data = np.fromfile(file, np.uint8)
    data[len(data) // 2] ^= 1
    data.tofile(file)
    with open_as_it_is(tmp_path / "data", is_alone=True) as backend:
        (files,) = [one for one in check_store(backend, silent) if one.name == "files"]
    assert not files.ok and "ticks" in files.detail and "tradebot store restore" in files.detail
