"""Binance's messages to rows: hand-made ones for each rule, then messages that the venue documents."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.feeds.support import INVERSE, LINEAR, MS, SPOT, flags, frame, kinds, levels, payload
from tradebot._core.types import Kind
from tradebot.feeds.binance import BinanceFeed, open_frame, read_listings, read_update, venue_code
from tradebot.feeds.rows import SELL, to_records
from tradebot.store.instruments import make_instrument


def diff(first: int, last: int, previous: int | None = None, bids: Any = (), asks: Any = (), **more: Any) -> bytes:
    futures = {} if previous is None else {"pu": previous}
    return frame(e="depthUpdate", E=7, s="AAAUSD", U=first, u=last, b=list(bids), a=list(asks), **futures, **more)


def snapshot(last: int, bids: Any = (), asks: Any = ()) -> bytes:
    return frame(lastUpdateId=last, bids=list(bids), asks=list(asks))


BID, ASK = [["1.00", "2.0"]], [["1.01", "3.0"]]


@pytest.fixture
def spot() -> BinanceFeed:
    return BinanceFeed(SPOT)


@pytest.fixture
def linear() -> BinanceFeed:
    return BinanceFeed(LINEAR)


def test_a_snapshot_is_the_whole_book_between_begin_and_last(spot: BinanceFeed) -> None:
    rows = spot.receive(5, snapshot(10, [*BID, ["0.99", "1"]], ASK))
    assert levels(rows) == [(0, 100, 20), (0, 99, 10), (1, 101, 30)]
    assert flags(rows) == ["SNAPSHOT+BEGIN", "SNAPSHOT", "SELL+SNAPSHOT+LAST"]
    assert {row[:3] for row in rows} == {(5, 0, 10)}
    records = to_records(rows)
    assert records["instrument"].tolist() == [SPOT.id] * 3 and set(records["kind"].tolist()) == {int(Kind.L2_LEVEL)}


def test_an_empty_book_is_one_row_that_clears(spot: BinanceFeed) -> None:
    rows = spot.receive(5, snapshot(10))
    assert (levels(rows), flags(rows)) == ([(0, 0, 0)], ["SNAPSHOT+BEGIN+LAST"])


def test_a_diff_ends_with_last_and_bears_the_venues_time(linear: BinanceFeed) -> None:
    linear.receive(5, snapshot(10, BID, ASK))
    rows = linear.receive(6, diff(9, 12, 8, [["1.00", "0"]], [["1.02", "1"]], T=3))
    assert (levels(rows), flags(rows)) == ([(0, 100, 0), (1, 102, 10)], ["", "SELL+LAST"])
    assert {row[:3] for row in rows} == {(6, 3 * MS, 12)}


def test_a_frame_in_an_envelope_is_the_same_frame(spot: BinanceFeed) -> None:
    spot.receive(5, snapshot(10))
    rows = spot.receive(6, b'{"stream":"aaausd@depth","data":' + diff(11, 11, bids=BID) + b"}")
    assert levels(rows) == [(0, 100, 20)]


def test_another_symbols_messages_give_nothing(spot: BinanceFeed) -> None:
    assert spot.receive(5, frame(e="trade", s="BBBUSD", t=1, p="x", q="x", T=1, m=True)) == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"result":null,"id":1}',
        b'{"e":"kline","s":"AAAUSD","k":{"u":1}}',
        b'{"e":"forceOrder","o":{"s":"AAAUSD"}}',
        b'{"stream":"!miniTicker@arr","data":[{"e":"24hrMiniTicker"}]}',
    ],
)
def test_what_tells_nothing_gives_nothing(spot: BinanceFeed, body: bytes) -> None:
    assert spot.receive(5, body) == []


def test_a_quote_is_bid_and_ask_with_sizes(linear: BinanceFeed) -> None:
    (row,) = linear.receive(5, frame(e="bookTicker", u=9, s="AAAUSD", b="1.00", B="2.0", a="1.01", A="3.0", T=4, E=6))
    assert row == (5, 4 * MS, 9, 100, 20, 101, 30, LINEAR.id, int(Kind.QUOTE), 0, 0)


def test_the_book_ticker_of_spot_has_no_kind(spot: BinanceFeed) -> None:
    (row,) = spot.receive(5, frame(u=9, s="AAAUSD", b="1.00", B="2.0", a="1.01", A="3.0"))
    assert row[:7] == (5, 0, 9, 100, 20, 101, 30)


def trade(number: int = 1, maker: bool = True, **more: Any) -> bytes:
    return frame(**{"e": "trade", "s": "AAAUSD", "t": number, "p": "1.00", "q": "2.0", "T": 4, "m": maker, **more})


def test_the_aggressor_sold_where_the_buyer_rested(spot: BinanceFeed) -> None:
    (sold,) = spot.receive(5, trade(1, True, b=70, a=80))
    (bought,) = spot.receive(5, trade(2, False))
    assert sold == (5, 4 * MS, 1, 100, 20, 70, 80, SPOT.id, int(Kind.TRADE), SELL, 0)
    assert flags([bought]) == [""]


def test_microseconds_are_told_from_milliseconds(spot: BinanceFeed) -> None:
    (row,) = spot.receive(5, trade(T=1_700_000_000_123_456))
    assert row[1] == 1_700_000_000_123_456_000


def test_trades_that_met_no_order_of_the_book_are_void_and_empty_ones_left_out(linear: BinanceFeed) -> None:
    rows = [row for origin in ("MARKET", "INSURANCE_FUND") for row in linear.receive(5, trade(X=origin))]
    assert flags(rows) == ["SELL", "SELL+VOID"]
    assert linear.receive(5, trade(X="NA", p="0", q="0")) == []
    assert linear.notes == {"trades_of_nothing": 1}


def test_trades_told_twice_are_taken_once(spot: BinanceFeed) -> None:
    aggregate = frame(e="aggTrade", s="AAAUSD", a=1, p="1.00", q="2.0", f=1, l=2, T=4, m=True)
    assert kinds(spot.receive(5, aggregate)) == ["TRADE"]
    assert spot.receive(5, trade()) == []
    assert kinds(spot.receive(5, aggregate)) == ["TRADE"]
    assert spot.notes == {"trades_beside_aggTrades": 1}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "expected a message of Binance"),
        (b"[1]", "expected a message of Binance"),
        (b'{"e":"trade"', "expected a message of Binance"),
        (b'{"e":"trade","s":"AAAUSD"}', "expected a trade of Binance: .*missing required field"),
        (trade(p=1.0), "expected a trade of Binance"),
        (trade(p="1.005"), r"1\.005 is not a multiple of 0\.01"),
        (trade(q="-2"), "expected a quantity"),
        (trade(number=-1), "expected an id of 64 bits"),
        (trade(T=-1), "expected a time"),
        (trade(T=10**19), "expected a time"),
        (diff(1, 1, bids=[["1.005", "1"]]), "not a multiple"),
        (diff(1, 1, bids=[["1.00"]]), "expected a depthUpdate of Binance"),
        (diff(1, 2**64), "expected an id of 64 bits"),
        (snapshot(1, [["1.005", "1"]]), "not a multiple"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(spot: BinanceFeed, body: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        spot.receive(5, body)
    assert spot.lose(5) == []


def test_a_refused_diff_makes_a_gap_when_the_next_one_comes(spot: BinanceFeed) -> None:
    spot.receive(5, snapshot(10, BID, ASK))
    with pytest.raises(ValueError):
        spot.receive(6, diff(11, 11, bids=[["1.005", "1"]]))
    rows = spot.receive(7, diff(12, 12, bids=BID))
    assert kinds(rows) == ["GAP", "L2_LEVEL"]


def test_a_snapshot_that_was_asked_for_needs_no_symbol(spot: BinanceFeed) -> None:
    assert len(spot.receive_snapshot(5, snapshot(10, BID, ASK))) == 2


def test_the_codes_of_spot_linear_and_inverse() -> None:
    names = ["BTC/USDT@b", "BTC/USDT:USDT@b", "BTC/USD:BTC@b"]
    assert [venue_code(make_instrument(name, "1", "1")) for name in names] == ["BTCUSDT", "BTCUSDT", "BTCUSD_PERP"]


def test_an_exchange_info_lists_spot_pairs_and_perpetuals() -> None:
    def symbol(code: str, base: str, quote: str, notional: dict[str, str], **more: Any) -> dict[str, Any]:
        filters = [
            {"filterType": "PRICE_FILTER", "tickSize": "0.0100"},
            {"filterType": "LOT_SIZE", "stepSize": "0.1", "minQty": "0.2"},
            notional,
        ]
        return {"symbol": code, "baseAsset": base, "quoteAsset": quote, "filters": filters, **more}

    perpetual = {"contractType": "PERPETUAL", "marginAsset": "USDT"}
    coin = {"contractType": "PERPETUAL", "marginAsset": "BTC", "contractSize": 100}
    body = {
        "symbols": [
            symbol("AAAUSD", "AAA", "USD", {"filterType": "MIN_NOTIONAL", "minNotional": "10.0"}),
            symbol("BTCUSDT", "BTC", "USDT", {"filterType": "MIN_NOTIONAL", "notional": "5"}, **perpetual),
            symbol("BTCUSD_PERP", "BTC", "USD", {"filterType": "X"}, **coin),
            symbol("BTCUSDT_240927", "BTC", "USDT", {"filterType": "X"}, contractType="CURRENT_QUARTER", marginAsset="USDT"),
        ]
    }
    found = [tuple(one) for one in read_listings(json.dumps(body).encode())]
    assert found == [
        ("AAAUSD", "AAA/USD", "0.0100", "0.1", "1", "0.2", "10.0"),
        ("BTCUSDT", "BTC/USDT:USDT", "0.0100", "0.1", "1", "0.2", "5"),
        ("BTCUSD_PERP", "BTC/USD:BTC", "0.0100", "0.1", "100", "0.2", "0"),
    ]
    with pytest.raises(ValueError, match="expected an exchangeInfo"):
        read_listings(b"{}")


PACKED = "nautilus_binance_crate_json.tgz"
FINE = make_instrument("BTC/USDT:USDT@b", tick="0.0001", lot="0.01")


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "instrument", "expected"),
    [
        ("agg_trade_stream.json", FINE, [("TRADE", 123_456_785 * MS, 5_933_014, 10, 10_000, 0, 0, "SELL")]),
        ("futures/market_data_json/trade_stream.json", FINE, [("TRADE", 123_456_785 * MS, 5_933_014, 10, 10_000, 0, 0, "SELL")]),
        (
            "mark_price_stream.json", FINE,
            [("MARK", 1_562_305_380_000 * MS, 0, 117_941_500, 117_846_266, 381_670_000, 1_562_306_400_000 * MS, "")],
        ),
        (
            "book_ticker_stream.json", make_instrument("BNB/USDT:USDT@b", tick="0.0001", lot="0.01"),
            [("QUOTE", 1_568_014_460_891 * MS, 400_900_217, 253_519, 3_121, 253_652, 4_066, "")],
        ),
        ("liquidation_stream.json", FINE, []),
        ("kline_stream_closed.json", FINE, []),
        ("futures/market_data_json/ticker_stream.json", FINE, []),
    ],
)  # fmt: skip
def test_documented_messages_give_these_rows(shared_dir: Path, name: str, instrument: Any, expected: list[Any]) -> None:
    rows = BinanceFeed(instrument).receive(5, payload(shared_dir, PACKED, name))
    assert [(Kind(row[8]).name, *row[1:7], *flags([row])) for row in rows] == expected


@pytest.mark.shared
def test_the_documented_diff_follows_the_snapshot_it_reaches_over(shared_dir: Path) -> None:
    feed = BinanceFeed(FINE)
    feed.receive(1, frame(symbol="BTCUSDT", lastUpdateId=155, bids=[], asks=[]))
    rows = feed.receive(5, payload(shared_dir, PACKED, "depth_update_stream.json"))
    assert [(row[1], row[2]) for row in rows] == [(123_456_788 * MS, 160)] * 2
    assert levels(rows) == [(0, 24, 1_000), (1, 26, 10_000)]


@pytest.mark.shared
def test_the_documented_snapshot_and_exchange_info_are_read(shared_dir: Path) -> None:
    (listing,) = read_listings(payload(shared_dir, PACKED, "exchange_info_response.json"))
    assert (listing.code, listing.symbol) == ("ETHBTC", "ETH/BTC")
    message = open_frame(payload(shared_dir, PACKED, "spot/http_json/depth_response.json"))
    instrument = make_instrument("AAA/BBB@b", tick="0.00000001", lot="0.00000001")
    rows = BinanceFeed(instrument).take(5, message)
    assert levels(rows) == [(0, 400_000_000, 43_100_000_000), (1, 400_000_200, 1_200_000_000)]


def test_inverse_contracts_are_read_alike() -> None:
    feed = BinanceFeed(INVERSE)
    feed.receive(1, frame(symbol="BTCUSD_PERP", lastUpdateId=10, bids=[["61804.7", "35"]], asks=[]))
    rows = feed.receive(2, frame(e="depthUpdate", s="BTCUSD_PERP", U=12, u=14, pu=9, b=[["61804.8", "1001"]], a=[], T=4))
    assert levels(rows) == [(0, 618_048, 1_001)]


def test_ids_of_a_message_that_is_not_utf_8_are_none() -> None:
    message = open_frame(b'{"lastUpdateId":10,"bids":[["\xec","1"]],"asks":[]}')
    assert read_update(message) is None
    assert read_update(open_frame(b'{"lastUpdateId":10,"bids":[],"asks":[]}')) == (10, None)
