"""One start of one child, in this loop or in a process of its own: what a tree is told of it is the same.

Exactly one of `started` and `failed` is told of each start, and `exited` once after `started`. A process says that it has
started by a byte; what it says before the end of that line without one is why it failed.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Final, Protocol

from tradebot.actors.child_spec import KILLED, NORMAL
from tradebot.actors.offspring import Offspring
from tradebot.domain.errors import TradebotError
from tradebot.domain.words import error_text, one_line

KILL_AGAIN_S: Final = 0.05
KILLS_MAX: Final = 20  # of a child in this loop that catches them
READY: Final = b"1"
WHY_BYTES: Final = 400


class Report(Protocol):
    """Who is told."""

    def started(self) -> None: ...

    def failed(self, why: str) -> None: ...

    def exited(self, reason: str) -> None: ...


class Running(Protocol):
    """One start of a child, which has begun."""

    @property
    def pid(self) -> int | None: ...

    def stop(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it by force."""


Make = Callable[[int], Coroutine[None, None, Offspring]]
"""Makes a process that says "ready" into that descriptor."""

Run = Callable[[Callable[[], None], asyncio.Event], Coroutine[None, None, str | None]]
"""A child in a loop: it calls the first when it has started, ends once the second is set, and returns why it ended by itself."""


class InProcess:
    """A child in a process of its own. One that has not started within `start_s` is killed. With `tells_why` the reason of its
    end is what it said on the line of its start, if it ended with an error and said something.
    """

    def __init__(self, make: Make, report: Report, start_s: float, tells_why: bool = False) -> None:
        self._report, self._loop, self._tells_why = report, asyncio.get_running_loop(), tells_why
        self._process: Offspring | None = None
        self._wants: list[int] = []
        self._has_told = False
        self._said = b""
        self._ready, theirs = os.pipe()
        os.set_blocking(self._ready, False)
        self._late = self._loop.call_later(start_s, self.kill)
        task = self._loop.create_task(make(theirs))
        task.add_done_callback(lambda done: self._made(done, theirs))

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def stop(self) -> None:
        self.send_signal(signal.SIGCONT)  # one that was stopped could not hear of its end
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def ask_where(self) -> None:
        """Have it say what it is at (`faulthandler`), which one that hangs can."""
        self.send_signal(signal.SIGUSR1)

    def send_signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
        else:
            self._wants.append(number)

    def _made(self, task: "asyncio.Task[Offspring]", theirs: int) -> None:
        os.close(theirs)
        try:
            self._process = task.result()
        except (OSError, TradebotError) as error:
            self._tell_failed(str(error))
            return
        self._loop.add_reader(self._ready, self._hear)
        self._process.exited.add_done_callback(self._gone)
        for number in self._wants:
            self._process.send_signal(number)

    def _hear(self) -> None:
        """The child says that it has started; or the line's other end is gone, and so is the child, or will be."""
        word = self._read(1)
        self._loop.remove_reader(self._ready)
        self._said = word.removeprefix(READY)
        if word == READY and not self._has_told:
            self._has_told = True
            self._late.cancel()
            self._report.started()

    def _gone(self, exited: "asyncio.Future[int]") -> None:
        if not self._has_told:
            self._hear()  # it may have said so and died
        reason = reason_of(exited.result())
        if self._tells_why and exited.result() > 0:
            words = self._said + self._read(WHY_BYTES)
            reason = one_line(words.decode(errors="ignore")) or reason  # the last character may have been cut
        if self._has_told:
            self._close()
            self._report.exited(reason)
        else:
            self._tell_failed(reason)

    def _read(self, most: int) -> bytes:
        try:
            return os.read(self._ready, most)
        except BlockingIOError:
            return b""

    def _tell_failed(self, why: str) -> None:
        self._has_told = True
        self._close()
        self._report.failed(why)

    def _close(self) -> None:
        self._late.cancel()
        if self._ready >= 0:
            self._loop.remove_reader(self._ready)
            os.close(self._ready)
            self._ready = -1


def reason_of(code: int) -> str:
    """An exit code in the words of a supervisor."""
    if code == 0:
        return NORMAL
    if code == -signal.SIGKILL:
        return KILLED
    if code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit {code}"


class InLoop:
    """A child in this loop. One that does not hear a kill, because it catches that, is killed again for a while and then given
    up: it is told as killed, and still runs.
    """

    pid: int | None = None

    def __init__(self, run: Run, report: Report, name: str, kills_max: int = KILLS_MAX) -> None:
        self._report, self._name, self._loop = report, name, asyncio.get_running_loop()
        self._kills_max = kills_max
        self._ending = asyncio.Event()
        self._has_started = self._is_over = False
        self._kills = 0
        self._task = self._loop.create_task(run(self._started, self._ending))
        self._task.add_done_callback(self._gone)

    def stop(self) -> None:
        self._ending.set()

    def kill(self) -> None:
        if self._kills == 0:
            self._kill_again()

    def _kill_again(self) -> None:
        if self._is_over:
            return
        if self._kills < self._kills_max:
            self._kills += 1
            self._task.cancel()
            self._loop.call_later(KILL_AGAIN_S, self._kill_again)
            return
        sys.stderr.write(f"{self._name}: it is deaf: it was killed {self._kills_max} times and still runs; it is given up\n")
        self._tell(KILLED)

    def _started(self) -> None:
        if not self._has_started and not self._is_over:
            self._has_started = True
            self._report.started()

    def _gone(self, task: "asyncio.Task[str | None]") -> None:
        if task.cancelled():
            reason = KILLED
        elif (error := task.exception()) is not None:
            reason = error_text(error)
        else:
            reason = task.result() or NORMAL
        if not self._is_over:
            self._tell(reason)

    def _tell(self, reason: str) -> None:
        self._is_over = True
        if self._has_started:
            self._report.exited(reason)
        else:
            self._report.failed(reason)


def say_ready(ready: int | None) -> None:
    """Say, from within a process, that it has started."""
    if ready is not None:
        with contextlib.suppress(OSError):
            os.write(ready, READY)
        os.close(ready)


def say_why(line: int, error: BaseException) -> None:
    """Say, from within a process, why it ends, on the line of its start."""
    with contextlib.suppress(OSError):
        os.write(line, error_text(error).encode()[:WHY_BYTES])


async def finished(work: Coroutine[None, None, None]) -> None:
    """Wait until it is done, however often who waits is cancelled meanwhile."""
    task = asyncio.get_running_loop().create_task(work)
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([task])
