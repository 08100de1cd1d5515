"""Which frames a reader wants that has taken in so many facts, and what it is told where they are gone."""

import contextlib
from pathlib import Path
from typing import Final

from tradebot.domain.errors import LocalError
from tradebot.domain.frames import Frame, FrameKind
from tradebot.store.journal_segments import Segment, list_segments, read_head

FIRSTS_MAX: Final = 5


def first_needed(segments: list[Segment], after_sequence: int) -> int:
    """Which of the segments holds what comes after fact `after_sequence`; looked for from the end, where it mostly is. Where one
    begins right behind it, the one before may end with frames that have no facts and come after it, too.
    """
    for at in range(len(segments) - 1, 0, -1):
        if read_head(segments[at]).base_sequence < after_sequence:
            return at
    return 0


def first_head(folder: Path) -> Frame | None:
    """The head of the first segment that is kept: the fact and the time behind which the journal is there, 0 and 0 where it is
    all there. None where there is no journal. Raises LocalError where it is damaged.
    """
    for _ in range(FIRSTS_MAX):
        segments = list_segments(folder)
        with contextlib.suppress(FileNotFoundError):  # pruned at this moment
            return read_head(segments[0]) if segments else None
    return None


def is_needed(frame: Frame, after_sequence: int) -> bool:
    """Whether it goes beyond. The head of a segment is the journal's own."""
    return frame.kind != FrameKind.SEGMENT and (frame.end_sequence > after_sequence or frame.base_sequence >= after_sequence)


def gone(folder: Path, wanted: int, first: int) -> LocalError:
    """What a reader is told that comes too late."""
    return LocalError(
        f"expected the frames after fact {wanted} in the journal {folder}, found it to begin after fact {first}: the others were "
        "pruned; begin at a newer snapshot, or keep the journal longer"
    )
