"""Sealed segments: compressed they read the same; what is old goes only when no snapshot needs it; no crash loses any."""

import errno
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.store.journals import RUN, SECOND, SMALL, files, fill, frame, overwrite, read
from tradebot.domain.errors import LocalError
from tradebot.store import journal_packing, journal_segments
from tradebot.store.journal import Journal
from tradebot.store.journal_lock import only_packer
from tradebot.store.journal_reader import JournalReader
from tradebot.store.journal_retention import pack_segments, prune_segments
from tradebot.store.journal_segments import list_segments, walk

PACKING = "00000001.tbj.zst.packing"
PACKING_FOR_EVER = """
import sys
from pathlib import Path
from tradebot.store.journal_retention import pack_segments
while True:
    pack_segments(Path(sys.argv[1]), "run-1")
"""
FRAMES = 98  # over five segments, with room in the last


def open_it(folder: Path) -> Journal:
    return Journal.create_or_open(folder, RUN, segment_bytes=SMALL)


def test_compressed_segments_read_the_same_and_take_less(tmp_path: Path) -> None:
    frames = fill(tmp_path, FRAMES)
    with open_it(tmp_path) as journal:
        assert journal.compress(segments_max=2) == [1, 2]
        assert list(journal.frames()) == frames
        assert journal.compress() == [3, 4] and journal.compress() == []
        assert list(journal.frames()) == frames
        assert list(journal.frames(after_sequence=100)) == frames[50:]
        journal.append(frame(FRAMES))
    assert read(tmp_path) == [*frames, frame(FRAMES)]
    assert [name.endswith(".zst") for name in files(tmp_path)] == [True] * 4 + [False]
    assert all(path.stat().st_size < SMALL // 4 for path in tmp_path.glob("*.zst"))


@pytest.mark.parametrize("step", ["pack", "rename", "unlink"])
def test_a_crash_at_any_step_of_compression_leaves_all_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    frames = fill(tmp_path, FRAMES)
    with open_it(tmp_path) as journal, monkeypatch.context() as patch:
        if step == "pack":
            patch.setattr(journal_packing, "_prove", killed)  # the new file is there, and is not yet proved
        else:
            patch.setattr(Path, step, killed)
        with pytest.raises(Killed):
            journal.compress()
    left = {path.name for path in tmp_path.iterdir()}
    assert "00000001.tbj" in left
    assert ("00000001.tbj.zst" in left) == (step == "unlink") and (PACKING in left) == (step != "unlink")
    assert read(tmp_path) == frames == JournalReader(tmp_path).poll()
    assert files(tmp_path)[0] == ("00000001.tbj.zst" if step == "unlink" else "00000001.tbj")
    with open_it(tmp_path) as journal:
        journal.compress()
        assert list(journal.frames()) == frames
    assert {path.name for path in tmp_path.iterdir()} == {*files(tmp_path), "writer.lock", "packer.lock"}


@pytest.mark.parametrize("step", ["before the proof", "before its name", "before the plain one goes"])
def test_a_writer_that_starts_while_another_compresses_harms_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """It clears its own leftovers and goes on, rolling into new segments; the packer goes on then."""
    frames = fill(tmp_path, FRAMES)
    where = {"before the proof": (journal_packing, "_prove"), "before its name": (Path, "rename"), "before the plain one goes": (
        Path, "unlink")}  # fmt: skip
    real = getattr(*where[step])
    starts: list[int] = []

    def start(*words: Any, **more: Any) -> Any:
        monkeypatch.setattr(*where[step], real)
        with open_it(tmp_path) as journal:
            starts.append(journal.last.sequence)
            assert list(journal.frames()) == frames
            for number in range(len(frames), len(frames) + 45):
                frames.append(frame(number))
                journal.append(frames[-1])
        return real(*words, **more)

    monkeypatch.setattr(*where[step], start)
    assert pack_segments(tmp_path, RUN) == [1, 2, 3, 4] and starts == [2 * FRAMES]
    assert read(tmp_path) == frames == JournalReader(tmp_path).poll()
    assert files(tmp_path)[:4] == [f"0000000{number}.tbj.zst" for number in range(1, 5)]


def test_writer_and_packer_killed_at_any_moment_lose_nothing(tmp_path: Path) -> None:
    """Two processes, each killed often and started again; every frame that the writer said is there."""
    chance, told = random.Random(5), -1
    packing = [sys.executable, "-c", PACKING_FOR_EVER, tmp_path]
    packer = subprocess.Popen(packing)
    for _ in range(12):
        command = [sys.executable, "-m", "tests.store.journals", str(tmp_path), "mmap"]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        for _ in range(chance.randint(30, 400)):
            told = int(writer.stdout.readline())
        if chance.random() < 0.6:
            packer.kill()
            packer.wait()
        writer.kill()
        told = max([told, *(int(line) for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n"))])
        writer.wait()
        writer.stdout.close()
        if packer.poll() is not None:
            packer = subprocess.Popen(packing)
    packer.kill()
    packer.wait()
    found = read(tmp_path)
    assert found == [frame(number) for number in range(len(found))] and len(found) > told > 500
    assert sum(name.endswith(".zst") for name in files(tmp_path)) > 5


def test_the_compressed_one_counts_where_a_power_cut_took_from_its_plain_twin(tmp_path: Path) -> None:
    """And took the beginning of the segment behind it, so that the twin is the last that has a frame."""
    frames = fill(tmp_path, 25)
    plain = (tmp_path / "00000001.tbj").read_bytes()
    assert pack_segments(tmp_path, RUN) == [1]
    overwrite(tmp_path / "00000002.tbj", bytes(SMALL))
    (tmp_path / "00000001.tbj").write_bytes(plain[: SMALL // 2] + bytes(SMALL // 2))
    held = frames[:20]
    with open_it(tmp_path) as journal:
        assert list(journal.frames()) == held
        journal.append(frame(20))
        assert journal.segment == 2
    assert read(tmp_path) == [*held, frame(20)] == JournalReader(tmp_path).poll()


def test_a_segment_whose_next_has_no_whole_head_is_not_sealed(tmp_path: Path) -> None:
    """A start takes that one back and goes on in the one before."""
    fill(tmp_path, 25)
    overwrite(tmp_path / "00000002.tbj", bytes(SMALL))
    with pytest.raises(LocalError, match=r"00000002.tbj at byte 0"):
        pack_segments(tmp_path, RUN)
    assert files(tmp_path) == ["00000001.tbj", "00000002.tbj"]


def test_what_ends_before_the_next_begins_is_not_compressed(tmp_path: Path) -> None:
    """Its last frame is zeros: the checksums are right, and the seam is not."""
    frames = fill(tmp_path, 25)
    path = tmp_path / "00000001.tbj"
    data = bytearray(path.read_bytes())
    at = [offset for offset, _ in walk(bytes(data))][-1]
    data[at : at + frames[0].size] = bytes(frames[0].size)
    path.write_bytes(data)
    with pytest.raises(LocalError, match=r"00000002.tbj at byte 0: expected segment 2 to go on from"):
        pack_segments(tmp_path, RUN)


def test_only_one_compresses_or_removes_at_a_time(tmp_path: Path) -> None:
    fill(tmp_path, FRAMES)
    with only_packer(tmp_path) as is_ours:
        assert is_ours and pack_segments(tmp_path, RUN) == [] and prune_segments(tmp_path, 1 << 60, 1 << 60) == []
    assert pack_segments(tmp_path, RUN) == [1, 2, 3, 4] and prune_segments(tmp_path, 1 << 60, 1 << 60) == [1, 2, 3, 4]


def test_a_listing_that_missed_a_segment_is_taken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, FRAMES)
    whole = list_segments(tmp_path)
    answers = [[*whole[:2], *whole[3:]], whole]
    monkeypatch.setattr(journal_segments, "_list_once", lambda _: answers.pop(0))
    assert list_segments(tmp_path) == whole and answers == []


def test_nothing_is_removed_while_no_snapshot_is_whole(tmp_path: Path) -> None:
    fill(tmp_path, FRAMES)
    with open_it(tmp_path) as journal:
        journal.save_snapshot(165, "a" * 32, b"one")
        path = next((tmp_path / "snapshots").iterdir())
        path.write_bytes(path.read_bytes()[:-9])
        assert journal.prune(0, 1 << 60) == []
        journal.save_snapshot(170, "a" * 32, b"two")
        assert journal.prune(0, 1 << 60) == [1, 2, 3, 4], "a start passes over the older, whose facts are there all the same"


def test_where_the_newest_are_damaged_an_older_one_holds_its_journal(tmp_path: Path) -> None:
    fill(tmp_path, FRAMES)
    with open_it(tmp_path) as journal:
        for sequence in (30, 165, 166, 167):
            journal.save_snapshot(sequence, "a" * 32, b"one")
        for path in sorted((tmp_path / "snapshots").iterdir())[1:]:
            path.write_bytes(path.read_bytes()[:-9])
        assert journal.prune(0, 1 << 60) == []
        journal.save_snapshot(170, "a" * 32, b"whole")
        assert journal.prune(0, 1 << 60) == [1, 2, 3, 4]


def test_a_full_disk_leaves_the_segment_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def is_full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    frames = fill(tmp_path, FRAMES)
    with open_it(tmp_path) as journal:
        with monkeypatch.context() as patch:
            patch.setattr(journal_packing.os, "fsync", is_full)
            with pytest.raises(LocalError, match="No space left on device; it stays as it is"):
                journal.compress()
        assert list(journal.frames()) == frames and not list(tmp_path.glob("*.zst*"))


def test_a_damaged_segment_is_not_compressed_and_a_damaged_compressed_one_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, FRAMES)
    path = tmp_path / "00000002.tbj"
    whole = bytearray(path.read_bytes())
    whole[1_000] ^= 1
    path.write_bytes(whole)
    with open_it(tmp_path) as journal:
        with pytest.raises(LocalError, match=r"00000002.tbj at byte \d+: its checksum differs"):
            journal.compress()
        assert path.read_bytes() == whole and files(tmp_path)[0] == "00000001.tbj.zst"
        packed = tmp_path / "00000001.tbj.zst"
        broken = bytearray(packed.read_bytes())
        for at in range(0, len(broken), 7):
            broken[at] ^= 16
            overwrite(packed, broken)
            with pytest.raises(LocalError, match=r"00000001.tbj(.zst, found| at byte)"):
                list(journal.frames())
            broken[at] ^= 16


def test_what_is_old_goes_when_no_snapshot_needs_it(tmp_path: Path) -> None:
    frames = fill(tmp_path, FRAMES)
    ends = [2 * 20 * number for number in range(1, 5)]  # facts at the end of each sealed segment
    now = 1_000 * SECOND
    with open_it(tmp_path) as journal:
        assert journal.prune(0, now) == [], "without a snapshot all is needed"
        journal.save_snapshot(ends[1] + 10, "a" * 32, b"")
        assert journal.prune(now - 40 * SECOND, now) == [1], "the second ends in that second itself"
        assert journal.prune(0, now) == [2], "the snapshot lies in the third"
        journal.compress()
        for sequence in (ends[2], ends[2] + 1, ends[2] + 2):
            journal.save_snapshot(sequence, "a" * 32, b"")
        assert journal.prune(0, now) == [], "the third may end with what has no fact and comes after the snapshot"
        for sequence in (ends[3] - 1, ends[3], ends[3] + 1):
            journal.save_snapshot(sequence, "a" * 32, b"")
        assert journal.prune(0, now) == [3]
        assert [one.base_sequence for one in journal.frames(ends[2])] == [one.base_sequence for one in frames[60:]]
        with pytest.raises(LocalError, match=r"after fact 0 in the journal .* begin after fact 120: the others were pruned"):
            list(journal.frames())
        for sequence in range(180, 184):
            journal.save_snapshot(sequence, "a" * 32, b"")
        assert journal.prune(0, now) == [4] and journal.prune(0, now) == [], "the one that is written stays"
        journal.append(frame(FRAMES))
    with open_it(tmp_path) as journal:
        assert journal.segment == 5 and journal.last.sequence == 2 * FRAMES + 2
        assert list(journal.frames(160)) == [*frames[80:], frame(FRAMES)]
