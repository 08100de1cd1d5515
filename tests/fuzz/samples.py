"""A small whole recording of each format, as files in memory: what the importers' mutations start from.

They are those of the formats' own tests, so that a format is described in one place. Where the shared recordings are at hand, the
first lines of each are samples too.
"""

import gzip
import lzma
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import feather
from pyarrow import parquet as arrow_parquet

from tests.store import (
    test_binance_raw,
    test_binance_vision,
    test_bitstamp_l3,
    test_bitstamp_log,
    test_ccxt_ohlcv,
    test_cryptofeed_raw,
    test_freqtrade,
    test_hftbacktest,
    test_lobster,
    test_tardis,
    test_trades_csv,
)
from tests.store.raw_lines import write as write_packed
from tests.store.tabular import COIN
from tradebot.store import parquet

SHARED_LINES: Final = 60
LINE_BYTES: Final = 60_000
TRADES: Final = [f"{test_trades_csv.NOON + n},100.{n:02},0.5,{'buy' if n % 3 else 'sell'},{n}" for n in range(30)]


class Sample(NamedTuple):
    """`files` by name, one of them or "" (the folder) as `target`; the words that `open_import` takes."""

    format: str
    files: dict[str, bytes]
    target: str
    instrument: str | None
    tick: str | None
    lot: str | None


Write = Callable[[Path], Any]
OWN: Final = (COIN.name, COIN.tick, COIN.lot)
NONE: Final = (None, None, None)


def l3_capture(folder: Path) -> None:
    orders = [
        *test_bitstamp_l3.BOOK,
        "14,2001,1001,98.0,1.0,created,bid",
        "14,2002,1002,98.0,0.5,changed,bid",
        "11,2003,1003,100.0,0.4,changed,bid",
        "15,2004,1004,102.0,1.0,created,ask",
        "15,2005,1005,102.0,1.0,deleted,ask",
        *test_bitstamp_l3.CLOSING,
    ]
    test_bitstamp_l3.write_capture(folder, orders)


def log(folder: Path) -> None:
    order, trade, book = test_bitstamp_log.order, test_bitstamp_log.trade, test_bitstamp_log.book
    lines = [
        *test_bitstamp_log.RESTING,
        order(5, "created", 20, "236.40", "3.0", 1),
        order(6, "changed", 20, "236.40", "1.0", 1),
        order(7, "deleted", 11, "236.47", "0.00000000"),
        trade(8, 501, "236.47", "2.0"),
        book(9, [["236.20", "1.0"]], [["236.64", "1.0"]]),
        order(10, "deleted", 12, "236.64", "1.0", 1),
        order(11, "changed", 12, "236.64", "1.0", 1),
    ]
    write_packed(folder / "a.log.xz", *lines)


def raw(folder: Path) -> None:
    more = [
        test_binance_raw.line(20, test_binance_raw.diff(17, 19, [["99.8", "3"]], [["100.2", "4"]])),
        test_binance_raw.line(21, test_binance_raw.diff(25, 29, [["99.7", "3"]])),
    ]
    write_packed(folder / "a.gz", *test_binance_raw.FIRST, *test_binance_raw.SECOND, *more)


def capture(folder: Path) -> None:
    test_cryptofeed_raw.write_binance(folder, *test_cryptofeed_raw.RECEIVED)


def arrays(name: str) -> Write:
    buy, sell = test_hftbacktest.BUY, test_hftbacktest.SELL
    kinds = [(side, kind) for side in (buy, sell) for kind in (1, 1, 2, 3, 4)]
    events = [
        test_hftbacktest.depth(side, 10 + n, 100.0 + (0.01 if side == sell else -0.01) * (1 + n % 4), 0.001 * (n % 7), kind)
        for n, (side, kind) in enumerate(kinds * 6)
    ]
    return lambda folder: test_hftbacktest.write(folder / name, *events)


def zipped(name: str, header: str, *lines: str, checksum: str | None = "right") -> Write:
    head = test_binance_vision.HEADERS[header]
    return lambda folder: test_binance_vision.zipped(folder / name, head, *lines, checksum=checksum)


def text(name: str, *lines: str) -> Write:
    return lambda folder: write_packed(folder / name, *lines)


def exported(folder: Path) -> None:
    records = np.zeros(40, parquet.RECORD_DTYPE)
    records["time_ns"] = records["venue_ns"] = 1_700_000_000_000_000_000 + np.arange(40)
    records["price"], records["quantity"], records["kind"], records["instrument"] = 100 + np.arange(40) % 7, 5, 1, COIN.id
    parquet.export(folder / "x.parquet", [records], COIN)


def table(folder: Path) -> None:
    count = 30
    times = pa.array([1_704_067_200_000 + n for n in range(count)], pa.timestamp("ms"))
    sides = ["buy" if n % 2 else "sell" for n in range(count)]
    columns = {"time": times, "price": [100.01] * count, "amount": ["0.5"] * count, "side": sides}
    arrow_parquet.write_table(pa.table(columns), folder / "t.parquet", compression="none")


VISION_DAY: Final = "BTCUSDT-{}-2024-01-01.zip"
MS: Final = test_binance_vision.MS
WRITERS: Final[dict[str, tuple[str, Write, str, tuple[str | None, str | None, str | None]]]] = {
    "bitstamp-l3": ("bitstamp-l3", l3_capture, "", NONE),
    "bitstamp-l3 log": ("bitstamp-l3", log, "a.log.xz", NONE),
    "binance-raw": ("binance-raw", raw, "a.gz", ("BTC/USD:BTC@binance-inverse", "0.1", "1")),
    "cryptofeed-raw": ("cryptofeed-raw", capture, "", ("NKN/USDT@binance", None, None)),
    "cryptofeed-raw kraken": ("cryptofeed-raw", test_cryptofeed_raw.write_kraken, "", ("BTC/USD@kraken", None, None)),
    "lobster": ("lobster", lambda folder: test_lobster.write_day(folder, test_lobster.MESSAGES, test_lobster.BOOKS), "", NONE),
    "parquet": ("parquet", exported, "x.parquet", NONE),
    "parquet trades": ("parquet", table, "t.parquet", OWN),
    "tardis trades": ("tardis", text("t.csv.gz", test_tardis.TRADES, *(
        test_tardis.line(n, n + 2, n, "buy" if n % 2 else "sell", "100.01", "0.5") for n in range(20))), "t.csv.gz", OWN),
    "tardis quotes": ("tardis", text("q.csv", test_tardis.QUOTES, *(
        test_tardis.line(n, n + 2, "0.5", "100.02", "100.01", "0.7") for n in range(20))), "q.csv", OWN),
    "tardis book": ("tardis", text("b.csv", test_tardis.CHANGES, *(
        test_tardis.line(n // 3, n // 3 + 2, "true" if n < 6 else "false", "ask" if n % 2 else "bid", 100 + n % 2, n % 5)
        for n in range(30))), "b.csv", OWN),
    "tardis snapshots": ("tardis", text(
        "s.csv", f"{test_tardis.BASE},asks[0].price,asks[0].amount,bids[0].price,bids[0].amount",
        *(test_tardis.line(n, n + 2, 102, 1, 101, 2) for n in range(12))), "s.csv", OWN),
    "tardis ticker": ("tardis", text("d.csv", test_tardis.TICKER, *(
        test_tardis.line(n, n + 1, test_tardis.US + 5, "0.0001", "", n % 3, "100", "99.99", "100.00") for n in range(15))),
        "d.csv", OWN),
    "vision trades": ("binance-vision", zipped(VISION_DAY.format("trades"), "trades", *(
        f"{n},100.01,0.5,50,{MS + n},true" for n in range(20)), checksum=None), VISION_DAY.format("trades"), OWN),
    "vision aggTrades": ("binance-vision", zipped(VISION_DAY.format("aggTrades"), "aggTrades", *(
        f"{n},100.01,0.5,{n},{n},{MS + n},true" for n in range(20))), VISION_DAY.format("aggTrades"), OWN),
    "vision klines": ("binance-vision", zipped(VISION_DAY.format("1m"), "1m", *(
        test_binance_vision.kline(n) for n in range(12)), checksum=None), VISION_DAY.format("1m"), OWN),
    "vision bookTicker": ("binance-vision", zipped(VISION_DAY.format("bookTicker"), "bookTicker", *(
        f"{n},100,0.5,100.01,0.6,{MS + n},{MS + n + 2}" for n in range(20)), checksum=None),
        VISION_DAY.format("bookTicker"), OWN),
    "vision funding": ("binance-vision", zipped("BTCUSDT-fundingRate-2024-01.zip", "fundingRate", *(
        f"{MS + 28_800_000 * n},8,0.00010000" for n in range(6)), checksum=None), "BTCUSDT-fundingRate-2024-01.zip", OWN),
    "vision metrics": ("binance-vision", zipped(VISION_DAY.format("metrics"), "metrics", *(
        f"2024-01-01 00:{n:02}:00,BTCUSDT,77082.01800000,1,1,1,1,1" for n in range(5, 50, 5)), checksum=None),
        VISION_DAY.format("metrics"), OWN),
    "hftbacktest npz": ("hftbacktest", arrays("e.npz"), "e.npz", OWN),
    "hftbacktest npy": ("hftbacktest", arrays("e.npy"), "e.npy", OWN),
    "freqtrade trades": ("freqtrade", lambda folder: feather.write_feather(
        test_freqtrade.trades(), str(folder / "AAA_USD-trades.feather"), compression="uncompressed"),
        "AAA_USD-trades.feather", OWN),
    "freqtrade candles": ("freqtrade", lambda folder: feather.write_feather(
        test_freqtrade.candles(*range(0, 60, 5)), str(folder / "AAA_USD-5m.feather")), "AAA_USD-5m.feather", OWN),
    "trades-csv": ("trades-csv", text("t.csv.gz", test_trades_csv.HEADER, *TRADES), "t.csv.gz", OWN),
    "ccxt-ohlcv": ("ccxt-ohlcv", text("AAA_USD-1m.csv", *(test_ccxt_ohlcv.bar(n) for n in range(20))), "AAA_USD-1m.csv", OWN),
}  # fmt: skip

# The first lines of recordings: the folder or file, what is cut of it, and how it is opened.
RECORDED: Final[dict[str, tuple[str, str, str, tuple[str | None, str | None, str | None]]]] = {
    "recorded binance-raw": ("binance-raw", "binance_coinm_depth0ms/btcusd_perp_20240808.gz", "btcusd_perp_20240808.gz",
                             ("BTC/USD:BTC@binance-inverse", "0.1", "1")),
    "recorded bitstamp": ("bitstamp-l3", "l3/bitstamp_btcusd_2015-05-01.log.xz", "bitstamp_btcusd_2015-05-01.log.xz", NONE),
    "recorded kraken": ("cryptofeed-raw", "cryptofeed_raw/KRAKEN*", "KRAKEN.0.gz", ("BTC/USD@kraken", "0.1", "0.00000001")),
    "recorded bitget": ("cryptofeed-raw", "cryptofeed_raw/BITGET*", "BITGET.0.gz", ("BTC/USDT@bitget", "0.01", "0.000001")),
    "recorded lobster": ("lobster", "lobster/AMZN*", "AMZN_2012-06-21_34200000_57600000_message_1.csv.xz", NONE),
}  # fmt: skip


@cache
def samples() -> dict[str, Sample]:
    found = {name: made(*row) for name, row in WRITERS.items()}
    folder = Path(os.environ.get("TRADEBOT_SHARED") or Path(__file__).parents[2] / ".." / "shared") / "data"
    if folder.is_dir():
        found |= {name: recorded(folder, *row) for name, row in RECORDED.items()}
    return found


@contextmanager
def laid_out(files: dict[str, bytes], target: str) -> Iterator[Path]:
    """The files in a folder of their own; the path that an import is given."""
    with tempfile.TemporaryDirectory(prefix="tradebot-fuzz-") as scratch:
        for name, data in files.items():
            (Path(scratch) / name).write_bytes(data)
        yield Path(scratch) / target


def made(format_name: str, write: Write, target: str, words: tuple[str | None, str | None, str | None]) -> Sample:
    with tempfile.TemporaryDirectory() as scratch:
        write(Path(scratch))
        return Sample(format_name, {path.name: path.read_bytes() for path in sorted(Path(scratch).iterdir())}, target, *words)


def recorded(
    folder: Path, format_name: str, pattern: str, target: str, words: tuple[str | None, str | None, str | None]
) -> Sample:
    files = {path.name: packed(path, list(head(path))) for path in sorted(folder.glob(pattern))}
    return Sample(format_name, files, target, *words)


def head(path: Path) -> Iterator[bytes]:
    with lzma.open(path) if path.suffix == ".xz" else gzip.open(path) as lines:
        for _, line in zip(range(SHARED_LINES), lines, strict=False):
            if len(line) < LINE_BYTES:
                yield line


def packed(path: Path, lines: list[bytes]) -> bytes:
    body = b"".join(lines)
    return lzma.compress(body, preset=0) if path.suffix == ".xz" else gzip.compress(body, 1, mtime=0)
