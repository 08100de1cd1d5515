"""Order within a window: against a plain sort where that is allowed, and the line of what is too late."""

import itertools
import random
from collections.abc import Iterator

import numpy as np
import pytest

from tests.store.support import Records
from tradebot._core.types import RECORD_DTYPE
from tradebot.store import reorder
from tradebot.store.imports import Findings
from tradebot.store.reorder import Lined, drop_repeats, keep_order, sort_in_time


@pytest.fixture(autouse=True)
def small_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reorder, "WINDOW_ROWS", 16)


def lined(times: list[int], numbers: list[int] | None = None) -> Lined:
    records = np.zeros(len(times), RECORD_DTYPE)
    records["time_ns"] = times
    records["venue_sequence"] = numbers or [0] * len(times)
    records["id"] = np.arange(len(times))
    return Lined(records, np.arange(2, len(times) + 2))


def cut(whole: Lined, size: int) -> Iterator[Lined]:
    for start in range(0, len(whole.lines), size):
        yield Lined(whole.records[start : start + size], whole.lines[start : start + size])


def joined(blocks: Iterator[Lined]) -> Records:
    return np.concatenate([np.empty(0, RECORD_DTYPE), *(block.records for block in blocks)])


@pytest.mark.parametrize("size", [1, 3, 7, 100, 1000])
def test_rows_out_of_place_by_less_than_the_window_come_in_order(size: int) -> None:
    chance = random.Random(size)
    times = [at + chance.randrange(8) for at in range(500)]
    whole, findings = lined(times), Findings()
    found = joined(sort_in_time(cut(whole, size), findings, "f"))
    assert found.tobytes() == whole.records[np.argsort(whole.records["time_ns"], kind="stable")].tobytes()
    assert findings.late == sum(late < early for early, late in itertools.pairwise(times))
    assert findings.rejected == 0


def test_at_one_time_the_venues_number_decides() -> None:
    found = joined(sort_in_time(iter([lined([5, 5, 5, 4], [9, 7, 8, 1])]), Findings(), "f"))
    assert found["venue_sequence"].tolist() == [1, 7, 8, 9]
    kept = joined(sort_in_time(iter([lined([5, 5, 5, 4], [9, 7, 8, 1])]), Findings(), "f", numbered=False))
    assert kept["venue_sequence"].tolist() == [1, 9, 7, 8]


def test_a_row_that_comes_after_its_window_is_rejected_with_its_line() -> None:
    findings = Findings()
    whole = lined([*range(100, 200), 101, 200])
    found = joined(sort_in_time(cut(whole, 10), findings, "f.csv"))
    assert found["time_ns"].tolist() == list(range(100, 201))
    assert [(one.file, one.line) for one in findings.rejects] == [("f.csv", 102)]
    assert "at most 16 places out of order" in findings.rejects[0].why


@pytest.mark.parametrize("size", [1, 2, 50])
def test_a_numbered_record_that_comes_twice_is_dropped_and_a_contradiction_rejected(size: int) -> None:
    whole = lined([1, 1, 2, 2, 3, 3], [7, 7, 8, 8, 0, 0])
    whole.records["id"] = [1, 1, 1, 2, 1, 1]
    findings = Findings()
    found = joined(drop_repeats(cut(whole, size), findings, "f"))
    assert found["venue_sequence"].tolist() == [7, 8, 0, 0]
    assert (findings.duplicates, [one.line for one in findings.rejects]) == (1, [5])


@pytest.mark.parametrize("size", [1, 2, 50])
def test_the_order_of_arrival_is_kept_and_times_never_fall(size: int) -> None:
    whole, findings = lined([5, 4, 6, 3, 7]), Findings()
    found = np.concatenate(list(keep_order((block.records for block in cut(whole, size)), findings)))
    assert (found["time_ns"].tolist(), found["id"].tolist()) == ([5, 5, 6, 6, 7], [0, 1, 2, 3, 4])
    assert findings.late == 2
