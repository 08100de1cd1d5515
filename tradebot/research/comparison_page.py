"""A comparison of runs as one HTML file that stands alone, in the look of the reports.

In the order of a reader's doubts: may these be compared at all; what was set apart; how the equity went; where the money
differs; which other figures differ; and at which order the runs part, with what each did from there. Each run has a letter.
It names no time of its own making, so the same runs give the same bytes.
"""

import hashlib
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

import numpy as np

from tradebot.domain.units import money_from_text
from tradebot.research.chart import Chart, Floats, Integers
from tradebot.research.comparison import MONEY_TERMS, Comparison, Measured, Value, difference
from tradebot.research.equity import EquityCurve
from tradebot.research.figures import steps_figure
from tradebot.research.metrics import DEFINITIONS
from tradebot.research.page import (
    NOTHING,
    Html,
    clock,
    details,
    element,
    figure,
    join,
    money,
    number,
    page,
    percent,
    section,
    table,
)
from tradebot.research.parting import ROWS_MAX, Parting, Row, part
from tradebot.research.recording import explained
from tradebot.research.report import warnings

COLOURS: Final = 6  # of lines; from there on again, in dashes


def write_comparison(folder: Path, found: Comparison) -> Path:
    """Write the page into a folder, under a name that these runs give; its path. Raises StoreFull where the disk is full."""
    names = " ".join(one.run_id for one in found.runs)
    target = folder / f"compare-{hashlib.sha256(names.encode()).hexdigest()[:8]}.html"
    try:
        target.write_text(comparison_html(found), encoding="utf-8")
    except OSError as error:
        raise explained(error, folder) from error
    return target


def comparison_html(found: Comparison) -> str:
    """The comparison as one HTML page."""
    return page(
        f"Runs {', '.join(one.mark for one in found.runs)} side by side",
        _banner(found.doubts),
        _head(found),
        _settings(found),
        section("Equity", equity_figure(found)),
        _money(found),
        _figures(found),
        *_parting(found, part([one.run for one in found.runs])),
        _warnings(found),
    )


def equity_figure(found: Comparison) -> Html:
    """The P&L after fees of all runs on one axis; in percent of the opening equity where currencies differ."""
    curves = [_curve(one, found.is_one_currency) for one in found.runs]
    drawn = [(times, values) for times, values in curves if len(times)]
    if not drawn:
        return element("p", "No samples.", classes="note")
    unit = found.assets[0] if found.is_one_currency else "percent of the opening equity"
    extent = min(float(times[0]) for times, _ in drawn), max(float(times[-1]) for times, _ in drawn)
    lowest, highest = min(values.min() for _, values in drawn), max(values.max() for _, values in drawn)
    chart = Chart(f"P&L of {len(found.runs)} runs in {unit}", extent, (min(lowest, 0.0), max(highest, 0.0)), height=340)
    chart.level(0.0, "zero")
    # Later lines are thinner, so that of two runs that went alike both are seen.
    for at, (times, values) in enumerate(curves):
        if len(times):
            chart.line(times, values, _line_class(at))
    legend = join((element("span", _key(at), f" {one.mark} {_name(one)}") for at, one in enumerate(found.runs)), " ")
    return figure(chart.to_svg(), f"P&L after fees since the start, in {unit}: ", legend)


def _curve(one: Measured, in_money: bool) -> tuple[Integers, Floats]:
    opening = money_from_text(one.metrics.opening_equity)
    curve = EquityCurve.of(one.run, opening)
    if in_money:
        return curve.times_ns, np.asarray(curve.net * 1e-8, np.float64)
    if opening <= 0:
        return curve.times_ns[:0], np.empty(0, np.float64)
    return curve.times_ns, np.asarray(curve.net / opening * 100.0, np.float64)


def _line_class(at: int) -> str:
    return f"r{at % COLOURS}" + (" again" if at >= COLOURS else "")


def _key(at: int) -> Html:
    return element("b", "┅" if at >= COLOURS else "━", classes=f"r{at % COLOURS}")


def _name(one: Measured) -> str:
    return ", ".join(entry.name for entry in one.run.manifest.strategies) or "no strategy"


def _banner(doubts: Sequence[str]) -> Html:
    if not doubts:
        return Html("")
    lead = "NOT COMPARABLE. What differs below differs for more than one reason."
    return element(
        "div", element("p", lead), element("ul", *(element("li", line) for line in doubts)), classes="banner", role="alert"
    )


def _head(found: Comparison) -> Html:
    rows = [
        [
            one.mark,
            one.run_id,
            _name(one),
            ", ".join(market.name for market in one.run.manifest.instruments),
            f"{money(one.metrics.net_pnl, one.metrics.quote_asset, sign=True)} {one.metrics.quote_asset}",
            _apart_text(found, "net_pnl", one),
        ]
        for one in found.runs
    ]
    remarks = element("ul", *(element("li", line) for line in found.remarks)) if found.remarks else Html("")
    title = " and ".join(one.mark for one in found.runs) if len(found.runs) == 2 else f"{len(found.runs)} runs"
    head = ["", "run", "strategy", "on", "net P&L", "less that of A"]
    return element("header", element("h1", f"{title} side by side"), table(head, rows, names=4), remarks)


def _settings(found: Comparison) -> Html:
    rows = [[one.group, one.name, *(NOTHING if value is None else value for value in one.values)] for one in found.settings]
    if not rows:
        return section("What was set apart", element("p", "Nothing: the same strategy, data, costs and code.", classes="note"))
    return section("What was set apart", table(["", "", *_marks(found)], rows, names=2 + len(found.runs)))


def _money(found: Comparison) -> Html:
    title = "Where the money differs"
    if not found.is_one_currency:
        return section(title, _money_table(found), note="In different currencies: nothing is added or taken off.")
    others = [_steps_figure(found, one) for one in found.runs[1:]]
    note = f"In {found.assets[0]}. Spread earned and adverse selection less fees is the net P&L, in each run and between them."
    return section(title, _money_table(found), *others, note=note)


def _money_table(found: Comparison) -> Html:
    head = ["", *(head for one in found.runs for head in ([one.mark] if one is found.runs[0] else [one.mark, "less A"]))]
    names = [*(name for name, _ in MONEY_TERMS), "net_pnl"]
    return table(head, [[_words(name), *_cells(found, name)] for name in names])


def _steps_figure(found: Comparison, other: Measured) -> Html:
    """From the net P&L of the first run to that of another, term by term."""
    first = found.runs[0]
    apart = {name: Decimal(str(other.figures[name])) - Decimal(str(first.figures[name])) for name, _ in MONEY_TERMS}
    steps = [(_words(name), sign * apart[name]) for name, sign in MONEY_TERMS]
    title = f"From the net P&L of {first.mark} to that of {other.mark}"
    start = f"net of {first.mark}", Decimal(first.metrics.net_pnl)
    return steps_figure(title, found.assets[0], start, steps, f"net of {other.mark}")


def _figures(found: Comparison) -> Html:
    names = [name for name in dict.fromkeys(name for one in found.runs for name in one.figures) if _is_telling(name)]
    apart = [name for name in names if len({one.figures.get(name) for one in found.runs}) > 1]
    head = ["", *(head for one in found.runs for head in ([one.mark] if one is found.runs[0] else [one.mark, "less A"]))]
    rows = [[_words(name), *_cells(found, name)] for name in apart]
    alike = [[_words(name), _shown(name, found.runs[0].figures[name], found.assets[0])] for name in names if name not in apart]
    return section(
        "Figures that differ",
        table(head, rows) if rows else element("p", "None.", classes="note"),
        details(f"{len(alike)} figures are the same in all", table(["", "all"], alike)),
        note="Differences of shares are in percentage points.",
    )


def _is_telling(name: str) -> bool:
    """Of the markouts only those of all fills: each report has them by side and liquidity."""
    return not name.startswith("markouts.") or ".both.both." in name


def _cells(found: Comparison, name: str) -> Iterator[str]:
    for one in found.runs:
        yield _shown(name, one.figures.get(name), one.metrics.quote_asset)
        if one is not found.runs[0]:
            yield _apart_text(found, name, one)


def _apart_text(found: Comparison, name: str, one: Measured) -> str:
    apart = None if one is found.runs[0] else difference(found, name, one)
    return NOTHING if apart is None else _shown(name, apart, one.metrics.quote_asset, sign=True)


def _shown(name: str, value: Value, asset: str, sign: bool = False) -> str:
    """A figure for people, by its unit."""
    unit = DEFINITIONS[name.partition(".")[0]][0]
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, str):
        return money(value, asset, sign) if unit == "quote" and _is_number(value) and "quantity" not in name else value
    if isinstance(value, int):
        return number(value, 0, sign)
    return percent(value, 4, sign) if "fraction" in unit or name.endswith("_fraction") else number(value, 4, sign)


def _is_number(value: str) -> bool:
    return value.lstrip("-")[:1].isdigit()


def _parting(found: Comparison, parting: Parting) -> Iterator[Html]:
    if parting.time_ns is None:
        alike = f"Nowhere: {parting.orders_alike:,} orders and {parting.fills_alike:,} fills are the same in all."
        yield section("Where they part", element("p", alike))
        return
    lead = (
        f"At {clock(parting.time_ns)} UTC. Before it {parting.orders_alike:,} orders and {parting.fills_alike:,} fills are the "
        f"same in all. Below is what differs from there on, among the next {ROWS_MAX:,} of each run."
    )
    yield section("Where they part", element("p", lead))
    yield section("Orders from there on", _rows(found, parting.orders), note="By the time at which they were sent.")
    yield section("Fills from there on", _rows(found, parting.fills), note="By the time at the venue.")


def _rows(found: Comparison, rows: Sequence[Row]) -> Html:
    if not rows:
        return element("p", "None that differ.", classes="note")
    head = ["UTC", "strategy", "on", "side", *_marks(found)]
    cells = [
        [
            clock(row.time_ns),
            row.strategy,
            row.instrument,
            element("b", row.side, classes=row.side),
            *(NOTHING if cell is None else cell for cell in row.cells),
        ]
        for row in rows
    ]
    return details(f"{len(rows):,} rows", table(head, cells, names=len(head)))


def _warnings(found: Comparison) -> Html:
    lines = [f"{one.mark}: {line}" for one in found.runs for line in warnings(one.run.manifest, one.metrics)]
    if not lines:
        return Html("")
    return section("What each report says in red", element("ul", *(element("li", line) for line in lines)))


def _marks(found: Comparison) -> list[str]:
    return [one.mark for one in found.runs]


def _words(name: str) -> str:
    if name.startswith("markouts."):
        instrument, _, after = name.removeprefix("markouts.").partition(".both.both.")
        return f"markout of {instrument} after {after.replace('.', ', ').replace('_', ' ')}"
    return name.replace("pnl", "P&L").replace("_", " ").replace(".", ", ")
