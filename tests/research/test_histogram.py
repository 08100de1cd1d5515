"""The histogram against sorted lists: counts and extremes exactly, quantiles to within a bucket."""

import random

import numpy as np
import pytest

from tradebot.research.histogram import Histogram


def histogram(*parts: list[int]) -> Histogram:
    found = Histogram()
    for part in parts:
        found.add(np.array(part, np.int64))
    return found


@pytest.mark.parametrize("seed", range(5))
def test_quantiles_are_those_of_the_sorted_values_to_within_a_bucket(seed: int) -> None:
    chance = random.Random(seed)
    values = [int(chance.choice((-1, 1, 1)) * 10 ** chance.uniform(0, 18)) for _ in range(3_000)]
    found = histogram(values[:1000], [], values[1000:])
    ranked = sorted(values)
    assert (found.count, found.smallest, found.largest) == (3_000, ranked[0], ranked[-1])
    for share in (0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 1.0):
        assert found.quantile(share) == pytest.approx(ranked[int(share * 2_999)], rel=0.0158, abs=0.5)


def test_the_extremes_of_the_integers_have_buckets() -> None:
    found = histogram([2**63 - 1, -(2**63) + 1, 0, 1, -1])
    assert [found.quantile(share / 4) for share in range(5)] == pytest.approx([-(2**63), -1, 0, 1, 2**63], rel=0.0158)


def test_one_large_value_among_few_is_not_its_own_yardstick() -> None:
    assert histogram([1000, 1000, 10**12]).quantile(0.99) == 1000 or histogram([1000]).quantile(0.99) == 1000
    assert histogram([1000, 10**12]).quantile(0.99) < 1020


def test_nothing_counted_is_zero() -> None:
    assert (Histogram().count, Histogram().quantile(0.5)) == (0, 0)
