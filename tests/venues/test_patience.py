"""Asking again: how long between the tries, when it ends, and what Retry-After says."""

from collections.abc import Callable

import pytest

from tests.venues.conftest import Clock
from tradebot.domain.errors import DownloadFailed
from tradebot.venues.patience import Patience, TryAgain, retry_after_s


def failing(times: int, asked_s: float = 0.0) -> Callable[[], str]:
    left = [times]

    def attempt() -> str:
        left[0] -= 1
        if left[0] >= 0:
            raise TryAgain("HTTP 503", asked_s)
        return "here"

    return attempt


def test_the_wait_doubles_and_the_answer_comes_through(clock: Clock) -> None:
    assert clock.patience().persist("a file", failing(4)) == "here"
    assert clock.slept == [0.5, 1.0, 2.0, 4.0]


def test_chance_shortens_a_wait_by_half_at_most() -> None:
    slept: list[float] = []
    Patience(6, slept.append, lambda: 0.0).persist("a file", failing(2))
    assert slept == [0.25, 0.5]


def test_it_ends_after_so_many_tries_in_a_row(clock: Clock) -> None:
    with pytest.raises(DownloadFailed, match=r"expected a file, found HTTP 503 at 3 attempts in a row; run the same command"):
        clock.patience(3).persist("a file", failing(3))
    assert len(clock.slept) == 2


def test_tries_that_bring_something_do_not_count(clock: Clock) -> None:
    position = [0]

    def attempt() -> str:
        position[0] += 1
        if position[0] <= 20:
            raise TryAgain("cut")
        return "here"

    assert clock.patience(2).persist("a file", attempt, lambda: position[0]) == "here"
    assert set(clock.slept) == {0.5}


def test_a_wait_that_is_asked_for_is_kept_and_one_too_long_is_told(clock: Clock) -> None:
    clock.patience().persist("a file", failing(1, asked_s=7.0))
    assert clock.slept == [7.0]
    with pytest.raises(DownloadFailed, match="that we shall wait 9000 s"):
        clock.patience().persist("a file", failing(1, asked_s=9000.0))
    assert clock.slept == [7.0]


def test_the_pace_spreads_requests_evenly(clock: Clock) -> None:
    pace = clock.pace(10)
    for _ in range(3):
        pace.wait_turn()
    assert clock.now_s == pytest.approx(0.2)
    clock.now_s = 5.0
    pace.wait_turn()
    assert clock.now_s == 5.0, "what was not used is not saved up for a burst"
    pace.wait_turn()
    assert clock.now_s == pytest.approx(5.1)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("12", 12.0),
        (" 0 ", 0.0),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 90.0),
        ("Thu, 01 Jan 1970 00:00:05 GMT", 0.0),
        ("soon", 0.0),
        ("-5", 0.0),
        ("", 0.0),
        (None, 0.0),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(header: str | None, seconds: float) -> None:
    assert retry_after_s(header, 10.0) == seconds
