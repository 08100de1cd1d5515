"""A keeper of processes: starts them in order, starts again what died, ends them in the opposite order.

The first restart is at once; a process that dies again soon waits longer each time, with jitter. What cannot run is not run for
ever: one that ends by itself `ENDS_MAX` times in a row, or all together more than `deaths_max` times within `period_s`, end the
whole. A SIGKILL comes from outside and says nothing of the process. (One for one, intensity in a period: as OTP has it. The full
tree comes with the actor runtime.)
"""

import asyncio
import contextlib
import os
import random
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import IO, Final

from msgspec import Struct

from tradebot.actors.clock import Clock
from tradebot.domain.errors import LocalError

BACKOFF_S: Final = 0.1
BACKOFF_MAX_S: Final = 5.0
STEADY_S: Final = 10.0  # a life after which the next death counts as the first
STEADY_KILLED_S: Final = 1.0  # the same where it was killed
ENDS_MAX: Final = 6
WORDS_S: Final = 0.1  # that a process has to say where it hangs


class Spec(Struct, frozen=True, kw_only=True):
    """A process to keep: its name, and what makes its command line anew for each start."""

    name: str
    command: Callable[[], list[str]]


class Kept(Struct):
    """A process as it is now."""

    spec: Spec
    process: asyncio.subprocess.Process | None = None
    starts: int = 0
    began_s: float = 0.0
    quick_deaths: int = 0
    ends: int = 0  # by itself, in a row
    exit: int | None = None


class Keeper:
    """`told` hears of every death, for logs and alerts; `changed` is called after each start and each death."""

    def __init__(
        self,
        specs: list[Spec],
        log: IO[bytes],
        told: Callable[[str, int], None],
        deaths_max: int = 20,
        period_s: float = 10.0,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.kept = {spec.name: Kept(spec) for spec in specs}
        self._log, self._told, self._changed = log, told, changed
        self._deaths: deque[float] = deque()
        self._deaths_max, self._period_s = deaths_max, period_s
        self._tasks: list[asyncio.Task[None]] = []
        self._is_ending = False
        self._life_line, self._life_end = os.pipe()
        self._clock = Clock()
        self.failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        for kept in self.kept.values():
            await self._spawn(kept)
            task = asyncio.create_task(self._keep(kept))
            task.add_done_callback(self._kept)
            self._tasks.append(task)

    def _kept(self, task: asyncio.Task[None]) -> None:
        """A process that nobody keeps any more must not go on."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(f"the keeper itself failed: {type(error).__name__}: {error}")

    async def _spawn(self, kept: Kept) -> None:
        kept.process = await asyncio.create_subprocess_exec(
            sys.executable,
            *kept.spec.command(),
            "--clock-offset",
            str(self._clock.offset_ns),
            "--life-line",
            str(self._life_line),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            pass_fds=[self._life_line],
            start_new_session=True,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        )
        kept.starts += 1
        kept.began_s = time.monotonic()
        self._changed()

    async def _keep(self, kept: Kept) -> None:
        while True:
            assert kept.process is not None
            kept.exit = await kept.process.wait()
            if self._is_ending:
                return
            self._told(kept.spec.name, kept.exit)
            self._changed()
            if not self._may_restart():
                self._fail(f"{kept.spec.name} and others died more than {self._deaths_max} times within {self._period_s:g} s")
                return
            _count(kept)
            if kept.ends >= ENDS_MAX:
                self._fail(f"{kept.spec.name} ended {kept.ends} times in a row")
                return
            if kept.quick_deaths > 1:
                wait_s = min(BACKOFF_MAX_S, BACKOFF_S * 2 ** (kept.quick_deaths - 2))
                await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))
            if self._is_ending:
                return
            try:
                await self._spawn(kept)
            except (OSError, LocalError) as error:
                self._fail(f"{kept.spec.name} could not be started: {error}")
                return

    def _fail(self, why: str) -> None:
        if not self.failed.done():
            self.failed.set_result(why)

    def _may_restart(self) -> bool:
        now = time.monotonic()
        self._deaths.append(now)
        while self._deaths and self._deaths[0] < now - self._period_s:
            self._deaths.popleft()
        return len(self._deaths) <= self._deaths_max

    async def end(self, grace_s: float = 5.0) -> None:
        """End every process, the last started first; what does not end in time is killed."""
        self._is_ending = True
        for kept in reversed(self.kept.values()):
            await _end(kept, grace_s)
        for task in self._tasks:
            task.cancel()
        for descriptor in (self._life_line, self._life_end):
            os.close(descriptor)

    async def kill(self, name: str) -> None:
        """Kill a process that hangs, after it had a moment to say where (SIGUSR1); it is started again as any that died."""
        process = self.kept[name].process
        if process is None:
            return
        for number in (signal.SIGUSR1, signal.SIGKILL):
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(number)
                await asyncio.sleep(WORDS_S if number == signal.SIGUSR1 else 0)

    def pids(self) -> dict[str, int]:
        """Process ids of what runs now."""
        return {name: kept.process.pid for name, kept in self.kept.items() if kept.process and kept.process.returncode is None}


def _count(kept: Kept) -> None:
    """How many deaths in a row were quick, and how many its own doing."""
    lived, was_killed = time.monotonic() - kept.began_s, kept.exit == -signal.SIGKILL
    is_quick = lived < (STEADY_KILLED_S if was_killed else STEADY_S)
    kept.quick_deaths = kept.quick_deaths + 1 if is_quick else 0
    kept.ends = kept.ends + 1 if is_quick and not was_killed else 0


async def _end(kept: Kept, grace_s: float) -> None:
    process = kept.process
    if process is None or process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGCONT)  # one that was stopped could not hear of its end
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), grace_s)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
