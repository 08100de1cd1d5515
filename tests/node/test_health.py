"""What `status` says of each part: from the keeper's file, the log, and the store's own desk."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tradebot.actors.keeper import Keeper, Kept, Spec
from tradebot.domain.errors import NotRunning
from tradebot.node import health, running
from tradebot.node.health import last_errors, part_health, read_kept, write_kept
from tradebot.node.session_files import STORE, write_whole

SPEC = Spec(name=STORE, command=list)


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
    write_kept(folder, [Kept(SPEC, starts=3, exit=-9), Kept(Spec(name="feed", command=list), starts=1)])
    answers(monkeypatch, {"facts": 90, "is_written": True, "why_not": None})
    found = part_health(tmp_path, 100)
    assert found[STORE] == {"pid": None, "starts": 3, "last_exit": -9, "behind": 10, "error": None, "is_written": True}
    assert found["feed"] == {"pid": None, "starts": 1, "last_exit": None, "behind": None, "error": None}


def test_a_store_that_is_down_says_why_and_one_that_is_silent_is_not_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_kept(folder, [Kept(SPEC, starts=1)])
    (tmp_path / "logs" / "run.log").write_text("store: earlier\n")
    answers(monkeypatch, {"facts": 0, "is_written": False, "why_not": "the disk is full"})
    assert part_health(tmp_path, 7)[STORE] | {"pid": 0} == {
        "pid": 0, "starts": 1, "last_exit": None, "behind": 7, "error": "the disk is full", "is_written": False,
    }  # fmt: skip
    answers(monkeypatch, None)
    found = part_health(tmp_path, 7)[STORE]
    assert (found["behind"], found["error"], found["is_written"]) == (None, "store: earlier", False)


def test_the_last_line_of_each_part_is_its_error(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    log.write_text("engine: one\nengine of another\nstore: two\nengine: three\nTraceback\n")
    assert last_errors(log, ["engine", "store", "feed"]) == {"engine": "engine: three", "store": "store: two", "feed": None}
    assert last_errors(tmp_path / "none", ["engine"]) == {"engine": None}


def test_a_keeper_goes_on_when_its_file_cannot_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_kept(folder, [Kept(SPEC, starts=1)])

    def full(path: Path, body: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(health, "write_whole", full)
    write_kept(folder, [Kept(SPEC, starts=2)])
    assert read_kept(folder)[STORE]["starts"] == 1


def test_a_keeper_tells_of_each_start_and_each_death(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []

    async def keep() -> None:
        twice = asyncio.Event()

        def changed() -> None:
            (kept,) = keeper.kept.values()
            seen.append((kept.starts, kept.exit))
            if kept.starts == 2:
                twice.set()

        spec = Spec(name="short", command=lambda: ["-c", "import sys; sys.exit(3)"])
        with (tmp_path / "log").open("ab") as log:
            keeper = Keeper([spec], log, lambda name, code: None, changed=changed)
            await keeper.start()
            await asyncio.wait_for(twice.wait(), 30)
            await keeper.end()

    asyncio.run(keep())
    assert seen[:3] == [(1, None), (1, 3), (2, 3)]
