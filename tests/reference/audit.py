"""The audit of one day in plain Python: lists, dicts and loops, written from the rules and not from the code.

Quantiles are exact here, so tests compare silences only where none is near the bound.
"""

from itertools import pairwise
from statistics import median

import numpy as np

from tests.reference.depth import ReferenceDepth
from tradebot._core.types import Flag, Kind

DAY = 86_400 * 10**9
MINUTE = 60 * 10**9
SECOND = 10**9
STREAMS = (
    (Kind.TRADE,),
    (Kind.L3_ADD, Kind.L3_CHANGE, Kind.L3_DELETE, Kind.L3_EXECUTE),
    (Kind.L2_LEVEL,),
    (Kind.QUOTE,),
    (Kind.MARK,),
)


def is_void(row: np.void) -> bool:
    return bool(int(row["flags"]) & Flag.VOID)


def duplicate_places(rows: np.ndarray, window: int = 1 << 16) -> set[int]:
    """Places of rows that say what one of the named rows before them said."""
    seen: dict[tuple[int, ...], int] = {}
    found, position = set(), 0
    for place, row in enumerate(rows):
        kind, flags = int(row["kind"]), int(row["flags"])
        if flags & Flag.VOID or kind == Kind.GAP:
            continue
        if kind == Kind.BAR:
            if flags & Flag.RESTATED:
                continue
            key: tuple[int, ...] = (kind, int(row["venue_ns"]), int(row["owner"]))
        elif row["venue_sequence"] or (kind in (Kind.MARK, Kind.FUNDING, Kind.OPEN_INTEREST) and row["venue_ns"]):
            key = tuple(int(row[name]) for name in rows.dtype.names if name not in ("time_ns", "instrument"))
        else:
            continue
        if key in seen and position - seen[key] <= window:
            found.add(place)
        seen[key] = position
        position += 1
    return found


def outlier_places(prices: list[int], factor: int = 50, block: int = 4096, around: int = 11) -> list[int]:
    """Places of the outliers among one day's prices."""
    if len(prices) < around:
        return []
    bounds, start = [], 0
    while start < len(prices):
        end = start + block if len(prices) - start >= block + around - 1 else len(prices)
        moves = [abs(b - a) for a, b in zip(prices[start:end], prices[start + 1 : end], strict=False) if b != a]
        bounds += [factor * (int(median(moves)) if moves else 1)] * (end - start)
        start = end
    found = []
    for place, price in enumerate(prices):
        first = min(max(place - around // 2, 0), len(prices) - around)
        if abs(price - int(median(prices[first : first + around]))) > bounds[place]:
            found.append(place)
    return found


def breaks(rows: list[np.void]) -> list[tuple[int, int, int]]:
    """(start_ns, end_ns, numbers missing) of the breaks of a stretch of rows, where numbers are consecutive."""
    every = tuple(kind for kinds in STREAMS for kind in kinds)
    but_trades = tuple(kind for kind in every if kind != Kind.TRADE)
    for together, apart in ((every, ()), (but_trades, STREAMS[:1])):
        steps, found = counter(rows, together)
        if is_consecutive(steps, found) and min(steps) >= 0:
            return found + [one for kinds in apart for one in breaks_apart(rows, kinds)]
    return [one for kinds in STREAMS for one in breaks_apart(rows, kinds)]


def breaks_apart(rows: list[np.void], kinds: tuple[Kind, ...]) -> list[tuple[int, int, int]]:
    steps, found = counter(rows, kinds)
    return found if is_consecutive(steps, found) else []


def is_consecutive(steps: list[int], found: list[tuple[int, int, int]]) -> bool:
    up = [step for step in steps if step >= 1]
    return bool(up) and (len(found) <= 0.02 * len(up) + 1e-9 or (len(found) == 1 and len(up) >= 10))


def counter(rows: list[np.void], kinds: tuple[Kind, ...]) -> tuple[list[int], list[tuple[int, int, int]]]:
    """The steps of the numbers of some kinds, and those of more than one that no trades fill; swapped neighbours put back."""
    numbers, times, fills, trades = [], [], [], 0
    for row in rows:
        kind = int(row["kind"])
        trades += kind == Kind.TRADE
        is_inside = kinds == STREAMS[2] and not int(row["flags"]) & Flag.LAST
        if kind not in kinds or not row["venue_sequence"] or is_inside:
            continue
        numbers.append(int(row["venue_sequence"]))
        times.append(int(row["time_ns"]))
        fills.append(trades if Kind.L3_ADD in kinds and Kind.TRADE not in kinds else 0)
        trades = 0
    at = 0
    while at + 1 < len(numbers):
        if numbers[at + 1] == numbers[at] - 1:
            numbers[at], numbers[at + 1] = numbers[at + 1], numbers[at]
            at += 1
        at += 1
    steps = [b - a for a, b in pairwise(numbers)]
    found = [
        (times[at], times[at + 1], step - 1 - fills[at + 1]) for at, step in enumerate(steps) if step - 1 > fills[at + 1]
    ]
    return steps, found


def backwards(rows: list[np.void]) -> int:
    found = 0
    for kinds in STREAMS:
        before = 0
        for row in rows:
            if int(row["kind"]) in kinds and row["venue_ns"] and not is_void(row):
                found += int(row["venue_ns"]) < before
                before = int(row["venue_ns"])
    return found


def crossed(rows: list[np.void]) -> int:
    """Messages of price levels, and quotes, that leave bid at or above ask."""
    book, found = ReferenceDepth(), 0
    for row in rows:
        if is_void(row):
            continue
        book.apply_one(row)
        if row["kind"] == Kind.L2_LEVEL and int(row["flags"]) & Flag.LAST:
            found += book.bid is not None and book.ask is not None and book.bid >= book.ask
        if row["kind"] == Kind.QUOTE:
            found += bool(row["price"] and row["id"] and row["price"] >= row["id"])
    return found


def silences(rows: list[np.void], day: int) -> list[tuple[int, int]]:
    """Of a day whose neighbours have no facts."""
    times = sorted({int(row["time_ns"]) for row in rows if int(row["time_ns"]) // DAY == day})
    spans = list(pairwise(times))
    distances = sorted(end - start for start, end in spans)
    bound = max(10 * distances[int(0.99 * (len(distances) - 1))], 5 * SECOND) if distances else DAY
    return [(start, end) for start, end in spans if end - start > bound]


def coverage(rows: list[np.void]) -> float:
    """Of a day whose neighbours have no facts."""
    minutes = {int(row["time_ns"]) // MINUTE for row in rows}
    return len(minutes) / (max(minutes) - min(minutes) + 1)


def gap_fact_spans(rows: list[np.void]) -> list[tuple[int, int]]:
    found, before = [], int(rows[0]["time_ns"])
    for row in rows:
        if row["kind"] == Kind.GAP:
            found.append((before, int(row["time_ns"])))
        before = int(row["time_ns"])
    return found


def places(spans: list[tuple[int, int]]) -> int:
    """How many gaps spans make: those that overlap are one."""
    left, found = sorted(spans), 0
    while left:
        _, end = left.pop(0)
        found += 1
        while left and (left[0][0] < end or left[0] == (end, end)):
            end = max(end, left.pop(0)[1])
    return found
