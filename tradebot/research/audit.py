"""How good is what was recorded? One stream of an instrument, scored day by day.

The stream is read once, in batches, and memory does not grow with it: what is kept of a day is its figures, which of
its minutes have facts, and the first few places of each fault. The faults are found by small parts with one rule each:
`arrivals` (silences, coverage), `numbering` (missing numbers, a clock that runs back), `duplicates`, `spikes`
(outliers) and `crossings` (books that cross). Days are UTC and by receive time. Days that touch are one recording;
where one begins or ends is no fault, so its first and last day are measured from its first and to its last fact.

`gaps` are places inside a recording; what an import calls gaps is counted beside them by the import's own rules, and is the
sum over the days of `bar_gaps` for bars, of `gap_facts` for raw streams, of `sequence_breaks` for numbered trades.

The score is 100 less what was found, at least 0: the share of time inside silences in percent, `GAP_POINTS` a gap, and
for each other fault its share of the rows times a weight, up to a limit (`WEIGHTS`). Only a day without any finding has
100; the best of the others has 99.9.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from tradebot._core.types import Flag, Kind
from tradebot.domain.instrument import Instrument
from tradebot.domain.market import kind_name
from tradebot.domain.units import time_text
from tradebot.engine.ports import Records
from tradebot.feeds.breaks import BarGaps
from tradebot.research.arrivals import DAY_NS, Arrivals
from tradebot.research.crossings import Crossings
from tradebot.research.duplicates import Duplicates
from tradebot.research.gaps import Spans, merge_signs
from tradebot.research.histogram import Histogram
from tradebot.research.numbering import Breaks, Numbering
from tradebot.research.spikes import Spikes

MARKS_MAX: Final = 100  # places told of each fault and day
GAP_POINTS: Final = 2.0
GAP_POINTS_MAX: Final = 30.0
# Each fault: points for a share of 1 of the rows, and the most it can cost.
WEIGHTS: Final = {
    "duplicates": (1000.0, 20.0),
    "outliers": (10_000.0, 20.0),
    "crossed": (1000.0, 20.0),
    "backwards": (100.0, 10.0),
    "void": (20.0, 5.0),
    "unknown_orders": (100.0, 10.0),
}
SOURCES: Final = ("trade", "bar", "quote", "l3", "l2", "mark")  # of prices; the first that a day has is asked for outliers

Integers = npt.NDArray[np.int64]


class Lag(Struct, frozen=True):
    """Receive time less venue time, in ns, where the venue's is known; quantiles to within 1.6%."""

    rows: int
    min: int
    p50: int
    p99: int
    max: int


class DayAudit(Struct, frozen=True):
    """What was found on one day of one instrument version. Times are ns; shares are of one."""

    instrument: str
    version: int
    day: str
    score: float
    rows: int
    kinds: dict[str, int]  # rows by kind
    first_ns: int
    last_ns: int
    gaps: int  # places where data is missing: the signs below, those of one outage as one
    gap_facts: int
    bar_gaps: int  # places between two bars without one, also where days without facts lie between, which are in no `gaps`
    sequence_breaks: int
    sequence_missing: int  # numbers that the breaks skip
    silences: int
    silent: float  # share of the day inside silences
    duplicates: int
    outliers: int
    outlier_source: str | None  # whose prices were looked at
    coverage: float  # share of the day's slots that have facts
    slot_ns: int  # a minute, or the interval of the bars
    crossed: int  # messages after which a book, or quotes in which the bid, stood at or above the ask
    unknown_orders: int  # order events that name an order the book does not hold
    backwards: int  # rows whose venue time is before that of the row before
    void: int
    lag_ns: Lag | None
    gap_marks: list[tuple[int, int]]
    outlier_marks: list[int]
    covered: bytes  # a bit a slot


def audit_days(instrument: Instrument, stream: Iterable[Records]) -> Iterator[DayAudit]:
    """The days of a stream of one instrument, each as soon as the next begins. Days without facts are not among them."""
    audit = _Audit(instrument)
    for batch in stream:
        repeated = audit.duplicates.find(batch)
        days = batch["time_ns"] // DAY_NS
        cuts = np.flatnonzero(np.diff(days)) + 1
        for part, again in zip(np.split(batch, cuts), np.split(repeated, cuts), strict=True):
            if len(part):
                yield from audit.add(part, again)
    yield from audit.finish(goes_on=False)


class _Audit:
    """What goes on from day to day."""

    def __init__(self, instrument: Instrument) -> None:
        self.duplicates = Duplicates()
        self._instrument = instrument
        self._numbering = Numbering()
        self._crossings = Crossings()
        self._bar_gaps = BarGaps()
        self._day: _Day | None = None

    def add(self, records: Records, repeated: npt.NDArray[np.bool_]) -> Iterator[DayAudit]:
        """Rows of one day; gives the day before where they begin a new one."""
        day_ns = int(records["time_ns"][0]) // DAY_NS * DAY_NS
        if self._day is None or self._day.day_ns != day_ns:
            follows = self._day is not None and self._day.day_ns + DAY_NS == day_ns
            yield from self.finish(goes_on=follows)
            if not follows:
                self._numbering.forget()
                self._crossings.forget()
            self._day = _Day(day_ns, follows)
        self._numbering.add(records)
        self._day.add(records, repeated, self._crossings.add(records), self._bar_gaps.add(records))

    def finish(self, goes_on: bool) -> Iterator[DayAudit]:
        """The figures of the day that has ended, where there is one."""
        if self._day is not None:
            backwards, breaks = self._numbering.take_day()
            crossed, unknown = self._crossings.take_day()
            faults = {"backwards": backwards, "crossed": crossed, "unknown_orders": unknown}
            yield self._day.finish(self._instrument, goes_on, breaks, faults)


class _Day:
    """What is known of one day so far."""

    def __init__(self, day_ns: int, follows: bool) -> None:
        self.day_ns = day_ns
        self._kinds = np.zeros(256, np.int64)
        self._void = self._duplicates = self._bar_gaps = 0
        self._arrivals = Arrivals(day_ns, follows)
        self._lag = Histogram()
        self._gap_facts = Spans()
        self._spikes = {source: Spikes() for source in SOURCES}
        self._outliers: dict[str, list[int]] = {source: [] for source in SOURCES}

    def add(
        self,
        records: Records,
        repeated: npt.NDArray[np.bool_],
        series: dict[str, tuple[Integers, Integers]],
        bar_gaps: int,
    ) -> None:
        self._bar_gaps += bar_gaps
        times, kinds, venue = records["time_ns"], records["kind"], records["venue_ns"]
        before = np.concatenate([[self._arrivals.last_ns or times[0]], times])
        self._arrivals.add(records)
        self._kinds += np.bincount(kinds, minlength=256)
        self._duplicates += int(repeated.sum())
        valid = records["flags"] & Flag.VOID == 0
        self._void += len(records) - int(valid.sum())
        gaps = np.flatnonzero(kinds == Kind.GAP)
        self._gap_facts.add(before[gaps], times[gaps])
        self._lag.add((times - venue)[valid & (venue != 0) & (kinds != Kind.BAR)])
        for source, kind in (("trade", Kind.TRADE), ("bar", Kind.BAR), ("mark", Kind.MARK)):
            chosen = np.flatnonzero(valid & (kinds == kind))
            series[source] = (times[chosen], records["price"][chosen])
        for source, (times, prices) in series.items():
            self._tell(source, self._spikes[source].add(times, prices))

    def _tell(self, source: str, times: Integers) -> None:
        marks = self._outliers[source]
        marks += times[: MARKS_MAX - len(marks)].tolist()

    def finish(self, instrument: Instrument, goes_on: bool, breaks: Breaks, faults: dict[str, int]) -> DayAudit:
        presence = self._arrivals.finish(goes_on)
        gaps, spans = merge_signs([self._gap_facts, breaks.spans, presence.silences])
        source, outliers = self._finish_spikes()
        rows = int(self._kinds.sum())
        faults = {**faults, "duplicates": self._duplicates, "outliers": outliers, "void": self._void}
        return DayAudit(
            instrument=instrument.name,
            version=instrument.version,
            day=time_text(self.day_ns)[:10],
            score=score_day(rows, gaps, presence.silent, faults),
            rows=rows,
            kinds={kind_name(kind): int(self._kinds[kind]) for kind in np.flatnonzero(self._kinds).tolist()},
            first_ns=self._arrivals.first_ns,
            last_ns=self._arrivals.last_ns,
            gaps=gaps,
            gap_facts=self._gap_facts.count,
            bar_gaps=self._bar_gaps,
            sequence_breaks=breaks.count,
            sequence_missing=breaks.missing,
            silences=presence.silences.count,
            silent=round(presence.silent, 6),
            outlier_source=source,
            coverage=round(presence.coverage, 6),
            slot_ns=presence.slot_ns,
            lag_ns=self._finish_lag(),
            gap_marks=spans[:MARKS_MAX],
            outlier_marks=self._outliers[source] if source else [],
            covered=presence.covered,
            **faults,
        )

    def _finish_spikes(self) -> tuple[str | None, int]:
        for source in SOURCES:
            spikes = self._spikes[source]
            if spikes.prices:
                self._tell(source, spikes.finish())
                return source, spikes.count
        return None, 0

    def _finish_lag(self) -> Lag | None:
        lag = self._lag
        if not lag.count:
            return None
        return Lag(lag.count, lag.smallest, lag.quantile(0.5), lag.quantile(0.99), lag.largest)


def score_day(rows: int, gaps: int, silent: float, faults: dict[str, int]) -> float:
    """0 to 100 to one digit, by the rule at the head of this file."""
    lost = 100 * silent + min(GAP_POINTS * gaps, GAP_POINTS_MAX)
    for name, (weight, most) in WEIGHTS.items():
        lost += min(weight * faults[name] / rows, most)
    best = 99.9 if gaps or any(faults.values()) else 100.0
    return round(min(max(100.0 - lost, 0.0), best), 1)
