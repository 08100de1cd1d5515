"""Kraken's messages to rows. Checksums are computed here apart from the feed, from the texts of a plain list of levels."""

import json
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from tests.feeds.support import SPOT, flags, kinds, levels, payload
from tradebot._core.types import Kind
from tradebot.feeds.kraken import KrakenFeed, read_listings, venue_code
from tradebot.feeds.rows import SELL
from tradebot.store.instruments import make_instrument

PAIR = "AAA/USD"
BIDS = [["1.00", "2.00000000", "1.5"], ["0.99", "1.00000000", "3.25"]]
ASKS = [["1.02", "1.50000000", "2.0"], ["1.03", "4.00000000", "2.5"]]
COARSE = make_instrument("AAA/USD@venue", tick="0.01", lot="0.1")


def book(*parts: dict[str, Any], pair: str = PAIR, depth: int = 10) -> bytes:
    return json.dumps([1, *parts, f"book-{depth}", pair]).encode()


def word(asks: list[tuple[str, str]], bids: list[tuple[str, str]]) -> str:
    texts = [text.replace(".", "").lstrip("0") for level in asks + bids for text in level]
    return str(crc32("".join(texts).encode()))


SNAPSHOT = book({"as": ASKS, "bs": BIDS})


@pytest.fixture
def feed() -> KrakenFeed:
    return KrakenFeed(COARSE)


def test_a_snapshot_bears_the_newest_time_of_its_levels(feed: KrakenFeed) -> None:
    rows = feed.receive(5, SNAPSHOT)
    assert levels(rows) == [(0, 100, 20), (0, 99, 10), (1, 102, 15), (1, 103, 40)]
    assert flags(rows) == ["SNAPSHOT+BEGIN", "SNAPSHOT", "SELL+SNAPSHOT", "SELL+SNAPSHOT+LAST"]
    assert {row[:3] for row in rows} == {(5, 3_250_000_000, 0)}


def test_a_change_whose_checksum_agrees_is_taken(feed: KrakenFeed) -> None:
    feed.receive(5, SNAPSHOT)
    right = word([("1.03", "4.00000000")], [("1.00", "3.00000000"), ("0.99", "1.00000000")])
    changes = {"a": [["1.02", "0.00000000", "4.0"]]}, {"b": [["1.00", "3.00000000", "4.123456"]], "c": right}
    rows = feed.receive(6, book(*changes))
    assert levels(rows) == [(0, 100, 30), (1, 102, 0)]
    assert flags(rows) == ["", "SELL+LAST"]
    assert rows[0][1] == 4_123_456_000 and feed.checksums == 1


def test_a_change_whose_checksum_differs_loses_the_book_until_the_next_snapshot(feed: KrakenFeed) -> None:
    feed.receive(5, SNAPSHOT)
    change = {"b": [["1.00", "3.00000000", "4.0"]], "c": "7"}
    rows = feed.receive(6, book(change))
    assert kinds(rows) == ["GAP", "L2_LEVEL"] and flags(rows)[1] == "SNAPSHOT+BEGIN+LAST"
    ours = word([("1.02", "1.50000000"), ("1.03", "4.00000000")], [("1.00", "3.00000000"), ("0.99", "1.00000000")])
    assert (rows[0][2], rows[0][5]) == (int(ours), 7)
    assert feed.receive(7, book(change)) == []
    assert feed.notes == {"updates_without_book": 1}
    assert len(feed.receive(8, SNAPSHOT)) == 4


def test_a_text_of_the_checksum_is_the_venues_own(feed: KrakenFeed) -> None:
    """1.0200 is the level of 1.02, but not its text."""
    feed.receive(5, SNAPSHOT)
    right = word([("1.0200", "1.5"), ("1.03", "4.00000000")], [("1.00", "2.00000000"), ("0.99", "1.00000000")])
    rows = feed.receive(6, book({"a": [["1.0200", "1.5", "4.0"]], "c": right}))
    assert levels(rows) == [(1, 102, 15)]


def test_a_level_pushed_out_of_the_depth_is_deleted_by_the_message_that_did_it(feed: KrakenFeed) -> None:
    feed.receive(5, book({"as": ASKS, "bs": BIDS}, depth=2))
    rows = feed.receive(6, book({"b": [["1.01", "1.00000000", "4.0"]]}, depth=2))
    assert levels(rows) == [(0, 101, 10), (0, 99, 0)] and flags(rows) == ["", "LAST"]
    again = feed.receive(7, book({"b": [["0.99", "1.00000000", "4.0", "r"], ["1.01", "0.00000000", "4.0"]]}, depth=2))
    assert levels(again) == [(0, 99, 10), (0, 101, 0)]


def test_trades_have_no_id_but_a_side_and_a_time(feed: KrakenFeed) -> None:
    trades = [["1.00", "0.5", "1618678142.557535", side, "l", ""] for side in "sb"]
    rows = feed.receive(5, json.dumps([2, trades, "trade", PAIR]).encode())
    assert [row[:7] for row in rows] == [(5, 1_618_678_142_557_535_000, 0, 100, 5, 0, 0)] * 2
    assert [row[9] for row in rows] == [SELL, 0]


def test_a_ticker_is_a_quote(feed: KrakenFeed) -> None:
    body = {"a": ["1.02", 1, "1.5"], "b": ["1.00", 2, "2.0"], "c": ["1.0", "1"]}
    (row,) = feed.receive(5, json.dumps([3, body, "ticker", PAIR]).encode())
    assert row == (5, 0, 0, 100, 20, 102, 15, SPOT.id, int(Kind.QUOTE), 0, 0)


@pytest.mark.parametrize("body", [b'{"event":"heartbeat"}', b'[5,["x"],"spread","AAA/USD"]', book({"as": []}, pair="BBB/USD")])
def test_what_tells_nothing_gives_nothing(feed: KrakenFeed, body: bytes) -> None:
    assert feed.receive(5, body) == []


@pytest.mark.parametrize(
    ("body", "why", "is_lost"),
    [
        (b"[1,", "expected a message of Kraken", True),
        (b'{"event"', "expected a message of Kraken", True),
        (b"[1,2]", "found 2 parts", True),
        (book({"b": [["1.005", "1", "1.0"]]}), "not a multiple", True),
        (book({"b": [["1.00", "1"]]}), "expected a level of price, volume and time", True),
        (book({"b": [["1.00", "1", "x"]]}), "expected a time in seconds", True),
        (book({"b": [["1.00", "1", "1.0"]], "c": "x"}), "invalid literal", True),
        (b'[2,[["1.005","1","1.0","s","l",""]],"trade","AAA/USD"]', "not a multiple", False),
        (b'[2,[["1.00","1","1.0","x","l",""]],"trade","AAA/USD"]', "expected the side b or s", False),
        (b'[2,[["1.00"]],"trade","AAA/USD"]', "expected a message of Kraken", False),
    ],
)
def test_what_cannot_be_read_is_refused_and_loses_the_book_only_where_it_may_have_been_of_it(
    feed: KrakenFeed, body: bytes, why: str, is_lost: bool
) -> None:
    feed.receive(5, SNAPSHOT)
    with pytest.raises(ValueError, match=why):
        feed.receive(6, body)
    assert bool(feed.lose(6)) == is_lost
    assert feed.lose(7) == [], "there is no book left to lose" if is_lost else "nor was it of the book"


def test_a_new_connection_loses_the_book(feed: KrakenFeed) -> None:
    assert feed.reconnect(4) == []
    feed.receive(5, SNAPSHOT)
    assert kinds(feed.reconnect(6)) == ["GAP", "L2_LEVEL"]


def test_names_are_translated_both_ways() -> None:
    assert venue_code(make_instrument("BTC/CHF@kraken", "1", "1")) == "XBT/CHF"
    body = {
        "error": [],
        "result": {
            "XXBTZUSD": {"wsname": "XBT/USD", "pair_decimals": 1, "lot_decimals": 8, "ordermin": "0.0002"},
            "DARK": {"altname": "DARK"},
            "XDGEUR": {"wsname": "XDG/EUR", "pair_decimals": 5, "lot_decimals": 8, "tick_size": "0.00005"},
        },
    }
    found: list[tuple[str, ...]] = [tuple(one) for one in read_listings(json.dumps(body).encode())]
    assert found == [
        ("XBT/USD", "BTC/USD", "0.1", "0.00000001", "1", "0.0002", "0"),
        ("XDG/EUR", "DOGE/EUR", "0.00005", "0.00000001", "1", "0", "0"),
    ]
    with pytest.raises(ValueError, match="expected AssetPairs"):
        read_listings(b'{"result":[]}')


@pytest.mark.shared
def test_the_recorded_asset_pairs_are_read(shared_dir: Path) -> None:
    found = {one.symbol: one for one in read_listings(payload(shared_dir, "nautilus_kraken_json.tgz", "http_asset_pairs.json"))}
    assert (found["BTC/USDT"].tick, found["BTC/USDT"].lot) == ("0.1", "0.00000001")
