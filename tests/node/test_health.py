"""What `status` says of each part: from the root's file, the log, its own desk, and whether its process is there."""

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.node.nodes import Place
from tradebot.actors.watching import ROOT
from tradebot.cli.main import main
from tradebot.cli.standing import _troubles
from tradebot.domain.errors import EXIT_FAILED
from tradebot.node import health
from tradebot.node.health import (
    ANSWER_S,
    STARTED,
    Heard,
    is_alive,
    last_errors,
    part_health,
    read_parts,
    seen_parts,
    seen_peers,
    write_parts,
)
from tradebot.node.preparing import make_ipc
from tradebot.node.root_lock import only_root
from tradebot.node.session_files import FEED, STORE, write_whole


def part(starts: int, last_exit: str | None = None) -> dict[str, Any]:
    return {"pid": None, "state": "running", "starts": starts, "last_exit": last_exit}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "journal" / "run"
    folder.mkdir(parents=True)
    (tmp_path / "logs").mkdir()
    write_whole(tmp_path / "journal" / "current", b"run\n")
    make_ipc(folder)
    return folder


def answers(monkeypatch: pytest.MonkeyPatch, told: dict[str, dict[str, Any]]) -> None:
    """By part what it says at its desk; the others do not answer."""

    def ask_all(folder: Path, names: Iterable[str], body: bytes, timeout_s: float) -> dict[str, bytes | None]:
        said = {f"{name}.desk": msgspec.json.encode(one) for name, one in told.items()}
        return {name: said.get(name) for name in names}

    monkeypatch.setattr(health, "ask_all", ask_all)


def test_a_reader_is_behind_by_what_it_has_not_taken(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_parts(folder, {STORE: part(3, "killed"), "feed": part(1)})
    answers(monkeypatch, {STORE: {"facts": 90, "is_written": True, "why_not": None}})
    found = part_health(Heard(tmp_path), 100)
    assert found[STORE] == part(3, "killed") | {"behind": 10, "error": None, "mailbox": None, "is_written": True}
    assert found["feed"] == part(1) | {"state": "dead", "behind": None, "error": None, "mailbox": None}, "nobody is at its desk"


def test_a_store_that_is_down_says_why_and_one_that_is_silent_is_not_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_parts(folder, {STORE: part(1)})
    (tmp_path / "logs" / "run.log").write_text("store: earlier\n")
    answers(monkeypatch, {STORE: {"facts": 0, "is_written": False, "why_not": "the disk is full"}})
    told = {"behind": 7, "error": "the disk is full", "mailbox": None, "is_written": False}
    assert part_health(Heard(tmp_path), 7)[STORE] == part(1) | told
    answers(monkeypatch, {})
    found = part_health(Heard(tmp_path), 7)[STORE]
    assert (found["behind"], found["error"], found["is_written"]) == (None, "store: earlier", False)


def test_who_is_gone_is_dead_and_who_lives_without_an_answer_is_silent(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the root last wrote of it; what is not up yet has nothing to answer with."""
    with subprocess.Popen(["true"]) as gone:  # a zombie while nobody asks for its end, as that of a root that hangs
        os.waitid(os.P_PID, gone.pid, os.WEXITED | os.WNOWAIT)
        mine = {**part(1), "pid": os.getpid()}
        inner = {"engine": part(1), "venue": part(1)}
        parts = {"feed": mine, "gateway": {**part(1), "pid": gone.pid}, STORE: {**mine, "state": "starting"}}
        write_parts(folder, {**parts, "trading": {**mine, "parts": inner}})
        answers(monkeypatch, {"engine": {"facts": 1}})
        with only_root(tmp_path):
            heard = Heard(tmp_path)
            found, root = seen_parts(heard), heard.root()
    assert {name: one["state"] for name, one in found.items()} == {
        "feed": "silent", "gateway": "dead", STORE: "starting", "trading": "running",
    }  # fmt: skip
    assert {name: one["state"] for name, one in found["trading"]["parts"].items()} == {"engine": "running", "venue": "silent"}
    assert root == {"pid": os.getpid(), "state": "silent", "mailbox": None}
    told = seen_peers({"gateway": "there", "venue": "there", "feed": "silent since 2026"}, found)
    assert told["gateway"].startswith("dead") and told["venue"].startswith("silent") and told["feed"] == "silent since 2026"


def test_without_a_root_a_number_of_a_process_says_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_parts(folder, {"feed": {**part(1), "pid": os.getpid()}})
    answers(monkeypatch, {})
    heard = Heard(tmp_path)
    assert heard.root()["state"] == "dead" and seen_parts(heard)["feed"]["state"] == "dead"


def test_a_root_that_hangs_is_said_first_and_who_died_under_it_is_dead(place: Place) -> None:
    place.start()
    place.wait_orders(2)
    assert place.ask("status")["root"]["state"] == "running"
    root, gateway = place.node.pids(ROOT)[0], place.node.pids("gateway")[0]
    place.node.signal(ROOT, signal.SIGSTOP)
    place.node.signal("gateway", signal.SIGKILL)
    try:
        place.wait(lambda: not is_alive(gateway))
        place.capsys.readouterr()
        assert main(["--home", str(place.node.home), "status"]) == EXIT_FAILED
        said = place.capsys.readouterr().out
        first = said.splitlines()[0]
        assert first.startswith("THE ROOT DOES NOT ANSWER") and f"kill -9 {root}" in first
        assert f"gateway {gateway} dead" in " ".join(said.split())
        assert "gateway is dead: its process is gone" in said
    finally:
        place.node.signal(ROOT, signal.SIGCONT)


def test_parts_that_hang_are_asked_at_once_and_shown_as_silent(place: Place) -> None:
    place.start()
    place.wait_orders(2)
    names = [name for name in place.node.shape.processes if name != "engine"]
    for name in names:
        place.node.signal(name, signal.SIGSTOP)
    try:
        began_s = time.monotonic()
        found = place.ask("status")
        took_s = time.monotonic() - began_s
    finally:
        for name in names:
            place.node.signal(name, signal.SIGCONT)
    assert {name: one["state"] for name, one in found["parts"].items()} == {"engine": "running"} | dict.fromkeys(names, "silent")
    assert took_s < ANSWER_S + 1.5, "one deadline for all"


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


def test_a_market_that_tells_nothing_is_said(place: Place) -> None:
    """The feed holds still and says, by pulses, that it lives; the page says how long ago the last fact was."""
    place.start()
    place.node.ask(FEED, "hold")
    place.wait(lambda: place.ask("status")["market_age_s"] > 1)
    told = place.ask("status")
    assert "no market fact for 31 s" in "\n".join(_troubles({**told, "market_age_s": 31.4}))
    assert "no market fact" not in "\n".join(_troubles({**told, "market_age_s": 3.0}))
