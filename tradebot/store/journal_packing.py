"""Sealed segments, compressed: the one file of the journal that knows zstd.

A compressed file appears whole, is on the disk and is read back before the plain one goes. So a crash leaves the plain file, or
both; both hold the same, and the next writer removes the plain one.
"""

import os
import sys
from pathlib import Path
from typing import Any, Final

from tradebot.domain.errors import LocalError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SUFFIX: Final = ".zst"
LEVEL: Final = 3

_OPTIONS: Final[dict[Any, int]] = {
    zstd.CompressionParameter.compression_level: LEVEL,
    zstd.CompressionParameter.checksum_flag: 1,
}


def pack(data: bytes, path: Path, new: Path) -> int:
    """Write `data` compressed to `path` by way of `new`; the bytes it takes. Raises OSError, and then `path` is not there."""
    packed = zstd.compress(data, options=_OPTIONS)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(packed)
        file.flush()
        os.fsync(descriptor)
    assert unpack(new) == data
    new.rename(path)
    return len(packed)


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
