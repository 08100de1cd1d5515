"""The venue's own numbers and clock, stream by stream: where numbers are missing, and where time runs back.

A venue numbers its trades, its order events, its book messages and its quotes apart, so each is held against the one
before it of the same stream. Not every venue counts by one. Numbers are believed to be consecutive on a day where at
least `CONSECUTIVE` of the steps up are steps of one; there each longer step is a break. Order events may
share their numbers with the trades between them, so those trades fill a step.

Bars are absent: their venue time is a label, and their sequence a price. VOID rows came in with their numbers, and so count
there; their times do not.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from tradebot._core.types import Flag, Kind
from tradebot.engine.ports import Records
from tradebot.research.gaps import Spans

CONSECUTIVE: Final = 0.9

_ORDER_KINDS: Final = (Kind.L3_ADD, Kind.L3_CHANGE, Kind.L3_DELETE, Kind.L3_EXECUTE)
_STREAMS: Final[tuple[tuple[Kind, ...], ...]] = (
    (Kind.TRADE,),
    _ORDER_KINDS,
    (Kind.L2_LEVEL,),
    (Kind.QUOTE,),
    (Kind.MARK,),
    (Kind.FUNDING,),
    (Kind.OPEN_INTEREST,),
)

Integers = npt.NDArray[np.int64]


class Breaks(Struct, frozen=True):
    """The breaks of a day: how many, how many numbers are missing, and where."""

    count: int
    missing: int
    spans: Spans


class Numbering:
    """All streams of one instrument."""

    def __init__(self) -> None:
        self._streams = [_Stream(kinds) for kinds in _STREAMS]
        self.backwards = 0

    def forget(self) -> None:
        """Another recording begins: what comes next follows nothing."""
        self._streams = [_Stream(kinds) for kinds in _STREAMS]

    def add(self, records: Records) -> None:
        """Take in rows of one day, in order."""
        for stream in self._streams:
            self.backwards += stream.add(records)

    def take_day(self) -> tuple[int, Breaks]:
        """(steps of the venue's clock backwards, breaks) since the last call; what came last is kept for the next."""
        backwards, self.backwards = self.backwards, 0
        found = [stream.take_day() for stream in self._streams]
        spans = Spans()
        for one in found:
            spans.extend(one.spans)
        return backwards, Breaks(sum(one.count for one in found), sum(one.missing for one in found), spans)


class _Stream:
    """One stream of numbers."""

    def __init__(self, kinds: tuple[Kind, ...]) -> None:
        self._kinds = kinds
        self._last_number = self._last_time = self._last_venue = 0
        self._trades = 0  # since the last number
        self._forget_day()

    def _forget_day(self) -> None:
        self._steps = self._ones = self._missing = 0
        self._spans = Spans()

    def add(self, records: Records) -> int:
        """Count steps; returns how often the venue's clock went back."""
        mine = np.isin(records["kind"], self._kinds)
        if not mine.any() and self._kinds != _ORDER_KINDS:
            return 0
        self._add_numbers(records, mine & (records["venue_sequence"] != 0))
        venue = records["venue_ns"][mine & (records["venue_ns"] != 0) & (records["flags"] & Flag.VOID == 0)]
        if not len(venue):
            return 0
        back = int((np.diff(venue, prepend=self._last_venue) < 0).sum())
        self._last_venue = int(venue[-1])
        return back

    def _add_numbers(self, records: Records, mine: npt.NDArray[np.bool_]) -> None:
        if self._kinds == (Kind.L2_LEVEL,):
            mine &= records["flags"] & Flag.LAST != 0  # the rows of a message share its number
        at = np.flatnonzero(mine)
        filled = self._count_trades(records, at)
        if not len(at):
            return
        numbers = records["venue_sequence"][at].view(np.int64)
        times = records["time_ns"][at]
        before = np.concatenate([[self._last_number], numbers[:-1]])
        steps = numbers - before
        steps[before == 0] = 1  # the first of all follows nothing
        self._ones += int(((steps == 1) & (before != 0)).sum())
        self._steps += int(((steps >= 1) & (before != 0)).sum())
        broken = np.flatnonzero(steps - 1 > filled)
        self._missing += int((steps - 1 - filled)[broken].sum())
        starts = np.concatenate([[self._last_time], times[:-1]])
        self._spans.add(starts[broken], times[broken])
        self._last_number, self._last_time = int(numbers[-1]), int(times[-1])

    def _count_trades(self, records: Records, at: Integers) -> Integers:
        """How many trades stand before each of these rows and behind the one before it, where they may fill a step."""
        if self._kinds != _ORDER_KINDS:
            return np.zeros(len(at), np.int64)
        so_far = self._trades + np.cumsum(records["kind"] == Kind.TRADE)
        if not len(at):
            self._trades = int(so_far[-1]) if len(so_far) else self._trades
            return np.zeros(0, np.int64)
        self._trades = int(so_far[-1] - so_far[at[-1]])
        return np.diff(so_far[at], prepend=0)

    def take_day(self) -> Breaks:
        consecutive = self._steps and self._ones >= CONSECUTIVE * self._steps
        found = Breaks(self._spans.count, self._missing, self._spans) if consecutive else Breaks(0, 0, Spans())
        self._forget_day()
        return found
