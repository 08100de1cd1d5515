"""What a backup says of itself: its tables with rows and checksums, its files with sizes and SHA-256.

`manifest.json` is written last and names everything else; `manifest.sha256` names it. So a backup that has been cut,
changed or mixed with another is known before anything is done with it.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from tradebot.domain.errors import BadContainer

FORMAT: Final = 1
NAME: Final = "manifest.json"
SUM_NAME: Final = "manifest.sha256"
PARTS: Final = "parts"

_BLOCK: Final = 1 << 20

Progress = Callable[[int], None]


class TableCopy(Struct, frozen=True):
    """`checksum` is 128 bits in hex: sums of CityHash and xxHash over the rows, whatever their order; `parts` are the
    engine's, each a folder.
    """

    name: str
    rows: int
    checksum: str
    parts: list[str]


class FileCopy(Struct, frozen=True):
    """`path` is relative to the backup."""

    path: str
    bytes: int
    sha256: str


class Manifest(Struct, frozen=True, kw_only=True):
    format: int
    program: str
    schema_version: int
    made: str
    source: str
    tables: list[TableCopy]
    files: list[FileCopy]

    @property
    def bytes(self) -> int:
        return sum(one.bytes for one in self.files)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """On disk when this returns."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    _write(folder / NAME, text)
    _write(folder / SUM_NAME, _sum_line(text))


def read_manifest(folder: Path) -> Manifest:
    """Raises BadContainer where the folder is no whole backup of a format that is known."""
    try:
        text, named = (folder / NAME).read_bytes(), (folder / SUM_NAME).read_bytes()
    except OSError as error:
        raise bad(folder, f"no {Path(error.filename or NAME).name}") from error
    if named != _sum_line(text):
        raise bad(folder, f"a {NAME} that was changed")
    try:
        manifest = msgspec.json.decode(text, type=Manifest)
    except msgspec.DecodeError as error:
        raise bad(folder, f"a {NAME} of another program: {error}") from error
    if manifest.format != FORMAT:
        raise BadContainer(
            f"expected a backup of format {FORMAT} in {folder}, found {manifest.format} of tradebot {manifest.program}; "
            "use that version"
        )
    return manifest


def check_files(folder: Path, manifest: Manifest, progress: Progress) -> None:
    """Read every file. Raises BadContainer, naming the first that is missing, cut, changed or too many."""
    for one in manifest.files:
        try:
            size, found = hash_file(_inside(folder, one.path))
        except OSError as error:
            raise bad(folder, f"{one.path} missing or not readable") from error
        if size != one.bytes:
            raise bad(folder, f"{size} of {one.bytes} bytes of {one.path}")
        if found != one.sha256:
            raise bad(folder, f"{one.path} changed")
        progress(size)
    known = {one.path for one in manifest.files}
    for path in sorted((folder / PARTS).rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in known:
            raise bad(folder, f"{name}, which does not belong to it")


def hash_file(path: Path) -> tuple[int, str]:
    """Bytes and SHA-256."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()


def bad(folder: Path, found: str) -> BadContainer:
    return BadContainer(f"expected a whole backup in {folder}, found {found}; take another backup: this one is not used")


def _sum_line(text: bytes) -> bytes:
    """As sha256sum writes and checks it."""
    return f"{hashlib.sha256(text).hexdigest()}  {NAME}\n".encode()


def _inside(folder: Path, name: str) -> Path:
    """A manifest that was made up must not lead out of its folder."""
    path = folder / name
    if ".." in path.parts or Path(name).is_absolute() or path.is_symlink():
        raise bad(folder, f"a file that leads out of it: {name}")
    return path


def _write(path: Path, text: bytes) -> None:
    with path.open("wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
