"""When a journal ends: the time of its last whole frame, found without reading all of its last segment.

A segment is written from its beginning and zeros follow, so its end is looked for by halves, and the last frame backwards from
there. A page of zeros inside a frame may have the end found too early, and an earlier frame taken for the last.
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tradebot._core.frames import HEADER_BYTES, MAGIC
from tradebot.domain.errors import LocalError
from tradebot.domain.frames import FrameError, read_frame
from tradebot.store.journal_segments import Segment, list_segments, read_segment

PAGE: Final = 4_096
WINDOW: Final = 1 << 18  # looked through for the last frame first; then eight times as much
LAST_SEGMENTS: Final = 2  # the last may have been begun and hold no frame yet

Read = Callable[[int, int], bytes]
"""So many bytes at an offset."""


def end_ns(folder: Path) -> int:
    """The stamp of the last frame of the journal in `folder`; 0 where it has none. Raises LocalError where the disk fails."""
    for segment in list_segments(folder)[: -LAST_SEGMENTS - 1 : -1]:
        with contextlib.suppress(FileNotFoundError):
            if found := _end_of(segment):
                return found
    return 0


def _end_of(segment: Segment) -> int:
    if segment.is_packed:
        data = read_segment(segment)
        return _last_ns(lambda count, at: data[at : at + count], len(data))
    descriptor = os.open(segment.path, os.O_RDONLY)
    try:
        return _last_ns(lambda count, at: os.pread(descriptor, count, at), os.fstat(descriptor).st_size)
    except OSError as error:
        raise LocalError(f"expected to read {segment.path}, found: {error.strerror}; check the disk") from error
    finally:
        os.close(descriptor)


def _last_ns(read: Read, size: int) -> int:
    end, window = _used(read, size), WINDOW
    while True:
        start = max(0, end - window) // PAGE * PAGE
        if found := _last_in(read(end - start, start)):
            return found
        if not start:
            return 0
        window *= 8


def _last_in(data: bytes) -> int:
    at = data.rfind(MAGIC)
    while at >= 0:
        with contextlib.suppress(FrameError):
            if at % HEADER_BYTES == 0 and (frame := read_frame(data, at)) is not None:
                return frame.time_ns
        at = data.rfind(MAGIC, 0, at)
    return 0


def _used(read: Read, size: int) -> int:
    """Up to where something is written, by pages."""
    low, high = 0, -(-size // PAGE)
    while low < high:
        middle = (low + high) // 2
        if any(read(PAGE, middle * PAGE)):
            low = middle + 1
        else:
            high = middle
    return min(low * PAGE, size)
