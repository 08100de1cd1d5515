"""Trades or bars in a Feather or Parquet file: which of the two its columns are, and their records."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from tradebot.domain.errors import BadContainer
from tradebot.domain.instrument import Instrument
from tradebot.store import bar_rows, trade_rows
from tradebot.store.arrow import ArrowFile
from tradebot.store.batches import Records
from tradebot.store.cells import read_rows
from tradebot.store.header import find_columns
from tradebot.store.imports import Findings, ImportSource
from tradebot.store.plain_csv import layout_sha256

TRADES: Final = "trades"
BARS: Final = "bars"


class Shape(NamedTuple):
    """What a table holds, and the column for each field."""

    what: str
    names: dict[str, str]


def shape_of(found: Sequence[str]) -> Shape | None:
    """None where the columns are neither those of trades nor those of bars."""
    lowered = [name.lower() for name in found]
    for what, wanted, more in ((TRADES, trade_rows.NAMES, trade_rows.ID_NAMES), (BARS, bar_rows.NAMES, {})):
        places = find_columns(lowered, wanted)
        if len(places) == len(wanted):
            places |= find_columns(lowered, more)
            return Shape(what, {field: found[place] for field, place in places.items()})
    return None


def open_rows(
    file: ArrowFile, format_name: str, version: int, instrument: Instrument
) -> tuple[ImportSource, Iterator[Records]]:
    """The source, hashed, and its records in batches. Raises BadContainer where it is neither trades nor bars."""
    shape = shape_of(file.names)
    if shape is None:
        raise BadContainer(
            f"expected the columns of trades or of bars in {file.path}, found {','.join(file.names)[:120]!r}"
        )
    name, content = file.path.name, file.content_sha256(list(shape.names.values()))

    def source(layout: str) -> ImportSource:
        return ImportSource(format_name, version, layout_sha256(layout, content), str(file.path))

    if shape.what == TRADES:
        opened = source(TRADES)
        columns = trade_rows.columns_of(instrument)
        rows = read_rows(file, shape.names, columns, instrument, trade_rows.ROW, opened.findings)
        return opened, trade_rows.trade_records(rows, instrument, opened.findings, name)
    columns = bar_rows.columns_of(instrument)
    times = read_rows(file, {"time": shape.names["time"]}, columns, instrument, bar_rows.ROW, Findings())
    interval_ns = bar_rows.find_interval(name, times)
    opened = source(f"{BARS} {interval_ns}")
    rows = read_rows(file, shape.names, columns, instrument, bar_rows.ROW, opened.findings)
    return opened, bar_rows.bar_records(rows, interval_ns, instrument, opened.findings, name)
