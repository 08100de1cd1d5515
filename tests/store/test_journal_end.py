"""When a journal ends is found without reading it all, whatever it ends with."""

import os
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.journals import RUN, SECOND, SMALL, fill, frame, overwrite
from tradebot.store import journal_end
from tradebot.store.journal import Journal
from tradebot.store.journal_end import end_ns


@given(count=st.integers(1, 60), kilobytes=st.sampled_from([4, 64]), window=st.sampled_from([64, 4_096, 1 << 18]))
@settings(max_examples=30, deadline=None)
def test_the_time_of_the_last_frame_is_found(
    tmp_path_factory: pytest.TempPathFactory, count: int, kilobytes: int, window: int
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    fill(folder, count, kilobytes << 10)
    with mock.patch.object(journal_end, "WINDOW", window):
        assert end_ns(folder) == count * SECOND


def test_without_a_frame_it_is_zero(tmp_path: Path) -> None:
    assert end_ns(tmp_path / "none") == 0
    fill(tmp_path, 0)
    assert end_ns(tmp_path) == 0


def test_a_frame_that_was_never_whole_is_not_the_last(tmp_path: Path) -> None:
    fill(tmp_path, 5, 64 << 10)
    path = tmp_path / "00000001.tbj"
    data = bytearray(path.read_bytes())
    data[data.rindex(b"TBJ1") + 70] ^= 1
    overwrite(path, data)
    assert end_ns(tmp_path) == 4 * SECOND


def test_a_frame_larger_than_what_is_looked_through_first(tmp_path: Path) -> None:
    with Journal.create_or_open(tmp_path, RUN, segment_bytes=SMALL) as journal:
        journal.append(frame(0))
        journal.append(frame(1, body=os.urandom(1 << 20)))
    assert end_ns(tmp_path) == 2 * SECOND


def test_of_a_compressed_segment_it_is_the_same(tmp_path: Path) -> None:
    frames = fill(tmp_path, 40)
    with Journal.create_or_open(tmp_path, RUN, segment_bytes=SMALL) as journal:
        journal.compress()
        last = journal.segment
    (tmp_path / f"{last:08d}.tbj").unlink()
    assert 0 < end_ns(tmp_path) < frames[-1].time_ns
