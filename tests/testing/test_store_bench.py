"""`bench store` at a small size: every side did all the work, and what came back is what went in."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.store.support import FIRST, random_records
from tradebot._core.depth import L2Book
from tradebot._core.types import Flag
from tradebot.domain.errors import UsageError
from tradebot.testing import flow, store_bench
from tradebot.testing.calls import store_answer


def silent(rows: int) -> None:
    pass


def test_the_answer_has_the_keys_of_the_contract_and_the_same_digest_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_bench, "ROUND_ROWS", 8_000)
    answers = [store_answer(20_000, None, "auto", None, tmp_path, silent) for _ in range(2)]
    keys = {
        "ingest_rows_per_s", "raw_ingest_rows_per_s", "read_rows_per_s", "raw_read_rows_per_s",
        "bytes_per_row", "parquet_bytes_per_row", "ingest_ratio", "read_ratio", "rows",
    }  # fmt: skip
    assert keys <= set(answers[0]) and answers[0]["rows"] == 40_000
    digests = [{name: one["digest"] for name, one in found["streams"].items()} for found in answers]  # type: ignore[attr-defined]
    assert digests[0] == digests[1] and set(digests[0]) == {"trades", "deltas"}
    assert list(tmp_path.iterdir()) == [], "nothing is left"


def test_rounds_are_the_rows_in_order_and_part_no_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_bench, "ROUND_ROWS", 1_000)
    records = random_records(FIRST, 10_000)
    rounds = list(store_bench._rounds(iter([records]), 9_500))
    assert np.concatenate(rounds).tobytes() == records[:9_500].tobytes()
    assert len(rounds) > 5
    for before, after in pairwise(rounds):
        assert before["time_ns"][-1] < after["time_ns"][0]


def test_nothing_to_measure_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--rows of at least 1"):
        store_answer(0, None, "auto", None, tmp_path, silent)


@pytest.mark.parametrize("make", [flow.trades, flow.deltas])
def test_the_flow_is_ordered_whole_and_the_same_again(make) -> None:  # type: ignore[no-untyped-def]
    first, again = (np.concatenate(list(make(150_000, 7))) for _ in range(2))
    assert len(first) == 150_000 and first.tobytes() == again.tobytes()
    assert (np.diff(first["time_ns"]) >= 0).all() and (first["time_ns"] > first["venue_ns"]).all()
    assert first["quantity"].min() >= 0


def test_the_levels_of_the_flow_never_cross() -> None:
    records = np.concatenate(list(flow.deltas(200_000, 7)))
    best = L2Book().apply_bbo(records)
    both = best[(best["bid_quantity"] > 0) & (best["ask_quantity"] > 0)]
    assert len(both) > 50_000
    assert (both["bid"] < both["ask"]).all()
    assert (records["flags"][flow.BLOCK_ROWS :: flow.BLOCK_ROWS] & int(Flag.BEGIN)).all()
