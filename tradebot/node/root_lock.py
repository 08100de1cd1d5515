"""The one root of a home: it holds a lock for as long as it lives, and whoever asks for a root looks for that lock.

The file has the root's process id, and keeps it when the root is killed: the number may be a stranger's by then, so that it says
nothing unless the lock is held.

journal/root     the lock, and who holds it
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from tradebot.domain.errors import NotRunning, Refused

NAME: Final = "root"
TRIES_MAX: Final = 20
TRY_S: Final = 0.01


@contextlib.contextmanager
def only_root(home: Path) -> Iterator[None]:
    """Be the one root of a home, for as long as the block runs; the lock dies with the process. Raises Refused before anything
    is touched.
    """
    with (home / "journal" / NAME).open("a+b") as file:
        if not _take(file):
            file.seek(0)
            raise Refused(
                f"expected a home without a node, found one that process {file.read().decode().strip() or 'unknown'} runs: ask "
                "it with `tradebot status`, stop it with SIGTERM, or take another --home"
            )
        file.truncate(0)
        file.write(f"{os.getpid()}\n".encode())
        file.flush()
        yield


def _take(file: IO[bytes]) -> bool:
    """More than once, because who only asks whether it is held holds it for a moment itself."""
    for _ in range(TRIES_MAX):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(TRY_S)
    return False


def root_of(home: Path) -> int:
    """The process id of the home's root. Raises NotRunning."""
    try:
        with (home / "journal" / NAME).open("rb") as file:
            pid = int(file.read()) if _is_held(file) else None
    except (OSError, ValueError):  # none was ever there, or one is about to write who it is
        pid = None
    if pid is None:
        raise NotRunning(f"expected a node in {home}, found none: start one with `tradebot run -c FILE`")
    return pid


def _is_held(file: IO[bytes]) -> bool:
    """Whether another has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def has_root(home: Path) -> bool:
    try:
        return root_of(home) > 0
    except NotRunning:
        return False
