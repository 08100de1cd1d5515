"""Duplicates along a stream, against a dict of what was seen where; and where the window ends."""

import random

import numpy as np
import pytest

from tests.reference.audit import duplicate_places
from tests.research.ticks import FIRST_DAY, cut, joined, row
from tradebot._core.types import RECORD_DTYPE, Flag, Kind
from tradebot.research import duplicates
from tradebot.research.duplicates import Duplicates


def found(records: np.ndarray, parts: int = 1, seed: int = 1) -> set[int]:
    finder = Duplicates()
    flags = np.concatenate([finder.find(batch) for batch in cut(records, random.Random(seed), parts)])
    return set(np.flatnonzero(flags).tolist())


def some_rows(seed: int, count: int) -> np.ndarray:
    """Rows of every kind from few values, so that many agree in all, and many in all but one slot."""
    chance = np.random.default_rng(seed)
    records = np.zeros(count, RECORD_DTYPE)
    for name in ("venue_ns", "venue_sequence", "price", "quantity"):
        records[name] = chance.integers(0, 4, count)
    records["id"] = chance.integers(0, 2, count) * np.uint64(2**63)
    records["kind"] = chance.choice([int(kind) for kind in Kind], count)
    records["flags"] = chance.choice([0, 0, 0, Flag.SELL, Flag.RESTATED, Flag.VOID], count)
    records["owner"] = chance.integers(0, 2, count) * 60
    records["time_ns"] = FIRST_DAY + np.arange(count)
    return records


@pytest.mark.parametrize("seed", range(4))
def test_what_was_said_before_is_found_however_the_stream_is_cut(seed: int) -> None:
    records = some_rows(seed, 3_000)
    expected = duplicate_places(records)
    assert 50 < len(expected) < 2_900
    for parts in (1, 2, 50):
        assert found(records, parts, seed) == expected


def test_a_copy_beyond_the_window_is_a_row_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "WINDOW", 10)
    rows = [row(FIRST_DAY + at, Kind.TRADE, venue_sequence=1 + at % 12, venue_ns=1, price=1) for at in range(60)]
    assert found(joined(rows)) == set()
    for window in (11, 12, 13):
        monkeypatch.setattr(duplicates, "WINDOW", window)
        expected = duplicate_places(joined(rows), window)
        assert found(joined(rows)) == found(joined(rows), 20) == expected
        assert bool(expected) == (window >= 12)


def test_rows_that_nothing_names_are_never_duplicates() -> None:
    trade = row(FIRST_DAY, Kind.TRADE, price=5, quantity=1)
    assert found(joined([trade] * 3)) == set(), "two equal trades in one millisecond are two trades"
    mark = row(FIRST_DAY, Kind.MARK, price=5)
    assert found(joined([mark] * 3)) == {1, 2}
