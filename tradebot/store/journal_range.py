"""Which frames a reader wants that has taken in so many facts, and what it is told where they are gone."""

from pathlib import Path

from tradebot.domain.errors import LocalError
from tradebot.domain.frames import Frame, FrameKind
from tradebot.store.journal_segments import Segment, read_head


def first_needed(segments: list[Segment], after_sequence: int) -> int:
    """Which of the segments holds what comes after fact `after_sequence`; looked for from the end, where it mostly is."""
    for at in range(len(segments) - 1, 0, -1):
        if read_head(segments[at]).base_sequence <= after_sequence:
            return at
    return 0


def is_needed(frame: Frame, after_sequence: int) -> bool:
    """Whether it goes beyond. The head of a segment is the journal's own."""
    return frame.kind != FrameKind.SEGMENT and (frame.end_sequence > after_sequence or frame.base_sequence >= after_sequence)


def gone(folder: Path, wanted: int, first: int) -> LocalError:
    """What a reader is told that comes too late."""
    return LocalError(
        f"expected the frames after fact {wanted} in the journal {folder}, found it to begin after fact {first}: the others were "
        "pruned; begin at a newer snapshot, or keep the journal longer"
    )
