"""A frame of a journal by name: what `_core.frames` writes and reads as bytes.

A frame holds what one step of an actor took in and gave out: facts, outputs (its commands, and facts of its own making), and at
times a body, which is an encoded Struct. `facts` and `outputs` are arrays of 64-byte slots, as in `_core.types`.
"""

from collections.abc import Iterator
from mmap import mmap
from typing import Any, Protocol

import numpy.typing as npt
from msgspec import Struct

from tradebot._core.frames import FrameError, FrameKind, crc32c, frame_bytes, frame_parts, write_frame

__all__ = [
    "NO_DIGEST",
    "Buffer",
    "Frame",
    "FrameError",
    "FrameKind",
    "Journal",
    "Snapshot",
    "crc32c",
    "digest_halves",
    "frame_bytes",
    "put_frame",
    "read_frame",
]

Buffer = bytes | bytearray | memoryview | mmap | npt.NDArray[Any]

NO_DIGEST = "0" * 32
"""What stands in for the digest before the first frame, and in a journal that keeps none."""


class Frame(Struct, frozen=True):
    """One frame, copied out of its journal."""

    kind: FrameKind
    epoch: int
    base_sequence: int
    """Facts before this frame."""
    facts_count: int
    """A fact of two slots counts once. An actor that journals bodies only counts each as one, so that snapshots and pruning know
    where they stand.
    """
    time_ns: int
    digest: str
    """Of the run after this frame: 32 hex digits, as `kernel.digest_text`."""
    facts: bytes = b""
    outputs: bytes = b""
    body: bytes = b""

    @property
    def end_sequence(self) -> int:
        """Facts up to the end of this frame."""
        return self.base_sequence + self.facts_count

    @property
    def size(self) -> int:
        """Bytes that it takes in a journal."""
        return frame_bytes(len(self.facts), len(self.outputs), len(self.body))


def read_frame(source: Buffer, offset: int) -> Frame | None:
    """The frame at `offset`; None where there are zeros or no room for one. Raises FrameError where it is damaged."""
    parts = frame_parts(source, offset)
    return None if parts is None else Frame(FrameKind(parts[0]), *parts[1:])


def put_frame(target: bytearray | memoryview | mmap, offset: int, frame: Frame) -> int:
    """Write `frame` at `offset`; the offset after it, or -1 where it does not fit and nothing was written."""
    low, high = digest_halves(frame.digest)
    return write_frame(
        target, offset, frame.kind, frame.epoch, frame.base_sequence, frame.facts_count, frame.time_ns, low, high,
        frame.facts, frame.outputs, frame.body,
    )  # fmt: skip


def digest_halves(digest: str) -> tuple[int, int]:
    """Low and high 64 bits of a digest of 32 hex digits."""
    assert len(digest) == 32
    return int(digest[16:], 16), int(digest[:16], 16)


class Snapshot(Protocol):
    """A saved state with where in its journal it stands."""

    @property
    def sequence(self) -> int: ...

    @property
    def digest(self) -> str: ...

    @property
    def data(self) -> bytes: ...


class Journal(Protocol):
    """Where an actor writes what it took in and did, before anybody else hears of it. One writer; what `append` returned from
    is kept.
    """

    def append(self, frame: Frame, must_sync: bool = False) -> None: ...

    def settle(self) -> None:
        """What was appended survives a power cut too, where that is the policy."""

    def frames(self, after_sequence: int = 0) -> Iterator[Frame]: ...

    def save_snapshot(self, sequence: int, digest: str, data: bytes) -> None: ...

    def newest_snapshot(self) -> Snapshot | None: ...
