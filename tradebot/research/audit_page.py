"""An audit as a picture: one HTML file that stands alone, in the look of the reports.

From far to near: a strip of days by instrument, coloured by score; a band for each day with its minutes; the figures; the
rules they were made by. A long history has more days than anybody looks at, so bands and rows are those of the
lowest scores, and the page says so. It names no time of its own making, so the same ticks give the same bytes.
"""

import re
from collections.abc import Sequence
from itertools import groupby, pairwise
from pathlib import Path
from typing import Final

from tradebot.domain.units import NS_PER_SECOND
from tradebot.research import arrivals, duplicates, numbering, spikes
from tradebot.research.audit import GAP_POINTS, GAP_POINTS_MAX, WEIGHTS, DayAudit
from tradebot.research.audit_figures import STEPS, day_bands, day_strip, score_class
from tradebot.research.page import NOTHING, Html, details, element, figure, join, number, page, percent, section, table
from tradebot.research.recording import explained

BANDS_MAX: Final = 60
ROWS_MAX: Final = 400

_HEAD: Final = (
    "day", "score", "rows", "coverage", "silent", "gaps", "duplicates", "outliers", "crossed", "unknown orders",
    "clock back", "void", "lag p50, ms", "lag p99, ms",
)  # fmt: skip


def write_audit(folder: Path, days: Sequence[DayAudit]) -> Path:
    """Write the page of some days, in order of instrument and day; gives its path. Raises StoreFull where the disk is full."""
    names = sorted({day.instrument for day in days})
    what = re.sub(r"[^a-z0-9]+", "-", names[0].lower()) if len(names) == 1 else "all"
    dates = sorted(day.day.replace("-", "") for day in days)
    target = folder / f"audit-{what}-{dates[0]}-{dates[-1]}.html"
    try:
        target.write_text(audit_html(days), encoding="utf-8")
    except OSError as error:
        raise explained(error, folder) from error
    return target


def audit_html(days: Sequence[DayAudit]) -> str:
    """The page of some days, in order of instrument and day."""
    assert days
    markets = [list(group) for _, group in groupby(days, key=lambda day: (day.instrument, day.version))]
    return page(
        "Audit of recorded ticks",
        element("h1", "Audit of recorded ticks"),
        element("p", _subject(markets), classes="soft"),
        _sums(days),
        section("Days", *(_strip(market) for market in markets), _legend(), note="One cell a day, UTC, by score."),
        _bands(days),
        _figures(days),
        _rules(),
    )


def _subject(markets: Sequence[Sequence[DayAudit]]) -> str:
    parts = [f"{_name(market[0])}, {market[0].day} to {market[-1].day}" for market in markets[:4]]
    return "; ".join(parts) + (f"; and {len(markets) - 4} more" if len(markets) > 4 else "")


def _name(day: DayAudit) -> str:
    return day.instrument if day.version == 1 else f"{day.instrument} version {day.version}"


def _sums(days: Sequence[DayAudit]) -> Html:
    worst = min(day.score for day in days)
    boxes = [
        ("days", number(len(days))),
        ("rows", number(sum(day.rows for day in days))),
        ("mean score", number(sum(day.score for day in days) / len(days), 1)),
        ("lowest score", number(worst, 1)),
        ("gaps", number(sum(day.gaps for day in days))),
        ("duplicates", number(sum(day.duplicates for day in days))),
        ("outliers", number(sum(day.outliers for day in days))),
    ]
    return element("div", *(element("div", element("span", name), element("b", value)) for name, value in boxes), classes="sum")


def _strip(market: Sequence[DayAudit]) -> Html:
    return join([element("h3", _name(market[0])), figure(day_strip(market))])


def _legend() -> Html:
    lower = [least for least, _ in STEPS]
    names = ["100: nothing found", *(f"{low:g} to {high:g}" for high, low in pairwise(lower))]
    keys = [_key(classes, name) for (_, classes), name in zip(STEPS, names, strict=True)]
    return _keys(*keys, _key("s0", "no facts"))


def _keys(*keys: Html) -> Html:
    return element("figcaption", *keys)


def _key(classes: str, name: str) -> Html:
    box = Html(f'<svg class="key" viewBox="0 0 12 12"><rect class="{classes}" width="12" height="12" rx="2"/></svg>')
    return element("span", box, " ", name)


def _bands(days: Sequence[DayAudit]) -> Html:
    shown = _lowest(days, BANDS_MAX)
    drawn = []
    for _, group in groupby(shown, key=lambda day: (day.instrument, day.version)):
        market = list(group)
        drawn.append(join([element("h3", _name(market[0])), figure(day_bands(market))]))
    keys = _keys(_key("covered", "facts"), _key("s0", "no facts"), _key("gap", "gap"), _key("odd", "outlier"))
    return section("Minutes", *drawn, keys, note=f"Each day from midnight to midnight, UTC.{_left_out(days, shown)}")


def _lowest(days: Sequence[DayAudit], most: int) -> list[DayAudit]:
    """The days of the lowest scores, in their order."""
    places = sorted(sorted(range(len(days)), key=lambda at: days[at].score)[:most])
    return [days[at] for at in places]


def _left_out(days: Sequence[DayAudit], shown: Sequence[DayAudit]) -> str:
    if len(shown) == len(days):
        return ""
    return f" The {len(shown)} of {number(len(days))} days with the lowest scores; all are in the answer of --json."


def _figures(days: Sequence[DayAudit]) -> Html:
    shown = _lowest(days, ROWS_MAX)
    note = f"What was found; shares are of the time the recording lasted.{_left_out(days, shown)}"
    tables = []
    for _, group in groupby(shown, key=lambda day: (day.instrument, day.version)):
        market = list(group)
        tables.append(join([element("h3", _name(market[0])), table(_HEAD, (_row(day) for day in market))]))
    return section("Figures", *tables, note=note)


def _row(day: DayAudit) -> Sequence[object]:
    lag = (NOTHING, NOTHING) if day.lag_ns is None else tuple(number(one / 1e6, 1) for one in (day.lag_ns.p50, day.lag_ns.p99))
    score = element("span", f"{day.score:.1f}", classes=f"score {score_class(day.score)}")
    counts = (day.gaps, day.duplicates, day.outliers, day.crossed, day.unknown_orders, day.backwards, day.void)
    return (
        day.day, score, number(day.rows), percent(day.coverage), percent(day.silent),
        *map(number, counts), *lag,
    )  # fmt: skip


def _rules() -> Html:
    weights = [
        (name.replace("_", " "), f"{weight / 100:g} points for each percent of the rows, at most {most:g}")
        for name, (weight, most) in WEIGHTS.items()
    ]
    costs = [
        ("silent time", "a point for each percent of the time the recording lasted"),
        ("gap", f"{GAP_POINTS:g} points each, at most {GAP_POINTS_MAX:g}"),
        *weights,
    ]
    meanings = [
        ("coverage", "minutes with facts, of those between the first and the last; of a day of bars: intervals with their bar"),
        ("gap", "a GAP fact, a break of consecutive numbers, or a silence; signs that overlap in time are one gap"),
        ("break", f"a step of more than one, where {numbering.CONSECUTIVE:.0%} of a stream's steps, or all but one, are one"),
        (
            "silence",
            f"no fact for longer than {arrivals.SILENCE_FACTOR} times the distance that {arrivals.SILENCE_SHARE:.0%} of the "
            f"day's stay below, and than {arrivals.SILENCE_MIN_NS // NS_PER_SECOND} seconds; of bars: a missing one",
        ),
        ("duplicate", f"a row that says what one of the {number(duplicates.WINDOW)} numbered rows before it said"),
        (
            "outlier",
            f"a price farther from the median of the {spikes.AROUND} around it than {spikes.FACTOR} times the usual move; "
            "of trades, or else bars, quotes, books, marks",
        ),
        ("crossed", "book messages, or quotes, after which the bid stood at or above the ask"),
        ("unknown orders", "order events that name an order the book does not hold"),
        ("clock back", "rows whose venue time is before that of the row before them in their stream"),
        ("void", "rows that the importer kept for the record and that are applied to nothing"),
        ("lag", "receive time less venue time"),
    ]
    return section(
        "How it is measured",
        details("The score is 100 less what was found, at least 0", table(("fault", "costs"), costs, names=2, classes="define")),
        details("What the words mean", table(("word", "meaning"), meanings, names=2, classes="define")),
    )
