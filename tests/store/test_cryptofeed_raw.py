"""The cryptofeed-raw importer: families of files, what each line is, and which instrument is whose."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.store.raw_lines import cut, text, write
from tests.store.support import Records, joined
from tradebot._core.types import Kind
from tradebot.domain.errors import BadContainer, UsageError
from tradebot.domain.instrument import Instrument
from tradebot.feeds.grid import power_of_ten
from tradebot.store.client import Store
from tradebot.store.cryptofeed_raw import instruments, open_source, recognises
from tradebot.store.formats import open_import
from tradebot.store.imports import Findings
from tradebot.store.instruments import make_instrument

NKN = make_instrument("NKN/USDT@binance", tick="0.0001", lot="1")
XBT = make_instrument("BTC/USD@kraken", tick="0.1", lot="0.00000001")


def info(*codes: str, **more: Any) -> str:
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.00010000"},
        {"filterType": "LOT_SIZE", "stepSize": "1.0", "minQty": "1"},
    ]
    symbols = [{"symbol": code, "baseAsset": code[:3], "quoteAsset": code[3:], "filters": filters, **more} for code in codes]
    return text(symbols=symbols)


def depth(last: int, bids: Any, asks: Any) -> str:
    return text(lastUpdateId=last, bids=bids, asks=asks)


def diff(first: int, last: int, bids: Any = (), code: str = "NKNUSDT") -> str:
    return text(stream="x", data={"e": "depthUpdate", "E": 1, "s": code, "U": first, "u": last, "b": list(bids), "a": []})


STREAM = "wss://stream.binance.com:9443/stream?streams=nknusdt@depth@100ms/blzeth@depth@100ms"
SNAPSHOT = "https://api.binance.com/api/v3/depth?symbol=NKNUSDT&limit=1000"


def write_binance(folder: Path, *received: str, snapshot: str | None = None, at: str = "12.25") -> Path:
    write(
        folder / "BINANCE.0.gz",
        f"https://api.binance.com/api/v3/exchangeInfo -> 1.5: {info('NKNUSDT', 'BLZETH', 'OTHUSDT')}",
        "configuration: {}",
    )
    body = snapshot or depth(10, [["0.3521", "672.0"]], [["0.3526", "9"]])
    write(folder / "BINANCE.http.0.0.gz", f"{SNAPSHOT} -> {at}: {body}", "")
    write(folder / "BINANCE.ws.1.0.gz", f"{STREAM} <-> 2.0", *received)
    return folder


RECEIVED = [f"12.0: {diff(9, 11, [['0.3520', '5']])}", f"13.000000001: {diff(12, 12, [['0.3521', '0']])}"]


def read(path: Path, instrument: Instrument) -> tuple[Records, Findings]:
    source, batches = open_source(path, instrument)
    return joined(batches), source.findings


def test_files_of_a_family_are_merged_by_time(tmp_path: Path) -> None:
    records, findings = read(write_binance(tmp_path, *RECEIVED), NKN)
    assert records["venue_sequence"].tolist() == [10, 10, 11, 12]
    assert records["time_ns"].tolist() == [12_250_000_000] * 3 + [13_000_000_001]
    assert set(records["instrument"].tolist()) == {NKN.id}
    assert (findings.gaps, findings.rejected, findings.notes) == (0, 0, {})


def test_a_family_may_be_named_by_any_of_its_files(tmp_path: Path) -> None:
    folder = write_binance(tmp_path, *RECEIVED)
    write(folder / "COINBASE.ws.1.0.gz", "wss://ws-feed.pro.coinbase.com <-> 1.0")
    write(folder / "LICENSE.cryptofeed", "Permission is hereby granted")
    paths = [folder, *(folder / f"BINANCE.{part}.gz" for part in ("0", "http.0.0", "ws.1.0"))]
    assert all(recognises(path) for path in paths)
    assert len({read(path, NKN)[0].tobytes() for path in paths}) == 1
    assert len({open_source(path, NKN)[0].import_id(NKN.id) for path in paths}) == 1
    assert not recognises(folder / "LICENSE.cryptofeed")


def test_what_was_subscribed_to_is_offered_as_the_venue_lists_it(tmp_path: Path) -> None:
    found = instruments(write_binance(tmp_path, *RECEIVED))
    assert [(one.name, one.tick, one.lot) for one in found] == [
        ("BLZ/ETH@binance", "0.0001", "1"),
        ("NKN/USDT@binance", "0.0001", "1"),
    ]
    assert found[1] == open_import(tmp_path, instrument="NKN/USDT").instrument
    with pytest.raises(UsageError, match="choose one of BLZ/ETH@binance, NKN/USDT@binance"):
        open_import(tmp_path)


def test_a_book_that_is_finer_than_the_list_makes_the_instrument_finer(tmp_path: Path) -> None:
    folder = write_binance(tmp_path, *RECEIVED, snapshot=depth(10, [["0.35215", "11979.30000000"]], []))
    found = {one.name: (one.tick, one.lot) for one in instruments(folder)}
    assert found == {"BLZ/ETH@binance": ("0.0001", "1"), "NKN/USDT@binance": ("0.00001", "0.1")}


def test_without_a_list_the_instrument_needs_its_tick_and_lot(tmp_path: Path) -> None:
    folder = write_binance(tmp_path, *RECEIVED)
    (folder / "BINANCE.0.gz").unlink()
    assert instruments(folder) == []
    opened = open_import(folder, instrument="NKN/USDT@binance", tick="0.0001", lot="1")
    assert sum(len(batch) for batch in opened.batches) == 4


@pytest.mark.parametrize(
    ("bad", "why", "gaps"),
    [
        ("12.5: {", "expected a message of Binance", 0),
        ("what is this", "expected a line of a cryptofeed capture", 0),
        (f"12.5: {diff(12, 12, [['0.35205', '1']])}", "0.35205 is not a multiple of 0.0001", 1),
        ("12.1234567891: {}", "expected a time", 0),
        ("99999999999.0: {}", "64 bits of nanoseconds", 0),
    ],
)
def test_a_bad_line_is_listed_with_its_file(tmp_path: Path, bad: str, why: str, gaps: int) -> None:
    after = f"13.5: {diff(13, 13)}" if gaps else f"13.0: {diff(12, 12)}"
    records, findings = read(write_binance(tmp_path, RECEIVED[0], bad, after), NKN)
    (rejected,) = findings.rejects
    assert (rejected.file, rejected.line) == ("BINANCE.ws.1.0.gz", 3) and why in rejected.why
    assert findings.gaps == gaps
    assert len(records) == 3 + 2 * gaps


def test_a_missing_snapshot_leaves_no_book_and_says_so(tmp_path: Path) -> None:
    folder = write_binance(tmp_path, *RECEIVED, "13.5: " + text(u=13, s="NKNUSDT", b="0.3521", B="1", a="0.3526", A="2"))
    (folder / "BINANCE.http.0.0.gz").unlink()
    records, findings = read(folder, NKN)
    assert records["kind"].tolist() == [int(Kind.QUOTE)]
    assert findings.notes == {"diffs_without_book": 2}


def test_a_new_connection_is_a_gap(tmp_path: Path) -> None:
    records, findings = read(write_binance(tmp_path, *RECEIVED, f"{STREAM} <-> 14.0", f"15.0: {diff(13, 13)}"), NKN)
    assert [Kind(kind).name for kind in records["kind"].tolist()[4:]] == ["GAP", "L2_LEVEL"]
    assert findings.gaps == 1 and records["time_ns"].tolist()[4] == 14 * 10**9


def test_time_that_runs_back_is_counted(tmp_path: Path) -> None:
    records, findings = read(write_binance(tmp_path, *RECEIVED, f"12.5: {diff(13, 13, [['0.3521', '1']])}"), NKN)
    assert findings.late == 1 and records["time_ns"].tolist()[-1] == 13_000_000_001


def write_kraken(folder: Path) -> Path:
    pairs = {"error": [], "result": {"XXBTZUSD": {"wsname": "XBT/USD", "pair_decimals": 1, "lot_decimals": 8}}}
    write(folder / "KRAKEN.0.gz", f"https://api.kraken.com/0/public/AssetPairs -> 1.0: {json.dumps(pairs)}")
    sent = text(event="subscribe", pair=["XBT/USD"], subscription={"name": "book"})
    book = json.dumps([1, {"as": [["101.5", "1", "1.0"]], "bs": [["100.5", "2", "1.0"]]}, "book-1000", "XBT/USD"])
    ticker = json.dumps([2, {"a": ["101.55", 1, "1.123456789"], "b": ["1", 1, "1"]}, "ticker", "XBT/USD"])
    asked = ["wss://ws.kraken.com <-> 2.0", f"wss://ws.kraken.com <- 2.5: {sent}"]
    write(folder / "KRAKEN.ws.2.0.gz", *asked, f"3.0: {book}", f"4.0: {ticker}")
    return folder


def test_each_venue_is_read_by_its_own_feed(tmp_path: Path) -> None:
    folder = write_kraken(write_binance(tmp_path, *RECEIVED))
    names = [one.name for one in instruments(folder)]
    assert names == ["BLZ/ETH@binance", "BTC/USD@kraken", "NKN/USDT@binance"]
    opened = open_import(folder, instrument="BTC/USD")
    assert (opened.instrument.tick, opened.instrument.lot) == ("0.1", "0.00000001"), "of the book, not of the ticker"
    records = joined(opened.batches)
    assert records["price"].tolist() == [1005, 1015]
    assert [one.line for one in opened.source.findings.rejects] == [4]


def test_an_instrument_of_another_venue_is_refused(tmp_path: Path) -> None:
    folder = write_kraken(write_binance(tmp_path, *RECEIVED))
    stranger = make_instrument("NKN/USDT@elsewhere", tick="0.0001", lot="1")
    with pytest.raises(UsageError, match=r"expected an instrument of binance, kraken, of which .*NKN/USDT@elsewhere"):
        open_source(folder, stranger)
    records, _ = read(folder / "BINANCE.0.gz", stranger)
    assert len(records) == 4, "where there is one capture, the name of its venue is the user's"
    linear = make_instrument("NKN/USDT:USDT@binance", tick="0.0001", lot="1")
    with pytest.raises(UsageError, match="expected an instrument of binance"):
        open_source(folder / "BINANCE.0.gz", linear)


def test_a_capture_of_a_venue_without_a_feed_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "COINBASE.ws.1.0.gz", "wss://ws-feed.pro.coinbase.com <-> 1.0")
    assert recognises(path)
    for ask in (lambda: instruments(path), lambda: open_source(path, NKN), lambda: open_import(path)):
        with pytest.raises(BadContainer, match=r"expected a capture of BINANCE, .*, found COINBASE"):
            ask()


def test_a_file_of_the_family_that_cannot_be_read_at_all_is_a_bad_container(tmp_path: Path) -> None:
    folder = write_binance(tmp_path, *RECEIVED)
    (folder / "BINANCE.http.0.0.gz").write_bytes(b"plain")
    with pytest.raises(BadContainer, match=r"expected a whole BINANCE\.http\.0\.0\.gz"):
        open_source(folder, NKN)


def test_a_file_that_ends_early_is_a_bad_container_and_the_store_is_as_before(tmp_path: Path, store: Store) -> None:
    lines = [f"{14 + step}.0: {diff(13 + step, 13 + step, [[f'0.{step**3 % 9973:04}', '1']])}" for step in range(5_000)]
    folder = write_binance(tmp_path, *RECEIVED, *lines)
    cut(folder / "BINANCE.ws.1.0.gz")
    with pytest.raises(BadContainer, match=r"expected a whole BINANCE\.ws\.1\.0\.gz"):
        store.import_records(NKN, *open_source(folder, NKN))
    assert store.catalogue() == []


@pytest.mark.parametrize("line", ["wss://[/stream?streams=x <-> 2.0", "https://[x -> 1.5: {}"])
def test_a_damaged_url_is_no_reason_to_fall(tmp_path: Path, line: str) -> None:
    """A host in half a pair of brackets, which the standard library raises on."""
    folder = write_binance(tmp_path, *RECEIVED)
    write(folder / "BINANCE.ws.2.0.gz", line)
    assert len(read(folder, NKN)[0]) == 4


def test_a_list_with_more_decimals_than_any_market_has_is_refused_and_not_computed() -> None:
    with pytest.raises(ValueError, match="at most 18 decimals, found 9223372036854775807"):
        power_of_ten(2**63 - 1)


@pytest.mark.parametrize("least", ["1,2", "nan", "-1", "1e30"])
def test_a_least_quantity_that_is_none_is_refused_with_the_instruments_name(tmp_path: Path, least: str) -> None:
    folder = write_binance(tmp_path, *RECEIVED)
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.0001"},
        {"filterType": "LOT_SIZE", "stepSize": "1.0", "minQty": least},
    ]
    listed = {"symbol": "NKNUSDT", "baseAsset": "NKN", "quoteAsset": "USDT", "filters": filters}
    write(folder / "BINANCE.0.gz", f"https://api.binance.com/api/v3/exchangeInfo -> 1.5: {text(symbols=[listed])}")
    with pytest.raises(UsageError, match="a least quantity and value for NKN/USDT@binance"):
        open_import(folder, instrument="NKN/USDT")
