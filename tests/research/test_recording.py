"""The recorder leaves whole raw arrays, in order, and says in one line when there is no room for them."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from tradebot._core.types import FACT_DTYPE, MARKOUT_DTYPE, SAMPLE_DTYPE
from tradebot.domain.errors import StoreFull
from tradebot.engine.ports import Records
from tradebot.research.recording import FolderRecorder, explained
from tradebot.research.results import ARRAYS

FULL = Path("/dev/full")


def made(dtype: np.dtype[np.void], count: int, seed: int = 1) -> Records:
    return np.frombuffer(np.random.default_rng(seed).bytes(count * dtype.itemsize), dtype)


def test_what_is_recorded_is_on_disk_in_order_bit_for_bit(tmp_path: Path) -> None:
    one, two = made(FACT_DTYPE, 5), made(FACT_DTYPE, 1_000, 2)
    with FolderRecorder(tmp_path) as recorder:
        for facts in (one, two):
            recorder.facts(facts)
        recorder.samples(made(SAMPLE_DTYPE, 3))
        recorder.markouts(made(MARKOUT_DTYPE, 0))
    assert (tmp_path / "facts.bin").read_bytes() == one.tobytes() + two.tobytes()
    assert (tmp_path / "samples.bin").read_bytes() == made(SAMPLE_DTYPE, 3).tobytes()
    assert {path.name: path.stat().st_size for path in tmp_path.iterdir()}["markouts.bin"] == 0


def test_a_run_of_nothing_leaves_every_file(tmp_path: Path) -> None:
    with FolderRecorder(tmp_path):
        pass
    assert {path.name for path in tmp_path.iterdir()} == set(ARRAYS)


@pytest.mark.skipif(not FULL.exists(), reason="no device here that is always full")
@pytest.mark.parametrize("count", [1, 100_000], ids=["at the end", "while writing"])
def test_a_full_disk_is_one_line_that_names_the_folder(tmp_path: Path, count: int) -> None:
    for name in ARRAYS:
        (tmp_path / name).symlink_to(FULL)
    with pytest.raises(StoreFull, match="full; free some space, or give another") as caught, FolderRecorder(tmp_path) as one:
        one.facts(made(FACT_DTYPE, count))
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.skipif(not FULL.exists(), reason="no device here that is always full")
def test_what_went_wrong_in_the_run_counts_more_than_a_full_disk(tmp_path: Path) -> None:
    for name in ARRAYS:
        (tmp_path / name).symlink_to(FULL)
    with pytest.raises(RuntimeError, match="the first"), FolderRecorder(tmp_path) as recorder:
        recorder.facts(made(FACT_DTYPE, 1))
        raise RuntimeError("the first")


def test_other_troubles_of_the_disk_stay_what_they_are(tmp_path: Path) -> None:
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        assert isinstance(explained(OSError(number, os.strerror(number)), tmp_path), StoreFull)
    broken = OSError(errno.EIO, os.strerror(errno.EIO))
    assert explained(broken, tmp_path) is broken
