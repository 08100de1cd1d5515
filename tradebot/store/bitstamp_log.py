"""The other layout of bitstamp-l3: a log of `<receive ms> <event> <JSON>` lines, as Bitstamp's streams were in 2015.

`order_created`, `order_changed`, `order_deleted` name an order and what remains of it; an order's `datetime` is when it was made,
in seconds, so the venue's time of an event is unknown. `trade` names neither order nor side. `order_book` is the venue's
own book of 20 levels a side, which comes every few seconds by another channel and may be some milliseconds behind.

There is no opening book: orders from before the log are unknown until they are gone, so the book that these events build is the
venue's only after an hour or two. The venue's books are kept as void snapshots, to check against and not to trade by.

Which orders a trade was of is found by what they lost: the two nearest events, one a side, that lowered an order by the
trade's amount within a second. The maker is the one whose limit is the trade's price, and of two the elder. Where only one is
found, the other is from before the log, thus the maker.

Memory: as bitstamp_l3.py, and 64 bytes a level of the venue's books.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
from msgspec import Struct

from tradebot.domain.errors import BadContainer
from tradebot.domain.instrument import Instrument
from tradebot.domain.units import STEPS_MAX
from tradebot.feeds.feed import count
from tradebot.feeds.grid import Grid
from tradebot.feeds.rows import ID_MAX, SELL, TIME_MAX, Level, Row, RowWriter, to_records
from tradebot.store.bitstamp_orders import (
    CHANGED,
    CREATED,
    DELETED,
    NS_PER_MS,
    ORDER_ROW,
    TRADE_ROW,
    Chains,
    make_parts,
    settle_times,
)
from tradebot.store.imports import Findings, ImportSource
from tradebot.store.instruments import spot_instrument
from tradebot.store.raw_feed import name_of
from tradebot.store.recording import content_sha256, files_of, first_line, read_lines
from tradebot.store.table import Rows

NAME: Final = "bitstamp-l3"
VERSION: Final = 1  # part of the import id: raise it whenever the same file would give other records

# Before version 1, whose tick is a dollar.
DEFAULT_INSTRUMENT: Final = spot_instrument("BTC/USD@bitstamp", tick="0.01", lot="0.00000001", version=0)

BATCH_ROWS: Final = 1 << 18
MATCH_MS_MAX: Final = 1_000  # between a trade and the event of one of its orders

_EVENTS: Final = rb"order_created|order_changed|order_deleted|trade|order_book"
_LINE: Final = re.compile(rb"(?P<time>\d{13}) (?P<event>" + _EVENTS + rb") (?P<body>\{.*\})$")
_HEAD: Final = re.compile(rb"\d{13} (" + _EVENTS + rb") \{")
_MS_MAX: Final = TIME_MAX // NS_PER_MS
_ACTIONS: Final = {b"order_created": CREATED, b"order_changed": CHANGED, b"order_deleted": DELETED}
_SIDES: Final = {0: 0, 1: SELL}
_DIGITS_MAX: Final = 20


class _Order(Struct):
    id: int
    price: str
    amount: str
    order_type: int


class _Trade(Struct):
    id: int
    price: Decimal
    amount: Decimal


class _Book(Struct):
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


_ORDER: Final = msgspec.json.Decoder(_Order)
_TRADE: Final = msgspec.json.Decoder(_Trade)
_BOOK: Final = msgspec.json.Decoder(_Book)

_OrderRow = tuple[int, int, int, int, int, int, int, int]


class _TradeLine(NamedTuple):
    id: int
    received: int
    price: int
    amount: int
    line: int


class _Fall(NamedTuple):
    """An event that lowered an order by an execution."""

    line: int
    received: int
    order: int
    limit: int


def recognises(path: Path) -> bool:
    """Whether a file here begins as such a log."""
    try:
        return bool(_logs(path))
    except BadContainer:
        return False


def open_source(path: Path, instrument: Instrument) -> tuple[ImportSource, Iterator[Rows]]:
    """The source, hashed, and its records in batches, read when first asked for. Raises BadContainer."""
    files = _logs(path)
    source = ImportSource(NAME, VERSION, content_sha256(files), str(path))
    return source, _batches(path, files, instrument, source.findings)


def _logs(path: Path) -> list[Path]:
    """By the time of their first lines; a log of several files goes on in the next."""
    heads = [(first_line(file), file) for file in files_of(path)]
    return [file for _, file in sorted((head[:13], file) for head, file in heads if _HEAD.match(head))]


def _batches(path: Path, files: list[Path], instrument: Instrument, findings: Findings) -> Iterator[Rows]:
    log = _Log(instrument, findings)
    for file in files:
        log.read(file, name_of(file, path))
    records = log.make_records()
    for start in range(0, len(records), BATCH_ROWS):
        yield records[start : start + BATCH_ROWS]


class _Log:
    """The lines so far, sorted by what they are. Lines are numbered on through all files; `line` is what orders them."""

    def __init__(self, instrument: Instrument, findings: Findings) -> None:
        self._instrument = instrument
        self._findings = findings
        self._grid = Grid(instrument)
        self._writer = RowWriter(instrument.id)
        self._file = ""
        self._line = 0
        self._orders: list[_OrderRow] = []
        self._trades: list[_TradeLine] = []
        self._books: list[Rows] = []
        self._book_lines: list[int] = []

    def read(self, file: Path, name: str) -> None:
        self._file, before = name, self._line
        for number, line in read_lines(file):
            self._line = before + number
            try:
                self._take(line)
            except (ValueError, msgspec.MsgspecError) as error:
                self._findings.reject(name, number, str(error))

    def make_records(self) -> Rows:
        """All records in the order of the lines, orders and trades made sense of together."""
        rows = np.array(self._orders, ORDER_ROW)
        trades = np.array(list(self._sided_trades(rows)), TRADE_ROW)
        parts = make_parts(rows, trades, self._findings, self._file, self._file, framed=False)
        books = np.concatenate([np.empty(0, parts.orders.dtype), *self._books])
        book_lines = np.repeat(np.array(self._book_lines, np.int64), [len(book) for book in self._books])
        self._findings.repair("venue_book", len(books))
        records = np.concatenate([parts.orders, parts.trades, books])
        lines = np.concatenate([parts.order_lines, parts.trade_lines, book_lines])
        records = records[np.argsort(lines, kind="stable")]
        records["instrument"] = self._instrument.id
        settle_times(records, self._findings)
        return records

    def _take(self, line: bytes) -> None:
        found = _LINE.match(line)
        if not found:
            raise ValueError(f"expected `<ms> <event> <JSON>`, found {line[:40]!r}")
        received, event, body = int(found["time"]), found["event"], found["body"]
        if received > _MS_MAX:
            raise ValueError(f"expected a time of at most {_MS_MAX} ms, found {received}")
        if event == b"order_book":
            self._take_book(received, _BOOK.decode(body))
        elif event == b"trade":
            self._take_trade(received, _TRADE.decode(body))
        else:
            self._take_order(received, _ACTIONS[event], _ORDER.decode(body))

    def _take_order(self, received: int, action: int, found: _Order) -> None:
        if found.order_type not in _SIDES:
            raise ValueError(f"expected the order type 0 or 1, found {found.order_type}")
        price, volume = self._grid.ticks(found.price), self._grid.lots(found.amount)
        self._orders.append(
            (_checked_id(found.id), received, 0, price, volume, action, _SIDES[found.order_type], self._line)
        )

    def _take_trade(self, received: int, found: _Trade) -> None:
        price = nearest_steps(found.price, self._instrument.tick_size)
        amount = nearest_steps(found.amount, self._instrument.lot_size)
        self._trades.append(_TradeLine(_checked_id(found.id), received, price, amount, self._line))

    def _take_book(self, received: int, found: _Book) -> None:
        ticks, lots = self._grid.ticks, self._grid.lots
        sides = ((0, found.bids), (SELL, found.asks))
        levels: list[Level] = [(side, ticks(price), lots(amount)) for side, texts in sides for price, amount in texts]
        rows: list[Row] = self._writer.snapshot(received * NS_PER_MS, 0, self._line - 1, levels, void=True)
        self._books.append(to_records(rows))
        self._book_lines.append(self._line)

    def _sided_trades(self, rows: Rows) -> Iterator[tuple[int, ...]]:
        matcher = _Matcher(rows)
        for trade in self._trades:
            buyer, seller, sell = matcher.match(trade)
            if not buyer and not seller:
                count(self._findings.notes, "trades_of_unknown_side")
            yield (trade.id, trade.received, 0, trade.price, trade.amount, buyer, seller, sell, trade.line)


class _Matcher:
    """Falls of orders by side and lots, taken one by one."""

    def __init__(self, rows: Rows) -> None:
        chains = Chains(rows)
        executed = chains.executed()
        self._falls: dict[tuple[int, int], list[_Fall]] = defaultdict(list)
        for at in np.flatnonzero(executed > 0).tolist():
            row = rows[at]
            fall = _Fall(int(row["line"]), int(row["received"]), int(row["id"]), int(chains.limit[at]))
            self._falls[int(row["side"]), int(executed[at])].append(fall)

    def match(self, trade: _TradeLine) -> tuple[int, int, int]:
        """(buyer, seller, SELL where the seller was the aggressor); 0 for an order that is not known."""
        buyer, seller = self._take(0, trade), self._take(SELL, trade)
        if buyer is None or seller is None:
            return buyer.order if buyer else 0, seller.order if seller else 0, SELL if seller else 0
        if (buyer.limit == trade.price) != (seller.limit == trade.price):
            seller_took = buyer.limit == trade.price
        else:
            seller_took = buyer.order < seller.order
        return buyer.order, seller.order, SELL if seller_took else 0

    def _take(self, side: int, trade: _TradeLine) -> _Fall | None:
        falls = self._falls[side, trade.amount]
        near = [fall for fall in falls if abs(fall.received - trade.received) <= MATCH_MS_MAX]
        if not near:
            return None
        nearest = min(near, key=lambda fall: abs(fall.line - trade.line))
        falls.remove(nearest)
        return nearest


def nearest_steps(value: Decimal, step: Decimal) -> int:
    """How many steps a number is that went through a float: it must be the very float of a whole number of them."""
    if value.adjusted() > _DIGITS_MAX:
        raise ValueError(f"expected a number of at most {_DIGITS_MAX} digits, found {str(value)[:40]}")
    steps = int((value / step).to_integral_value(ROUND_HALF_EVEN))
    if not 0 <= steps <= STEPS_MAX or float(steps * step) != float(value):
        raise ValueError(f"{str(value)[:40]} is not a multiple of {step}")
    return steps


def _checked_id(number: int) -> int:
    if not 0 < number <= ID_MAX:
        raise ValueError(f"expected an id of 64 bits, found {number}")
    return number
