"""Stores of other versions: told what to do, brought to today's with their rows, never half."""

from pathlib import Path

import pytest

from tests.store.support import FIRST, Records, joined, random_records, source
from tradebot.domain.errors import StoreError
from tradebot.store import migrations
from tradebot.store.backend import Backend
from tradebot.store.backup import back_up
from tradebot.store.client import Store, open_as_it_is, open_store
from tradebot.store.migrations import Migration, migrate, prepare, version_of
from tradebot.store.restore import restore
from tradebot.store.schema import TABLES, VERSION, Layout

NEXT = Migration(
    VERSION + 1,
    "a word for each import",
    ("ALTER TABLE {imports} ADD COLUMN IF NOT EXISTS word String", "ALTER TABLE {imports} UPDATE word = 'old' WHERE 1"),
)
AFTER = Migration(VERSION + 2, "fails once", ("ALTER TABLE {imports} DROP COLUMN nowhere",))


@pytest.fixture
def backend(store: Store) -> Backend:
    """A store with rows, of each kind."""
    store.import_records(FIRST, source(), iter([random_records(FIRST, 1_000)]))
    return store._backend


def test_a_store_is_migrated_with_its_rows(tmp_path: Path) -> None:
    records = random_records(FIRST, 1_000)
    with open_store(tmp_path / "data") as store:
        store.import_records(FIRST, source(), iter([records]))
        assert migrate(store._backend, [NEXT], NEXT.version) == (VERSION, [NEXT])
        assert version_of(store._backend) == NEXT.version
        assert joined(store.stream([FIRST.id])).tobytes() == records.tobytes()
        assert migrate(store._backend, [NEXT], NEXT.version) == (NEXT.version, [])
    with pytest.raises(StoreError, match="update tradebot"):
        open_store(tmp_path / "data")


def test_an_older_store_is_told_how_to_be_migrated(backend: Backend) -> None:
    with pytest.raises(StoreError, match=r"version \d+ .* found \d+; .*`tradebot store migrate`"):
        prepare(backend, VERSION + 1)


def test_a_step_that_fails_is_done_again_and_those_before_it_are_not(tmp_path: Path) -> None:
    with open_store(tmp_path / "data") as store:
        with pytest.raises(StoreError):
            migrate(store._backend, [NEXT, AFTER], AFTER.version)
        assert version_of(store._backend) == NEXT.version
        mended = Migration(AFTER.version, AFTER.why, ("ALTER TABLE {imports} DROP COLUMN IF EXISTS nowhere",))
        assert migrate(store._backend, [NEXT, mended], AFTER.version) == (NEXT.version, [mended])


def test_a_newer_store_is_not_migrated_back(tmp_path: Path) -> None:
    with open_store(tmp_path / "data") as store:
        store._backend.insert("schema_versions", {"version": [VERSION + 9]}, {"version": "UInt32"})
        with pytest.raises(StoreError, match=f"found {VERSION + 9}; update tradebot"):
            migrate(store._backend)


def test_steps_of_today_are_one_for_each_version_after_the_first() -> None:
    assert [one.version for one in migrations.MIGRATIONS] == list(range(2, VERSION + 1))


def test_a_cluster_keeps_rows_in_local_tables_and_asks_them_all() -> None:
    ticks = next(one for one in TABLES if one.name == "ticks")
    (plain,) = ticks.statements(Layout())
    assert plain.startswith("CREATE TABLE IF NOT EXISTS ticks (") and " ENGINE = MergeTree ORDER BY" in plain
    kept, spread = ticks.statements(Layout("main", replicated=True))
    assert kept.startswith("CREATE TABLE IF NOT EXISTS ticks_local ON CLUSTER `main` (")
    assert " ENGINE = ReplicatedMergeTree ORDER BY" in kept
    assert spread == (
        "CREATE TABLE IF NOT EXISTS ticks ON CLUSTER `main` AS ticks_local "
        "ENGINE = Distributed(`main`, currentDatabase(), ticks_local, instrument)"
    )


# The table of ticks as version 1 made it; the other tables are as they were.
FIRST_TICKS = (
    "CREATE TABLE ticks (`instrument` UInt32 CODEC(ZSTD(1)), `time_ns` Int64 CODEC(Delta, ZSTD(1)), "
    "`import` UInt64 CODEC(ZSTD(1)), `row` UInt64 CODEC(Delta, ZSTD(1)), `venue_ns` Int64 CODEC(Delta, ZSTD(1)), "
    "`venue_sequence` UInt64 CODEC(DoubleDelta, ZSTD(1)), `price` Int64 CODEC(T64, ZSTD(1)), `quantity` Int64 CODEC(ZSTD(1)), "
    "`id` UInt64 CODEC(ZSTD(1)), `id2` UInt64 CODEC(ZSTD(1)), `kind` UInt8 CODEC(ZSTD(1)), `flags` UInt8 CODEC(T64, ZSTD(1)), "
    "`owner` UInt16 CODEC(ZSTD(1)), time DateTime64(9, 'UTC') ALIAS fromUnixTimestamp64Nano(time_ns, 'UTC')) "
    "ENGINE = MergeTree ORDER BY (instrument, time_ns, `import`, `row`) SETTINGS fsync_after_insert = 1, fsync_part_directory = 1"
)
DEFINITION = "SELECT name, type, compression_codec FROM system.columns WHERE table = 'ticks' ORDER BY position"


def make_first_store(path: Path, records: Records) -> None:
    """A store of version 1 with an import."""
    path.parent.mkdir()
    with open_as_it_is(path, is_alone=True) as backend:
        assert version_of(backend) is None
        backend.command(FIRST_TICKS)
        backend.command("INSERT INTO schema_versions VALUES (1)")
        migrations.make_tables(backend)
        Store(backend, lambda: None).import_records(FIRST, source(), iter([records]))


def test_a_store_of_the_first_version_gets_todays_tables_with_its_rows(tmp_path: Path) -> None:
    records = random_records(FIRST, 30_000)
    make_first_store(tmp_path / "old" / "data", records)
    with pytest.raises(StoreError, match=r"found 1; .*`tradebot store migrate`"):
        open_store(tmp_path / "old" / "data")
    with open_as_it_is(tmp_path / "old" / "data", is_alone=True) as backend:
        found, steps = migrate(backend)
        assert (found, [step.version for step in steps]) == (1, list(range(2, VERSION + 1)))
        migrated = backend.rows(DEFINITION)
    with open_store(tmp_path / "old" / "data") as store:
        assert joined(store.stream([FIRST.id])).tobytes() == records.tobytes()
        store._backend.command("OPTIMIZE TABLE ticks FINAL")
        assert joined(store.stream([FIRST.id])).tobytes() == records.tobytes()
        assert store.import_records(FIRST, source(), iter([])).repeated
    with open_store(tmp_path / "new" / "data") as store:
        assert store.query(DEFINITION) == migrated


def test_a_store_of_the_first_version_is_backed_up_and_its_backup_fits_todays_tables(tmp_path: Path) -> None:
    records = random_records(FIRST, 30_000)
    make_first_store(tmp_path / "old" / "data", records)
    assert back_up(tmp_path / "old" / "data", tmp_path / "backup", lambda size: None).schema_version == 1
    restore(tmp_path / "backup", tmp_path / "data", lambda size: None)
    with open_store(tmp_path / "data") as store:
        assert version_of(store._backend) == VERSION
        assert joined(store.stream([FIRST.id])).tobytes() == records.tobytes()
