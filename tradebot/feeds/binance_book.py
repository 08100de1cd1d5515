"""Binance's book in step: diffs of a stream and a snapshot that was asked for, joined by update ids.

Spot: each diff says its first id U and its last id u, and follows when U <= last + 1 <= u. Futures: ids are shared by all
symbols, so a diff says instead which u came before it, and follows when its pu is that. The first diff after a snapshot
need only reach over the snapshot's id. Diffs that came before the snapshot wait for it, and are then given the time of the
snapshot, because that is when they could be used.

A diff that does not follow is a gap; the book is lost until the next snapshot. Not here: when to ask for one.
"""

from collections import deque
from typing import Final, NamedTuple

from tradebot.feeds.feed import count
from tradebot.feeds.rows import Level, Row, RowWriter

WAITING_MAX: Final = 4096  # diffs that wait for a snapshot; beyond it the oldest is dropped and counted

_WITHOUT_BOOK: Final = "diffs_without_book"


class Diff(NamedTuple):
    """`previous` is pu, None on spot."""

    venue_ns: int
    first: int
    last: int
    previous: int | None
    levels: list[Level]

    def follows(self, last: int, fresh: bool) -> bool:
        """Whether it takes a book of id `last` further; `fresh`: that id is a snapshot's."""
        if self.previous is None:
            return self.first <= last + 1 <= self.last
        return self.previous <= last < self.last if fresh else self.previous == last

    def gap(self, last: int) -> tuple[int, int]:
        """(found, expected)."""
        return (self.first, last + 1) if self.previous is None else (self.previous, last)


class BinanceBook:
    """`last` is the id that the book has reached, None while it has none."""

    def __init__(self, writer: RowWriter, notes: dict[str, int]) -> None:
        self.last: int | None = None
        self._writer = writer
        self._notes = notes
        self._fresh = False
        self._waiting: deque[Diff] = deque()

    def take_snapshot(self, time_ns: int, venue_ns: int, last: int, levels: list[Level]) -> list[Row]:
        """The whole book, and the diffs that have waited for it. One that is too old to be joined is counted, no more."""
        waiting = [diff for diff in self._waiting if diff.last > last]
        behind = self.last is not None and last < self.last
        if behind or (waiting and not waiting[0].follows(last, fresh=True)):
            count(self._notes, "snapshots_too_old")
            return []
        count(self._notes, "diffs_before_snapshot", len(self._waiting) - len(waiting))
        self._waiting.clear()
        self.last, self._fresh = last, True
        rows = self._writer.snapshot(time_ns, venue_ns, last, levels)
        for diff in waiting:
            rows += self.take_diff(time_ns, diff)
        return rows

    def take_diff(self, time_ns: int, diff: Diff) -> list[Row]:
        if self.last is None:
            self._wait(diff)
            return []
        if diff.last <= self.last:
            count(self._notes, "diffs_older_than_book")
            return []
        if not diff.follows(self.last, self._fresh):
            rows = self._writer.lost(time_ns, diff.venue_ns, *diff.gap(self.last))
            self.last = None
            self._wait(diff)
            return rows
        self.last, self._fresh = diff.last, False
        return self._writer.levels(time_ns, diff.venue_ns, diff.last, diff.levels)

    def reconnect(self, time_ns: int) -> list[Row]:
        """Nothing that comes now need follow."""
        lost = self.last
        self.last = None
        self.close()
        return [] if lost is None else self._writer.lost(time_ns, 0, 0, lost)

    def close(self) -> None:
        """No snapshot will come for the diffs that wait."""
        count(self._notes, _WITHOUT_BOOK, len(self._waiting))
        self._waiting.clear()

    def _wait(self, diff: Diff) -> None:
        if len(self._waiting) == WAITING_MAX:
            self._waiting.popleft()
            count(self._notes, _WITHOUT_BOOK)
        self._waiting.append(diff)
