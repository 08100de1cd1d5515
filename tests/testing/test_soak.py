"""What a soak says of slopes; the soak itself is `make soak`."""

import os

import numpy as np
import pytest

from tradebot.node.session_files import ENGINE
from tradebot.testing.soak import Lives, kills, read_process, slope


def rows(seconds: int, start: float, per_second: float, noise: float = 0.0) -> np.ndarray:
    chance = np.random.default_rng(1)
    at = np.arange(seconds, dtype=float)
    return np.stack([at, start + per_second * at + noise * chance.standard_normal(seconds), np.full(seconds, 20.0)], axis=1)


def test_lives_of_different_levels_have_one_slope() -> None:
    assert slope([rows(100, 5e6, 0.0), rows(200, 9e7, 0.0)]) == pytest.approx(0.0, abs=1e-6)
    assert slope([rows(100, 5e6, 70.0), rows(200, 9e7, 70.0)]) == pytest.approx(70.0)
    assert slope([rows(600, 5e6, 70.0, noise=5_000.0)]) == pytest.approx(70.0, abs=15.0)
    assert slope([]) == 0.0


def test_what_grows_only_while_it_warms_up_is_flat() -> None:
    warm = rows(200, 0.0, 0.0)
    warm[:, 1] = np.minimum(warm[:, 0], 80) * 1e6
    assert slope([warm]) == pytest.approx(0.0)


def test_short_lives_tell_nothing_of_a_slope_but_their_descriptors_count() -> None:
    lives = Lives()
    lives.rows = {(ENGINE, 1): [(float(at), 10 << 20, 30 + at) for at in range(5)], (ENGINE, 2): [(9.0, 1 << 20, 7)]}
    found = lives.figures(ENGINE)
    assert (found["lives"], found["megabytes_per_hour"], found["descriptors_max"]) == (2, None, 34)
    assert lives.figures("nobody")["lives"] == 0


def test_a_process_is_read_and_one_that_is_gone_is_not() -> None:
    found = read_process(os.getpid())
    assert found is not None and found[0] > 1 << 20 and found[1] > 2
    assert read_process(2**30) is None


def test_kills_leave_a_while_at_the_end() -> None:
    due = list(kills(600, 30, seed=3))
    assert 12 < len(due) < 30 and due == list(kills(600, 30, seed=3)) and due[-1][0] < 540
