"""Indicators beside their naive definitions, bit for bit; beside TA-Lib on seeded bars and on recorded candles; and restored."""

import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.core.recorded import candles
from tradebot._core.indicators import (
    Atr,
    Bollinger,
    Ema,
    Highest,
    Indicator,
    Line,
    Lowest,
    Macd,
    Rsi,
    Sma,
    Stochastic,
    Wma,
)

Bar = tuple[float, float, float]  # high, low, close
Values = list[float]


def bars(count: int, seed: int = 5) -> list[Bar]:
    chance, close, rows = random.Random(seed), 100.0, []
    for _ in range(count):
        close += chance.gauss(0, 1)
        rows.append((close + chance.random(), close - chance.random(), close))
    return rows


def closes(rows: Sequence[Bar]) -> Values:
    return [close for _, _, close in rows]


def add_up(values: Sequence[float]) -> float:
    """Left to right: the built-in sum compensates rounding from Python 3.12 on."""
    total = 0.0
    for value in values:
        total += value
    return total


def mean(values: Sequence[float]) -> float:
    return add_up(values) / len(values)


def rolling(values: Sequence[float], period: int, take: Callable[[Sequence[float]], float]) -> Values:
    """`take` of each `period` values that follow each other, nan where there are not so many, or one of them is none."""
    windows = [values[max(at + 1 - period, 0) : at + 1] for at in range(len(values))]
    return [take(one) if len(one) == period and not any(map(math.isnan, one)) else math.nan for one in windows]


def smoothed(values: Sequence[float], period: int, step: Callable[[float, float], float]) -> Values:
    """Started with the mean of the first `period` values that are there, then `step(before, value)`."""
    first = sum(1 for one in values if math.isnan(one)) + period - 1
    found, value = [], math.nan
    for at, one in enumerate(values):
        if at == first:
            value = mean(values[at + 1 - period : at + 1])
        elif at > first:
            value = step(value, one)
        found.append(value)
    return found


def wilder(values: Sequence[float], period: int) -> Values:
    return smoothed(values, period, lambda before, one: (before * (period - 1) + one) / period)


def exponential(values: Sequence[float], period: int) -> Values:
    weight = 2.0 / (period + 1.0)
    return smoothed(values, period, lambda before, one: (one - before) * weight + before)


def naive_sma(rows: Sequence[Bar], period: int) -> list[Values]:
    return [rolling(closes(rows), period, mean)]


def naive_wma(rows: Sequence[Bar], period: int) -> list[Values]:
    weights = period * (period + 1.0) / 2.0
    return [rolling(closes(rows), period, lambda some: add_up([one * (at + 1) for at, one in enumerate(some)]) / weights)]


def naive_ema(rows: Sequence[Bar], period: int) -> list[Values]:
    return [exponential(closes(rows), period)]


def naive_atr(rows: Sequence[Bar], period: int) -> list[Values]:
    spans = [max(high, before) - min(low, before) for (high, low, _), (_, _, before) in zip(rows[1:], rows, strict=False)]
    return [wilder([math.nan, *spans], period)]


def naive_rsi(rows: Sequence[Bar], period: int) -> list[Values]:
    changes = [math.nan, *(now - before for before, now in zip(closes(rows), closes(rows)[1:], strict=False))]
    rises = wilder([max(one, 0.0) if one == one else one for one in changes], period)
    falls = wilder([max(-one, 0.0) if one == one else one for one in changes], period)
    return [[100.0 * (rise / (rise + fall)) if rise + fall != 0.0 else 50.0 for rise, fall in zip(rises, falls, strict=True)]]


def naive_macd(rows: Sequence[Bar], fast: int, slow: int, signal: int) -> list[Values]:
    later = [math.nan] * (slow - fast) + closes(rows)[slow - fast :]
    macd = [one - other for one, other in zip(exponential(later, fast), exponential(closes(rows), slow), strict=True)]
    line = exponential(macd, signal)
    shown = [one if value == value else math.nan for one, value in zip(macd, line, strict=True)]
    return [shown, line, [one - value for one, value in zip(shown, line, strict=True)]]


def naive_bollinger(rows: Sequence[Bar], period: int, width: float) -> list[Values]:
    def away(some: Sequence[float]) -> float:
        middle = mean(some)
        return width * math.sqrt(add_up([(one - middle) * (one - middle) for one in some]) / period)

    middles, widths = rolling(closes(rows), period, mean), rolling(closes(rows), period, away)
    bands = list(zip(middles, widths, strict=True))
    return [middles, [one + far for one, far in bands], [one - far for one, far in bands]]


def naive_stochastic(rows: Sequence[Bar], period: int, smooth: int, signal: int) -> list[Values]:
    tops = rolling([high for high, _, _ in rows], period, max)
    bottoms = rolling([low for _, low, _ in rows], period, min)
    spans = zip(closes(rows), tops, bottoms, strict=True)
    raw = [100.0 * ((close - low) / (high - low)) if high != low else 50.0 for close, high, low in spans]
    k = rolling(raw, smooth, mean)
    d = rolling(k, signal, mean)
    return [[one if other == other else math.nan for one, other in zip(k, d, strict=True)], d]


def naive_highest(rows: Sequence[Bar], period: int) -> list[Values]:
    return [rolling([high for high, _, _ in rows], period, max)]


def naive_lowest(rows: Sequence[Bar], period: int) -> list[Values]:
    return [rolling([low for _, low, _ in rows], period, min)]


class Case(NamedTuple):
    make: type[Indicator]
    terms: tuple[Any, ...]
    naive: Callable[..., list[Values]]
    lines: tuple[str, ...] = ()  # beside its own value

    def __str__(self) -> str:
        return f"{self.make.__name__}{self.terms}"

    def follow(self, rows: Sequence[Bar], one: Indicator | None = None) -> list[Values]:
        """Each of its numbers after each bar."""
        one = self.make(*self.terms) if one is None else one
        lines = [one, *(getattr(one, name) for name in self.lines)]
        found = []
        for bar in rows:
            returned = one.update_one(*bar)
            assert returned == one.value or math.isnan(returned)
            found.append([line.value for line in lines])
        return [list(column) for column in zip(*found, strict=True)]


PLAIN = [
    (Sma, naive_sma), (Wma, naive_wma), (Ema, naive_ema), (Atr, naive_atr), (Rsi, naive_rsi),
    (Highest, naive_highest), (Lowest, naive_lowest),
]  # fmt: skip
CASES = [
    *(Case(make, (period,), naive) for make, naive in PLAIN for period in (1, 2, 14)),
    *(Case(Macd, terms, naive_macd, ("signal", "histogram")) for terms in ((12, 26, 9), (1, 2, 1), (3, 10, 16))),
    *(Case(Bollinger, terms, naive_bollinger, ("upper", "lower")) for terms in ((20, 2.0), (1, 1.0), (5, 2.5))),
    *(Case(Stochastic, terms, naive_stochastic, ("d",)) for terms in ((14, 3, 3), (1, 1, 1), (5, 1, 4))),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_indicator_is_its_definition_bit_for_bit(case: Case) -> None:
    rows = bars(200)
    found = case.follow(rows)
    assert np.array_equal(found, case.naive(rows, *case.terms), equal_nan=True)
    assert np.isfinite(found).any(axis=1).all()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_indicator_that_is_restored_after_each_bar_goes_on_alike(case: Case) -> None:
    rows, one, found = bars(60), case.make(*case.terms), []
    for bar in rows:
        other = case.make(*case.terms)
        other.restore(one.state())
        assert repr(other.state()) == repr(one.state())
        found.append([column[0] for column in case.follow([bar], other)])
        one = other
    assert np.array_equal(np.array(found).T, case.follow(rows), equal_nan=True)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_all_numbers_of_an_indicator_appear_with_the_same_bar_and_remember_the_one_before(case: Case) -> None:
    one, before = case.make(*case.terms), math.nan
    lines = [one, *(getattr(one, name) for name in case.lines)]
    for bar in bars(60):
        one.update_one(*bar)
        assert len({line.ready for line in lines}) == 1
        assert one.ready is not math.isnan(one.value)
        assert one.previous == before or math.isnan(before)
        before = one.value


@pytest.mark.parametrize("make", [Sma, Wma, Bollinger, Highest, Lowest, Stochastic])
def test_an_indicator_of_a_window_depends_on_that_window_alone(make: type[Indicator]) -> None:
    """However wild the past was: a running sum would remember it in its last digits for ever."""
    old, new = make(10), make(10)
    for at in range(1_000):
        old.update_one(1e15 / (at + 1), 1e-9 * at, 1e12 * (at % 7))
    for bar in bars(20):
        old.update_one(*bar)
        new.update_one(*bar)
    assert old.value == new.value


@pytest.mark.parametrize("make", [Rsi, Stochastic])
def test_an_oscillator_without_anything_to_compare_is_in_the_middle(make: type[Indicator]) -> None:
    """TA-Lib says 0, which reads as oversold; a market without a trade is neither."""
    one = make(3)
    for _ in range(10):
        one.update_one(7.0, 7.0, 7.0)
    assert one.value == 50.0


def talib_values(case: Case, columns: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What TA-Lib says, in the order of our numbers."""
    talib = pytest.importorskip("talib", reason="TA-Lib is the oracle: pip install TA-Lib, or make install")
    high, low, close = columns
    terms = case.terms
    if case.make is Macd:
        return list(talib.MACD(close, *terms))
    if case.make is Bollinger:
        upper, middle, lower = talib.BBANDS(close, terms[0], terms[1], terms[1])
        return [middle, upper, lower]
    if case.make is Stochastic:
        return list(talib.STOCH(high, low, close, terms[0], terms[1], 0, terms[2], 0))
    if case.make is Atr:
        return [talib.ATR(high, low, close, *terms)]
    if case.make in (Highest, Lowest):
        return [talib.MAX(high, *terms) if case.make is Highest else talib.MIN(low, *terms)]
    return [getattr(talib, case.make.__name__.upper())(close, *terms)]


# TA-Lib refuses periods of 1 in some of these.
TALIB_CASES = [
    *(Case(make, (period,), naive) for make, naive in PLAIN for period in (2, 14, 50)),
    *(Case(Macd, terms, naive_macd, ("signal", "histogram")) for terms in ((12, 26, 9), (2, 3, 1), (5, 35, 5))),
    *(Case(Bollinger, terms, naive_bollinger, ("upper", "lower")) for terms in ((20, 2.0), (2, 1.0), (50, 2.5))),
    *(Case(Stochastic, terms, naive_stochastic, ("d",)) for terms in ((14, 3, 3), (5, 1, 1), (21, 5, 4))),
]


def flat_windows(case: Case, rows: Sequence[Bar]) -> np.ndarray:
    """Where a Stochastic has nothing to compare: we say 50 and TA-Lib 0, on purpose."""
    if case.make is not Stochastic:
        return np.zeros(len(rows), dtype=bool)
    period, smooth, signal = case.terms
    high, low = naive_highest(rows, period)[0], naive_lowest(rows, period)[0]
    reach = smooth + signal - 1
    return np.array([any(high[one] == low[one] for one in range(max(at + 1 - reach, 0), at + 1)) for at in range(len(rows))])


def assert_as_talib(case: Case, rows: Sequence[Bar]) -> None:
    theirs = talib_values(case, [np.array(column) for column in zip(*rows, strict=True)])
    for ours, other in zip(case.follow(rows), theirs, strict=True):
        ours = np.array(ours)
        assert np.array_equal(np.isnan(ours), np.isnan(other))
        shown = ~np.isnan(other) & ~flat_windows(case, rows)
        assert shown.any()
        # A difference of two close means, or a share near 0 or 100, loses digits to what it is made from.
        scale = {Macd: np.abs(np.array(rows)).max(), Rsi: 100.0, Stochastic: 100.0}.get(case.make, 0.0)
        assert np.all(np.abs(ours - other)[shown] <= 1e-12 * np.maximum(np.abs(other), scale)[shown])


@pytest.mark.parametrize("case", TALIB_CASES, ids=str)
@pytest.mark.parametrize("seed", [5, 6])
def test_an_indicator_is_that_of_ta_lib(case: Case, seed: int) -> None:
    assert_as_talib(case, bars(300, seed))


@pytest.mark.shared
@pytest.mark.parametrize("case", TALIB_CASES, ids=str)
@pytest.mark.parametrize("interval", ["1m", "5m"])
def test_an_indicator_is_that_of_ta_lib_on_recorded_candles(case: Case, interval: str, shared_dir: Path) -> None:
    """Prices are in ticks of 1e-8: in ETH they are so small that TA-Lib takes their variance for zero."""
    rows = [(float(high), float(low), float(close)) for _, _, high, low, close, _ in candles(shared_dir, interval)]
    assert len(rows) == {"1m": 2_469, "5m": 706}[interval]
    assert_as_talib(case, rows)


def test_crossing_needs_two_values_of_both() -> None:
    fast, slow = Sma(1), Sma(2)
    crossed = []
    for close in (3.0, 2.0, 1.0, 5.0):
        fast.update_one(close, close, close)
        slow.update_one(close, close, close)
        crossed.append((fast.crossed_above(slow), fast.crossed_below(slow)))
    assert crossed == [(False, False), (False, False), (False, False), (True, False)]


@pytest.mark.parametrize("level", [2, 2.0])
def test_an_indicator_crosses_a_number(level: float) -> None:
    one, crossed = Sma(1), []
    for close in (1.0, 2.0, 3.0, 2.0, 2.0, 1.0, 3.0):
        one.update_one(close, close, close)
        crossed.append((one.crossed_above(level), one.crossed_below(level)))
    nothing, up, down = (False, False), (True, False), (False, True)
    assert crossed == [nothing, nothing, up, nothing, nothing, down, up]


def test_lines_cross_each_other_and_count_as_numbers() -> None:
    macd = Macd(2, 4, 2)
    for close in (5.0, 4.0, 3.0, 2.0, 1.0, 9.0):
        macd.update_one(close, close, close)
    assert macd.macd is macd
    assert macd.macd.crossed_above(macd.signal)
    assert macd.histogram.crossed_above(0)
    assert macd - macd.signal == macd.histogram.value
    assert not macd.crossed_above(math.nan)


@pytest.mark.parametrize("other", ["2.0", None])
def test_a_crossing_of_something_else_is_refused(other: object) -> None:
    with pytest.raises(TypeError):
        Sma(1).crossed_above(other)  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [Sma, Wma, Ema, Atr, Rsi, Bollinger, Stochastic, Highest, Lowest])
def test_a_period_below_one_is_refused(make: type[Indicator]) -> None:
    with pytest.raises(ValueError, match="at least 1 bar"):
        make(0)


@pytest.mark.parametrize("terms", [(26, 12, 9), (12, 12, 9), (0, 26, 9), (12, 26, 0)])
def test_a_macd_without_a_fast_and_a_slow_mean_is_refused(terms: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="fast < slow"):
        Macd(*terms)


@pytest.mark.parametrize("width", [0.0, -1.0, math.nan, math.inf])
def test_bands_of_no_width_are_refused(width: float) -> None:
    with pytest.raises(ValueError, match="width"):
        Bollinger(20, width)


def test_a_stochastic_without_smoothing_periods_is_refused() -> None:
    with pytest.raises(ValueError, match="smooth and signal"):
        Stochastic(14, 0, 3)


@pytest.mark.parametrize("make", [Indicator, Line])
def test_what_is_moved_by_another_takes_no_bars(make: type[Indicator]) -> None:
    with pytest.raises(TypeError, match="takes no bars of its own"):
        make(1).update_one(1.0, 1.0, 1.0)


def test_an_indicator_shows_its_terms_and_its_value() -> None:
    assert repr(Macd(12, 26, 9)) == "Macd(12, 26, 9)=nan"
    assert repr(Bollinger(20, 2.0)) == "Bollinger(20, 2.0)=nan"
    assert repr(Stochastic(14, 3, 2)) == "Stochastic(14, 3, 2)=nan"
    assert repr(Rsi(14)) == "Rsi(14)=nan"
    assert (Macd(3, 7, 2).fast, Macd(3, 7, 2).slow, Macd(3, 7, 2).signal.period) == (3, 7, 2)
