"""The drawings of an audit: a strip with one cell a day, and a band for each day with its minutes and its marks.

Colours are classes of the page's style sheet, by steps of the score, so that one drawing serves light, dark and paper.
What a cell or a mark means is in its `<title>`, which every browser shows on hovering.
"""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

import numpy as np

from tradebot.domain.units import time_text
from tradebot.research.arrivals import DAY_NS
from tradebot.research.audit import DayAudit
from tradebot.research.chart import LEFT, RIGHT, WIDTH, runs, svg_text
from tradebot.research.page import number, span

STEPS: Final = ((100.0, "s5"), (95.0, "s4"), (80.0, "s3"), (50.0, "s2"), (0.0, "s1"))  # from this score on: this class
HOLE_DAYS_MAX: Final = 31  # days without facts that are drawn one by one; more are one break

_WIDE, _NARROW = 40, 15  # of a cell and the space behind it
_WIDE_MAX: Final = WIDTH // _WIDE
_CELL_HEIGHT, _LINE_HEIGHT, _LABEL_WIDTH = 30, 56, 84
_BAND_HEIGHT, _ROW_HEIGHT = 18, 38
_HOURS: Final = (0, 3, 6, 9, 12, 15, 18, 21, 24)


def score_class(score: float) -> str:
    """The colour of a score."""
    return next(name for least, name in STEPS if score >= least)


def day_strip(days: Sequence[DayAudit]) -> str:
    """One cell for each day of an instrument, in order, holes between them included; SVG text."""
    cells = list(_cells(days))
    pitch = _WIDE if len(cells) <= _WIDE_MAX else _NARROW
    columns = WIDTH // pitch
    parts: list[str] = []
    for place, cell in enumerate(cells):
        line, column = divmod(place, columns)
        has_room = _LABEL_WIDTH <= column * pitch <= WIDTH - _LABEL_WIDTH
        is_labelled = column == 0 or (has_room and _begins_month(cell))
        parts += _cell(cell, column * pitch, line * _LINE_HEIGHT, pitch, is_labelled)
    lines = -(-len(cells) // columns)
    return svg_text(f"{days[0].instrument}: scores by day", lines * _LINE_HEIGHT, parts)


def day_bands(days: Sequence[DayAudit]) -> str:
    """A band for each day: which of its minutes have facts, where data is missing, where prices stand out; SVG text."""
    height = len(days) * _ROW_HEIGHT + 30
    parts = []
    for hour in _HOURS:
        at = _x(hour * DAY_NS // 24)
        parts.append(f'<path class="grid" d="M{at},4V{height - 24}"/>')
        parts.append(f'<text class="tick" x="{at}" y="{height - 8}" text-anchor="middle">{hour:02}:00</text>')
    for place, day in enumerate(days):
        parts += _band(day, place * _ROW_HEIGHT + 8)
    return svg_text(f"{days[0].instrument}: minutes of the day", height, parts)


def _cells(days: Sequence[DayAudit]) -> Iterator[DayAudit | int]:
    """Days, and a number of days without facts where they are: 1 each, or all in one where they are many."""
    before = None
    for day in days:
        missing = 0 if before is None else _number(day) - _number(before) - 1
        yield from [1] * missing if missing <= HOLE_DAYS_MAX else [missing]
        yield day
        before = day


def _number(day: DayAudit) -> int:
    return day.first_ns // DAY_NS


def _begins_month(cell: DayAudit | int) -> bool:
    return isinstance(cell, DayAudit) and cell.day.endswith("-01")


def _cell(cell: DayAudit | int, x: int, y: int, pitch: int, is_labelled: bool) -> Iterator[str]:
    classes, title, text = _look(cell)
    width, top = pitch - 2, y + 20
    yield (
        f'<rect class="{classes}" x="{x}" y="{top}" width="{width}" height="{_CELL_HEIGHT}" rx="3">'
        f"<title>{escape(title)}</title></rect>"
    )
    if text and pitch == _WIDE:
        yield f'<text class="on" x="{x + width / 2}" y="{top + 20}" text-anchor="middle">{text}</text>'
    if is_labelled and isinstance(cell, DayAudit):
        yield f'<text class="tick" x="{x}" y="{y + 14}">{cell.day if x == 0 else cell.day[5:]}</text>'


def _look(cell: DayAudit | int) -> tuple[str, str, str]:
    """(classes, title, text) of a cell."""
    if isinstance(cell, int):
        return "s0", "a day without facts" if cell == 1 else f"{number(cell)} days without facts", "" if cell == 1 else "…"
    title = (
        f"{cell.day}: score {cell.score}, {number(cell.rows)} rows, coverage {number(cell.coverage * 100, 1)} %, "
        f"{cell.gaps} gaps, {cell.duplicates} duplicates, {cell.outliers} outliers"
    )
    return score_class(cell.score), title, f"{cell.score:g}"


def _band(day: DayAudit, top: int) -> Iterator[str]:
    begin_ns = _number(day) * DAY_NS
    middle = top + _BAND_HEIGHT // 2
    yield f'<text class="day" x="{LEFT - 10}" y="{middle - 1}" text-anchor="end">{day.day}</text>'
    yield f'<text class="tick" x="{LEFT - 10}" y="{middle + 13}" text-anchor="end">{day.score:g}</text>'
    yield _bar("s0", 0, DAY_NS, top, "no facts")
    slots = np.unpackbits(np.frombuffer(day.covered, np.uint8))[: -(-DAY_NS // day.slot_ns)] != 0
    for start, end in runs(slots):
        yield _bar("covered", start * day.slot_ns, min(end * day.slot_ns, DAY_NS), top, "facts")
    for start_ns, end_ns in day.gap_marks:
        title = f"gap: {_clock(start_ns)} to {_clock(end_ns)}, {span(end_ns - start_ns)}"
        yield _bar("gap", max(start_ns - begin_ns, 0), min(end_ns - begin_ns, DAY_NS), top, title)
    for time_ns in day.outlier_marks:
        title = f"outlier among the {day.outlier_source} prices: {_clock(time_ns)}"
        at = _x(time_ns - begin_ns)
        yield f'<path class="mark odd" d="M{at},{middle}m0,-6l6,6l-6,6l-6,-6z"><title>{title}</title></path>'


def _bar(classes: str, start_ns: int, end_ns: int, top: int, title: str) -> str:
    x = _x(start_ns)
    width = round(max(_x(end_ns) - x, 1.5), 1)
    return (
        f'<rect class="{classes}" x="{x}" y="{top}" width="{width}" height="{_BAND_HEIGHT}">'
        f"<title>{escape(title)}</title></rect>"
    )


def _x(day_ns: int) -> float:
    return round(LEFT + day_ns / DAY_NS * (WIDTH - LEFT - RIGHT), 1)


def _clock(time_ns: int) -> str:
    return time_text(time_ns)[11:23]
