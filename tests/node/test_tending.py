"""The housekeeping of journals, on real files: what is compressed, what goes, what is told of what is damaged or cannot be done.

Engine, gateway and venue then start on what is left as they do on a whole journal.
"""

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from tests.store.journals import RUN, SECOND, SMALL, files, fill, read
from tests.strategies.support import BTC, plan
from tests.support import stream
from tradebot.domain.frames import Frame
from tradebot.domain.links import CommandsTaken
from tradebot.domain.venue import Capabilities
from tradebot.engine.plan import ACCOUNT, Plan
from tradebot.engine.session import open_session
from tradebot.execution.gateway import Gateway
from tradebot.node import tending
from tradebot.node.node_schema import Node
from tradebot.node.session_files import ENGINE, GATEWAY, VENUE
from tradebot.node.tending import Tending
from tradebot.store import journal_packing
from tradebot.store.journal import Journal
from tradebot.store.journal_snapshots import Snapshots
from tradebot.strategies.strategy import Strategy
from tradebot.testing.simulation import Faults, MemoryJournal, Restless, World
from tradebot.venues.paper import PaperVenue

FRAMES = 98  # over five segments, two facts each, twenty frames in each
LATE = 10_000 * SECOND
PLAN: Plan = plan(1, [BTC], order_latency_ns=5_000_000, answer_latency_ns=0)
NAMES = (ENGINE, GATEWAY, VENUE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        fill(tmp_path / name, FRAMES)
    return tmp_path


def tender(folder: Path, needed: Callable[[], int] = lambda: 0, **node: Any) -> Tending:
    return Tending(folder, RUN, Node(**node), needed)


def keep_snapshot(folder: Path, name: str, sequence: int) -> None:
    Snapshots(folder / name).save(sequence, "a" * 32, b"state")


def kept(folder: Path, name: str) -> list[int]:
    return [int(file[:8]) for file in files(folder / name)]


def test_every_sealed_segment_of_every_journal_is_compressed_and_nothing_goes(folder: Path) -> None:
    one = tender(folder)
    one.tend(LATE)
    for name in NAMES:
        assert [file.endswith(".zst") for file in files(folder / name)] == [True] * 4 + [False]
        assert len(read(folder / name)) == FRAMES
        figures = one.status()["journals"][name]
        assert figures["plain_bytes"] == SMALL and 0 < figures["packed_bytes"] < SMALL
        assert (figures["segments"], figures["pruned"], figures["from_fact"], figures["from_time"]) == (5, 0, 0, None)
    assert one.status()["damaged"] == one.status()["undone"] == []


def test_without_compress_the_files_stay_as_they_are(folder: Path) -> None:
    tender(folder, compress=False).tend(LATE)
    assert not list(folder.rglob("*.zst"))


def test_what_is_old_goes_but_never_what_a_start_or_the_recorder_needs(folder: Path) -> None:
    written = 0
    one = tender(folder, lambda: written, keep="1h")
    one.tend(LATE)
    assert [len(kept(folder, name)) for name in NAMES] == [5, 5, 5], "no snapshot: a start needs all"
    for name in NAMES:
        keep_snapshot(folder, name, 100)
    one.tend(3_600 * SECOND)
    assert [len(kept(folder, name)) for name in NAMES] == [5, 5, 5], "not old enough"
    one.tend(LATE)
    assert (kept(folder, ENGINE)[0], kept(folder, GATEWAY)[0], kept(folder, VENUE)[0]) == (1, 3, 3), "the recorder needs all"
    written = 45
    one.tend(LATE)
    assert kept(folder, ENGINE)[0] == 2
    written = 1_000
    one.tend(LATE)
    assert kept(folder, ENGINE) == [3, 4, 5], "the oldest snapshot is in the third"
    figures = one.status()["journals"][ENGINE]
    assert (figures["pruned"], figures["from_fact"]) == (2, 80) and figures["from_time"].startswith("1970-01-01T00:00:40")


def test_a_compressed_segment_is_looked_at_again_and_told_once_until_it_is_brought_back(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = tender(folder)
    for _ in range(6):
        one.tend(LATE)
    path = folder / ENGINE / "00000002.tbj.zst"
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    path.write_bytes(flipped)
    for _ in range(6):
        one.tend(LATE)
    assert one.status()["damaged"] == [], "its turn comes once in a round"
    one.looked = {path: at - tending.ROUND_S for path, at in one.looked.items()}
    for _ in range(12):
        one.tend(LATE)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and path.name in said[0] and one.status()["damaged"] == [said[0].removeprefix("store: ")]
    path.unlink()
    path.write_bytes(whole)
    one.tend(LATE)
    assert one.status()["damaged"] == []


def test_each_start_looks_at_every_compressed_segment_one_at_a_time(folder: Path) -> None:
    tender(folder).tend(LATE)
    one = tender(folder)
    for number in range(1, 7):
        one.tend(LATE)
        assert len(one.looked) == min(number, 4) * len(NAMES)


def test_a_damaged_segment_stays_and_is_told_once_until_it_is_brought_back(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / GATEWAY / "00000002.tbj"
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[1_000] ^= 1
    path.write_bytes(flipped)
    one = tender(folder)
    for _ in range(3):
        one.tend(LATE)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and said[0].startswith(f"store: expected a whole journal, found {path} at byte ")
    assert one.status()["damaged"] == [said[0].removeprefix("store: ")] and "journal verify" in said[0] and "copy" in said[0]
    assert path.read_bytes() == flipped and files(folder / GATEWAY)[2].endswith(".zst"), "the others are compressed"
    path.unlink()
    path.write_bytes(whole)
    one.tend(LATE)
    assert one.status()["damaged"] == [] and files(folder / GATEWAY)[1] == "00000002.tbj.zst"
    assert len(read(folder / GATEWAY)) == FRAMES


def test_a_full_disk_is_told_once_and_tried_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def is_full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    one = tender(folder)
    with monkeypatch.context() as patch:
        patch.setattr(journal_packing.os, "fsync", is_full)
        one.tend(LATE)
        one.tend(LATE)
    assert not list(folder.rglob("*.zst*"))
    said = capsys.readouterr().err.splitlines()
    assert len(said) == len(NAMES) == len(one.status()["undone"]) and all("free some space" in line for line in said)
    one.tend(LATE)
    assert one.status()["undone"] == [] and len(list(folder.rglob("*.zst"))) == 4 * len(NAMES)


def test_its_thread_goes_on_by_itself_and_ends_when_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tending, "LOOK_S", 0.01)
    one = tender(folder)
    nice: list[int] = []
    monkeypatch.setattr(one, "needed", lambda: 0)
    lower = tending.lower_priority
    monkeypatch.setattr(tending, "lower_priority", lambda: (lower(), nice.append(os.getpriority(os.PRIO_PROCESS, 0)))[0])
    thread = Thread(target=one.run)
    thread.start()
    wait_until(lambda: len(list(folder.rglob("*.zst"))) == 4 * len(NAMES))
    one.ended.set()
    thread.join(10)
    assert not thread.is_alive()
    assert nice == [tending.NICE] and os.getpriority(os.PRIO_PROCESS, 0) < tending.NICE, "that thread alone"


def wait_until(is_so: Callable[[], bool]) -> None:
    until_s = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < until_s, "it should have come to it"
        Event().wait(0.01)


def strategies() -> list[Strategy]:
    return [Restless({"seed": 7, "eager": 0.9})]


@pytest.fixture(scope="module")
def world() -> World:
    world = World(3, PLAN, stream(1, 700), strategies, Faults(crash=0.005, snapshot=0.2))
    world.finish()
    return world


def half(world: World, name: str) -> int:
    frames = list(world.journals[name].frames())
    return frames[len(frames) * 2 // 3].base_sequence


def snapshot_of(world: World, name: str, sequence: int) -> tuple[int, str, bytes]:
    """What the part keeps that took in the facts up to `sequence`."""
    memory = MemoryJournal(lambda what: None)
    for frame in world.journals[name].frames():
        if frame.end_sequence <= sequence:
            memory.append(frame)
    if name == ENGINE:
        return next(tuple(one) for one in reversed(world.journals[ENGINE].snapshots) if one.sequence <= sequence)
    if name == GATEWAY:
        gateway = Gateway(memory, Capabilities(), ACCOUNT)
        for entry in gateway.log.read():
            gateway._take_entry(entry)
        gateway.save()
    else:
        venue = PaperVenue(PLAN, memory, Capabilities())
        venue.open(0)
        venue.taken, venue.starts = venue.taken - 1, venue.starts - 1  # the start here is not in the journal
        venue.save()
    return tuple(memory.snapshots[-1])  # type: ignore[return-value]


def lay(folder: Path, frames: list[Frame], snapshot: tuple[int, str, bytes] | None) -> None:
    with Journal.create_or_open(folder, RUN, segment_bytes=SMALL) as journal:
        for frame in frames:
            journal.append(frame)
        if snapshot is not None:
            journal.save_snapshot(*snapshot)


def start(folder: Path, name: str, code: str) -> bytes:
    """The state of a part that starts on what is in the folder."""
    with Journal.create_or_open(folder, RUN, segment_bytes=SMALL) as journal:
        now_ns = journal.time_ns + SECOND
        if name == ENGINE:
            session, _ = open_session(PLAN, strategies(), journal, code, 99, now_ns)
            session.on_commands_taken(CommandsTaken(1, ACCOUNT, session.commands))  # which no journal of the engine says
            session.save()
        elif name == GATEWAY:
            gateway = Gateway(journal, Capabilities(), ACCOUNT)
            gateway.open(now_ns)
            gateway.save()
        else:
            venue = PaperVenue(PLAN, journal, Capabilities())
            venue.open(now_ns)
            venue.save()
        found = journal.newest_snapshot()
        assert found is not None
        return found.data


@pytest.mark.parametrize(("name", "code"), [(ENGINE, "same"), (ENGINE, "edited"), (GATEWAY, ""), (VENUE, "")])
def test_a_part_starts_on_a_pruned_journal_as_on_a_whole_one(tmp_path: Path, world: World, name: str, code: str) -> None:
    """Edited strategies begin on books that are folded from the snapshot."""
    frames = list(world.journals[name].frames())
    snapshot = snapshot_of(world, name, half(world, name))
    code = "code" if code == "same" else code
    lay(tmp_path / "whole" / name, frames, None)
    lay(tmp_path / "pruned" / name, frames, snapshot)
    one = Tending(tmp_path / "pruned", RUN, Node(keep="1h"), lambda: 1 << 60)
    one.tend(frames[-1].time_ns + 7_200 * SECOND)
    first = kept(tmp_path / "pruned", name)[0]
    assert first > 1 and one.status()["undone"] == []
    assert start(tmp_path / "pruned" / name, name, code) == start(tmp_path / "whole" / name, name, code)
