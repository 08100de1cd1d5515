"""Charts as SVG text, written by hand.

A report is one file that opens anywhere, offline, in ten years: no script, no font and no library from
elsewhere. The few charts it needs are lines, bands, steps, marks and bars, so a plotting library would be the
heaviest part of the whole system for its smallest job. Colours come from the page's style sheet by class
name, which is how one drawing serves light mode, dark mode and paper. Details are in `<title>` elements,
which every browser shows on hovering.

Long series are thinned by the smallest and the largest value of each bucket: an extreme is never dropped.
Floats are used freely here: a pixel is not money.
"""

import math
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from tradebot.domain.units import NS_PER_SECOND, time_text

POINTS_MAX: Final = 1000  # of one line, as drawn
WIDTH: Final = 960
LEFT, RIGHT, TOP, BOTTOM = 86, 26, 12, 48

_TIME_STEPS_S: Final = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200,
    86_400, 2 * 86_400, 7 * 86_400, 14 * 86_400, 28 * 86_400, 91 * 86_400, 365 * 86_400,
)  # fmt: skip

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Mark(Struct, frozen=True):
    """One point with a tooltip. `classes` name its colour, `shape` is "circle" or "diamond"."""

    x: float
    y: float
    shape: str
    classes: str
    title: str


class Bar(Struct, frozen=True):
    """One bar of a waterfall from `start` to `end`, with the words under and over it."""

    name: str
    start: float
    end: float
    label: str
    classes: str


class Chart:
    """One drawing area over a span of time (UTC nanoseconds) and a range of values; `to_svg` gives the
    text."""

    def __init__(self, title: str, x: tuple[float, float], y: tuple[float, float], height: int = 300) -> None:
        assert height > TOP + BOTTOM
        self.title = title
        self.height = height
        self.x_min, self.x_max = widened(*x, part=0.0)
        self.y_min, self.y_max = widened(*y, part=0.06)
        self.parts: list[str] = []

    def line(self, x: Integers, y: Floats, classes: str, step: bool = False) -> None:
        """A line through the points; it breaks where y is NaN. With `step` it holds each value until the
        next."""
        for start, end in runs(~np.isnan(y)):
            index = start + thinned(y[start:end], POINTS_MAX)
            path = self._path(x[index], y[index], step)
            self.parts.append(f'<path class="line {escape(classes)}" d="{path}"/>')

    def band(self, x: Integers, low: Floats, high: Floats, classes: str) -> None:
        """A filled band between two series; each drawn column spans the smallest low and the largest high in
        it."""
        for start, end in runs(~(np.isnan(low) | np.isnan(high))):
            at, lows, highs = envelope(x[start:end], low[start:end], high[start:end], POINTS_MAX)
            there = self._path(at, highs, step=False)
            back = self._path(at[::-1], lows[::-1], step=False).replace("M", "L", 1)
            self.parts.append(f'<path class="band {escape(classes)}" d="{there}{back}Z"/>')

    def area(self, x: Integers, y: Floats, base: float, classes: str) -> None:
        """The area between a line and a base value."""
        index = thinned(y, POINTS_MAX)
        if len(index):
            path = self._path(x[index], y[index], step=False)
            first, last, level = self._x(float(x[index[0]])), self._x(float(x[index[-1]])), self._y(base)
            self.parts.append(
                f'<path class="area {escape(classes)}" d="{path}L{last},{level}L{first},{level}Z"/>'
            )

    def level(self, y: float, classes: str) -> None:
        """A horizontal rule."""
        at = self._y(y)
        self.parts.append(f'<path class="{escape(classes)}" d="M{LEFT},{at}L{WIDTH - RIGHT},{at}"/>')

    def marks(self, marks: Sequence[Mark]) -> None:
        """Points with tooltips, later ones on top."""
        self.parts += [self._mark(mark) for mark in marks]

    def to_svg(self) -> str:
        return svg_text(self.title, self.height, [*self._value_axis(), *self._time_axis(), *self.parts])

    def _x(self, value: float) -> float:
        share = (value - self.x_min) / (self.x_max - self.x_min)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def _y(self, value: float) -> float:
        share = (value - self.y_min) / (self.y_max - self.y_min)
        return round(self.height - BOTTOM - share * (self.height - TOP - BOTTOM), 1)

    def _path(self, x: Integers, y: Floats, step: bool) -> str:
        points = [(self._x(a), self._y(b)) for a, b in zip(x.tolist(), y.tolist(), strict=True)]
        joint = "H{0}V{1}" if step else "L{0},{1}"
        return f"M{points[0][0]},{points[0][1]}" + "".join(joint.format(*point) for point in points[1:])

    def _mark(self, mark: Mark) -> str:
        x, y, classes = self._x(mark.x), self._y(mark.y), escape(f"mark {mark.classes}")
        title = f"<title>{escape(mark.title)}</title>"
        if mark.shape == "circle":
            return f'<circle class="{classes}" cx="{x}" cy="{y}" r="4.5">{title}</circle>'
        return f'<path class="{classes}" d="M{x},{y}m0,-6.5l6.5,6.5l-6.5,6.5l-6.5,-6.5z">{title}</path>'

    def _value_axis(self) -> list[str]:
        ticks = round_ticks(self.y_min, self.y_max, max(3, self.height // 55))
        digits = tick_digits(ticks)
        return [_value_tick(self._y(tick), f"{tick:,.{digits}f}") for tick in ticks]

    def _time_axis(self) -> list[str]:
        ticks = time_ticks(int(self.x_min), int(self.x_max), 8)
        bottom = self.height - BOTTOM
        found = []
        for tick, label in zip(ticks, time_labels(ticks), strict=True):
            at = self._x(tick)
            found.append(f'<path class="grid" d="M{at},{TOP}V{bottom + 4}"/>')
            found.append(f'<text class="tick" x="{at}" y="{bottom + 18}" text-anchor="middle">{label}</text>')
        day = time_text(int(self.x_min))[:10]
        found.append(f'<text class="tick" x="{LEFT}" y="{bottom + 36}">{day}, UTC</text>')
        return found


def waterfall(title: str, bars: Sequence[Bar], height: int = 280) -> str:
    """Bars that start where the one before ended, on one value axis; SVG text."""
    ends = [value for bar in bars for value in (bar.start, bar.end)]
    frame = Chart(title, (0.0, 1.0), (min([0.0, *ends]), max([0.0, *ends])), height)
    slot = (WIDTH - LEFT - RIGHT) / max(len(bars), 1)
    frame.level(0.0, "zero")
    parts = [*frame._value_axis(), *frame.parts]
    for number, bar in enumerate(bars):
        parts += _waterfall_bar(frame, bar, LEFT + slot * number, slot)
    for number, (bar, _) in enumerate(pairwise(bars)):
        at, y = round(LEFT + slot * (number + 0.84), 1), frame._y(bar.end)
        parts.append(f'<path class="grid" d="M{at},{y}h{round(slot * 0.32, 1)}"/>')
    return svg_text(title, height, parts)


def thinned(y: Floats, points_max: int) -> Integers:
    """Indexes of at most `points_max` values: the first, the last, and the smallest and largest of each
    bucket."""
    count = len(y)
    if count <= points_max:
        return np.arange(count, dtype=np.int64)
    edges = np.linspace(0, count, (points_max - 2) // 2 + 1).astype(np.int64)
    keep = {0, count - 1}
    for start, end in pairwise(edges.tolist()):
        keep.add(start + int(np.argmin(y[start:end])))
        keep.add(start + int(np.argmax(y[start:end])))
    return np.array(sorted(keep), dtype=np.int64)


def envelope(x: Integers, low: Floats, high: Floats, points_max: int) -> tuple[Integers, Floats, Floats]:
    """At most `points_max` columns: the first time, the smallest low and the largest high of each bucket."""
    if len(x) <= points_max:
        return x, low, high
    starts = np.linspace(0, len(x), points_max, endpoint=False).astype(np.int64)
    at = x[starts]
    at[-1] = x[-1]  # the band ends where the data ends
    return at, np.minimum.reduceat(low, starts), np.maximum.reduceat(high, starts)


def runs(keep: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(start, end) of each unbroken stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], keep, [False])).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def widened(low: float, high: float, part: float) -> tuple[float, float]:
    """A range with room at both ends; a range without extent gets some, so that nothing divides by zero."""
    extent = high - low
    if extent <= 0:
        room = abs(low) * 0.01 or 1.0
        return low - room, low + room
    return low - extent * part, high + extent * part


def round_ticks(low: float, high: float, count: int) -> list[float]:
    """About `count` values at multiples of 1, 2 or 5 times a power of ten, inside [low, high]."""
    assert high > low and count > 0
    power = 10.0 ** math.floor(math.log10((high - low) / count))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power * count >= (high - low) * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def tick_digits(ticks: Sequence[float]) -> int:
    """How many decimals tell the ticks apart."""
    if len(ticks) < 2:
        return 2
    return max(0, -math.floor(math.log10(abs(ticks[1] - ticks[0])) + 1e-9))


def time_ticks(first_ns: int, last_ns: int, count_max: int) -> list[int]:
    """At most about `count_max` round UTC times inside [first_ns, last_ns]."""
    span_s = (last_ns - first_ns) / NS_PER_SECOND
    fitting = (one for one in _TIME_STEPS_S if span_s / one <= count_max)
    step = next(fitting, _TIME_STEPS_S[-1]) * NS_PER_SECOND
    return list(range(-(-first_ns // step) * step, last_ns + 1, step))


def time_labels(ticks: Sequence[int]) -> list[str]:
    """UTC labels as short as the distance of the ticks allows: 09:30:15, 09:30, or 03-21 at a change of
    day."""
    step = ticks[1] - ticks[0] if len(ticks) > 1 else NS_PER_SECOND
    return [_time_label(tick, step) for tick in ticks]


def _time_label(tick: int, step: int) -> str:
    text = time_text(tick)
    day, clock = text[:10], text[11:19]
    if step >= 91 * 86_400 * NS_PER_SECOND:
        return day[:7]
    if step >= 86_400 * NS_PER_SECOND or clock == "00:00:00":
        return day[5:]
    return clock if step < 60 * NS_PER_SECOND else clock[:5]


def _value_tick(y: float, label: str) -> str:
    label = label.replace("-", "−")
    return (
        f'<path class="grid" d="M{LEFT},{y}H{WIDTH - RIGHT}"/>'
        f'<text class="tick" x="{LEFT - 8}" y="{round(y + 4.5, 1)}" text-anchor="end">{label}</text>'
    )


def _waterfall_bar(frame: Chart, bar: Bar, left: float, slot: float) -> list[str]:
    top, bottom = sorted((frame._y(bar.start), frame._y(bar.end)))
    x, width, middle = round(left + slot * 0.16, 1), round(slot * 0.68, 1), round(left + slot / 2, 1)
    label_y = round(bottom + 16 if bar.end < bar.start else top - 6, 1)  # where the next bar does not begin
    return [
        f'<rect class="bar {escape(bar.classes)}" x="{x}" y="{top}" width="{width}" '
        f'height="{round(max(bottom - top, 1.0), 1)}"/>',
        f'<text class="value" x="{middle}" y="{label_y}" text-anchor="middle">{escape(bar.label)}</text>',
        f'<text class="tick" x="{middle}" y="{frame.height - 22}" '
        f'text-anchor="middle">{escape(bar.name)}</text>',
    ]


def svg_text(title: str, height: int, parts: Sequence[str]) -> str:
    """One drawing, as wide as the page lets it be."""
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )
