"""The recordings against the venues' own words: book tickers, checksums, books.

Everything goes the way a backtest goes: import, store, stream, compiled book. The venue's word is read from the stored records
where it is in them, and from the raw file by code written here where it is not.
"""

import gzip
import json
import lzma
from collections import Counter, defaultdict
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from tests.store.shared import stored
from tests.store.support import Records
from tradebot._core.book import L3Book
from tradebot._core.depth import L2Book
from tradebot._core.types import Flag, Kind
from tradebot.domain.instrument import Instrument
from tradebot.research.audit import audit_days
from tradebot.store.client import Store
from tradebot.store.cryptofeed_raw import instruments

pytestmark = pytest.mark.shared

SELL, SNAPSHOT, LAST, VOID = (int(flag) for flag in (Flag.SELL, Flag.SNAPSHOT, Flag.LAST, Flag.VOID))

SPOT = ["BLZ/ETH@binance", "LRC/BTC@binance", "NKN/USDT@binance", "RUNE/EUR@binance"]
LINEAR = [f"{name}/USDT:USDT@binance-linear" for name in ("AKRO", "CTK", "KEEP", "SUSHI")]


def of_kind(records: Records, kind: Kind) -> Records:
    return records[records["kind"] == int(kind)]


def by_update(quotes: Records) -> Records:
    return quotes[np.argsort(quotes["venue_sequence"], kind="stable")]


def best_prices(quotes: Records) -> list[list[int]]:
    return [quotes[name].astype(np.int64).tolist() for name in ("price", "quantity", "id", "id2")]


def test_every_best_bid_and_ask_of_coinm_is_the_venues(store: Store, shared_dir: Path) -> None:
    _, report, records = stored(store, shared_dir / "data" / "binance_coinm_depth0ms", "binance-raw")
    assert (report.rows, report.gaps, report.rejected, report.late) == (714_995, 0, 0, 0)
    assert report.notes == {"diffs_before_snapshot": 23}
    quotes = by_update(of_kind(records, Kind.QUOTE))
    assert (len(quotes), len(of_kind(records, Kind.TRADE))) == (48_355, 5_235)
    best = L2Book().apply_bbo(records)
    assert len(best) == 44_773, "the snapshot, two diffs that waited for it, and 44,770 more"
    assert not (best["bid"] >= best["ask"]).any(), "never crossed at the end of a message"
    updates = records["venue_sequence"][best["row"]]
    at = np.searchsorted(quotes["venue_sequence"], updates, side="right") - 1
    assert at.min() >= 0
    ours = [best[name].tolist() for name in ("bid", "bid_quantity", "ask", "ask_quantity")]
    assert ours == best_prices(quotes[at])


@pytest.mark.parametrize("name", [*SPOT, *LINEAR])
def test_the_books_of_spot_and_linear_end_as_the_venues_ticker_says(store: Store, shared_dir: Path, name: str) -> None:
    _, report, records = stored(store, shared_dir / "data" / "cryptofeed_raw", "cryptofeed-raw", name)
    assert (report.gaps, report.rejected, report.late) == (0, 0, 0)
    best = L2Book().apply_bbo(records)
    assert not (best["bid"] >= best["ask"]).any()
    quotes = by_update(of_kind(records, Kind.QUOTE))
    if name == "RUNE/EUR@binance":
        assert len(quotes) == 0, "its ticker did not move while this was recorded"
        return
    last_update = int(of_kind(records, Kind.L2_LEVEL)["venue_sequence"].max())
    last = quotes[quotes["venue_sequence"] <= last_update][-1:]
    ours = [[int(best[field][-1])] for field in ("bid", "bid_quantity", "ask", "ask_quantity")]
    assert ours == best_prices(last)


def frames(folder: Path, pattern: str) -> list[tuple[str, str]]:
    """(file name, frame) of what was received, read apart from the importer."""
    found = []
    for file in sorted(folder.glob(pattern)):
        for line in gzip.decompress(file.read_bytes()).decode().splitlines():
            head, colon, body = line.partition(": ")
            if colon and head.replace(".", "").isdigit():
                found.append((file.name, body))
    return found


def messages_of(records: Records) -> list[Records]:
    levels = of_kind(records, Kind.L2_LEVEL)
    ends = np.flatnonzero(levels["flags"] & LAST) + 1
    return [levels[start:end] for start, end in pairwise([0, *ends.tolist()])]


def test_every_checksum_of_kraken_is_that_of_the_stored_book(store: Store, shared_dir: Path) -> None:
    folder = shared_dir / "data" / "cryptofeed_raw"
    words: dict[str, list[int]] = defaultdict(list)
    decimals: dict[str, int] = {}
    for _, frame in frames(folder, "KRAKEN.ws.50.*"):
        if frame.startswith("["):
            found = json.loads(frame)
            pair, contents = found[-1], found[1:-2]
            if "c" in contents[-1]:
                words[pair].append(int(contents[-1]["c"]))
            else:
                decimals[pair] = len(contents[0]["as"][0][0].partition(".")[2])
    equal = Counter[str]()
    for offered in instruments(folder / "KRAKEN.0.gz"):
        instrument, report, records = stored(store, folder / "KRAKEN.0.gz", "cryptofeed-raw", offered.name)
        assert (report.gaps, report.rejected) == (0, 0)
        pair = "/".join("XBT" if asset == "BTC" else asset for asset in (instrument.base, instrument.quote))
        snapshot, *updates = messages_of(records)
        assert (snapshot["flags"] & SNAPSHOT).all()
        assert len(updates) == len(words[pair])
        book = L2Book()
        book.apply(snapshot)
        for message, word in zip(updates, words[pair], strict=True):
            book.apply(message)
            equal[pair] += kraken_checksum(book, instrument, decimals[pair]) == word
        assert len(book.depth(0, 1_001)) <= 1_000 and len(book.depth(1, 1_001)) <= 1_000
    assert (equal.total(), sum(map(len, words.values()))) == (4_269, 4_269)


def kraken_checksum(book: L2Book, instrument: Instrument, price_decimals: int) -> int:
    levels = book.depth(1, 10) + book.depth(0, 10)
    texts = [
        f"{int((price * instrument.tick_size).scaleb(price_decimals))}{int((lots * instrument.lot_size).scaleb(8))}"
        for price, lots in levels
    ]
    return crc32("".join(texts).encode())


def test_every_checksum_of_bitget_is_that_of_the_stored_book(store: Store, shared_dir: Path) -> None:
    """The capture has 194 messages of books, each with a checksum."""
    folder = shared_dir / "data" / "cryptofeed_raw"
    words: dict[str, list[int]] = defaultdict(list)
    for _, frame in frames(folder, "BITGET.ws.*"):
        found = json.loads(frame)
        if found.get("action") and found["arg"]["channel"] == "books":
            words[found["arg"]["instId"]] += [book["checksum"] % (1 << 32) for book in found["data"]]
    equal = 0
    for offered in instruments(folder / "BITGET.0.gz"):
        instrument, report, records = stored(store, folder / "BITGET.0.gz", "cryptofeed-raw", offered.name)
        assert (report.gaps, report.rejected) == (0, 0)
        book = L2Book()
        for message, word in zip(messages_of(records), words[instrument.base + instrument.quote], strict=True):
            book.apply(message)
            equal += bitget_checksum(book, instrument) == word
    assert (equal, sum(map(len, words.values()))) == (194, 194)


def bitget_checksum(book: L2Book, instrument: Instrument) -> int:
    sides = [
        [f"{instrument.price_text(price)}:{instrument.quantity_text(lots)}" for price, lots in book.depth(side, 25)]
        for side in (0, 1)
    ]
    return crc32(":".join(text for pair in zip(*sides, strict=True) for text in pair).encode())


def test_every_transition_of_lobster_is_what_its_message_says(store: Store, shared_dir: Path) -> None:
    """Row by row: the stored book before, moved by the stored event, is the book after, on all prices in both windows."""
    _, report, records = stored(store, shared_dir / "data" / "lobster", "lobster")
    assert (report.gaps, report.rejected, report.late) == (0, 0, 0)
    rows = np.split(records, np.flatnonzero(np.diff(records["venue_sequence"])) + 1)
    elder, first, *others = rows
    assert int(first["venue_sequence"][0]) == 1
    left = {int(row["id"]): int(row["quantity"]) for row in elder}
    book = L2Book()
    book.apply(first)
    moved(first, left)
    exact = 0
    for place, row in enumerate(others, 2):
        assert int(row["venue_sequence"][0]) == place
        before = windows(book)
        book.apply(row)
        exact += follows(before, windows(book), moved(row, left))
    assert (exact, len(others)) == (57_514, 57_514)


Window = tuple[dict[int, int], ...]


def windows(book: L2Book) -> Window:
    return dict(book.depth(0, 1)), dict(book.depth(1, 1))


def moved(row: Records, left: dict[int, int]) -> tuple[int, int, int] | None:
    """(side, price, lots more or less) of the event in a row; None for one that leaves the book alone."""
    events = row[(row["kind"] >= int(Kind.L3_ADD)) & (row["kind"] <= int(Kind.L3_EXECUTE))]
    if not len(events):
        assert int(Kind.TRADE) in row["kind"], "a hidden execution"
        return None
    (event,) = events
    assert event["flags"] & VOID
    kind, order, quantity = Kind(int(event["kind"])), int(event["id"]), int(event["quantity"])
    if kind == Kind.L3_ADD:
        change = left[order] = quantity
    elif kind == Kind.L3_CHANGE:
        change, left[order] = quantity - left[order], quantity
    else:
        change = -quantity
        left[order] += change
    return int(event["flags"]) & SELL, int(event["price"]), change


def follows(before: Window, after: Window, event: tuple[int, int, int] | None) -> bool:
    if event is None:
        return before == after
    for side, better in ((0, 1), (1, -1)):
        worst = [price * better for window in (before, after) for price in window[side]]
        edge = max(worst) if before[side] and after[side] else min(worst)
        expected = Counter({price: lots for price, lots in before[side].items() if price * better >= edge})
        if event[0] == side and event[1] * better >= edge:
            expected[event[1]] += event[2]
        shown = {price: lots for price, lots in after[side].items() if price * better >= edge}
        if {price: lots for price, lots in expected.items() if lots} != shown:
            return False
    return True


def test_the_orders_of_bitstamp_2015_add_up_to_the_venues_books(store: Store, shared_dir: Path) -> None:
    """After an hour and a half, at least 498 of any 501 venue books in a row, on five levels a side.

    The venue's book comes by a channel of its own and may be older than the last events. It counts as equal where it is the
    orders' book at its own place in the log, or as it was at most 50 ms before.
    """
    _, report, records = stored(store, shared_dir / "data" / "l3", "bitstamp-l3")
    assert (report.rejected, report.late, report.gaps) == (0, 0, 0)
    assert report.repairs["venue_book"] == 40 * 5_011
    equal, at_once = np.array(list(compare_books(records))).T
    assert len(equal) == 5_011
    start = int(np.searchsorted(book_times(records), records["time_ns"][0] + 5_400 * 10**9))
    windows = range(start, len(equal) - 500)
    assert len(windows) > 2_500
    assert min(int(equal[first : first + 501].sum()) for first in windows) >= 498
    assert min(int(at_once[first : first + 501].sum()) for first in windows) >= 495


def book_times(records: Records) -> list[int]:
    levels = of_kind(records, Kind.L2_LEVEL)
    return levels["time_ns"][levels["flags"] & LAST != 0].tolist()


def compare_books(records: Records) -> list[tuple[bool, bool]]:
    """Of each venue book: whether it is the orders' book now or shortly before, and whether it is now."""
    book = L3Book()
    found = []
    recent: list[tuple[int, list[list[tuple[int, int]]]]] = []  # (until when it stood, the book)
    cuts = np.flatnonzero(np.diff((records["kind"] == int(Kind.L2_LEVEL)).astype(int)) | (records["flags"] & LAST)[:-1]) + 1
    for part in np.split(records, cuts):
        if part["kind"][0] == int(Kind.L2_LEVEL):
            now = int(part["time_ns"][0])
            theirs = [part[["price", "quantity"]][part["flags"] & SELL == side][:5].tolist() for side in (0, 1)]
            ours = best_five(book)
            near = [kept for until, kept in recent if now - until <= 50_000_000]
            found.append((theirs in [ours, *near], theirs == ours))
            continue
        for index in range(len(part)):
            recent = [*recent[-20:], (int(part["time_ns"][index]), best_five(book))]
            book.apply(part[index : index + 1])
    return found


def best_five(book: L3Book) -> list[list[tuple[int, int]]]:
    return [[(price, lots) for price, lots, _ in book.depth(side, 5)] for side in (0, 1)]


def test_the_trades_of_bitstamp_2015_name_their_orders_at_their_price(store: Store, shared_dir: Path) -> None:
    _, report, records = stored(store, shared_dir / "data" / "l3", "bitstamp-l3")
    trades = of_kind(records, Kind.TRADE)
    executions = of_kind(records, Kind.L3_EXECUTE)
    assert (len(trades), len(executions), report.notes["trades_without_taker_row"]) == (575, 542, 0)
    both = trades[(trades["id"] != 0) & (trades["id2"] != 0)]
    assert len(both) == 542
    limits = {int(row["id"]): int(row["price"]) for row in of_kind(records, Kind.L3_ADD)}
    for trade in both:
        sell = int(trade["flags"]) & SELL
        maker = int(trade["id"] if sell else trade["id2"])
        assert limits[maker] == int(trade["price"])
    assert Decimal(int(trades["quantity"].sum())).scaleb(-8) > 0


def test_no_trade_of_bitstamp_2015_is_missing_and_the_audit_finds_none(store: Store, shared_dir: Path) -> None:
    """Its trade ids skip 133 numbers in 42 places, and yet every execution in the venue's book has its trade at once."""
    instrument, _, records = stored(store, shared_dir / "data" / "l3", "bitstamp-l3")
    ids = of_kind(records, Kind.TRADE)["venue_sequence"].astype(np.int64)
    assert int(ids.max() - ids.min()) + 1 - len(ids) == 133
    (path,) = (shared_dir / "data" / "l3").glob("*.log.xz")
    executions, trades = [], []
    for line in lzma.decompress(path.read_bytes()).decode().splitlines():
        time_ms, name, body = line.split(" ", 2)
        if name == "trade":
            trades.append(int(time_ms))
        elif name == "order_changed" or (name == "order_deleted" and Decimal(json.loads(body)["amount"]) == 0):
            executions.append(int(time_ms))
    assert len(executions) == 1_182
    at = np.searchsorted(trades, executions)
    around = np.array([-(10**9), *trades, 10**18])
    assert np.minimum(np.array(executions) - around[at], around[at + 1] - np.array(executions)).max() < 300
    (day,) = audit_days(instrument, iter([records]))
    assert (day.sequence_missing, day.gaps, day.backwards) == (1, 1, 0)
