"""The report of a run: one HTML file that stands alone, and the same as JSON.

It is written for the reader who would like to believe the result. So the headline is a sum that shows where
the money came from, doubt stands beside it, and what would flatter the run (no fee, no latency, a strategy
that was stopped, books that disagree) is said in red before anything else. Figures come from `metrics`,
drawings from `figures`, tags from `page`; this file decides what is shown, in which order.

The file names no time of its own making and no machine, so the same results give the same bytes.
"""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from tradebot._core.types import Flag
from tradebot.domain.instrument import Instrument
from tradebot.domain.orders import Kind, OrderType, TimeInForce
from tradebot.domain.units import NS_PER_SECOND, duration_text, money_from_text, parse_decimal
from tradebot.research.beside import beside_section
from tradebot.research.equity import EquityCurve
from tradebot.research.figures import (
    ahead_text,
    drawdown_figure,
    equity_figure,
    position_figure,
    price_figure,
    spread_figure,
    waterfall_figure,
)
from tradebot.research.fills import Book, books, is_maker
from tradebot.research.markouts import Markout
from tradebot.research.metrics import DEFINITIONS, Metrics, measure
from tradebot.research.order_lives import (
    OrderLife,
    ahead_at_acceptance,
    of_kind,
    order_lives,
    times_in_queue_ns,
)
from tradebot.research.page import (
    NOTHING,
    Cell,
    Html,
    clock,
    copy_box,
    details,
    element,
    join,
    money,
    number,
    page,
    pairs,
    percent,
    section,
    span,
    table,
)
from tradebot.research.recording import explained
from tradebot.research.results import GridCell, Manifest, RunFiles, StrategyEntry, open_results

HTML_NAME: Final = "report.html"
JSON_NAME: Final = "report.json"
SCHEMA: Final = 1
BOOK, BARS, TRADES = "book", "bars", "trades"  # grades
SYNTHETIC: Final = "synthetic"  # the venue of streams that are made up here

ORDERS_MAX: Final = 300  # rows of the orders table
FILLS_MAX: Final = 300  # rows of the fills table
CHARTS_MAX: Final = 6  # price charts, and position charts


def write_report(folder: Path) -> Path:
    """Write report.html and report.json into a results folder; gives the path of the HTML file.

    Raises BadContainer where the folder cannot be read as a run's results, StoreFull where the disk is full.
    """
    run = open_results(folder)
    metrics = measure(run)
    target = folder / HTML_NAME
    try:
        (folder / JSON_NAME).write_bytes(report_json(run.manifest, metrics))
        whole = folder / f".{HTML_NAME}.part"
        whole.write_text(report_html(run, metrics), encoding="utf-8")
        whole.replace(target)
    except OSError as error:
        raise explained(error, folder) from error
    return target


def report_json(manifest: Manifest, metrics: Metrics) -> bytes:
    """The report as one JSON object: run_id, digest, warnings, metrics and definitions, the run's
    identity."""
    data = {
        "schema": SCHEMA,
        "run_id": manifest.run_id,
        "mode": manifest.mode,
        "created": manifest.created,
        "digest": manifest.digest,
        "warnings": warnings(manifest, metrics),
        "metrics": metrics,
        "definitions": {name: {"unit": unit, "text": text} for name, (unit, text) in DEFINITIONS.items()},
        "counters": manifest.counters,
        "costs": manifest.costs,
        "selection": manifest.selection,
        "strategies": manifest.strategies,
        "grid": manifest.grid,
        "book_check": manifest.book_check,
        "quarantined": manifest.quarantined,
        "assumptions": manifest.assumptions,
        "grade": manifest.grade,
        "doubts": manifest.doubts,
        "versions": manifest.versions,
        "command": manifest.command,
        "config": manifest.config,
    }
    return msgspec.json.format(msgspec.json.encode(data), indent=2) + b"\n"


def report_html(run: RunFiles, metrics: Metrics) -> str:
    """The report as one HTML page."""
    manifest, books_ = run.manifest, books(run)
    curve = EquityCurve.of(run, money_from_text(metrics.opening_equity))
    return page(
        f"{manifest.run_id} · {manifest.mode}",
        _banner(warnings(manifest, metrics)),
        _headline(run, metrics),
        _interval(manifest, metrics),
        _prices(run, books_),
        section(
            "Equity and drawdown",
            equity_figure(curve, metrics.quote_asset),
            drawdown_figure(curve, metrics.quote_asset),
        ),
        _positions(run, books_),
        section("Where the P&L came from", waterfall_figure(metrics), note=_waterfall_note()),
        _grid(manifest, metrics.quote_asset),
        _markouts(run, metrics),
        _orders(run),
        _fills(run, books_),
        _buy_and_hold(metrics),
        beside_section(manifest, metrics),
        _metrics_table(metrics),
        _assumptions(manifest),
        _data(manifest, metrics),
        _reproduce(manifest),
    )


def warnings(manifest: Manifest, metrics: Metrics) -> list[str]:
    """What must stand in red at the top, one sentence each; empty for a run without such a flaw."""
    return list(_warnings(manifest, metrics))


def stated(manifest: Manifest) -> list[tuple[str, str]]:
    """What the run was told of costs and matching, or took for granted: (name, value), for people."""
    costs = manifest.costs
    return [
        ("maker fee", percent(costs.maker_fee, 4)),
        ("taker fee", percent(costs.taker_fee, 4)),
        *([("origin of the fees", costs.fee_origin)] if costs.fee_origin else []),
        ("fee paid in", costs.fee_asset or "the quote asset"),
        ("latency to the venue", costs.order_latency or duration_text(costs.order_latency_ns)),
        ("latency of its answer", costs.answer_latency or duration_text(costs.answer_latency_ns)),
        *_matching(manifest),
        *([("margin", costs.margin)] if costs.margin else []),
    ]


def claim(metrics: Metrics) -> str:
    """What the length of the run and its round trips allow to be said about an edge."""
    length, days = span(round(metrics.span_s * NS_PER_SECOND)), len(metrics.daily_returns)
    if metrics.annualised_withheld is not None:
        return f"{length} prove nothing about an edge{_trips_claim(metrics)}"
    returns = np.array(metrics.daily_returns)
    spread = float(np.std(returns, ddof=1))
    if not spread:
        return f"{length} without a changing return prove nothing about an edge."
    error_count = abs(float(np.mean(returns))) / spread * days**0.5
    verdict = "no sign of an edge" if error_count < 2 else "worth a test on data it has not seen"
    return (
        f"{days} days: the mean daily return stands {error_count:.1f} standard errors from zero, which is "
        f"{verdict}; every variant tried before this one makes it weaker."
    )


def config_text(config: dict[str, object]) -> str:
    """A nested configuration as TOML text."""
    return "\n".join(_config_lines(config, "")).strip() + "\n"


def _warnings(manifest: Manifest, metrics: Metrics) -> Iterator[str]:
    costs = manifest.costs
    yield from manifest.overlaps
    for instrument in manifest.instruments:
        if instrument.venue == SYNTHETIC:
            yield f"{instrument.name} is a seeded stream, made up here: no market ever did this; nothing can be learnt from it."
    for name, fee in (("maker", costs.maker_fee), ("taker", costs.taker_fee)):
        if parse_decimal(fee) == 0:
            yield f"The {name} fee of this run is zero. Almost no account trades like that."
    constant = not costs.order_latency and not costs.answer_latency
    if constant and (not costs.order_latency_ns or not costs.answer_latency_ns):
        yield "The latency of this run is zero. No machine is that fast: its fills flatter it."
    if manifest.grade.name != BOOK and parse_decimal(costs.spread) == 0:
        yield "The spread of this run is zero. Every market has one: its market orders flatter it."
    if manifest.grade.name == BARS and parse_decimal(costs.slippage) == 0:
        yield "The slippage of this run is zero. The price moves while a bar opens: its market orders flatter it."
    if manifest.grade.name == BARS and parse_decimal(costs.participation) == 1:
        yield "Orders of this run may take the whole volume of a bar. Nobody trades alone: its fills flatter it."
    if metrics.liquidations:
        yield (
            f"Liquidated: the venue closed {metrics.liquidations:,} positions whose margin no longer sufficed, and kept what was "
            "left of it."
        )
    for instrument in manifest.instruments:
        if instrument.is_perpetual and manifest.costs.funding == "none":
            yield f"Funding of {instrument.name} is left out: who holds a perpetual pays or receives it."
    for name in _quarantined(manifest):
        yield f"{name} raised an error and was quarantined: what follows is not its whole story."
    for line in metrics.books_differences:
        yield f"The books disagree, so no figure here is to be trusted. {line}."


def _quarantined(manifest: Manifest) -> list[str]:
    return [
        manifest.strategy_name(entry) if isinstance(entry, int) else entry for entry in manifest.quarantined
    ]


def _banner(lines: list[str]) -> Html:
    if not lines:
        return Html("")
    return element(
        "div", element("ul", *(element("li", line) for line in lines)), classes="banner", role="alert"
    )


def _headline(run: RunFiles, metrics: Metrics) -> Html:
    manifest, counters = run.manifest, run.manifest.counters
    names = ", ".join(one.name for one in manifest.strategies) or "no strategy"
    markets = ", ".join(one.name for one in manifest.instruments)
    selection = manifest.selection
    return element(
        "header",
        element("h1", f"{names} on {markets}"),
        _grade(manifest),
        element("p", f"{manifest.mode} · run {manifest.run_id} · {manifest.created}", classes="note"),
        _pnl_sum(metrics),
        element("p", claim(metrics), classes="claim"),
        pairs(
            [
                ("break-even maker fee", _break_even(manifest, metrics)),
                (
                    "opening equity",
                    f"{money(metrics.opening_equity, metrics.quote_asset)} {metrics.quote_asset}",
                ),
                ("return", percent(metrics.net_return_fraction, 4, sign=True)),
                ("buy and hold", _hold_text(metrics)),
                (
                    "largest drawdown",
                    f"{money(metrics.max_drawdown, metrics.quote_asset)} {metrics.quote_asset}",
                ),
                ("orders · fills", f"{metrics.orders:,} · {metrics.fills:,}"),
                ("as maker", percent(metrics.maker_share)),
                ("round trips", f"{metrics.round_trips:,}"),
                ("from", clock(selection.first_ns) + " UTC"),
                ("to", clock(selection.last_ns) + " UTC"),
                ("events", f"{counters.events:,} at {number(counters.events_per_s, 0)} a second"),
                ("digest", str(manifest.digest or NOTHING)),
            ]
        ),
    )


def _grade(manifest: Manifest) -> Html:
    """Said before any figure where the run was not matched on a book."""
    if manifest.grade.name == BOOK:
        return Html("")
    name, _, rest = manifest.grade.note.partition(":")
    return element("p", element("b", name), f":{rest}", classes="grade")


def _interval(manifest: Manifest, metrics: Metrics) -> Html:
    """At bar grade the order of prices inside a bar is not told: the result is what lies between two bounds."""
    if manifest.grade.name != BARS:
        return Html("")
    doubts, asset = manifest.doubts, metrics.quote_asset
    best = Decimal(metrics.net_pnl) + Decimal(doubts.difference)
    known = f" In {doubts.known:,} more, trades told which came first." if doubts.known else ""
    rows = [
        ("the stop first, as in this run", money(metrics.net_pnl, asset, sign=True)),
        ("the target first", money(str(best), asset, sign=True)),
        ("difference", money(doubts.difference, asset)),
    ]
    return section(
        "The result as an interval",
        table([f"{doubts.bars:,} bars reached a stop and a target", f"net P&L, {asset}"], rows),
        note=f"A bar does not tell which of its prices came first.{known} Decisions after such a bar are those of the run.",
    )


def _pnl_sum(metrics: Metrics) -> Html:
    asset = metrics.quote_asset

    def term(name: str, amount: str, classes: str = "") -> Html:
        value = Decimal(amount)
        tone = "gain" if value > 0 else "loss" if value < 0 else ""
        figure_ = element("b", money(amount, asset, sign=True), classes=tone)
        return element("div", element("span", name), figure_, classes=classes)

    return element(
        "div",
        term("spread earned", metrics.spread_earned),
        element("i", "+"),
        term("adverse selection", metrics.adverse_selection),
        element("i", "−"),
        element("div", element("span", "fees"), element("b", money(metrics.fees, asset))),
        *_funding_term(metrics),
        element("i", "="),
        term(f"net P&L, {asset}", metrics.net_pnl, "total"),
        classes="sum",
    )


def _funding_term(metrics: Metrics) -> tuple[Html, ...]:
    """Nothing where none was paid or received: spot has no funding."""
    if not Decimal(metrics.funding):
        return ()
    amount = element("b", money(metrics.funding, metrics.quote_asset))
    return element("i", "−"), element("div", element("span", "funding"), amount)


def _break_even(manifest: Manifest, metrics: Metrics) -> str:
    fee = metrics.break_even_maker_fee
    if fee is None:
        return "no maker fills"
    need = " (a rebate)" if fee < 0 else ""
    return f"{percent(fee, 4)}{need}; this run paid {percent(manifest.costs.maker_fee, 4)}"


def _hold_text(metrics: Metrics) -> str:
    hold = metrics.buy_and_hold
    return f"{money(hold.net_pnl, metrics.quote_asset, sign=True)} {metrics.quote_asset}" if hold else NOTHING


def _trips_claim(metrics: Metrics) -> str:
    if metrics.expectancy_t is None:
        return "."
    size = abs(metrics.expectancy_t)
    return (
        f": the mean of {metrics.round_trips:,} round trips stands {size:.1f} standard errors "
        f"{'above' if metrics.expectancy_t > 0 else 'below'} zero, and they lean on one another."
    )


def _prices(run: RunFiles, books_: list[Book]) -> Html:
    instruments = run.manifest.instruments
    note = _left_out(len(instruments), CHARTS_MAX, "instruments")
    return section(
        "Price and fills",
        *(
            part
            for one in instruments[:CHARTS_MAX]
            for part in _price_figures(run, one, books_)
        ),
        note=note,
    )


def _price_figures(run: RunFiles, instrument: Instrument, books_: list[Book]) -> Iterator[Html]:
    """Without a book there is no spread to draw."""
    yield price_figure(run, instrument, books_)
    if run.manifest.grade.name == BOOK:
        yield spread_figure(run, instrument)


def _positions(run: RunFiles, books_: list[Book]) -> Html:
    note = _left_out(len(books_), CHARTS_MAX, "positions")
    return section("Position", *(position_figure(run, book) for book in books_[:CHARTS_MAX]), note=note)


def _left_out(count: int, count_max: int, name: str) -> str:
    return f"{count - count_max:,} more {name} are left out here." if count > count_max else ""


def _first_of(shown: int, count: int, name: str) -> str:
    return (
        f"The first {shown:,} of {count:,} {name}; {count - shown:,} are left out." if count > shown else ""
    )


def _waterfall_note() -> str:
    return (
        "Spread earned is what the fills would have made had the middle price stood still; adverse selection "
        "is what the middle price gave or took afterwards, until the end of the run."
    )


def _grid(manifest: Manifest, asset: str) -> Html:
    if not manifest.grid:
        return Html("")
    cells = {(cell.fee, cell.latency_ns): cell for cell in manifest.grid}
    fees = sorted({cell.fee for cell in manifest.grid}, key=Decimal)
    latencies = sorted({cell.latency_ns for cell in manifest.grid})
    largest = max(abs(cell.net) for cell in manifest.grid) or 1
    head = ["fee", *(f"latency {duration_text(one)}" for one in latencies)]
    rows = [
        [percent(fee, 4), *(_heat(cells.get((fee, one)), largest, manifest, asset) for one in latencies)]
        for fee in fees
    ]
    return section(
        "Net P&L by fee and latency",
        table(head, rows, classes="heat"),
        note=f"The same strategy on the same ticks, each cell a run of its own; in {asset}, fills below. "
        "Maker and taker pay the same fee here; latency is each way. The cell with the maker fee and the latency of this "
        "run is outlined.",
    )


def _heat(cell: GridCell | None, largest: int, manifest: Manifest, asset: str) -> object:
    if cell is None:
        return NOTHING
    colour = "38,150,80" if cell.net >= 0 else "205,50,50"
    strength = round(0.08 + 0.5 * abs(cell.net) / largest, 2)
    costs = manifest.costs
    own = Decimal(cell.fee) == Decimal(costs.maker_fee) and cell.latency_ns == costs.order_latency_ns
    inner = join((money(cell.net, asset, sign=True), element("div", f"{cell.fills:,} fills", classes="soft")))
    return Cell(inner, "own" if own else "", f"background:rgba({colour},{strength})")


def _markouts(run: RunFiles, metrics: Metrics) -> Html:
    if run.manifest.grade.name == BARS:
        said = "Bars do not tell where the price stood some seconds after a fill."
        return section("Markouts", element("p", said, classes="note"))
    if not any(one.count for one in metrics.markouts):
        return section("Markouts", element("p", "No fills to follow.", classes="note"))
    horizons = sorted({one.horizon_s for one in metrics.markouts})
    groups: dict[str, dict[float, Markout]] = {}
    for one in _telling(metrics):
        name = _markout_name(one, len(run.manifest.instruments) > 1)
        groups.setdefault(name, {})[one.horizon_s] = one
    rows = [
        [name, *(_markout_cell(group.get(horizon)) for horizon in horizons)] for name, group in groups.items()
    ]
    return section(
        "Markouts",
        table(["fills", *(f"after {horizon:g} s" for horizon in horizons)], rows),
        note="Where the middle price stood after a fill, against the price of the fill, in "
        "quote units of the price and in basis points (bp): positive is good for "
        "us. Mean ± standard error; each fill counts once. Neighbouring fills share one market, so the true "
        "error is larger than the one shown.",
    )


def _telling(metrics: Metrics) -> list[Markout]:
    """The markouts worth a row: where all fills were makers or all takers, the split would say everything twice."""
    both_ways = metrics.maker_fills and metrics.taker_fills
    return [one for one in metrics.markouts if both_ways or one.liquidity == "both"]


def _markout_name(one: Markout, several: bool) -> str:
    who = {"maker": "as maker", "taker": "as taker", "both": ""}[one.liquidity]
    side = {"buy": "bought", "sell": "sold", "both": ""}[one.side]
    name = " ".join(part for part in (side, who) if part) or "all fills"
    return f"{one.instrument} {name}" if several else name


def _markout_cell(one: Markout | None) -> Html:
    if one is None or one.mean is None or one.mean_basis_points is None:
        return Html(NOTHING)
    points = _mean_text(one.mean_basis_points, one.standard_error_basis_points, 3)
    under = f"{points} bp · {one.count:,} {'fill' if one.count == 1 else 'fills'}"
    return join((_mean_text(one.mean, one.standard_error, 4), element("div", under, classes="soft")))


def _mean_text(mean: float, error: float | None, digits: int) -> str:
    return number(mean, digits, sign=True) + ("" if error is None else f" ± {number(error, digits)}")


def _orders(run: RunFiles) -> Html:
    count = len(of_kind(run.facts, Kind.PLACE_ORDER))
    head = [
        "sent, UTC",
        "strategy",
        "side",
        "type",
        "price",
        "quantity",
        "ahead when accepted",
        "filled",
        "end",
        "after",
    ]
    rows = [_order_row(run, life) for life in order_lives(run.facts, ORDERS_MAX)]
    shown = _first_of(len(rows), count, "orders")
    return section("Orders", details(f"{count:,} orders", table(head, rows, names=4)), note=shown)


def _order_row(run: RunFiles, life: OrderLife) -> list[object]:
    placed = life.placed
    instrument = run.manifest.instrument(int(placed["instrument"]))
    kind, force = OrderType(int(placed["order_type"])).name, TimeInForce(int(placed["time_in_force"])).name
    price = number(instrument.price_text(int(placed["price"]))) if placed["price"] else "market"
    if placed["trigger"]:
        price += f" when {number(instrument.price_text(int(placed['trigger'])))}"
    end = f"{life.ended}: {_words(life.reject)}" if life.reject else life.ended
    after = span(life.ended_ns - int(placed["time_ns"])) if life.ended_ns >= 0 else NOTHING
    ahead = ahead_text(life.ahead_lots, instrument) if life.accepted_ns >= 0 else NOTHING
    return [
        clock(int(placed["time_ns"])),
        run.manifest.strategy_name(int(placed["owner"])),
        _side(int(placed["flags"]), "buy", "sell"),
        _words(f"{kind} {force}"),
        price,
        _quantity(instrument, life.quantity_lots),
        ahead,
        _quantity(instrument, life.filled_lots) if life.filled_lots else NOTHING,
        end,
        after,
    ]


def _fills(run: RunFiles, books_: list[Book]) -> Html:
    count = sum(len(book.fills) for book in books_)
    rows = sorted((row for book in books_ for row in _fill_rows(run, book)), key=lambda row: row[0])[
        :FILLS_MAX
    ]
    head = ["time, UTC", "strategy", "side", "as", "price", "quantity", "fee", "in the queue"]
    head += ["ahead when accepted", "ahead at the fill"]
    shown = _first_of(len(rows), count, "fills")
    return section(
        "Fills", details(f"{count:,} fills", table(head, [row[1] for row in rows], names=4)), note=shown
    )


def _fill_rows(run: RunFiles, book: Book) -> list[tuple[int, list[object]]]:
    fills = book.fills[:FILLS_MAX]
    waits = times_in_queue_ns(run.facts, fills).tolist()
    aheads = ahead_at_acceptance(run.facts, fills).tolist()
    makers = is_maker(fills).tolist()
    return [
        (int(fills["time_ns"][index]), _fill_row(run, book, index, wait_ns, ahead, maker))
        for index, (wait_ns, ahead, maker) in enumerate(zip(waits, aheads, makers, strict=True))
    ]


def _fill_row(run: RunFiles, book: Book, index: int, wait_ns: int, ahead: int, maker: bool) -> list[object]:
    fill, instrument = book.fills[index], book.instrument
    queue: list[object] = [
        span(wait_ns) if wait_ns >= 0 else NOTHING,
        ahead_text(ahead, instrument),
        ahead_text(int(fill["display"]), instrument),
    ]
    return [
        clock(int(fill["time_ns"])),
        run.manifest.strategy_name(book.strategy),
        _side(int(fill["flags"]), "bought", "sold"),
        "liquidated" if fill["kind"] == Kind.LIQUIDATED else "maker" if maker else "taker",
        number(instrument.price_text(int(fill["price"]))),
        _quantity(instrument, int(fill["quantity"])),
        money(int(book.fees_each[index]), instrument.settle),
        *(queue if maker else [NOTHING] * 3),
    ]


def _quantity(instrument: Instrument, lots: int) -> str:
    return number(Decimal(instrument.quantity_text(lots)).normalize())


def _side(flags: int, buy: str, sell: str) -> Html:
    sold = bool(flags & Flag.SELL)
    return element("span", sell if sold else buy, classes="sell" if sold else "buy")


def _buy_and_hold(metrics: Metrics) -> Html:
    hold, asset = metrics.buy_and_hold, metrics.quote_asset
    if hold is None:
        return section(
            "Beside it: buy and hold", element("p", "No price or no equity to hold.", classes="note")
        )
    rows = [
        ("net P&L", money(metrics.net_pnl, asset, sign=True), money(hold.net_pnl, asset, sign=True)),
        (
            "return",
            percent(metrics.net_return_fraction, 4, sign=True),
            percent(hold.return_fraction, 4, sign=True),
        ),
        ("fees", money(metrics.fees, asset), money(hold.fee, asset)),
        ("time in market", percent(metrics.time_in_market), "100.00 %"),
    ]
    return section(
        "Beside it: buy and hold",
        table(["", "this run", f"holding {hold.instrument}"], rows),
        note=f"The opening equity buys {number(hold.quantity)} at the first ask of {number(hold.first_ask)}, "
        f"pays one taker fee and is marked at the last middle price of {number(hold.last_middle)}.",
    )


def _metrics_table(metrics: Metrics) -> Html:
    skipped = {"markouts", "buy_and_hold", "daily_returns", "books_differences", "quote_asset"}
    skipped.add("annualised_withheld")  # it stands in the note
    rows = [
        (
            details(_figure_name(name), text),
            _figure_text(name, getattr(metrics, name), metrics),
            _figure_unit(unit, metrics.quote_asset),
        )
        for name, (unit, text) in DEFINITIONS.items()
        if name not in skipped
    ]
    note = "A year has 365 days, days are UTC, no risk-free rate. Open a figure for its definition."
    if metrics.annualised_withheld:
        note = f"{note} Not given here: {metrics.annualised_withheld}."
    return section("All figures", table(["figure", "value", "unit"], rows, classes="define"), note=note)


def _figure_name(name: str) -> str:
    """The words of a figure's name; its unit stands in a column of its own."""
    return _words(name.removesuffix("_s").removesuffix("_fraction").replace("pnl", "P&L"))


def _figure_unit(unit: str, asset: str) -> str:
    """A fraction is shown as a percentage."""
    return unit.replace("quote", asset).replace("fraction", "").strip()


def _figure_text(name: str, value: object, metrics: Metrics) -> str:
    unit = DEFINITIONS[name][0]
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, dict):
        return ", ".join(f"{_words(key)} {count:,}" for key, count in value.items()) or NOTHING
    if unit == "quote":
        return money(str(value), metrics.quote_asset)
    if unit.startswith("fraction") and isinstance(value, float):
        return percent(value, 4)
    if isinstance(value, float):
        return number(value, 3)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _assumptions(manifest: Manifest) -> Html:
    return section(
        "Assumptions", pairs(stated(manifest)), element("ul", *(element("li", one) for one in manifest.assumptions))
    )


def _matching(manifest: Manifest) -> Iterator[tuple[str, str]]:
    costs = manifest.costs
    if manifest.grade.name == BOOK:
        yield "orders are matched on", "the recorded book"
        yield "queue model", costs.queue or NOTHING
        return
    yield "spread", percent(costs.spread, 4)
    if manifest.grade.name == BARS:
        yield "slippage of a market order", percent(costs.slippage, 4)
        yield "share of a bar's volume", percent(costs.participation)


def _data(manifest: Manifest, metrics: Metrics) -> Html:
    selection, counters = manifest.selection, manifest.counters
    void = NOTHING if selection.void_rows is None else f"{selection.void_rows:,}"
    books_ = "equal" if metrics.books_agree else "DIFFERENT, see the top"
    stated = pairs(
        [
            ("rows selected", f"{selection.rows:,}"),
            ("void rows", void),
            ("checksum", str(selection.checksum) or NOTHING),
            ("gaps", f"{counters.gaps:,}"),
            ("rows received out of order", f"{selection.late_rows:,}"),
            ("from", clock(selection.first_ns) + " UTC"),
            ("to", clock(selection.last_ns) + " UTC"),
            ("imports", ", ".join(str(one) for one in selection.imports) or NOTHING),
            ("books: fills against ledger", books_),
        ]
    )
    return section("Gaps and quality of the data", stated, _book_check(manifest))


def _book_check(manifest: Manifest) -> Html:
    check = manifest.book_check
    if check is None:
        return Html("")
    line = (
        f"Book check: {check.trades_exact:,} of {check.trades:,} real trades and {check.takers_exact:,} of "
        f"{check.takers:,} takers reproduced exactly (maker, price, size)."
    )
    misses = element("ul", *(element("li", one) for one in check.misses)) if check.misses else Html("")
    return join((element("p", line), misses))


def _reproduce(manifest: Manifest) -> Html:
    lines = [
        manifest.command or f"tradebot replay {manifest.run_id} --verify",
        "",
        f"# run       {manifest.run_id}",
        f"# created   {manifest.created}",
        f"# digest    {manifest.digest or ''}",
        f"# checksum  {manifest.selection.checksum}",
        *(line for one in manifest.strategies for line in _strategy_lines(one)),
        *(f"# version   {name} {version}" for name, version in manifest.versions.items()),
    ]
    return section(
        "Run it again",
        copy_box("\n".join(lines)),
        element("h3", "Configuration as it took effect"),
        copy_box(config_text(manifest.config)),
        note="One click selects a box. The same ticks, versions and configuration give the same digest.",
    )


def _strategy_lines(entry: StrategyEntry) -> Iterator[str]:
    """A strategy with all its parameters, also those that the configuration leaves to their defaults."""
    yield f"# strategy  {entry.number} {entry.name} {entry.use} {entry.source_hash}"
    if entry.params:
        yield f"# params    {entry.number} {', '.join(f'{name} = {_toml(value)}' for name, value in entry.params.items())}"


def _words(name: str) -> str:
    return " ".join(word if word == "P&L" else word.lower() for word in name.split("_"))


def _config_lines(config: dict[str, object], path: str) -> Iterator[str]:
    for key, value in config.items():
        if not _sections(value):
            yield f"# {_key(key)} is not set" if value is None else f"{_key(key)} = {_toml(value)}"
    for key, value in config.items():
        name = f"{path}.{_key(key)}" if path else _key(key)
        for section_ in _sections(value):
            yield ""
            yield f"[[{name}]]" if isinstance(value, list) else f"[{name}]"
            yield from _config_lines(section_, name)


def _sections(value: object) -> list[dict[str, object]]:
    """The tables that a value is printed as; none where it is a plain value."""
    entries: list[object] = value if isinstance(value, list) else [value]
    tables = [one for one in entries if isinstance(one, dict)]
    return tables if len(tables) == len(entries) else []


def _key(key: str) -> str:
    plain = key.replace("_", "").replace("-", "").isalnum() and key.isascii()
    return key if plain else msgspec.json.encode(key).decode()


def _toml(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_toml(one)}" for key, one in value.items()) + " }"
    return msgspec.json.encode(value).decode()
