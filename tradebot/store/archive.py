"""Files that travel together: a folder, a zip (a wheel is one), or one file with its siblings beside it.

An importer asks for a file by name and gets its unpacked bytes as a stream, wherever it lies and whether or
not it is gzipped. Whatever is wrong with the container itself is a `BadContainer`, so that an importer only
ever speaks of rows.
"""

import gzip
import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, Final, cast

from tradebot.domain.errors import BadContainer

_BLOCK: Final = 1 << 20
_UNREADABLE: Final = (
    EOFError,
    gzip.BadGzipFile,
    zlib.error,
    zipfile.BadZipFile,
    NotImplementedError,
    OSError,
)


class Archive:
    """The files beside one named `anchor` (with or without `.gz`).

    `path` is a folder, a zip, or the anchor itself. Raises BadContainer where it is none of them, or holds no
    anchor, or more than one.
    """

    def __init__(self, path: Path, anchor: str) -> None:
        self.path = path
        self._names = (anchor, anchor + ".gz")
        self._zipped = path.is_file() and path.name not in self._names
        self._members = self._list_zip() if self._zipped else self._list_folder()
        self._base = self._find_base()

    def has(self, name: str) -> bool:
        return self._locate(name) is not None

    def locate(self, name: str) -> str:
        """The file's name within the archive. Raises BadContainer where it is missing."""
        found = self._locate(name)
        if found is None:
            raise BadContainer(
                f"expected {name} or {name}.gz beside {self._names[0]} in {self.path}, found neither"
            )
        return found

    @contextmanager
    def open_text(self, name: str) -> Iterator[io.TextIOWrapper]:
        """The unpacked lines; bytes that are not ASCII become a sign that no field accepts."""
        with self.open(name) as stream, io.TextIOWrapper(stream, "ascii", "replace", newline="\n") as lines:
            yield lines

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """The unpacked bytes. Raises BadContainer where they end early or are not what they claim to be."""
        member = self.locate(name)
        try:
            with self._open_member(member) as raw:
                yield cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if member.endswith(".gz") else raw
        except _UNREADABLE as error:
            raise BadContainer(
                f"expected a whole {member} in {self.path}, found: {error}; fetch the file again"
            ) from error

    def content_sha256(self, names: list[str]) -> str:
        """Over the unpacked bytes of the files that exist, with their names and lengths; packing does not
        matter.
        """
        total = hashlib.sha256()
        for name in names:
            if self.has(name):
                digest, size = self._hash_member(name)
                total.update(f"{name}\n{size}\n{digest}\n".encode())
        return total.hexdigest()

    def member_sha256(self, name: str) -> str:
        """Over the unpacked bytes of one file alone: neither packing nor name matters."""
        return self._hash_member(name)[0]

    def _hash_member(self, name: str) -> tuple[str, int]:
        digest, size = hashlib.sha256(), 0
        with self.open(name) as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
                size += len(block)
        return digest.hexdigest(), size

    @contextmanager
    def _open_member(self, member: str) -> Iterator[BinaryIO]:
        if self._zipped:
            with zipfile.ZipFile(self.path) as archive, _opened(archive, member) as stream:
                yield cast(BinaryIO, stream)
        else:
            with (self._folder() / member).open("rb") as stream:
                yield stream

    def _folder(self) -> Path:
        return self.path if self.path.is_dir() else self.path.parent

    def _list_folder(self) -> list[str]:
        if not self.path.exists():
            raise BadContainer(f"expected a folder, a zip or {self._names[0]}, found no file at {self.path}")
        return sorted(entry.name for entry in self._folder().iterdir() if entry.is_file())

    def _list_zip(self) -> list[str]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                return archive.namelist()
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
            raise BadContainer(
                f"expected a folder, a zip or {self._names[0]}[.gz], found {self.path}: {error}"
            ) from error

    def _find_base(self) -> PurePosixPath:
        if self.path.is_file() and not self._zipped:
            return PurePosixPath()
        folders = {
            PurePosixPath(member).parent for member in self._members if _basename(member) in self._names
        }
        if len(folders) != 1:
            raise BadContainer(f"expected one {self._names[0]}[.gz] in {self.path}, found {len(folders)}")
        return folders.pop()

    def _locate(self, name: str) -> str | None:
        for wanted in self._wanted(name):
            member = str(self._base / wanted)
            if member in self._members:
                return member
        return None

    def _wanted(self, name: str) -> list[str]:
        """Where the anchor was named by the caller, that very file; else the plain file before the packed
        one.
        """
        if name == self._names[0] and self.path.name in self._names and not self.path.is_dir():
            return [self.path.name]
        return [name, name + ".gz"]


def _opened(archive: zipfile.ZipFile, member: str) -> IO[bytes]:
    """Offsets of a damaged directory may lead before the file, which zipfile takes for a mistake of ours; RuntimeError is a
    member that says it is encrypted.
    """
    try:
        return archive.open(member)
    except (ValueError, RuntimeError) as error:
        raise zipfile.BadZipFile(str(error)) from error


def _basename(member: str) -> str:
    return PurePosixPath(member).name
