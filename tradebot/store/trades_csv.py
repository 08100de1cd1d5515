"""The trades-csv importer: a table of trades with named columns, as people and scripts write them.

The first line names the columns, in any order and case; others may stand beside them:

- time: `timestamp`, `time`, `datetime` or `date`: since 1970 in seconds (a fraction is allowed), milliseconds,
  microseconds or nanoseconds, told apart by size, or ISO 8601 text, UTC where it names no offset;
- price: `price`; quantity: `quantity`, `amount`, `size` or `qty`: exact decimals on the instrument's grid;
- side of the aggressor: `side`: buy, sell, b or s;
- id, if there is one: `id`, `trade_id` or `tradeid`. Rows with the same number are the same trade.

Fields are separated by commas and not quoted. The file names no instrument.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tradebot.domain.errors import BadContainer
from tradebot.domain.instrument import Instrument
from tradebot.store import trade_rows
from tradebot.store.batches import Records
from tradebot.store.header import find_columns, require_columns, split_header
from tradebot.store.imports import ImportSource
from tradebot.store.plain_csv import PlainCsv
from tradebot.store.table import place, read_blocks

NAME: Final = "trades-csv"
VERSION: Final = 1


def recognises(path: Path) -> bool:
    """Whether the first line names the columns of a trade."""
    try:
        names = split_header("".join(PlainCsv(path).first_lines(1)))
    except BadContainer:
        return False
    return len(find_columns(names, trade_rows.NAMES)) == len(trade_rows.NAMES)


def instruments(path: Path) -> list[Instrument]:
    """The file names none."""
    return []


def open_source(path: Path, instrument: Instrument) -> tuple[ImportSource, Iterator[Records]]:
    """The source, hashed, and its records in batches. Raises BadContainer where a column is missing."""
    file = PlainCsv(path)
    names = split_header("".join(file.first_lines(1)))
    places = require_columns(names, trade_rows.NAMES, str(path)) | find_columns(names, trade_rows.ID_NAMES)
    source = file.source(NAME, VERSION, "trades")
    placed = place(places, trade_rows.columns_of(instrument), len(names))
    rows = read_blocks(file.archive, file.name, placed, trade_rows.ROW, source.findings)
    return source, trade_rows.trade_records(rows, instrument, source.findings, file.member)
