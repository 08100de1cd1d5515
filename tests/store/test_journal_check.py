"""A journal looked over: what it holds is counted, and each damaged place is named once, with what lies behind it still read."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.store.journals import RUN, SECOND, SMALL, fill, frame
from tests.support import cancel, place
from tradebot.domain.errors import LocalError
from tradebot.domain.frames import Frame, FrameKind, put_frame
from tradebot.store.journal import Journal
from tradebot.store.journal_check import Report, check_journal, count_commands

FRAMES = 98


def check(folder: Path) -> Report:
    return check_journal(folder, lambda _: None)


def damage(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 8
    path.write_bytes(data)


def test_a_whole_journal_is_counted(tmp_path: Path) -> None:
    fill(tmp_path, FRAMES)
    with Journal.create_or_open(tmp_path, RUN, segment_bytes=SMALL) as journal:
        journal.compress(segments_max=2)
    told = []
    report = check_journal(tmp_path, told.append)
    assert (report.run_id, report.torn, report.corrupt, report.is_written) == (RUN, [], [], False)
    assert [one.frames for one in report.segments] == [20, 20, 20, 20, 18]
    assert [(one.first_sequence, one.end_sequence) for one in report.segments][:2] == [(0, 40), (40, 80)]
    assert (report.segments[1].first_ns, report.segments[1].last_ns) == (21 * SECOND, 40 * SECOND)
    assert sum(one.facts for one in report.segments) == 2 * FRAMES and len(told) == 5


def test_commands_are_those_of_two_slots_and_counted_once(tmp_path: Path) -> None:
    commands = place(1, 1, 0, 100, 5).tobytes() + cancel(2, 1).tobytes()
    quarantined = bytearray(64)
    quarantined[60] = 80
    assert count_commands(commands) == 2 and count_commands(bytes(quarantined)) == 0 and count_commands(b"") == 0
    with Journal.create_or_open(tmp_path, RUN, segment_bytes=SMALL) as journal:
        journal.append(Frame(FrameKind.FACTS, 1, 0, 1, 1, "0" * 32, bytes(64), commands + bytes(quarantined)))
    assert check(tmp_path).segments[0].commands == 2


def test_every_damaged_place_is_named_and_what_lies_behind_is_read(tmp_path: Path) -> None:
    fill(tmp_path, FRAMES)
    damage(tmp_path / "00000001.tbj", 600)
    damage(tmp_path / "00000001.tbj", 2_000)
    damage(tmp_path / "00000003.tbj", 10)
    report = check(tmp_path)
    assert [(one.segment, one.offset) for one in report.corrupt] == [
        ("00000001.tbj", 576), ("00000001.tbj", 1_920), ("00000003.tbj", 0),
    ]  # fmt: skip
    assert [one.frames for one in report.segments] == [18, 20, 20, 20, 18] and report.torn == []


def test_a_tail_that_was_never_whole_is_torn_and_not_while_it_is_written(tmp_path: Path) -> None:
    fill(tmp_path, FRAMES)
    path = tmp_path / "00000005.tbj"
    whole = path.read_bytes()
    at = whole.rindex(b"TBJ1")
    path.write_bytes(whole[: at + 100].ljust(SMALL, b"\0"))
    report = check(tmp_path)
    assert [(one.segment, one.offset) for one in report.torn] == [("00000005.tbj", at)] and report.corrupt == []
    with Journal.create_or_open(tmp_path, RUN, segment_bytes=SMALL) as journal:
        assert journal.cut is not None
        path.write_bytes(whole[: at + 100].ljust(SMALL, b"\0"))
        report = check(tmp_path)
        assert report.is_written and report.torn == []


def test_a_missing_a_foreign_and_an_unreadable_segment_are_named_once(tmp_path: Path) -> None:
    fill(tmp_path / "a", FRAMES)
    fill(tmp_path / "b", FRAMES, run_id="run-2")
    (tmp_path / "a" / "00000002.tbj").unlink()
    (tmp_path / "a" / "00000004.tbj").write_bytes((tmp_path / "b" / "00000004.tbj").read_bytes())
    report = check(tmp_path / "a")
    assert [one.segment for one in report.corrupt] == ["00000003.tbj", "00000004.tbj"]
    assert "segment 2 is missing" in report.corrupt[0].why and "run-2" in report.corrupt[1].why
    with Journal.create_or_open(tmp_path / "b", "run-2", segment_bytes=SMALL) as journal:
        journal.compress()
    damage(tmp_path / "b" / "00000002.tbj.zst", 50)
    report = check(tmp_path / "b")
    assert [one.segment for one in report.corrupt] == ["00000002.tbj.zst"] and report.segments[2].frames == 20


def test_a_sequence_that_jumps_is_named(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    path = tmp_path / "00000001.tbj"
    data = bytearray(path.read_bytes())
    put_frame(data, 192 + 2 * 192, frame(7))
    path.write_bytes(data)
    (fault,) = check(tmp_path).corrupt
    assert fault.offset == 576 and "expected the frame after fact 4, found that after 14" in fault.why


def test_a_folder_without_a_journal_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="found no segment"):
        check(tmp_path)


def test_an_epoch_that_falls_is_named_and_the_journal_is_not_opened(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    path = tmp_path / "00000001.tbj"
    data = bytearray(path.read_bytes())
    put_frame(data, 192 + 2 * 192, replace(frame(2), epoch=0))
    path.write_bytes(data)
    (fault,) = check(tmp_path).corrupt
    assert fault.offset == 576 and "expected epoch 1 or later, found 0" in fault.why
    with pytest.raises(LocalError, match="expected epoch 1 or later"):
        Journal.create_or_open(tmp_path, RUN, segment_bytes=SMALL)
