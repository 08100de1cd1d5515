"""When facts came in: which minutes of a day have any, and where the stream fell silent for too long.

A silence is a distance between two neighbouring facts of more than `SILENCE_FACTOR` times the distance that 99% of that
day's distances stay below, and of at least `SILENCE_MIN_NS`. So a quiet instrument has its own yardstick, and a
night of few trades is none. Only the largest `CANDIDATES_MAX` distances of a day are kept to be judged at its end.

A day that holds nothing but bars is measured by their intervals: an interval without its bar is covered by nothing, and a
run of such intervals is a silence. Where bars of several intervals lie together the shortest counts.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from tradebot._core.types import Kind
from tradebot.domain.units import NS_PER_SECOND
from tradebot.engine.ports import Records
from tradebot.research.chart import runs
from tradebot.research.gaps import Spans
from tradebot.research.histogram import Histogram

SILENCE_FACTOR: Final = 10
SILENCE_SHARE: Final = 0.99
SILENCE_MIN_NS: Final = 5 * NS_PER_SECOND
CANDIDATES_MAX: Final = 1000
MINUTE_NS: Final = 60 * NS_PER_SECOND
DAY_NS: Final = 86_400 * NS_PER_SECOND

Integers = npt.NDArray[np.int64]


class Presence(Struct, frozen=True):
    """What a day holds. `covered` has a bit for each slot of `slot_ns` from the day's first nanosecond on; `coverage`
    and `silent` are shares of the time the recording lasted that day: slots with facts, and time inside silences."""

    slot_ns: int
    covered: bytes
    coverage: float
    silences: Spans
    silent: float


class Arrivals:
    """The arrivals of one day. `follows` says that the day before has facts too, `last_ns` when its last came in."""

    def __init__(self, day_ns: int, follows: bool) -> None:
        self.first_ns = self.last_ns = 0
        self._day_ns = day_ns
        self._follows = follows
        self._minutes = np.zeros(DAY_NS // MINUTE_NS, np.bool_)
        self._bars: dict[int, npt.NDArray[np.bool_]] = {}  # slots with a bar, by interval in seconds
        self._distances = Histogram()
        self._longest = np.empty((0, 2), np.int64)  # (start, end) of the longest distances, in order of time
        self._only_bars = True

    def add(self, records: Records) -> None:
        """Take in rows of this day, in order; at least one."""
        times = records["time_ns"]
        self._minutes[(times - self._day_ns) // MINUTE_NS] = True
        self._add_distances(times)
        bars = records["kind"] == Kind.BAR
        self._only_bars &= bool(bars.all())
        if self._only_bars or bars.any():
            self._add_bars(records[bars])

    def _add_distances(self, times: Integers) -> None:
        before = np.concatenate([[self.last_ns or times[0]], times[:-1]])
        far = times > before
        self._distances.add((times - before)[far])
        self._keep(np.column_stack([before[far], times[far]]))
        self.first_ns, self.last_ns = self.first_ns or int(times[0]), int(times[-1])

    def _keep(self, spans: Integers) -> None:
        spans = np.concatenate([self._longest, spans[spans[:, 1] - spans[:, 0] >= SILENCE_MIN_NS]])
        if len(spans) > CANDIDATES_MAX:
            longest = np.argsort(spans[:, 0] - spans[:, 1], kind="stable")[:CANDIDATES_MAX]
            spans = spans[np.sort(longest)]
        self._longest = spans

    def _add_bars(self, bars: Records) -> None:
        for seconds in np.unique(bars["owner"]).tolist():
            slot_ns = seconds * NS_PER_SECOND or DAY_NS
            slots = self._bars.setdefault(seconds, np.zeros(-(-DAY_NS // slot_ns), np.bool_))
            slots[(bars["time_ns"][bars["owner"] == seconds] - self._day_ns) // slot_ns] = True

    def finish(self, goes_on: bool) -> Presence:
        """The day has ended; `goes_on` says that the next day has facts too."""
        start_ns = self._day_ns if self._follows else self.first_ns
        end_ns = self._day_ns + DAY_NS if goes_on else self.last_ns
        slots, slot_ns = self._slots()
        first = (start_ns - self._day_ns) // slot_ns
        last = min((end_ns - self._day_ns) // slot_ns, len(slots) - 1)
        silences = self._missing_bars(slots, slot_ns, first, last) if self._only_bars else self._silences(start_ns, end_ns)
        silent_ns = sum(min(end, end_ns) - max(start, start_ns) for start, end in silences.kept)
        return Presence(
            slot_ns=slot_ns,
            covered=np.packbits(slots).tobytes(),
            coverage=float(slots[first : last + 1].mean()),
            silences=silences,
            silent=silent_ns / max(end_ns - start_ns, slot_ns),
        )

    def _slots(self) -> tuple[npt.NDArray[np.bool_], int]:
        if not self._only_bars:
            return self._minutes, MINUTE_NS
        shortest = min(self._bars, key=lambda seconds: seconds or DAY_NS)
        return self._bars[shortest], shortest * NS_PER_SECOND or DAY_NS

    def _missing_bars(self, slots: npt.NDArray[np.bool_], slot_ns: int, first: int, last: int) -> Spans:
        """Runs of slots without a bar."""
        found = Spans()
        for start, end in runs(~slots[first : last + 1]):
            missing = self._day_ns + (first + np.array([[start], [end]])) * slot_ns
            found.add(*missing)
        return found

    def _silences(self, start_ns: int, end_ns: int) -> Spans:
        edges = [(start_ns, self.first_ns), (self.last_ns, end_ns)]
        spans = np.concatenate([np.array(edges[:1]), self._longest, np.array(edges[1:])])
        usual = self._distances.quantile(SILENCE_SHARE)
        bound = max(SILENCE_FACTOR * usual, SILENCE_MIN_NS) if usual else DAY_NS
        long = spans[spans[:, 1] - spans[:, 0] > bound]
        found = Spans()
        found.add(long[:, 0], long[:, 1])
        return found

