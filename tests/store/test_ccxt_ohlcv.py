"""The ccxt-ohlcv importer and the bars that all formats share: layout, order, gaps, repeats, intervals."""

import gzip
from pathlib import Path

import pytest

from tests.store.tabular import COIN, SECOND, content, kinds, read, rejected, rows, write
from tradebot.domain.errors import BadContainer
from tradebot.store import ccxt_ohlcv
from tradebot.store.bar_rows import MONTH, interval_in_name
from tradebot.store.client import Store
from tradebot.store.instruments import spot_instrument

MIDNIGHT = 1_704_067_200
MINUTE = 60
EURUSD = spot_instrument("EUR/USD@fx", tick="0.00001", lot="1")


def bar(minute: int, close: str = "100.5", volume: str = "7.5", low: str = "99", high: str = "101") -> str:
    return f"{(MIDNIGHT + minute * MINUTE) * 1000},100,{high},{low},{close},{volume}"


def test_a_bar_is_labelled_by_its_open_and_known_at_its_close(tmp_path: Path) -> None:
    records, findings = read(ccxt_ohlcv, write(tmp_path / "b.csv", bar(0), bar(1)))
    assert kinds(records) == ["BAR", "BAR"]
    names = ("venue_ns", "time_ns", "venue_sequence", "id", "id2", "price", "quantity", "owner", "flags")
    assert rows(records[:1], *names) == [
        (MIDNIGHT * SECOND, (MIDNIGHT + MINUTE) * SECOND, 10_000, 10_100, 9_900, 10_050, 7_500, 60, 0)
    ]
    assert (findings.gaps, findings.duplicates, findings.rejected) == (0, 0, 0)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        (",Open,High,Low,Close,Volume", "2024-01-01 00:00:00,100,101,99,100.5,7.5"),
        ("volume,close,low,high,open,date,note", "7.5,100.5,99,101,100,2024-01-01T00:00:00Z,x"),
        ("timestamp,open,high,low,close,volume", "1704067200,100,101,99,100.5,7.5"),
    ],
)
def test_a_header_may_name_the_columns(tmp_path: Path, header: str, row: str) -> None:
    path = write(tmp_path / "X-1m.csv", header, row)
    assert ccxt_ohlcv.recognises(path)
    records, _ = read(ccxt_ohlcv, path)
    plain, _ = read(ccxt_ohlcv, write(tmp_path / "Y-1m.csv", bar(0)))
    assert records.tobytes() == plain.tobytes()


def test_missing_bars_are_gaps_and_counted(tmp_path: Path) -> None:
    records, findings = read(ccxt_ohlcv, write(tmp_path / "b.csv", bar(0), bar(1), bar(4), bar(5), bar(7)))
    assert (len(records), findings.gaps, findings.notes) == (5, 2, {"bars_missing": 3})


def test_bars_that_repeat_are_dropped_and_those_that_contradict_rejected(tmp_path: Path) -> None:
    lines = [bar(0), bar(0), bar(1), bar(1, close="100"), bar(2), bar(0)]
    records, findings = read(ccxt_ohlcv, write(tmp_path / "b.csv", *lines))
    assert records["venue_ns"].tolist() == [(MIDNIGHT + minute * MINUTE) * SECOND for minute in (0, 1, 2)]
    assert records["price"].tolist() == [10_050] * 3
    assert (findings.duplicates, findings.late, rejected(findings)) == (2, 1, [("b.csv", 4)])


def test_bars_out_of_order_are_sorted(tmp_path: Path) -> None:
    records, findings = read(ccxt_ohlcv, write(tmp_path / "b.csv", *(bar(9 - n) for n in range(10))))
    assert records["venue_ns"].tolist() == [(MIDNIGHT + n * MINUTE) * SECOND for n in range(10)]
    assert (findings.late, findings.gaps) == (9, 0)


def test_impossible_bars_and_cells_off_the_grid_are_listed(tmp_path: Path) -> None:
    lines = [bar(0), bar(1, low="100.2"), bar(2, high="100.2"), bar(3, close="100.005"), bar(4, volume="x"), bar(5)]
    records, findings = read(ccxt_ohlcv, write(tmp_path / "b.csv", *lines))
    assert len(records) == 2
    assert sorted(rejected(findings)) == [("b.csv", line) for line in (2, 3, 4, 5)]


@pytest.mark.parametrize(
    ("name", "seconds"),
    [("BTC_USDT-5m.csv", 300), ("BTCUSDT-1d-2024-01.zip", 86_400), ("x_15s.csv.gz", 15), ("A-1w", 604_800),
     ("A-1mo-2024", 0), ("A-1M.csv", 0), ("EURUSD.csv", None), ("A-5min.csv", None)],
)  # fmt: skip
def test_the_name_says_the_interval(name: str, seconds: int | None) -> None:
    assert interval_in_name(name) == (None if seconds is None else seconds * SECOND)


def test_an_interval_that_does_not_fit_is_nought_and_still_known_at_the_close(tmp_path: Path) -> None:
    records, _ = read(ccxt_ohlcv, write(tmp_path / "b-1d.csv", bar(0)))
    assert rows(records, "owner", "time_ns") == [(0, (MIDNIGHT + 86_400) * SECOND)]


def test_bars_of_a_month_end_with_their_month(tmp_path: Path) -> None:
    months = [f"2024-0{month}-01,100,101,99,100,1" for month in (1, 2, 4)]
    path = write(tmp_path / "b-1M.csv", "date,open,high,low,close,volume", *months)
    records, findings = read(ccxt_ohlcv, path)
    days = (records["time_ns"] - records["venue_ns"]) // (86_400 * SECOND)
    assert (days.tolist(), records["owner"].tolist(), findings.gaps) == ([31, 29, 30], [MONTH] * 3, 1)


def test_one_bar_without_an_interval_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadContainer, match=r"two bars in b\.csv, or an interval in its name"):
        ccxt_ohlcv.open_source(write(tmp_path / "b.csv", bar(0)), COIN)


def test_bars_closer_than_the_name_says_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadContainer, match=r"bars 5m apart in b-5m\.csv, as its name says, found two 1m apart"):
        ccxt_ohlcv.open_source(write(tmp_path / "b-5m.csv", bar(0), bar(1)), COIN)


def test_importing_twice_gives_the_bars_once(tmp_path: Path, store: Store) -> None:
    lines = [bar(minute) for minute in range(100)]
    for name in ("a.csv", "renamed-1m.csv.gz"):
        report = store.import_records(COIN, *ccxt_ohlcv.open_source(write(tmp_path / name, *lines), COIN))
    assert (report.repeated, store.selection([COIN.id]).rows) == (True, 100)
    assert content(ccxt_ohlcv, tmp_path / "a.csv") == content(ccxt_ohlcv, tmp_path / "renamed-1m.csv.gz")


@pytest.mark.parametrize("text", ["a,b\n", "", "1,2,3,4,5,6\n", "1704067200000,100,101,99,x,1\n", "open,high,low,close,volume\n"])
def test_other_files_are_not_recognised(tmp_path: Path, text: str) -> None:
    path = tmp_path / "b.csv"
    path.write_text(text)
    assert not ccxt_ohlcv.recognises(path)


@pytest.mark.shared
def test_the_recorded_euro_has_a_gap_for_every_weekend(shared_dir: Path) -> None:
    path = shared_dir / "data" / "ohlcv" / "EURUSD.csv.gz"
    records, findings = read(ccxt_ohlcv, path, EURUSD)
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()[1:]
    assert len(records) == len(lines) == 5_000
    cells = [line.split(",")[1:] for line in lines]
    for column, slot in enumerate(("venue_sequence", "id", "id2", "price")):
        assert [EURUSD.price_text(ticks) for ticks in records[slot].tolist()] == [
            f"{float(row[column]):.5f}" for row in cells
        ]
    assert records["quantity"].tolist() == [int(row[4]) for row in cells]
    assert (findings.rejected, findings.duplicates, findings.gaps) == (0, 0, 42)
