"""The figures of a report: a run's samples and fills drawn with `chart`.

Prices and money become floats here and only here, on their way to pixels. Texts of tooltips come from the
integers.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import numpy as np

from tradebot._core.types import Flag
from tradebot.domain.instrument import Instrument
from tradebot.domain.units import MONEY_SCALE, money_from_text
from tradebot.research.chart import Bar, Chart, Floats, Integers, Mark, waterfall
from tradebot.research.equity import EquityCurve
from tradebot.research.fills import Book, samples_of
from tradebot.research.metrics import Metrics
from tradebot.research.order_lives import ahead_at_acceptance, times_in_queue_ns
from tradebot.research.page import Html, clock, element, figure, join, money, number, span
from tradebot.research.results import Records, RunFiles

MARKS_MAX: Final = 1500  # fills drawn on one price chart
_UNIT: Final = 10.0**-MONEY_SCALE


def price_figure(run: RunFiles, instrument: Instrument, books: list[Book]) -> Html:
    """Bid-ask band, middle price and fills of one instrument; without a book the last price in their place."""
    samples = _own_samples(run, instrument)
    if not len(samples):
        return element("p", f"No samples of {instrument.name}.", classes="note")
    bid, ask = _prices(samples["bid"], instrument), _prices(samples["ask"], instrument)
    own = [book for book in books if book.instrument.id == instrument.id]
    count = sum(len(book.fills) for book in own)
    marks_max = MARKS_MAX // max(len(own), 1)
    shown = [mark for book in own for mark in fill_marks(run, book, marks_max)]
    chart = Chart(
        f"Price of {instrument.name}", _extent(samples["time_ns"]), _range(bid, ask, shown), height=400
    )
    chart.band(samples["time_ns"], bid, ask, "")
    chart.line(samples["time_ns"], (bid + ask) / 2, "thin")
    chart.marks(shown)
    left_out = f"{count - len(shown):,} fills are left out of the drawing." if count > len(shown) else ""
    spreads = ask - bid if run.manifest.grade.name == "book" else None
    return figure(chart.to_svg(), _price_legend(instrument, spreads), left_out)


def spread_figure(run: RunFiles, instrument: Instrument) -> Html:
    """The spread of one instrument, which is a hair on the axis of its price."""
    samples = _own_samples(run, instrument)
    if not len(samples):
        return Html("")
    spread = _prices(samples["ask"], instrument) - _prices(samples["bid"], instrument)
    known = spread[~np.isnan(spread)]
    if not len(known):
        return Html("")
    chart = Chart(f"Spread of {instrument.name}", _extent(samples["time_ns"]), (0.0, float(known.max())), height=150)
    chart.line(samples["time_ns"], spread, "", step=True)
    return figure(chart.to_svg(), f"Spread of {instrument.name}: ask less bid, in {instrument.quote}.")


def fill_marks(run: RunFiles, book: Book, count_max: int) -> list[Mark]:
    """One mark per fill, circle for a maker and diamond for a taker, with its story as the tooltip; evenly
    chosen where there are more than `count_max`."""
    chosen = evenly(len(book.fills), count_max)
    fills, fees = book.fills[chosen], book.fees_each[chosen].tolist()
    waits, aheads = (
        times_in_queue_ns(run.facts, fills).tolist(),
        ahead_at_acceptance(run.facts, fills).tolist(),
    )
    return [_mark(run, book, *one) for one in zip(fills, fees, waits, aheads, strict=True)]


def equity_figure(curve: EquityCurve, asset: str) -> Html:
    """P&L since the start, before and after fees."""
    if not len(curve.times_ns):
        return element("p", "No samples.", classes="note")
    net, gross = _floats(curve.net), _floats(curve.gross)
    low, high = min(net.min(), gross.min(), 0.0), max(net.max(), gross.max(), 0.0)
    chart = Chart(f"P&L in {asset}", _extent(curve.times_ns), (low, high), height=280)
    chart.level(0.0, "zero")
    chart.line(curve.times_ns, gross, "second")
    chart.line(curve.times_ns, net, "")
    legend = _legend("━ after fees", "┅ before fees (realised and unrealised, at the middle price)")
    note = " It is the P&L of what was traded: the opening balances are not revalued."
    return figure(chart.to_svg(), f"P&L since the start in {asset}: ", legend, note)


def drawdown_figure(curve: EquityCurve, asset: str) -> Html:
    """How far the equity stands below its earlier peak."""
    if not len(curve.times_ns):
        return Html("")
    peaks = np.maximum.accumulate(np.maximum(curve.net, 0))
    fall = _floats(curve.net - peaks)
    chart = Chart(f"Drawdown in {asset}", _extent(curve.times_ns), (float(fall.min()), 0.0), height=160)
    chart.area(curve.times_ns, fall, 0.0, "fall")
    chart.level(0.0, "zero")
    return figure(chart.to_svg(), f"Drawdown: equity below its earlier peak, in {asset}.")


def position_figure(run: RunFiles, book: Book) -> Html:
    """The position of one strategy in one instrument."""
    samples = samples_of(run, book.key)
    if not len(samples):
        return Html("")
    lots = samples["position"] * float(book.instrument.lot_size)
    low, high = min(float(lots.min()), 0.0), max(float(lots.max()), 0.0)
    name = f"{run.manifest.strategy_name(book.strategy)} in {book.instrument.name}"
    chart = Chart(f"Position of {name}", _extent(samples["time_ns"]), (low, high), height=180)
    chart.area(samples["time_ns"], lots, 0.0, "")
    chart.line(samples["time_ns"], lots, "", step=True)
    chart.level(0.0, "zero")
    return figure(chart.to_svg(), f"{name}, in {book.instrument.unit}.")


def waterfall_figure(metrics: Metrics) -> Html:
    """Spread earned, then what followed, then fees and funding, down to the net P&L."""
    spread, adverse, fees, funding, net = (
        money_from_text(amount)
        for amount in (
            metrics.spread_earned, metrics.adverse_selection, metrics.fees, metrics.funding, metrics.net_pnl,
        )
    )  # fmt: skip
    asset = metrics.quote_asset
    steps = [
        ("spread earned", 0, spread), ("adverse selection", spread, spread + adverse),
        ("fees", spread + adverse, spread + adverse - fees),
        *([("funding", spread + adverse - fees, net)] if funding else []), ("net P&L", 0, net),
    ]  # fmt: skip
    bars = [
        Bar(
            name,
            start * _UNIT,
            end * _UNIT,
            money(end - start, asset, sign=True),
            "up" if end >= start else "down",
        )
        for name, start, end in steps
    ]
    return figure(waterfall(f"P&L as a sum, in {asset}", bars), f"In {asset}.")


def steps_figure(
    title: str, asset: str, start: tuple[str, Decimal], steps: Sequence[tuple[str, Decimal]], end_name: str
) -> Html:
    """From one amount of money to another, step by step."""
    name, at = start
    bars = [Bar(name, 0.0, float(at), money(str(at), asset, sign=True), _tone(at))]
    for name, step in steps:
        bars.append(Bar(name, float(at), float(at + step), money(str(step), asset, sign=True), _tone(step)))
        at += step
    bars.append(Bar(end_name, 0.0, float(at), money(str(at), asset, sign=True), _tone(at)))
    return figure(waterfall(f"{title}, in {asset}", bars), f"{title}, in {asset}.")


def _tone(amount: Decimal) -> str:
    return "up" if amount >= 0 else "down"


def evenly(count: int, count_max: int) -> Integers:
    """At most `count_max` indexes of `count`, evenly chosen, first and last among them."""
    return np.linspace(0, count - 1, min(count, count_max)).round().astype(np.int64)


def ahead_text(lots: int, instrument: Instrument) -> str:
    return "unknown" if lots < 0 else number(instrument.quantity_text(lots))


def _mark(run: RunFiles, book: Book, fill: np.void, fee: int, wait_ns: int, ahead_lots: int) -> Mark:
    instrument, flags = book.instrument, int(fill["flags"])
    price = number(instrument.price_text(int(fill["price"])))
    quantity = number(instrument.quantity_text(int(fill["quantity"])))
    lines = [
        f"{'sold' if flags & Flag.SELL else 'bought'} as {'maker' if flags & Flag.MAKER else 'taker'} · "
        f"{run.manifest.strategy_name(book.strategy)}",
        clock(int(fill["time_ns"])) + " UTC",
        f"{quantity} {instrument.unit} at {price} {instrument.quote}",
        f"fee {money(fee, instrument.settle)} {instrument.settle}",
    ]
    if flags & Flag.MAKER:
        lines.append(f"in the queue {span(wait_ns) if wait_ns >= 0 else 'for an unknown time'}")
        lines.append(f"ahead when accepted {ahead_text(ahead_lots, instrument)} {instrument.unit}")
        lines.append(f"ahead at the fill {ahead_text(int(fill['display']), instrument)} {instrument.unit}")
    return Mark(
        float(fill["time_ns"]),
        int(fill["price"]) * float(instrument.tick_size),
        "circle" if flags & Flag.MAKER else "diamond",
        "sell" if flags & Flag.SELL else "buy",
        "\n".join(lines),
    )


def _own_samples(run: RunFiles, instrument: Instrument) -> Records:
    """The samples of one instrument, one per time, whichever strategy they were taken for."""
    samples = run.samples[run.samples["instrument"] == instrument.id]
    _, first = np.unique(samples["time_ns"], return_index=True)
    return np.asarray(samples[first])


def _prices(ticks: Integers, instrument: Instrument) -> Floats:
    return np.asarray(np.where(ticks > 0, ticks * float(instrument.tick_size), np.nan), np.float64)


def _floats(units: Integers) -> Floats:
    return np.asarray(units * _UNIT, np.float64)


def _extent(times_ns: Integers) -> tuple[float, float]:
    return float(times_ns[0]), float(times_ns[-1])


def _range(bid: Floats, ask: Floats, marks: list[Mark]) -> tuple[float, float]:
    values = np.concatenate((bid, ask, [mark.y for mark in marks]))
    values = values[~np.isnan(values)]
    return (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)


def _price_legend(instrument: Instrument, spreads: Floats | None) -> Html:
    """`spreads` is None where no book told any: the line is then the last price."""
    lines = ["━ last price"]
    if spreads is not None:
        seen = spreads[~np.isnan(spreads)]
        usual = f" (median spread {float(np.median(seen)):,.6g})" if len(seen) else ""
        lines = [f"▒ bid to ask{usual}", "━ middle price"]
    names = [element("span", name) for name in lines]
    for shape, who in (("●", "maker"), ("◆", "taker")):
        names += [
            element("span", element("b", shape, classes=side), f" {word} as {who}")
            for side, word in (("buy", "bought"), ("sell", "sold"))
        ]
    return join(
        [f"{instrument.name} in {instrument.quote}:", *names, "Hover over a fill for its story. "], " "
    )


def _legend(*names: str) -> Html:
    return join((element("span", name) for name in names), " ")
