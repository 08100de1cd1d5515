"""The figures of a run against empyrical-reloaded, against small runs added up by hand, and against a made
ledger."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import empyrical
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradebot._core.types import FACT_DTYPE, MARKOUT_DTYPE, SAMPLE_DTYPE, Flag
from tradebot.domain.errors import BadContainer, NotBuiltYet
from tradebot.domain.instrument import Instrument
from tradebot.domain.orders import Kind, Reject
from tradebot.domain.units import NS_PER_SECOND, money_from_text
from tradebot.research.fills import Book, books
from tradebot.research.metrics import DEFINITIONS, Metrics, measure, metrics, time_in_market
from tradebot.research.order_lives import order_lives
from tradebot.research.results import Manifest, RunFiles, Selection, open_results
from tradebot.research.returns import (
    annual_return,
    annual_volatility,
    calmar_ratio,
    max_drawdown_fraction,
    sharpe_ratio,
    sortino_ratio,
)
from tradebot.research.round_trips import RoundTrip, profit_factor, round_trips, win_rate
from tradebot.research.valuation import trade_values

MAKE = Callable[..., Path]
DAY_NS = 86_400 * NS_PER_SECOND
# A tick times a lot is one money unit, so that sums by hand need no rounding.
INSTRUMENT = Instrument(
    id=1, symbol="BTC/USD", venue="here", base="BTC", quote="USD", tick="1", lot="0.00000001"
)
Fill = tuple[int, int, int, int]  # time in seconds, signed lots, price, fee


def fill_rows(fills: Sequence[Fill], maker: bool = True, middle2: int = 0) -> np.ndarray:
    rows = np.zeros(len(fills), FACT_DTYPE)
    for row, (second, lots, price, fee) in zip(rows, fills, strict=True):
        row["time_ns"], row["kind"], row["instrument"], row["owner"] = (
            second * NS_PER_SECOND,
            Kind.ORDER_FILLED,
            1,
            1,
        )
        row["flags"] = (lots < 0) * Flag.SELL | maker * Flag.MAKER
        row["price"], row["quantity"], row["fee"], row["trigger"] = price, abs(lots), fee, middle2
    return rows


def sample_rows(
    times_ns: Sequence[int], realised: Sequence[int], bid: int = 99, ask: int = 101
) -> np.ndarray:
    rows = np.zeros(len(times_ns), SAMPLE_DTYPE)
    rows["time_ns"], rows["realised"], rows["bid"], rows["ask"] = times_ns, realised, bid, ask
    rows["instrument"] = rows["strategy"] = 1
    return rows


def small_run(
    fills: np.ndarray | None = None,
    samples: np.ndarray | None = None,
    markouts: np.ndarray | None = None,
    **changes: object,
) -> RunFiles:
    stated = {"instruments": [INSTRUMENT], "assets": ["USD", "BTC"], "opening": {"USD": "1"}, **changes}
    return RunFiles(
        folder=Path(),
        manifest=Manifest(run_id="small", **stated),
        facts=fill_rows([]) if fills is None else fills,
        samples=sample_rows([0], [0]) if samples is None else samples,
        markouts=np.zeros(0, MARKOUT_DTYPE) if markouts is None else markouts,
    )


def book_of(fills: Sequence[Fill]) -> Book:
    return books(small_run(fill_rows(fills)))[0]


def series(seed: int, days: int = 90) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0005, 0.02, days)


SERIES = {
    **{f"seed {seed}": series(seed) for seed in range(12)},
    "flat": np.zeros(40),
    "constant gain": np.full(40, 0.01),
    "one loss": np.array([0.01] * 20 + [-0.05] + [0.01] * 20),
    "only losses": -np.abs(series(99)),
    "loss first": np.array([-0.2, 0.1, 0.05, 0.3]),
    "ruin": np.array([0.1, -1.0, 0.0]),
    "two days": np.array([0.02, -0.01]),
}


@pytest.mark.parametrize("returns", SERIES.values(), ids=SERIES.keys())
def test_ratios_of_daily_returns_equal_empyrical(returns: np.ndarray) -> None:
    with np.errstate(all="ignore"):
        theirs = [
            empyrical.annual_return(returns, annualization=365),
            empyrical.annual_volatility(returns, annualization=365),
            empyrical.sharpe_ratio(returns, annualization=365),
            empyrical.sortino_ratio(returns, annualization=365),
            empyrical.calmar_ratio(returns, annualization=365),
            empyrical.max_drawdown(returns),
        ]
    equity = np.cumprod(np.concatenate((np.ones(1), 1 + returns)))
    ours = [annual_return(returns), annual_volatility(returns), sharpe_ratio(returns), sortino_ratio(returns)]
    ours += [calmar_ratio(returns), max_drawdown_fraction(equity)]
    for own, other in zip(ours, theirs, strict=True):
        assert own == (pytest.approx(other, rel=1e-9, abs=1e-12) if np.isfinite(other) else None)


@pytest.mark.parametrize(("days", "given"), [(29, False), (30, True)])
def test_no_annualised_figure_is_given_under_thirty_daily_returns(days: int, given: bool) -> None:
    wealth = 10**8
    closes = np.cumprod(1 + series(3, days)) * wealth
    samples = sample_rows(
        [day * DAY_NS + 5 for day in range(days)], (closes - wealth).astype(np.int64).tolist()
    )
    found = measure(small_run(samples=samples))
    assert len(found.daily_returns) == days
    figures = [found.annual_return, found.annual_volatility, found.sharpe_ratio, found.sortino_ratio]
    figures.append(found.calmar_ratio)
    assert [figure is not None for figure in figures] == [given] * 5
    assert (found.annualised_withheld is None) == given
    if given:
        expected = empyrical.sharpe_ratio(np.array(found.daily_returns), annualization=365)
        assert found.sharpe_ratio == pytest.approx(expected)


def test_a_day_without_samples_has_a_return_of_zero_and_the_first_counts_from_the_opening() -> None:
    samples = sample_rows([5, 7, 2 * DAY_NS + 1], [10**6, 10**7, 2 * 10**7])
    assert measure(small_run(samples=samples)).daily_returns == pytest.approx([0.1, 0.0, 1.2 / 1.1 - 1])


def test_equity_is_after_fees() -> None:
    samples = sample_rows([DAY_NS, 2 * DAY_NS], [2 * 10**7, 2 * 10**7])
    samples["fees"] = [10**7, 3 * 10**7]
    found = measure(small_run(samples=samples))
    assert found.daily_returns == pytest.approx([0.1, 0.9 / 1.1 - 1])
    assert found.max_drawdown == "0.20000000"


@pytest.mark.parametrize("fee_asset", ["USD", "BTC"])
@pytest.mark.parametrize("seed", range(4))
def test_the_sum_of_a_made_run_adds_up_to_the_ledger_to_the_last_unit(
    make_run: MAKE, seed: int, fee_asset: str
) -> None:
    run = open_results(make_run(seed=seed, seconds=600, fee_asset=fee_asset))
    found = measure(run)
    spread, adverse, fees, net, gross = (
        money_from_text(getattr(found, name))
        for name in ("spread_earned", "adverse_selection", "fees", "net_pnl", "gross_pnl")
    )
    last = run.samples[-1]
    assert found.fills > 40
    assert spread + adverse - fees == net == gross - fees
    assert gross == int(last["realised"]) + int(last["unrealised"])
    assert fees == int(last["fees"])
    assert found.books_agree


@pytest.mark.parametrize(
    ("slot", "change", "word"),
    [
        ("realised", 1, "gross P&L"),
        ("position", 1, "position"),
        ("fees", -1, "fees"),
        ("time_ns", -(10**12), "last fill"),
    ],
)
def test_a_ledger_that_differs_by_one_unit_is_accused(
    make_run: MAKE, slot: str, change: int, word: str
) -> None:
    folder = make_run(seconds=600)
    samples = np.fromfile(folder / "samples.bin", SAMPLE_DTYPE)
    samples[slot][-1] += change
    samples.tofile(folder / "samples.bin")
    found = metrics(folder)
    assert found["books_agree"] is False
    assert word in " ".join(found["books_differences"])


def test_at_the_break_even_maker_fee_nothing_is_left(make_run: MAKE) -> None:
    fee = measure(open_results(make_run("before", taker_fee="0.002"))).break_even_maker_fee
    found = measure(open_results(make_run("after", maker_fee=f"{fee:.12f}", taker_fee="0.002")))
    assert abs(money_from_text(found.net_pnl)) < 10 * found.fills  # each fee is rounded to a unit of 1e-8


def test_spread_earned_and_adverse_selection_of_one_fill_by_hand() -> None:
    # Bought 10 at 95 with the middle at 100; at the end the middle is 98.
    run = small_run(fill_rows([(1, 10, 95, 3)], middle2=200), sample_rows([2 * NS_PER_SECOND], [0], 97, 99))
    found = measure(run)
    assert found.spread_earned == "0.00000050"
    assert found.adverse_selection == "-0.00000020"
    assert (found.gross_pnl, found.fees, found.net_pnl) == ("0.00000030", "0.00000003", "0.00000027")
    assert found.break_even_maker_fee == 30 / 950


def test_a_fill_without_a_middle_price_counts_in_gross_and_not_in_spread() -> None:
    found = measure(small_run(fill_rows([(1, 10, 95, 0)])))
    assert (found.spread_earned, found.gross_pnl) == ("0.00000000", "0.00000050")
    assert found.fills_without_middle == 1


def test_maker_share_counts_the_notional() -> None:
    rows = np.concatenate((fill_rows([(1, 3, 100, 0)]), fill_rows([(2, -1, 100, 0)], maker=False)))
    found = measure(small_run(rows))
    assert (found.maker_share, found.maker_fills, found.taker_fills) == (0.75, 1, 1)


def test_a_round_trip_goes_from_flat_to_flat() -> None:
    trips = round_trips(book_of([(1, 10, 100, 1), (2, 10, 110, 1), (5, -20, 120, 2), (7, 5, 100, 9)]))
    assert trips == [RoundTrip(NS_PER_SECOND, 5 * NS_PER_SECOND, 300 - 4, 4, 3)]


def test_a_fill_that_crosses_zero_is_split_pro_rata() -> None:
    trips = round_trips(book_of([(1, 10, 100, 0), (2, -15, 110, 7), (3, 5, 100, 1)]))
    assert [trip.fees for trip in trips] == [4, 3 + 1]  # 7 * 10 / 15, rounded down, and the rest
    assert [trip.pnl for trip in trips] == [100 - 4, 50 - 4]
    assert [(trip.opened_ns, trip.closed_ns) for trip in trips] == [
        (NS_PER_SECOND, 2 * NS_PER_SECOND),
        (2 * NS_PER_SECOND, 3 * NS_PER_SECOND),
    ]


def test_a_round_trip_ends_when_all_that_a_fee_in_base_left_is_sold() -> None:
    """ETH/BTC: 1 bought at 0.02 for 0.001 ETH, 0.999 sold at 0.0195, so 0.01998 BTC less 0.01948050 and its fee are lost."""
    eth = Instrument(id=1, symbol="ETH/BTC", venue="here", base="ETH", quote="BTC", tick="0.00001", lot="0.0001")
    rows = fill_rows([(1, 10_000, 2_000, 100_000), (2, -9_990, 1_950, 1_948)])
    rows["fee_asset"] = [1, 0]
    run = small_run(rows, instruments=[eth], assets=["BTC", "ETH"], opening={"BTC": "1"})
    book = books(run)[0]
    assert book.moved.tolist() == [9_990, -9_990] and book.position_lots == 0
    assert [trip.pnl for trip in round_trips(book)] == [book.gross - book.fees] == [-2_000_000 + 1_948_050 - 1_948]
    assert time_in_market([book], 0, 4 * NS_PER_SECOND) == 0.25


def test_a_fee_that_takes_all_that_was_bought_is_paid_by_the_next_round_trip() -> None:
    rows = fill_rows([(1, 5, 100, 5), (2, 10, 100, 5), (3, -5, 100, 0)])
    rows["fee_asset"] = 1
    trips = round_trips(books(small_run(rows))[0])
    assert [(trip.pnl, trip.fees, trip.opened_ns) for trip in trips] == [(-1000, 1000, 2 * NS_PER_SECOND)]


@given(
    st.lists(
        st.tuples(st.integers(-50, 50).filter(bool), st.integers(1, 500), st.integers(-9, 9)), max_size=30
    )
)
def test_round_trips_of_a_position_that_ends_flat_add_up_to_the_net_pnl(
    moves: list[tuple[int, int, int]],
) -> None:
    held = sum(lots for lots, _, _ in moves)
    moves = moves + ([(-held, 77, 3)] if held else [])
    book = book_of([(second, *move) for second, move in enumerate(moves, 1)])
    trips = round_trips(book)
    assert sum(trip.pnl for trip in trips) == book.gross - book.fees
    assert sum(trip.fees for trip in trips) == book.fees


def test_win_rate_and_profit_factor_by_hand() -> None:
    trips = [RoundTrip(0, 1, pnl, 0, 2) for pnl in (30, -10, 0, 10)]
    assert (win_rate(trips), profit_factor(trips)) == (0.5, 4.0)
    assert (win_rate([]), profit_factor(trips[:1])) == (None, None)


def test_time_in_market_joins_overlapping_positions_and_ends_with_the_span() -> None:
    first = book_of([(10, 1, 100, 0), (20, -1, 100, 0)])
    second = book_of([(15, -1, 100, 0), (30, 2, 100, 0)])  # crosses zero at 30 and stays
    assert time_in_market([first, second], 0, 40 * NS_PER_SECOND) == 0.75
    assert time_in_market([], 0, 40) == 0.0
    assert time_in_market([], 5, 5) is None


def test_the_largest_fall_is_found_with_its_times_and_counts_from_the_opening() -> None:
    samples = sample_rows(
        [DAY_NS, 2 * DAY_NS, 3 * DAY_NS, 4 * DAY_NS], [-(10**7), 10**8, 5 * 10**7, 7 * 10**7]
    )
    found = measure(small_run(samples=samples))
    assert (found.max_drawdown, found.max_drawdown_fraction) == ("0.50000000", -0.25)
    assert found.max_drawdown_peak_time == "1970-01-03T00:00:00.000000000Z"
    assert found.max_drawdown_trough_time == "1970-01-04T00:00:00.000000000Z"
    falling = measure(small_run(samples=samples[:1]))
    assert (falling.max_drawdown, falling.max_drawdown_fraction) == ("0.10000000", pytest.approx(-0.1))


def test_a_markout_is_positive_where_the_price_went_our_way() -> None:
    rows = np.zeros(4, MARKOUT_DTYPE)
    rows["instrument"], rows["horizon_ns"], rows["price"] = 1, NS_PER_SECOND, 100
    rows["quantity"] = [5, 5, -5, 5]
    rows["middle2"] = [204, 208, 204, 0]  # +2, +4, -2, and one that is not known
    rows["maker"] = [1, 1, 0, 1]
    found = {(one.side, one.liquidity): one for one in measure(small_run(markouts=rows)).markouts}
    assert (found["buy", "maker"].count, found["buy", "maker"].mean) == (2, 3.0)
    assert found["buy", "maker"].standard_error == 1.0
    assert found["buy", "maker"].mean_basis_points == 300.0
    assert (found["sell", "taker"].mean, found["sell", "taker"].standard_error) == (-2.0, None)
    assert found["both", "both"].mean == pytest.approx(4 / 3)
    assert found["sell", "maker"].mean is None


def test_buy_and_hold_buys_whole_lots_within_the_opening_equity_and_pays_one_fee() -> None:
    samples = np.concatenate(
        (sample_rows([0], [0], 0, 0), sample_rows([1], [0], 98, 100), sample_rows([2], [0], 109, 111))
    )
    run = small_run(samples=samples, opening={"USD": "0.00010000"})  # 10,000 units, a lot costs 100
    run = msgspec.structs.replace(
        run,
        manifest=msgspec.structs.replace(
            run.manifest, costs=msgspec.convert({"taker_fee": "0.01"}, type(run.manifest.costs))
        ),
    )
    hold = measure(run).buy_and_hold
    assert hold is not None
    assert (hold.quantity, hold.fee, hold.net_pnl) == (
        "0.00000099",
        "0.00000099",
        "0.00000891",
    )  # 99 * 10 - 99
    assert (hold.first_ask, hold.last_middle) == ("100", "110")


def test_opening_equity_values_the_base_asset_at_the_first_middle_price() -> None:
    found = measure(small_run(opening={"USD": "10", "BTC": "2", "DOGE": "5"}))
    assert found.opening_equity == "210.00000000"


def test_sums_of_products_do_not_wrap() -> None:
    large, spot = [2**40] * 1000, INSTRUMENT
    assert sum(trade_values(spot, large, large)) == 1000 * 2**80


def test_every_figure_has_a_definition_and_is_plain_data(make_run: MAKE) -> None:
    found = metrics(make_run(seconds=300))
    assert set(found) == set(Metrics.__struct_fields__) == set(DEFINITIONS)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_orders_rejects_and_cancels_are_counted_from_the_facts(make_run: MAKE) -> None:
    run = open_results(make_run(seconds=900))
    found = measure(run)
    kinds = run.facts["kind"].tolist()
    assert found.orders == kinds.count(Kind.PLACE_ORDER) > 200
    assert found.cancels == kinds.count(Kind.ORDER_CANCELLED)
    assert found.rejects_by_reason == {Reject.VENUE_POST_ONLY_WOULD_TAKE.name: found.rejects}
    filled = {int(fact["id"]) for fact in run.facts if fact["kind"] == Kind.ORDER_FILLED}
    assert found.fill_ratio_orders == len(filled) / found.orders
    lives = order_lives(run.facts, 10**6)
    ends = [life.ended for life in lives]
    assert (ends.count("rejected"), ends.count("cancelled")) == (found.rejects, found.cancels)
    assert sum(life.filled_lots > 0 for life in lives) == len(filled)
    assert all(life.ahead_lots >= 0 for life in lives if life.ended != "rejected")


def test_an_order_that_was_made_smaller_is_filled_when_that_is() -> None:
    rows = np.concatenate((fill_rows([(0, 9, 100, 0)]), fill_rows([(1, 4, 100, 0)]), fill_rows([(2, 4, 100, 0)])))
    rows["kind"], rows["id"] = [Kind.PLACE_ORDER, Kind.ORDER_AMENDED, Kind.ORDER_FILLED], 7
    (life,) = order_lives(small_run(rows).facts, 10)
    assert (life.quantity_lots, life.filled_lots, life.ended) == (4, 4, "filled")


def test_the_median_time_in_queue_runs_from_acceptance_to_fill_on_the_venues_clock() -> None:
    rows = np.concatenate((fill_rows([(0, 0, 100, 0)]), fill_rows([(9, 4, 100, 0)])))
    rows["kind"][0], rows["id"] = Kind.ORDER_ACCEPTED, 7
    rows["venue_ns"] = [2 * NS_PER_SECOND, 5 * NS_PER_SECOND]
    assert measure(small_run(rows)).time_in_queue_median_s == 3.0
    rows["venue_ns"] = 0
    assert measure(small_run(rows)).time_in_queue_median_s == 9.0


def test_a_run_without_fills_or_samples_has_figures_without_values() -> None:
    found = measure(small_run(samples=sample_rows([], [])))
    assert (found.net_pnl, found.fills, found.round_trips) == ("0.00000000", 0, 0)
    assert (found.win_rate, found.maker_share, found.buy_and_hold, found.break_even_maker_fee) == (None,) * 4
    assert found.books_agree


def test_fills_without_any_sample_of_the_ledger_are_accused() -> None:
    found = measure(small_run(fill_rows([(1, 1, 100, 0), (2, -1, 100, 0)]), sample_rows([], [])))
    assert not found.books_agree


def test_two_quote_assets_and_a_third_fee_asset_are_refused_by_name() -> None:
    other = msgspec.structs.replace(INSTRUMENT, id=2, quote="EUR")
    with pytest.raises(NotBuiltYet, match="EUR, USD"):
        measure(small_run(instruments=[INSTRUMENT, other]))
    with pytest.raises(NotBuiltYet, match="BNB"):
        measure(small_run(fill_rows([(1, 1, 100, 5)]), assets=["BNB"]))


def test_a_torn_or_missing_file_is_refused_by_name(make_run: MAKE) -> None:
    folder = make_run(seconds=60)
    whole = (folder / "facts.bin").read_bytes()
    (folder / "facts.bin").write_bytes(whole[:-1])
    with pytest.raises(BadContainer, match=r"facts\.bin.*127 bytes over"):
        open_results(folder)
    (folder / "facts.bin").write_bytes(whole)
    (folder / "manifest.json").write_text('{"run_id": 5, "instruments": []}')
    with pytest.raises(BadContainer, match="run_id"):
        open_results(folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(BadContainer, match=r"manifest\.json"):
        open_results(folder)


def test_a_fill_in_an_instrument_that_the_manifest_does_not_list_is_refused() -> None:
    rows = fill_rows([(1, 1, 100, 0)])
    rows["instrument"] = 9
    with pytest.raises(BadContainer, match="instrument 9"):
        measure(small_run(rows))


def test_the_span_is_that_of_the_selection() -> None:
    selection = Selection(first_ns=5 * NS_PER_SECOND, last_ns=65 * NS_PER_SECOND)
    assert measure(small_run(selection=selection)).span_s == 60.0
