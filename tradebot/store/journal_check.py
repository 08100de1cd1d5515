"""Look a journal over from end to end, without its lock and without changing a byte.

Every checksum is computed, and every frame must continue the one before it: sequence, epoch, run, segment, digest at the seams.
What is damaged is listed with its file and byte, and the walk goes on behind it, so that one report names all of it.

A frame's digest is that of the run after it, and the engine folds facts and outputs in the order of its steps, which a frame does
not keep; so whether the digests are those of these facts is for a replay to say.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from msgspec import Struct, field

from tradebot._core.types import RECORD_DTYPE, Flag, Kind
from tradebot.domain.errors import LocalError
from tradebot.domain.frames import Frame, FrameKind
from tradebot.store.journal_lock import is_written
from tradebot.store.journal_segments import Chain, Place, Segment, list_segments, look_at_end, read_segment, walk


class Fault(Struct, frozen=True):
    """One place that is damaged."""

    segment: str
    offset: int
    why: str


class SegmentFigures(Struct):
    """What one file holds; sequences and times are those of its first and last frames."""

    name: str
    bytes: int = 0
    frames: int = 0
    facts: int = 0
    commands: int = 0
    first_sequence: int = 0
    end_sequence: int = 0
    first_epoch: int = 0
    last_epoch: int = 0
    first_ns: int = 0
    last_ns: int = 0

    def take(self, frame: Frame) -> None:
        if frame.kind == FrameKind.SEGMENT:
            self.first_sequence = self.end_sequence = frame.base_sequence
            return
        if not self.frames:
            self.first_sequence, self.first_epoch, self.first_ns = frame.base_sequence, frame.epoch, frame.time_ns
        self.frames += 1
        self.facts += frame.facts_count
        self.commands += count_commands(frame.outputs)
        self.end_sequence, self.last_epoch, self.last_ns = frame.end_sequence, frame.epoch, frame.time_ns


class Report(Struct):
    """What was found. `torn` is the one tail that opening cuts; `corrupt` holds what opening or reading refuses."""

    run_id: str = ""
    segments: list[SegmentFigures] = field(default_factory=list)
    corrupt: list[Fault] = field(default_factory=list)
    torn: list[Fault] = field(default_factory=list)
    is_written: bool = False
    """A process has it open: what is not whole at its end is being written."""


def check_journal(folder: Path, tell: Callable[[int], None]) -> Report:
    """Everything of it; `tell` is told the bytes that were read. Raises LocalError where there is no journal."""
    segments = list_segments(folder)
    if not segments:
        raise LocalError(f"expected a journal in {folder}, found no segment; name a run or the folder of one")
    report = Report(is_written=is_written(folder))
    chain = Chain()
    for segment in segments:
        if chain.segment and segment.number != chain.segment + 1:
            report.corrupt.append(Fault(segment.path.name, 0, f"segment {chain.segment + 1} is missing before it"))
            chain = Chain(chain.run_id)
        _check_segment(segment, chain, segment is segments[-1], report)
        tell(report.segments[-1].bytes)
    report.run_id = chain.run_id or ""
    return report


def count_commands(outputs: bytes) -> int:
    """Those among what a frame gave out; the others are facts of the engine's own making."""
    slots = np.frombuffer(outputs, RECORD_DTYPE)
    return int(((slots["kind"] >= Kind.PLACE_ORDER) & ((slots["flags"] & Flag.CONT) == 0)).sum())


def _check_segment(segment: Segment, chain: Chain, is_last: bool, report: Report) -> None:
    figures = SegmentFigures(segment.path.name)
    report.segments.append(figures)
    try:
        data = read_segment(segment)
    except LocalError as error:
        report.corrupt.append(Fault(figures.name, 0, str(error)))
        chain.forget(segment.number)
        return
    figures.bytes = len(data)
    offset = 0
    while offset >= 0:
        offset = _check_stretch(segment, data, offset, chain, report)
        ended = look_at_end(data, offset)
        if ended.why or not offset:
            is_torn = is_last and ended.next_offset < 0
            if not (is_torn and report.is_written):
                fault = Fault(figures.name, offset, ended.why or "it was never begun")
                (report.torn if is_torn else report.corrupt).append(fault)
            chain.forget(segment.number)
        offset = ended.next_offset


def _check_stretch(segment: Segment, data: bytes, start: int, chain: Chain, report: Report) -> int:
    """Take in frames up to the first place where there is none."""
    offset = start
    for offset, frame in walk(data, start):
        try:
            chain.take(frame, Place(segment.path, offset))
        except LocalError as error:
            report.corrupt.append(Fault(segment.path.name, offset, str(error)))
            chain.forget(segment.number)
            chain.go_on_behind(frame)
        report.segments[-1].take(frame)
        offset += frame.size
    return offset
