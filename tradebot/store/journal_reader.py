"""Follow a journal that another process writes: store, monitor and feedback read it and are never called by it.

No lock is taken. The writer puts a frame's magic last and a reader checks the checksum, so `poll` gives whole frames only; what
looks damaged at the end is read again a few times before it is believed. When the next segment is there the one before it is
sealed; it is read once more, then left. A segment that is compressed meanwhile is read from its compressed file, one that is
pruned before it was read is an error. Where both files are there, which a crash leaves, the compressed one is read.
"""

import os
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tradebot._core.frames import HEADER_BYTES
from tradebot.domain.errors import LocalError
from tradebot.domain.frames import Frame, FrameError, read_frame
from tradebot.store.journal_range import first_head, first_needed, gone, is_needed
from tradebot.store.journal_segments import (
    Chain,
    Place,
    Segment,
    corrupt,
    is_behind,
    list_segments,
    next_frame,
    packed_name,
    read_head,
    read_segment,
    segment_name,
)

FRAMES_MAX: Final = 1_024
CHUNK_BYTES: Final = 1 << 20
READS_MAX: Final = 3


class JournalReader:
    """The frames of the journal in `folder` that go beyond fact `after_sequence`, as they come; all that are kept where it is
    None.

    A folder without a journal is one that is not begun yet. Frames that lie across `after_sequence`, and those without a fact
    that begin there, are given whole.
    """

    def __init__(self, folder: Path, after_sequence: int | None = 0) -> None:
        self.folder = folder
        self.first = first_head(folder) if after_sequence is None else None
        self.after_sequence = after_sequence or (self.first.base_sequence if self.first else 0)
        self._chain = Chain()
        self._number = 0
        self._offset = 0
        self._is_last = False
        self._descriptor = -1
        self._packed = b""
        self._next: list[str] = []

    @property
    def sequence(self) -> int:
        """Facts read over so far; what it began with before the first frame."""
        return max(self._chain.sequence, self.after_sequence)

    @property
    def reached(self) -> int:
        """The last fact that was read, whether it was wanted or not; 0 before the first frame."""
        return self._chain.sequence

    @property
    def place(self) -> tuple[int, int]:
        """The segment, and the byte in it, where the next frame is looked for."""
        return self._number, self._offset

    def poll(self, frames_max: int = FRAMES_MAX) -> list[Frame]:
        """What has come since, at most `frames_max` frames; empty where nothing has.

        Raises LocalError where what comes next is pruned or damaged.
        """
        found: list[Frame] = []
        if not self._number and not self._begin():
            return found
        try:
            while len(found) < frames_max and self._step(found, frames_max):
                pass
        except LocalError:
            if not found:
                raise
        return found  # what is wrong behind them is said by the next call

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._packed = -1, b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _begin(self) -> bool:
        """Open the segment that what is wanted lies in; False where there is none yet."""
        segments = list_segments(self.folder)
        if not segments:
            return False
        try:
            first = read_head(segments[0]).base_sequence
            if self.first is not None and first > self.after_sequence:  # all that is kept: it was pruned since we looked
                self.first, self.after_sequence = first_head(self.folder), first
            if first > self.after_sequence:
                raise gone(self.folder, self.after_sequence, first)
            number = segments[first_needed(segments, self.after_sequence)].number
        except FileNotFoundError:
            return False  # pruned at this moment: the next poll finds the others, or says what is gone
        self._open(number)
        return True

    def _step(self, found: list[Frame], frames_max: int) -> bool:
        """Read on, or go to the next segment where this one was sealed before it was read to its end; False where there is
        nothing to do.
        """
        is_sealed = self._has_next()
        if self._read(found, frames_max):
            return True
        if is_sealed:
            self._open(self._number + 1)
        return is_sealed

    def _has_next(self) -> bool:
        if any(os.path.exists(path) for path in self._next):  # noqa: PTH110 - at every poll, and a Path takes three times as long
            return True
        if self._descriptor >= 0 and self._is_last and os.fstat(self._descriptor).st_nlink:
            return False
        later = [segment.number for segment in list_segments(self.folder) if segment.number > self._number]
        if later and later[0] != self._number + 1:
            raise self._gone()
        self._is_last = not later  # what comes behind it later is found by its name
        return bool(later)

    def _open(self, number: int) -> None:
        self.close()
        path = self.folder / segment_name(number)
        try:
            if (self.folder / packed_name(number)).exists():
                self._packed = self._unpack(number)
            else:
                self._descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            self._packed = self._unpack(number)
        except OSError as error:
            raise LocalError(f"expected to read {path}, found: {error.strerror}; check its permissions") from error
        self._number, self._offset, self._is_last = number, 0, False
        self._next = [str(self.folder / name(number + 1)) for name in (segment_name, packed_name)]

    def _unpack(self, number: int) -> bytes:
        try:
            return read_segment(Segment(number, self.folder / packed_name(number), True))
        except FileNotFoundError:
            raise self._gone() from None

    def _gone(self) -> LocalError:
        """Pruning takes the oldest; where one before this is there, another hand took what comes next."""
        segments = list_segments(self.folder)
        if segments and segments[0].number <= self._number:
            return LocalError(
                f"expected {self.folder / segment_name(self._number + 1)} behind fact {self.sequence}, or compressed, found only "
                "later ones: bring it back; `tradebot journal verify` lists all that is missing"
            )
        first = read_head(segments[0]).base_sequence if segments else 0
        return gone(self.folder, self.sequence, first)

    def _read(self, found: list[Frame], frames_max: int) -> bool:
        """Add the frames that follow; False where none does."""
        before = self._offset
        data, start = self._bytes(CHUNK_BYTES), self._offset
        while len(found) < frames_max and (frame := self._frame(data, self._offset - start)):
            self._chain.take(frame, Place(self.folder / segment_name(self._number), self._offset))
            self._offset += frame.size
            if is_needed(frame, self.after_sequence):
                found.append(frame)
        return self._offset > before

    def _frame(self, data: bytes, at: int) -> Frame | None:
        """The frame `at` bytes into `data`. Where it is not whole there, it may be longer than what was read, or be written at
        this moment: then it is read again by itself.
        """
        if len(data) - at < HEADER_BYTES and len(data) < CHUNK_BYTES:
            return None
        try:
            return read_frame(data, at)
        except FrameError as error:
            why = error.why
        if at:
            return None  # the next chunk begins with it
        for _ in range(READS_MAX):
            rest = self._bytes(None)
            try:
                return read_frame(rest, 0)
            except FrameError as error:
                why = error.why
        place = Place(self.folder / segment_name(self._number), self._offset)
        following = next_frame(rest, HEADER_BYTES)
        if following < 0 or not is_behind(rest, following, self.after_sequence):
            raise corrupt(place, why)
        self._chain.pass_over(self._number, f"{place}: {why}")
        self._offset += following
        return None

    def _bytes(self, bytes_max: int | None) -> bytes:
        """What lies at the place reached, to the end of the segment without `bytes_max`; where nothing was written yet, no more
        than a header is looked at.
        """
        if self._descriptor < 0:
            return self._packed[self._offset :] if bytes_max is None else self._packed[self._offset : self._offset + bytes_max]
        if bytes_max is not None and not any(os.pread(self._descriptor, 4, self._offset)):
            return b""
        size = bytes_max or max(os.fstat(self._descriptor).st_size - self._offset, 0)
        return os.pread(self._descriptor, size, self._offset)
