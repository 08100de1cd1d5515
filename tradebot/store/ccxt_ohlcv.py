"""The ccxt-ohlcv importer: a CSV of bars as ccxt's fetch_ohlcv gives them, or with a header that names them.

Without a header a row is `timestamp, open, high, low, close, volume`. With one, the columns stand in any
order and others may stand beside them: the open time is `timestamp`, `open_time`, `time`, `datetime`, `date`
or the column without a name that an index leaves; the rest are named as above. Times are counts since 1970
(ccxt writes milliseconds; other units are told by their size) or ISO 8601 text, UTC where it names no offset.

The file names no instrument. What the interval is, `bar_rows` says.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from tradebot.domain.errors import BadContainer
from tradebot.domain.instrument import Instrument
from tradebot.store import bar_rows
from tradebot.store.batches import Records
from tradebot.store.header import find_columns, require_columns, split_header
from tradebot.store.imports import Findings, ImportSource
from tradebot.store.plain_csv import PlainCsv
from tradebot.store.table import Rows, place, read_blocks
from tradebot.store.times import read_time

NAME: Final = "ccxt-ohlcv"
VERSION: Final = 1


def recognises(path: Path) -> bool:
    """Whether the first line names the columns of a bar, or is one."""
    try:
        lines = PlainCsv(path).first_lines(1)
    except BadContainer:
        return False
    names = split_header("".join(lines))
    return _is_bar(names) or len(find_columns(names, bar_rows.NAMES)) == len(bar_rows.NAMES)


def instruments(path: Path) -> list[Instrument]:
    """The file names none."""
    return []


def open_source(path: Path, instrument: Instrument) -> tuple[ImportSource, Iterator[Records]]:
    """The source, hashed, and its records in batches. Raises BadContainer where a column is missing."""
    file = PlainCsv(path)
    names = split_header("".join(file.first_lines(1)))
    has_header = not _is_bar(names)
    places = require_columns(names if has_header else list(bar_rows.FIELDS), bar_rows.NAMES, str(path))
    columns = bar_rows.columns_of(instrument)

    def read(wanted: dict[str, int], findings: Findings) -> Iterator[Rows]:
        placed = place(wanted, columns, len(names))
        return read_blocks(file.archive, file.name, placed, bar_rows.ROW, findings, int(has_header))

    interval_ns = bar_rows.find_interval(file.name, read({"time": places["time"]}, Findings()))
    source = file.source(NAME, VERSION, f"bars {interval_ns}")
    rows = read(places, source.findings)
    return source, bar_rows.bar_records(rows, interval_ns, instrument, source.findings, file.member)


def _is_bar(cells: list[str]) -> bool:
    """Whether a line is six numbers, the first a time: the layout without a header."""
    if len(cells) != len(bar_rows.FIELDS):
        return False
    with suppress(ValueError):
        return read_time(cells[0]) > 0 and all(float(cell) >= 0 for cell in cells[1:])
    return False
