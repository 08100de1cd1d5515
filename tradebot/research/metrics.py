"""What a run earned and how: every figure of the report, each with one stated definition.

Conventions: a year has 365 days, a day is a UTC day, returns are simple, the risk-free and the required
return are zero. No annualised figure is given under 30 daily returns, because the error of one would be
larger than itself: they are None then, and `annualised_withheld` says why.

Money is exact: whole units of 1e-8 of the quote asset, recomputed from the fills and compared with the
ledger's last sample. Floats are used for ratios only. Where empyrical-reloaded defines the same figure, the
tests hold ours equal to it (with annualization=365). Where it answers with NaN or infinity, ours is None.

`DEFINITIONS` says what each figure means; the report prints it beside the figure, and a test holds it
complete.
"""

from fractions import Fraction
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from msgspec import Struct

from tradebot.domain.errors import NotBuiltYet
from tradebot.domain.instrument import INVERSE, Instrument
from tradebot.domain.orders import Kind
from tradebot.domain.units import NS_PER_SECOND, money_from_text, money_text, parse_decimal, time_text
from tradebot.research.equity import EquityCurve
from tradebot.research.fills import Book, books, disagreements, is_maker
from tradebot.research.markouts import Markout, markouts
from tradebot.research.order_lives import of_kind, rejects_by_reason, times_in_queue_ns
from tradebot.research.postings import balance_differences
from tradebot.research.results import Manifest, Records, RunFiles, open_results
from tradebot.research.returns import (
    annual_return,
    annual_volatility,
    calmar_ratio,
    sharpe_ratio,
    sortino_ratio,
)
from tradebot.research.round_trips import expectancy_t, mean_units, profit_factor, round_trips, win_rate
from tradebot.research.valuation import trade_values, units_nearest

DAILY_RETURNS_MIN: Final = 30


class BuyAndHold(Struct, frozen=True, kw_only=True):
    """The opening equity put into the first instrument at the first ask, marked at the last middle price."""

    instrument: str
    quantity: str
    first_ask: str
    last_middle: str
    fee: str
    net_pnl: str
    return_fraction: float | None


class Metrics(Struct, frozen=True, kw_only=True):
    """Every figure of a run. Money is decimal text in `quote_asset`, of contracts the asset they settle in; None where a figure
    has no value."""

    quote_asset: str
    span_s: float
    opening_equity: str
    net_pnl: str
    net_return_fraction: float | None
    gross_pnl: str
    spread_earned: str
    adverse_selection: str
    fees: str
    funding: str
    liquidations: int
    break_even_maker_fee: float | None
    turnover: str
    maker_share: float | None
    orders: int
    fills: int
    maker_fills: int
    taker_fills: int
    fills_without_middle: int
    fill_ratio_lots: float | None
    fill_ratio_orders: float | None
    cancels: int
    rejects: int
    rejects_by_reason: dict[str, int]
    cancel_rejects: int
    time_in_queue_median_s: float | None
    round_trips: int
    win_rate: float | None
    profit_factor: float | None
    average_win: str | None
    average_loss: str | None
    expectancy: str | None
    expectancy_t: float | None
    time_in_market: float | None
    max_drawdown: str
    max_drawdown_fraction: float | None
    max_drawdown_peak_time: str | None
    max_drawdown_trough_time: str | None
    daily_returns: list[float]
    annual_return: float | None
    annual_volatility: float | None
    sharpe_ratio: float | None
    sortino_ratio: float | None
    calmar_ratio: float | None
    annualised_withheld: str | None
    buy_and_hold: BuyAndHold | None
    markouts: list[Markout]
    books_agree: bool
    books_differences: list[str]


# figure -> (unit, definition). "quote" stands for the quote asset.
DEFINITIONS: Final[dict[str, tuple[str, str]]] = {
    "quote_asset": (
        "",
        "The asset in which money is counted: the quote asset; of contracts the one they settle in, which for an inverse "
        "contract is the base asset.",
    ),
    "span_s": ("s", "From the first to the last tick of the selection."),
    "opening_equity": (
        "quote",
        "Opening balances in the quote asset, plus those in the base asset at the first middle price. "
        "Balances in other assets are not valued.",
    ),
    "net_pnl": (
        "quote",
        "Gross P&L less fees and funding. Recomputed from the fills and compared with the ledger.",
    ),
    "net_return_fraction": ("fraction", "Net P&L divided by the opening equity."),
    "gross_pnl": (
        "quote",
        "Money received for sales less money paid for purchases, with what is held at the end marked at the "
        "last middle price, or at the venue's last mark of a contract: realised plus unrealised, before fees and funding. "
        "What fees in the base asset took out of the position counts at the price of its trade, in whole lots; what is left "
        "of a lot lies on the account, at that price. "
        "An inverse contract is worth contract / price of its base asset.",
    ),
    "spread_earned": (
        "quote",
        "Over all fills, side × (middle price just before the trade − price) × quantity: what the fills "
        "earned if the middle price had stood still. Side is +1 for a purchase, −1 for a sale.",
    ),
    "adverse_selection": (
        "quote",
        "Gross P&L less spread earned: what the moves of the middle price after the fills gave or took.",
    ),
    "fees": (
        "quote",
        "Fees paid, rebates negative. A fee in the base asset is valued at the price of its trade. What a liquidation left of "
        "a margin counts as a fee, for the venue keeps it.",
    ),
    "funding": ("quote", "Funding paid by positions in perpetual contracts, received negative."),
    "liquidations": ("count", "Positions that the venue closed because their margin no longer sufficed."),
    "break_even_maker_fee": (
        "fraction of notional",
        "The maker fee at which this run's net P&L would be zero: gross P&L less the fees of taker fills, "
        "and funding, divided by the maker notional. Negative: a rebate would be needed. The fills are taken as they "
        "are.",
    ),
    "turnover": ("quote", "The notional of all fills, purchases and sales added."),
    "maker_share": ("fraction", "The share of the turnover in which our order rested."),
    "orders": ("count", "Orders sent to the venue."),
    "fills": ("count", "Fills; an order may have several."),
    "maker_fills": ("count", "Fills in which our order rested."),
    "taker_fills": ("count", "Fills in which our order took."),
    "fills_without_middle": (
        "count",
        "Fills with an empty side of the book just before them: they count in gross P&L and not in spread "
        "earned.",
    ),
    "fill_ratio_lots": ("fraction", "Lots filled divided by lots ordered."),
    "fill_ratio_orders": ("fraction", "Orders with at least one fill divided by orders."),
    "cancels": ("count", "Orders that ended cancelled, by us or by the venue."),
    "rejects": ("count", "Orders refused by risk or by the venue."),
    "rejects_by_reason": ("count", "Refused orders by the rule they broke."),
    "cancel_rejects": ("count", "Cancels that came too late or named no open order."),
    "time_in_queue_median_s": (
        "s",
        "The median over maker fills of the venue's time from acceptance of the order to the fill.",
    ),
    "round_trips": (
        "count",
        "A strategy's position in an instrument leaves zero and comes back to zero or crosses it. A fill "
        "that crosses is split pro rata. A position still open at the end is no round trip.",
    ),
    "win_rate": ("fraction", "Round trips with a P&L after fees above zero, divided by all round trips."),
    "profit_factor": (
        "ratio",
        "The sum of winning round trips divided by the sum of losing ones; none without a loss.",
    ),
    "average_win": ("quote", "The mean P&L after fees of winning round trips."),
    "average_loss": ("quote", "The mean P&L after fees of losing round trips."),
    "expectancy": ("quote", "The mean P&L after fees of a round trip."),
    "expectancy_t": (
        "ratio",
        "Expectancy divided by its standard error. Below 2 in size it does not differ from chance; round "
        "trips that overlap in cause make it look larger than it is.",
    ),
    "time_in_market": ("fraction", "The share of the span in which any strategy held a position."),
    "max_drawdown": (
        "quote",
        "The largest fall of the sampled equity from an earlier peak, the opening equity included.",
    ),
    "max_drawdown_fraction": (
        "fraction",
        "The largest fall of the sampled equity as a fraction of the peak before it; at most zero.",
    ),
    "max_drawdown_peak_time": ("UTC", "When the peak before the largest fall in money was sampled."),
    "max_drawdown_trough_time": ("UTC", "When the bottom of the largest fall in money was sampled."),
    "daily_returns": (
        "fraction",
        "Equity at the end of each UTC day divided by that of the day before, less 1; the first against the "
        "opening equity. A day that was only partly covered counts as a day.",
    ),
    "annual_return": (
        "fraction",
        "The product of (1 + daily return), to the power of 365 over the number of days, less 1.",
    ),
    "annual_volatility": ("fraction", "The sample deviation of daily returns times the root of 365."),
    "sharpe_ratio": (
        "ratio",
        "The mean of daily returns over their sample deviation, times the root of 365; risk-free rate zero. "
        "W. F. Sharpe, The Sharpe Ratio, 1994.",
    ),
    "sortino_ratio": (
        "ratio",
        "The mean of daily returns over the root of the mean square of the negative ones (all days "
        "counted), times the root of 365. T. N. Rollinger and S. T. Hoffman, Sortino, 2013.",
    ),
    "calmar_ratio": (
        "ratio",
        "Annual return over the size of the largest drawdown of daily returns. T. W. Young, 1991.",
    ),
    "annualised_withheld": ("", "Why the annualised figures are not given."),
    "buy_and_hold": (
        "quote",
        "The whole opening equity buys at the first ask, in whole lots, pays one taker fee and is marked at "
        "the last middle price.",
    ),
    "markouts": (
        "quote per base, basis points",
        "The mean over fills of side × (middle price after the horizon − price); positive is good for us. "
        "The standard error takes the fills as independent, which neighbours are not: the true one is "
        "larger.",
    ),
    "books_agree": (
        "",
        "Whether position, P&L and fees recomputed from the fills equal the ledger's last sample, and opening balances with all "
        "postings its closing balances.",
    ),
    "books_differences": ("", "Where they do not."),
}


def metrics(results: Path | RunFiles) -> dict[str, object]:
    """All figures of a run as plain data, ready for JSON: numbers, decimal texts and None.

    Takes a results folder or one already opened. Raises BadContainer where it cannot be read, and NotBuiltYet
    where its instruments are quoted in different assets.
    """
    run = open_results(results) if isinstance(results, Path) else results
    data: dict[str, object] = msgspec.to_builtins(measure(run))
    return data


def measure(run: RunFiles) -> Metrics:
    """All figures of a run; see `DEFINITIONS`."""
    books_ = books(run)
    opening = opening_equity(run)
    gross, spread = sum(book.gross for book in books_), sum(book.spread for book in books_)
    fees, turnover = sum(book.fees for book in books_), sum(book.turnover for book in books_)
    funding = sum(book.funding for book in books_)
    net = gross - fees - funding
    placed = of_kind(run.facts, Kind.PLACE_ORDER)
    fills, maker_fills = sum(len(book.fills) for book in books_), sum(_maker_count(book) for book in books_)
    trips = [trip for book in books_ for trip in round_trips(book)]
    curve = EquityCurve.of(run, opening)
    fall = curve.largest_fall()
    returns = curve.daily_returns()
    long_enough = len(returns) >= DAILY_RETURNS_MIN
    differences = disagreements(run, books_) + balance_differences(run)
    return Metrics(
        quote_asset=quote_asset(run.manifest),
        span_s=span_ns(run) / NS_PER_SECOND,
        opening_equity=money_text(opening),
        net_pnl=money_text(net),
        net_return_fraction=ratio(net, opening),
        gross_pnl=money_text(gross),
        spread_earned=money_text(spread),
        adverse_selection=money_text(gross - spread),
        fees=money_text(fees),
        funding=money_text(funding),
        liquidations=sum(book.liquidations for book in books_),
        break_even_maker_fee=break_even_maker_fee(books_),
        turnover=money_text(turnover),
        maker_share=ratio(sum(book.maker_turnover for book in books_), turnover),
        orders=len(placed),
        fills=fills,
        maker_fills=maker_fills,
        taker_fills=fills - maker_fills,
        fills_without_middle=sum(book.unmarked for book in books_),
        fill_ratio_lots=ratio(_lots(books_), sum(placed["quantity"].tolist())),
        fill_ratio_orders=ratio(_orders_filled(books_), len(placed)),
        cancels=len(of_kind(run.facts, Kind.ORDER_CANCELLED)),
        rejects=len(of_kind(run.facts, Kind.ORDER_REJECTED)),
        rejects_by_reason=rejects_by_reason(run.facts),
        cancel_rejects=len(of_kind(run.facts, Kind.CANCEL_REJECTED)),
        time_in_queue_median_s=time_in_queue_median_s(run, books_),
        round_trips=len(trips),
        win_rate=win_rate(trips),
        profit_factor=profit_factor(trips),
        average_win=_text(mean_units([trip.pnl for trip in trips if trip.pnl > 0])),
        average_loss=_text(mean_units([trip.pnl for trip in trips if trip.pnl < 0])),
        expectancy=_text(mean_units([trip.pnl for trip in trips])),
        expectancy_t=expectancy_t(trips),
        time_in_market=time_in_market(
            books_, run.manifest.selection.first_ns, run.manifest.selection.last_ns
        ),
        max_drawdown=money_text(fall.money),
        max_drawdown_fraction=fall.fraction,
        max_drawdown_peak_time=time_text(fall.peak_ns) if fall.money else None,
        max_drawdown_trough_time=time_text(fall.trough_ns) if fall.money else None,
        daily_returns=returns.tolist(),
        annual_return=annual_return(returns) if long_enough else None,
        annual_volatility=annual_volatility(returns) if long_enough else None,
        sharpe_ratio=sharpe_ratio(returns) if long_enough else None,
        sortino_ratio=sortino_ratio(returns) if long_enough else None,
        calmar_ratio=calmar_ratio(returns) if long_enough else None,
        annualised_withheld=None if long_enough else _withheld(len(returns)),
        buy_and_hold=buy_and_hold(run, opening),
        markouts=markouts(run),
        books_agree=not differences,
        books_differences=differences,
    )


def span_ns(run: RunFiles) -> int:
    """Nanoseconds from the first to the last tick of the selection."""
    return max(run.manifest.selection.last_ns - run.manifest.selection.first_ns, 0)


def quote_asset(manifest: Manifest) -> str:
    """The one asset in which all instruments are counted: quoted, or settled. Raises NotBuiltYet where there are several."""
    quotes = sorted({instrument.settle for instrument in manifest.instruments})
    if len(quotes) > 1:
        raise NotBuiltYet(
            f"expected one quote asset, found {', '.join(quotes)}; run each quote asset by itself"
        )
    return quotes[0] if quotes else ""


def opening_equity(run: RunFiles) -> int:
    """Opening balances in money units of the quote asset; the base asset at the first middle price."""
    manifest = run.manifest
    opening = manifest.opening or {one.asset: one.amount for one in manifest.account.start}
    quote = quote_asset(manifest)
    total = money_from_text(opening.get(quote, "0"))
    valued = {quote}
    for instrument in manifest.instruments:
        middle2 = _first_middle2(run, instrument)
        if not instrument.is_contract and instrument.base in opening and instrument.base not in valued and middle2:
            valued.add(instrument.base)
            units = money_from_text(opening[instrument.base])
            total += round(Fraction(instrument.tick_size) * units * middle2 / 2)
    return total


def break_even_maker_fee(books_: list[Book]) -> float | None:
    """The maker fee, a fraction of maker notional, at which net P&L is zero; None without maker fills."""
    gross = sum(book.gross for book in books_)
    others = sum(book.fees - book.maker_fees + book.funding for book in books_)
    return ratio(gross - others, sum(book.maker_turnover for book in books_))


def ratio(numerator: int, denominator: int) -> float | None:
    """A float from two integers; None where the denominator is not positive."""
    return numerator / denominator if denominator > 0 else None


def buy_and_hold(run: RunFiles, opening: int) -> BuyAndHold | None:
    """What the opening equity would have made, held in the first instrument; None without a price or
    equity."""
    if not run.manifest.instruments or opening <= 0:
        return None
    instrument = run.manifest.instruments[0]
    samples = _two_sided(run.samples[run.samples["instrument"] == instrument.id])
    if not len(samples):
        return None
    ask, middle2 = int(samples["ask"][0]), int(samples["bid"][-1] + samples["ask"][-1])
    fee_rate = Fraction(parse_decimal(run.manifest.costs.taker_fee))
    lots = int(opening // (_lot_worth(instrument, ask) * (1 + fee_rate)))
    bought, sold = trade_values(instrument, (lots, lots), (2 * ask, middle2))
    fee = round(units_nearest(instrument, abs(bought)) * fee_rate)
    net = units_nearest(instrument, sold - bought) - fee
    return BuyAndHold(
        instrument=instrument.name,
        quantity=instrument.quantity_text(lots),
        first_ask=instrument.price_text(ask),
        last_middle=middle_text(instrument, middle2),
        fee=money_text(fee),
        net_pnl=money_text(net),
        return_fraction=ratio(net, opening),
    )


def _lot_worth(instrument: Instrument, ticks: int) -> Fraction:
    """Money units of the settle asset for a lot at a price."""
    worth = Fraction(*instrument.notional_ratio)
    return worth / ticks if instrument.kind == INVERSE else worth * ticks


def middle_text(instrument: Instrument, middle2: int) -> str:
    """Half of bid + ask as decimal text; a half tick shows as such."""
    return f"{middle2 * instrument.tick_size / 2:f}"


def time_in_market(books_: list[Book], first_ns: int, last_ns: int) -> float | None:
    """The share of [first_ns, last_ns] in which any position was open; None for an empty span."""
    if last_ns <= first_ns:
        return None
    moves = sorted(move for book in books_ for move in _open_moves(book))
    held = open_count = 0
    since = first_ns
    for time_ns, change in moves:
        at = min(max(time_ns, first_ns), last_ns)
        held += (at - since) * (open_count > 0)
        open_count, since = open_count + change, at
    held += (last_ns - since) * (open_count > 0)
    return held / (last_ns - first_ns)


def time_in_queue_median_s(run: RunFiles, books_: list[Book]) -> float | None:
    """The median over maker fills of the time from acceptance to the fill, seconds; None where none is
    known."""
    makers = [book.fills[is_maker(book.fills)] for book in books_]
    waits = np.concatenate(
        [times_in_queue_ns(run.facts, fills) for fills in makers] or [np.empty(0, np.int64)]
    )
    known = waits[waits >= 0]
    return float(np.median(known)) / NS_PER_SECOND if len(known) else None


def _open_moves(book: Book) -> list[tuple[int, int]]:
    """(time, +1) where the position leaves zero, (time, -1) where it comes back."""
    position = np.cumsum(book.moved)
    held = (position != 0).astype(np.int64)
    change = np.diff(held, prepend=0)
    at = np.flatnonzero(change)
    return list(zip(book.fills["time_ns"][at].tolist(), change[at].tolist(), strict=True))


def _maker_count(book: Book) -> int:
    return int(np.count_nonzero(is_maker(book.fills)))


def _lots(books_: list[Book]) -> int:
    return sum(sum(book.fills["quantity"].tolist()) for book in books_)


def _orders_filled(books_: list[Book]) -> int:
    return sum(len(np.unique(book.fills["id"])) for book in books_)


def _two_sided(samples: Records) -> Records:
    return np.asarray(samples[(samples["bid"] > 0) & (samples["ask"] > 0)])


def _first_middle2(run: RunFiles, instrument: Instrument) -> int:
    samples = _two_sided(run.samples[run.samples["instrument"] == instrument.id])
    return int(samples["bid"][0] + samples["ask"][0]) if len(samples) else 0


def _text(units: int | None) -> str | None:
    return None if units is None else money_text(units)


def _withheld(days: int) -> str:
    return (
        f"annualised figures need at least {DAILY_RETURNS_MIN} daily returns, this run has {days}: "
        "the error of any of them would be larger than itself"
    )
