"""What tests of the importers of tables share: files made of lines, and records as tuples."""

import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from tests.store.support import Records, joined
from tradebot._core.types import Kind
from tradebot.domain.instrument import Instrument
from tradebot.store.imports import Findings, ImportSource
from tradebot.store.instruments import make_instrument

SECOND = 1_000_000_000
COIN = make_instrument("AAA/USD@venue", tick="0.01", lot="0.001")


class Format(Protocol):
    NAME: str

    def open_source(self, path: Path, instrument: Instrument) -> tuple[ImportSource, Iterator[Records]]: ...


def write(path: Path, *lines: str) -> Path:
    """A text file of lines, gzipped where its name says so."""
    text = "".join(line + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def read(importer: Any, path: Path, instrument: Instrument = COIN) -> tuple[Records, Findings]:
    """All records, as the store would take them, and what was found on the way."""
    source, batches = importer.open_source(path, instrument)
    records = joined(batches)
    assert (records["instrument"] == instrument.id).all()
    assert (records["time_ns"][1:] >= records["time_ns"][:-1]).all()
    return records, source.findings


def content(importer: Any, path: Path, instrument: Instrument = COIN) -> str:
    """What names an import of the file."""
    return importer.open_source(path, instrument)[0].content_sha256


def rows(records: Records, *names: str) -> list[tuple[Any, ...]]:
    return records[list(names)].tolist()


def kinds(records: Records) -> list[str]:
    return [Kind(number).name for number in records["kind"].tolist()]


def rejected(findings: Findings) -> list[tuple[str, int]]:
    return [(one.file, one.line) for one in findings.rejects]


def signed(number: int) -> int:
    """A u64 slot read as two's complement."""
    return number - (1 << 64) if number >> 63 else number


def csv(*cells: Sequence[object]) -> list[str]:
    return [",".join(map(str, row)) for row in cells]
