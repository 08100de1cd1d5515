"""Numpy's own files, read as a stream: a `.npy`, or an array of a `.npz`, which is a zip of them.

Loading one with numpy would hold the whole array; here a block of rows is held. Only arrays of one dimension
whose items are plain memory are read: a file that holds Python objects is never unpickled.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy_format

from tradebot.domain.errors import BadContainer
from tradebot.store.archive import Archive

BLOCK_ROWS: Final = 1 << 16
_ADDRESS: Final = re.compile(r" at 0x[0-9a-f]+")
_READERS: Final = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}


class NpyFile:
    """The array `key` of the .npz at `path`, or the one array of the .npy there. Raises BadContainer."""

    def __init__(self, path: Path, key: str) -> None:
        self.path = path
        self.name = path.name if path.suffix == ".npy" else f"{key}.npy"
        self._archive = Archive(path, self.name)
        with self._archive.open(self.name) as stream:
            self.dtype, self.rows = self._read_header(stream)

    def blocks(self) -> Iterator[npt.NDArray[Any]]:
        """The rows, a block at a time."""
        with self._archive.open(self.name) as stream:
            self._read_header(stream)
            for start in range(0, self.rows, BLOCK_ROWS):
                count = min(BLOCK_ROWS, self.rows - start)
                data = stream.read(count * self.dtype.itemsize)
                if len(data) < count * self.dtype.itemsize:
                    raise BadContainer(
                        f"expected {self.rows} rows in {self.name} of {self.path}, found the end in row "
                        f"{start + len(data) // self.dtype.itemsize + 1}; fetch the file again"
                    )
                yield np.frombuffer(data, self.dtype)
            if stream.read(1):
                raise BadContainer(f"expected the end of {self.name} of {self.path} after {self.rows} rows, found more")

    def content_sha256(self) -> str:
        """Over the unpacked bytes."""
        return self._archive.member_sha256(self.name)

    def _read_header(self, stream: BinaryIO) -> tuple[np.dtype[Any], int]:
        try:
            version = npy_format.read_magic(stream)
            shape, _, dtype = _READERS[version](stream)
        except (ValueError, KeyError, SyntaxError, TokenError, TypeError) as error:
            words = _ADDRESS.sub("", str(error))  # the parser names objects of its own, elsewhere in each run
            raise BadContainer(f"expected a numpy array in {self.name} of {self.path}, found: {words}") from error
        if len(shape) != 1 or dtype.hasobject:
            raise BadContainer(
                f"expected rows of plain memory in {self.name} of {self.path}, found the shape {shape} of {dtype}"
            )
        return dtype, shape[0]
