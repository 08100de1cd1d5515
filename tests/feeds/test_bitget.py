"""Bitget's messages to rows. Checksums are computed here apart from the feed."""

import json
from typing import Any
from zlib import crc32

import pytest

from tests.feeds.support import LINEAR, MS, SPOT, flags, kinds, levels
from tradebot._core.types import Kind
from tradebot.feeds.bitget import BitgetFeed, read_listings
from tradebot.feeds.grid import WORD
from tradebot.feeds.rows import SELL

BIDS = [["1.00", "2.0"], ["0.99", "1.0"]]
ASKS = [["1.02", "1.5"]]


def message(action: str, channel: str, *data: Any, market: str = "mc", code: str = "AAAUSD") -> bytes:
    arg = {"instType": market, "channel": channel, "instId": code}
    return json.dumps({"action": action, "arg": arg, "data": list(data)}).encode()


def word(text: str) -> int:
    """Signed, as the venue writes it."""
    found = crc32(text.encode())
    return found - (1 << 32) if found >> 31 else found


SNAPSHOT = message(
    "snapshot", "books", {"bids": BIDS, "asks": ASKS, "ts": "7", "checksum": word("1.00:2.0:1.02:1.5:0.99:1.0")}
)


@pytest.fixture
def feed() -> BitgetFeed:
    return BitgetFeed(LINEAR)


def test_a_snapshot_is_the_whole_book(feed: BitgetFeed) -> None:
    rows = feed.receive(5, SNAPSHOT)
    assert levels(rows) == [(0, 100, 20), (0, 99, 10), (1, 102, 15)]
    assert flags(rows) == ["SNAPSHOT+BEGIN", "SNAPSHOT", "SELL+SNAPSHOT+LAST"]
    assert {row[:3] for row in rows} == {(5, 7 * MS, 0)}
    assert feed.checksums == 1


def test_a_change_is_taken_where_its_checksum_agrees_and_loses_the_book_where_not(feed: BitgetFeed) -> None:
    feed.receive(5, SNAPSHOT)
    right = word("1.00:2.0:1.03:4.0:0.99:1.0")
    changes = {"bids": [], "asks": [["1.02", "0"], ["1.03", "4.0"]], "ts": "8"}
    rows = feed.receive(6, message("update", "books", {**changes, "checksum": right}))
    assert (levels(rows), flags(rows)) == ([(1, 102, 0), (1, 103, 40)], ["SELL", "SELL+LAST"])
    rows = feed.receive(7, message("update", "books", {**changes, "checksum": 1}))
    assert kinds(rows) == ["GAP", "L2_LEVEL"]
    assert (rows[0][2], rows[0][5]) == (right % (1 << 32), 1)
    assert feed.receive(8, message("update", "books", {**changes, "checksum": right})) == []
    assert feed.notes == {"updates_without_book": 1}


def test_trades_are_read_from_the_oldest_and_the_page_of_history_is_left_out(feed: BitgetFeed) -> None:
    trades = [["9", "1.01", "0.2", "sell"], ["8", "1.00", "0.1", "buy"]]
    assert feed.receive(5, message("snapshot", "trade", *trades)) == []
    assert feed.notes == {"trades_before_subscription": 2}
    rows = feed.receive(6, message("update", "trade", *trades))
    assert [row[1:5] for row in rows] == [(8 * MS, 0, 100, 1), (9 * MS, 0, 101, 2)]
    assert [row[9] for row in rows] == [0, SELL]


def test_a_ticker_is_a_mark(feed: BitgetFeed) -> None:
    ticker = {
        "systemTime": 7, "markPrice": "1.016", "indexPrice": "1.02", "capitalRate": "-0.0001", "nextSettleTime": 9,
        "bestAsk": "1.02",
    }  # fmt: skip
    (row,) = feed.receive(5, message("snapshot", "ticker", ticker))
    assert row[:7] == (5, 7 * MS, 0, 102, 102, WORD - 100_000_000, 9 * MS) and row[8] == Kind.MARK


def test_spot_and_contract_of_one_name_are_told_apart() -> None:
    trade = message("update", "trade", ["9", "1.01", "0.2", "sell"], market="sp")
    assert BitgetFeed(LINEAR).receive(5, trade) == []
    assert len(BitgetFeed(SPOT).receive(5, trade)) == 1


@pytest.mark.parametrize(
    "body", [b"pong", b'{"event":"subscribe","arg":{"instType":"mc","channel":"books","instId":"AAAUSD"}}', b'{"op":"x"}']
)
def test_what_tells_nothing_gives_nothing(feed: BitgetFeed, body: bytes) -> None:
    assert feed.receive(5, body) == []


@pytest.mark.parametrize(
    ("body", "why", "is_lost"),
    [
        (b"{", "expected a message of Bitget", True),
        (message("update", "books", {"bids": [["1.005", "1"]], "asks": [], "ts": "8"}), "not a multiple", True),
        (message("update", "books", {"bids": [], "asks": [], "ts": "x"}), "expected a time in milliseconds", True),
        (message("update", "books", {"bids": []}), "expected a message of Bitget", True),
        (message("update", "trade", ["9", "1.01", "0.2", "both"]), "expected the side buy or sell", False),
    ],
)
def test_what_cannot_be_read_is_refused_and_loses_the_book_only_where_it_may_have_been_of_it(
    feed: BitgetFeed, body: bytes, why: str, is_lost: bool
) -> None:
    feed.receive(5, SNAPSHOT)
    with pytest.raises(ValueError, match=why):
        feed.receive(6, body)
    assert bool(feed.lose(6)) == is_lost


def test_a_new_connection_loses_the_book(feed: BitgetFeed) -> None:
    assert feed.reconnect(4) == []
    feed.receive(5, SNAPSHOT)
    assert kinds(feed.reconnect(6)) == ["GAP", "L2_LEVEL"]


def test_products_list_spot_pairs_and_linear_contracts() -> None:
    spot = {
        "symbol": "AUSDT_SPBL", "baseCoin": "A", "quoteCoin": "USDT", "minTradeAmount": "2", "priceScale": "4",
        "quantityScale": "3",
    }  # fmt: skip
    linear = {
        "symbol": "AUSDT_UMCBL", "baseCoin": "A", "quoteCoin": "USDT", "minTradeNum": "0.001", "priceEndStep": "5",
        "volumePlace": "3", "pricePlace": "1",
    }  # fmt: skip
    body = json.dumps({"data": [spot, linear, {**linear, "symbol": "AUSD_DMCBL"}]}).encode()
    assert [tuple(one) for one in read_listings(body)] == [
        ("AUSDT", "A/USDT", "0.0001", "0.001", "1", "2", "0"),
        ("AUSDT", "A/USDT:USDT", "0.5", "0.001", "1", "0.001", "0"),
    ]
    with pytest.raises(ValueError, match="expected a list of products"):
        read_listings(b"{}")
