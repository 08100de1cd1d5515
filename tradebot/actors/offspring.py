"""A process that we have started, whoever is its parent: seen and signalled through its pidfd, which never means another process.

What it ended with is told by the kernel to its parent alone. That is us, where we made it ourselves, and the zygote where that
forked it; the zygote passes it on, and where the zygote is gone the process is ours, because we take in orphans
(PR_SET_CHILD_SUBREAPER, prctl(2)).
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from typing import IO, Final

PR_SET_CHILD_SUBREAPER: Final = 36
UNKNOWN: Final = -int(signal.SIGKILL)
"""What is told of an end of which nobody knows the status any more."""


class Offspring:
    """`pidfd` is ours to close. `exited` gets the exit code, negative for a signal, as `subprocess` has it. `passed_on` says
    whether somebody else is to tell the code, now.
    """

    def __init__(self, pid: int, pidfd: int, passed_on: Callable[[], bool] = lambda: False) -> None:
        self.pid, self.exited = pid, asyncio.get_running_loop().create_future()
        self._pidfd, self._passed_on = pidfd, passed_on
        self._loop = asyncio.get_running_loop()
        self._is_dead = False
        self._loop.add_reader(pidfd, self._look)

    @property
    def is_alive(self) -> bool:
        return not self._is_dead

    def send_signal(self, number: int) -> None:
        """To a process that is gone it says nothing."""
        if not self._is_dead:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def tell(self, code: int) -> None:
        """What it ended with, from whoever knows."""
        if not self.exited.done():
            self.exited.set_result(code)

    def look_again(self) -> None:
        """Who was to tell the code is gone."""
        if self._is_dead and not self.exited.done():
            code = reap(self.pid)
            self.tell(UNKNOWN if code is None else code)

    def _look(self) -> None:
        """The pidfd has become readable: the process is no more."""
        self._is_dead = True
        self._loop.remove_reader(self._pidfd)
        code = reap(self.pid)
        os.close(self._pidfd)
        if code is not None:
            self.tell(code)
        elif not self._passed_on():
            self.look_again()


def reap(pid: int) -> int | None:
    """The exit code of a child that has ended; None of one that is not ours."""
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status) if found else None


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
            file_actions=actions, setsid=True, setsigmask=[], setsigdef=[signal.SIGPIPE],
        )  # fmt: skip
    finally:
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        os.close(null)
    return Offspring(pid, os.pidfd_open(pid))
