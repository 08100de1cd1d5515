"""Floats to steps: every decimal of the grid comes back as it was, noise is forgiven, another grid is not."""

import random
from decimal import Decimal

import numpy as np
import pytest

from tradebot.store.float_steps import STEPS_MAX, nearest_steps, why_not


@pytest.mark.parametrize("step", ["0.1", "0.01", "0.00000001", "1", "0.5", "0.25", "10", "0.05", "1e-12"])
@pytest.mark.parametrize("bits", [10, 30, 45, 49])
def test_every_step_is_found_again(step: str, bits: int) -> None:
    chance = random.Random(bits)
    wanted = [0, 1, *(chance.randrange(1 << bits) for _ in range(2_000))]
    values = np.array([float(count * Decimal(step)) for count in wanted])
    for noisy in (values, np.nextafter(values, np.inf), np.nextafter(values, 0)):
        counts, good = nearest_steps(noisy, Decimal(step))
        assert good.all()
        assert counts.tolist() == wanted


def test_negative_steps_are_steps() -> None:
    counts, good = nearest_steps(np.array([-0.3]), Decimal("0.1"))
    assert (counts.tolist(), good.tolist()) == ([-3], [True])


@pytest.mark.parametrize(
    "value", [0.05, 100.0001, 1e-9, float("nan"), float("inf"), -float("inf"), 1e300, 0.1 * STEPS_MAX * 1.01]
)
def test_what_is_on_no_step_is_refused(value: float) -> None:
    counts, good = nearest_steps(np.array([value, 0.1]), Decimal("0.1"))
    assert (counts.tolist(), good.tolist()) == ([0, 1], [False, True])
    assert repr(value) in why_not(value, "price", Decimal("0.1"))
