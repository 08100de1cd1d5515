"""What a download did: the files of the asked range, those that came now, those that were there, and what is missing.

The tally also holds back what goes wrong with one file, so that the other files of the range still come.
"""

from pathlib import Path
from typing import Protocol

from msgspec import Struct, field

from tradebot.domain.errors import DownloadFailed


class Progress(Protocol):
    """How a download tells how far it is."""

    def start(self, what: str, total: int | None) -> None: ...

    def advance(self, count: int) -> None: ...

    def done(self) -> None: ...


class Outcome(Struct):
    """`paths` are all files of the range, oldest first; `files`, `bytes` and `rows` count what came now, `skipped` the files that
    were there before; `missing` says which files or stretches the peer does not have.
    """

    folder: Path
    paths: list[Path] = field(default_factory=list)
    files: int = 0
    bytes: int = 0
    rows: int = 0
    skipped: int = 0
    missing: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def raise_refused(self) -> None:
        """Raise DownloadFailed where a file was refused: the first by its whole story, the rest by number."""
        if self.refused:
            rest = len(self.refused) - 1
            more = f" ({rest} more files were refused too)" if rest else ""
            raise DownloadFailed(self.refused[0] + more)
