"""Notices a strategy that does not return.

A callback that loops for ever would hang a run without a word. A timer signal looks every half second whether the engine is
still in the same callback; after the limit it raises in the strategy's own frame, which ends the run. The limit is wall
time, so it decides only whether a run fails, never what a run that ends has done.
"""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Final

from tradebot._core.kernel import Kernel
from tradebot.domain.errors import StrategyBlocked

LOOK_S: Final = 0.5


class _Blocked(BaseException):
    """Goes through a strategy's `except Exception`; leaves this file as StrategyBlocked."""


@contextmanager
def watch(kernel: Kernel, names: Sequence[str], limit_s: float) -> Iterator[None]:
    """Raise StrategyBlocked where one callback takes longer than `limit_s` seconds.

    Signals reach the main thread only; elsewhere nothing is watched.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    seen, looks = -1, 0

    def look(number: int, frame: FrameType | None) -> None:
        nonlocal seen, looks
        if kernel.calling is None or kernel.calls != seen:
            seen, looks = kernel.calls, 0
            return
        looks += 1
        if looks * LOOK_S >= limit_s:
            looks = 0
            raise _Blocked(
                f"strategy {names[kernel.calling]!r} did not return from a callback for {limit_s:g} s{_place(frame)}; "
                "callbacks must not wait or loop without end"
            )

    with _alarms(look, LOOK_S):
        yield


@contextmanager
def limited(limit_s: float, what: str) -> Iterator[None]:
    """Raise StrategyBlocked, which begins with `what`, where the block takes longer than `limit_s` seconds of wall time."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise _Blocked(f"{what} within {limit_s:g} s{_place(frame)}; code must not wait or loop without end")

    with _alarms(end, limit_s):
        yield


@contextmanager
def _alarms(act: Callable[[int, FrameType | None], None], first_s: float) -> Iterator[None]:
    """Call `act` after `first_s` seconds of wall time and then at each look, as long as the block takes."""
    before = signal.signal(signal.SIGALRM, act)
    signal.setitimer(signal.ITIMER_REAL, first_s, LOOK_S)
    try:
        yield
    except _Blocked as error:
        raise StrategyBlocked(str(error)) from error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _place(frame: FrameType | None) -> str:
    return "" if frame is None else f" at {frame.f_code.co_filename}:{frame.f_lineno}"
