"""What a soak says of slopes; the soak itself is `make soak`."""

import os
from typing import Any

import numpy as np
import pytest

from tradebot.node.session_files import ENGINE, FEED, GATEWAY, STORE, VENUE
from tradebot.testing.soak import ANONYMOUS, BLOCK_S, TOLD_S, WARM_S, Lives, as_told, floors, is_flat, kills, read_process, slope


def rows(seconds: int, start: float, per_second: float, noise: Any = 0.0) -> np.ndarray:
    at = np.arange(seconds, dtype=float)
    return np.stack([at, start + per_second * at + noise, start + np.zeros(seconds), np.full(seconds, 20.0)], axis=1)


def dependent(seconds: int, seed: int, share: float, size: float) -> np.ndarray:
    """Noise in which each second has a share of the one before."""
    chance, found = np.random.default_rng(seed), np.zeros(seconds)
    for at in range(1, seconds):
        found[at] = share * found[at - 1] + size * chance.standard_normal()
    return found


def test_lives_of_different_levels_have_one_slope() -> None:
    assert slope([rows(100, 5e6, 0.0), rows(200, 9e7, 0.0)], ANONYMOUS) == pytest.approx([0.0, 0.0], abs=1e-6)
    assert slope([rows(100, 5e6, 70.0), rows(200, 9e7, 70.0)], ANONYMOUS) == pytest.approx([70.0, 0.0], abs=1e-6)
    assert slope([], ANONYMOUS).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("share", [0.0, 0.6])
def test_the_true_slope_is_within_two_standard_errors_nearly_always(share: float) -> None:
    """Also where a block depends on the one before, by which the usual standard error is far too small."""
    within = 0
    for seed in range(200):
        noise = dependent(60, seed, share, 50_000.0)
        value, error = slope([floors(rows(600, 5e6, 70.0, np.repeat(noise, 10)))], ANONYMOUS)
        within += abs(value - 70.0) <= 2 * error
    assert within > 160  # of 200; without the dependence in it about half for the second


@pytest.mark.parametrize(
    ("found", "flat", "grows"),
    [((0.0, 1.0), True, False), ((4.0, 0.5), True, True), ((4.0, 2.0), False, False), ((9.0, 1.0), False, True),
     ((-3.0, 1.0), True, False)],
)  # fmt: skip
def test_flat_is_what_surely_grows_by_less_than_the_bound(found: tuple[float, float], flat: bool, grows: bool) -> None:
    told = as_told([rows(10, 0, 0)], np.array(found), 6.0)
    assert told is not None and (told["flat"], told["grows"]) == (flat, grows)


def life(seconds: int, per_second: float = 0.0, warm: float = 0.0) -> list[tuple[float, int, int, int]]:
    return [(float(at), 10**7 + int(per_second * at + warm * min(at, 80)), 2 * 10**7, 30) for at in range(seconds)]


def test_what_grows_only_while_it_warms_up_is_flat_and_what_grows_on_is_not() -> None:
    for per_second, flat in ((0.0, True), (10_000.0, False)):
        lives = Lives()
        lives.rows = {(ENGINE, 1): life(400, per_second, warm=1e6)}
        found = lives.figures(ENGINE)
        assert found["megabytes_per_hour"]["flat"] is flat
        assert found["megabytes_per_hour"]["slope"] == pytest.approx(per_second * 0.0036)
        assert is_flat({ENGINE: found}) is flat and found["descriptors_per_hour"]["flat"]


def test_what_is_held_for_a_moment_is_no_growth_and_a_leak_under_it_is_seen() -> None:
    """Teeth of 60 MB that become broader, up to seven seconds."""
    held = np.array([6e7 if at % 40 < 2 + at // 100 else 0.0 for at in range(600)])
    assert slope([floors(rows(600, 1e8, 0.0, held))], ANONYMOUS)[0] == pytest.approx(0.0)
    assert slope([rows(600, 1e8, 0.0, held)], ANONYMOUS)[0] > 1_000
    assert slope([floors(rows(600, 1e8, 2_000.0, held))], ANONYMOUS)[0] == pytest.approx(2_000.0, rel=0.01)
    assert len(floors(rows(600, 1e8, 0.0))) == 600 // BLOCK_S


def test_short_lives_tell_nothing_of_a_slope_but_their_descriptors_count() -> None:
    lives, short = Lives(), int(WARM_S[ENGINE] + TOLD_S) - 1
    lives.rows = {(ENGINE, 1): [(float(at), 10 << 20, 20 << 20, 30 + at) for at in range(5)], (ENGINE, 2): life(short)}
    found = lives.figures(ENGINE)
    assert (found["lives"], found["lives_long"], found["megabytes_per_hour"], found["descriptors_max"]) == (2, 0, None, 34)
    assert lives.figures("nobody")["lives"] == 0 and not is_flat({ENGINE: found}), "nothing is shown"


def test_a_process_is_read_and_one_that_is_gone_is_not() -> None:
    found = read_process(os.getpid())
    assert found is not None and 1 << 20 < found[0] < found[1] and found[2] > 2
    assert read_process(2**30) is None


def test_every_part_lives_through_half_of_it_while_others_are_killed() -> None:
    due = list(kills(600, 30, seed=3))
    assert 10 < len(due) < 25 and due == list(kills(600, 30, seed=3)) and due[-1][0] < 570
    assert {name for at, name in due if at < 300} <= {VENUE, GATEWAY, FEED}
    assert {name for at, name in due if 300 <= at < 480} == {ENGINE}
    assert {name for at, name in due if at >= 480} <= {ENGINE, STORE}
