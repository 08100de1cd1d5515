"""What ends a process when the one that started it is gone: a pipe, for one that listens, and the kernel, for one that hangs.

The pipe's maker holds one end; who watches the other sees it become readable when the maker is gone.
"""

import ctypes
import os
import signal
from typing import Final

PR_SET_PDEATHSIG: Final = 1


class LifeLine:
    """`watched` is for children. Nothing is ever written into it."""

    def __init__(self) -> None:
        self.watched, self._held = os.pipe()

    def close(self) -> None:
        for descriptor in (self.watched, self._held):
            os.close(descriptor)


def end_with(parent: int) -> None:
    """Be killed when `parent` ends, also where we stand still or spin (PR_SET_PDEATHSIG, prctl(2)); no fork inherits it. Where it
    has ended before this call, we end here.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    if os.getppid() != parent:
        os._exit(1)
