"""Copies of a store: proven when they are made and before they are put back, refused when a bit is wrong, never half.

Damage is done to the files themselves, kills are real, and the full disk is one of 24 MB.
"""

import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from tests.store.support import FIRST, HOLD, SECOND, joined, kill, line_of, python, random_records, source
from tradebot.domain.errors import BadContainer, StoreError, StoreFull, UsageError
from tradebot.store.backup import back_up
from tradebot.store.client import open_store
from tradebot.store.manifest import NAME, PARTS, SUM_NAME, check_files, read_manifest
from tradebot.store.migrations import version_of
from tradebot.store.restore import restore
from tradebot.store.schema import VERSION

ROWS = 20_000

WORK = """
import sys
from pathlib import Path
from tradebot.store.backup import back_up
from tradebot.store.restore import restore
work = {"backup": back_up, "restore": restore}[sys.argv[1]]
print("begun", flush=True)
work(Path(sys.argv[2]), Path(sys.argv[3]), lambda size: print(size, flush=True))
print("done", flush=True)
"""

UNFINISHED = """
import sys
from pathlib import Path
from tests.store.support import SECOND, random_records, source
from tradebot.store import intake
from tradebot.store.client import open_store

intake.BLOCK_ROWS = 1_000

def pause(rows):
    print(rows, flush=True)
    sys.stdin.read()

with open_store(Path(sys.argv[1])) as store:
    store.import_records(SECOND, source(), iter([random_records(SECOND, 5_000)]), pause)
"""


def silent(size: int) -> None:
    pass


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with two imports and a run, closed."""
    path = tmp_path / "home" / "data"
    fill(path)
    return path


def fill(path: Path) -> None:
    with open_store(path) as store:
        for number in range(2):
            store.import_records(FIRST, source(str(number)), iter([random_records(FIRST, ROWS, number)]))
        store.write_run({"run_id": "r1"})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup; only to be read: copy it to change it."""
    folder = tmp_path_factory.mktemp("whole")
    fill(folder / "data")
    back_up(folder / "data", folder / "backup", silent)
    return folder / "backup"


def content(path: Path) -> bytes:
    with open_store(path) as store:
        return joined(store.stream([FIRST.id])).tobytes()


def expected() -> bytes:
    both = np.concatenate([random_records(FIRST, ROWS, number) for number in range(2)])
    with_import = sorted(range(2), key=lambda number: source(str(number)).import_id(FIRST.id))
    place = np.repeat([with_import.index(number) for number in range(2)], ROWS)
    return both[np.lexsort((place, both["time_ns"]))].tobytes()


def test_a_backup_restored_is_the_same_store_and_goes_on(path: Path, tmp_path: Path) -> None:
    made = back_up(path, tmp_path / "backup", silent)
    assert made.schema_version == VERSION
    assert {table.name: table.rows for table in made.tables}["ticks"] == 2 * ROWS
    restored = tmp_path / "other" / "data"
    restored.parent.mkdir()
    assert restore(tmp_path / "backup", restored, silent) == made
    assert content(restored) == content(path) == expected()
    assert restored.stat().st_mode & 0o777 == 0o700
    with open_store(restored) as store:
        assert store.import_records(FIRST, source("0"), iter([])).repeated
        assert store.import_records(SECOND, source("3"), iter([random_records(SECOND, 100)])).rows == 100
        assert store.runs() == [{"run_id": "r1"}]


def test_the_source_of_a_backup_is_left_as_it_was(path: Path, tmp_path: Path) -> None:
    back_up(path, tmp_path / "backup", silent)
    assert not any((path / "shadow").glob("*backup*"))
    assert content(path) == expected()
    assert not (tmp_path / "backup.partial").exists()


def test_a_backup_is_taken_while_another_process_owns_the_store(path: Path, tmp_path: Path) -> None:
    child = python(HOLD, str(path))
    assert line_of(child) == "ready"
    made = back_up(path, tmp_path / "backup", silent)
    assert {table.name: table.rows for table in made.tables}["ticks"] == 2 * ROWS
    assert content(path) == expected(), "the owner serves on"
    kill(child)


def test_a_backup_beside_an_import_holds_what_was_finished_and_its_import_goes_on(path: Path, tmp_path: Path) -> None:
    child = python(UNFINISHED, str(path))
    assert line_of(child) == "1000"
    back_up(path, tmp_path / "backup", silent)
    kill(child)
    restored = tmp_path / "other" / "data"
    restored.parent.mkdir()
    restore(tmp_path / "backup", restored, silent)
    records = random_records(SECOND, 5_000)
    with open_store(restored) as store:
        assert [one.instrument for one in store.catalogue()] == [FIRST.name]
        store.import_records(SECOND, source(), iter([records]))
        assert joined(store.stream([SECOND.id])).tobytes() == records.tobytes()
        assert store.query("SELECT count() FROM ticks") == [(2 * ROWS + 5_000,)]


def test_nothing_is_overwritten(path: Path, whole: Path, tmp_path: Path) -> None:
    (tmp_path / "backup").mkdir()
    with pytest.raises(UsageError, match=r"new folder for the backup.*another name"):
        back_up(path, tmp_path / "backup", silent)
    before = sorted(path.rglob("*"))
    with pytest.raises(UsageError, match=r"give a new --home.*nothing is overwritten"):
        restore(whole, path, silent)
    assert sorted(path.rglob("*")) == before


def test_a_place_without_a_store_is_not_backed_up(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="expected a store at"):
        back_up(tmp_path / "data", tmp_path / "backup", silent)
    assert list(tmp_path.iterdir()) == []


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def remove(file: Path) -> None:
    file.unlink()


def ticks_file(backup: Path) -> Path:
    """A column's, or all columns' in a small part."""
    return next(path for path in sorted((backup / PARTS / "ticks").rglob("*.bin")) if path.name in ("price.bin", "data.bin"))


@pytest.mark.parametrize("damage", [flip, cut, remove])
@pytest.mark.parametrize("where", ["ticks", NAME, SUM_NAME])
def test_a_damaged_backup_is_refused_and_the_target_stays_empty(whole: Path, tmp_path: Path, damage, where: str) -> None:  # type: ignore[no-untyped-def]
    backup = tmp_path / "backup"
    shutil.copytree(whole, backup)
    damage(ticks_file(backup) if where == "ticks" else backup / where)
    with pytest.raises(BadContainer, match=r"expected a whole backup in .*; take another"):
        restore(backup, tmp_path / "data", silent)
    assert not (tmp_path / "data").exists() and not (tmp_path / "data.restoring").exists()


def test_every_flipped_bit_of_any_file_is_seen(whole: Path, tmp_path: Path) -> None:
    backup, chance = tmp_path / "backup", random.Random(1)
    shutil.copytree(whole, backup)
    files = [path for path in sorted(backup.rglob("*")) if path.is_file() and path.stat().st_size]
    for file in chance.sample(files, 25):
        sound = file.read_bytes()
        data = bytearray(sound)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        file.write_bytes(data)
        with pytest.raises(BadContainer):
            check_files(backup, read_manifest(backup), silent)
        file.write_bytes(sound)
    check_files(backup, read_manifest(backup), silent)


def test_a_file_too_many_is_refused(whole: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    shutil.copytree(whole, backup)
    (ticks_file(backup).parent / "more.bin").write_bytes(b"x")
    with pytest.raises(BadContainer, match=r"more\.bin, which does not belong"):
        restore(backup, tmp_path / "data", silent)


def test_rows_that_are_not_the_manifests_are_refused_though_every_file_is_whole(whole: Path, tmp_path: Path) -> None:
    """A manifest that was written anew, with its sum, over other parts."""
    import msgspec

    from tradebot.store.manifest import write_manifest

    backup = tmp_path / "backup"
    shutil.copytree(whole, backup)
    manifest = read_manifest(backup)
    tables = [msgspec.structs.replace(one, checksum="0" * 32) if one.name == "ticks" else one for one in manifest.tables]
    write_manifest(backup, msgspec.structs.replace(manifest, tables=tables))
    with pytest.raises(StoreError, match=r"rows of ticks with the checksum 0+, found"):
        restore(backup, tmp_path / "data", silent)
    assert not (tmp_path / "data").exists()


def test_a_manifest_that_leads_out_of_its_folder_is_refused(whole: Path, tmp_path: Path) -> None:
    import msgspec

    from tradebot.store.manifest import FileCopy, write_manifest

    backup = tmp_path / "backup"
    shutil.copytree(whole, backup)
    manifest = read_manifest(backup)
    write_manifest(backup, msgspec.structs.replace(manifest, files=[*manifest.files, FileCopy("../outside", 1, "0")]))
    with pytest.raises(BadContainer, match="leads out of it"):
        restore(backup, tmp_path / "data", silent)


def test_a_backup_of_a_newer_store_is_refused(whole: Path, tmp_path: Path) -> None:
    import msgspec

    from tradebot.store.manifest import write_manifest

    backup = tmp_path / "backup"
    shutil.copytree(whole, backup)
    write_manifest(backup, msgspec.structs.replace(read_manifest(backup), schema_version=VERSION + 1))
    with pytest.raises(StoreError, match=f"found {VERSION + 1}; update tradebot"):
        restore(backup, tmp_path / "data", silent)


def kill_after(child: "subprocess.Popen[str]", lines: int, chance: random.Random) -> None:
    for _ in range(lines):
        line_of(child)
    with suppress(subprocess.TimeoutExpired):
        child.wait(chance.expovariate(50))
    kill(child)


@pytest.mark.parametrize("seed", range(4))
def test_a_backup_that_is_killed_is_none_and_the_same_command_makes_one(path: Path, tmp_path: Path, seed: int) -> None:
    chance, backup = random.Random(seed), tmp_path / "backup"
    kill_after(python(WORK, "backup", str(path), str(backup)), chance.choice((1, 5, 40, 70)), chance)
    if backup.exists():  # it was done before the kill
        check_files(backup, read_manifest(backup), silent)
        return
    with pytest.raises(BadContainer):
        read_manifest(backup)
    back_up(path, backup, silent)
    check_files(backup, read_manifest(backup), silent)
    assert not (tmp_path / "backup.partial").exists()
    assert content(path) == expected()


@pytest.mark.parametrize("seed", range(4))
def test_a_restore_that_is_killed_leaves_no_store_and_the_same_command_makes_one(whole: Path, tmp_path: Path, seed: int) -> None:
    chance, path = random.Random(seed), tmp_path / "data"
    kill_after(python(WORK, "restore", str(whole), str(path)), chance.choice((1, 30, 120, 150)), chance)
    if not path.exists():
        restore(whole, path, silent)
    assert not (tmp_path / "data.restoring").exists()
    assert content(path) == expected()


def test_two_backups_into_one_folder_do_not_mix(path: Path, tmp_path: Path) -> None:
    from tradebot.store.backup import alone_in

    with alone_in(tmp_path / "backup.partial"):
        with pytest.raises(StoreError, match="under way elsewhere"):
            back_up(path, tmp_path / "backup", silent)
        assert (tmp_path / "backup.partial").exists()


def test_a_backup_onto_a_full_disk_is_named_and_leaves_nothing(tmp_path: Path, small_disk: Path) -> None:
    path = tmp_path / "data"
    with open_store(path) as store:
        store.import_records(FIRST, source(), iter([random_records(FIRST, 600_000)]))
    with pytest.raises(StoreFull, match="expected room on the disk of"):
        back_up(path, small_disk / "backup", silent)
    assert list(small_disk.iterdir()) == []
    assert not any((path / "shadow").glob("*backup*"))


def test_a_restore_onto_a_full_disk_is_named_and_leaves_no_store(tmp_path: Path, small_disk: Path) -> None:
    path = tmp_path / "data"
    with open_store(path) as store:
        store.import_records(FIRST, source(), iter([random_records(FIRST, 600_000)]))
    back_up(path, tmp_path / "backup", silent)
    with pytest.raises(StoreFull, match="expected room on the disk of"):
        restore(tmp_path / "backup", small_disk / "data", silent)
    assert not (small_disk / "data").exists() and not (small_disk / "data.restoring").exists()


@pytest.fixture
def limited() -> Iterator[None]:
    """No file of this process may be longer than 100 kB."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_that_may_not_grow_is_named_as_a_full_disk(path: Path, tmp_path: Path, limited: None) -> None:
    with pytest.raises(StoreFull, match="expected room"):
        back_up(path, tmp_path / "backup", silent)
    assert not (tmp_path / "backup").exists() and not (tmp_path / "backup.partial").exists()


def test_the_version_is_todays_after_a_restore(whole: Path, tmp_path: Path) -> None:
    restore(whole, tmp_path / "data", silent)
    with open_store(tmp_path / "data") as store:
        assert version_of(store._backend) == VERSION
