"""The files of a journal: a folder of segments `00000001.tbj`, each allocated whole before the first byte goes in.

The first frame of a segment is the journal's own: it says of which run the segment is, which number it has, and where the
sequence and the digest stood, so that a reader can begin at any segment and one from elsewhere is noticed. A sealed segment may
be compressed to `00000001.tbj.zst`; where both are there that one counts.

A segment comes to be under another name and is renamed when it is allocated and begun: one that has its name is whole.
Everything is read with read(), never through a mapping: a failing disk is then an error and not a signal.
"""

import contextlib
import os
import re
from collections.abc import Generator, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
from msgspec import Struct

from tradebot._core.frames import HEADER_BYTES, MAGIC
from tradebot.domain.errors import LocalError
from tradebot.domain.frames import NO_DIGEST, Frame, FrameError, FrameKind, put_frame, read_frame
from tradebot.store.journal_packing import SUFFIX as PACKED_SUFFIX
from tradebot.store.journal_packing import unpack, unpack_start

FORMAT: Final = 1
SUFFIX: Final = ".tbj"
NEW_SUFFIX: Final = ".new"
"""Of what is not whole yet; the next writer removes it."""

_NAME: Final = re.compile(r"(\d{8})\.tbj(\.zst)?")
_HEAD_BYTES_MAX: Final = 4_096
LISTINGS_MAX: Final = 3


class Head(Struct, frozen=True):
    """The body of a segment's first frame."""

    format: int
    run_id: str
    segment: int
    previous_digest: str


class Segment(NamedTuple):
    """One file of a journal."""

    number: int
    path: Path
    is_packed: bool


class Place(NamedTuple):
    """Where a frame lies, as errors name it."""

    path: Path
    offset: int

    def __str__(self) -> str:
        return f"{self.path} at byte {self.offset}"


class Chain:
    """What each frame must continue: the sequence, the epoch, and over segments the run, the number and the digest.

    It begins anywhere: the first segment's head says where things stand.
    """

    def __init__(self, run_id: str | None = None) -> None:
        self.run_id = run_id
        self.segment = 0
        self.sequence = 0
        self.epoch = 0
        self.time_ns = 0
        self.digest = NO_DIGEST
        self.passed_over: list[str] = []
        """What was damaged and not needed, in words, for the report."""
        self._is_known = True

    def take(self, frame: Frame, place: Place) -> None:
        """Raises LocalError where the frame does not continue what came before it."""
        if frame.kind == FrameKind.SEGMENT:
            self._take_head(frame, place)
        elif not self.segment:
            raise corrupt(place, "expected the first frame of a segment")
        if not self._is_known:
            self.go_on_behind(frame)
        elif frame.base_sequence != self.sequence:
            raise corrupt(place, f"expected the frame after fact {self.sequence}, found that after {frame.base_sequence}")
        elif frame.epoch < self.epoch:
            raise corrupt(place, f"expected epoch {self.epoch} or later, found {frame.epoch}")
        self.go_on_behind(frame)

    def go_on_behind(self, frame: Frame) -> None:
        """Stand at the end of this frame, whatever came before."""
        self.sequence, self.epoch, self.time_ns = frame.end_sequence, frame.epoch, frame.time_ns
        self.digest, self._is_known = frame.digest, True

    def forget(self, segment: int) -> None:
        """Frames of this segment are lost: the next one is believed."""
        self.segment, self._is_known = segment, False

    def pass_over(self, segment: int, why: str) -> None:
        """As `forget`, of frames that nobody needs."""
        self.passed_over.append(why)
        self.forget(segment)

    def _take_head(self, frame: Frame, place: Place) -> None:
        head = decode_head(frame, place)
        if self.run_id not in (None, head.run_id):
            raise LocalError(
                f"expected the journal of run {self.run_id} in {place.path}, found that of run {head.run_id}; name that run"
            )
        is_next = not self.segment or (head.segment == self.segment + 1 and (frame.digest == self.digest or not self._is_known))
        if not is_next:
            raise corrupt(place, f"expected segment {self.segment + 1} to go on from digest {self.digest}, found another")
        if place.offset or head.previous_digest != frame.digest:
            raise corrupt(place, "expected the first frame of a segment at its beginning")
        if not self.segment:
            self.sequence, self.epoch = frame.base_sequence, frame.epoch
        self.run_id, self.segment = head.run_id, head.segment


def corrupt(place: Place, why: str) -> LocalError:
    """What is said of a journal that must not be gone on with."""
    return LocalError(
        f"expected a whole journal, found {place}: {why}; nothing was changed: see `tradebot journal verify "
        f"{place.path.parent}`, then bring the file back from a copy"
    )


def decode_head(frame: Frame, place: Place) -> Head:
    """Raises LocalError where it is none of ours."""
    try:
        head = msgspec.msgpack.decode(frame.body, type=Head)
    except msgspec.MsgspecError as error:
        raise corrupt(place, f"its head cannot be read: {error}") from error
    if frame.kind != FrameKind.SEGMENT:
        raise corrupt(place, "expected the first frame of a segment")
    if head.format != FORMAT:
        raise LocalError(f"expected a journal of format {FORMAT} in {place.path}, found {head.format}; update tradebot")
    return head


def list_segments(folder: Path) -> list[Segment]:
    """In order; the compressed file where both are there.

    A large folder is not listed in one instant: one that is compressed meanwhile may be missed under both names. So where one
    is missing it is looked again.
    """
    for _ in range(LISTINGS_MAX):
        found = _list_once(folder)
        if not found or found[-1].number - found[0].number == len(found) - 1:
            break
    return found


def _list_once(folder: Path) -> list[Segment]:
    found: dict[int, Segment] = {}
    with contextlib.suppress(FileNotFoundError):
        for path in sorted(folder.iterdir()):  # packed after plain
            if match := _NAME.fullmatch(path.name):
                found[int(match[1])] = Segment(int(match[1]), path, match[2] is not None)
    return [found[number] for number in sorted(found)]


def check_numbers(segments: list[Segment]) -> None:
    """Raises LocalError where one is missing between others."""
    for before, segment in pairwise(segments):
        if segment.number != before.number + 1:
            missing = segment.path.parent / segment_name(before.number + 1)
            raise LocalError(f"expected {missing} between the other segments, found it missing; bring it back from a copy")


def segment_name(number: int) -> str:
    return f"{number:08d}{SUFFIX}"


def packed_name(number: int) -> str:
    return segment_name(number) + PACKED_SUFFIX


def read_segment(segment: Segment) -> bytes:
    """All bytes of it, also where it was compressed meanwhile. Raises LocalError where the disk or the compressed file fails,
    FileNotFoundError where it is gone.
    """
    if not segment.is_packed:
        with contextlib.suppress(FileNotFoundError):
            return _read(segment.path, None)
    return unpack(segment.path.with_name(packed_name(segment.number)))


def read_head(segment: Segment) -> Frame:
    """The first frame, checked. Raises as `read_segment`."""
    place = Place(segment.path, 0)
    data = _read_start(segment)
    try:
        frame = read_frame(data, 0)
    except FrameError as error:
        raise corrupt(place, error.why) from error
    if frame is None:
        raise corrupt(place, "expected the first frame of a segment, found zeros")
    decode_head(frame, place)
    return frame


def _read_start(segment: Segment) -> bytes:
    if not segment.is_packed:
        with contextlib.suppress(FileNotFoundError):
            return _read(segment.path, _HEAD_BYTES_MAX)
    return unpack_start(segment.path.with_name(packed_name(segment.number)), _HEAD_BYTES_MAX)


def _read(path: Path, bytes_max: int | None) -> bytes:
    try:
        with path.open("rb", buffering=0) as file:
            return file.read(bytes_max) if bytes_max else file.readall()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise LocalError(f"expected to read {path}, found: {error.strerror}; check the disk and its permissions") from error


class Ended(NamedTuple):
    """How the frames of a segment end: `why` is empty where only zeros follow `offset`."""

    offset: int
    why: str
    next_offset: int
    """The next whole frame after what is wrong; -1 where none follows."""


def walk(data: bytes, start: int = 0) -> Iterator[tuple[int, Frame]]:
    """Frames with their offsets, up to the first place where there is none; `look_at_end` says what stands there."""
    offset = start
    with contextlib.suppress(FrameError):
        while (frame := read_frame(data, offset)) is not None:
            yield offset, frame
            offset += frame.size


def look_at_end(data: bytes, offset: int) -> Ended:
    """What stands where frames end."""
    try:
        assert read_frame(data, offset) is None
        why = "bytes where no frame begins" if has_bytes(data, offset) else ""
    except FrameError as error:
        why = error.why
    return Ended(offset, why, next_frame(data, offset + HEADER_BYTES) if why else -1)


def has_bytes(data: bytes, offset: int) -> bool:
    """Whether anything but zeros follows."""
    words = len(data) - offset & ~7
    return bool(np.frombuffer(data, np.uint64, words >> 3, offset).any()) or any(data[offset + words :])


def next_frame(data: bytes, offset: int) -> int:
    """Where the next whole frame begins, at or after `offset`; -1 where none does."""
    at = data.find(MAGIC, offset)
    while at >= 0:
        with contextlib.suppress(FrameError):
            if at % HEADER_BYTES == 0 and read_frame(data, at) is not None:
                return at
        at = data.find(MAGIC, at + 1)
    return -1


def walk_sealed(segment: Segment, chain: Chain, after_sequence: int = 0) -> Iterator[Frame]:
    """The frames of a segment that another follows. Raises LocalError at the first that is damaged or does not go on."""
    yield from walk_whole(segment, read_segment(segment), chain, after_sequence)


def walk_whole(segment: Segment, data: bytes, chain: Chain, after_sequence: int = 0) -> Iterator[Frame]:
    """As `walk_sealed`, of its bytes."""
    ended = yield from walk_needed(segment, data, chain, after_sequence)
    if ended.why or not ended.offset:
        raise corrupt(Place(segment.path, ended.offset), ended.why or "the segment is empty")


def walk_needed(segment: Segment, data: bytes, chain: Chain, after_sequence: int) -> Generator[Frame, None, Ended]:
    """Frames up to where no other follows, and how they end there.

    What goes beyond fact `after_sequence` is needed. Damage that lies whole before that is passed over and kept in the chain, so
    that a bit which flips behind a snapshot keeps nobody from starting at it. Other damage raises LocalError.
    """
    begin = 0
    while True:
        offset = begin
        for offset, frame in walk(data, begin):
            chain.take(frame, Place(segment.path, offset))
            yield frame
            offset += frame.size
        ended = look_at_end(data, offset)
        if ended.next_offset < 0:
            return ended
        place = Place(segment.path, offset)
        if not is_behind(data, ended.next_offset, after_sequence):
            raise corrupt(place, f"{ended.why}, and a whole frame follows at byte {ended.next_offset}")
        chain.pass_over(segment.number, f"{place}: {ended.why}")
        begin = ended.next_offset


def is_behind(data: bytes, offset: int, after_sequence: int) -> bool:
    """Whether what stands before the whole frame at `offset` cannot be needed by who has `after_sequence` facts. Where that frame
    begins at this very fact, one without a fact may be missing before it.
    """
    frame = read_frame(data, offset)
    return frame is not None and frame.base_sequence < after_sequence


def make_segment(folder: Path, number: int, size: int, run_id: str, chain: Chain, is_durable: bool) -> Path:
    """Allocate the next segment, write its head and give it its name. Raises LocalError, and then nothing is left of it."""
    path = folder / segment_name(number)
    new = path.with_name(path.name + NEW_SUFFIX)
    body = msgspec.msgpack.encode(Head(FORMAT, run_id, number, chain.digest))
    frame = Frame(FrameKind.SEGMENT, chain.epoch, chain.sequence, 0, chain.time_ns, chain.digest, body=body)
    data = bytearray(frame.size)
    put_frame(data, 0, frame)
    try:
        descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, size)
            write_all(descriptor, data, 0)
            if is_durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        new.rename(path)
        if is_durable:
            sync_folder(folder)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        raise LocalError(
            f"expected {size:,} bytes for the next segment of the journal in {folder}, found: {error.strerror}; free some space "
            "or make it writable: the journal goes on once there is room"
        ) from error
    return path


def head_bytes(run_id: str) -> int:
    """How much of a segment its own first frame takes."""
    body = msgspec.msgpack.encode(Head(FORMAT, run_id, 99_999_999, NO_DIGEST))
    return Frame(FrameKind.SEGMENT, 0, 0, 0, 0, NO_DIGEST, body=body).size


def write_all(descriptor: int, data: bytes | bytearray | memoryview, offset: int) -> None:
    """Write to the end, however many calls it takes."""
    left = memoryview(data)
    while left:
        written = os.pwrite(descriptor, left, offset)
        left, offset = left[written:], offset + written


def sync_folder(folder: Path) -> None:
    """Make renames and removals in it survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
