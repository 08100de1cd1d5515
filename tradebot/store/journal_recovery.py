"""Where a journal ends when it is opened, and what a crash left behind that.

Frames end where zeros begin. Something else behind the last whole frame is either a frame that was never whole, which is cut, or
damage. Damage is what a whole frame follows, in the segment or in a later one: it is refused, because whoever wrote those frames
has acted on them; unless all of it lies behind the newest snapshot and no start needs it: then it is passed over and said. A
single bit that flips in the very last frame cannot be told from a frame that was never whole; it is cut as well, and said.
"""

import os
from collections.abc import Generator
from pathlib import Path
from typing import Final, NamedTuple

from tradebot.domain.frames import Frame
from tradebot.store.journal_file import open_whole
from tradebot.store.journal_segments import (
    NEW_SUFFIX,
    Chain,
    Ended,
    Segment,
    check_numbers,
    list_segments,
    read_segment,
    walk_needed,
    walk_sealed,
    write_all,
)

_ZEROS: Final = bytes(1 << 20)


class Cut(NamedTuple):
    """What opening cut from the end, for the report."""

    bytes: int
    segment: Path
    why: str


class Recovered(NamedTuple):
    """Where to go on: at `offset` of `path`, or in a new segment where `path` is None."""

    chain: Chain
    path: Path | None
    offset: int
    cut: Cut | None


def recover(folder: Path, run_id: str, after_sequence: int) -> Recovered:
    """Read the last segment to its end, cut what was never whole, and remove a segment that was not made. The caller holds the
    lock, and has a snapshot of `after_sequence` facts, 0 without one. Raises LocalError where the journal is damaged behind that
    or another run's, OSError where the disk cannot be written.
    """
    clear_leftovers(folder)
    segments = list_segments(folder)
    check_numbers(segments)
    chain = Chain(run_id)
    if not segments or segments[-1].is_packed:
        return _behind(segments, chain, None, after_sequence)
    last = segments.pop()
    data = read_segment(last)
    ended = _go_to_end(walk_needed(last, data, chain, after_sequence))
    offset = ended.offset
    cut = _cut_tail(last.path, data, offset, ended.why or "it was never begun") if ended.why or not offset else None
    if offset:
        return Recovered(chain, last.path, offset, cut)
    last.path.unlink()
    return _behind(segments, chain, cut, after_sequence)


def _go_to_end(frames: Generator[Frame, None, Ended]) -> Ended:
    while True:
        try:
            next(frames)
        except StopIteration as stop:
            ended: Ended = stop.value
            return ended


def clear_leftovers(folder: Path) -> None:
    """Remove what a crash left of a segment that was not made. What compressing left is not the writer's."""
    for path in folder.glob("*" + NEW_SUFFIX):
        path.unlink()


def _behind(segments: list[Segment], chain: Chain, cut: Cut | None, after_sequence: int) -> Recovered:
    """A new segment is to be begun behind these, the last of which must be whole."""
    for segment in segments[-1:]:
        for _ in walk_sealed(segment, chain, after_sequence):
            pass
    return Recovered(chain, None, 0, cut)


def _cut_tail(path: Path, data: bytes, offset: int, why: str) -> Cut:
    """Zeros from `offset` on."""
    end = len(data.rstrip(b"\0"))
    descriptor = open_whole(path)
    try:
        for at in range(offset, end, len(_ZEROS)):
            write_all(descriptor, _ZEROS[: end - at], at)
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
    return Cut(max(end - offset, 0), path, why)
