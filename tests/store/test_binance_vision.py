"""The binance-vision importer: each kind of file with and without its header, in every unit of time; checksums; what it
refuses. Rows are written in the layout that the archive documents."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from tests.store.tabular import COIN, SECOND, content, kinds, read, rejected, rows, signed
from tradebot.domain.errors import BadContainer, UsageError
from tradebot.store import binance_vision
from tradebot.store.client import Store
from tradebot.store.formats import open_import

DAY = 1_704_067_200  # 2024-01-01
MS = DAY * 1000
HEADERS = {
    "trades": "id,price,qty,quote_qty,time,is_buyer_maker",
    "aggTrades": "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker",
    "1m": "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore",
    "bookTicker": "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time",
    "fundingRate": "calc_time,funding_interval_hours,last_funding_rate",
    "metrics": "create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,"
    "sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio",
}


def zipped(path: Path, *lines: str, checksum: str | None = "right") -> Path:
    """A zip with its CSV, and its checksum beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{path.stem}.csv", "".join(line + "\n" for line in lines))
    if checksum is not None:
        found = hashlib.sha256(path.read_bytes()).hexdigest() if checksum == "right" else checksum
        path.with_name(path.name + ".CHECKSUM").write_text(f"{found}  {path.name}\n")
    return path


def name(kind: str, folder: Path, symbol: str = "BTCUSDT") -> Path:
    return folder / f"{symbol}-{kind}-2024-01-01.zip"


def kline(minute: int, volume: str = "7.5", count: int = 3, unit: int = 1000, close: str = "100.5") -> str:
    start = (DAY + 60 * minute) * unit
    return f"{start},100.00,101,99.00,{close},{volume},{start + 60 * unit - 1},1,{count},1,1,0"


@pytest.mark.parametrize("with_header", [True, False])
@pytest.mark.parametrize("unit", [1, 1000, 1_000_000])
def test_trades_come_in_with_and_without_a_header_in_every_unit(tmp_path: Path, with_header: bool, unit: int) -> None:
    lines = [f"7,100.01,0.5,50,{DAY * unit},true", f"8,100.00,1.000,100,{(DAY + 1) * unit},False"]
    path = zipped(name("trades", tmp_path), *([HEADERS["trades"]] if with_header else []), *lines)
    records, findings = read(binance_vision, path)
    assert rows(records, "time_ns", "venue_ns", "venue_sequence", "price", "quantity", "flags") == [
        (DAY * SECOND, DAY * SECOND, 7, 10_001, 500, 1), ((DAY + 1) * SECOND, (DAY + 1) * SECOND, 8, 10_000, 1_000, 0)
    ]  # fmt: skip
    assert (set(kinds(records)), findings.gaps, findings.rejected) == ({"TRADE"}, 0, 0)


@pytest.mark.parametrize("header", [[], [HEADERS["aggTrades"]]])
def test_aggregates_are_trades_and_missing_numbers_are_gaps(tmp_path: Path, header: list[str]) -> None:
    lines = [f"{n},100.0{n},0.5,{n},{n},{MS + n},true" for n in (1, 2, 5, 6, 6, 9)]
    records, findings = read(binance_vision, zipped(name("aggTrades", tmp_path), *header, *lines))
    assert rows(records, "venue_sequence", "price") == [(n, 10_000 + n) for n in (1, 2, 5, 6, 9)]
    assert (findings.gaps, findings.duplicates) == (2, 1)


def test_an_aggregate_of_nothing_is_listed(tmp_path: Path) -> None:
    path = zipped(name("aggTrades", tmp_path), f"1,0.0,0.0,-1,-1,{MS},true", f"2,1,1,1,1,{MS},true")
    records, findings = read(binance_vision, path)
    assert (len(records), rejected(findings)) == (1, [("BTCUSDT-aggTrades-2024-01-01.csv", 1)])


@pytest.mark.parametrize("header", [[], [HEADERS["1m"]]])
@pytest.mark.parametrize("unit", [1000, 1_000_000])
def test_klines_are_bars(tmp_path: Path, header: list[str], unit: int) -> None:
    path = zipped(name("1m", tmp_path), *header, *(kline(minute, unit=unit) for minute in (0, 1, 3)))
    records, findings = read(binance_vision, path)
    slots = ("venue_ns", "time_ns", "venue_sequence", "id", "id2", "price", "quantity", "owner")
    assert rows(records[:1], *slots) == [
        (DAY * SECOND, (DAY + 60) * SECOND, 10_000, 10_100, 9_900, 10_050, 7_500, 60)
    ]
    assert (set(kinds(records)), len(records), findings.gaps) == ({"BAR"}, 3, 1)


def test_klines_may_be_of_one_bar_of_a_month(tmp_path: Path) -> None:
    records, _ = read(binance_vision, zipped(tmp_path / "BTCUSDT-1mo-2024-01.zip", kline(0)))
    assert rows(records, "time_ns", "owner") == [((DAY + 31 * 86_400) * SECOND, 0)]


def test_klines_that_are_of_no_trades_are_refused_unless_their_folder_says_what_they_are(tmp_path: Path) -> None:
    lines = [kline(minute, volume="0", count=60, close="100.126") for minute in range(2)]
    with pytest.raises(BadContainer, match="bars without volume that count updates"):
        binance_vision.open_source(zipped(name("1m", tmp_path), *lines), COIN)
    folder = tmp_path / "futures" / "um" / "daily" / "markPriceKlines" / "BTCUSDT" / "1m"
    records, findings = read(binance_vision, zipped(name("1m", folder), *lines))
    assert rows(records, "time_ns", "venue_ns", "price", "quantity", "id", "id2") == [
        ((DAY + 60 * n) * SECOND, (DAY + 60 * n) * SECOND, 10_013, 0, 0, 0) for n in (1, 2)
    ]
    assert (set(kinds(records)), findings.rejected) == ({"MARK"}, 0)


def test_a_quiet_minute_is_a_bar(tmp_path: Path) -> None:
    assert len(read(binance_vision, zipped(name("1m", tmp_path), kline(0, volume="0", count=0)))[0]) == 1


@pytest.mark.parametrize("header", [[], [HEADERS["bookTicker"]]])
def test_book_tickers_are_quotes_by_event_time(tmp_path: Path, header: list[str]) -> None:
    lines = [
        f"11,100,0.5,100.01,0.6,{MS + 1},{MS + 3}",
        f"13,100,0.5,100.02,0.6,{MS + 2},{MS + 4}",
        f"12,100,0.5,100.03,0.6,{MS + 2},{MS + 4}",
        f"10,100,0.5,100.00,0.6,{MS},{MS + 2}",
    ]
    records, findings = read(binance_vision, zipped(name("bookTicker", tmp_path), *header, *lines))
    assert rows(records, "venue_sequence", "id") == [(10, 10_000), (11, 10_001), (12, 10_003), (13, 10_002)]
    slots = ("time_ns", "venue_ns", "price", "quantity", "id2")
    assert rows(records[:1], *slots) == [((MS + 2) * 10**6, MS * 10**6, 10_000, 500, 600)]
    assert (set(kinds(records)), findings.late) == ({"QUOTE"}, 1)


@pytest.mark.parametrize("header", [[], [HEADERS["fundingRate"]]])
def test_funding_rates_are_settlements(tmp_path: Path, header: list[str]) -> None:
    lines = [f"{MS + 1},8,0.00010000", f"{MS + 28_800_007},8,-0.00025001"]
    records, _ = read(binance_vision, zipped(tmp_path / "BTCUSDT-fundingRate-2024-01.zip", *header, *lines))
    assert [(time, signed(rate), interval) for time, rate, interval in rows(records, "time_ns", "id", "id2")] == [
        ((MS + 1) * 10**6, 100_000_000, 28_800 * SECOND), ((MS + 28_800_007) * 10**6, -250_010_000, 28_800 * SECOND)
    ]  # fmt: skip
    assert set(kinds(records)) == {"FUNDING"}


@pytest.mark.parametrize(
    ("symbol", "day", "late"),
    [("BTCUSDT", "2024-01-01", 0), ("BTCUSDT", "2026-06-24", 0), ("BTCUSDT", "2026-06-25", 300),
     ("BTCUSD_PERP", "2024-01-01", 300)],
)  # fmt: skip
def test_open_interest_is_known_when_its_five_minutes_are_over(tmp_path: Path, symbol: str, day: str, late: int) -> None:
    line = f"2024-01-01 00:05:00,{symbol},77082.01800000,1,1,1,1,1"
    path = zipped(tmp_path / f"{symbol}-metrics-{day}.zip", HEADERS["metrics"], line)
    records, _ = read(binance_vision, path)
    moment = (DAY + 300 + late) * SECOND
    assert rows(records, "time_ns", "venue_ns", "quantity") == [(moment, moment, 77_082_018)]
    assert kinds(records) == ["OPEN_INTEREST"]


@pytest.mark.parametrize(
    ("path", "line", "why"),
    [
        ("BTCUSDT-bookDepth-2024-01-01.zip", "2024-01-01 00:00:07,-5,7885.275,647368074.3", "no levels of a book"),
        ("premiumIndexKlines/BTCUSDT-1m-2024-01-01.zip", "x", "a premium is not a price"),
        ("indexPriceKlines/BTCUSDT-1m-2024-01-01.zip", "x", "an index is kept with its mark only"),
    ],
)
def test_what_no_record_can_hold_gives_nothing_and_says_why(tmp_path: Path, path: str, line: str, why: str) -> None:
    records, findings = read(binance_vision, zipped(tmp_path / path, line))
    assert (len(records), findings.rejected) == (0, 1)
    assert why in findings.rejects[0].why and "leave the file away" in findings.rejects[0].why


def test_a_checksum_that_differs_is_refused_with_both_sums(tmp_path: Path, store: Store) -> None:
    path = zipped(name("trades", tmp_path), f"7,100,1,1,{MS},true", checksum="ab" * 32)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(BadContainer, match=rf"sha256 {'ab' * 32} that .*\.CHECKSUM gives, found {found}; fetch both"):
        open_import(path, tick="0.01", lot="0.001")
    assert store.catalogue() == []


def test_a_cut_zip_is_told_by_its_checksum(tmp_path: Path) -> None:
    path = zipped(name("trades", tmp_path), *(f"{n},100,1,1,{MS + n},true" for n in range(5_000)))
    path.write_bytes(path.read_bytes()[:2_000])
    with pytest.raises(BadContainer, match="sha256"):
        open_import(path, tick="0.01", lot="0.001")
    path.with_name(path.name + ".CHECKSUM").unlink()
    with pytest.raises(BadContainer, match=r"BTCUSDT-trades-2024-01-01\.zip"):
        open_import(path, tick="0.01", lot="0.001")


@pytest.mark.parametrize("text", ["", "not a sum", "abc  file.zip"])
def test_a_checksum_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = zipped(name("trades", tmp_path), f"7,100,1,1,{MS},true")
    path.with_name(path.name + ".CHECKSUM").write_text(text)
    with pytest.raises(BadContainer, match="expected a sha256 and a name in"):
        binance_vision.open_source(path, COIN)


def test_without_a_checksum_the_file_is_taken(tmp_path: Path) -> None:
    assert len(read(binance_vision, zipped(name("trades", tmp_path), f"7,100,1,1,{MS},true", checksum=None))[0]) == 1


def test_a_zip_with_another_file_in_it_is_refused(tmp_path: Path) -> None:
    path = name("trades", tmp_path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other.csv", "1")
    with pytest.raises(BadContainer, match=r"expected one BTCUSDT-trades-2024-01-01\.csv"):
        binance_vision.open_source(path, COIN)


@pytest.mark.parametrize("line", ["7,100", "", "id,cost"])
def test_a_table_of_other_columns_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(BadContainer, match=r"expected .* column"):
        binance_vision.open_source(zipped(name("trades", tmp_path), line), COIN)


def test_bad_rows_are_listed_with_file_and_line(tmp_path: Path) -> None:
    good = f"7,100.01,0.5,50,{MS},true"
    bad = [
        good.replace("100.01", "100.001"),
        good.replace("0.5", "0.0001"),
        good.replace("true", "maybe"),
        good.replace(str(MS), "12"),
        good.replace("7", "-7", 1),
        good + ",1",
        good.replace("100.01", "100.02"),
    ]
    records, findings = read(binance_vision, zipped(name("trades", tmp_path), HEADERS["trades"], good, *bad))
    assert len(records) == 1
    assert rejected(findings) == [("BTCUSDT-trades-2024-01-01.csv", number) for number in range(3, 10)]
    assert "number 7 once, found it again with other values" in findings.rejects[-1].why


@pytest.mark.parametrize(
    ("path", "line", "named"),
    [
        ("data/futures/um/daily/trades/X/BTCUSDT-trades-2024-01-01.zip", f"7,1,1,1,{MS},true", "BTC/USDT:USDT@binance-linear"),
        ("data/spot/daily/klines/ETHBTC/1m/ETHBTC-1m-2024-01-01.zip", kline(0), "ETH/BTC@binance"),
        ("data/futures/cm/daily/klines/X/1m/ETHUSD_PERP-1m-2024-01-01.zip", kline(0), "ETH/USD:ETH@binance-inverse"),
        ("BTCUSD_PERP-trades-2024-01-01.zip", f"7,1,1,1,{MS},true", "BTC/USD:BTC@binance-inverse"),
        ("BTCUSDT-trades-2024-01-01.zip", f"7,1,1,1,{MS},True,True", "BTC/USDT@binance"),
        ("BTCUSDT-trades-2024-01-01.zip", f"7,1,1,1,{MS},true", "BTC/USDT:USDT@binance-linear"),
        ("BTCUSDT-aggTrades-2024-01.zip", f"7,1,1,1,1,{MS},True,True", "BTC/USDT@binance"),
        ("BTCUSDT-fundingRate-2024-01.zip", f"{MS},8,0.0001", "BTC/USDT:USDT@binance-linear"),
        ("BTCEUR-1m-2024-01-01.zip", kline(0), "BTC/EUR@binance"),
    ],
)  # fmt: skip
def test_folders_and_columns_name_the_instrument(tmp_path: Path, path: str, line: str, named: str) -> None:
    made = open_import(zipped(tmp_path / path, line), tick="0.1", lot="0.1").instrument
    assert (made.name, made.tick, made.lot) == (named, "0.1", "0.1")
    assert made.multiplier == {"BTC/USD:BTC@binance-inverse": "100", "ETH/USD:ETH@binance-inverse": "10"}.get(named, "1")


def test_klines_that_fit_two_markets_ask_which(tmp_path: Path) -> None:
    path = zipped(name("1m", tmp_path), kline(0))
    with pytest.raises(UsageError, match=r"to choose one of BTC/USDT@binance, BTC/USDT:USDT@binance-linear"):
        open_import(path, tick="0.1", lot="0.1")
    chosen = open_import(path, instrument="BTC/USDT:USDT", tick="0.1", lot="0.1").instrument
    assert chosen.name == "BTC/USDT:USDT@binance-linear"


def test_auto_tells_zips_and_unpacked_tables(tmp_path: Path) -> None:
    path = zipped(name("trades", tmp_path / "BTCUSDT"), f"7,100,1,1,{MS},true")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
    unpacked = tmp_path / "BTCUSDT-trades-2024-01-01.csv"
    for one in (path, unpacked):
        assert open_import(one, tick="0.01", lot="0.001").source.format == "binance-vision"
    assert content(binance_vision, path) == content(binance_vision, unpacked)
    bars = tmp_path / "BTC-1m-2024-01.csv"
    bars.write_text(f"{MS},1,1,1,1,1\n")
    assert open_import(bars, instrument="A/B@c", tick="0.01", lot="0.001").source.format == "ccxt-ohlcv"


def test_importing_twice_gives_the_rows_once(tmp_path: Path, store: Store) -> None:
    lines = [f"{n},100,1,1,{MS + n},true" for n in range(1_000)]
    first = store.import_records(COIN, *binance_vision.open_source(zipped(name("trades", tmp_path), *lines), COIN))
    again = store.import_records(COIN, *binance_vision.open_source(zipped(name("trades", tmp_path / "x"), *lines), COIN))
    assert (first.rows, again.repeated, store.selection([COIN.id]).rows) == (1_000, True, 1_000)
