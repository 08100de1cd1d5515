"""What becomes of sealed segments: compressed, then removed when they are old and no snapshot needs them.

A segment is sealed when another follows it. The next one's head says where it ended, in facts and in time, so nothing has to
be read to decide. Both are the writer's business, for it alone holds the lock; readers find the
compressed file where the plain one was.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from tradebot.domain.errors import LocalError
from tradebot.store.journal_packing import pack
from tradebot.store.journal_segments import (
    NEW_SUFFIX,
    Chain,
    Segment,
    list_segments,
    packed_name,
    read_head,
    read_segment,
    sync_folder,
    walk_sealed,
)


def prune_segments(folder: Path, before_ns: int, snapshots: Sequence[int]) -> list[int]:
    """Remove the oldest segments that end before `before_ns` and before the oldest snapshot; their numbers. Without a snapshot
    all are needed. Raises LocalError.
    """
    segments = list_segments(folder)
    removed = []
    for segment, following in pairwise(segments):
        head = read_head(following)
        if not snapshots or head.time_ns >= before_ns or head.base_sequence > snapshots[0]:
            break
        _remove(segment)
        removed.append(segment.number)
    if removed:
        sync_folder(folder)
    return removed


def pack_segments(folder: Path, run_id: str, segments_max: int | None = None) -> list[int]:
    """Compress the oldest sealed segments that are not yet, at most `segments_max` of them; their numbers. Raises LocalError
    where one is damaged, and leaves it, or the disk is full.
    """
    sealed = [segment for segment in list_segments(folder)[:-1] if not segment.is_packed][:segments_max]
    for segment in sealed:
        _pack(folder, run_id, segment)
    return [segment.number for segment in sealed]


def _pack(folder: Path, run_id: str, segment: Segment) -> None:
    used = sum(frame.size for frame in walk_sealed(segment, Chain(run_id)))
    path = folder / packed_name(segment.number)
    new = path.with_name(path.name + NEW_SUFFIX)
    try:
        pack(read_segment(segment)[:used], path, new)
        sync_folder(folder)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise LocalError(
            f"expected to compress {segment.path}, found: {error.strerror}; it stays as it is: free some space"
        ) from error
    try:
        segment.path.unlink()
    except FileNotFoundError:  # pruned meanwhile: it must not come back, for those behind it may be gone as well
        path.unlink(missing_ok=True)


def _remove(segment: Segment) -> None:
    for path in (segment.path, segment.path.parent / packed_name(segment.number)):
        path.unlink(missing_ok=True)
