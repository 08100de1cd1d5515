"""Sealed segments: compressed they read the same; what is old goes only when no snapshot needs it; no crash loses any."""

import errno
import os
from pathlib import Path

import pytest

from tests.store.journals import RUN, SECOND, SMALL, files, fill, frame, overwrite, read
from tradebot.domain.errors import LocalError
from tradebot.store import journal_packing, journal_retention
from tradebot.store.journal import Journal

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
            patch.setattr(journal_packing, "unpack", killed)  # the new file is there, and is not yet proved
        else:
            patch.setattr(Path, step, killed)
        with pytest.raises(Killed):
            journal.compress()
    left = {path.name for path in tmp_path.iterdir()}
    assert "00000001.tbj" in left
    assert ("00000001.tbj.zst" in left) == (step == "unlink") and ("00000001.tbj.zst.new" in left) == (step != "unlink")
    assert read(tmp_path) == frames
    assert files(tmp_path)[0] == ("00000001.tbj.zst" if step == "unlink" else "00000001.tbj")
    assert not list(tmp_path.glob("*.new"))
    with open_it(tmp_path) as journal:
        journal.compress()
        assert list(journal.frames()) == frames


def test_a_full_disk_leaves_the_segment_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def is_full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    frames = fill(tmp_path, FRAMES)
    with open_it(tmp_path) as journal:
        with monkeypatch.context() as patch:
            patch.setattr(journal_retention, "pack", is_full)
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
        for sequence in (ends[2], ends[3], ends[3] + 1):
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
