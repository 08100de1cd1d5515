"""The core's own logarithm, and the edges of the queue models; the models in use are tested with the venue."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradebot._core.queue_model import QueueKind, Standing, log_of


@given(st.floats(min_value=5e-324, max_value=1.7e308))
def test_the_logarithm_is_within_two_steps_of_the_true_one(x: float) -> None:
    """libm's is correct to under one step, so two hold ours to three at most."""
    expected = math.log(x)
    assert abs(log_of(x) - expected) <= 2 * math.ulp(expected) + 2e-17


@pytest.mark.parametrize(("x", "value"), [(1.0, 0.0), (0.0, -math.inf), (math.inf, math.inf)])
def test_the_logarithm_at_its_ends(x: float, value: float) -> None:
    assert log_of(x) == value
    assert math.isnan(log_of(-1.0)) and math.isnan(log_of(math.nan))


@given(
    st.sampled_from(list(QueueKind)), st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9), st.integers(1, 8)
)
def test_what_is_ahead_never_leaves_the_level(kind: QueueKind, ahead: int, more: int, after: int, half_powers: int) -> None:
    standing = Standing(kind, ahead, half_powers)
    standing.change(ahead + more, after)
    assert 0 <= standing.ahead <= min(ahead, after)


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.integers(1, 10**6))
def test_a_linear_chance_shares_a_decrease_in_proportion(ahead: int, behind: int, decrease: int) -> None:
    decrease = min(decrease, ahead + behind)
    standing = Standing(QueueKind.BY_POWER, ahead, 2)
    standing.change(ahead + behind, ahead + behind - decrease)
    expected = Fraction(ahead) - Fraction(decrease) * ahead / (ahead + behind)
    assert standing.ahead == pytest.approx(float(expected), rel=1e-9, abs=1e-6)
