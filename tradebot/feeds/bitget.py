"""Bitget's market data: books with checksum, trade, ticker; and the lists of spot pairs and linear contracts.

The book channel sends a snapshot, then changes, each with a CRC32 (signed) over the texts of the best 25 levels of both
sides, taken in turns. Where ours differs, the book is lost until the next snapshot; the gap shows ours as found and the
venue's as expected.

The trade channel begins with a page of trades that happened before: history, not something that came when it happened. They
are counted and left out. In a message of several trades the newest comes first, so it is read backwards. Of the ticker, mark
and index price and the funding rate are taken. Absent: contracts margined in coin, whose sizes count the base asset, which
is neither of the kinds of contract there are.
"""

from typing import Final
from zlib import crc32

import msgspec
from msgspec import Raw, Struct, field

from tradebot.domain.instrument import SPOT, Instrument
from tradebot.feeds.feed import Listing, count
from tradebot.feeds.grid import Grid, power_of_ten, rate_word
from tradebot.feeds.rows import SELL, TIME_MAX, Level, Row, RowWriter
from tradebot.feeds.text_book import TextBook, Texts

CHECKED_LEVELS: Final = 25
_NS_PER_MS: Final = 1_000_000
_SIDES: Final = {"buy": 0, "sell": SELL}


class _Argument(Struct):
    market: str = field(name="instType")
    channel: str = ""
    code: str = field(default="", name="instId")


class _Frame(Struct):
    arg: _Argument | None = None
    action: str = ""
    data: Raw = field(default_factory=Raw)


class _Book(Struct):
    asks: list[tuple[str, str]]
    bids: list[tuple[str, str]]
    time: str = field(name="ts")
    checksum: int | None = None


class _Ticker(Struct):
    time: int = field(default=0, name="systemTime")
    mark: str = field(default="", name="markPrice")
    index: str = field(default="", name="indexPrice")
    rate: str = field(default="", name="capitalRate")
    next_time: int = field(default=0, name="nextSettleTime")


_FRAME: Final = msgspec.json.Decoder(_Frame)
_BOOKS: Final = msgspec.json.Decoder(list[_Book])
_TRADES: Final = msgspec.json.Decoder(list[tuple[str, str, str, str]])
_TICKERS: Final = msgspec.json.Decoder(list[_Ticker])


def venue_code(instrument: Instrument) -> str:
    """Bitget's name of a pair in its streams."""
    return instrument.base + instrument.quote


class BitgetFeed:
    """One instrument of Bitget; see feeds/feed.py. `checksums` counts those that agreed."""

    def __init__(self, instrument: Instrument, code: str | None = None) -> None:
        self.notes: dict[str, int] = {}
        self.checksums = 0
        self.code = code or venue_code(instrument)
        self._market = "sp" if instrument.kind == SPOT else "mc"
        self._grid = Grid(instrument)
        self._writer = RowWriter(instrument.id)
        self._book: TextBook | None = None
        self._in_doubt = False

    def receive(self, time_ns: int, frame: bytes) -> list[Row]:
        self._in_doubt = True  # until it is known that the frame was none of the book's
        try:
            return self._receive(time_ns, frame)
        except msgspec.MsgspecError as error:
            raise ValueError(f"expected a message of Bitget: {error}") from error

    def receive_snapshot(self, time_ns: int, body: bytes) -> list[Row]:
        raise ValueError("expected no book snapshot by request: Bitget's book channel begins with one")

    def lose(self, time_ns: int) -> list[Row]:
        """The book, unless the frame was of another channel or instrument."""
        return self._drop(time_ns, 0, 0, 0) if self._in_doubt else []

    def reconnect(self, time_ns: int) -> list[Row]:
        return self._drop(time_ns, 0, 0, 0)

    def close(self) -> None:
        """Nothing waits here."""

    def _receive(self, time_ns: int, frame: bytes) -> list[Row]:
        if frame.strip() in (b"ping", b"pong"):
            return []
        found = _FRAME.decode(frame)
        channel = found.arg.channel if found.arg and found.action and self._is_ours(found.arg) else ""
        self._in_doubt = channel == "books"
        if channel == "books":
            return [row for book in _BOOKS.decode(found.data) for row in self._take_book(time_ns, found.action, book)]
        if channel == "trade":
            return self._read_trades(time_ns, found)
        if channel == "ticker":
            return [self._read_mark(time_ns, one) for one in _TICKERS.decode(found.data) if one.mark]
        return []

    def _is_ours(self, argument: _Argument) -> bool:
        return argument.code == self.code and argument.market.lower() == self._market

    def _read_trades(self, time_ns: int, found: _Frame) -> list[Row]:
        trades = _TRADES.decode(found.data)
        if found.action == "snapshot":
            count(self.notes, "trades_before_subscription", len(trades))
            return []
        return [self._read_trade(time_ns, *one) for one in reversed(trades)]

    def _read_trade(self, time_ns: int, time: str, price: str, quantity: str, side: str) -> Row:
        if side not in _SIDES:
            raise ValueError(f"expected the side buy or sell, found {side!r}")
        return self._writer.trade(time_ns, _venue_ns(time), 0, self._grid.ticks(price), self._grid.lots(quantity), _SIDES[side])

    def _read_mark(self, time_ns: int, found: _Ticker) -> Row:
        mark, index = self._grid.nearest_ticks(found.mark), self._grid.nearest_ticks(found.index or "0")
        rate = rate_word(found.rate) if found.rate else 0
        return self._writer.mark(time_ns, _venue_ns(str(found.time)), mark, index, rate, _venue_ns(str(found.next_time)))

    def _take_book(self, time_ns: int, action: str, found: _Book) -> list[Row]:
        levels, texts = self._read_levels(found)
        venue_ns = _venue_ns(found.time)
        if action == "snapshot":
            self._book = TextBook()
        elif self._book is None:
            count(self.notes, "updates_without_book")
            return []
        assert self._book is not None
        self._book.apply(levels, texts)
        if found.checksum is not None and (ours := checksum(self._book)) != found.checksum % (1 << 32):
            return self._drop(time_ns, venue_ns, ours, found.checksum % (1 << 32))
        self.checksums += found.checksum is not None
        write = self._writer.snapshot if action == "snapshot" else self._writer.levels
        return write(time_ns, venue_ns, 0, levels)

    def _read_levels(self, found: _Book) -> tuple[list[Level], list[Texts]]:
        ticks, lots = self._grid.ticks, self._grid.lots
        sides = ((0, found.bids), (SELL, found.asks))
        levels = [(side, ticks(price), lots(quantity)) for side, texts in sides for price, quantity in texts]
        return levels, [*found.bids, *found.asks]

    def _drop(self, time_ns: int, venue_ns: int, found: int, expected: int) -> list[Row]:
        had_book, self._book = self._book is not None, None
        return self._writer.lost(time_ns, venue_ns, found, expected) if had_book else []


def checksum(book: TextBook) -> int:
    """CRC32 over bid, ask, bid, ask and so on, price and quantity, joined by colons; a side that ends is left out."""
    bids, asks = book.bids.best(CHECKED_LEVELS), book.asks.best(CHECKED_LEVELS)
    turns = [side[place] for place in range(CHECKED_LEVELS) for side in (bids, asks) if place < len(side)]
    return crc32(":".join(text for texts in turns for text in texts).encode())


def _venue_ns(text: str) -> int:
    if not text.isdigit() or int(text) * _NS_PER_MS > TIME_MAX:
        raise ValueError(f"expected a time in milliseconds, found {text[:40]!r}")
    return int(text) * _NS_PER_MS


class _Product(Struct):
    code: str = field(name="symbol")
    base: str = field(name="baseCoin")
    quote: str = field(name="quoteCoin")
    quantity_min: str = field(default="0", name="minTradeAmount")
    price_scale: str = field(default="", name="priceScale")
    quantity_scale: str = field(default="", name="quantityScale")
    price_place: str = field(default="", name="pricePlace")
    price_end_step: str = field(default="1", name="priceEndStep")
    volume_place: str = field(default="0", name="volumePlace")
    contract_min: str = field(default="0", name="minTradeNum")


class _Products(Struct):
    data: list[_Product]


_PRODUCTS: Final = msgspec.json.Decoder(_Products)


def read_listings(body: bytes) -> list[Listing]:
    """The spot pairs or linear contracts of a list of products. Raises ValueError where it is none."""
    try:
        found = _PRODUCTS.decode(body)
    except msgspec.MsgspecError as error:
        raise ValueError(f"expected a list of products of Bitget: {error}") from error
    return [_listing(one) for one in found.data if one.code.endswith(("_SPBL", "_UMCBL"))]


def _listing(one: _Product) -> Listing:
    code, _, kind = one.code.rpartition("_")
    pair = f"{one.base}/{one.quote}"
    if kind == "SPBL":
        return Listing(
            code, pair, power_of_ten(int(one.price_scale)), power_of_ten(int(one.quantity_scale)), "1", one.quantity_min
        )
    tick = power_of_ten(int(one.price_place))
    return Listing(
        code=code,
        symbol=f"{pair}:{one.quote}",
        tick=tick[:-1] + one.price_end_step if len(one.price_end_step) == 1 else tick,
        lot=power_of_ten(int(one.volume_place)),
        quantity_min=one.contract_min,
    )
