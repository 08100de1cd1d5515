"""Indicators beside their naive definitions, bit for bit, and beside TA-Lib where it is installed."""

import math
import random

import numpy as np
import pytest

from tradebot._core.indicators import Atr, Ema, Sma


def bars(count: int) -> list[tuple[float, float, float]]:
    chance, close, rows = random.Random(5), 100.0, []
    for _ in range(count):
        close += chance.gauss(0, 1)
        rows.append((close + chance.random(), close - chance.random(), close))
    return rows


def naive_sma(rows, period):
    closes = [close for _, _, close in rows]
    return [sum(closes[at + 1 - period : at + 1], 0.0) / period if at + 1 >= period else math.nan for at in range(len(closes))]


def naive_ema(rows, period):
    values, value, weight = [], math.nan, 2.0 / (period + 1.0)
    for at, (_, _, close) in enumerate(rows):
        if at + 1 == period:
            value = sum((one for _, _, one in rows[:period]), 0.0) / period
        elif at + 1 > period:
            value = (close - value) * weight + value
        values.append(value)
    return values


def naive_atr(rows, period):
    spans = [max(high, before) - min(low, before) for (high, low, _), (_, _, before) in zip(rows[1:], rows, strict=False)]
    values, value = [math.nan], math.nan
    for at, span in enumerate(spans):
        if at + 1 == period:
            value = sum(spans[:period], 0.0) / period
        elif at + 1 > period:
            value = (value * (period - 1) + span) / period
        values.append(value)
    return values


CASES = [(Sma, naive_sma), (Ema, naive_ema), (Atr, naive_atr)]


@pytest.mark.parametrize(("indicator", "naive"), CASES)
@pytest.mark.parametrize("period", [1, 2, 14])
def test_an_indicator_is_its_definition_bit_for_bit(indicator, naive, period) -> None:
    rows, one = bars(200), indicator(period)
    assert np.array_equal([one.update_one(*bar) for bar in rows], naive(rows, period), equal_nan=True)


@pytest.mark.parametrize("indicator", [Sma, Ema, Atr])
def test_a_restored_indicator_goes_on_alike(indicator) -> None:
    rows, one, other = bars(60), indicator(7), indicator(7)
    for bar in rows[:20]:
        one.update_one(*bar)
    other.restore(one.state())
    assert [one.update_one(*bar) for bar in rows[20:]] == [other.update_one(*bar) for bar in rows[20:]]


@pytest.mark.parametrize(("name", "indicator"), [("SMA", Sma), ("EMA", Ema), ("ATR", Atr)])
def test_an_indicator_is_that_of_ta_lib(name, indicator) -> None:
    talib = pytest.importorskip("talib", reason="TA-Lib is an optional oracle: pip install TA-Lib")
    rows, one = bars(300), indicator(14)
    high, low, close = (np.array(column) for column in zip(*rows, strict=True))
    theirs = talib.ATR(high, low, close, 14) if name == "ATR" else getattr(talib, name)(close, 14)
    assert np.allclose([one.update_one(*bar) for bar in rows], theirs, rtol=1e-12, equal_nan=True)


def test_crossing_needs_two_values_of_both() -> None:
    fast, slow = Sma(1), Sma(2)
    crossed = []
    for close in (3.0, 2.0, 1.0, 5.0):
        fast.update_one(close, close, close)
        slow.update_one(close, close, close)
        crossed.append((fast.crossed_above(slow), fast.crossed_below(slow)))
    assert crossed == [(False, False), (False, False), (False, False), (True, False)]


def test_a_period_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 bar"):
        Sma(0)
