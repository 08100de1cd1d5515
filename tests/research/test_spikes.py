"""Outliers among prices, against medians of Python's own; real moves are none; any cut gives the same."""

import random

import numpy as np
import pytest

from tests.reference.audit import outlier_places
from tradebot.research.spikes import BLOCK, Spikes


def found(prices: list[int], parts: int = 1, seed: int = 1) -> list[int]:
    """Places of the outliers: each price's time is its place."""
    chance = random.Random(seed)
    places = sorted(chance.randrange(len(prices) + 1) for _ in range(parts - 1))
    spikes, marks = Spikes(), []
    for part in np.split(np.arange(len(prices)), places):
        marks += spikes.add(part, np.array(prices, np.int64)[part]).tolist()
    marks += spikes.finish().tolist()
    assert len(marks) == spikes.count
    return marks


def walk(seed: int, count: int, bad: float = 0.0) -> list[int]:
    chance, price, prices = random.Random(seed), 50_000, []
    for _ in range(count):
        price += chance.choice((0, 0, 1, -1, 3, -3))
        prices.append(price + (chance.choice((-5_000, 5_000, 130)) if chance.random() < bad else 0))
    return prices


@pytest.mark.parametrize("count", [1, 10, 11, 12, 500, BLOCK - 1, BLOCK, BLOCK + 9, BLOCK + 10, BLOCK + 11, 2 * BLOCK + 15])
def test_outliers_are_those_of_the_rule_however_the_prices_are_cut(count: int) -> None:
    prices = walk(count, count, bad=0.01)
    expected = outlier_places(prices)
    assert len(expected) > 0 or count < 400
    for parts in (1, 2, 30):
        assert found(prices, parts) == expected


def test_one_bad_print_is_one_outlier_and_a_move_that_stays_is_none() -> None:
    prices = walk(1, 300)
    assert found(prices) == []
    assert found([*prices[:100], prices[100] * 10, *prices[101:]]) == [100]
    assert found([*prices[:150], *(price + 20_000 for price in prices[150:])]) == []


@pytest.mark.parametrize("length", [1, 3, 5])
def test_a_few_bad_prices_in_a_row_are_found_each(length: int) -> None:
    prices = walk(2, 300)
    for at in range(100, 100 + length):
        prices[at] = 1
    assert found(prices) == list(range(100, 100 + length))


def test_a_price_that_never_moves_is_held_against_the_tick() -> None:
    assert found([1000] * 20 + [1049] + [1000] * 20) == []
    prices = [1000] * 20 + [1051] + [1000] * 20
    assert found(prices) == outlier_places(prices)


def test_no_price_is_left_out_and_empty_days_end_well() -> None:
    spikes = Spikes()
    assert spikes.add(np.arange(3), np.array([0, -5, 7])).tolist() == []
    assert (spikes.prices, spikes.finish().tolist(), spikes.count) == (1, [], 0)
