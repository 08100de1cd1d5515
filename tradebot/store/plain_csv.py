"""One CSV file, plain, gzipped or alone in a zip: its first lines, and what an import of it is called.

Content is named without the file's name, so that a file that was renamed or packed is the same import.
"""

import hashlib
from pathlib import Path
from typing import Final

from tradebot.domain.errors import BadContainer
from tradebot.store.archive import Archive
from tradebot.store.imports import ImportSource

_HEADER_MAX: Final = 1 << 16


class PlainCsv:
    """The file at `path`, or in the zip at `path`, where it has the zip's name. Raises BadContainer where it
    cannot be read as CSV.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.stem + ".csv" if path.suffix == ".zip" else path.name.removesuffix(".gz")
        if not path.is_file() or not self.name.lower().endswith(".csv"):
            raise BadContainer(f"expected a .csv, .csv.gz or .zip file, found {path}")
        self.archive = Archive(path, self.name)
        self.member = self.archive.locate(self.name)

    def first_lines(self, count: int) -> list[str]:
        """The first lines without their ends; fewer where there are fewer."""
        with self.archive.open_text(self.name) as text:
            lines = [text.readline(_HEADER_MAX).rstrip("\r\n") for _ in range(count)]
        return [line for line in lines if line]

    def source(self, format_name: str, version: int, layout: str) -> ImportSource:
        """What an import of it is called; `layout` is what was read out of the same bytes."""
        content = self.archive.member_sha256(self.name)
        return ImportSource(format_name, version, layout_sha256(layout, content), str(self.path))


def layout_sha256(layout: str, content: str) -> str:
    """The name of bytes of which one layout was read."""
    return hashlib.sha256(f"{layout}\n{content}".encode()).hexdigest()
