"""Parts that outlived their root, which must not be but has been: found and killed before another root starts parts of its own.

The kernel kills parts with their root. Those of a version that did not have it do so may hang, hold the locks of journals and
store, and trade on unsupervised. Whoever holds the home's lock knows that no other root of it lives, so that every part of a run
of this home which is there before its own is an orphan. A part is known by its words, and the home by its folder as that process
sees it: the same path in another container, or below another working folder, is another home.
"""

import contextlib
import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tradebot.domain.errors import LocalError

MAIN: Final = b"tradebot.node.part_main"
END_S: Final = 10.0


def end_orphans(home: Path) -> list[str]:
    """Kill the parts that a root of this home left behind, and wait for their end; which they were. To be called by one that
    holds the home's lock and has no parts yet. Raises LocalError where one does not end.
    """
    return [words for pid in _pids() if _part_of(pid, home) and (words := _end(pid, home))]


def _end(pid: int, home: Path) -> str:
    """Looked at once more behind a pidfd, so that no other is killed; empty where it has ended by itself."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return ""
    try:
        name = _part_of(pid, home)
        if not name:
            return ""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        _wait_end(pidfd, words := f"{name} (process {pid})")
        return words
    finally:
        os.close(pidfd)


def _wait_end(pidfd: int, words: str) -> None:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    if not poll.poll(END_S * 1e3):
        raise LocalError(
            f"expected an orphan that ends when it is killed, found {words} alive after {END_S:g} s: end it, or reboot"
        )


def _pids() -> Iterator[int]:
    return (int(path.name) for path in Path("/proc").glob("[0-9]*"))


def _part_of(pid: int, home: Path) -> str:
    """The name of the part of this home that a process is; nothing for any other, and for one that we may not look at."""
    with contextlib.suppress(OSError, ValueError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        at = words.index(MAIN)
        folder = os.fsdecode(words[at + 2]) if words[at - 1] == b"-m" and len(words) > at + 2 else ""
        seen = Path(f"/proc/{pid}/root", folder[1:]) if folder.startswith("/") else Path(f"/proc/{pid}/cwd", folder)
        if folder and seen.parent.samefile(home / "journal"):
            return os.fsdecode(words[at + 1])
    return ""
