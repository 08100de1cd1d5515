"""The folders of runs: made for the user alone, found by every name a user may give, written whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from tradebot.domain.errors import StoreFull, UsageError
from tradebot.node import runs

IDENTITY = "0123456789abcdef" * 2


def finished(home: Path, name: str, age_s: int = 0) -> Path:
    folder = home / "results" / name
    folder.mkdir(parents=True)
    runs.write_manifest(folder, {"run_id": name})
    time_ns = (1_700_000_000 - age_s) * 1_000_000_000
    os.utime(folder / runs.MANIFEST, ns=(time_ns, time_ns))
    return folder


def test_a_new_folder_is_named_by_time_and_identity_and_is_the_users_alone(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    folder = runs.make_folder(tmp_path, IDENTITY)
    began, start = folder.name.split("-")
    assert start == IDENTITY[:8] and len(began) == len("20260105T093000Z")
    assert folder.stat().st_mode & 0o777 == 0o700


def test_runs_of_one_second_have_folders_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    assert len({runs.make_folder(tmp_path, IDENTITY) for _ in range(20)}) == 20


def test_a_run_is_found_by_id_start_path_and_last(tmp_path: Path) -> None:
    old = finished(tmp_path, "20260105T093000Z-aaaaaaaa", age_s=5)
    new = finished(tmp_path, "20260104T093000Z-bbbbbbbb")
    assert runs.find_folder(tmp_path, old.name) == runs.find_folder(tmp_path, "20260105") == old
    assert runs.find_folder(tmp_path, str(new)) == new
    assert runs.find_folder(tmp_path, "last") == new, "the one that ended last, whatever its name"


def test_runs_before_the_last_are_counted_back_from_it(tmp_path: Path) -> None:
    folders = [finished(tmp_path, f"2026010{day}T093000Z-aaaaaaaa", age_s=day) for day in (1, 2, 3)]
    assert [runs.find_folder(tmp_path, f"last~{back}") for back in range(3)] == folders
    with pytest.raises(UsageError, match="expected at least 4 runs for 'last~3', found 3: name an earlier one by its id"):
        runs.find_folder(tmp_path, "last~3")
    for name in ("last~", "last~x", "last~-1"):
        with pytest.raises(UsageError, match="found none; the latest runs: "):
            runs.find_folder(tmp_path, name)


def test_a_mistyped_id_names_the_nearest(tmp_path: Path) -> None:
    finished(tmp_path, "20260105T093000Z-aaaaaaaa")
    finished(tmp_path, "20260301T120000Z-bbbbbbbb")
    with pytest.raises(UsageError, match="found none; the nearest: 20260105T093000Z-aaaaaaaa; the latest runs: "):
        runs.find_folder(tmp_path, "20260105T093000-aaaaaaaa")


def test_a_name_that_is_also_the_start_of_another_is_itself(tmp_path: Path) -> None:
    one = finished(tmp_path, "20260105T093000Z-aaaaaaaa")
    finished(tmp_path, "20260105T093000Z-aaaaaaaa-1")
    assert runs.find_folder(tmp_path, one.name) == one
    with pytest.raises(UsageError, match="found 2 that begin so; the latest runs: 20260105T093000Z-aaaaaaaa, "):
        runs.find_folder(tmp_path, "2026")


def test_a_run_that_is_not_there_is_refused_with_a_hint(tmp_path: Path) -> None:
    for name in ("last", "2026"):
        with pytest.raises(UsageError, match="none: start one with `tradebot demo`"):
            runs.find_folder(tmp_path, name)


def test_a_manifest_reads_back_and_leaves_no_second_file(tmp_path: Path) -> None:
    manifest: dict[str, object] = {"run_id": "one", "nested": {"a": [1, None, "ü"]}}
    runs.write_manifest(tmp_path, manifest)
    assert runs.read_manifest(tmp_path) == manifest
    assert [path.name for path in tmp_path.iterdir()] == [runs.MANIFEST]


def test_a_manifest_that_finds_no_room_leaves_the_earlier_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.write_manifest(tmp_path, {"run_id": "one"})

    def fail(path: Path, body: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(StoreFull, match="found the disk full; free some space"):
        runs.write_manifest(tmp_path, {"run_id": "two"})
    assert runs.read_manifest(tmp_path) == {"run_id": "one"}


def test_what_is_no_manifest_is_refused(tmp_path: Path) -> None:
    for text in ("", "[]", "{", "\xff"):
        (tmp_path / runs.MANIFEST).write_text(text)
        with pytest.raises(UsageError, match="expected a run's manifest in "):
            runs.read_manifest(tmp_path)


def test_a_folder_is_removed_with_all_in_it_and_may_be_gone_already(tmp_path: Path) -> None:
    folder = finished(tmp_path, "one")
    (folder / "facts.bin").write_bytes(b"half")
    runs.remove_folder(folder)
    runs.remove_folder(folder)
    assert not folder.exists()
