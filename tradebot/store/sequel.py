"""Recordings of a diff stream that go on from one another: which does, and what the others begin with.

A recorder that changes its file every day writes a book snapshot once; the file of the second day begins with a diff whose
ids follow those of the last diff of the first. Imported by itself it has no book. So the recordings of one call that follow
one another by the venue's own ids are a run: they are read by one feed, each is an import of its own, and each but the
first is named by what it follows too, because its rows depend on that.

What follows nothing must not go on with the book of another recording, which would be shown as if it were still true. It
begins with a gap and an empty book where it has no snapshot of its own at its head, and where a book was recorded before
it. The first recording of a store that begins with its snapshot begins with nothing of the kind.

Recordings that overlap in time follow nothing: they are two recordings of the same thing, and a warning of the import.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from tradebot.feeds.binance_book import Diff

HEAD_LINES: Final = 4096  # within which a recording has the snapshot that its book begins with

PLAIN: Final = ""  # the places of a source: rows that depend on nothing before them
AFTER_GAP: Final = "after a gap"


class Edges(NamedTuple):
    """What a recording begins and ends with. Ids are None where it has no message of the book; `snapshot_line` is the place
    of its first book snapshot among its `lines`, None where it has none."""

    first_ns: int
    last_ns: int
    lines: int
    first: Diff | None
    last: int | None
    is_fresh: bool  # the last id is that of a snapshot
    snapshot_line: int | None

    @property
    def has_book(self) -> bool:
        return self.last is not None

    def is_followed_by(self, other: "Edges") -> bool:
        """Whether the other's first diff is the next one."""
        return (
            self.last is not None
            and other.first is not None
            and other.first.last > self.last
            and other.first.follows(self.last, self.is_fresh)
        )


def split_runs(recordings: Sequence[Edges]) -> list[list[int]]:
    """Places of recordings, in the order of time given, by runs of those that follow one another."""
    runs: list[list[int]] = []
    for place, edges in enumerate(recordings):
        if place and recordings[place - 1].is_followed_by(edges):
            runs[-1].append(place)
        else:
            runs.append([place])
    return runs


def place_head(run: Sequence[Edges], book_ns: int | None) -> str:
    """The place of the first recording of a run; `book_ns` is when a book was last told of before it, None for never."""
    head = run[0]
    if not head.has_book or (_has_snapshot(run) and (book_ns is None or book_ns >= head.first_ns)):
        return PLAIN
    return AFTER_GAP


def place_after(contents: Iterable[str]) -> str:
    """The place of a recording that follows recordings of these contents."""
    return f"after {hashlib.sha256(' '.join(contents).encode()).hexdigest()}"


def newest_book(before: Iterable[Edges], stored_ns: int | None) -> int | None:
    """When the recordings before, and the store, last told of a book; None where neither has one."""
    told = [one.last_ns for one in before if one.has_book]
    return max([*told, *([] if stored_ns is None else [stored_ns])], default=None)


def _has_snapshot(run: Sequence[Edges]) -> bool:
    """Within the head of the run, which may be longer than its first recording."""
    return any(line < HEAD_LINES for line in _snapshot_lines(run))


def _snapshot_lines(run: Sequence[Edges]) -> Iterator[int]:
    before = 0
    for edges in run:
        if edges.snapshot_line is not None:
            yield before + edges.snapshot_line
        before += edges.lines
