"""Kraken's spot market data, websocket version 1: book with checksum, trade, ticker; and AssetPairs.

The book channel sends a snapshot of so many levels, then changes. A level that falls out of those many is forgotten without
a word from the venue, so this feed says it in its place: the message that pushed the level out also deletes it. Each
message carries a CRC32 over the texts of the ten best asks and bids; where ours differs, the book is lost until the next
snapshot. The gap then shows ours as found and the venue's as expected.

Levels bear the time at which each came to be, years ago for some; a message is given the newest of its levels' times.
"""

from collections.abc import Iterable
from typing import Any, Final
from zlib import crc32

import msgspec
from msgspec import Raw, Struct, field

from tradebot.domain.instrument import Instrument
from tradebot.feeds.feed import Listing, count
from tradebot.feeds.grid import Grid, power_of_ten
from tradebot.feeds.rows import SELL, TIME_MAX, Level, Row, RowWriter
from tradebot.feeds.text_book import TextBook, Texts

CHECKED_LEVELS: Final = 10
OUR_NAMES: Final = {"XBT": "BTC", "XDG": "DOGE"}
_THEIR_NAMES: Final = {ours: theirs for theirs, ours in OUR_NAMES.items()}
_SIDES: Final = {"b": 0, "s": SELL}


class _Book(Struct):
    snapshot_asks: list[list[str]] | None = field(default=None, name="as")
    snapshot_bids: list[list[str]] | None = field(default=None, name="bs")
    asks: list[list[str]] = field(default_factory=list, name="a")
    bids: list[list[str]] = field(default_factory=list, name="b")
    checksum: str = field(default="", name="c")


class _Ticker(Struct):
    ask: tuple[str, Any, str] = field(name="a")
    bid: tuple[str, Any, str] = field(name="b")


_FRAME: Final = msgspec.json.Decoder(list[Raw])
_TEXT: Final = msgspec.json.Decoder(str)
_BOOK: Final = msgspec.json.Decoder(_Book)
_TRADES: Final = msgspec.json.Decoder(list[tuple[str, str, str, str, str, str]])
_TICKER: Final = msgspec.json.Decoder(_Ticker)


def venue_code(instrument: Instrument) -> str:
    """Kraken's websocket name of a pair."""
    return "/".join(_THEIR_NAMES.get(name, name) for name in (instrument.base, instrument.quote))


class KrakenFeed:
    """One pair of Kraken; see feeds/feed.py. `checksums` counts those that agreed."""

    def __init__(self, instrument: Instrument, code: str | None = None) -> None:
        self.notes: dict[str, int] = {}
        self.checksums = 0
        self.code = code or venue_code(instrument)
        self._grid = Grid(instrument)
        self._writer = RowWriter(instrument.id)
        self._book: TextBook | None = None
        self._in_doubt = False

    def receive(self, time_ns: int, frame: bytes) -> list[Row]:
        self._in_doubt = True  # until it is known that the frame was none of the book's
        try:
            return self._receive(time_ns, frame)
        except msgspec.MsgspecError as error:
            raise ValueError(f"expected a message of Kraken: {error}") from error

    def receive_snapshot(self, time_ns: int, body: bytes) -> list[Row]:
        raise ValueError("expected no book snapshot by request: Kraken's book channel begins with one")

    def lose(self, time_ns: int) -> list[Row]:
        """The book, unless the frame was of another channel or pair: no number would tell that a message is missing."""
        return self._drop(time_ns, 0, 0, 0) if self._in_doubt else []

    def reconnect(self, time_ns: int) -> list[Row]:
        return self._drop(time_ns, 0, 0, 0)

    def close(self) -> None:
        """Nothing waits here."""

    def _receive(self, time_ns: int, frame: bytes) -> list[Row]:
        if frame.lstrip()[:1] == b"{":  # an event: heartbeat, system or subscription status
            msgspec.json.decode(frame)
            return []
        parts = _FRAME.decode(frame)
        if len(parts) < 4:
            raise ValueError(f"expected a message of channel, content, name and pair, found {len(parts)} parts")
        channel, pair = _TEXT.decode(parts[-2]), _TEXT.decode(parts[-1])
        self._in_doubt = channel.startswith("book") and pair == self.code
        if pair != self.code:
            return []
        if channel == "trade":
            return [self._read_trade(time_ns, *found) for found in _TRADES.decode(parts[1])]
        if channel == "ticker":
            return [self._read_ticker(time_ns, _TICKER.decode(parts[1]))]
        if channel.startswith("book"):
            return self._take_book(time_ns, int(channel.partition("-")[2] or "10"), [_BOOK.decode(one) for one in parts[1:-2]])
        return []

    def _read_trade(self, time_ns: int, price: str, volume: str, time: str, side: str, order: str, extra: str) -> Row:
        if side not in _SIDES:
            raise ValueError(f"expected the side b or s, found {side!r}")
        return self._writer.trade(time_ns, _venue_ns(time), 0, self._grid.ticks(price), self._grid.lots(volume), _SIDES[side])

    def _read_ticker(self, time_ns: int, found: _Ticker) -> Row:
        (bid, _, bid_volume), (ask, _, ask_volume) = found.bid, found.ask
        ticks, lots = self._grid.ticks, self._grid.lots
        return self._writer.quote(time_ns, 0, 0, (ticks(bid), lots(bid_volume)), (ticks(ask), lots(ask_volume)))

    def _take_book(self, time_ns: int, depth: int, parts: list[_Book]) -> list[Row]:
        snapshot = parts[0].snapshot_asks is not None or parts[0].snapshot_bids is not None
        asks = [one for part in parts for one in part.snapshot_asks or part.asks]
        bids = [one for part in parts for one in part.snapshot_bids or part.bids]
        levels, texts, venue_ns = self._read_levels(bids, asks)
        if snapshot:
            self._book = TextBook()
        elif self._book is None:
            count(self.notes, "updates_without_book")
            return []
        assert self._book is not None
        self._book.apply(levels, texts)
        levels += [(0, ticks, 0) for ticks in self._book.bids.cut(depth)]
        levels += [(SELL, ticks, 0) for ticks in self._book.asks.cut(depth)]
        if parts[-1].checksum and (found := checksum(self._book)) != int(parts[-1].checksum):
            return self._drop(time_ns, venue_ns, found, int(parts[-1].checksum))
        self.checksums += bool(parts[-1].checksum)
        write = self._writer.snapshot if snapshot else self._writer.levels
        return write(time_ns, venue_ns, 0, levels)

    def _read_levels(self, bids: list[list[str]], asks: list[list[str]]) -> tuple[list[Level], list[Texts], int]:
        levels: list[Level] = []
        texts: list[Texts] = []
        venue_ns = 0
        for side, found in ((0, bids), (SELL, asks)):
            for one in found:
                if len(one) not in (3, 4):
                    raise ValueError(f"expected a level of price, volume and time, found {one}")
                levels.append((side, self._grid.ticks(one[0]), self._grid.lots(one[1])))
                texts.append((one[0], one[1]))
                venue_ns = max(venue_ns, _venue_ns(one[2]))
        return levels, texts, venue_ns

    def _drop(self, time_ns: int, venue_ns: int, found: int, expected: int) -> list[Row]:
        had_book, self._book = self._book is not None, None
        return self._writer.lost(time_ns, venue_ns, found, expected) if had_book else []


def checksum(book: TextBook) -> int:
    """CRC32 over the ten best asks, then bids: price and volume without point and leading zeros."""
    best = book.asks.best(CHECKED_LEVELS) + book.bids.best(CHECKED_LEVELS)
    return crc32("".join(_bare(text) for texts in best for text in texts).encode())


def _bare(text: str) -> str:
    return text.replace(".", "").lstrip("0")


def _venue_ns(text: str) -> int:
    """From seconds with a fraction."""
    seconds, _, fraction = text.partition(".")
    if not (seconds + fraction).isdigit() or len(fraction) > 9 or len(seconds) > 10:
        raise ValueError(f"expected a time in seconds, found {text[:40]!r}")
    ns = int(seconds) * 1_000_000_000 + int(fraction.ljust(9, "0"))
    return min(ns, TIME_MAX)


class _Pair(Struct):
    name: str = field(default="", name="wsname")
    price_decimals: int = field(default=0, name="pair_decimals")
    lot_decimals: int = 8
    tick: str = field(default="", name="tick_size")
    quantity_min: str = field(default="0", name="ordermin")
    notional_min: str = field(default="0", name="costmin")


class _AssetPairs(Struct):
    result: dict[str, _Pair]


_ASSET_PAIRS: Final = msgspec.json.Decoder(_AssetPairs)


def read_listings(body: bytes) -> list[Listing]:
    """The pairs of an AssetPairs answer that have a websocket name. Raises ValueError where it is none."""
    try:
        found = _ASSET_PAIRS.decode(body)
    except msgspec.MsgspecError as error:
        raise ValueError(f"expected AssetPairs of Kraken: {error}") from error
    return list(_listings(found.result.values()))


def _listings(pairs: Iterable[_Pair]) -> Iterable[Listing]:
    for pair in pairs:
        base, slash, quote = pair.name.partition("/")
        if slash:
            yield Listing(
                code=pair.name,
                symbol=f"{OUR_NAMES.get(base, base)}/{OUR_NAMES.get(quote, quote)}",
                tick=pair.tick or power_of_ten(pair.price_decimals),
                lot=power_of_ten(pair.lot_decimals),
                quantity_min=pair.quantity_min,
                notional_min=pair.notional_min,
            )
