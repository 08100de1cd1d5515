"""What becomes of sealed segments: compressed, then removed when they are old and nobody needs them.

A segment is sealed when another follows it whose head is whole: no start takes that one back then, and nothing is appended to the
one before. The head says where the one before ended, in facts and in time, so nothing has to be read to decide what is old.

It is not the writer who does this, and it is never waited for: any process may, one at a time by a lock of their own. Readers
find the compressed file where the plain one was. Segments go from the oldest on, each on the disk before the next, so that no
crash leaves a hole.
"""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from tradebot.domain.errors import LocalError
from tradebot.store.journal_lock import only_packer
from tradebot.store.journal_packing import PACKING_SUFFIX, never_rest, pack
from tradebot.store.journal_segments import (
    Chain,
    Place,
    Segment,
    list_segments,
    packed_name,
    read_head,
    read_segment,
    segment_name,
    sync_folder,
    walk_whole,
)


def prune_segments(folder: Path, before_ns: int, needed: int | None) -> list[int]:
    """Remove the oldest segments that end before `before_ns` and no later than fact `needed`; their numbers. Where that is None
    all are needed. Raises LocalError.
    """
    with only_packer(folder) as is_ours:
        return _prune(folder, before_ns, needed) if is_ours and needed is not None else []


def _prune(folder: Path, before_ns: int, needed: int) -> list[int]:
    removed = []
    for segment, following in pairwise(list_segments(folder)):
        head = read_head(following)
        if head.time_ns >= before_ns or head.base_sequence >= needed:  # what has no fact and ends there comes after it
            break
        try:
            _remove(segment)
        except OSError as error:
            raise LocalError(f"expected to remove {segment.path}, found: {error.strerror}; make the folder writable") from error
        removed.append(segment.number)
    return removed


def pack_segments(folder: Path, run_id: str, segments_max: int | None = None) -> list[int]:
    """Compress the oldest sealed segments that are not yet, at most `segments_max` of them; their numbers. Raises LocalError
    where one is damaged, and leaves it, or the disk is full.
    """
    with only_packer(folder) as is_ours:
        if not is_ours:
            return []
        clear_packing(folder)
        chosen = plain_segments(folder)[:segments_max]
        for segment, following in chosen:
            pack_segment(segment, read_whole(segment, following, run_id))
        return [segment.number for segment, _ in chosen]


def clear_packing(folder: Path) -> None:
    """Remove what a crash left of compressing: files that are not whole, and plain ones that were compressed. The caller is the
    `only_packer`. Raises LocalError.
    """
    try:
        for path in folder.glob("*" + PACKING_SUFFIX):
            path.unlink()
        for segment in list_segments(folder):
            if segment.is_packed:
                (folder / segment_name(segment.number)).unlink(missing_ok=True)
    except OSError as error:
        raise LocalError(f"expected to tidy up {folder}, found: {error.strerror}; make it writable") from error


def plain_segments(folder: Path) -> list[tuple[Segment, Segment]]:
    """Sealed ones that are not compressed, the oldest first, each with the one that follows it."""
    return [(segment, following) for segment, following in pairwise(list_segments(folder)) if not segment.is_packed]


def read_whole(
    segment: Segment, following: Segment, run_id: str, rest: Callable[[], None] = never_rest
) -> memoryview:
    """The bytes of a sealed segment up to its last frame, every one of them looked at, and that the next goes on from it;
    `rest` is called between two frames. Raises LocalError where it is damaged.
    """
    head, chain = read_head(following), Chain(run_id)
    data = read_segment(segment)
    used = 0
    for frame in walk_whole(segment, data, chain):
        used += frame.size
        rest()
    chain.take(head, Place(following.path, 0))
    return memoryview(data)[:used]


def pack_segment(segment: Segment, data: memoryview, rest: Callable[[], None] = never_rest) -> None:
    """Put a compressed file in the place of a plain one. The caller is the `only_packer`. Raises LocalError where the disk is
    full, and leaves the segment.
    """
    folder = segment.path.parent
    path = folder / packed_name(segment.number)
    try:
        pack(data, path, rest)
        sync_folder(folder)
        segment.path.unlink()
    except OSError as error:
        path.with_name(path.name + PACKING_SUFFIX).unlink(missing_ok=True)
        raise LocalError(
            f"expected to compress {segment.path}, found: {error.strerror}; it stays as it is: free some space"
        ) from error


def _remove(segment: Segment) -> None:
    folder = segment.path.parent
    for name in (segment_name, packed_name):
        (folder / name(segment.number)).unlink(missing_ok=True)
    sync_folder(folder)
