"""Bars: the rules of bars.pyx one by one, refusals, and that nothing of an unclosed bar is to be seen."""

from typing import Any

import numpy as np
import pytest

from tests.core.bar_support import Follows, end, follow, stored, trade
from tests.strategies.support import BTC, SECOND, START, book, plan, run
from tests.support import MS
from tests.support import stream as market_stream
from tradebot._core.bars import BarSeries
from tradebot._core.types import Flag, Kind
from tradebot.domain.instrument import Instrument
from tradebot.engine.drive import drive
from tradebot.engine.plan import make_merge
from tradebot.engine.ports import Nobody, Records
from tradebot.strategies.strategy import Strategy

# By time of receipt: the rest is in test_trader.


def test_a_trade_that_comes_late_belongs_to_the_interval_in_which_it_came() -> None:
    follows = follow({"interval": "1s"}, trade(0.5, 200), trade(1.5, 210, venue=0.9), end(3))
    assert [one[5] for one in follows.told] == [200, 210, 210]
    assert follows.followed[0].late == 0


# By size.


def test_a_bar_of_trades_closes_with_the_trade_that_completes_it() -> None:
    follows = follow({"ticks": 3}, *(trade(at, 200 + at, 2) for at in range(1, 9)))
    assert [one[2:] for one in follows.told] == [(201, 203, 201, 203, 6, 3), (204, 206, 204, 206, 6, 3)]
    assert follows.seconds() == [(1, 3), (4, 6)]
    assert follows.times == [START + 3 * SECOND, START + 6 * SECOND]


def test_a_trade_that_overfills_a_bar_is_not_split_and_the_next_begins_at_nothing() -> None:
    follows = follow({"volume": 0.010}, trade(1, lots=4), trade(2, lots=500), trade(3, lots=9), trade(4, lots=1))
    assert [one[6] for one in follows.told] == [504, 10]
    assert follows.seconds() == [(1, 2), (3, 4)]


def test_a_bar_of_notional_counts_quote_units_to_the_last_of_them() -> None:
    """A trade of 3 lots at 201 ticks is 0.3015 USD: ten make exactly the size, and nothing is lost to rounding on the way."""
    follows = follow({"notional": 3.015}, *(trade(1 + at / 100, lots=3) for at in range(25)))
    assert [one[7] for one in follows.told] == [10, 10]


def test_the_remainder_of_a_notional_counts_in_its_bar_and_not_in_the_next() -> None:
    """A trade is 0.7 money units of 1e-8: the fifth makes 3.5 of 3, and the half that is over begins no bar."""
    fine = Instrument(id=1, symbol="BTC/USD", venue="test", base="BTC", quote="USD", tick="0.01", lot="0.0000001")
    follows = Follows({"notional": 3e-8})
    run(follows, [trade(1 + at / 100, 7) for at in range(11)], instruments=[fine])
    assert [one[7] for one in follows.told] == [5, 5]


def test_the_bar_by_size_is_told_before_the_trade_that_closes_it() -> None:
    told: list[str] = []

    class Both(Strategy):
        def on_start(self) -> None:
            self.bars(ticks=2)

        def on_trade(self, trade) -> None:
            told.append("trade")

        def on_bar(self, bar) -> None:
            told.append("bar")

    run(Both(), [*book(), trade(1), trade(2)])
    assert told == ["trade", "bar", "trade"]


def test_a_bar_by_size_has_no_interval_and_names_its_series() -> None:
    class Looks(Strategy):
        def on_start(self) -> None:
            self.ones, self.twos = self.bars(ticks=1), self.bars(ticks=2)
            self.seen: list[tuple[int, bool]] = []

        def on_bar(self, bar) -> None:
            self.seen.append((bar.interval_ns, bar.series is self.twos))

    looks = Looks()
    run(looks, [*book(), trade(1), trade(2)])
    assert looks.seen == [(0, False), (0, False), (0, True)]


# By venue time.


def test_a_bar_by_venue_time_waits_for_its_last_trades_and_closes_after_the_grace() -> None:
    follows = follow(
        {"interval": "1s", "by": "venue", "grace": "300ms"},
        trade(0.2, 200, venue=0.1), trade(1.1, 205, venue=1.05), trade(1.2, 207, venue=0.99), end(2),
    )  # fmt: skip
    assert [one[2:] for one in follows.told] == [(200, 207, 200, 207, 2, 2)]
    assert follows.times == [START + SECOND + 300 * MS]
    assert follows.seconds() == [(0, 1)]


def test_open_and_close_are_first_and_last_by_venue_time_and_then_by_number() -> None:
    follows = follow(
        {"interval": "1s", "by": "venue"},
        trade(0.3, 203, venue=0.3, number=3), trade(0.4, 201, venue=0.1, number=1), trade(0.5, 206, venue=0.3, number=6),
        trade(0.6, 205, venue=0.3, number=5), trade(0.7, 202, venue=0.1, number=2), end(3),
    )  # fmt: skip
    assert follows.told[0][2:6] == (201, 206, 201, 206)


@pytest.mark.parametrize("venue", [0.0, 5.0])
def test_a_venue_time_that_is_unknown_or_far_ahead_is_read_as_the_receipt(venue: float) -> None:
    odd = trade(1.5, 207)
    odd["venue_ns"] = START + int(venue * SECOND) if venue else 0
    follows = follow({"interval": "1s", "by": "venue"}, trade(0.5, 200), odd, end(3.5))
    assert [one[5] for one in follows.told] == [200, 207]


def test_a_venue_clock_that_is_a_little_ahead_is_believed() -> None:
    follows = follow({"interval": "1s", "by": "venue"}, trade(0.5, 200), trade(0.9, 207, venue=1.1), end(3.5))
    assert [one[5] for one in follows.told] == [200, 207]


def test_a_late_trade_changes_nothing_and_is_counted() -> None:
    follows = follow({"interval": "1s", "by": "venue"}, trade(0.5, 200), trade(2.5, 300, venue=0.9), end(3.5))
    assert [one[2:] for one in follows.told] == [(200, 200, 200, 200, 1, 1), (200, 200, 200, 200, 0, 0)]
    assert follows.followed[0].late == 1
    assert follows.restated == []


class Means(Follows):
    """A mean beside the bars, read at each callback."""

    def on_start(self) -> None:
        super().on_start()
        self.mean, self.means = self.followed[0].sma(2), []

    def on_bar(self, bar) -> None:
        super().on_bar(bar)
        self.means.append((bar.restated, self.mean.value, self.followed[0].close, self.followed[0].count))


def test_a_restated_bar_is_told_where_asked_for_and_neither_series_nor_indicator_changes() -> None:
    means = Means({"interval": "1s", "by": "venue", "restatements": True})
    run(means, [*book(), trade(0.5, 200), trade(1.5, 202), trade(3.1, 300, 4, venue=0.9), end(3.5)])
    assert means.restated == [(START, START + SECOND, 200, 300, 200, 300, 5, 2)]
    assert means.means[1:] == [(False, 100.5, 101.0, 2), (True, 100.5, 101.0, 2)]
    assert means.times == [START + at * SECOND // 10 for at in (20, 30, 31)]


def test_a_late_trade_fills_an_empty_interval_and_one_out_of_reach_fills_none() -> None:
    call = {"interval": "1s", "by": "venue", "restatements": True}
    rows = [trade(0.5, 200), trade(18.5, 300, venue=1.5), trade(18.6, 310, venue=1.4), trade(18.7, 320, venue=0.7), end(19)]
    follows = follow(call, *rows)
    assert [one[1:] for one in follows.restated] == [
        (START + 2 * SECOND, 300, 300, 300, 300, 1, 1),
        (START + 2 * SECOND, 310, 310, 300, 300, 2, 2),
    ]
    assert follows.followed[0].late == 3


def test_a_trade_before_the_first_bar_is_late_and_restates_nothing() -> None:
    call = {"interval": "1s", "by": "venue", "restatements": True}
    follows = follow(call, trade(1.5, 200), trade(3.5, 300, venue=0.5), end(4))
    assert (follows.restated, follows.followed[0].late) == ([], 1)


def test_a_trade_long_before_its_receipt_does_not_begin_a_series() -> None:
    """A venue time in seconds where nanoseconds were meant would make a bar of 1970, and fifty years of empty ones."""
    odd = trade(0.2, 300)
    odd["venue_ns"] = 1_700_000_000
    follows = follow({"interval": "1s", "by": "venue"}, odd, trade(0.5, 200), end(2.5))
    assert [(one[0], one[5]) for one in follows.told] == [(START, 200)]
    assert follows.followed[0].late == 1


# Stored bars.


def test_stored_bars_make_bars_of_a_multiple_that_close_with_the_last_of_them() -> None:
    rows = [stored(at, prices=(200 + at, 204 + at, 198 - at, 201 + at)) for at in range(8)]
    follows = follow({"interval": "4s"}, *rows)
    assert follows.told == [
        (START, START + 4 * SECOND, 200, 207, 195, 204, 20, 4),
        (START + 4 * SECOND, START + 8 * SECOND, 204, 211, 191, 208, 20, 4),
    ]
    assert follows.times == [START + 4 * SECOND, START + 8 * SECOND]


def test_a_gap_in_stored_bars_is_an_empty_interval_and_a_part_that_is_missing_leaves_its_bar_in_parts() -> None:
    follows = follow({"interval": "2s"}, stored(0), stored(4, prices=(205, 206, 204, 205)), end(5.5), end(9))
    assert [one[2:] for one in follows.told] == [
        (200, 203, 199, 201, 5, 1), (201, 201, 201, 201, 0, 0), (205, 206, 204, 205, 5, 1),
    ]  # fmt: skip
    assert [(when - START) // SECOND for when in follows.times] == [4, 5, 8]


def test_a_stored_bar_received_before_its_end_is_not_shown_before_it() -> None:
    follows = follow({"interval": "2s"}, stored(0, 0.9), stored(1, 1.95), stored(2, 3.0), end(3.5))
    assert follows.seconds() == [(0, 2)]
    assert follows.times == [START + 3 * SECOND]


def test_a_stored_bar_of_another_interval_is_left_out() -> None:
    follows = follow({"interval": "4s", "source": "2s"}, stored(0), stored(0, 2, interval=2), stored(2, 4, interval=2), end(5))
    assert [one[6:] for one in follows.told] == [(10, 2)]


def test_a_restated_stored_bar_replaces_the_one_of_its_label() -> None:
    call = {"interval": "2s", "restatements": True}
    again = stored(0, 3.5, (200, 250, 150, 220), 7, flags=Flag.RESTATED)
    follows = follow(call, stored(0), stored(1, prices=(201, 202, 200, 202)), again, end(4))
    assert follows.told == [(START, START + 2 * SECOND, 200, 203, 199, 202, 10, 2)]
    assert follows.restated == [(START, START + 2 * SECOND, 200, 250, 150, 202, 12, 2)]


def test_a_stored_bar_that_comes_twice_is_taken_once() -> None:
    call = {"interval": "2s", "restatements": True}
    follows = follow(call, stored(0), stored(0, 1.5, lots=9), stored(1), stored(1, 2.5, lots=9), end(3))
    assert [one[6] for one in follows.told] == [10]
    assert follows.restated == []


def test_what_comes_first_decides_the_source() -> None:
    by_trades = follow({"interval": "1s"}, trade(0.5, 210), stored(0), end(2))
    by_bars = follow({"interval": "1s"}, stored(0), trade(1.5, 210), stored(1), end(2))
    assert [one[5] for one in by_trades.told] == [210, 210]
    assert [one[5] for one in by_bars.told] == [201, 201]


def test_the_source_can_be_named_whatever_comes_first() -> None:
    by_trades = follow({"interval": "1s", "source": "trades"}, stored(0), trade(1.5, 210), end(2.5))
    by_bars = follow({"interval": "1s", "source": "1s"}, trade(0.5, 210), stored(0), stored(1), end(2.5))
    assert [one[5] for one in by_trades.told] == [210]
    assert [one[5] for one in by_bars.told] == [201, 201]


def test_a_long_silence_between_stored_bars_is_passed_over() -> None:
    """One fact brings at most 100,000 empty bars; beyond it the series begins anew with what comes."""
    follows = follow({"interval": "1s"}, stored(-200_000, 0), stored(0), end(1.5))
    assert follows.seconds() == [(-200_000, -199_999), (0, 1)]


@pytest.mark.parametrize(
    ("call", "fact", "words"),
    [
        ({"interval": "3s"}, stored(0, interval=2), "divide an interval"),
        ({"interval": "1s"}, stored(0, interval=2), "divide an interval"),
        ({"interval": "1s"}, stored(0, 1, interval=0), "name it"),
        ({"ticks": 5}, stored(0), "stored bars only"),
        ({"volume": 5}, stored(0, 1, interval=0), "stored bars only"),
        ({"interval": "1s"}, stored(0.5), "on the grid"),
        ({"interval": "1s"}, stored(2, 1.5), "before it is received"),
    ],
)
def test_a_series_that_cannot_be_built_from_what_comes_quarantines_its_strategy_alone(call, fact, words) -> None:
    bad, good = Follows(call), Follows({"interval": "1s", "source": "trades"})
    merge = run([bad, good], [*book(), fact, fact, trade(5), end(6.5)])
    ((number, _, error),) = merge.kernel.failures
    assert (number, type(error)) == (0, ValueError)
    assert words in str(error)
    assert (len(bad.told), len(good.told)) == (0, 1)


def test_a_strategy_that_names_something_series_is_told_and_takes_nothing_from_the_engine() -> None:
    class Names(Follows):
        def on_start(self) -> None:
            super().on_start()
            self.series = []

    merge = run([Names({"interval": "1s"})], [*book(), trade(1), end(3)])
    ((_, _, error),) = merge.kernel.failures
    assert isinstance(error, AttributeError) and "series" in str(error)


HUGE = 2**57  # half of what a record may say; 64 of them are beyond 64 bits


@pytest.mark.parametrize(
    ("call", "facts"),
    [
        ({"interval": "1s"}, [trade(0.5, lots=HUGE)] * 64),
        ({"ticks": 99}, [trade(0.5, lots=HUGE)] * 64),
        ({"notional": 5.0}, [trade(0.5, lots=HUGE)]),
        ({"interval": "1s", "by": "venue"}, [trade(0.5, lots=HUGE)] * 64),
        ({"interval": "64s"}, [stored(at, lots=HUGE) for at in range(64)]),
    ],
)
def test_a_sum_beyond_64_bits_quarantines_and_does_not_wrap(call: dict[str, Any], facts: list[np.ndarray]) -> None:
    bad, good = Follows(call), Follows({"ticks": 1, "source": "trades"})
    merge = run([bad, good], [*book(), *facts, trade(75), end(76)])
    ((number, _, error),) = merge.kernel.failures
    assert (number, type(error)) == (0, OverflowError)
    assert bad.told == []
    assert good.told[-1][-1] == 1


def test_bars_by_size_that_name_trades_wait_for_them() -> None:
    follows = follow({"ticks": 2, "source": "trades"}, stored(0), trade(2), trade(3))
    assert [one[7] for one in follows.told] == [2]


# Malformed calls.


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({}, "expected one of"),
        ({"ticks": 5, "volume": 1.0}, "expected one of"),
        ({"interval": "1s", "ticks": 5}, "expected one of"),
        ({"ticks": 5, "by": "venue"}, "are for an interval"),
        ({"ticks": 5, "restatements": True}, "are for an interval"),
        ({"ticks": 5, "source": "1s"}, "are for an interval"),
        ({"interval": "1s", "by": "arrival"}, "by="),
        ({"interval": "1s", "source": "quotes"}, "duration"),
        ({"interval": "3s", "source": "2s"}, "divide an interval"),
        ({"interval": "1s", "source": "trades", "restatements": True}, "never restated"),
        ({"interval": "367d"}, "at most 366 days"),
        ({"interval": "0s"}, "above 0"),
        ({"interval": "1s", "warmup": -1}, "warm-up"),
        ({"ticks": 0}, "above 0"),
        ({"ticks": -3}, "above 0"),
        ({"volume": 0.0}, "above 0"),
        ({"volume": float("nan")}, "finite volume"),
        ({"notional": -1.0}, "above 0"),
        ({"notional": 1e12}, "below 4e18"),
    ],
)
def test_a_malformed_call_is_refused(call: dict[str, Any], words: str) -> None:
    error = run(Follows(call), [*book(), trade(1)]).kernel.failures[0][2]
    assert isinstance(error, ValueError)
    assert words in str(error)


def test_a_series_is_made_by_a_strategy_only() -> None:
    with pytest.raises(TypeError, match=r"self\.bars"):
        BarSeries()


@pytest.mark.parametrize("name", ["rsi", "macd", "bollinger", "stochastic", "atr"])
def test_indicators_are_declared_in_on_start(name: str) -> None:
    class Late(Strategy):
        def on_start(self) -> None:
            self.series_of = self.bars("1s")
            getattr(self.series_of, name)()

        def on_trade(self, trade) -> None:
            getattr(self.series_of, name)()

    merge = run(Late(), [*book(), trade(0.5)])
    assert [(sequence, type(error)) for _, sequence, error in merge.kernel.failures] == [(3, RuntimeError)]


def test_a_series_makes_every_indicator_and_moves_it_with_its_bars() -> None:
    class All(Strategy):
        def on_start(self) -> None:
            one = self.bars("1s")
            self.all = [
                one.sma(2), one.wma(2), one.ema(2), one.atr(2), one.rsi(2), one.macd(2, 3, 2), one.bollinger(2, 1.0),
                one.stochastic(2, 1, 1), one.highest(2), one.lowest(2),
            ]  # fmt: skip

    every = All()
    run(every, [*book(), *(trade(at + 0.5, 200 + 2 * at) for at in range(5)), end(5)])
    found = {type(one).__name__: one.value for one in every.all}
    assert found.pop("Wma") == pytest.approx((2 * 104 + 103) / 3)
    assert found.pop("Bollinger") == 103.5
    assert found == {
        "Sma": 103.5, "Ema": 103.5, "Atr": 1.0, "Rsi": 100.0, "Macd": 0.5, "Stochastic": 100.0, "Highest": 104.0, "Lowest": 103.0,
    }  # fmt: skip


# Several series, and what is to be seen of them.


class Watches(Strategy):
    """At every callback looks at everything that series show, and holds that it is over."""

    CALLS = (
        {"interval": "1s"}, {"interval": "5s"}, {"interval": "4s"}, {"interval": "5s", "by": "venue", "grace": "200ms"},
        {"ticks": 7}, {"volume": 0.05}, {"notional": 10.0},
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[dict[tuple[int, int], tuple[Any, ...]]] = [{} for _ in self.CALLS]
        self.looks = 0

    def on_start(self) -> None:
        self.followed = [self.bars(**call) for call in self.CALLS]
        self.means = [one.sma(1) for one in self.followed]
        self.every(SECOND // 3)

    def look(self, *_: object) -> None:
        self.looks += 1
        names = [name for name in dir(BarSeries) if not name.startswith("_") and not callable(getattr(BarSeries, name))]
        assert set(names) == {
            "open", "high", "low", "close", "volume", "trades", "open_ns", "close_ns", "interval_ns", "warmup", "count", "late",
        }  # fmt: skip
        for series, mean, shown in zip(self.followed, self.means, self.shown, strict=True):
            assert series.close_ns <= self.time_ns
            if series.count:
                assert mean.value == series.close
                prices = (series.open, series.high, series.low, series.close, series.volume, series.trades)
                assert shown.setdefault((series.count, series.open_ns), prices) == prices, "a closed bar changed"

    on_trade = on_book = on_quote = on_bar = on_timer = on_order = on_fill = look


def test_no_callback_sees_anything_of_a_bar_that_is_not_closed() -> None:
    facts = market_stream(3, 3_000, 1)
    watches = Watches()
    merge = make_merge(plan(instruments=[BTC]), [watches])
    drive(merge, [facts], Nobody())
    assert merge.kernel.failures == []
    assert watches.looks > 3_000
    assert all(len(shown) >= 1 for shown in watches.shown)
    for call, shown, series in zip(watches.CALLS, watches.shown, watches.followed, strict=True):
        if "interval" in call and "by" not in call:
            assert_is_made_of_its_interval(shown, series.interval_ns, facts)


def assert_is_made_of_its_interval(shown: dict[tuple[int, int], tuple[Any, ...]], interval_ns: int, facts: Records) -> None:
    """Every bar by receipt that was shown is made of the trades of its interval, and of no other."""
    trades = facts[(facts["kind"] == Kind.TRADE) & (facts["flags"] & Flag.VOID == 0)]
    for (_, open_ns), (_, high, low, _, volume, count) in shown.items():
        inside = trades[(trades["time_ns"] >= open_ns) & (trades["time_ns"] < open_ns + interval_ns)]
        assert (count, volume) == (len(inside), pytest.approx(inside["quantity"].sum() * 0.001))
        if count:
            assert (high, low) == (inside["price"].max() * 0.5, inside["price"].min() * 0.5)
