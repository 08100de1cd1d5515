"""The audit of days: every figure against a recomputation in plain Python, faults planted one by one, and any cut into
batches gives the same."""

import random
from itertools import pairwise

import numpy as np
import pytest

from tests.reference import audit as reference
from tests.research.ticks import DAY, FIRST_DAY, INSTRUMENT, MINUTE, SECOND, Market, cut, joined, row
from tradebot._core.types import RECORD_DTYPE, Flag, Kind
from tradebot.domain.units import time_text
from tradebot.research.audit import DayAudit, audit_days, score_day
from tradebot.research.gaps import SPANS_MAX


def audit(*batches: np.ndarray) -> list[DayAudit]:
    return list(audit_days(INSTRUMENT, batches))


def bars(labels: list[int], seconds: int = 300) -> np.ndarray:
    """Bars by label in units of their interval from the first day's start; each comes in when it closes."""
    step = seconds * SECOND
    return joined(
        [
            row(FIRST_DAY + (label + 1) * step, Kind.BAR, venue_ns=FIRST_DAY + label * step, price=999 + label % 3, owner=seconds)
            for label in labels
        ]
    )


@pytest.mark.parametrize("seed", range(8))
def test_every_figure_equals_that_of_the_plain_recomputation(seed: int) -> None:
    market = Market(seed, faults=0.02)
    records = joined(market.rows(1500))
    (day,) = audit(*cut(records, random.Random(seed), 7))
    rows = list(records)
    breaks = reference.breaks(rows)
    silences = reference.silences(rows, FIRST_DAY // DAY)
    trades = [one for one in rows if one["kind"] == Kind.TRADE and not reference.is_void(one)]
    outliers = reference.outlier_places([int(one["price"]) for one in trades])
    spans = [*reference.gap_fact_spans(rows), *((start, end) for start, end, _ in breaks), *silences]
    assert day.rows == len(rows)
    assert day.kinds["trade"] == sum(1 for one in rows if one["kind"] == Kind.TRADE)
    assert day.void == sum(map(reference.is_void, rows))
    assert day.gap_facts == market.planted.count("gap")
    assert (day.sequence_breaks, day.sequence_missing) == (len(breaks), sum(missing for *_, missing in breaks))
    assert day.silences == len(silences)
    assert day.gaps == reference.places(spans)
    assert day.duplicates == len(reference.duplicate_places(records))
    assert day.outliers == len(outliers)
    assert day.outlier_marks == [int(trades[place]["time_ns"]) for place in outliers]
    assert day.coverage == round(reference.coverage(rows), 6)
    assert day.crossed == reference.crossed(rows)
    assert day.backwards == reference.backwards(rows)
    assert {"duplicate", "outlier", "crossed", "gap"} <= set(market.planted) or len(market.planted) > 5
    assert day.score < 100


def test_each_planted_fault_is_seen_and_costs_points() -> None:
    whole = joined(Market(1).rows(800))
    (clean,) = audit(whole)
    assert clean.score == 100.0
    assert not any((clean.gaps, clean.duplicates, clean.outliers, clean.crossed, clean.backwards, clean.void))
    seen = {"gap": "gaps", "break": "sequence_breaks", "silence": "silences", "duplicate": "duplicates", "outlier": "outliers",
            "crossed": "crossed", "backwards": "backwards", "void": "void"}  # fmt: skip
    for fault, figure in seen.items():
        market = Market(1)
        rows = market.rows(400)
        for _ in range(3):
            market.now += SECOND
            rows += market.step(fault, rows)
            rows += market.rows(40)
        (day,) = audit(joined(rows))
        assert getattr(day, figure) > 0, fault
        assert day.score < 100, fault


def test_the_cut_into_batches_changes_nothing() -> None:
    records = joined(Market(3, faults=0.03).rows(1200) + Market(4, faults=0.03).rows(0))
    later = records.copy()
    for name in ("time_ns", "venue_ns"):
        later[name] += DAY
    whole = np.concatenate([records, later])
    expected = audit(whole)
    assert [one.day for one in expected] == ["2024-03-18", "2024-03-19"]
    for seed in range(5):
        assert audit(*cut(whole, random.Random(seed), 40)) == expected
    assert audit(*(whole[at : at + 1] for at in range(len(whole)))) == expected


def test_days_without_facts_are_left_out_and_end_a_recording() -> None:
    first = joined(Market(5).rows(300))
    later = first.copy()
    for name in ("time_ns", "venue_ns"):
        later[name] += 3 * DAY
    later["venue_sequence"] += np.uint64(10_000)
    days = audit(np.concatenate([first, later]))
    assert [one.day for one in days] == ["2024-03-18", "2024-03-21"]
    assert [(one.score, one.coverage, one.gaps) for one in days] == [(100.0, 1.0, 0)] * 2


def test_days_that_touch_are_one_recording_and_the_night_between_them_is_missing() -> None:
    """The first day from its first fact to midnight, the second from midnight to its last fact."""
    times = [*range(FIRST_DAY + 12 * 3600 * SECOND, FIRST_DAY + 18 * 3600 * SECOND, SECOND),
             *range(FIRST_DAY + DAY + 6 * 3600 * SECOND, FIRST_DAY + DAY + 12 * 3600 * SECOND, SECOND)]  # fmt: skip
    records = joined([row(time_ns, Kind.MARK, price=100 + time_ns // SECOND % 3) for time_ns in times])
    first, second = audit(records)
    assert (first.coverage, second.coverage) == (0.5, 0.5)
    assert (first.gaps, second.gaps) == (1, 1)
    assert (first.silent, second.silent) == pytest.approx((0.5, 0.5), abs=1e-3)
    assert first.gap_marks == [(FIRST_DAY + 18 * 3600 * SECOND - SECOND, FIRST_DAY + DAY)]
    assert second.gap_marks == [(FIRST_DAY + DAY, FIRST_DAY + DAY + 6 * 3600 * SECOND)]
    assert first.score == pytest.approx(100 - 50 - 2, abs=0.1)


def test_bars_are_measured_by_their_interval() -> None:
    labels = [label for label in range(100) if label not in (40, 41, 42, 70)]
    (day,) = audit(bars(labels))
    assert (day.slot_ns, day.coverage) == (300 * SECOND, 0.96)
    assert (day.gaps, day.silences) == (2, 2)
    assert day.silent == pytest.approx(4 / 99, abs=1e-6)
    assert day.lag_ns is None, "the venue time of a bar is a label"
    (whole,) = audit(bars(list(range(100))))
    assert (whole.score, whole.coverage) == (100.0, 1.0)


def test_bars_of_two_days_and_of_an_interval_of_a_day() -> None:
    days = audit(bars(list(range(300))))
    assert [one.coverage for one in days] == [1.0, 1.0]
    closes = [FIRST_DAY + at * DAY for at in range(1, 9)]
    days = audit(joined([row(time_ns, Kind.BAR, venue_ns=time_ns - DAY, price=5) for time_ns in closes]))
    assert [(one.score, one.slot_ns) for one in days] == [(100.0, DAY)] * 8


def test_a_bar_said_twice_is_a_duplicate_unless_it_is_restated() -> None:
    records = bars([1, 1, 2, 2, 3])
    records["flags"][3] = int(Flag.RESTATED)
    assert audit(records)[0].duplicates == 1


def test_the_lag_is_told_to_within_its_buckets() -> None:
    chance = random.Random(9)
    lags = [chance.randrange(-2_000_000, 900_000_000) for _ in range(4_000)]
    times = range(FIRST_DAY, FIRST_DAY + len(lags) * SECOND, SECOND)
    records = joined([row(at, Kind.MARK, venue_ns=at - lag) for at, lag in zip(times, lags, strict=True)])
    lag = audit(records)[0].lag_ns
    assert lag is not None and (lag.rows, lag.min, lag.max) == (4_000, min(lags), max(lags))
    for share, found in ((0.5, lag.p50), (0.99, lag.p99)):
        assert found == pytest.approx(sorted(lags)[int(share * 3_999)], rel=0.017)


def test_one_outage_that_shows_in_three_ways_is_one_gap() -> None:
    market = Market(6)
    rows = market.rows(300)
    market.now += 10 * MINUTE
    market.numbers[Kind.TRADE] += 50
    rows += [row(market.now, Kind.GAP), *market.trade("")]
    rows += market.rows(300)
    (day,) = audit(joined(rows))
    assert (day.gap_facts, day.sequence_breaks, day.silences, day.gaps) == (1, 1, 1, 1)
    assert day.sequence_missing == 50


def test_a_recording_that_is_all_gaps_fills_no_memory_and_is_still_counted() -> None:
    count = SPANS_MAX + 500
    records = joined([row(FIRST_DAY + at * SECOND, Kind.GAP) for at in range(count)])
    (day,) = audit(records)
    assert (day.gap_facts, day.gaps, len(day.gap_marks)) == (count, count, 100)


def test_an_empty_stream_has_no_day() -> None:
    assert audit() == audit(np.empty(0, RECORD_DTYPE)) == []


def test_kinds_of_a_later_version_are_counted_by_number() -> None:
    records = joined([row(FIRST_DAY, 60), row(FIRST_DAY + 1, Kind.TRADE, price=1)])
    assert audit(records)[0].kinds == {"trade": 1, "kind_60": 1}


FAULTLESS = dict.fromkeys(("duplicates", "outliers", "crossed", "backwards", "void", "unknown_orders"), 0)


def test_the_score_is_what_the_rule_says() -> None:
    assert score_day(1000, 0, 0.0, FAULTLESS) == 100.0
    assert score_day(10**9, 0, 0.0, FAULTLESS | {"void": 1}) == 99.9
    assert score_day(1000, 3, 0.1, FAULTLESS) == 84.0
    assert score_day(1000, 100, 0.0, FAULTLESS) == 70.0
    assert score_day(1000, 0, 0.0, FAULTLESS | {"duplicates": 5}) == 95.0
    assert score_day(1000, 100, 1.0, FAULTLESS | {"crossed": 999}) == 0.0
    worse = [score_day(1000, 0, 0.0, FAULTLESS | {"outliers": count}) for count in range(4)]
    assert all(after < before for before, after in pairwise(worse[:3]))


def test_the_synthetic_market_has_no_fault() -> None:
    from tradebot.store import synthetic

    (day,) = audit_days(synthetic.INSTRUMENT, synthetic.open_source(events=20_000)[1])
    assert (day.score, day.coverage, day.day) == (100.0, 1.0, time_text(day.first_ns)[:10])
