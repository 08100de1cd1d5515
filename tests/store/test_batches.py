"""Cutting and merging of batches, without an engine."""

import numpy as np
import pytest

from tests.store.support import FIRST, joined, random_records
from tradebot.store.batches import merge_in_time, rebatch


@pytest.mark.parametrize("block_rows", [1, 7, 100, 1_000])
@pytest.mark.parametrize("batch_rows", [1, 8, 100, 5_000])
def test_cutting_keeps_the_records_and_the_size(block_rows: int, batch_rows: int) -> None:
    records = random_records(FIRST, 1_000)
    blocks = [records[start : start + block_rows] for start in range(0, 1_000, block_rows)]
    batches = list(rebatch(blocks, batch_rows))
    assert joined(batches).tobytes() == records.tobytes()
    assert all(len(batch) == batch_rows for batch in batches[:-1])


def test_a_batch_handed_out_is_not_written_again() -> None:
    records = random_records(FIRST, 10)
    first, *_ = list(rebatch([records[:4], records[4:]], 5))
    assert first.tobytes() == records[:5].tobytes()


@pytest.mark.parametrize("seed", range(20))
def test_merging_equals_a_stable_sort_however_the_blocks_fall(seed: int) -> None:
    chance = np.random.default_rng(seed)
    streams = [random_records(FIRST, int(count), seed + 1, 2) for count in chance.integers(0, 300, 4)]
    for stream in streams:
        stream["time_ns"] += chance.integers(0, 50)
    cuts = [np.sort(chance.integers(0, len(stream) + 1, 5)) for stream in streams]
    blocks = [
        iter([block for block in np.split(stream, cut) if len(block)])
        for stream, cut in zip(streams, cuts, strict=True)
    ]
    every = joined(streams)
    expected = every[np.argsort(every["time_ns"], kind="stable")]
    assert joined(merge_in_time(blocks)).tobytes() == expected.tobytes()
