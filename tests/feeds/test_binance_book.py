"""Snapshot and diffs joined by their ids: each rule, the gap that a break of it makes, and a seeded stream with losses."""

import random

from tests.feeds.support import flags, kinds
from tradebot.feeds.binance_book import WAITING_MAX, BinanceBook, Diff
from tradebot.feeds.rows import Row, RowWriter

LEVELS = [(0, 100, 1)]


def open_book() -> tuple[BinanceBook, dict[str, int]]:
    notes: dict[str, int] = {}
    return BinanceBook(RowWriter(1), notes), notes


def spot(first: int, last: int) -> Diff:
    return Diff(0, first, last, None, LEVELS)


def futures(previous: int, last: int) -> Diff:
    return Diff(0, previous + 3, last, previous, LEVELS)


def sequences(rows: list[Row]) -> list[int]:
    return [row[2] for row in rows]


def test_diffs_wait_for_the_snapshot_and_are_given_its_time() -> None:
    book, notes = open_book()
    for diff in (spot(5, 8), spot(9, 11), spot(12, 13)):
        assert book.take_diff(1, diff) == []
    rows = book.take_snapshot(2, 0, 10, LEVELS)
    assert sequences(rows) == [10, 11, 13]
    assert {row[0] for row in rows} == {2}
    assert notes == {"diffs_before_snapshot": 1}
    assert sequences(book.take_diff(3, spot(14, 14))) == [14]


def test_a_snapshot_older_than_the_diffs_that_wait_is_not_used() -> None:
    book, notes = open_book()
    book.take_diff(1, spot(12, 13))
    assert book.take_snapshot(2, 0, 10, LEVELS) == []
    assert notes == {"snapshots_too_old": 1}
    assert sequences(book.take_snapshot(3, 0, 12, LEVELS)) == [12, 13]


def test_a_snapshot_behind_the_book_is_not_used_and_one_ahead_of_it_is() -> None:
    book, notes = open_book()
    book.take_snapshot(1, 0, 10, LEVELS)
    book.take_diff(2, spot(11, 15))
    assert book.take_snapshot(3, 0, 12, LEVELS) == []
    assert sequences(book.take_snapshot(3, 0, 20, LEVELS)) == [20]
    assert book.take_diff(4, spot(16, 20)) == []
    assert sequences(book.take_diff(4, spot(19, 22))) == [22]
    assert notes == {"snapshots_too_old": 1, "diffs_older_than_book": 1}


def test_a_spot_diff_that_does_not_follow_is_a_gap_and_the_book_is_empty() -> None:
    book, _ = open_book()
    book.take_snapshot(1, 0, 10, LEVELS)
    rows = book.take_diff(2, spot(12, 13))
    assert kinds(rows) == ["GAP", "L2_LEVEL"]
    assert (rows[0][2], rows[0][5]) == (12, 11)
    assert flags(rows) == ["", "SNAPSHOT+BEGIN+LAST"] and rows[1][4] == 0
    assert book.take_diff(3, spot(14, 14)) == []
    assert sequences(book.take_snapshot(4, 0, 12, LEVELS)) == [12, 13, 14]


def test_futures_follow_by_the_previous_id() -> None:
    book, _ = open_book()
    book.take_snapshot(1, 0, 10, LEVELS)
    assert sequences(book.take_diff(2, futures(7, 14))) == [14]
    assert sequences(book.take_diff(3, futures(14, 20))) == [20]
    rows = book.take_diff(4, futures(19, 25))
    assert kinds(rows)[0] == "GAP" and (rows[0][2], rows[0][5]) == (19, 20)


def test_the_first_futures_diff_must_reach_over_the_snapshot() -> None:
    book, _ = open_book()
    book.take_snapshot(1, 0, 10, LEVELS)
    assert book.take_diff(2, futures(5, 10)) == []
    assert kinds(book.take_diff(2, futures(11, 15)))[0] == "GAP"


def test_a_new_connection_needs_a_new_snapshot() -> None:
    book, _ = open_book()
    assert book.reconnect(1) == []
    book.take_snapshot(1, 0, 10, LEVELS)
    assert kinds(book.reconnect(2)) == ["GAP", "L2_LEVEL"]
    assert book.take_diff(3, spot(11, 12)) == []
    assert sequences(book.take_snapshot(4, 0, 11, LEVELS)) == [11, 12]


def test_what_waits_is_bounded_and_counted() -> None:
    book, notes = open_book()
    for number in range(1, WAITING_MAX + 11):
        book.take_diff(1, spot(number, number))
    assert notes == {"diffs_without_book": 10}
    book.close()
    assert notes == {"diffs_without_book": WAITING_MAX + 10}


def test_a_lost_diff_is_never_unseen() -> None:
    """A seeded stream with losses and snapshots: rows between two gaps are what a reader without losses would have."""
    for seed in range(50):
        chance = random.Random(seed)
        book, _ = open_book()
        position, reached = 0, None
        for _ in range(400):
            length = chance.randint(1, 4)
            diff = spot(position + 1, position + length)
            position += length
            if chance.random() < 0.05:
                continue
            rows = book.take_diff(1, diff)
            if chance.random() < 0.1:
                rows += book.take_snapshot(1, 0, max(position - chance.randint(0, 6), 0), LEVELS)
            for row in rows:
                if kinds([row]) == ["GAP"]:
                    reached = None
                elif row[4]:
                    assert "BEGIN" in flags([row])[0] or reached is not None
                    reached = row[2]
            assert (book.last is None) == (reached is None)
            assert reached is None or reached == book.last == position
