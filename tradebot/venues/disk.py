"""The disk side of a download: who writes, what is kept when it breaks off, and what a full disk says.

A file that is still arriving ends in `.part` and is written without a buffer, so that a kill loses nothing that had come.
Only when it is whole is it synced and renamed: a name without `.part` is a promise. One process writes a series at a time,
by a lock that the kernel takes back when the process dies.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tradebot.domain.errors import DownloadFailed, UsageError

PART: Final = ".part"


def part_of(target: Path) -> Path:
    """Where a file lies until it is whole."""
    return target.with_name(target.name + PART)


def size_of(path: Path) -> int:
    """In bytes; 0 where there is no file."""
    return path.stat().st_size if path.exists() else 0


def make_folder(folder: Path) -> None:
    """With all that is missing above it, for the user alone. Raises UsageError where it cannot be made."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        for place in reversed(missing):
            place.mkdir(mode=0o700, exist_ok=True)
        if not folder.is_dir():
            raise NotADirectoryError(20, "Not a directory", str(folder))
    except OSError as error:
        raise UsageError(f"expected a folder at {folder}, found: {error.strerror}; choose another --into") from error


def write_all(descriptor: int, body: bytes, path: Path) -> None:
    """Every byte of `body`. Raises DownloadFailed where the disk takes no more; what was written stays."""
    view = memoryview(body)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError as error:
        raise DownloadFailed(
            f"expected room for {path}, found: {error.strerror} after {size_of(path):,} bytes; "
            "make room and run the same command again: it goes on where it stopped"
        ) from error


def publish(part: Path, target: Path) -> None:
    """Give a whole file its name, safe against a power cut."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def sole_writer(root: Path, series: str) -> Iterator[None]:
    """Hold the lock of one series below `root`. Raises DownloadFailed where another process has it."""
    make_folder(root)
    path = root / f".{series.replace('/', '-')}.lock"
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DownloadFailed(
                f"expected to be alone with {series} in {root}, found another download of it; wait until it has ended"
            ) from error
        yield
