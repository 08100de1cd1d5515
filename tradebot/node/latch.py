"""The latch of `kill`, as the engine reads it: a file of the home, set before anybody is asked to do anything.

An engine looks at it before each of its steps, so one that stood still, or began later, halts before it does anything else,
whether or not it was asked. What the latch wants done is done once, also across starts.

<run>/killed      which latch was carried out
"""

import contextlib
from pathlib import Path

from tradebot.node.session_files import Killed, killed_path, read_killed, write_whole


class Latch:
    """That of the home in which `folder` has a run."""

    def __init__(self, folder: Path) -> None:
        self.home = folder.resolve().parents[1]
        self._latch, self._done = killed_path(self.home), folder / "killed"
        self._carried_out = 0
        with contextlib.suppress(OSError, ValueError):
            self._carried_out = int(self._done.read_text())

    @property
    def is_set(self) -> bool:
        return self._stamp() != 0

    def wants(self) -> Killed | None:
        """What is to be carried out; None where the latch is not set, or was carried out."""
        stamp = self._stamp()
        return None if stamp in (0, self._carried_out) else read_killed(self.home)

    def carried_out(self) -> None:
        """A disk that is full forgets it over the next start, which does it once more."""
        self._carried_out = self._stamp()
        with contextlib.suppress(OSError):
            write_whole(self._done, str(self._carried_out).encode())

    def _stamp(self) -> int:
        """When it was set; 0 where it is not."""
        try:
            return self._latch.stat().st_mtime_ns
        except FileNotFoundError:
            return 0
