"""How often a peer is asked, and how it is asked again after it failed.

A peer that is busy, slow or cut off is asked again after a wait that doubles and is spread by chance, so that many clients
do not come back at once; where it says how long to wait (Retry-After), no sooner. The tries are counted from the last time
that anything new arrived: a long file over a bad line comes through, a peer that gives nothing ends in one error.
Sleeping, chance and the clock are passed in, so that a test waits for nothing.
"""

import random
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

from tradebot.domain.errors import DownloadFailed

ATTEMPTS_MAX: Final = 6  # in a row without anything new
WAIT_FIRST_S: Final = 0.5
WAIT_MAX_S: Final = 30.0
ASKED_MAX_S: Final = 300.0  # a peer that asks for longer is left alone: the user decides

T = TypeVar("T")


class TryAgain(Exception):
    """One attempt failed in a way that may pass. `asked_s` is how long the peer asked to wait."""

    def __init__(self, why: str, asked_s: float = 0.0) -> None:
        super().__init__(why)
        self.asked_s = asked_s


class Patience:
    """Asks again, up to `attempts_max` times in a row."""

    def __init__(
        self,
        attempts_max: int = ATTEMPTS_MAX,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        assert attempts_max > 0
        self._attempts_max = attempts_max
        self._sleep = sleep
        self._chance = chance

    def persist(self, what: str, attempt: Callable[[], T], position: Callable[[], int] = lambda: 0) -> T:
        """What `attempt` returns once it does not raise TryAgain. `position` grows where an attempt that failed brought
        something new all the same.

        Raises DownloadFailed after `attempts_max` attempts in a row that brought nothing.
        """
        failures, farthest = 0, position()
        while True:
            try:
                return attempt()
            except TryAgain as trouble:
                failures = failures + 1 if position() <= farthest else 1
                farthest = max(farthest, position())
                self._wait(what, failures, trouble)

    def _wait(self, what: str, failures: int, trouble: TryAgain) -> None:
        if failures >= self._attempts_max:
            raise DownloadFailed(
                f"expected {what}, found {trouble} at {failures} attempts in a row; "
                "run the same command again later: it goes on where it stopped"
            ) from trouble
        if trouble.asked_s > ASKED_MAX_S:
            raise DownloadFailed(
                f"expected {what}, found {trouble}, and that we shall wait {trouble.asked_s:.0f} s; "
                "run the same command again after that: it goes on where it stopped"
            ) from trouble
        wait_s: float = min(WAIT_FIRST_S * 2.0 ** (failures - 1), WAIT_MAX_S)
        self._sleep(max(trouble.asked_s, wait_s * (0.5 + 0.5 * self._chance())))


class Pace:
    """At most `per_s` requests a second, evenly spread."""

    def __init__(
        self,
        per_s: float,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        assert per_s > 0
        self._interval_s = 1.0 / per_s
        self._sleep = sleep
        self._clock = clock
        self._next_s = clock()

    def wait_turn(self) -> None:
        """Return when the next request may leave."""
        early_s = self._next_s - self._clock()
        if early_s > 0:
            self._sleep(early_s)
        self._next_s = max(self._next_s, self._clock()) + self._interval_s


def retry_after_s(header: str | None, now_s: float) -> float:
    """Seconds that a Retry-After header asks for, as a number or as a date; 0 where it asks for nothing readable."""
    text = (header or "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now_s)
    except (ValueError, OverflowError):
        return 0.0
