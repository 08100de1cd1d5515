"""One writer of a journal, and one that compresses and removes its segments: locks that die with their process. Readers need
none. The two never wait for each other.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tradebot.domain.errors import LocalError

NAME: Final = "writer.lock"
PACKER: Final = "packer.lock"
TRIES_MAX: Final = 5
TRY_SECONDS: Final = 0.01


class WriterLock:
    """Held from the start to `close`. Raises LocalError with the pid of the process that has it."""

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder / NAME, os.O_RDWR | os.O_CREAT, 0o600)
        if not take(self._descriptor):
            who = os.pread(self._descriptor, 20, 0).decode(errors="replace").strip()
            os.close(self._descriptor)
            owner = f"process {who}" if who != str(os.getpid()) else f"this process ({who})"
            raise LocalError(
                f"expected to be the one writer of the journal in {folder}, found {owner} writing it; stop that one, or "
                "give another run"
            )
        os.pwrite(self._descriptor, f"{os.getpid():<20}".encode(), 0)  # truncating it would take milliseconds

    def close(self) -> None:
        """Let go; the file stays, for a lock must not be unlinked under another that waits for it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def take(descriptor: int) -> bool:
    """More than once, because who only asks whether it is held holds it for a moment itself."""
    for _ in range(TRIES_MAX):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(TRY_SECONDS)
    return False


def is_written(folder: Path) -> bool:
    """Whether a process has the journal open for writing now."""
    try:
        descriptor = os.open(folder / NAME, os.O_RDONLY)
    except OSError:
        return False
    try:
        return is_held(descriptor)
    finally:
        os.close(descriptor)


def is_held(descriptor: int) -> bool:
    """Whether another has the lock of that file."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


@contextlib.contextmanager
def only_packer(folder: Path) -> Iterator[bool]:
    """Whether the caller is the one that may compress and remove sealed segments, for as long as the block runs; False where
    another does, or there is no journal yet.
    """
    try:
        descriptor = os.open(folder / PACKER, os.O_RDWR | os.O_CREAT, 0o600)
    except FileNotFoundError:
        yield False
        return
    try:
        yield take(descriptor)
    finally:
        os.close(descriptor)
