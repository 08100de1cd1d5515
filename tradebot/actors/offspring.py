"""A process that is our child: seen, signalled and reaped through its pidfd, which never means another process.

It was started by us, or forked from the zygote and left to us, because we take in orphans (PR_SET_CHILD_SUBREAPER, prctl(2)).
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

PR_SET_CHILD_SUBREAPER: Final = 36
STRAY_S: Final = 5.0
UNKNOWN: Final = -int(signal.SIGKILL)
"""What is told of an end of which the kernel keeps no status, because we were started with SIGCHLD ignored."""


_known: Final[set[int]] = set()
"""Processes that an `Offspring` will reap."""


class Offspring:
    """`pidfd` is ours to close. `exited` gets the exit code, negative for a signal, as `subprocess` has it."""

    def __init__(self, pid: int, pidfd: int) -> None:
        self.pid = pid
        self._pidfd, self._loop = pidfd, asyncio.get_running_loop()
        self.exited = self._loop.create_future()
        _known.add(pid)
        self._loop.add_reader(pidfd, self._look)

    @property
    def is_alive(self) -> bool:
        return not self.exited.done()

    def send_signal(self, number: int) -> None:
        """To a process that is gone it says nothing."""
        if self.is_alive:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def _look(self) -> None:
        """The pidfd has become readable: the process is no more."""
        self._loop.remove_reader(self._pidfd)
        code = reap(self._pidfd)
        os.close(self._pidfd)
        _known.discard(self.pid)
        self.exited.set_result(code)


def reap(pidfd: int) -> int:
    """The exit code of a child that has ended."""
    try:
        found = os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    except ChildProcessError:
        return UNKNOWN
    assert found is not None
    return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status


def end_group(leader: int) -> bool:
    """Kill and reap those children of ours that are in the process group of one that has ended; whether any may be left."""
    try:
        while os.waitpid(-leader, os.WNOHANG)[0]:
            pass
        os.killpg(leader, signal.SIGKILL)
    except (ChildProcessError, ProcessLookupError):
        return False
    return True


class Strays:
    """Orphans below us that were left to us and that nobody waits for: a process that a child of ours had started, and that
    outlived it. They are reaped some seconds after their end, when whoever might still learn of them has.
    """

    def __init__(self) -> None:
        self._ended: dict[int, float] = {}  # when each was first seen to have ended

    def reap(self, now_s: float) -> None:
        ended = {pid for pid in children() if pid not in _known and has_ended(pid)}
        self._ended = {pid: self._ended.get(pid, now_s) for pid in ended}
        for pid, since_s in self._ended.items():
            if now_s - since_s >= STRAY_S:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)


def children() -> Iterator[int]:
    """Of this process, whichever of its threads made them (proc_pid_task(5))."""
    for path in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            yield from map(int, (path / "children").read_text().split())


def has_ended(pid: int) -> bool:
    """Whether it waits to be reaped."""
    return state_of(pid) == "Z"


def state_of(pid: int) -> str:
    """A process's state by its letter (proc_pid_stat(5)); empty where there is none of that number."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


def adopt_orphans() -> None:
    """Become the parent of processes below us whose own parent is gone."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def spawn(words: list[str], log: IO[bytes], descriptors: list[int]) -> Offspring:
    """A fresh Python with those words, its own session, and of our descriptors those alone. Raises OSError."""
    null = os.open(os.devnull, os.O_RDONLY)
    try:
        actions: list[tuple[int, ...]] = [(os.POSIX_SPAWN_DUP2, null, 0)]
        actions += [(os.POSIX_SPAWN_DUP2, log.fileno(), at) for at in (1, 2)]
        for descriptor in descriptors:
            os.set_inheritable(descriptor, True)
        pid = os.posix_spawn(
            sys.executable, [sys.executable, *words], os.environ | {"OPENBLAS_NUM_THREADS": "1"},
            file_actions=actions, setsid=True, setsigmask=[], setsigdef=[signal.SIGPIPE, signal.SIGCHLD],
        )  # fmt: skip
    finally:
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        os.close(null)
    return Offspring(pid, os.pidfd_open(pid))
