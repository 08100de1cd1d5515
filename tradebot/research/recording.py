"""Writes what a run did into its results folder, as it happens, in constant memory.

Three raw arrays of fixed records: no header, so a torn tail is a size that is no whole number of records, and reading is a map.
"""

import errno
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
import numpy.typing as npt

from tradebot.domain.errors import StoreFull
from tradebot.research.results import ARRAYS

Records = npt.NDArray[np.void]


class FolderRecorder:
    """An engine's Recorder onto files. Raises StoreFull where the disk is full."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, BinaryIO] = {name: (folder / name).open("wb") for name in ARRAYS}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        problems = []
        for file in self._files.values():
            try:
                file.close()
            except OSError as problem:
                problems.append(problem)
        if problems and kind is None:
            raise explained(problems[0], self._folder) from problems[0]

    def facts(self, facts: Records) -> None:
        self._write("facts.bin", facts)

    def samples(self, samples: Records) -> None:
        self._write("samples.bin", samples)

    def markouts(self, markouts: Records) -> None:
        self._write("markouts.bin", markouts)

    def _write(self, name: str, records: Records) -> None:
        try:
            self._files[name].write(records.tobytes())
        except OSError as error:
            raise explained(error, self._folder) from error


def explained(error: OSError, folder: Path) -> OSError | StoreFull:
    """What to raise where results could not be written: StoreFull where it was for want of room."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return error
    return StoreFull(
        f"expected room for the results in {folder}, found the disk full; free some space, or give another --home"
    )
