"""Small questions to the store, against the same rows in an array: counts by kind, the newest of some kinds, the newest
snapshot that is whole."""

import random

import numpy as np
import pytest

from tests.store.support import FIRST, SECOND, joined, source
from tradebot._core.types import RECORD_DTYPE, Flag, Kind
from tradebot.store.client import Store
from tradebot.store.facts import count_all_kinds, count_kinds, newest_of, newest_snapshot
from tradebot.store.schema import TICK_COLUMNS

BEGIN, LAST, SNAPSHOT, VOID = int(Flag.BEGIN), int(Flag.LAST), int(Flag.SNAPSHOT), int(Flag.VOID)
START = 1_700_000_000 * 10**9


def records(rows: list[tuple[int, int, int]]) -> np.ndarray:
    """From (time, kind, flags)."""
    found = np.zeros(len(rows), RECORD_DTYPE)
    for at, (time, kind, flags) in enumerate(rows):
        found[at]["time_ns"], found[at]["kind"], found[at]["flags"] = START + time, kind, flags
    found["instrument"] = FIRST.id
    return found


def fill(store: Store, rows: list[tuple[int, int, int]], content: str = "content") -> np.ndarray:
    found = records(rows)
    store.import_records(FIRST, source(content), iter([found]))
    return found


def test_rows_are_counted_by_kind_in_a_range(store: Store) -> None:
    fill(store, [(at, Kind.TRADE if at % 3 else Kind.QUOTE, 0) for at in range(100)])
    other = records([(5, Kind.MARK, 0)])
    other["instrument"] = SECOND.id
    store.import_records(SECOND, source("other"), iter([other]))
    assert count_kinds(store, FIRST.id) == {Kind.TRADE: 66, Kind.QUOTE: 34}
    assert count_kinds(store, FIRST.id, START + 10, START + 13) == {Kind.TRADE: 2, Kind.QUOTE: 1}
    assert count_kinds(store, FIRST.id, START + 100) == {}
    assert count_all_kinds(store) == {FIRST.id: {Kind.TRADE: 66, Kind.QUOTE: 34}, SECOND.id: {Kind.MARK: 1}}


def test_rows_of_an_import_that_did_not_end_are_not_counted(store: Store) -> None:
    fill(store, [(0, Kind.TRADE, 0), (7, Kind.L2_LEVEL, BEGIN | SNAPSHOT | LAST)])
    row = dict.fromkeys(TICK_COLUMNS, 0) | {"instrument": FIRST.id, "time_ns": START + 9, "import": 5}
    row |= {"kind": int(Kind.L2_LEVEL), "flags": BEGIN | SNAPSHOT | LAST}
    store._backend.insert("ticks", {name: [value] for name, value in row.items()}, TICK_COLUMNS)
    assert count_kinds(store, FIRST.id) == {Kind.TRADE: 1, Kind.L2_LEVEL: 1}
    assert count_all_kinds(store)[FIRST.id] == {Kind.TRADE: 1, Kind.L2_LEVEL: 1}
    assert newest_snapshot(store, FIRST.id, Kind.L2_LEVEL, START + 100) == START + 7
    assert newest_of(store, FIRST.id, [Kind.L2_LEVEL]) == (Kind.L2_LEVEL, START + 7)


def test_the_newest_of_some_kinds_is_found_from_behind(store: Store) -> None:
    fill(store, [(0, Kind.L3_ADD, 0), (1, Kind.L2_LEVEL, 0), (2, Kind.TRADE, 0), (3, Kind.L3_ADD, VOID)])
    kinds = (Kind.L2_LEVEL, Kind.L3_ADD)
    assert newest_of(store, FIRST.id, kinds) == (Kind.L2_LEVEL, START + 1), "what is void changes no book"
    assert newest_of(store, FIRST.id, kinds, to_ns=START + 1) == (Kind.L3_ADD, START)
    assert newest_of(store, FIRST.id, kinds, from_ns=START + 2) is None
    assert newest_of(store, SECOND.id, kinds) is None


def expected_snapshot(rows: np.ndarray, kind: int, to_ns: int) -> int | None:
    """By looking at each row: the newest end, then the newest begin at or before it."""
    mine = [one for one in rows if one["kind"] == kind and not one["flags"] & VOID and one["time_ns"] < to_ns]
    ends = [at for at, one in enumerate(mine) if one["flags"] & SNAPSHOT and one["flags"] & LAST]
    begins = [at for at, one in enumerate(mine) if one["flags"] & BEGIN and ends and at <= ends[-1]]
    return int(mine[begins[-1]]["time_ns"]) if begins else None


@pytest.mark.parametrize("seed", range(3))
def test_the_newest_whole_snapshot_is_that_of_a_search_row_by_row(store: Store, seed: int) -> None:
    chance = random.Random(seed)
    rows, time = [], 0
    for _ in range(300):
        time += chance.choice((0, 0, 1, 5))
        kind = chance.choice((Kind.L2_LEVEL, Kind.L2_LEVEL, Kind.L3_ADD, Kind.TRADE))
        flags = chance.choice((0, LAST, LAST, SNAPSHOT, BEGIN | SNAPSHOT, SNAPSHOT | LAST, BEGIN | SNAPSHOT | LAST))
        rows.append((time, kind, flags | (VOID if chance.random() < 0.1 else 0)))
    fill(store, rows)
    stored = joined(store.stream([FIRST.id]))
    for to in (0, 1, *(chance.randrange(time + 5) for _ in range(20))):
        for kind in (Kind.L2_LEVEL, Kind.L3_ADD):
            assert newest_snapshot(store, FIRST.id, kind, START + to) == expected_snapshot(stored, kind, START + to)


def test_a_snapshot_that_had_not_ended_is_not_the_newest(store: Store) -> None:
    whole = [(0, Kind.L2_LEVEL, BEGIN | SNAPSHOT), (1, Kind.L2_LEVEL, SNAPSHOT | LAST)]
    fill(store, [*whole, (10, Kind.L2_LEVEL, BEGIN | SNAPSHOT), (20, Kind.L2_LEVEL, SNAPSHOT | LAST)])
    moments = {1: None, 2: 0, 11: 0, 20: 0, 21: 10}
    for to, begin in moments.items():
        found = newest_snapshot(store, FIRST.id, Kind.L2_LEVEL, START + to)
        assert found == (None if begin is None else START + begin)
