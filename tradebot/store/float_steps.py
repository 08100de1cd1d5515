"""Binary floats back to the steps that they were written from.

Some formats keep prices and sizes as 64-bit floats. A float is the neighbour of a decimal number, often one
or two units in the last place beside it, so the nearest step is meant where it is near enough. What is near:
a billionth of a step, for what is left of a difference of two floats, plus four units in the last place of the
float itself, for the noise. Beyond `STEPS_MAX` steps a float cannot tell one step from the next.
"""

from decimal import Decimal
from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt

STEPS_MAX: Final = 1 << 50
_TOLERANCE: Final = 1e-9
_NOISE: Final = 2.0**-50

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def nearest_steps(values: Floats, step: Decimal) -> tuple[Counts, npt.NDArray[np.bool_]]:
    """How many steps each is, and whether it is on the grid at all; 0 where it is not."""
    ratio = Fraction(step)
    with np.errstate(over="ignore", invalid="ignore"):
        counts = values * float(ratio.denominator) / float(ratio.numerator)
        nearest = np.rint(counts)
        near = np.abs(counts - nearest) <= _TOLERANCE + np.abs(nearest) * _NOISE
    near &= np.abs(nearest) <= STEPS_MAX
    return np.where(near, nearest, 0.0).astype(np.int64), near


def why_not(value: float, what: str, step: Decimal) -> str:
    """What is wrong with a value that is not on the grid."""
    if not np.isfinite(value):
        return f"expected a {what}, found {value}"
    if abs(value) > STEPS_MAX * float(step):
        return f"expected a {what} that a float can hold to {step}, found {value!r}"
    return f"{value!r} is not a multiple of {step}"
