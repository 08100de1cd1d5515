"""The journal: what is appended is read, over any opening and roll; what was never whole is cut and said; damage is refused."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.store.journals import RUN, SMALL, files, fill, frame, overwrite, read
from tradebot.domain.errors import LocalError
from tradebot.domain.frames import NO_DIGEST, Frame, FrameKind
from tradebot.store.journal import Journal, Last
from tradebot.store.journal_reader import JournalReader
from tradebot.store.journal_segments import walk
from tradebot.store.journal_snapshots import Snapshots

WAYS = ("mmap", "write")


def open_it(folder: Path, **more) -> Journal:
    return Journal.create_or_open(folder, RUN, segment_bytes=SMALL, **more)


@pytest.mark.parametrize("write", WAYS)
def test_what_is_appended_is_read_over_rolls_and_openings(tmp_path: Path, write: str) -> None:
    frames = []
    for _ in range(3):
        with open_it(tmp_path, write=write) as journal:
            assert journal.cut is None and list(journal.frames()) == frames
            for _ in range(30):
                frames.append(frame(len(frames)))
                journal.append(frames[-1])
            assert list(journal.frames()) == frames
            assert journal.last == Last(2 * len(frames), frames[-1].digest, 1)
    assert len(files(tmp_path)) == journal.segment == 5
    assert {path.stat().st_size for path in tmp_path.glob("*.tbj")} == {SMALL}


def test_both_ways_write_the_same_bytes(tmp_path: Path) -> None:
    for way in WAYS:
        fill(tmp_path / way, 40, write=way)
    for name in files(tmp_path / "mmap"):
        assert (tmp_path / "mmap" / name).read_bytes() == (tmp_path / "write" / name).read_bytes()


def test_an_empty_journal_ends_at_its_beginning(tmp_path: Path) -> None:
    with open_it(tmp_path) as journal:
        assert journal.last == Last(0, NO_DIGEST, 0) and list(journal.frames()) == []


@given(
    sizes=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 300)), max_size=40),
    after=st.integers(0, 200),
)
@example(sizes=[(1, 0, 0), (9, 8, 1), (0, 9, 257), (9, 9, 257)], after=10)  # the one without facts ends a segment
@settings(max_examples=30, deadline=None)
def test_frames_of_any_size_are_read_from_any_fact_on(tmp_path_factory, sizes, after: int) -> None:
    folder = tmp_path_factory.mktemp("journal")
    frames, sequence = [], 0
    with open_it(folder) as journal:
        for number, (facts, outputs, body) in enumerate(sizes):
            kind = FrameKind.FACTS if facts else FrameKind.BODY
            frames.append(
                Frame(kind, 1, sequence, facts, number, f"{number:032x}", bytes(64) * facts, b"?" * 64 * outputs, b"!" * body)
            )
            sequence += facts
            journal.append(frames[-1])
    with open_it(folder) as journal:
        wanted = [one for one in frames if one.end_sequence > after or one.base_sequence >= after]
        assert list(journal.frames(after)) == wanted
        assert journal.last.sequence == sequence


def test_a_frame_longer_than_a_segment_gets_one_of_its_own(tmp_path: Path) -> None:
    long = frame(0, body=bytes(range(256)) * 64)
    with open_it(tmp_path) as journal:
        journal.append(long)
        journal.append(frame(1))
    assert read(tmp_path) == [long, frame(1)]
    assert [path.stat().st_size for path in sorted(tmp_path.glob("*.tbj"))] == [SMALL, 5 * SMALL]


def test_a_frame_that_does_not_go_on_is_a_bug_of_the_caller(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    old_epoch, head = (Frame(kind, epoch, 4, 0, 0, NO_DIGEST) for kind, epoch in ((FrameKind.FACTS, 0), (FrameKind.SEGMENT, 1)))
    with open_it(tmp_path) as journal:
        for wrong in (frame(1), frame(3), old_epoch, head):
            with pytest.raises(AssertionError):
                journal.append(wrong)
        journal.append(frame(2))


def test_one_writer_and_a_second_is_told_who(tmp_path: Path) -> None:
    code = f"from tests.store.test_journal import *; open_it(Path({str(tmp_path)!r}))"
    with open_it(tmp_path):
        with pytest.raises(LocalError, match=rf"this process \({os.getpid()}\) writing it"):
            open_it(tmp_path)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert f"found process {os.getpid()} writing it; stop that one" in done.stderr
    with open_it(tmp_path):
        """The lock is free again."""


def test_the_journal_of_another_run_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, 2, run_id="run-2")
    with pytest.raises(LocalError, match=r"expected the journal of run run-1 .* found that of run run-2"):
        open_it(tmp_path)


@pytest.mark.parametrize("count", [1, 14, 15, 16, 40])
def test_a_torn_tail_of_every_length_is_cut_and_said(tmp_path: Path, count: int) -> None:
    frames = fill(tmp_path, count)
    path = tmp_path / files(tmp_path)[-1]
    whole = path.read_bytes()
    used = len(whole.rstrip(b"\0"))
    start = max(at for at in range(0, used, 64) if whole[at : at + 4] == b"TBJ1")
    is_head = start == 0
    for kept in (4, 20, 63, 64, 100, used - start - 1):
        path.write_bytes((whole[: start + kept]).ljust(len(whole), b"\0"))
        with open_it(tmp_path) as journal:
            assert journal.cut is not None and journal.cut.segment == path and 0 < journal.cut.bytes <= kept
            assert list(journal.frames()) == frames[: len(frames) if is_head else -1]
            if not is_head:
                journal.append(frames[-1])
    assert path.read_bytes() == whole and read(tmp_path) == frames


def test_a_last_frame_that_a_power_cut_left_in_any_pieces_is_cut(tmp_path: Path) -> None:
    """Pages reach the disk in any order: each 64 bytes of the frame may be there or not."""
    frames = fill(tmp_path, 2)
    with open_it(tmp_path) as journal:
        journal.append(frame(2, body=b"x" * 100))
    path = tmp_path / "00000001.tbj"
    whole = path.read_bytes()
    at = whole.rindex(b"TBJ1")
    pieces = [whole[start : start + 64] for start in range(at, at + 320, 64)]
    for present in range(31):
        left = [piece if present >> number & 1 else bytes(64) for number, piece in enumerate(pieces)]
        overwrite(path, whole[:at] + b"".join(left) + whole[at + 320 :])
        with open_it(tmp_path) as journal:
            assert (journal.cut is not None) == (present > 0) and list(journal.frames()) == frames
        assert path.read_bytes() == whole[:at].ljust(SMALL, b"\0")


def test_a_frame_without_its_magic_is_cut(tmp_path: Path) -> None:
    """What a process leaves that is killed in the middle of a frame."""
    frames = fill(tmp_path, 3)
    path = tmp_path / files(tmp_path)[0]
    whole = path.read_bytes()
    at = whole.rindex(b"TBJ1")
    path.write_bytes(whole[:at] + bytes(4) + whole[at + 4 :])
    with open_it(tmp_path) as journal:
        assert journal.cut is not None and "no frame begins" in journal.cut.why
        assert list(journal.frames()) == frames[:2]
    with open_it(tmp_path) as journal:
        assert journal.cut is None


def test_a_segment_that_was_never_begun_is_begun_again(tmp_path: Path) -> None:
    frames = fill(tmp_path, 20)
    (tmp_path / "00000002.tbj").write_bytes(bytes(SMALL))
    (tmp_path / "00000002.tbj.new").write_bytes(b"half")
    with open_it(tmp_path) as journal:
        assert journal.cut is not None and journal.cut.segment.name == "00000002.tbj"
        assert list(journal.frames()) == frames and journal.segment == 2
        journal.append(frame(20))
    assert read(tmp_path) == [*frames, frame(20)] and not list(tmp_path.glob("*.new"))


def test_every_flipped_bit_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a frame that others follow it is refused; in the last it cannot be told from a torn tail, is cut and said."""
    monkeypatch.setattr(os, "fdatasync", lambda _: None)  # 1,536 times, and nothing here depends on it
    fill(tmp_path, 3)
    path = tmp_path / files(tmp_path)[0]
    whole = path.read_bytes()
    used, last = len(whole.rstrip(b"\0")), whole.rindex(b"TBJ1")
    used = -(-used // 64) * 64
    for bit in range(8 * used):
        broken = bytearray(whole)
        broken[bit >> 3] ^= 1 << (bit & 7)
        overwrite(path, broken)
        if bit >> 3 < last:
            with pytest.raises(LocalError, match=r"tbj at byte \d+: .* a whole frame follows at byte \d+; nothing was changed"):
                open_it(tmp_path)
            assert path.read_bytes() == broken
        else:
            with open_it(tmp_path) as journal:
                assert journal.cut is not None and journal.last.sequence == 4


def test_a_flipped_bit_that_lies_behind_a_snapshot_stops_no_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it damages is said; that one of what comes after the snapshot may be missing is refused."""
    monkeypatch.setattr(os, "fdatasync", lambda _: None)  # hundreds of times, and nothing here depends on it
    frames = fill(tmp_path, 6)
    Snapshots(tmp_path).save(8, frames[3].digest, b"state after four frames")
    path = tmp_path / files(tmp_path)[0]
    whole = path.read_bytes()
    starts = [offset for offset, _ in walk(whole)]
    for at in range(starts[1], starts[-1], 7):  # behind the segment's own head, up to the last frame
        broken = bytearray(whole)
        broken[at] ^= 1 << at % 8
        overwrite(path, broken)
        if at < starts[4]:
            with open_it(tmp_path) as journal, JournalReader(tmp_path, 8) as reader:
                assert list(journal.frames(8)) == frames[4:] == reader.poll() and journal.last.sequence == 12
                assert len(journal.passed_over) == 1 and journal.passed_over[0].startswith(f"{path} at byte ")
                next_base = 2 * sum(start <= at for start in starts[1:])
                assert list(journal.frames(next_base + 1)) == frames[next_base // 2 :]
                with pytest.raises(LocalError, match="a whole frame follows"):
                    list(journal.frames(next_base))
        else:
            with pytest.raises(LocalError, match="a whole frame follows"):
                open_it(tmp_path)
        assert path.read_bytes() == broken


def test_a_damaged_snapshot_is_said(tmp_path: Path) -> None:
    frames = fill(tmp_path, 6)
    for count in (2, 4):
        Snapshots(tmp_path).save(2 * count, frames[count - 1].digest, b"state")
    path = max((tmp_path / "snapshots").iterdir())
    broken = bytearray(path.read_bytes())
    broken[70] ^= 1
    path.write_bytes(broken)
    with open_it(tmp_path) as journal:
        assert journal.passed_over == [f"{path}: frame at byte 0: its checksum differs"]
        found = journal.newest_snapshot()
        assert found is not None and found.sequence == 4 and list(journal.frames(4)) == frames[2:]


def test_a_flipped_bit_where_nothing_was_written_yet_is_cut(tmp_path: Path) -> None:
    frames = fill(tmp_path, 3)
    path = tmp_path / files(tmp_path)[0]
    broken = bytearray(path.read_bytes())
    broken[3_000] = 1
    path.write_bytes(broken)
    with open_it(tmp_path) as journal:
        assert journal.cut is not None and list(journal.frames()) == frames


def test_damage_in_a_sealed_segment_is_refused_when_it_is_read(tmp_path: Path) -> None:
    fill(tmp_path, 40)
    path = tmp_path / "00000001.tbj"
    broken = bytearray(path.read_bytes())
    broken[700] ^= 4
    path.write_bytes(broken)
    with open_it(tmp_path) as journal:
        assert len(list(journal.frames(60))) > 0, "what lies after it can be read"
        with pytest.raises(LocalError, match=r"00000001.tbj at byte 576: its checksum differs"):
            list(journal.frames())


def test_a_missing_a_swapped_and_a_foreign_segment_are_refused(tmp_path: Path) -> None:
    fill(tmp_path / "a", 60)
    fill(tmp_path / "b", 60, run_id="run-2")
    second = (tmp_path / "a" / "00000002.tbj").read_bytes()
    (tmp_path / "a" / "00000002.tbj").unlink()
    with pytest.raises(LocalError, match=r"00000002.tbj between the other segments, found it missing"):
        open_it(tmp_path / "a")
    (tmp_path / "a" / "00000002.tbj").write_bytes((tmp_path / "b" / "00000002.tbj").read_bytes())
    with open_it(tmp_path / "a") as journal, pytest.raises(LocalError, match="found that of run run-2"):
        list(journal.frames())
    (tmp_path / "a" / "00000002.tbj").write_bytes((tmp_path / "a" / "00000003.tbj").read_bytes())
    with open_it(tmp_path / "a") as journal, pytest.raises(LocalError, match="expected segment 2"):
        list(journal.frames())
    (tmp_path / "a" / "00000002.tbj").write_bytes(second)
    assert len(read(tmp_path / "a")) == 60


@pytest.mark.parametrize("write", WAYS)
def test_a_full_disk_refuses_the_next_segment_and_the_journal_goes_on_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    def is_full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    frames = fill(tmp_path, 14)
    with open_it(tmp_path, write=write) as journal:
        with monkeypatch.context() as patch:
            patch.setattr(os, "posix_fallocate", is_full)
            before = (tmp_path / "00000001.tbj").read_bytes()
            number = 14
            with pytest.raises(LocalError, match=r"found: No space left on device; free some space"):
                for number in range(14, 40):
                    before = (tmp_path / "00000001.tbj").read_bytes()
                    journal.append(frame(number))
            assert (tmp_path / "00000001.tbj").read_bytes() == before and journal.last.sequence == 2 * number
            assert sorted(path.name for path in tmp_path.iterdir()) == ["00000001.tbj", "writer.lock"]
        journal.append(frame(number))
        assert list(journal.frames()) == [*frames, *(frame(at) for at in range(14, number + 1))]


def test_a_limit_on_files_is_an_error_and_no_signal(tmp_path: Path) -> None:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL // 2, limit[1]))
    try:
        with pytest.raises(LocalError, match="found: File too large"):
            open_it(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    with open_it(tmp_path) as journal:
        journal.append(frame(0))


def test_a_write_that_the_disk_refuses_leaves_nothing_of_its_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = fill(tmp_path, 3)
    real, left = os.pwrite, [0]

    def until_full(descriptor: int, data: bytes, offset: int) -> int:
        if not left[0]:
            left[0] = 10_000
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = real(descriptor, data[: left[0]], offset)
        left[0] -= written
        return written

    with open_it(tmp_path, write="write") as journal:
        before = (tmp_path / "00000001.tbj").read_bytes()
        monkeypatch.setattr(os, "pwrite", until_full)
        for room in (0, 1, 100, 187, 190):
            left[0] = room
            with pytest.raises(LocalError, match="nothing of it was kept"):
                journal.append(frame(3))
            assert (tmp_path / "00000001.tbj").read_bytes() == before
        journal.append(frame(3))
        assert list(journal.frames()) == [*frames, frame(3)]


@pytest.mark.parametrize("name", ["open", "mkdir"])
def test_a_disk_that_cannot_be_written_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def is_read_only(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, name, is_read_only)
    with pytest.raises(LocalError, match=r"expected to write the journal in .*found: Read-only file system; make the folder"):
        open_it(tmp_path / "journal")


@pytest.mark.parametrize("write", WAYS)
@pytest.mark.parametrize(("sync", "flushed"), [("none", 0), ("place", 2), ("each", 5)])
def test_frames_are_flushed_as_the_policy_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: str, sync: str, flushed: int
) -> None:
    calls = []
    with open_it(tmp_path, write=write, sync=sync) as journal:
        monkeypatch.setattr(os, "fdatasync", calls.append)
        for number in range(5):
            journal.append(frame(number), must_sync=number in (1, 4))
        assert len(calls) == flushed
        calls.clear()
        for number in range(5, 25):
            journal.append(frame(number))
        assert len(calls) == {"none": 0, "place": 1, "each": 21}[sync], "a segment is flushed before another is begun"


def test_after_a_flush_that_failed_nothing_is_appended_until_it_is_opened_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    journal = open_it(tmp_path, sync="each")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fails)
        with pytest.raises(LocalError, match="found: Input/output error; check the disk, then start again"):
            journal.append(frame(0))
    with pytest.raises(LocalError, match="Input/output error"):
        journal.append(frame(1))
    journal.close()
    with open_it(tmp_path) as journal:
        assert journal.last.sequence == 2


def test_a_closed_journal_takes_nothing(tmp_path: Path) -> None:
    journal = open_it(tmp_path)
    journal.close()
    journal.close()
    with pytest.raises(LocalError, match="found it closed"):
        journal.append(frame(0))


def test_a_copy_with_holes_is_allocated_before_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, 3)
    sizes = []
    real = os.posix_fallocate
    monkeypatch.setattr(os, "posix_fallocate", lambda *given: (sizes.append(given[1:]), real(*given)))
    with open_it(tmp_path):
        assert sizes == [(0, SMALL)]
