"""What a bar-grade run leaves in doubt, summed exactly, and shown as an interval."""

import msgspec
import numpy as np

from tradebot._core.types import DOUBT_DTYPE
from tradebot.research.doubts import Doubts, doubts_of


def test_differences_are_summed_over_the_bars_in_doubt_and_known_ones_are_counted_apart() -> None:
    found = np.zeros(3, DOUBT_DTYPE)
    found["difference"], found["known"] = (2**62, 2**62 + 5, 0), (0, 0, 1)
    assert doubts_of(found) == Doubts(2, 1, "92233720368.54775813")


def test_a_run_without_any_is_an_interval_of_one_point() -> None:
    assert doubts_of(np.zeros(0, DOUBT_DTYPE)) == Doubts(0, 0, "0.00000000")
    assert msgspec.convert({}, Doubts) == Doubts()
