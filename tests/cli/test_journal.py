"""`journal inspect / verify / export` as people and scripts call them."""

import json
from pathlib import Path
from typing import Any

import pytest
from command import failure, run

from tests.store.journals import fill
from tradebot.store.journal_snapshots import Snapshots

KEYS = {"segments", "frames", "facts", "commands", "torn", "corrupt"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with the journals of two runs."""
    for name in ("20260101-abc", "20260102-def"):
        fill(tmp_path / "tradebot_home" / "journal" / name / "engine", 50, run_id=name)
    return tmp_path


def answer(folder: Path, *arguments: str) -> dict[str, Any]:
    done = run(folder, "journal", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_a_journal_is_named_by_run_by_its_start_and_by_folder(home: Path) -> None:
    folder = home / "tradebot_home" / "journal" / "20260101-abc" / "engine"
    for name in ("20260101-abc", "20260101", str(folder), str(folder.parent)):
        found = answer(home, "inspect", name)
        assert found.keys() >= KEYS and found["journal"] == str(folder)
        assert found["run_id"] == "20260101-abc"
        assert [found[key] for key in ("segments", "frames", "facts", "torn", "corrupt")] == [3, 50, 100, 0, 0]


def test_people_are_shown_tables(home: Path) -> None:
    done = run(home, "journal", "inspect", "20260101")
    assert done.returncode == 0 and "00000002.tbj" in done.stdout and "40-80" in done.stdout
    done = run(home, "journal", "verify", "last")
    assert done.returncode == 0 and "corrupt" in done.stdout


def test_damage_fails_verify_and_export_and_is_named(home: Path) -> None:
    path = home / "tradebot_home" / "journal" / "20260102-def" / "engine" / "00000001.tbj"
    data = bytearray(path.read_bytes())
    data[1_000] ^= 1
    path.write_bytes(data)
    done = run(home, "journal", "verify", "20260102", "--json")
    assert done.returncode == 1 and json.loads(done.stdout)["corrupt"] == 1
    assert "00000001.tbj at byte 960: its checksum differs\n" in done.stderr
    assert "found it damaged in 1 places" in done.stderr
    assert "00000001.tbj at byte 960" in failure(home, 1, "journal", "export", "20260102", "--to", "facts.parquet")
    assert answer(home, "inspect", "20260102")["frames"] == 49


def test_a_torn_tail_passes_and_is_said(home: Path) -> None:
    path = home / "tradebot_home" / "journal" / "20260102-def" / "engine" / "00000003.tbj"
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"TBJ1") + 90].ljust(len(data), b"\0"))
    done = run(home, "journal", "verify", "20260102", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["torn"] == 1 and "00000003.tbj at byte" in done.stderr


def test_export_writes_every_fact(home: Path) -> None:
    found = answer(home, "export", "20260101", "--to", "facts.parquet")
    assert found.keys() >= KEYS and found["rows"] == found["facts"] == 100
    assert (home / "facts.parquet").is_file()


def test_a_run_without_a_journal_is_one_line(home: Path) -> None:
    assert "the latest in" in failure(home, 2, "journal", "inspect", "2027")
    assert "20260101-abc, 20260102-def" in failure(home, 2, "journal", "inspect", "2026")


def test_verify_reads_all_journals_of_a_run_and_their_snapshots(home: Path) -> None:
    """A start refuses a gateway or a venue whose journal is damaged, too."""
    run_folder = home / "tradebot_home" / "journal" / "20260102-def"
    for part in ("gateway", "venue"):
        frames = fill(run_folder / part, 20, run_id="20260102-def")
        Snapshots(run_folder / part).save(10, frames[4].digest, b"state")
    found = answer(home, "verify", "last")
    assert {name: one["frames"] for name, one in found["others"].items()} == {"gateway": 20, "venue": 20}
    assert "also read" in run(home, "journal", "verify", "last").stdout
    for path, at in ((run_folder / "venue" / "00000001.tbj", 1_000), (next((run_folder / "gateway").glob("snapshots/*")), 70)):
        data = bytearray(path.read_bytes())
        data[at] ^= 1
        path.write_bytes(data)
    done = run(home, "journal", "verify", "last", "--json")
    assert done.returncode == 1 and json.loads(done.stdout)["corrupt"] == 1
    assert "venue/00000001.tbj at byte 960: its checksum differs\n" in done.stderr
    assert "a start passes over " in done.stderr and ".tbs" in done.stderr
    assert run(home, "journal", "verify", str(run_folder / "engine"), "--json").returncode == 0
    assert run(home, "journal", "verify", str(run_folder / "venue"), "--json").returncode == 1
