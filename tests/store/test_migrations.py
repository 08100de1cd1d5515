"""Stores of other versions: told what to do, brought to today's with their rows, never half."""

from pathlib import Path

import pytest

from tests.store.support import FIRST, joined, random_records, source
from tradebot.domain.errors import StoreError
from tradebot.store import migrations
from tradebot.store.backend import Backend
from tradebot.store.client import Store, open_store
from tradebot.store.migrations import Migration, migrate, prepare, version_of
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
