"""The binance-raw importer: lines of `<local ns> <JSON frame>`, as a websocket recorder writes them, spot or futures.

A file, or a folder of files that continue one another, in the order of their first lines; other files beside them are left
alone. The book begins with the REST depth snapshot that the recorder wrote between the frames; before it, and after a gap
until the next one, there is none. Recordings that are opened together go on from one another where their ids do (`sequel`).

The lines tell neither tick nor lot, but the venue writes a price with the decimals of its tick (futures) or with eight
(spot), and a quantity alike. So the instruments that the first lines name are offered with those decimals, which is the
venue's grid or a finer one; give `--tick` and `--lot` where the true ones matter.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from tradebot.domain.errors import BadContainer, UsageError
from tradebot.domain.instrument import INVERSE, LINEAR, SPOT, Instrument
from tradebot.feeds.binance import BinanceFeed, Message, Update, open_frame, read_update, symbol_of, venue_code
from tradebot.feeds.feed import Listing, count
from tradebot.feeds.grid import power_of_ten
from tradebot.feeds.rows import Row
from tradebot.store.batches import Records
from tradebot.store.imports import Findings, ImportSource
from tradebot.store.listings import decimals_of, listed_instrument
from tradebot.store.raw_feed import Frame, begin_after_gap, name_of, read_frames, read_time
from tradebot.store.recording import content_sha256, files_of, first_line, read_lines
from tradebot.store.sequel import AFTER_GAP, HEAD_LINES, Edges, newest_book, place_after, place_head, split_runs

NAME: Final = "binance-raw"
VERSION: Final = 1  # part of the import id: raise it whenever the same file would give other records
VENUES: Final = {SPOT: "binance", LINEAR: "binance-linear", INVERSE: "binance-inverse"}

_LINE: Final = re.compile(rb"\d{16,19} \{")
_HEAD_LINES: Final = 4096  # looked at for instruments
_BOOK: Final = re.compile(rb'"depthUpdate"|"lastUpdateId"')
_PREVIOUS: Final = re.compile(rb'"pu"\s*:')
# Longest first, so that BTCFDUSD is BTC in FDUSD and not BTCFD in USD.
_QUOTES: Final = ("FDUSD", "USDT", "USDC", "TUSD", "BUSD", "BIDR", "USD1", "USD", "BTC", "ETH", "BNB", "EUR", "TRY", "BRL", "JPY")
# A contract margined in coin is worth so many dollars.
_COIN_CONTRACTS: Final = {"BTC": "100"}
_COIN_CONTRACT: Final = "10"


def recognises(path: Path) -> bool:
    """Whether a file here begins with a receive time in nanoseconds and an object."""
    try:
        return bool(_recordings(path))
    except BadContainer:
        return False


def instruments(path: Path) -> list[Instrument]:
    """Those that the first lines name; see the head of this file for their tick and lot."""
    found: dict[str, Instrument] = {}
    for file in _recordings(path):
        found = _find_instruments(file) | found
    return [found[code] for code in sorted(found)]


def open_source(path: Path, instrument: Instrument) -> tuple[ImportSource, Iterator[Records]]:
    """The source, hashed, and its records in batches, read when first asked for.

    Raises BadContainer where a file is not whole or none is a recording. Lines that cannot be read are in the source's
    findings once the batches are read to the end.
    """
    return open_sources([path], instrument, None)[0]


def open_sources(
    paths: Sequence[Path], instrument: Instrument, book_ns: int | None
) -> list[tuple[ImportSource, Iterator[Records]]]:
    """As `open_source` of each, in the order of time; to be imported in this order. `book_ns` is when the store last told of a
    book of the instrument, None for never.
    """
    opened = sorted((_open(path, instrument, is_whole=len(paths) > 1) for path in paths), key=lambda one: one.edges.first_ns)
    edges = [one.edges for one in opened]
    sources: list[tuple[ImportSource, Iterator[Records]]] = []
    for run in split_runs(edges):
        head = place_head([edges[place] for place in run], newest_book(edges[: run[0]], book_ns))
        sources += _Run([opened[place] for place in run], instrument, head).sources()
    return sources


def _recordings(path: Path) -> list[Path]:
    """By the time of their first lines. A file that is packed and cannot be unpacked is a bad container, not another file."""
    heads = [(first_line(file), file) for file in files_of(path)]
    found = [(int(head.partition(b" ")[0]), file) for head, file in heads if _LINE.match(head)]
    return [file for _, file in sorted(found)]


class _Recording(NamedTuple):
    """One path."""

    path: Path
    files: list[Path]
    edges: Edges


def _open(path: Path, instrument: Instrument, is_whole: bool) -> _Recording:
    files = _recordings(path)
    if not files:
        raise BadContainer(f"expected lines of `<local ns> <JSON>` in {path}, found none; is --format {NAME} right for it?")
    lines = (line for file in files for _, line in read_lines(file))
    return _Recording(path, files, _find_edges(lines if is_whole else islice(lines, HEAD_LINES), venue_code(instrument)))


def _find_edges(lines: Iterable[bytes], code: str) -> Edges:
    first_ns = last_ns = number = 0
    first, last, is_fresh, snapshot_line = None, None, False, None
    for number, line in enumerate(lines, 1):
        stamp, _, body = line.partition(b" ")
        if not _LINE.match(line):
            continue
        first_ns, last_ns = first_ns or int(stamp), int(stamp)
        update = _update_of(body, code) if _BOOK.search(body) else None
        if update is None:
            continue
        if update.diff is None and snapshot_line is None:
            snapshot_line = number - 1
        first = first or update.diff
        if last is None or update.last > last:
            last, is_fresh = update.last, update.diff is None
    return Edges(first_ns, last_ns, number, first, last, is_fresh, snapshot_line)


def _update_of(body: bytes, code: str) -> Update | None:
    try:
        message = open_frame(body)
    except ValueError:
        return None
    return read_update(message) if message.code in ("", code) else None


class _Run:
    """Recordings that follow one another, read by one feed, each in its turn. One that is in the store already is read all the
    same where one behind it is not, to bring the feed there.
    """

    def __init__(self, recordings: list[_Recording], instrument: Instrument, head: str) -> None:
        self._recordings = recordings
        self._instrument = instrument
        self._head = head
        self._feed = BinanceFeed(instrument)
        self._read_count = 0
        self._reached_ns = 0

    def sources(self) -> list[tuple[ImportSource, Iterator[Records]]]:
        found: list[ImportSource] = []
        for one in self._recordings:
            place = place_after(before.content_sha256 for before in found) if found else self._head
            follows = f"{found[-1].import_id(self._instrument.id):016x}" if found else ""
            content = content_sha256(one.files)
            found.append(ImportSource(NAME, VERSION, content, str(one.path), place=place, follows=follows))
        return [(source, self._batches(number, source.findings)) for number, source in enumerate(found)]

    def _batches(self, number: int, findings: Findings) -> Iterator[Records]:
        while self._read_count < number:
            for _ in self._read_next(Findings()):
                pass
        yield from self._read_next(findings)

    def _read_next(self, findings: Findings) -> Iterator[Records]:
        number, after_ns = self._read_count, self._reached_ns
        one = self._recordings[number]
        self._read_count += 1
        reader = _Reader(one.path, one.files, self._feed, findings)
        frames = reader.frames()
        if not number and self._head == AFTER_GAP:
            frames = begin_after_gap(frames, self._instrument.id)
        yield from read_frames(self._feed, frames, findings, after_ns, goes_on=number + 1 < len(self._recordings))
        self._reached_ns = max(after_ns, reader.reached_ns)
        reader.finish()


class _Reader:
    """The frames of all files; counts those of other symbols, so that a wrong instrument is not an empty import."""

    def __init__(self, path: Path, files: list[Path], feed: BinanceFeed, findings: Findings) -> None:
        self.feed = feed
        self.reached_ns = 0
        self._path = path
        self._files = files
        self._findings = findings
        self._ours = 0
        self._others: Counter[str] = Counter()

    def frames(self) -> Iterator[Frame]:
        for file in self._files:
            name = name_of(file, self._path)
            for number, line in read_lines(file):
                stamp, _, body = line.partition(b" ")
                try:
                    time_ns = read_time(stamp, 0)
                    self.reached_ns = max(self.reached_ns, time_ns)
                    yield Frame(time_ns, name, number, self._give(body))
                except ValueError as error:
                    self._findings.reject(name, number, str(error))

    def finish(self) -> None:
        """Raises UsageError where no frame was of the instrument."""
        count(self._findings.notes, "frames_of_other_symbols", self._others.total())
        if not self._ours and self._others:
            raise UsageError(
                f"expected frames of {self.feed.code} in {self._path}, found only those of "
                f"{', '.join(sorted(self._others)[:5])}; choose another --instrument"
            )

    def _give(self, body: bytes) -> Callable[[int], list[Row]]:
        def give(time_ns: int) -> list[Row]:
            message = open_frame(body)
            self._count(message)
            return self.feed.take(time_ns, message)

        return give

    def _count(self, message: Message) -> None:
        if message.code == self.feed.code:
            self._ours += 1
        elif message.code:
            self._others[message.code] += 1
        elif message.kind and self._others:
            raise ValueError("expected a symbol in a recording of several, found a message without one")


def _find_instruments(file: Path) -> dict[str, Instrument]:
    prices: dict[str, tuple[int, int]] = {}
    kinds: dict[str, str] = {}
    for _, line in islice(read_lines(file), _HEAD_LINES):
        try:
            message = open_frame(line.partition(b" ")[2])
        except ValueError:
            continue
        if message.code and message.kind == "depthUpdate":
            _note_decimals(prices, message)
            kinds[message.code] = _kind_of(message)
    listings = {code: _make_listing(code, kinds[code], *prices[code]) for code in prices}
    return {code: listed_instrument(one, VENUES[kinds[code]]) for code, one in listings.items() if one}


def _note_decimals(prices: dict[str, tuple[int, int]], message: Message) -> None:
    price_decimals, lot_decimals = prices.get(message.code, (0, 0))
    prices_here, lots_here = decimals_of(bytes(message.body))
    prices[message.code] = max(price_decimals, prices_here), max(lot_decimals, lots_here)


def _kind_of(message: Message) -> str:
    if message.code.endswith("_PERP"):
        return INVERSE
    return LINEAR if _PREVIOUS.search(bytes(message.body)) else SPOT


def _make_listing(code: str, kind: str, price_decimals: int, lot_decimals: int) -> Listing | None:
    """None where the code is no pair of a known quote, such as a contract with a date."""
    pair = code.removesuffix("_PERP")
    quote = next((one for one in _QUOTES if pair.endswith(one) and pair != one), "")
    base = pair.removesuffix(quote)
    if not quote or "_" in base:
        return None
    multiplier = _COIN_CONTRACTS.get(base, _COIN_CONTRACT) if kind == INVERSE else "1"
    symbol = symbol_of(base, quote, kind)
    return Listing(code, symbol, power_of_ten(price_decimals), power_of_ten(lot_decimals), multiplier)
