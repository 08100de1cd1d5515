"""The one root of a home: it holds a lock for as long as it lives, and whoever asks for a root looks for that lock.

The file has the root's process id, and keeps it when the root is killed: the number may be a stranger's by then, so that it says
nothing unless the lock is held.

journal/root     the lock, and who holds it
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tradebot.domain.errors import NotRunning, Refused
from tradebot.store.journal_lock import is_held, take

NAME: Final = "root"


@contextlib.contextmanager
def only_root(home: Path) -> Iterator[None]:
    """Be the one root of a home, for as long as the block runs; the lock dies with the process. Raises Refused before anything
    is touched.
    """
    with (home / "journal" / NAME).open("a+b") as file:
        if not take(file.fileno()):
            file.seek(0)
            raise Refused(
                f"expected a home without a node, found one that process {file.read().decode().strip() or 'unknown'} runs: ask "
                "it with `tradebot status`, stop it with SIGTERM, or take another --home"
            )
        file.truncate(0)
        file.write(f"{os.getpid()}\n".encode())
        file.flush()
        yield


def root_of(home: Path) -> int:
    """The process id of the home's root. Raises NotRunning."""
    try:
        with (home / "journal" / NAME).open("rb") as file:
            pid = int(file.read()) if is_held(file.fileno()) else None
    except (OSError, ValueError):  # none was ever there, or one is about to write who it is
        pid = None
    if pid is None:
        raise NotRunning(f"expected a node in {home}, found none: start one with `tradebot run -c FILE`")
    return pid


def has_root(home: Path) -> bool:
    try:
        return root_of(home) > 0
    except NotRunning:
        return False
