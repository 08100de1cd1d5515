"""Rows of an exchange on disk: CSV files that each say by their name which stretch of time they cover.

`BTC-USDT-1m-20240101T000000Z-20240201T000000Z.csv` holds every candle that the exchange has from the first time up to the
second, which is not in it. So what is here can be read off the names, what is asked for and not here is the rest, and no row
lies in two files. What is under way is a `.part` named by its start; it grows by pages, and a call that was killed goes on
behind its last whole line.

**Rule:** a name without `.part` never changes its content, and stretches of one series never overlap.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from tradebot.domain.errors import BadContainer
from tradebot.venues.disk import PART, make_folder, publish, write_all

_TIME = r"(\d{8}T\d{6}(?:\.\d{3})?Z)"
_FORBIDDEN = re.compile(r"[^\w.-]")
_TAIL: Final = 1 << 16


class Span(NamedTuple):
    """From `start_ms` up to `end_ms`, which is not in it."""

    start_ms: int
    end_ms: int

    @property
    def text(self) -> str:
        return f"{iso_text(self.start_ms)}..{iso_text(self.end_ms)}"


class Stretch(NamedTuple):
    """A whole file and what it covers."""

    span: Span
    path: Path


class Shelf:
    """The files of one series in one folder. `stem` begins each name, `columns` each file; the first column is the time."""

    def __init__(self, folder: Path, stem: str, columns: Sequence[str]) -> None:
        self.folder = folder
        self.stem = _FORBIDDEN.sub("_", stem.replace("/", "-"))
        self._header = ",".join(columns) + "\n"
        self._name = re.compile(rf"{re.escape(self.stem)}-{_TIME}-{_TIME}\.csv")

    def stretches(self) -> list[Stretch]:
        """The whole files, by time."""
        if not self.folder.is_dir():
            return []
        found = ((self._name.fullmatch(path.name), path) for path in self.folder.iterdir())
        return sorted(Stretch(Span(_ms(match[1]), _ms(match[2])), path) for match, path in found if match)

    def uncovered(self, asked: Span) -> list[Span]:
        """What of `asked` no file covers, by time."""
        rest, position = [], asked.start_ms
        for span, _ in self.stretches():
            if span.end_ms <= position or span.start_ms >= asked.end_ms:
                continue
            if span.start_ms > position:
                rest.append(Span(position, span.start_ms))
            position = span.end_ms
        return [*rest, Span(position, asked.end_ms)] if position < asked.end_ms else rest

    def begin(self, span: Span) -> "Writer":
        """Go on with the part that begins where `span` does, or begin one."""
        make_folder(self.folder)
        return Writer(self, span)

    def part(self, start_ms: int) -> Path:
        return self.folder / f"{self.stem}-{_name_text(start_ms)}.csv{PART}"

    def path(self, span: Span) -> Path:
        return self.folder / f"{self.stem}-{_name_text(span.start_ms)}-{_name_text(span.end_ms)}.csv"

    @property
    def header(self) -> str:
        return self._header


class Writer:
    """One part, open. `last` holds the lines of the newest time in it, for a caller that must know where it stopped."""

    def __init__(self, shelf: Shelf, span: Span) -> None:
        self._shelf = shelf
        self._part = shelf.part(span.start_ms)
        self._descriptor = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self.rows = self._repair(span.end_ms)
        self.last = last_lines(self._part) if self.rows else []
        self.bytes = 0

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def append(self, lines: Iterable[str]) -> None:
        """Write whole lines. Raises DownloadFailed where the disk is full; the part stays."""
        texts = list(lines)
        body = "".join(f"{text}\n" for text in texts).encode()
        write_all(self._descriptor, body, self._part)
        self.rows += len(texts)
        self.bytes += len(body)

    @property
    def first_ms(self) -> int:
        """The time of the first row; there must be one."""
        return next(times_of(self._part))

    def finish(self, span: Span) -> Path:
        """Give the part its name: it covers `span`."""
        path = self._shelf.path(span)
        publish(self._part, path)
        return path

    def drop(self) -> None:
        """Nothing came: leave nothing."""
        self._part.unlink()

    def _repair(self, end_ms: int) -> int:
        """Cut a torn last line and what lies behind the end; write the header where there is none. How many rows are left."""
        header = self._shelf.header.encode()
        keep, rows = 0, 0
        with self._part.open("rb") as file:
            for number, line in enumerate(file):
                if not line.endswith(b"\n") or not (_is_before(line, end_ms) if number else line == header):
                    break
                keep, rows = keep + len(line), number
        os.ftruncate(self._descriptor, keep)
        if keep == 0:
            write_all(self._descriptor, header, self._part)
        return rows


def times_of(path: Path) -> Iterator[int]:
    """The times of a file's rows. Raises BadContainer where a row has none."""
    with path.open("rb") as file:
        next(file, None)
        for number, line in enumerate(file, 2):
            try:
                yield _time(line)
            except ValueError as error:
                raise BadContainer(f"expected a time in ms at {path}:{number}, found {line[:40]!r}; remove the file") from error


def last_lines(path: Path) -> list[str]:
    """The lines of the newest time, in their order. Whole lines are expected, and a header before them."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        reach = _TAIL
        while True:
            file.seek(max(0, size - reach))
            lines = file.read().decode().splitlines()[1:]  # the header, or a line that begins before our reach
            newest = lines[-1].partition(",")[0] if lines else None
            found = [line for line in lines if line.partition(",")[0] == newest]
            if reach >= size or len(found) < len(lines):
                return found
            reach *= 2


def iso_text(time_ms: int) -> str:
    """UTC, with milliseconds where there are any."""
    text = datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{time_ms % 1000:03}Z" if time_ms % 1000 else f"{text}Z"


def _name_text(time_ms: int) -> str:
    return iso_text(time_ms).replace("-", "").replace(":", "")


def _ms(text: str) -> int:
    seconds, _, ms = text.rstrip("Z").partition(".")
    return int(datetime.strptime(seconds, "%Y%m%dT%H%M%S").replace(tzinfo=UTC).timestamp()) * 1000 + int(ms or 0)


def _is_before(line: bytes, end_ms: int) -> bool:
    text = line.partition(b",")[0]
    return text.isdigit() and int(text) < end_ms


def _time(line: bytes) -> int:
    return int(line.partition(b",")[0])
