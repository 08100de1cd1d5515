"""The tardis importer: the CSV files of Tardis.dev, plain or gzipped, one kind of data a file.

Each row begins with exchange, symbol, timestamp (when the venue says it happened) and local_timestamp (when
it was received), both in microseconds. What stands behind them tells the kind of data:

- trades; quotes (an empty side is 0); book changes and book snapshots (`tardis_book`);
- derivative_ticker: marks, settlements and open interest (`tardis_ticker`).

Columns are found by their names. Liquidations have the columns of trades, so they are told by the file's name
and refused, as is every other kind. Rows are kept in the order of the file, which is that of arrival; where
the time of receipt falls, the row gets the time of the row in front of it. A file of several symbols gives
those of its first row, the others are rejected.

The exchange and the symbol name the instrument where the venue is known (`symbols`); amounts are in the
venue's own unit, contracts where it trades contracts.
"""

from collections.abc import Callable, Iterable, Iterator, Set
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from tradebot._core.types import RECORD_DTYPE, Kind
from tradebot.domain.errors import BadContainer
from tradebot.domain.instrument import Instrument
from tradebot.domain.units import TIME_MAX_NS
from tradebot.store import tardis_book, tardis_ticker, trade_rows
from tradebot.store.batches import Records
from tradebot.store.header import split_header
from tradebot.store.imports import ImportSource
from tradebot.store.plain_csv import PlainCsv
from tradebot.store.reorder import keep_order
from tradebot.store.symbols import Named, name_of
from tradebot.store.table import Column, Rows, or_nothing, place, read_blocks, read_integers, read_steps, read_words

NAME: Final = "tardis"
VERSION: Final = 1

_BASE: Final = ("exchange", "symbol", "timestamp", "local_timestamp")
_OPTION: Final = {"strike_price"}  # a column of options_chain, which has those of quotes too
_US_MAX: Final = TIME_MAX_NS // 1000
_TIMES: Final = [("timestamp", "<i8"), ("local_timestamp", "<i8")]
_EACH: Final = [("exchange", "u1"), ("symbol", "u1"), *_TIMES]


class DataType(NamedTuple):
    """A kind of data: which columns it needs behind the first four, how they are read, and what they become."""

    name: str
    needed: Set[str]
    columns: Callable[[list[str], Instrument], dict[str, Column]]
    records: Callable[[Iterable[Rows], Instrument], Iterator[Records]]


def recognises(path: Path) -> bool:
    """Whether the header begins as every one of theirs does."""
    try:
        return tuple(_header(PlainCsv(path))[:4]) == _BASE
    except BadContainer:
        return False


def instruments(path: Path) -> list[Instrument]:
    """No file says tick or lot."""
    return []


def names(path: Path) -> list[Named]:
    """By the exchange and symbol of the first row. Raises BadContainer."""
    first = PlainCsv(path).first_lines(2)[1:]
    named = name_of(*first[0].split(",")[:2]) if first and first[0].count(",") > 1 else None
    return [named] if named else []


def open_source(path: Path, instrument: Instrument) -> tuple[ImportSource, Iterator[Records]]:
    """The source, hashed, and its records in batches. Raises BadContainer where the kind is none of ours."""
    file = PlainCsv(path)
    header = _header(file)
    data_type = _find_type(file, header)
    columns = _base_columns(file) | data_type.columns(header, instrument)
    source = file.source(NAME, VERSION, data_type.name)
    placed = place({name: header.index(name) for name in columns}, columns, len(header))
    more = [(name, "<u8" if name == "id" else "<i8") for name in columns if name not in _BASE]
    dtype = np.dtype([*_EACH, *more, ("line", "<i8")])
    rows = read_blocks(file.archive, file.name, placed, dtype, source.findings)
    return source, keep_order(data_type.records(rows, instrument), source.findings)


def _header(file: PlainCsv) -> list[str]:
    return split_header("".join(file.first_lines(1)))


def _find_type(file: PlainCsv, header: list[str]) -> DataType:
    found = set(header)
    if tuple(header[:4]) == _BASE and "liquidations" not in file.name:
        for data_type in _TYPES:
            if data_type.needed <= found and not _OPTION & found:
                return data_type
    raise BadContainer(
        f"expected {', '.join(one.name for one in _TYPES)} of Tardis in {file.path}, "
        f"found the columns {','.join(header)[:120]!r}; other kinds of data have no record here"
    )


def _base_columns(file: PlainCsv) -> dict[str, Column]:
    """The first row's exchange and symbol are the file's."""
    first = (file.first_lines(2)[1:] or [","])[0].split(",")
    time = read_integers("a time in microseconds", _US_MAX)
    words = [read_words({cell: 0}) for cell in [*first, "", ""][:2]]
    return dict(zip(_BASE, (*words, time, time), strict=True))


def _stamp(rows: Rows, kind: Kind, instrument: Instrument) -> Records:
    """Records with the times of the rows, and nothing else yet."""
    records = np.zeros(len(rows), RECORD_DTYPE)
    records["time_ns"], records["venue_ns"] = rows["local_timestamp"] * 1000, rows["timestamp"] * 1000
    records["kind"], records["instrument"] = int(kind), instrument.id
    return records


def _trade_columns(header: list[str], instrument: Instrument) -> dict[str, Column]:
    return {
        "id": trade_rows.IDS,
        "side": read_words({"buy": 0, "sell": 1}),
        "price": read_steps("price", instrument.ticks),
        "amount": read_steps("amount", instrument.lots, least=1),
    }


def _trade_records(blocks: Iterable[Rows], instrument: Instrument) -> Iterator[Records]:
    for rows in blocks:
        records = _stamp(rows, Kind.TRADE, instrument)
        records["venue_sequence"], records["flags"] = rows["id"], rows["side"]
        records["price"], records["quantity"] = rows["price"], rows["amount"]
        yield records


def _quote_columns(header: list[str], instrument: Instrument) -> dict[str, Column]:
    price = or_nothing(read_steps("price", instrument.ticks), 0)
    amount = or_nothing(read_steps("amount", instrument.lots), 0)
    return {"ask_amount": amount, "ask_price": price, "bid_price": price, "bid_amount": amount}


def _quote_records(blocks: Iterable[Rows], instrument: Instrument) -> Iterator[Records]:
    for rows in blocks:
        records = _stamp(rows, Kind.QUOTE, instrument)
        records["price"], records["quantity"] = rows["bid_price"], rows["bid_amount"]
        records["id"], records["id2"] = rows["ask_price"], rows["ask_amount"]
        yield records


# Each with the columns that tell it, which no kind in front of it has.
_TYPES: Final = (
    DataType(
        "incremental_book_L2",
        {"is_snapshot", "side", "price", "amount"},
        tardis_book.change_columns,
        tardis_book.change_records,
    ),
    DataType(
        "book_snapshot",
        {"asks[0].price", "asks[0].amount", "bids[0].price", "bids[0].amount"},
        tardis_book.snapshot_columns,
        tardis_book.snapshot_records,
    ),
    DataType("derivative_ticker", {"funding_rate", "mark_price"}, tardis_ticker.columns, tardis_ticker.records),
    DataType("quotes", {"ask_price", "ask_amount", "bid_price", "bid_amount"}, _quote_columns, _quote_records),
    DataType("trades", {"id", "side", "price", "amount"}, _trade_columns, _trade_records),
)
