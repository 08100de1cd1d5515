"""The venue's own numbers and clock, stream by stream: where numbers are missing, and where time runs back.

A venue numbers its trades, its order events, its book messages and its quotes apart, so each is held against the one
before it of the same stream. Not every venue counts by one. Numbers are believed to be consecutive on a day where at
least `CONSECUTIVE` of the steps up are no longer than they should be, or all but one of at least `STEPS_MIN`; there each longer
step is a break.

How many is a matter of what recordings show. The counter of one stream alone steps by one for days, and an outage is one step
however much it swallows, so that it lies above 0.999 even where the line broke often. A counter that others use too lies lower:
Bitstamp's trade ids of 2015 step by one in 91.6%, and yet each execution in its book is one of the recorded trades, so that
none was lost; the book messages of LOBSTER do in 97.0%. A recording that lost one message in fifty, each by itself, cannot be
told from such a counter by its numbers, and is not judged by them.

Two neighbours that changed places on their way are put back first: nothing is missing between them.

Some recordings have one counter for several streams, and then each of them alone seems to skip. So all streams together,
and all but the trades, are looked at as one stream first; where its numbers never run back and are consecutive, that
is the counter, and its streams are not judged apart. Trades that have numbers of their own may still use up those of the
counter, so they fill a step.

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

CONSECUTIVE: Final = 0.98
STEPS_MIN: Final = 10

Kinds = tuple[Kind, ...]

_ORDERS: Final[Kinds] = (Kind.L3_ADD, Kind.L3_CHANGE, Kind.L3_DELETE, Kind.L3_EXECUTE)
_REST: Final[tuple[Kinds, ...]] = (
    _ORDERS, (Kind.L2_LEVEL,), (Kind.QUOTE,), (Kind.MARK,), (Kind.FUNDING,), (Kind.OPEN_INTEREST,),
)  # fmt: skip
_STREAMS: Final[tuple[Kinds, ...]] = ((Kind.TRADE,), *_REST)

Integers = npt.NDArray[np.int64]

_NONE: Final = np.empty(0, np.int64)


class Breaks(Struct, frozen=True):
    """The breaks of a day: how many, how many numbers are missing, and where."""

    count: int
    missing: int
    spans: Spans


class Numbering:
    """All streams of one instrument."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Another recording begins: what comes next follows nothing."""
        self._together = _Counter(sum(_STREAMS, ()))
        self._together_but_trades = _Counter(sum(_REST, ()))
        self._apart = [_Counter(kinds) for kinds in _STREAMS]
        self._counters = [self._together, self._together_but_trades, *self._apart]
        self._clocks = [_Clock(kinds) for kinds in _STREAMS]

    def add(self, records: Records) -> None:
        """Take in rows of one day, in order."""
        for counter in self._counters:
            counter.add(records)
        for clock in self._clocks:
            clock.add(records)

    def take_day(self) -> tuple[int, Breaks]:
        """(steps of the venue's clock backwards, breaks) since the last call; what came last is kept for the next."""
        for counter in self._counters:
            counter.settle()
        found = [counter.breaks() for counter in self._judged()]
        spans = Spans()
        for one in found:
            spans.extend(one.spans)
        for counter in self._counters:
            counter.forget_day()
        backwards = sum(clock.take_day() for clock in self._clocks)
        return backwards, Breaks(sum(one.count for one in found), sum(one.missing for one in found), spans)

    def _judged(self) -> "list[_Counter]":
        if self._together.is_one:
            return [self._together]
        if self._together_but_trades.is_one:
            return [self._apart[0], self._together_but_trades]
        return self._apart


class _Counter:
    """The numbers of some kinds as if they were one stream."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self._is_filled_by_trades = set(_ORDERS) <= set(kinds) and Kind.TRADE not in kinds
        self._last_number = self._last_time = 0
        self._trades = 0  # since the last number
        self._held = _NONE, _NONE, _NONE  # the last row, which its successor may stand before
        self.forget_day()

    def forget_day(self) -> None:
        self._steps = self._backwards = self._missing = 0
        self._spans = Spans()

    @property
    def is_consecutive(self) -> bool:
        broken = self._spans.count
        return self._steps > 0 and (broken <= (1 - CONSECUTIVE) * self._steps or (broken == 1 and self._steps >= STEPS_MIN))

    @property
    def is_one(self) -> bool:
        """Whether numbers of several kinds behave as those of one counter."""
        return self.is_consecutive and not self._backwards

    def settle(self) -> None:
        """The day is over: what is held back has nothing to wait for."""
        self._count(*self._held)
        self._held = _NONE, _NONE, _NONE

    def breaks(self) -> Breaks:
        return Breaks(self._spans.count, self._missing, self._spans) if self.is_consecutive else Breaks(0, 0, Spans())

    def add(self, records: Records) -> None:
        mine = np.isin(records["kind"], self._kinds) & (records["venue_sequence"] != 0)
        if self._kinds == (Kind.L2_LEVEL,):
            mine &= records["flags"] & Flag.LAST != 0  # the rows of a message share its number
        at = np.flatnonzero(mine)
        filled = self._count_trades(records, at)
        if not len(at):
            return
        numbers, times = records["venue_sequence"][at].view(np.int64), records["time_ns"][at]
        rows = [np.concatenate(pair) for pair in zip(self._held, (numbers, times, filled), strict=True)]
        _put_back(rows[0])
        self._count(*(column[:-1] for column in rows))
        self._held = rows[0][-1:], rows[1][-1:], rows[2][-1:]

    def _count(self, numbers: Integers, times: Integers, filled: Integers) -> None:
        if not len(numbers):
            return
        steps = np.diff(numbers, prepend=self._last_number or numbers[0] - 1)
        self._steps += int((steps >= 1).sum()) - (not self._last_number)  # nothing stands before the first
        self._backwards += int((steps < 0).sum())
        broken = np.flatnonzero(steps - 1 > filled)
        self._missing += int((steps - 1 - filled)[broken].sum())
        starts = np.concatenate([[self._last_time], times[:-1]])
        self._spans.add(starts[broken], times[broken])
        self._last_number, self._last_time = int(numbers[-1]), int(times[-1])

    def _count_trades(self, records: Records, at: Integers) -> Integers:
        """How many trades stand before each of these rows and behind the one before it, where they may fill a step."""
        if not self._is_filled_by_trades:
            return np.zeros(len(at), np.int64)
        so_far = self._trades + np.cumsum(records["kind"] == Kind.TRADE)
        if not len(at):
            self._trades = int(so_far[-1]) if len(so_far) else self._trades
            return np.zeros(0, np.int64)
        self._trades = int(so_far[-1] - so_far[at[-1]])
        return np.diff(so_far[at], prepend=0)


def _put_back(numbers: Integers) -> None:
    """Let neighbours of which the second is one less change places; of three in falling order, the first two."""
    fallen = np.diff(numbers) == -1
    fallen[1:] &= ~fallen[:-1]
    at = np.flatnonzero(fallen)
    numbers[at], numbers[at + 1] = numbers[at + 1], numbers[at]


class _Clock:
    """The venue's times of one stream."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self._last_ns = self._backwards = 0

    def add(self, records: Records) -> None:
        mine = np.isin(records["kind"], self._kinds) & (records["flags"] & Flag.VOID == 0)
        times = records["venue_ns"][mine & (records["venue_ns"] != 0)]
        if len(times):
            self._backwards += int((np.diff(times, prepend=self._last_ns) < 0).sum())
            self._last_ns = int(times[-1])

    def take_day(self) -> int:
        backwards, self._backwards = self._backwards, 0
        return backwards
