"""A pace that does not wait for anybody: a timer of the kernel, and the times at which each beat was meant.

A generator that sleeps between two messages sends later when it is late, and what it measures leaves out the waiting of those
that it did not send (coordinated omission). Here beats that were missed are told, all of them, and each has its time.
"""

import ctypes
import os
import time
from typing import Final

ABSOLUTE: Final = 1  # TFD_TIMER_ABSTIME
NONBLOCK: Final = os.O_NONBLOCK  # TFD_NONBLOCK is the same
NS: Final = 1_000_000_000


class _Interval(ctypes.Structure):
    """struct itimerspec: interval and first beat, each in seconds and nanoseconds."""

    _fields_ = [(name, ctypes.c_long) for name in ("every_s", "every_ns", "first_s", "first_ns")]


class Pace:
    """Beats every `every_ns` from `first_ns` of the monotonic clock on. `beats` is how many were told."""

    def __init__(self, every_ns: int, delay_ns: int = 10_000_000, blocking: bool = True) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self.every_ns, self.first_ns, self.beats = every_ns, time.monotonic_ns() + delay_ns, 0
        self.descriptor = libc.timerfd_create(time.CLOCK_MONOTONIC, 0 if blocking else NONBLOCK)
        setting = _Interval(*divmod(every_ns, NS), *divmod(self.first_ns, NS))
        if self.descriptor < 0 or libc.timerfd_settime(self.descriptor, ABSOLUTE, ctypes.byref(setting), None):
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))

    def wait(self) -> range:
        """The numbers of the beats since the last call, at least one, from 0."""
        count = int.from_bytes(os.read(self.descriptor, 8), "little")
        self.beats += count
        return range(self.beats - count, self.beats)

    def meant_ns(self, beat: int) -> int:
        """When that beat was meant, by the monotonic clock."""
        return self.first_ns + beat * self.every_ns

    def close(self) -> None:
        os.close(self.descriptor)
