"""The trades-csv importer: which columns it takes, what it does to bad rows, and that it needs no room."""

import tracemalloc
from pathlib import Path

import pytest

from tests.store.tabular import COIN, SECOND, content, kinds, read, rejected, rows, write
from tradebot.domain.errors import BadContainer
from tradebot.store import trades_csv
from tradebot.store.client import Store

HEADER = "time,price,quantity,side,id"
NOON = 1_704_110_400


def test_a_trade_has_time_price_quantity_side_and_number(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", HEADER, f"{NOON},100.01,0.5,buy,7", f"{NOON}001,100.00,2,sell,8")
    records, findings = read(trades_csv, path)
    assert kinds(records) == ["TRADE", "TRADE"]
    assert rows(records, "time_ns", "venue_ns", "venue_sequence", "price", "quantity", "flags") == [
        (NOON * SECOND, NOON * SECOND, 7, 10_001, 500, 0),
        (NOON * SECOND + 1_000_000, NOON * SECOND + 1_000_000, 8, 10_000, 2_000, 1),
    ]
    assert (findings.rejected, findings.late, findings.duplicates) == (0, 0, 0)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("timestamp,price,amount,side", f"{NOON}000,100,1,buy"),
        ("SIDE,Size,Price,Date,note", "B,1,100,2024-01-01T12:00:00Z,x"),
        ("qty,datetime,price,side,trade_id,cost", "1.000,2024-01-01 12:00:00,1e2,Buy,uuid-1,100"),
    ],
)
def test_columns_go_by_several_names_in_any_order(tmp_path: Path, header: str, row: str) -> None:
    records, findings = read(trades_csv, write(tmp_path / "t.csv", header, row))
    assert findings.rejects == []
    assert rows(records, "time_ns", "price", "quantity", "flags", "venue_sequence") == [
        (NOON * SECOND, 10_000, 1_000, 0, 0)
    ]


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "time,price,quantity", f"{NOON},1,1")
    assert not trades_csv.recognises(path)
    with pytest.raises(BadContainer, match=r"a column for the side \(side\) in .*t\.csv, found 'time,price,quantity'"):
        trades_csv.open_source(path, COIN)


def test_bad_rows_are_listed_with_file_and_line_and_the_rest_comes_in(tmp_path: Path) -> None:
    good = f"{NOON},100,1,buy,1"
    bad = [
        f"{NOON},100.001,1,buy,2",
        f"{NOON},100,0.0001,buy,3",
        f"{NOON},-100,1,buy,4",
        f"{NOON},100,1,unknown,5",
        "12,100,1,buy,6",
        f"{NOON},100,1,buy",
        f"{NOON},nan,1,buy,8",
    ]
    records, findings = read(trades_csv, write(tmp_path / "t.csv.gz", HEADER, good, *bad, f"{NOON},100,1,buy,9"))
    assert records["venue_sequence"].tolist() == [1, 9]
    assert rejected(findings) == [("t.csv.gz", line) for line in range(3, 10)]
    assert "100.001 is not a multiple of 0.01" in findings.rejects[0].why
    assert "expected one of buy" in findings.rejects[3].why


def test_rows_out_of_order_are_sorted_and_numbered_repeats_dropped(tmp_path: Path) -> None:
    lines = [f"{NOON + 1},100,1,buy,3", f"{NOON},100,1,buy,2", f"{NOON},100,1,buy,1", f"{NOON},100,1,buy,2"]
    records, findings = read(trades_csv, write(tmp_path / "t.csv", HEADER, *lines))
    assert records["venue_sequence"].tolist() == [1, 2, 3]
    assert (findings.late, findings.duplicates) == (1, 1)


def test_trades_without_numbers_may_be_alike(tmp_path: Path) -> None:
    records, findings = read(trades_csv, write(tmp_path / "t.csv", HEADER[:-3], *[f"{NOON},100,1,buy"] * 3))
    assert (len(records), findings.duplicates) == (3, 0)


def test_a_cut_gzip_leaves_the_store_as_it_was(tmp_path: Path, store: Store) -> None:
    path = write(tmp_path / "t.csv.gz", HEADER, *(f"{NOON + n},{100 + n % 7}.5,1,buy,{n}" for n in range(50_000)))
    path.write_bytes(path.read_bytes()[:-20_000])
    with pytest.raises(BadContainer, match=r"t\.csv\.gz"):
        store.import_records(COIN, *trades_csv.open_source(path, COIN))
    assert store.catalogue() == []


def test_importing_twice_gives_the_rows_once_whatever_the_file_is_called(tmp_path: Path, store: Store) -> None:
    lines = [HEADER, *(f"{NOON + n},100,1,buy,{n}" for n in range(100))]
    first = store.import_records(COIN, *trades_csv.open_source(write(tmp_path / "a.csv", *lines), COIN))
    again = store.import_records(COIN, *trades_csv.open_source(write(tmp_path / "b.csv.gz", *lines), COIN))
    assert (first.rows, first.repeated, again.rows, again.repeated) == (100, False, 100, True)
    assert store.selection([COIN.id]).rows == 100
    assert content(trades_csv, tmp_path / "a.csv") == content(trades_csv, tmp_path / "b.csv.gz")


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    few, many = (peak_bytes(tmp_path / f"{count}.csv", count) for count in (150_000, 300_000))
    assert many < 1.1 * few


def peak_bytes(path: Path, count: int) -> int:
    """The most that the reading of a file with so many trades holds at once."""
    with path.open("w") as file:
        file.write(HEADER + "\n")
        file.writelines(f"{NOON + n // 10},{100 + n % 977}.5,{1 + n % 13},buy,{n}\n" for n in range(count))
    tracemalloc.start()
    try:
        _, batches = trades_csv.open_source(path, COIN)
        assert sum(len(batch) for batch in batches) == count
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
