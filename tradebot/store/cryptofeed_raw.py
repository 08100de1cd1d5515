"""The cryptofeed-raw importer: captures that cryptofeed's raw recorder wrote, of Binance, Binance futures, Kraken and Bitget.

A capture is a family of files, `NAME.0`, `NAME.http.0.0`, `NAME.ws.1.0` and so on (`.gz` or plain), given as a folder or by one
of them; a folder may hold several families. Its lines are

    URL -> SECONDS: BODY        an answer over HTTP: the venue's list of instruments, a book snapshot
    URL <-> SECONDS             a connection was made
    URL <- SECONDS: BODY        what was sent
    SECONDS: FRAME              what was received
    configuration: JSON         what was asked for

The files of a family are merged by time. One import takes one instrument. Those that the capture subscribed to are offered,
with tick and lot from the list of instruments in it.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs

import msgspec

from tradebot.domain.errors import BadContainer, UsageError
from tradebot.domain.instrument import LINEAR, SPOT, Instrument
from tradebot.feeds import binance, bitget, kraken
from tradebot.feeds.feed import Feed, Listing
from tradebot.feeds.rows import Row
from tradebot.store.batches import Records
from tradebot.store.imports import Findings, ImportSource
from tradebot.store.listings import listed_instrument, refine
from tradebot.store.raw_feed import Frame, begin_after_gap, name_of, read_frames, read_time
from tradebot.store.recording import bare_name, content_sha256, files_of, first_line, read_lines
from tradebot.store.sequel import AFTER_GAP, Edges, newest_book, place_head

NAME: Final = "cryptofeed-raw"
VERSION: Final = 1  # part of the import id: raise it whenever the same file would give other records

_FILE: Final = re.compile(r"(?P<family>[A-Z][A-Z_]*)(\.(http|ws)\.\d+)?\.\d+$")
_HTTP: Final = re.compile(rb"(?P<url>https?://\S+) -> (?P<time>[\d.]+): (?P<body>.*)", re.DOTALL)
_CONNECTED: Final = re.compile(rb"(?P<url>wss?://\S+) <-> (?P<time>[\d.]+)$")
_SENT: Final = re.compile(rb"(?P<url>\S+://\S+) <- (?P<time>[\d.]+): (?P<body>.*)", re.DOTALL)
_RECEIVED: Final = re.compile(rb"(?P<time>\d+(\.\d+)?): (?P<body>.*)", re.DOTALL)
_STARTS: Final = (b"http://", b"https://", b"ws://", b"wss://")
_DIGITS: Final = 9
_EDGE: Final = 160  # bytes at either end of a line in which it shows what it is
_HEAD_LINES: Final = 256  # looked at, in each file, for what was subscribed to

_NOTHING: Final = Edges(0, 0, 0, None, None, False, 0)  # of a capture that nothing is before, and is not looked at

_Key = tuple[str, bool]  # the venue's code, and whether it is a spot pair


class _Venue(NamedTuple):
    """How a family's venue is read.

    `names` are ours, by kind of instrument; `lists` is how the addresses end of its lists of instruments; `book`
    tells messages with levels; `subscribed` finds what a connection or a message that was sent asks for.
    """

    names: dict[str, str]
    lists: tuple[str, ...]
    book: re.Pattern[bytes]
    read_listings: Callable[[bytes], list[Listing]]
    open_feed: Callable[[Instrument], Feed]
    subscribed: Callable[[str, bytes], set[_Key]]


def recognises(path: Path) -> bool:
    """Whether files here are named and begin as the recorder's are."""
    try:
        return bool(_families(path))
    except BadContainer:
        return False


def instruments(path: Path) -> list[Instrument]:
    """Those subscribed to in every capture here, with tick and lot as the venue listed them, or finer."""
    found = [one for family, files in _readable(path).items() for one in _offered(VENUES[family], files)]
    return sorted(found, key=lambda one: one.name)


def open_source(path: Path, instrument: Instrument) -> tuple[ImportSource, Iterator[Records]]:
    """The source, hashed, and its records in batches, read when first asked for.

    Raises BadContainer where there is no capture that can be read, UsageError where none is of the instrument's venue.
    """
    return open_sources([path], instrument, None)[0]


def open_sources(
    paths: Sequence[Path], instrument: Instrument, book_ns: int | None
) -> list[tuple[ImportSource, Iterator[Records]]]:
    """As `open_source` of each, in the order of time. A capture makes its own connections and so follows none; one behind
    another, or behind the book that the store told of last, at `book_ns`, begins with a gap.
    """
    is_alone = len(paths) == 1 and book_ns is None
    opened = sorted((_open(path, instrument, is_alone) for path in paths), key=lambda one: one.edges.first_ns)
    sources: list[tuple[ImportSource, Iterator[Records]]] = []
    for number, one in enumerate(opened):
        place = place_head([one.edges], newest_book((before.edges for before in opened[:number]), book_ns))
        source = ImportSource(NAME, VERSION, content_sha256(one.files, named=True), str(one.path), place=place)
        sources.append((source, _read(one, instrument, place, source.findings)))
    return sources


class _Capture(NamedTuple):
    """One path: the files of the instrument's family."""

    path: Path
    family: str
    files: list[Path]
    edges: Edges


def _open(path: Path, instrument: Instrument, is_alone: bool) -> _Capture:
    readable = _readable(path)
    family = _choose(path, readable, instrument)
    files = readable[family]
    edges = _NOTHING if is_alone else _find_edges(path, files, VENUES[family], instrument)
    return _Capture(path, family, files, edges)


def _find_edges(path: Path, files: list[Path], venue: _Venue, instrument: Instrument) -> Edges:
    """Its book comes over its own connections, so it counts as having its snapshot at its head."""
    feed = venue.open_feed(instrument)
    first_ns, last_ns = 0, 0
    for frame in (frame for file in files for frame in _frames(path, file, feed, Findings())):
        first_ns, last_ns = min(first_ns or frame.time_ns, frame.time_ns), max(last_ns, frame.time_ns)
    lines = (line for file in files for _, line in read_lines(file))
    has_book = any(venue.book.search(line[:_EDGE] + line[-_EDGE:]) and _of_code([line], feed.code) for line in lines)
    return _NOTHING._replace(first_ns=first_ns, last_ns=last_ns, last=0 if has_book else None)


def _readable(path: Path) -> dict[str, list[Path]]:
    """The families of venues that there is a feed for. Raises BadContainer where there is none."""
    families = _families(path)
    readable = {family: files for family, files in families.items() if family in VENUES}
    if not readable:
        raise BadContainer(f"expected a capture of {', '.join(VENUES)} in {path}, found {', '.join(families) or 'none'}")
    return readable


def _families(path: Path) -> dict[str, list[Path]]:
    """Files by family, in the order of names; where one file is given, its family alone."""
    folder = path.parent if path.is_file() else path
    wanted = _family(path) if path.is_file() else None
    families: dict[str, list[Path]] = {}
    for file in files_of(folder):
        family = _family(file)
        if family and wanted in (None, family) and first_line(file).startswith(_STARTS):
            families.setdefault(family, []).append(file)
    return {} if path.is_file() and not wanted else families


def _family(file: Path) -> str | None:
    found = _FILE.match(bare_name(file))
    return found["family"] if found else None


def _choose(path: Path, families: dict[str, list[Path]], instrument: Instrument) -> str:
    """By the instrument's venue; a single family of the right kind may bear any name."""
    fitting = [family for family in families if instrument.kind in VENUES[family].names]
    named = [family for family in fitting if VENUES[family].names[instrument.kind] == instrument.venue]
    chosen = named or (fitting if len(families) == 1 else [])
    if not chosen:
        venues = ", ".join(sorted({name for family in families for name in VENUES[family].names.values()}))
        raise UsageError(f"expected an instrument of {venues}, of which {path} holds captures, found {instrument.name}")
    return chosen[0]


def _read(capture: _Capture, instrument: Instrument, place: str, findings: Findings) -> Iterator[Records]:
    feed = VENUES[capture.family].open_feed(instrument)
    streams = [_frames(capture.path, file, feed, findings) for file in capture.files]
    frames: Iterator[Frame] = merge(*streams, key=lambda frame: frame.time_ns)
    yield from read_frames(feed, begin_after_gap(frames, instrument.id) if place == AFTER_GAP else frames, findings)


def _frames(path: Path, file: Path, feed: Feed, findings: Findings) -> Iterator[Frame]:
    name = name_of(file, path)
    connected = False
    for number, line in read_lines(file):
        try:
            if found := _RECEIVED.match(line):
                yield Frame(read_time(found["time"], _DIGITS), name, number, _give(feed.receive, found["body"]))
            elif found := _HTTP.match(line):
                if _is_snapshot(found["url"].decode(errors="replace"), feed):
                    give = _give(feed.receive_snapshot, found["body"])
                    yield Frame(read_time(found["time"], _DIGITS), name, number, give)
            elif found := _CONNECTED.match(line):
                if connected:
                    yield Frame(read_time(found["time"], _DIGITS), name, number, feed.reconnect)
                connected = True
            elif not _SENT.match(line) and not line.startswith(b"configuration: "):
                raise ValueError(f"expected a line of a cryptofeed capture, found {line[:40]!r}")
        except ValueError as error:
            findings.reject(name, number, str(error))


def _give(receive: Callable[[int, bytes], list[Row]], body: bytes) -> Callable[[int], list[Row]]:
    return lambda time_ns: receive(time_ns, body)


def _is_snapshot(url: str, feed: Feed) -> bool:
    path, _, query = url.partition("?")  # urlsplit would judge the host of a damaged line
    return path.endswith("/depth") and parse_qs(query).get("symbol") == [feed.code]


def _offered(venue: _Venue, files: list[Path]) -> list[Instrument]:
    listings: dict[_Key, Listing] = {}
    subscribed: set[_Key] = set()
    books: list[bytes] = []
    for _, line in (one for file in files for one in islice(read_lines(file), _HEAD_LINES)):
        if venue.book.search(line[:_EDGE] + line[-_EDGE:]):
            books.append(line)
        elif found := _HTTP.match(line):
            if found["url"].decode(errors="replace").partition("?")[0].endswith(venue.lists):
                listings |= {(one.code, ":" not in one.symbol): one for one in _listed(venue, found["body"])}
        elif found := _CONNECTED.match(line) or _SENT.match(line):
            body = found.groupdict().get("body") or b""
            subscribed |= venue.subscribed(found["url"].decode(errors="replace"), body)
    offered = [listings[key] for key in sorted(subscribed & listings.keys())]
    return [refine(_instrument(venue, one), _of_code(books, one.code)) for one in offered]


def _of_code(lines: list[bytes], code: str) -> list[bytes]:
    """Messages name their symbol in quotes, addresses as `symbol=`."""
    named = (f'"{code}"'.encode(), f"symbol={code}&".encode())
    return [line for line in lines if any(name in line for name in named)]


def _listed(venue: _Venue, body: bytes) -> list[Listing]:
    """Nothing where the list cannot be read: the instrument can still be named with its tick and lot."""
    try:
        return venue.read_listings(body)
    except ValueError:
        return []


def _instrument(venue: _Venue, listing: Listing) -> Instrument:
    kinds = [kind for kind in venue.names if (kind == SPOT) == (":" not in listing.symbol)]
    return listed_instrument(listing, venue.names[kinds[0]])


def _streams(spot: bool) -> Callable[[str, bytes], set[_Key]]:
    """Binance names its streams in the address: nknusdt@depth@100ms/nknusdt@bookTicker."""

    def subscribed(url: str, body: bytes) -> set[_Key]:
        streams = parse_qs(url.partition("?")[2]).get("streams", [""])[0].split("/")
        return {(stream.partition("@")[0].upper(), spot) for stream in streams if "@" in stream}

    return subscribed


def _kraken_pairs(url: str, body: bytes) -> set[_Key]:
    return {(pair, True) for pair in _several(_sent(body).get("pair")) if isinstance(pair, str)}


def _bitget_arguments(url: str, body: bytes) -> set[_Key]:
    named = [(one.get("instId"), one.get("instType")) for one in _several(_sent(body).get("args")) if isinstance(one, dict)]
    return {(code, kind.upper() == "SP") for code, kind in named if isinstance(code, str) and isinstance(kind, str)}


def _several(found: object) -> list[Any]:
    return found if isinstance(found, list) else []


def _sent(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return {}


VENUES: Final = {
    "BINANCE": _Venue(
        names={SPOT: "binance"},
        lists=("/exchangeInfo",),
        book=re.compile(rb"/depth\?|depthUpdate"),
        read_listings=binance.read_listings,
        open_feed=binance.BinanceFeed,
        subscribed=_streams(spot=True),
    ),
    "BINANCE_FUTURES": _Venue(
        names={LINEAR: "binance-linear"},
        lists=("/exchangeInfo",),
        book=re.compile(rb"/depth\?|depthUpdate"),
        read_listings=binance.read_listings,
        open_feed=binance.BinanceFeed,
        subscribed=_streams(spot=False),
    ),
    "KRAKEN": _Venue(
        names={SPOT: "kraken"},
        lists=("/AssetPairs",),
        book=re.compile(rb'"book-\d+","[^"]+"\]$'),
        read_listings=kraken.read_listings,
        open_feed=kraken.KrakenFeed,
        subscribed=_kraken_pairs,
    ),
    "BITGET": _Venue(
        names={SPOT: "bitget", LINEAR: "bitget-linear"},
        lists=("/products", "/contracts"),
        book=re.compile(rb'"action".*"channel":"books"'),
        read_listings=bitget.read_listings,
        open_feed=bitget.BitgetFeed,
        subscribed=_bitget_arguments,
    ),
}
