"""Latency models: order is kept, the same seed gives the same draws, and measured values are interpolated."""

import statistics

import pytest

from tradebot._core.latency import Latency, LatencyKind

CONSTANT, UNIFORM, EXPONENTIAL, RECORDED = LatencyKind


@pytest.mark.parametrize("kind", [UNIFORM, EXPONENTIAL])
def test_no_message_overtakes_another_and_none_is_faster_than_the_least(kind: LatencyKind) -> None:
    model = Latency((kind, 1_000, 50_000, 7, [], []))
    arrivals = [model.arrival(sent) for sent in range(0, 100_000, 100)]
    assert arrivals == sorted(arrivals)
    assert all(arrival >= sent + 1_000 for sent, arrival in zip(range(0, 100_000, 100), arrivals, strict=True))


@pytest.mark.parametrize(("kind", "mean"), [(UNIFORM, 25_000), (EXPONENTIAL, 50_000)])
def test_draws_have_the_mean_that_was_asked_for(kind: LatencyKind, mean: int) -> None:
    model, gap = Latency((kind, 1_000, 50_000, 7, [], [])), 10**9
    excess = [model.arrival(at * gap) - at * gap - 1_000 for at in range(20_000)]
    assert statistics.fmean(excess) == pytest.approx(mean, rel=0.03)
    again = Latency((kind, 1_000, 50_000, 7, [], []))
    assert [again.arrival(at * gap) - at * gap - 1_000 for at in range(50)] == excess[:50]
    other = Latency((kind, 1_000, 50_000, 8, [], []))
    assert [other.arrival(at * gap) - at * gap - 1_000 for at in range(50)] != excess[:50]


def test_measured_latencies_are_interpolated_and_held_at_both_ends() -> None:
    model = Latency((RECORDED, 0, 0, 0, [1_000, 2_000, 4_000], [100, 300, 200]))
    assert [model.arrival(sent) - sent for sent in (0, 1_000, 1_500, 2_000, 3_000, 9_000)] == [100, 100, 200, 300, 250, 200]


@pytest.mark.parametrize(
    "spec",
    [
        (CONSTANT, -1, 0, 0, [], []),
        (UNIFORM, 0, -1, 0, [], []),
        (RECORDED, 0, 0, 0, [], []),
        (RECORDED, 0, 0, 0, [2, 1], [1, 1]),
    ],
)
def test_a_model_that_is_none_is_refused(spec: tuple) -> None:
    with pytest.raises(ValueError, match="expected"):
        Latency(spec)
