"""Charts: ticks at round numbers, thinning that keeps extremes, paths that break at gaps, text that is
escaped."""

import math
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradebot.domain.units import NS_PER_SECOND
from tradebot.research.chart import (
    POINTS_MAX,
    Bar,
    Chart,
    Mark,
    envelope,
    round_ticks,
    runs,
    thinned,
    tick_digits,
    time_labels,
    time_ticks,
    waterfall,
)

values = st.floats(-1e9, 1e9)


def drawn(path: str) -> int:
    return len(re.findall("[MLV]", path))


@given(st.lists(values, min_size=1, max_size=400), st.integers(4, 60))
def test_thinning_keeps_first_last_and_both_extremes(series: list[float], points_max: int) -> None:
    y = np.array(series)
    index = thinned(y, points_max)
    assert len(index) <= max(points_max, 2)
    assert np.all(np.diff(index) > 0)
    assert (index[0], index[-1]) == (0, len(y) - 1)
    assert (y[index].min(), y[index].max()) == (y.min(), y.max())


def test_thinning_keeps_the_extremes_of_every_bucket_of_a_long_line() -> None:
    y = np.random.default_rng(1).normal(size=100_000).cumsum()
    index = thinned(y, 1000)
    assert 900 < len(index) <= 1000
    bucket = 201  # 100,000 over 499, rounded up
    for start in range(0, 100_000, 5_000):
        near = y[index[(index > start - bucket) & (index < start + 5_000 + bucket)]]
        part = y[start : start + 5_000]
        assert near.min() <= part.min() <= part.max() <= near.max()


def test_a_band_covers_every_value_it_thins() -> None:
    random = np.random.default_rng(2)
    low = random.normal(size=5_000)
    high = low + random.uniform(0.1, 1, 5_000)
    x = np.arange(5_000)
    at, lows, highs = envelope(x, low, high, 100)
    assert len(at) == 100
    assert (at[0], at[-1]) == (0, 4_999)
    bucket = np.repeat(np.arange(100), 50)
    assert np.all(lows[bucket] <= low)
    assert np.all(highs[bucket] >= high)


@given(values, st.floats(1e-6, 1e9), st.integers(2, 12))
def test_ticks_stand_at_round_numbers_inside_the_range(low: float, extent: float, count: int) -> None:
    if low + extent == low or extent < abs(low) * 1e-6:  # finer than a float can draw
        return
    ticks = round_ticks(low, low + extent, count)
    assert all(low - extent * 1e-6 <= tick <= low + extent * (1 + 1e-6) for tick in ticks)
    assert len(ticks) <= count + 2
    if len(ticks) > 1:
        lead = (ticks[1] - ticks[0]) / 10 ** math.floor(math.log10(ticks[1] - ticks[0]) + 1e-6)
        assert min(abs(lead - round_) for round_ in (1, 2, 5, 10)) < 1e-2


def test_tick_labels_have_as_many_decimals_as_tell_them_apart() -> None:
    assert tick_digits([0.0, 0.05]) == 2
    assert tick_digits([10.0, 20.0]) == 0
    assert tick_digits([65_120.0, 65_120.5]) == 1


def test_time_ticks_are_round_utc_times() -> None:
    start = 1_767_605_400 * NS_PER_SECOND + 123  # 2026-01-05T09:30:00, and a little
    ticks = time_ticks(start, start + 1800 * NS_PER_SECOND, 8)
    assert time_labels(ticks) == ["09:35", "09:40", "09:45", "09:50", "09:55", "10:00"]
    ticks = time_ticks(start, start + 20 * NS_PER_SECOND, 8)
    assert time_labels(ticks) == ["09:30:05", "09:30:10", "09:30:15", "09:30:20"]
    ticks = time_ticks(start, start + 3 * 86_400 * NS_PER_SECOND, 8)
    assert time_labels(ticks)[:2] == ["12:00", "01-06"]


def test_runs_are_the_unbroken_stretches() -> None:
    assert runs(np.array([True, True, False, True])) == [(0, 2), (3, 4)]
    assert runs(np.array([False])) == []


def test_a_line_breaks_where_a_value_is_missing_and_is_never_longer_than_the_limit() -> None:
    chart = Chart("a line", (0.0, 9_999.0), (0.0, 1.0))
    y = np.random.default_rng(3).random(10_000)
    y[5_000] = np.nan
    chart.line(np.arange(10_000), y, "")
    assert len(chart.parts) == 2
    assert all(100 < drawn(part) <= POINTS_MAX for part in chart.parts)
    assert "nan" not in chart.to_svg()


def test_a_chart_is_well_formed_and_its_text_is_escaped() -> None:
    chart = Chart("<script>alert(1)</script>", (0.0, 1e9), (5.0, 5.0))
    chart.marks(
        [Mark(1.0, 5.0, "circle", 'x" onload="y', "a & b < c"), Mark(2.0, 5.0, "diamond", "buy", "second")]
    )
    chart.area(np.array([0, 10]), np.array([5.0, 5.0]), 5.0, "")
    chart.level(5.0, "zero")
    text = chart.to_svg()
    root = ElementTree.fromstring(text)
    assert "<script" not in text
    assert root.findtext("title") == "<script>alert(1)</script>"
    titles = [mark.findtext("title") for mark in root if "mark" in mark.get("class", "")]
    assert titles == ["a & b < c", "second"]
    assert all(mark.get("onload") is None for mark in root.iter())


def test_what_is_higher_is_drawn_higher_and_later_is_drawn_further_right() -> None:
    chart = Chart("points", (0.0, 10.0), (0.0, 10.0))
    chart.marks([Mark(1.0, 1.0, "circle", "", ""), Mark(9.0, 9.0, "circle", "", "")])
    places = [(float(m[0]), float(m[1])) for m in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', chart.to_svg())]
    assert places[0][0] < places[1][0]
    assert places[0][1] > places[1][1]


def test_a_waterfall_has_a_bar_and_a_label_for_each_step() -> None:
    bars = [Bar("earned", 0.0, 3.0, "+3.00", "up"), Bar("fees", 3.0, -1.0, "−4.00", "down")]
    root = ElementTree.fromstring(waterfall("the sum", bars))
    heights = [float(one.get("height", "0")) for one in root if one.tag == "rect"]
    assert heights[1] / heights[0] == pytest.approx(4 / 3, rel=0.01)
    words = {one.text for one in root if one.tag == "text"}
    assert {"earned", "fees", "+3.00", "−4.00"} <= words
