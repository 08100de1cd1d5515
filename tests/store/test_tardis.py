"""The tardis importer: every kind of data by hand-made rows, the five recorded payloads, and what it refuses."""

import csv
from decimal import Decimal
from itertools import groupby
from pathlib import Path

import pytest

from tests.store.support import Records
from tests.store.tabular import COIN, kinds, read, rejected, rows, signed, write
from tradebot._core.depth import L2Book
from tradebot._core.types import Flag
from tradebot.domain.errors import BadContainer, UnknownInstrument, UsageError
from tradebot.store import table, tardis
from tradebot.store.client import Store
from tradebot.store.formats import open_import
from tradebot.store.instruments import make_instrument

BASE = "exchange,symbol,timestamp,local_timestamp"
TRADES = f"{BASE},id,side,price,amount"
QUOTES = f"{BASE},ask_amount,ask_price,bid_price,bid_amount"
CHANGES = f"{BASE},is_snapshot,side,price,amount"
TICKER = f"{BASE},funding_timestamp,funding_rate,predicted_funding_rate,open_interest,last_price,index_price,mark_price"
SELL, SNAPSHOT, BEGIN, LAST = (int(flag) for flag in (Flag.SELL, Flag.SNAPSHOT, Flag.BEGIN, Flag.LAST))
US = 1_600_000_000_000_000


def line(venue: int, local: int, *cells: object) -> str:
    """A row with its times in microseconds behind US."""
    return ",".join(map(str, ("binance-futures", "BTCUSDT", US + venue, US + local, *cells)))


def at(micros: int) -> int:
    return (US + micros) * 1000


def test_a_trade_has_both_times(tmp_path: Path) -> None:
    lines = [line(1, 3, 77, "sell", "100.01", "0.5"), line(2, 4, "uuid", "buy", "100.00", "1")]
    records, findings = read(tardis, write(tmp_path / "t.csv.gz", TRADES, *lines))
    assert rows(records, "venue_ns", "time_ns", "venue_sequence", "price", "quantity", "flags") == [
        (at(1), at(3), 77, 10_001, 500, SELL), (at(2), at(4), 0, 10_000, 1_000, 0)
    ]  # fmt: skip
    assert (set(kinds(records)), findings.rejects) == ({"TRADE"}, [])


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    moved = f"{BASE},new,amount,price,side,id"
    records, _ = read(tardis, write(tmp_path / "t.csv", moved, line(1, 3, "x", "0.5", "100.01", "sell", 77)))
    plain, _ = read(tardis, write(tmp_path / "u.csv", TRADES, line(1, 3, 77, "sell", "100.01", "0.5")))
    assert records.tobytes() == plain.tobytes()


def test_a_receipt_that_falls_gets_the_time_before_it(tmp_path: Path) -> None:
    lines = [line(5, 9, 1, "buy", "1", "1"), line(4, 8, 2, "buy", "1", "1"), line(6, 10, 3, "buy", "1", "1")]
    records, findings = read(tardis, write(tmp_path / "t.csv", TRADES, *lines))
    assert rows(records, "time_ns", "venue_sequence") == [(at(9), 1), (at(9), 2), (at(10), 3)]
    assert findings.late == 1


def test_a_quote_may_lack_a_side(tmp_path: Path) -> None:
    lines = [line(1, 2, "0.5", "100.02", "100.01", "0.7"), line(1, 3, "", "", "100.01", "0.7")]
    records, findings = read(tardis, write(tmp_path / "q.csv", QUOTES, *lines))
    assert rows(records, "price", "quantity", "id", "id2") == [(10_001, 700, 10_002, 500), (10_001, 700, 0, 0)]
    assert (set(kinds(records)), findings.rejects) == ({"QUOTE"}, [])


@pytest.mark.parametrize("cells", [1, 1 << 16])
def test_rows_of_two_equal_times_are_one_message(tmp_path: Path, cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where each row is a block of its own."""
    monkeypatch.setattr(table, "_CHUNK_CELLS", cells)
    lines = [
        line(1, 2, "true", "ask", "102", "1"),
        line(1, 2, "true", "bid", "101", "2"),
        line(3, 4, "false", "ask", "102", "0"),
        line(3, 4, "false", "ask", "103", "5"),
        line(3, 5, "false", "bid", "101", "1"),
        line(6, 6, "true", "bid", "100", "3"),
        line(7, 7, "true", "ask", "104", "3"),
        line(8, 8, "false", "bid", "100", "4"),
    ]
    records, findings = read(tardis, write(tmp_path / "b.csv", CHANGES, *lines))
    assert rows(records, "price", "quantity", "flags") == [
        (10_200, 1_000, SELL | SNAPSHOT | BEGIN),
        (10_100, 2_000, SNAPSHOT | LAST),
        (10_200, 0, SELL),
        (10_300, 5_000, SELL | LAST),
        (10_100, 1_000, LAST),
        (10_000, 3_000, SNAPSHOT | BEGIN | LAST),
        (10_400, 3_000, SELL | SNAPSHOT | LAST),
        (10_000, 4_000, LAST),
    ]
    book = L2Book()
    book.apply(records)
    assert (book.bid, book.bid_quantity, book.ask, book.ask_quantity) == (10_000, 4_000, 10_400, 3_000)
    assert (set(kinds(records)), findings.rejects) == ({"L2_LEVEL"}, [])


def test_a_bad_row_leaves_its_message_whole(tmp_path: Path) -> None:
    lines = [
        line(1, 2, "true", "ask", "102", "1"),
        line(1, 2, "true", "ask", "102.001", "1"),
        line(2, 3, "maybe", "ask", "1", "1"),
    ]
    records, findings = read(tardis, write(tmp_path / "b.csv", CHANGES, *lines))
    assert records["flags"].tolist() == [SELL | SNAPSHOT | BEGIN | LAST]
    assert rejected(findings) == [("b.csv", 3), ("b.csv", 4)]


def test_a_snapshot_row_is_a_whole_book(tmp_path: Path) -> None:
    columns = [f"{side}[{level}].{what}" for level in (0, 1) for side in ("asks", "bids") for what in ("price", "amount")]
    header = ",".join([BASE, *columns])
    lines = [
        line(1, 2, 102, 1, 101, 2, 103, 3, 100, 4),
        line(3, 4, 102, 1, "", "", "", "", "", ""),
        line(5, 6, *[""] * 8),
    ]
    records, findings = read(tardis, write(tmp_path / "s.csv", header, *lines))
    assert rows(records, "time_ns", "price", "quantity", "flags") == [
        (at(2), 10_200, 1_000, SELL | SNAPSHOT | BEGIN),
        (at(2), 10_100, 2_000, SNAPSHOT),
        (at(2), 10_300, 3_000, SELL | SNAPSHOT),
        (at(2), 10_000, 4_000, SNAPSHOT | LAST),
        (at(4), 10_200, 1_000, SELL | SNAPSHOT | BEGIN | LAST),
    ]
    assert findings.rejects == []


def test_a_level_without_its_amount_is_a_bad_header(tmp_path: Path) -> None:
    columns = "asks[0].price,asks[0].amount,bids[0].price,bids[0].amount,asks[1].price"
    with pytest.raises(BadContainer, match=r"found asks\[1\]\.price alone"):
        tardis.open_source(write(tmp_path / "s.csv", f"{BASE},{columns}", line(1, 2, 1, 1, 1, 1, 1)), COIN)


def test_a_ticker_gives_marks_settlements_and_interest_where_they_change(tmp_path: Path) -> None:
    hour = 3_600_000_000
    lines = [
        line(1, 2, US + hour, "0.0001", "", "5", "100", "99.99", "100.004"),
        line(3, 4, US + hour, "0.0001", "", "5", "101", "99.99", "100.004"),
        line(5, 6, US + hour, "-0.00025", "", "5", "101", "99.99", "100.006"),
        line(hour + 1, hour + 2, US + hour, "0.0007", "", "6", "101", "99.99", "100.006"),
        line(hour + 3, hour + 4, US + 9 * hour, "0.0007", "", "6", "101", "", "100.006"),
        line(9 * hour, 9 * hour + 1, US + 17 * hour, "0.0001", "", "", "101", "", ""),
    ]
    records, findings = read(tardis, write(tmp_path / "d.csv", TICKER, *lines))
    assert kinds(records) == ["MARK", "OPEN_INTEREST", "MARK", "MARK", "OPEN_INTEREST", "FUNDING", "MARK", "FUNDING"]
    marks = records[records["kind"] == records["kind"][0]]
    assert [(mark, index, signed(rate)) for mark, index, rate in rows(marks, "price", "quantity", "id")] == [
        (10_000, 9_999, 100_000_000), (10_001, 9_999, -250_000_000), (10_001, 9_999, 700_000_000), (10_001, 0, 700_000_000)
    ]  # fmt: skip
    assert marks["id2"].tolist() == [at(hour)] * 3 + [at(9 * hour)]
    settled = records[[5, 7]]
    assert rows(settled, "time_ns", "venue_ns", "price", "id2") == [
        (at(hour + 4), at(hour), 10_001, 0), (at(9 * hour + 1), at(9 * hour), 10_001, 8 * hour * 1000)
    ]  # fmt: skip
    assert [signed(rate) for rate in settled["id"].tolist()] == [-250_000_000, 700_000_000]
    assert rows(records[[1, 4]], "quantity") == [(5_000,), (6_000,)]
    assert findings.rejects == []


def test_a_settlement_that_is_moved_before_it_comes_is_none(tmp_path: Path) -> None:
    lines = [line(1, 2, US + 100, "0.1", "", "", "", "", "1"), line(3, 4, US + 200, "0.1", "", "", "", "", "1")]
    records, _ = read(tardis, write(tmp_path / "d.csv", TICKER, *lines))
    assert kinds(records) == ["MARK", "MARK"]


def test_bad_rows_are_listed_with_file_and_line(tmp_path: Path) -> None:
    good = line(1, 2, 1, "buy", "1", "1")
    bad = [
        line(1, 2, 1, "unknown", "1", "1"),
        line(1, 2, 1, "buy", "1.001", "1"),
        line(1, 2, 1, "buy", "1", "0.0001"),
        good.replace("BTCUSDT", "ETHUSDT"),
        good.replace("binance-futures", "binance"),
        good.replace(str(US + 1), "now"),
        good + ",",
    ]
    records, findings = read(tardis, write(tmp_path / "t.csv", TRADES, good, *bad, good))
    assert (len(records), rejected(findings)) == (2, [("t.csv", number) for number in range(3, 10)])
    assert "expected one of BTCUSDT, found 'ETHUSDT'" in findings.rejects[3].why


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("bitmex_liquidations_2020-01-01_XBTUSD.csv", TRADES),
        ("o.csv", f"{BASE},type,strike_price,ask_price,ask_amount,bid_price,bid_amount"),
        ("x.csv", f"{BASE},something"),
    ],
)
def test_other_kinds_of_data_are_refused(tmp_path: Path, name: str, header: str) -> None:
    path = write(tmp_path / name, header, line(1, 2))
    assert tardis.recognises(path)
    with pytest.raises(BadContainer, match=r"expected incremental_book_L2, .* trades of Tardis"):
        tardis.open_source(path, COIN)


def test_a_cut_gzip_leaves_the_store_as_it_was(tmp_path: Path, store: Store) -> None:
    path = write(tmp_path / "t.csv.gz", TRADES, *(line(n, n, n, "buy", f"{100 + n % 17}", "1") for n in range(30_000)))
    path.write_bytes(path.read_bytes()[:-9_000])
    with pytest.raises(BadContainer, match=r"t\.csv\.gz"):
        store.import_records(COIN, *tardis.open_source(path, COIN))
    assert store.catalogue() == []


@pytest.mark.parametrize(
    ("exchange", "symbol", "name", "multiplier"),
    [
        ("binance-futures", "BTCUSDT", "BTC/USDT:USDT@binance-linear", "1"),
        ("binance-futures", "1000SHIBUSDT", "1000SHIB/USDT:USDT@binance-linear", "1"),
        ("binance-delivery", "BTCUSD_PERP", "BTC/USD:BTC@binance-inverse", "100"),
        ("binance-delivery", "ETHUSD_PERP", "ETH/USD:ETH@binance-inverse", "10"),
        ("binance", "ETHBTC", "ETH/BTC@binance", "1"),
        ("binance", "BTCFDUSD", "BTC/FDUSD@binance", "1"),
        ("bitmex", "XBTUSD", "BTC/USD:BTC@bitmex", "1"),
        ("deribit", "ETH-PERPETUAL", "ETH/USD:ETH@deribit", "1"),
        ("huobi-dm-swap", "BTC-USD", "BTC/USD:BTC@huobi-inverse", "100"),
        ("bybit", "BTCUSDT", "BTC/USDT:USDT@bybit-linear", "1"),
        ("bybit", "BTCUSD", "BTC/USD:BTC@bybit-inverse", "1"),
        ("okex-swap", "BTC-USD-SWAP", "BTC/USD:BTC@okx-inverse", "100"),
        ("coinbase", "BTC-USD", "BTC/USD@coinbase", "1"),
        ("kraken", "XBT/EUR", "BTC/EUR@kraken", "1"),
        ("bitstamp", "btcusd", "BTC/USD@bitstamp", "1"),
        ("binance-futures", "BTCUSDT_210326", None, ""),
        ("binance-delivery", "BTCUSD_210326", None, ""),
        ("bitmex", "ETHUSD", None, ""),
        ("deribit", "SOL_USDC-PERPETUAL", None, ""),
        ("deribit", "BTC-27MAR20", None, ""),
        ("okex-swap", "BTC-USDT-SWAP", None, ""),
        ("bybit", "BTCUSDH21", None, ""),
        ("nowhere", "BTCUSDT", None, ""),
        ("binance", "USDT", None, ""),
    ],
)
def test_the_first_row_names_the_instrument_where_that_is_certain(
    tmp_path: Path, exchange: str, symbol: str, name: str | None, multiplier: str
) -> None:
    path = write(tmp_path / "t.csv", TRADES, f"{exchange},{symbol},{US},{US},1,buy,1,1")
    if name is None:
        with pytest.raises(UsageError, match="expected --instrument for the format tardis"):
            open_import(path, tick="0.1", lot="1")
        return
    made = open_import(path, tick="0.1", lot="1").instrument
    assert made == make_instrument(name, "0.1", "1", multiplier)
    assert open_import(path, known=[made]).instrument == made
    assert open_import(path, instrument=made.symbol, tick="0.1", lot="1").instrument == made
    with pytest.raises(UnknownInstrument, match="give its --tick and --lot"):
        open_import(path)


def test_a_file_without_rows_names_nothing(tmp_path: Path) -> None:
    assert tardis.names(write(tmp_path / "t.csv", TRADES)) == []
    assert len(read(tardis, tmp_path / "t.csv")[0]) == 0


@pytest.mark.shared
@pytest.mark.parametrize(
    ("file", "tick", "lot", "count"),
    [
        ("binance-futures_book_snapshot_5_BTCUSDT.csv", "0.01", "0.001", 100),
        ("binance-futures_book_snapshot_25_BTCUSDT.csv", "0.01", "0.001", 500),
        ("bitmex_trades_XBTUSD.csv", "0.5", "1", 10),
        ("deribit_incremental_book_L2_BTC-PERPETUAL.csv", "0.5", "10", 15),
        ("huobi-dm-swap_quotes_BTC-USD.csv", "0.1", "1", 10),
    ],
)
def test_a_recorded_payload_gives_every_number_back(
    shared_dir: Path, store: Store, file: str, tick: str, lot: str, count: int
) -> None:
    path = shared_dir / "data" / "venue_payloads" / file
    opened = open_import(path, tick=tick, lot=lot)
    instrument = opened.instrument
    records, findings = read(tardis, path, instrument)
    assert (len(records), findings.rejected) == (count, 0)
    report = store.import_records(instrument, opened.source, opened.batches)
    again = store.import_records(*open_import(path, known=store.instruments()))
    assert (report.rows, again.repeated, store.selection([instrument.id]).rows) == (count, True, count)
    cells = list(csv.DictReader(path.read_text().splitlines()))
    prices, sizes = [], []
    for row in cells:
        named = [name for name in row if name.endswith("price")]
        prices += [Decimal(row[name]) for name in named]
        sizes += [Decimal(row[name.replace("price", "amount")]) for name in named]
    found = sorted(zip(*(_sides(records, slots) for slots in (("price", "id"), ("quantity", "id2"))), strict=True))
    assert found == sorted(
        (int(price / instrument.tick_size), int(size / instrument.lot_size)) for price, size in zip(prices, sizes, strict=True)
    )
    assert {time for (time,) in rows(records, "time_ns")} == {int(row["local_timestamp"]) * 1000 for row in cells}


def _sides(records: Records, slots: tuple[str, str]) -> list[int]:
    """The numbers of the first slot, and for quotes those of the second, which has the other side."""
    first, second = (records[slot].tolist() for slot in slots)
    return [*first, *second] if "QUOTE" in kinds(records) else [*first]


@pytest.mark.shared
def test_a_recorded_snapshot_is_the_book_of_its_row(shared_dir: Path) -> None:
    path = shared_dir / "data" / "venue_payloads" / "binance-futures_book_snapshot_25_BTCUSDT.csv"
    instrument = open_import(path, tick="0.01", lot="0.001").instrument
    records, _ = read(tardis, path, instrument)
    cells = list(csv.DictReader(path.read_text().splitlines()))
    book, seen = L2Book(), 0
    for (_, group), row in zip(groupby(range(len(records)), lambda n: n // 50), cells, strict=True):
        part = records[list(group)]
        book.apply(part)
        for side, name in ((0, "bids"), (1, "asks")):
            levels = [(instrument.price_text(price), instrument.quantity_text(size)) for price, size in book.depth(side, 25)]
            assert [(Decimal(price), Decimal(size)) for price, size in levels] == [
                (Decimal(row[f"{name}[{level}].price"]), Decimal(row[f"{name}[{level}].amount"])) for level in range(25)
            ]
            seen += len(levels)
    assert seen == 500
