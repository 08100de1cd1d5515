"""The wall clock as actors are told it: it moves only forward, at the pace of the monotonic clock.

A machine's clock is set now and then, by an hour when somebody errs. Stamps that jump with it would fire every timer of that
hour, or none for as long. So a process reads the wall clock once and counts on from there; where the two have drifted apart by
more than a second that is a step, told as such, and the stamps then close the distance slowly: half a millisecond a second, as
NTP slews.
"""

import time
from typing import Final

STEP_NS: Final = 1_000_000_000
SLEW: Final = 2_000  # one part in so many of the time that passed


class Clock:
    """Nanoseconds since 1970 UTC, never less than what was told before. `steps` counts the steps of the wall clock seen.

    Processes of one machine share its monotonic clock. One that starts after the wall clock was set takes the `offset_ns` of
    the process that starts it, or it would stand apart from the others by that step.
    """

    def __init__(self, offset_ns: int | None = None) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns() if offset_ns is None else offset_ns
        self._last_ns = 0
        self._checked_ns = time.monotonic_ns()
        self.steps = 0
        self.step_ns = 0

    @property
    def offset_ns(self) -> int:
        """What is added to the monotonic clock now: a clock that begins with it shows the same."""
        self.now()
        return self._offset_ns

    def now(self) -> int:
        monotonic_ns = time.monotonic_ns()
        if monotonic_ns - self._checked_ns > STEP_NS:
            self._follow(monotonic_ns)
        self._last_ns = max(self._last_ns, monotonic_ns + self._offset_ns)
        return self._last_ns

    def _follow(self, monotonic_ns: int) -> None:
        """Look at the wall clock once a second, and close what distance there is slowly."""
        distance_ns = time.time_ns() - monotonic_ns - self._offset_ns
        if abs(distance_ns - self.step_ns) > STEP_NS:
            self.steps += 1
            self.step_ns = distance_ns
        most_ns = (monotonic_ns - self._checked_ns) // SLEW
        moved_ns = max(-most_ns, min(most_ns, distance_ns))
        self._offset_ns += moved_ns
        self.step_ns -= moved_ns if self.step_ns else 0
        self._checked_ns = monotonic_ns
