"""The segment that is being written, in one of two ways.

`MappedFile` writes into a shared mapping: no system call a frame, and a killed process loses nothing, because the kernel has the
pages. `WrittenFile` calls write(): slower, for file systems where a mapping is not to be trusted. Both leave the magic for last,
so that a reader beside never takes half a frame. `NoFile` is what stands there when neither may be used any more.

A flush that failed is never tried again: the kernel may have dropped the pages and would report success (PostgreSQL's
"fsyncgate"). The journal then has to be opened anew, which reads what really is there.
"""

import contextlib
import mmap
import os
from pathlib import Path
from typing import Final

from tradebot._core.frames import HEADER_BYTES, write_frame
from tradebot.domain.errors import LocalError
from tradebot.domain.frames import Buffer
from tradebot.store.journal_segments import write_all

_MAGIC_BYTES: Final = 4


class MappedFile:
    """A segment in a mapping; `map` is what frames are written into."""

    def __init__(self, path: Path) -> None:
        self._descriptor = open_whole(path)
        try:
            self.map: mmap.mmap | None = mmap.mmap(self._descriptor, 0)
        except OSError as error:
            os.close(self._descriptor)
            raise LocalError(f"expected to map {path} into memory, found: {error.strerror}; free some memory") from error

    def put(self, offset: int, *parts: int | Buffer) -> int:
        """As `write_frame`: the offset after it, or -1."""
        assert self.map is not None
        return write_frame(self.map, offset, *parts)  # type: ignore[arg-type]

    def flush(self) -> None:
        """Onto the disk. Raises OSError. Linux writes back what a mapping has dirtied, too."""
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        if self.map is not None:
            self.map.close()
            self.map = None
            os.close(self._descriptor)


class WrittenFile:
    """A segment by way of write()."""

    map = None

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = open_whole(path)
        self._size = os.fstat(self._descriptor).st_size
        self._frame = bytearray(1 << 16)

    def put(self, offset: int, *parts: int | Buffer) -> int:
        """As `write_frame`. Raises LocalError where the disk refuses, and what was written of the frame is zeros again."""
        while (size := write_frame(self._frame, 0, *parts)) < 0:  # type: ignore[arg-type]
            self._frame = bytearray(2 * len(self._frame))
        if offset + size > self._size:
            return -1
        whole = memoryview(self._frame)[:size]
        try:
            write_all(self._descriptor, whole[_MAGIC_BYTES:], offset + _MAGIC_BYTES)
            write_all(self._descriptor, whole[:_MAGIC_BYTES], offset)
        except OSError as error:
            self._take_back(offset, size)
            raise LocalError(
                f"expected to write {size} bytes to {self._path}, found: {error.strerror}; nothing of it was kept: free some "
                "space, the journal goes on once there is room"
            ) from error
        return offset + size

    def _take_back(self, offset: int, size: int) -> None:
        """A disk that refuses this as well leaves bytes without a magic, which the next frame, or the next opening, clears."""
        for at in (offset, offset + _MAGIC_BYTES):
            with contextlib.suppress(OSError):
                write_all(self._descriptor, bytes(_MAGIC_BYTES if at == offset else size - _MAGIC_BYTES), at)

    def flush(self) -> None:
        """Onto the disk. Raises OSError."""
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class NoFile:
    """In the place of a file that may not be written any more: every call says why."""

    map = None

    def __init__(self, why: str) -> None:
        self._why = why

    def put(self, offset: int, *parts: int | Buffer) -> int:
        raise LocalError(self._why)

    def flush(self) -> None:
        raise LocalError(self._why)

    def close(self) -> None:
        """There is nothing to close."""


OpenFile = MappedFile | WrittenFile | NoFile


def open_whole(path: Path) -> int:
    """A descriptor of a segment whose bytes are all allocated: a copy may have come with holes, which a mapping fills by SIGBUS.
    One that was cut off in the middle of a header is made whole by zeros. Raises LocalError.
    """
    try:
        descriptor = os.open(path, os.O_RDWR)
        try:
            size = os.fstat(descriptor).st_size
            os.posix_fallocate(descriptor, 0, max(-(-size // HEADER_BYTES), 1) * HEADER_BYTES)
        except BaseException:
            os.close(descriptor)
            raise
    except OSError as error:
        raise LocalError(f"expected to write {path}, found: {error.strerror}; make it writable and free some space") from error
    return descriptor
