"""Bars of every kind in plain Python: whatever came is kept in lists, and each bar is worked out from them afresh.

`state` has the shape of the compiled one, so that both can be held equal after each fact; `take` and `fire` return what a
strategy is told, as (bar, restated).
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from tradebot._core.types import Flag, Kind

RECEIPT, VENUE, TICKS, VOLUME, NOTIONAL = 1, 2, 3, 4, 5
UNDECIDED, TRADES, STORED = 0, 1, 2
KEPT = 16
SECOND = 1_000_000_000

Told = list[tuple[list[int], bool]]


class Row(NamedTuple):
    """A trade, or a stored bar, with what orders it within its interval."""

    key: tuple[int, int]
    open: int
    high: int
    low: int
    close: int
    volume: int


def bar_of(rows: list[Row], open_ns: int, close_ns: int) -> list[int]:
    """Open and close by key, and among equal keys by arrival."""
    first = min(rows, key=lambda row: row.key)
    last = max(reversed(rows), key=lambda row: row.key)
    high, low = max(row.high for row in rows), min(row.low for row in rows)
    return [open_ns, close_ns, first.open, high, low, last.close, sum(row.volume for row in rows), len(rows)]


def empty_after(bar: list[int], open_ns: int, close_ns: int) -> list[int]:
    return [open_ns, close_ns, *[bar[5]] * 4, 0, 0]


class BarSeries:
    """`threshold` in trades, lots or money units; `value` makes money units of ticks times lots; `source_ns` as in `bars_of`."""

    def __init__(
        self, kind: int, interval_ns: int = 0, threshold: int = 0, value: tuple[int, int] = (1, 1), grace_ns: int = 0,
        restatements: bool = False, source_ns: int | None = None,
    ) -> None:  # fmt: skip
        self.kind, self.interval, self.threshold, self.value = kind, interval_ns, threshold, value
        self.grace, self.restatements = grace_ns, restatements
        self.source, self.part, self.code = UNDECIDED, 0, 0
        self.rows: list[Row] = []  # of the bar that is building, by receipt or by size
        self.slots: dict[int, list[Row]] = {}  # by label, of venue times and stored bars
        self.opened = [0] * 2  # label and end of the bar by size that is building
        self.closed = [0] * 8
        self.count = self.late = self.begun = self.closed_ns = 0
        if source_ns is not None:
            self.follow(source_ns)

    def follow(self, part_ns: int) -> None:
        if part_ns and (not self.interval or self.interval % part_ns):
            raise ValueError(part_ns)
        self.source, self.part = (STORED, part_ns) if part_ns else (TRADES, self.interval)
        if part_ns % SECOND == 0 and part_ns // SECOND < 2**16:
            self.code = part_ns // SECOND

    def take(self, record: Any) -> Told:
        if record["kind"] == Kind.BAR:
            return list(self.take_stored(record)) if self.source != TRADES else []
        if self.source == UNDECIDED:
            self.follow(0)
        if self.source == STORED:
            return []
        price, lots = int(record["price"]), int(record["quantity"])
        row = Row((0, 0), price, price, price, price, lots)
        if self.kind == VENUE:
            return list(self.take_by_venue(record, row))
        self.rows.append(row)
        if self.kind == RECEIPT:
            return []
        time_ns = int(record["time_ns"])
        self.opened = [self.opened[0] if len(self.rows) > 1 else time_ns, time_ns]
        return [self.close(self.rows, *self.opened)] if self.reached()[0] >= self.threshold else []

    def reached(self) -> tuple[int, int]:
        """How much of the threshold the building bar has, and the remainder."""
        if self.kind == NOTIONAL:
            return divmod(sum(row.open * row.volume for row in self.rows) * self.value[0], self.value[1])
        counts = {TICKS: len(self.rows), VOLUME: sum(row.volume for row in self.rows)}
        return counts.get(self.kind, 0), 0

    def close(self, rows: list[Row], open_ns: int, close_ns: int) -> tuple[list[int], bool]:
        self.closed = bar_of(rows, open_ns, close_ns) if rows else empty_after(self.closed, open_ns, close_ns)
        self.rows = []
        self.count += 1
        return list(self.closed), False

    def take_by_venue(self, record: Any, row: Row) -> Iterator[tuple[list[int], bool]]:
        time_ns, venue_ns = int(record["time_ns"]), int(record["venue_ns"])
        if venue_ns <= 0 or venue_ns > time_ns + self.interval:
            venue_ns = time_ns
        label = venue_ns - venue_ns % self.interval
        row = row._replace(key=(venue_ns, int(record["venue_sequence"])))
        if venue_ns >= self.closed_ns and venue_ns >= time_ns - self.grace - KEPT * self.interval:
            self.slots.setdefault(label, []).append(row)
            return
        self.late += 1
        if self.is_kept(label):
            self.slots.setdefault(label, []).append(row)
            yield self.compose(label), True

    def is_kept(self, open_ns: int) -> bool:
        return self.restatements and self.closed_ns > 0 and open_ns >= max(self.begun, self.closed_ns - KEPT * self.interval)

    def take_stored(self, record: Any) -> Iterator[tuple[list[int], bool]]:
        if self.source == UNDECIDED:
            self.follow(int(record["owner"]) * SECOND)
        if record["owner"] != self.code:
            return
        label, time_ns = int(record["venue_ns"]), int(record["time_ns"])
        known = label in self.slots
        row = Row((label, 0), *(int(record[name]) for name in ("venue_sequence", "id", "id2", "price", "quantity")))
        open_ns = label - label % self.interval
        is_late = label < self.closed_ns
        self.late += is_late
        if (not is_late or self.is_kept(open_ns)) and (not known or record["flags"] & Flag.RESTATED):
            self.slots[label] = [row]
            if is_late:
                yield self.compose(open_ns), True
        if not is_late:
            over = open_ns + self.interval if label + self.part == open_ns + self.interval else open_ns
            yield from self.close_until(min(over, time_ns - time_ns % self.interval))

    def compose(self, open_ns: int) -> list[int]:
        rows = [row for label in sorted(self.slots) if open_ns <= label < open_ns + self.interval for row in self.slots[label]]
        return bar_of(rows, open_ns, open_ns + self.interval)

    def fire(self, due_ns: int) -> Told:
        """The timer of the series fired."""
        upto = due_ns - self.grace - (self.interval if self.source == STORED else 0)
        if self.kind == VENUE or self.source == STORED:
            return list(self.close_until(upto))
        if self.rows or self.count:
            return [self.close(self.rows, upto - self.interval, upto)]
        return []

    def close_until(self, upto: int) -> Iterator[tuple[list[int], bool]]:
        while self.slots or self.closed_ns:
            open_ns = self.closed_ns or min(self.slots) - min(self.slots) % self.interval
            if open_ns + self.interval > upto:
                return
            rows = [row for at in sorted(self.slots) if open_ns <= at < open_ns + self.interval for row in self.slots[at]]
            self.begun = self.begun or open_ns
            self.closed_ns = open_ns + self.interval
            kept = self.closed_ns - KEPT * self.interval * self.restatements
            self.slots = {label: some for label, some in self.slots.items() if label >= kept}
            yield self.close(rows, open_ns, self.closed_ns)

    def state(self, timer: int) -> list[Any]:
        """As the compiled series says it, without indicators."""
        building = [*self.closed[:6], 0, 0]
        if self.rows:
            building = bar_of(self.rows, *(self.opened if self.kind >= TICKS else self.closed[:2]))
        slots = []
        for label in sorted(self.slots):
            rows = self.slots[label]
            keys = [min(row.key for row in rows), max(row.key for row in rows)] if self.source == TRADES else [(0, 0)] * 2
            slots.append([bar_of(rows, label, label + self.part), *keys[0], *keys[1]])
        return [
            building, self.closed, self.count, timer, [], [self.source, self.part, self.code],
            [self.begun, self.closed_ns, self.late], list(self.reached()) if self.rows else [0, 0], slots,
        ]  # fmt: skip
