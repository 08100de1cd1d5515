"""A reader beside the writer: every frame once, in order and whole, over rolls, compression and pruning, and over kill -9."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.store.journals import RUN, SMALL, fill, frame, overwrite, read
from tradebot.domain.errors import LocalError
from tradebot.domain.frames import Frame, FrameKind
from tradebot.store.journal import Journal
from tradebot.store.journal_reader import CHUNK_BYTES, JournalReader

FULL = os.environ.get("TRADEBOT_FULL") == "1"
KILLS = 100 if FULL else 12


def open_it(folder: Path, **more) -> Journal:
    return Journal.create_or_open(folder, RUN, segment_bytes=SMALL, **more)


def drain(reader: JournalReader) -> list[Frame]:
    found = []
    while frames := reader.poll():
        found += frames
    return found


@pytest.mark.parametrize("write", ["mmap", "write"])
def test_each_frame_is_seen_once_as_it_comes(tmp_path: Path, write: str) -> None:
    reader = JournalReader(tmp_path / "journal")
    assert reader.poll() == [], "there is no journal yet"
    with open_it(tmp_path / "journal", write=write) as journal:
        assert reader.poll() == []
        for number in range(70):
            journal.append(frame(number))
            assert reader.poll() == [frame(number)] and reader.poll() == []
        assert reader.sequence == 140


def test_a_poll_gives_no_more_than_it_is_asked_for(tmp_path: Path) -> None:
    frames = fill(tmp_path, 70)
    reader = JournalReader(tmp_path)
    assert [len(reader.poll(16)) for _ in range(6)] == [16, 16, 16, 16, 6, 0]
    assert JournalReader(tmp_path).poll() == frames


@pytest.mark.parametrize("after", [0, 1, 2, 39, 40, 41, 120, 139, 140, 1_000])
def test_it_begins_after_any_fact(tmp_path: Path, after: int) -> None:
    frames = fill(tmp_path, 70)
    with open_it(tmp_path) as journal:
        journal.compress(segments_max=2)
        assert JournalReader(tmp_path, after).poll() == list(journal.frames(after)) == frames[after // 2 :]


def test_it_reads_on_where_a_segment_is_compressed_under_it(tmp_path: Path) -> None:
    frames = fill(tmp_path, 98)
    begun, late = JournalReader(tmp_path), JournalReader(tmp_path)
    first = begun.poll(5)
    with open_it(tmp_path) as journal:
        journal.compress()
        assert first + drain(begun) == frames == drain(late)
        journal.append(frame(98))
        assert begun.poll() == late.poll() == [frame(98)]


def test_what_was_pruned_before_it_was_read_is_said_and_what_was_read_is_not_missed(tmp_path: Path) -> None:
    frames = fill(tmp_path, 98)
    slow, quick = JournalReader(tmp_path), JournalReader(tmp_path)
    assert slow.poll(5) == frames[:5] and quick.poll(45) == frames[:45]
    with open_it(tmp_path) as journal:
        journal.save_snapshot(170, "a" * 32, b"")
        assert journal.prune(0, 1 << 60) == [1, 2, 3, 4]
        with pytest.raises(LocalError, match=r"after fact 10 .* begin after fact 160: the others were pruned"):
            drain(slow)
        with pytest.raises(LocalError, match=r"expected the frames after fact 90 .* begin after fact 160"):
            drain(quick)
        with pytest.raises(LocalError, match="after fact 0 "):
            JournalReader(tmp_path).poll()
        assert drain(JournalReader(tmp_path, 160)) == frames[80:]


def test_a_frame_of_any_length_is_read(tmp_path: Path) -> None:
    longer = [CHUNK_BYTES - 300, CHUNK_BYTES - 64, CHUNK_BYTES, 3 * CHUNK_BYTES, 1]
    frames = [Frame(FrameKind.BODY, 0, 0, 0, size, f"{size:032x}", body=b"x" * size) for size in longer]
    with Journal.create_or_open(tmp_path, RUN, segment_bytes=16 << 20) as journal:
        for one in frames:
            journal.append(one)
        assert drain(JournalReader(tmp_path)) == frames
        journal.append(frame(0))
    assert drain(JournalReader(tmp_path)) == [*frames, frame(0)]


def test_half_a_frame_is_waited_for(tmp_path: Path) -> None:
    frames = fill(tmp_path, 4)
    path = tmp_path / "00000001.tbj"
    whole = path.read_bytes()
    at = whole.rindex(b"TBJ1")
    reader = JournalReader(tmp_path)
    for kept in (b"", whole[at + 4 : at + 30], whole[at + 4 : at + 150]):
        overwrite(path, (whole[:at] + bytes(4) + kept).ljust(SMALL, b"\0"))
        assert reader.poll() in (frames[:3], [])
    overwrite(path, whole)
    assert reader.poll() == frames[3:]


def test_damage_is_said_after_what_stands_before_it(tmp_path: Path) -> None:
    frames = fill(tmp_path, 4)
    path = tmp_path / "00000001.tbj"
    broken = bytearray(path.read_bytes())
    broken[broken.rindex(b"TBJ1") + 70] ^= 1
    overwrite(path, broken)
    reader = JournalReader(tmp_path)
    assert reader.poll() == frames[:3]
    for _ in range(2):
        with pytest.raises(LocalError, match=r"00000001.tbj at byte \d+: its checksum differs"):
            reader.poll()


@pytest.mark.parametrize("write", ["mmap", "write"])
def test_a_writer_killed_at_any_moment_loses_nothing_that_it_said_and_a_reader_sees_each_frame_once(
    tmp_path: Path, write: str
) -> None:
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    reader, seen = JournalReader(tmp_path), []
    for _ in range(KILLS):
        command = [sys.executable, "-m", "tests.store.journals", str(tmp_path), write]
        child = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        enough = int(child.stdout.readline()) + chance.randrange(1, 400)
        said = -1
        while said < enough:
            said = int(child.stdout.readline())
            seen += reader.poll(chance.randrange(1, 64))
        child.send_signal(signal.SIGKILL)
        lines = child.communicate()[0].split("\n")
        said = max([said, *(int(line) for line in lines[:-1] if line)])
        with open_it(tmp_path, write=write) as journal:
            number = journal.last.sequence // 2
            assert number > said, f"what was said to be in is in; seed {seed}"
            if chance.random() < 0.3:
                journal.compress(segments_max=10)
    seen += drain(reader)
    assert len(seen) == number and seen == [frame(at) for at in range(number)] == read(tmp_path), f"seed {seed}"


@pytest.mark.parametrize("is_packed", [False, True])
def test_a_segment_that_is_missing_in_the_middle_is_named_and_is_no_end(tmp_path: Path, is_packed: bool) -> None:
    frames = fill(tmp_path, 98)
    if is_packed:
        with open_it(tmp_path) as journal:
            journal.compress()
    sorted(tmp_path.glob("*.tbj*"))[2].unlink()
    reader, seen = JournalReader(tmp_path), list[Frame]()
    with pytest.raises(LocalError, match=r"00000003.*found only later ones: bring it back"):
        while found := reader.poll():
            seen += found
    assert seen == frames[: len(seen)] and seen
    reader.close()
