"""Spans that overlap are one gap, whichever sign they come from; what is not kept is counted."""

import random

import numpy as np
import pytest

from tests.reference.audit import places
from tradebot.research import gaps
from tradebot.research.gaps import Spans, merge_signs


def spans(*pairs: tuple[int, int]) -> Spans:
    found = Spans()
    found.add(np.array([start for start, _ in pairs], np.int64), np.array([end for _, end in pairs], np.int64))
    return found


def test_spans_that_touch_are_two_and_those_that_overlap_one() -> None:
    assert merge_signs([spans((0, 10), (10, 20))]) == (2, [(0, 10), (10, 20)])
    assert merge_signs([spans((0, 10)), spans((9, 20)), spans((12, 15))]) == (1, [(0, 20)])
    assert merge_signs([spans((5, 5)), spans((0, 5), (5, 9))]) == (2, [(0, 5), (5, 9)]), "an instant at the end of one"
    assert merge_signs([]) == (0, [])


@pytest.mark.parametrize("seed", range(5))
def test_places_are_those_of_the_plain_count(seed: int) -> None:
    chance = random.Random(seed)
    pairs = [(start, start + chance.randrange(6)) for start in (chance.randrange(300) for _ in range(60))]
    count, merged = merge_signs([spans(*pairs[:20]), spans(*pairs[20:])])
    assert count == len(merged) == places(pairs)


def test_what_is_not_kept_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaps, "SPANS_MAX", 3)
    sign = spans(*((at * 10, at * 10 + 1) for at in range(5)))
    sign.extend(spans((100, 101)))
    assert (sign.count, len(sign.kept)) == (6, 3)
    assert merge_signs([sign])[0] == 6
