"""The journal: what an actor took in and gave out, frame after frame, written before it acts.

It knows frames (`domain.frames`) and nothing of trading; engine, gateway and paper venue have one each. There is one writer, by a
lock. Opening it is recovery: the last segment is read to its end. Frames end where zeros begin; what a crash left of a frame
that was never whole is cut and said in `cut`. Anything damaged that a whole frame follows is refused, because what
was acted on would be lost in silence.

A segment is allocated whole, so that a full disk is an error at its making and never a signal in the middle; the frame that
did not fit is then not begun, and the journal goes on once there is room.

How much survives a power cut is the caller's choice: `sync` "none" leaves it to the kernel, "place" flushes the frames that the
caller marks, and where it settles before it tells somebody, "each" all. A killed process loses nothing under any of them.
"""

import os
import sys
from collections.abc import Iterator
from mmap import mmap
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, NamedTuple, NoReturn, Self

from tradebot._core.frames import FrameKind, frame_bytes, write_frame
from tradebot.domain.errors import EXIT_FAILED, LocalError
from tradebot.domain.frames import Buffer, Frame, digest_halves
from tradebot.store.journal_file import MappedFile, NoFile, OpenFile, WrittenFile
from tradebot.store.journal_lock import WriterLock
from tradebot.store.journal_range import first_needed, gone, is_needed
from tradebot.store.journal_recovery import Cut, recover
from tradebot.store.journal_retention import pack_segments, prune_segments
from tradebot.store.journal_segments import Chain, Segment, head_bytes, list_segments, make_segment, read_head, walk_sealed
from tradebot.store.journal_snapshots import Snapshot, Snapshots

SEGMENT_BYTES: Final = 64 << 20
SEGMENT_BYTES_MIN: Final = 4_096
_PAGE: Final = 4_096
_SEGMENT: Final = int(FrameKind.SEGMENT)
_CLOSED: Final = "expected an open journal, found it closed"

Write = Literal["mmap", "write"]
Sync = Literal["none", "place", "each"]


class Last(NamedTuple):
    """Where a journal ends."""

    sequence: int
    """Facts in it."""
    digest: str
    """That of the last frame; `NO_DIGEST` before the first."""
    epoch: int


def end_fork(folder: Path) -> NoReturn:
    """End this process at once: nothing of its parent's may be closed or told."""
    sys.stderr.write(f"expected the one process that writes {folder}, found a fork of it, which ends: a strategy must not fork\n")
    sys.stderr.flush()
    os._exit(EXIT_FAILED)


class Journal:
    """Made by `create_or_open`. `last` says where it ends, `cut` what opening cut, `passed_over` what it found damaged behind the
    newest whole snapshot, and snapshots that are, in words.
    """

    _number: int
    _offset: int
    _sequence: int
    _epoch: int
    _time_ns: int
    _digest_low: int
    _digest_high: int

    def __init__(self, folder: Path, run_id: str, segment_bytes: int, write: Write, sync: Sync) -> None:
        assert segment_bytes >= SEGMENT_BYTES_MIN and segment_bytes % _PAGE == 0
        self.folder = folder
        self.run_id = run_id
        self.cut: Cut | None = None
        self.passed_over: list[str] = []
        self._segment_bytes = segment_bytes
        self._pid = os.getpid()
        self._write = write
        self._syncs_marked = sync != "none"
        self._syncs_each = sync == "each"
        self._is_settled = True
        self._file: OpenFile = NoFile(_CLOSED)
        self._map: mmap | None = None
        self._snapshots = Snapshots(folder)
        self._stand_at(Chain(run_id))
        self._lock = _lock(folder)
        try:
            self._recover()
        except BaseException:
            self.close()
            raise

    @classmethod
    def create_or_open(
        cls, folder: Path, run_id: str, *, segment_bytes: int = SEGMENT_BYTES, write: Write = "mmap", sync: Sync = "none"
    ) -> Self:
        """The journal of `run_id` in `folder`, begun where there is none.

        Raises LocalError: another process writes it, it is another run's, it is damaged, the disk is full or read-only.
        """
        return cls(folder, run_id, segment_bytes, write, sync)

    @property
    def last(self) -> Last:
        return Last(self._sequence, f"{self._digest_high:016x}{self._digest_low:016x}", self._epoch)

    @property
    def time_ns(self) -> int:
        """The stamp of the last frame; 0 before the first."""
        return self._time_ns

    @property
    def segment(self) -> int:
        """The number of the segment that is being written; lower ones are sealed."""
        return self._number

    def append(self, frame: Frame, must_sync: bool = False) -> None:
        """Write one frame, which goes on from the last. Raises LocalError, and then nothing of it was written."""
        low, high = digest_halves(frame.digest)
        self.append_parts(
            frame.kind, frame.epoch, frame.base_sequence, frame.facts_count, frame.time_ns, low, high,
            frame.facts, frame.outputs, frame.body, must_sync,
        )  # fmt: skip

    def append_parts(
        self,
        kind: int,
        epoch: int,
        base_sequence: int,
        facts_count: int,
        time_ns: int,
        digest_low: int,
        digest_high: int,
        facts: Buffer,
        outputs: Buffer,
        body: Buffer,
        must_sync: bool = False,
    ) -> None:
        """`append` without a Frame: what an engine calls once a batch."""
        if os.getpid() != self._pid:  # a fork, by a strategy say, that came back from it: two would write the one journal
            end_fork(self.folder)
        assert base_sequence == self._sequence
        assert epoch >= self._epoch
        assert kind != _SEGMENT
        end = -1
        if self._map is not None:  # not by way of `_file.put`: the call would cost as much as the checksum
            end = write_frame(
                self._map, self._offset, kind, epoch, base_sequence, facts_count, time_ns, digest_low, digest_high,
                facts, outputs, body,
            )  # fmt: skip
        if end < 0:
            parts = (kind, epoch, base_sequence, facts_count, time_ns, digest_low, digest_high, facts, outputs, body)
            end = self._put(parts, frame_bytes(_size(facts), _size(outputs), _size(body)))
        self._offset = end
        self._sequence = base_sequence + facts_count
        self._epoch, self._time_ns, self._digest_low, self._digest_high = epoch, time_ns, digest_low, digest_high
        self._is_settled = False
        if self._syncs_each or (must_sync and self._syncs_marked):
            self.flush()

    def frames(self, after_sequence: int = 0) -> Iterator[Frame]:
        """The frames that go beyond fact `after_sequence`, in order; those that lie across it or hold no fact and begin there
        are given whole. Raises LocalError where one is damaged, or what is asked for is pruned.
        """
        segments = list_segments(self.folder)
        if segments and read_head(segments[0]).base_sequence > after_sequence:
            raise gone(self.folder, after_sequence, read_head(segments[0]).base_sequence)
        return self._frames(segments[first_needed(segments, after_sequence) :], after_sequence)

    def _frames(self, segments: list[Segment], after_sequence: int) -> Iterator[Frame]:
        chain = Chain(self.run_id)
        for segment in segments:
            for frame in walk_sealed(segment, chain, after_sequence):
                if is_needed(frame, after_sequence):
                    yield frame

    def settle(self) -> None:
        """Flush, unless nothing was written since, or the policy is "none". Raises as `flush`."""
        if self._syncs_marked and not self._is_settled:
            self.flush()

    def flush(self) -> None:
        """Everything written so far onto the disk. Raises LocalError; the journal must then be opened anew."""
        try:
            self._file.flush()
            self._is_settled = True
        except OSError as error:
            why = f"expected to flush the journal in {self.folder}, found: {error.strerror}; check the disk, then start again"
            self._use(NoFile(why))
            raise LocalError(why) from error

    def save_snapshot(self, sequence: int, digest: str, data: bytes) -> None:
        """Keep the state after `sequence` facts; the newest few are kept. The journal is flushed before, so that no power cut
        leaves a snapshot of facts that are not in it. Raises LocalError.
        """
        assert sequence <= self._sequence
        self.flush()
        self._snapshots.save(sequence, digest, data)

    def newest_snapshot(self, not_after: int | None = None) -> Snapshot | None:
        """The newest whole one of no more than `not_after` facts, or of what the journal holds."""
        return self._snapshots.newest(self._sequence if not_after is None else min(not_after, self._sequence))

    def prune(self, keep_ns: int, now_ns: int) -> list[int]:
        """Remove whole sealed segments that end more than `keep_ns` before `now_ns` and before the oldest snapshot; their
        numbers. Without a whole snapshot all are needed. Raises LocalError.
        """
        return prune_segments(self.folder, now_ns - keep_ns, self._snapshots.needed())

    def compress(self, segments_max: int | None = None) -> list[int]:
        """Compress sealed segments, the oldest first, at most `segments_max`; their numbers. It takes a third of a second for
        64 MiB; another thread or process may call it while frames are appended. Raises LocalError.
        """
        return pack_segments(self.folder, self.run_id, segments_max)

    def close(self) -> None:
        """Let go of the journal; flushed where the policy is any but "none"."""
        try:
            if self._syncs_marked and not isinstance(self._file, NoFile):
                self.flush()
        finally:
            self._use(NoFile(_CLOSED))
            self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _recover(self) -> None:
        """Go on behind the last whole frame."""
        try:
            newest = self._snapshots.newest()
            found = recover(self.folder, self.run_id, newest.sequence if newest else 0)
            self.cut, self.passed_over = found.cut, [*found.chain.passed_over, *self._snapshots.bad]
            self._stand_at(found.chain)
            if found.path is None:
                self._begin_segment(found.chain, 0)
            else:
                self._offset = found.offset
                self._use(self._open(found.path))
        except OSError as error:
            raise LocalError(f"expected to write the journal in {self.folder}, found: {error.strerror}; {_REMEDY}") from error

    def _stand_at(self, chain: Chain) -> None:
        self._number, self._offset = chain.segment, 0
        self._sequence, self._epoch, self._time_ns = chain.sequence, chain.epoch, chain.time_ns
        self._digest_low, self._digest_high = digest_halves(chain.digest)

    def _put(self, parts: tuple[int | Buffer, ...], frame_size: int) -> int:
        """Write a frame by way of the file, into the next segment where this one has no room; the offset after it."""
        if (end := self._file.put(self._offset, *parts)) < 0:
            self._roll(frame_size)
            end = self._file.put(self._offset, *parts)
        return end

    def _roll(self, frame_size: int) -> None:
        """Seal the segment and begin the next, which is longer than others where one frame needs it."""
        if self._syncs_marked:
            self.flush()  # what is flushed later must not stand on what is lost
        chain = Chain(self.run_id)
        chain.segment, chain.sequence, chain.epoch, chain.time_ns = self._number, self._sequence, self._epoch, self._time_ns
        chain.digest = self.last.digest
        self._begin_segment(chain, frame_size)

    def _begin_segment(self, chain: Chain, frame_size: int) -> None:
        head = head_bytes(self.run_id)
        size = max(self._segment_bytes, -(-(head + frame_size) // _PAGE) * _PAGE)
        path = make_segment(self.folder, chain.segment + 1, size, self.run_id, chain, self._syncs_marked)
        try:
            opened = self._open(path)
        except LocalError as error:  # the next is there, so this one is sealed: whoever compresses it may have begun
            self._use(NoFile(str(error)))
            raise
        self._number, self._offset = chain.segment + 1, read_head(Segment(chain.segment + 1, path, False)).size
        self._use(opened)

    def _open(self, path: Path) -> OpenFile:
        return MappedFile(path) if self._write == "mmap" else WrittenFile(path)

    def _use(self, file: OpenFile) -> None:
        self._file.close()
        self._file = file
        self._map = file.map


_REMEDY: Final = "make the folder writable and free some space, or give another --home"


def _lock(folder: Path) -> WriterLock:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return WriterLock(folder)
    except OSError as error:
        raise LocalError(f"expected to write the journal in {folder}, found: {error.strerror}; {_REMEDY}") from error


def _size(part: Buffer) -> int:
    return memoryview(part).nbytes  # type: ignore[arg-type]
