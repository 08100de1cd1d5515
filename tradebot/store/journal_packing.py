"""Sealed segments, compressed: the one file of the journal that knows zstd.

A compressed file appears whole, is on the disk and is read back before the plain one goes. So a crash leaves the plain file, or
both. Where both are there the compressed one counts: it is on the disk, and a power cut may have taken from the plain one what
was never flushed. What is not whole yet has a suffix of its own, which no writer touches.
"""

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tradebot.domain.errors import LocalError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SUFFIX: Final = ".zst"
PACKING_SUFFIX: Final = ".packing"
"""Of what is not whole yet; the next that compresses removes it."""
LEVEL: Final = 3
_CHUNK_BYTES: Final = 1 << 18

_OPTIONS: Final[dict[Any, int]] = {
    zstd.CompressionParameter.compression_level: LEVEL,
    zstd.CompressionParameter.checksum_flag: 1,
}


def never_rest() -> None:
    """For who is in a hurry."""


def pack(data: memoryview, path: Path, rest: Callable[[], None] = never_rest) -> None:
    """Write `data` compressed to `path`, which appears whole; `rest` is called between two pieces of the work. Raises OSError,
    and then it is not there.
    """
    new = path.with_name(path.name + PACKING_SUFFIX)
    compressor = zstd.ZstdCompressor(options=_OPTIONS)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        for at in range(0, len(data), _CHUNK_BYTES):
            file.write(compressor.compress(data[at : at + _CHUNK_BYTES]))
            rest()
        file.write(compressor.flush())
        file.flush()
        os.fsync(descriptor)
    _prove(new, data, rest)
    new.rename(path)


def _prove(new: Path, data: memoryview, rest: Callable[[], None]) -> None:
    """Read it back. Raises OSError where it is not the same."""
    at = 0
    with zstd.ZstdFile(new, "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            if chunk != data[at : at + len(chunk)]:
                break
            at += len(chunk)
            rest()
    if at != len(data):
        raise OSError(errno.EIO, "it does not read back as it was written")


def unpack(path: Path) -> bytes:
    """All of it. Raises LocalError where it is damaged, FileNotFoundError where it is gone."""
    return _read(path, -1)


def unpack_start(path: Path, bytes_max: int) -> bytes:
    """Its beginning. Raises as `unpack`."""
    return _read(path, bytes_max)


def _read(path: Path, bytes_max: int) -> bytes:
    try:
        with zstd.ZstdFile(path, "rb") as file:
            return file.read(bytes_max)
    except FileNotFoundError:
        raise
    except (zstd.ZstdError, EOFError, OSError) as error:
        text = " ".join(str(error).split())
        raise LocalError(
            f"expected a whole compressed segment at {path}, found: {text}; bring it back from a copy: see "
            f"`tradebot journal verify {path.parent}`"
        ) from error
