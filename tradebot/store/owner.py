"""Who owns a store: one process at a time, held by a lock that the kernel drops when the process dies.

The embedded engine refuses a second process by itself, but cannot say who the first is. So the owner locks a
file beside the data and writes its process id and command into it. The lock is the truth and the text only
explains it: a file left behind by a killed process holds no lock and blocks nobody. A second line says that the owner
lets others in (`share`); owners of earlier versions wrote none.
"""

import fcntl
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tradebot.domain.errors import StoreOwned

_TEXT_MAX: Final = 400
_SHARED: Final = "shared"


class Held(StoreOwned):
    """Another has the lock. `shares`: it lets others in; `who`: the beginning of a sentence that names it."""

    def __init__(self, path: Path, holder: str) -> None:
        first, _, second = holder.partition("\n")
        process, _, command = first.partition(" ")
        self.who = f"expected to own the store {path}, found it owned by {_name_holder(process, command)}"
        self.shares = second == _SHARED and process != str(os.getpid())
        super().__init__(f"{self.who}; wait for it to end, or give another --home")


class Owner:
    """The lock on `path`, taken at once. Raises Held, naming the holder, where another has it."""

    def __init__(self, path: Path) -> None:
        self.file = path.with_name(path.name + ".owner")
        self._descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._write()
        except BlockingIOError:
            holder = os.pread(self._descriptor, 2 * _TEXT_MAX, 0).decode(errors="replace")
            os.close(self._descriptor)
            raise Held(path, holder) from None
        except OSError:
            os.close(self._descriptor)
            raise

    def close(self) -> None:
        """Let go; the file stays, for a lock must not be unlinked under another that waits for it."""
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self) -> None:
        command = " ".join([Path(sys.argv[0]).name or "python", *sys.argv[1:]]).replace("\n", " ")
        first = f"{os.getpid()} {command}".encode()[:_TEXT_MAX]
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, first + f"\n{_SHARED}".encode(), 0)


def _name_holder(process: str, command: str) -> str:
    if process == str(os.getpid()):
        return f"this process ({process}), which has it open"
    return f"process {process} ({command})" if process else "another process"
