"""Spans of time in which data is missing, and how many places that makes.

One outage shows in several ways: a GAP fact, a jump of the venue's numbers, a silence. Signs whose spans overlap are
one gap; spans that only touch are two. At most `SPANS_MAX` spans are kept of each sign and day, so a broken recording
does not fill the memory; the rest are counted.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

SPANS_MAX: Final = 1000

Integers = npt.NDArray[np.int64]
Span = tuple[int, int]


class Spans:
    """(start, end) pairs in ns, in the order found; `count` counts those too that were not kept."""

    def __init__(self) -> None:
        self.count = 0
        self.kept: list[Span] = []

    def add(self, starts: Integers, ends: Integers) -> None:
        """Add spans."""
        self.count += len(starts)
        room = SPANS_MAX - len(self.kept)
        self.kept += zip(starts[:room].tolist(), ends[:room].tolist(), strict=True)

    def extend(self, other: "Spans") -> None:
        """Add all of another."""
        self.count += other.count
        self.kept += other.kept[: SPANS_MAX - len(self.kept)]


def merge_signs(signs: list[Spans]) -> tuple[int, list[Span]]:
    """(places, spans): spans that overlap are one place, and so is an instant at the end of a span. Each that was only
    counted is one more place."""
    merged: list[Span] = []
    for start, end in sorted(span for sign in signs for span in sign.kept):
        if merged and (start < merged[-1][1] or start == end == merged[-1][1]):
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return len(merged) + sum(sign.count - len(sign.kept) for sign in signs), merged
