"""Time that goes forward at its own pace, whatever is done to the wall clock."""

import random
import time

import pytest

from tradebot.actors.clock import STEP_NS, Clock

SECOND = 1_000_000_000
HOUR = 3_600 * SECOND


class Hands:
    """The machine's two clocks, moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall_ns, self.monotonic_ns = 1_700_000_000 * SECOND, 5 * SECOND
        monkeypatch.setattr(time, "time_ns", lambda: self.wall_ns)
        monkeypatch.setattr(time, "monotonic_ns", lambda: self.monotonic_ns)

    def pass_(self, ns: int) -> None:
        self.wall_ns += ns
        self.monotonic_ns += ns


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    return Hands(monkeypatch)


def test_it_shows_the_wall_clock_and_follows_it(hands: Hands) -> None:
    clock = Clock()
    for _ in range(100):
        assert clock.now() == hands.wall_ns
        hands.pass_(random.randrange(3 * SECOND))
    assert clock.steps == 0


@pytest.mark.parametrize("step_ns", [HOUR, -HOUR])
def test_an_hour_either_way_is_a_step_that_no_stamp_makes(hands: Hands, step_ns: int) -> None:
    """The distance is closed by half a millisecond a second; time never stands and never runs back."""
    clock = Clock()
    before = clock.now()
    hands.wall_ns += step_ns
    for _ in range(1_000):
        hands.pass_(SECOND + STEP_NS // 10)
        now = clock.now()
        assert 0.999 * SECOND < now - before - SECOND // 10 < 1.001 * SECOND
        before = now
    assert clock.steps == 1
    moved = now - (hands.wall_ns - step_ns)
    assert 0.4 * SECOND < moved * (1 if step_ns > 0 else -1) < 0.7 * SECOND


def test_a_small_drift_is_closed_without_a_step(hands: Hands) -> None:
    clock = Clock()
    clock.now()
    hands.wall_ns += SECOND // 100
    for _ in range(60):
        hands.pass_(SECOND + STEP_NS // 10)
        clock.now()
    assert clock.steps == 0
    assert clock.now() == hands.wall_ns


def test_a_clock_that_begins_after_a_step_shows_what_the_one_before_it_shows(hands: Hands) -> None:
    """A part that is started again after the wall clock was set must not stand an hour apart from the others."""
    root = Clock()
    root.now()
    hands.wall_ns += HOUR
    hands.pass_(5 * SECOND)
    later, alone = Clock(root.offset_ns), Clock()
    assert later.now() == root.now()
    assert alone.now() - root.now() > HOUR // 2
    for _ in range(60):
        hands.pass_(SECOND + STEP_NS // 10)
        assert abs(later.now() - root.now()) < 10_000_000


def test_two_reads_without_time_between_are_equal(hands: Hands) -> None:
    clock = Clock()
    assert clock.now() == clock.now()
