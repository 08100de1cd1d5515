"""What `status` says of each part: from the root's file, the log, and the store's own desk."""

from pathlib import Path
from typing import Any

import pytest

from tradebot.domain.errors import NotRunning
from tradebot.node import health, running
from tradebot.node.health import STARTED, last_errors, part_health, read_parts, write_parts
from tradebot.node.session_files import STORE, write_whole


def part(starts: int, last_exit: str | None = None) -> dict[str, Any]:
    return {"pid": None, "state": "running", "starts": starts, "last_exit": last_exit}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "journal" / "run"
    folder.mkdir(parents=True)
    (tmp_path / "logs").mkdir()
    write_whole(tmp_path / "journal" / "current", b"run\n")
    return folder


def answers(monkeypatch: pytest.MonkeyPatch, told: dict[str, Any] | None) -> None:
    def ask(home: Path, name: str, verb: str) -> dict[str, Any]:
        if told is None:
            raise NotRunning("nobody")
        return told

    monkeypatch.setattr(running, "ask_node", ask)


def test_a_reader_is_behind_by_what_it_has_not_taken(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_parts(folder, {STORE: part(3, "killed"), "feed": part(1)})
    answers(monkeypatch, {"facts": 90, "is_written": True, "why_not": None})
    found = part_health(tmp_path, 100)
    assert found[STORE] == part(3, "killed") | {"behind": 10, "error": None, "mailbox": None, "is_written": True}
    assert found["feed"] == part(1) | {"behind": None, "error": None, "mailbox": None}, "nobody is at its desk"


def test_a_store_that_is_down_says_why_and_one_that_is_silent_is_not_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_parts(folder, {STORE: part(1)})
    (tmp_path / "logs" / "run.log").write_text("store: earlier\n")
    answers(monkeypatch, {"facts": 0, "is_written": False, "why_not": "the disk is full"})
    told = {"behind": 7, "error": "the disk is full", "mailbox": None, "is_written": False}
    assert part_health(tmp_path, 7)[STORE] == part(1) | told
    answers(monkeypatch, None)
    found = part_health(tmp_path, 7)[STORE]
    assert (found["behind"], found["error"], found["is_written"]) == (None, "store: earlier", False)


def test_the_last_line_of_each_part_is_its_error(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    log.write_text("engine: one\nengine of another\nstore: two\nengine: three\nTraceback\n")
    assert last_errors(log, ["engine", "store", "feed"]) == {"engine": "engine: three", "store": "store: two", "feed": None}
    log.write_text(f"engine: one\n{STARTED}store: two\n")
    assert last_errors(log, ["engine", "store"]) == {"engine": None, "store": "store: two"}, "an earlier start's is past"
    assert last_errors(tmp_path / "none", ["engine"]) == {"engine": None}


def test_a_root_goes_on_when_its_file_cannot_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_parts(folder, {STORE: part(1)})

    def full(path: Path, body: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(health, "write_whole", full)
    write_parts(folder, {STORE: part(2)})
    assert read_parts(folder)[STORE]["starts"] == 1
