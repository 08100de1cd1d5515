"""The lobster importer: a day of NASDAQ as LOBSTER rebuilds it, a message file and the book of N levels after each message.

`TICKER_YYYY-MM-DD_START_END_message_N.csv` and `..._orderbook_N.csv` belong together, row by row; a folder, or one of the two
files, with or without a line of column names, plain, `.gz` or `.xz`. A folder may hold several days of several tickers.

The book comes from the book file: the first row is a snapshot, each further one the levels that changed. It has to, because a
window of N levels hides what happens outside: an order that leaves the window is deleted without a message, so a book
built from the messages would fill with orders that are gone. The messages are kept, void, as events of orders; visible
and hidden executions and crosses are trades.

An order from before the file is known by what later happens to it. It is written at the start, void as well, with the lots
that its events will take, which is the least it can have had; so each partial cancel leaves a number that is known.

Prices are counted in LOBSTER's own unit, a hundredth of a cent, because hidden orders trade between the cents. Times are
seconds after midnight in New York; when a message was received is not known, and taken as the same. Halts are counted.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from tradebot._core.types import Flag, Kind
from tradebot.domain.errors import BadContainer, UsageError
from tradebot.domain.instrument import Instrument
from tradebot.domain.units import NS_PER_SECOND, TIME_MAX_NS
from tradebot.feeds.feed import count
from tradebot.feeds.grid import Grid
from tradebot.feeds.rows import ID_MAX, SELL, VOID, Level, Row, RowWriter, to_records
from tradebot.store.batches import Records
from tradebot.store.imports import Findings, ImportSource
from tradebot.store.instruments import make_instrument
from tradebot.store.raw_feed import name_of, read_time
from tradebot.store.recording import bare_name, content_sha256, files_of, first_line, read_lines

NAME: Final = "lobster"
VERSION: Final = 1  # part of the import id: raise it whenever the same file would give other records
VENUE: Final = "nasdaq"
TICK: Final = "0.0001"

BATCH_ROWS: Final = 1 << 16
_FILE: Final = re.compile(
    r"(?P<ticker>[A-Z][A-Z0-9.-]*)_(?P<date>\d{4}-\d\d-\d\d)_\d+_\d+_(?P<what>message|orderbook)_(?P<levels>\d+)\.csv"
)
_HEADERS: Final = (b"Time,", b"BestAsk")
_ZONE: Final = ZoneInfo("America/New_York")
_ADD, _CANCEL, _DELETE, _EXECUTE, _HIDDEN, _CROSS, _HALT = 1, 2, 3, 4, 5, 6, 7
_KINDS: Final = {_ADD: Kind.L3_ADD, _CANCEL: Kind.L3_CHANGE, _DELETE: Kind.L3_DELETE, _EXECUTE: Kind.L3_EXECUTE}
_TRADES: Final = (_EXECUTE, _HIDDEN, _CROSS)
_SIDES: Final = {b"1": 0, b"-1": SELL}
_SNAPSHOT: Final = int(Flag.SNAPSHOT)
_EMPTY: Final = (b"9999999999", b"-9999999999")


class Day(NamedTuple):
    """The two files of one ticker and date. `midnight_ns` is that of New York."""

    ticker: str
    date: str
    midnight_ns: int
    messages: Path
    books: Path


class _Message(NamedTuple):
    time_ns: int
    type: int
    order: int
    size: int
    price: int
    side: int  # of the order that rests or rested


def recognises(path: Path) -> bool:
    """Whether files here are named as LOBSTER's are and begin as they do."""
    try:
        return bool(_days(path))
    except BadContainer:
        return False


def instruments(path: Path) -> list[Instrument]:
    """One a ticker."""
    return [make_instrument(f"{ticker}/USD@{VENUE}", TICK, "1") for ticker in sorted({day.ticker for day in _days(path)})]


def open_source(path: Path, instrument: Instrument) -> tuple[ImportSource, Iterator[Records]]:
    """The source, hashed, and its records in batches, read when first asked for.

    Raises BadContainer where a file is not whole or its twin is missing, UsageError where no day is of the instrument.
    """
    days = _days(path)
    ours = [day for day in days if day.ticker == instrument.base]
    if not ours:
        found = ", ".join(sorted({day.ticker for day in days})) or "none"
        raise UsageError(f"expected files of {instrument.base} in {path}, found {found}; choose another --instrument")
    files = [file for day in ours for file in (day.messages, day.books)]
    source = ImportSource(NAME, VERSION, content_sha256(files, named=True), str(path))
    return source, _batches(path, ours, instrument, source.findings)


def _days(path: Path) -> list[Day]:
    """By date. Raises BadContainer where a file's twin is missing."""
    wanted = _FILE.fullmatch(bare_name(path))
    found: dict[tuple[str, str], dict[str, Path]] = {}
    for file in files_of(path.parent if path.is_file() else path):
        name = _FILE.fullmatch(bare_name(file))
        if name and (not path.is_file() or (wanted and _key(name) == _key(wanted))) and _begins_well(file):
            found.setdefault(_key(name), {})[name["what"]] = file
    return [_day(path, *key, files) for key, files in sorted(found.items(), key=lambda one: one[0][::-1])]


def _key(name: re.Match[str]) -> tuple[str, str]:
    return name["ticker"], name["date"]


def _begins_well(file: Path) -> bool:
    head = first_line(file)
    return head.startswith((*_HEADERS, *_EMPTY)) or head[:1].isdigit()


def _day(path: Path, ticker: str, date: str, files: dict[str, Path]) -> Day:
    if len(files) != 2:
        missing = "orderbook" if "message" in files else "message"
        raise BadContainer(f"expected the {missing} file of {ticker} {date} beside the other in {path}, found none")
    try:
        midnight = datetime.fromisoformat(date).replace(tzinfo=_ZONE)
    except ValueError as error:
        raise BadContainer(f"expected a date in the name of {files['message']}: {error}") from error
    return Day(ticker, date, int(midnight.timestamp()) * NS_PER_SECOND, files["message"], files["orderbook"])


def _batches(path: Path, days: list[Day], instrument: Instrument, findings: Findings) -> Iterator[Records]:
    rows: list[Row] = []
    now_ns = 0
    for day in days:
        for row in _Reader(path, day, instrument, findings).rows():
            now_ns = max(now_ns, row[0])
            rows.append((now_ns, *row[1:]))
            if len(rows) == BATCH_ROWS:
                yield to_records(rows)
                rows = []
    if rows:
        yield to_records(rows)


class _Reader:
    """One day, both files side by side. `remaining` holds the lots of each order that the file has told of."""

    def __init__(self, path: Path, day: Day, instrument: Instrument, findings: Findings) -> None:
        self._day = day
        self._names = name_of(day.messages, path), name_of(day.books, path)
        self._findings = findings
        self._grid = Grid(instrument)
        self._writer = RowWriter(instrument.id)
        self._instrument = instrument.id
        self._remaining: dict[int, int] = {}
        self._book: dict[tuple[int, int], int] | None = None
        self._time_ns = day.midnight_ns  # of the last message that could be read

    def rows(self) -> Iterator[Row]:
        yield from self._write_elder_orders()
        for number, (message, book) in enumerate(self._pairs(), 1):
            event = self._read_message(message)
            levels = self._read_book(book)
            if event is not None:
                self._findings.late += event.time_ns < self._time_ns
                self._time_ns = max(self._time_ns, event.time_ns)
                yield from self._write_message(number, event._replace(time_ns=self._time_ns))
            if levels is not None:
                yield from self._write_book(number, self._time_ns, levels)

    def _pairs(self) -> Iterator[tuple[tuple[int, bytes], tuple[int, bytes]]]:
        messages, books = (_data_lines(file) for file in (self._day.messages, self._day.books))
        ends = (0, b"")
        while True:
            message, book = next(messages, ends), next(books, ends)
            if message is ends and book is ends:
                return
            if message is ends or book is ends:
                shorter, longer = self._names if message is ends else self._names[::-1]
                raise BadContainer(f"expected as many rows in {shorter} as in {longer}, found fewer; fetch the files again")
            yield message, book

    def _write_elder_orders(self) -> Iterator[Row]:
        """Orders that the file does not create."""
        elder: dict[int, _Message] = {}
        created: set[int] = set()
        first_ns = None
        for _, line in _data_lines(self._day.messages):
            with suppress(ValueError):
                found = self._parse(line)
                first_ns = found.time_ns if first_ns is None else first_ns
                if found.type == _ADD:
                    created.add(found.order)
                elif found.type in _KINDS and found.order not in created:
                    size = found.size + (elder[found.order].size if found.order in elder else 0)
                    elder[found.order] = found._replace(size=size)
        for order, found in elder.items():
            self._remaining[order] = found.size
            yield self._event(0, found._replace(time_ns=first_ns or 0), Kind.L3_ADD, found.size, _SNAPSHOT)

    def _write_message(self, number: int, found: _Message) -> Iterator[Row]:
        if found.type in _KINDS:
            yield self._event(number, found, _KINDS[found.type], self._settle(found), 0)
        if found.type in _TRADES:
            buyer, seller = (0, found.order) if found.side else (found.order, 0)
            flags = found.side ^ SELL
            yield self._writer.trade(found.time_ns, found.time_ns, number, found.price, found.size, flags, buyer, seller)
        if found.type == _HALT:
            count(self._findings.notes, "halt_messages")

    def _settle(self, found: _Message) -> int:
        """What the event's record has to say of lots: those that remain after a partial cancel, else those of the event."""
        if found.type == _ADD:
            self._remaining[found.order] = found.size
            return found.size
        left = max(self._remaining.get(found.order, 0) - found.size, 0)
        if found.type == _DELETE or not left:
            self._remaining.pop(found.order, None)
        else:
            self._remaining[found.order] = left
        return left if found.type == _CANCEL else found.size

    def _event(self, number: int, found: _Message, kind: Kind, lots: int, flags: int) -> Row:
        self._findings.repair("order_event_in_a_window", 1)
        flags |= VOID | found.side
        times = found.time_ns, found.time_ns
        return (*times, number, found.price, lots, found.order, 0, self._instrument, int(kind), flags, 0)

    def _write_book(self, number: int, time_ns: int, levels: list[Level]) -> list[Row]:
        before, self._book = self._book, {(side, price): lots for side, price, lots in levels}
        if before is None:
            return self._writer.snapshot(time_ns, time_ns, number, levels)
        gone = [(side, price, 0) for side, price in before if (side, price) not in self._book]
        new = [(side, price, lots) for side, price, lots in levels if before.get((side, price)) != lots]
        return self._writer.levels(time_ns, time_ns, number, gone + new)

    def _read_message(self, numbered: tuple[int, bytes]) -> _Message | None:
        try:
            return self._parse(numbered[1])
        except ValueError as error:
            self._findings.reject(self._names[0], numbered[0], str(error))
            return None

    def _parse(self, line: bytes) -> _Message:
        cells = line.split(b",")
        if len(cells) != 6:
            raise ValueError(f"expected 6 fields, found {len(cells)}")
        time_ns, kind = self._day.midnight_ns + read_time(cells[0]), _number(cells[1])
        if time_ns > TIME_MAX_NS:
            raise ValueError(f"expected seconds after midnight, found {cells[0][:40]!r}")
        if not _ADD <= kind <= _HALT:
            raise ValueError(f"expected a type from 1 to 7, found {kind}")
        if kind == _HALT:
            return _Message(time_ns, kind, 0, 0, 0, 0)
        if cells[5] not in _SIDES:
            raise ValueError(f"expected the direction 1 or -1, found {cells[5][:40]!r}")
        return _Message(time_ns, kind, _number(cells[2]), self._lots(cells[3]), self._ticks(cells[4]), _SIDES[cells[5]])

    def _read_book(self, numbered: tuple[int, bytes]) -> list[Level] | None:
        try:
            return list(self._parse_book(numbered[1]))
        except ValueError as error:
            self._findings.reject(self._names[1], numbered[0], str(error))
            return None

    def _parse_book(self, line: bytes) -> Iterator[Level]:
        cells = line.split(b",")
        if len(cells) % 4:
            raise ValueError(f"expected four fields a level, found {len(cells)} fields")
        for side, first in ((0, 2), (SELL, 0)):
            for price, size in zip(cells[first::4], cells[first + 1 :: 4], strict=True):
                if price not in _EMPTY:
                    yield side, self._ticks(price), self._lots(size)

    def _ticks(self, cell: bytes) -> int:
        return self._grid.ticks(f"{_number(cell)}e-4")

    def _lots(self, cell: bytes) -> int:
        return self._grid.lots(str(_number(cell)))


def _data_lines(file: Path) -> Iterator[tuple[int, bytes]]:
    for number, line in read_lines(file):
        if number > 1 or not line.startswith(_HEADERS):
            yield number, line


def _number(cell: bytes) -> int:
    if not cell.isdigit() or (number := int(cell)) > ID_MAX:
        raise ValueError(f"expected a whole number, found {cell[:40]!r}")
    return number
