"""Binance's market data as it travels: spot, USD-M and COIN-M, raw or in the envelope of a combined stream.

Read: depthUpdate and the REST depth snapshot, bookTicker, trade, aggTrade, markPriceUpdate, exchangeInfo. Everything else
(klines, forceOrder, acknowledgements) tells nothing that is not in these, and gives no rows.

`trade` and `aggTrade` are the same trades twice. The kind that comes first is taken and the other is counted. Futures tell of
trades that were no trades of the book (insurance fund, deleveraging); they are kept and void, as they are in neither
aggTrade nor the venue's candles.
"""

from typing import Final, NamedTuple

import msgspec
from msgspec import Raw, Struct, field

from tradebot.domain.instrument import INVERSE, LINEAR, SPOT, Instrument
from tradebot.feeds.binance_book import BinanceBook, Diff
from tradebot.feeds.feed import Listing, count
from tradebot.feeds.grid import Grid, rate_word
from tradebot.feeds.rows import ID_MAX, SELL, TIME_MAX, VOID, Level, Row, RowWriter

_NS_PER_MS: Final = 1_000_000
_MICROSECONDS_FROM: Final = 100_000_000_000_000  # stamps from here on are microseconds: a stream may be asked for them

_Levels = list[tuple[str, str]]


class _Head(Struct):
    """Of a frame: the envelope's `data`, or the message's own kind and symbol."""

    data: Raw = field(default_factory=Raw)
    kind: str = field(default="", name="e")
    code: str = field(default="", name="s")
    rest_code: str = field(default="", name="symbol")
    last_id: int = field(default=0, name="lastUpdateId")
    update_id: object = field(default=None, name="u")


class _Depth(Struct):
    first: int = field(name="U")
    last: int = field(name="u")
    bids: _Levels = field(name="b")
    asks: _Levels = field(name="a")
    event: int = field(default=0, name="E")
    transaction: int = field(default=0, name="T")
    previous: int | None = field(default=None, name="pu")


class _Snapshot(Struct):
    last: int = field(name="lastUpdateId")
    bids: _Levels
    asks: _Levels
    event: int = field(default=0, name="E")
    transaction: int = field(default=0, name="T")


class _BookTicker(Struct):
    update: int = field(name="u")
    bid: str = field(name="b")
    bid_quantity: str = field(name="B")
    ask: str = field(name="a")
    ask_quantity: str = field(name="A")
    event: int = field(default=0, name="E")
    transaction: int = field(default=0, name="T")


class _Trade(Struct):
    number: int = field(name="t")
    price: str = field(name="p")
    quantity: str = field(name="q")
    time: int = field(name="T")
    buyer_rested: bool = field(name="m")
    buyer: int = field(default=0, name="b")
    seller: int = field(default=0, name="a")
    origin: str = field(default="MARKET", name="X")


class _AggTrade(Struct):
    number: int = field(name="a")
    price: str = field(name="p")
    quantity: str = field(name="q")
    time: int = field(name="T")
    buyer_rested: bool = field(name="m")


class _Mark(Struct):
    event: int = field(name="E")
    mark: str = field(name="p")
    index: str = field(default="0", name="i")
    rate: str = field(default="", name="r")
    next_time: int = field(default=0, name="T")


_HEAD: Final = msgspec.json.Decoder(_Head)
_DEPTH: Final = msgspec.json.Decoder(_Depth)
_SNAPSHOT: Final = msgspec.json.Decoder(_Snapshot)
_BOOK_TICKER: Final = msgspec.json.Decoder(_BookTicker)
_TRADE: Final = msgspec.json.Decoder(_Trade)
_AGG_TRADE: Final = msgspec.json.Decoder(_AggTrade)
_MARK: Final = msgspec.json.Decoder(_Mark)

_DEPTH_UPDATE, _BOOK_TICKER_NAME, _REST_DEPTH = "depthUpdate", "bookTicker", "depth"
_TRADES: Final = ("trade", "aggTrade")


class Message(Struct, frozen=True):
    """A frame, opened as far as to know whom it concerns. `code` is empty where the message names no symbol."""

    kind: str
    code: str
    body: bytes | Raw


def open_frame(frame: bytes | Raw) -> Message:
    """Kind and symbol of a frame, in its envelope or not. Raises ValueError where it is no JSON object."""
    try:
        head, body = _HEAD.decode(frame), frame
        if memoryview(head.data)[:1].tobytes() == b"{":
            body = head.data
            head = _HEAD.decode(body)
    except msgspec.MsgspecError as error:
        raise ValueError(f"expected a message of Binance: {error}") from error
    if head.last_id:
        return Message(_REST_DEPTH, head.rest_code, body)
    # The book ticker of spot is the one message without a kind.
    return Message(head.kind or ("" if head.update_id is None else _BOOK_TICKER_NAME), head.code, body)


class Update(NamedTuple):
    """The ids of a message of the book: of a diff, without its levels, or of a snapshot, which has only a last one."""

    last: int
    diff: Diff | None


def read_update(message: Message) -> Update | None:
    """None where the message is none of the book, or cannot be read."""
    try:
        if message.kind == _DEPTH_UPDATE:
            found = _DEPTH.decode(message.body)
            return Update(found.last, Diff(0, found.first, found.last, found.previous, []))
        return Update(_SNAPSHOT.decode(message.body).last, None) if message.kind == _REST_DEPTH else None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def venue_code(instrument: Instrument) -> str:
    """Binance's name of a spot pair or a perpetual."""
    return instrument.base + instrument.quote + ("_PERP" if instrument.kind == INVERSE else "")


class BinanceFeed:
    """One instrument of Binance; see feeds/feed.py."""

    def __init__(self, instrument: Instrument, code: str | None = None) -> None:
        self.notes: dict[str, int] = {}
        self.code = code or venue_code(instrument)
        self._grid = Grid(instrument)
        self._writer = RowWriter(instrument.id)
        self._book = BinanceBook(self._writer, self.notes)
        self._trade_kind = ""

    def receive(self, time_ns: int, frame: bytes) -> list[Row]:
        return self.take(time_ns, open_frame(frame))

    def receive_snapshot(self, time_ns: int, body: bytes) -> list[Row]:
        return self.take(time_ns, Message(_REST_DEPTH, self.code, body))

    def lose(self, time_ns: int) -> list[Row]:
        """Nothing: if it was a diff of the book, the next one does not follow and says so."""
        return []

    def reconnect(self, time_ns: int) -> list[Row]:
        return self._book.reconnect(time_ns)

    def close(self) -> None:
        self._book.close()

    def take(self, time_ns: int, message: Message) -> list[Row]:
        """The rows of an opened frame. A message without a symbol is taken for this instrument's. Raises ValueError."""
        if message.code not in ("", self.code):
            return []
        try:
            return self._take(time_ns, message)
        except msgspec.MsgspecError as error:
            raise ValueError(f"expected a {message.kind} of Binance: {error}") from error

    def _take(self, time_ns: int, message: Message) -> list[Row]:
        kind, body = message.kind, message.body
        if kind == _DEPTH_UPDATE:
            return self._book.take_diff(time_ns, self._read_diff(_DEPTH.decode(body)))
        if kind == _BOOK_TICKER_NAME:
            return [self._read_quote(time_ns, _BOOK_TICKER.decode(body))]
        if kind in _TRADES:
            return self._read_trade(time_ns, kind, body)
        if kind == "markPriceUpdate":
            return [self._read_mark(time_ns, _MARK.decode(body))]
        if kind == _REST_DEPTH:
            found = _SNAPSHOT.decode(body)
            levels = self._read_levels(found.bids, found.asks)
            venue_ns = _venue_ns(found.transaction or found.event)
            return self._book.take_snapshot(time_ns, venue_ns, _checked_id(found.last), levels)
        return []

    def _read_diff(self, found: _Depth) -> Diff:
        levels = self._read_levels(found.bids, found.asks)
        venue_ns = _venue_ns(found.transaction or found.event)
        previous = None if found.previous is None else _checked_id(found.previous)
        return Diff(venue_ns, _checked_id(found.first), _checked_id(found.last), previous, levels)

    def _read_levels(self, bids: _Levels, asks: _Levels) -> list[Level]:
        ticks, lots = self._grid.ticks, self._grid.lots
        sides = ((0, bids), (SELL, asks))
        return [(side, ticks(price), lots(quantity)) for side, levels in sides for price, quantity in levels]

    def _read_quote(self, time_ns: int, found: _BookTicker) -> Row:
        bid = self._grid.ticks(found.bid), self._grid.lots(found.bid_quantity)
        ask = self._grid.ticks(found.ask), self._grid.lots(found.ask_quantity)
        return self._writer.quote(time_ns, _venue_ns(found.transaction or found.event), _checked_id(found.update), bid, ask)

    def _read_trade(self, time_ns: int, kind: str, body: bytes | Raw) -> list[Row]:
        self._trade_kind = self._trade_kind or kind
        if kind != self._trade_kind:
            count(self.notes, f"{kind}s_beside_{self._trade_kind}s")
            return []
        found = _TRADE.decode(body) if kind == "trade" else _AGG_TRADE.decode(body)
        price, quantity = self._grid.ticks(found.price), self._grid.lots(found.quantity)
        if not quantity:
            count(self.notes, "trades_of_nothing")
            return []
        flags = SELL if found.buyer_rested else 0
        venue_ns, number = _venue_ns(found.time), _checked_id(found.number)
        if isinstance(found, _AggTrade):
            return [self._writer.trade(time_ns, venue_ns, number, price, quantity, flags)]
        flags |= 0 if found.origin == "MARKET" else VOID
        buyer, seller = _checked_id(found.buyer), _checked_id(found.seller)
        return [self._writer.trade(time_ns, venue_ns, number, price, quantity, flags, buyer, seller)]

    def _read_mark(self, time_ns: int, found: _Mark) -> Row:
        mark, index = self._grid.nearest_ticks(found.mark), self._grid.nearest_ticks(found.index or "0")
        rate = rate_word(found.rate) if found.rate else 0
        return self._writer.mark(time_ns, _venue_ns(found.event), mark, index, rate, _venue_ns(found.next_time))


def _venue_ns(stamp: int) -> int:
    ns = stamp * (1_000 if stamp >= _MICROSECONDS_FROM else _NS_PER_MS)
    if not 0 <= ns <= TIME_MAX:
        raise ValueError(f"expected a time in milliseconds or microseconds, found {stamp}")
    return ns


def _checked_id(number: int) -> int:
    if not 0 <= number <= ID_MAX:
        raise ValueError(f"expected an id of 64 bits, found {number}")
    return number


class _Filter(Struct):
    kind: str = field(name="filterType")
    tick: str = field(default="0", name="tickSize")
    lot: str = field(default="0", name="stepSize")
    quantity_min: str = field(default="0", name="minQty")
    notional_spot: str = field(default="0", name="minNotional")
    notional_futures: str = field(default="0", name="notional")


class _Symbol(Struct):
    code: str = field(name="symbol")
    base: str = field(name="baseAsset")
    quote: str = field(name="quoteAsset")
    filters: list[_Filter]
    contract: str = field(default="", name="contractType")
    contract_size: float | int | str = field(default=1, name="contractSize")
    margin: str = field(default="", name="marginAsset")


class _ExchangeInfo(Struct):
    symbols: list[_Symbol]


_EXCHANGE_INFO: Final = msgspec.json.Decoder(_ExchangeInfo)


def read_listings(body: bytes) -> list[Listing]:
    """The spot pairs and perpetuals of an exchangeInfo. Raises ValueError where it is none."""
    try:
        found = _EXCHANGE_INFO.decode(body)
    except msgspec.MsgspecError as error:
        raise ValueError(f"expected an exchangeInfo of Binance: {error}") from error
    return [_listing(one) for one in found.symbols if one.contract in ("", "PERPETUAL")]


def _listing(one: _Symbol) -> Listing:
    filters = {found.kind: found for found in one.filters}
    nothing = _Filter("")
    price, lot = filters.get("PRICE_FILTER", nothing), filters.get("LOT_SIZE", nothing)
    notional = filters.get("NOTIONAL", filters.get("MIN_NOTIONAL", nothing))
    kind = SPOT if not one.contract else LINEAR if one.margin == one.quote else INVERSE
    return Listing(
        code=one.code,
        symbol=symbol_of(one.base, one.quote, kind),
        tick=price.tick,
        lot=lot.lot,
        multiplier=str(one.contract_size),
        quantity_min=lot.quantity_min,
        notional_min=max(notional.notional_spot, notional.notional_futures, key=float),
    )


def symbol_of(base: str, quote: str, kind: str) -> str:
    """The unified symbol of a spot pair or a perpetual."""
    return f"{base}/{quote}" + {SPOT: "", LINEAR: f":{quote}", INVERSE: f":{base}"}[kind]
