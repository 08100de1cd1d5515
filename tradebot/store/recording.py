"""Recordings as lines of bytes: plain, gzipped or xz'ed files, read as a stream, named by what they hold.

An importer of raw streams asks for the lines of a file with their numbers. Whatever is wrong with a file itself is a
`BadContainer`; what is wrong with a line is the importer's to say.
"""

import gzip
import hashlib
import lzma
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import BinaryIO, Final, cast

from tradebot.domain.errors import BadContainer

LINE_MAX: Final = 1 << 26  # bytes; a longer line is no line of a recording

_BLOCK: Final = 1 << 20
_HEAD: Final = 1 << 16
_UNREADABLE: Final = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, OSError)


def files_of(path: Path) -> list[Path]:
    """The file itself, or the files that lie in the folder, by name. Raises BadContainer where there is nothing."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise BadContainer(f"expected a recording, found no file or folder at {path}")
    return sorted(entry for entry in path.iterdir() if entry.is_file() and not entry.name.startswith("."))


def bare_name(file: Path) -> str:
    """Without the suffix of its packing."""
    return file.name.removesuffix(".gz").removesuffix(".xz")


@contextmanager
def open_packed(file: Path) -> Iterator[BufferedIOBase]:
    """The unpacked bytes. Raises BadContainer where they end early or are not what they claim to be."""
    try:
        with file.open("rb") as raw:
            yield _unpacked(file, raw)
    except _UNREADABLE as error:
        raise BadContainer(f"expected a whole {file.name} in {file.parent}, found: {error}; fetch the file again") from error


def _unpacked(file: Path, raw: BinaryIO) -> BufferedIOBase:
    if file.suffix == ".gz":
        return cast(BufferedIOBase, gzip.GzipFile(fileobj=raw))
    if file.suffix == ".xz":
        return lzma.LZMAFile(raw)
    return cast(BufferedIOBase, raw)


def read_lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """(line number from 1, its bytes without the line end) of every line that is not empty."""
    with open_packed(file) as stream:
        number = 0
        while line := stream.readline(LINE_MAX):
            number += 1
            if len(line) == LINE_MAX:
                raise BadContainer(f"expected lines of at most {LINE_MAX} bytes, found a longer one at {file}:{number}")
            if text := line.strip():
                yield number, text


def first_line(file: Path) -> bytes:
    """The beginning of the first line, also of a file that ends early; nothing where there is none."""
    with open_packed(file) as stream:
        return stream.read1(_HEAD).lstrip().partition(b"\n")[0].rstrip()


def content_sha256(files: Iterable[Path], named: bool = False) -> str:
    """Over the unpacked bytes and lengths in this order, and the names where they tell the parts apart."""
    total = hashlib.sha256()
    for file in files:
        digest, size = _hash(file)
        name = f"{bare_name(file)}\n" if named else ""
        total.update(f"{name}{size}\n{digest}\n".encode())
    return total.hexdigest()


def _hash(file: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with open_packed(file) as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size
