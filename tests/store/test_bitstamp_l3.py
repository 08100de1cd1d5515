"""The bitstamp-l3 importer: hand-made recordings for each rule, then the real sample against its own rows.

The sample's oracle is written here in plain Python, with Decimal and one dict: it walks the source file row
by row and knows nothing of how the importer works.
"""

import csv
import gzip
import io
import zipfile
from collections import Counter
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from tests.store.support import Records, joined
from tradebot._core.types import Flag, Kind
from tradebot.domain.errors import BadContainer
from tradebot.store.bitstamp_l3 import (
    DEFAULT_INSTRUMENT,
    ORDER_COLUMNS,
    TRADE_COLUMNS,
    open_source,
    recognises,
)
from tradebot.store.client import Store
from tradebot.store.imports import Findings, Rejected

END = 9_000
BOOK = [
    "11,2000,1000,100.0,1.0,created,bid",
    "12,2000,1000,99.0,2.0,created,bid",
    "13,2000,1000,101.0,3e-08,created,ask",
]
CLOSING = [
    f"11,{END},{END},100.0,1.0,deleted,bid",
    f"12,{END},{END},99.0,2.0,deleted,bid",
    f"13,{END},{END},101.0,3e-08,deleted,ask",
]


def write_capture(folder: Path, orders: list[str], trades: list[str] | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "orders.csv").write_text("\n".join([ORDER_COLUMNS, *orders]) + "\n")
    (folder / "trades.csv").write_text("\n".join([TRADE_COLUMNS, *(trades or [])]) + "\n")
    return folder


def read(path: Path) -> tuple[Records, Findings]:
    source, batches = open_source(path, DEFAULT_INSTRUMENT)
    return joined(batches), source.findings


def kinds(records: Records) -> list[str]:
    return [Kind(number).name for number in records["kind"].tolist()]


def is_void(records: Records) -> list[bool]:
    return [flags & int(Flag.VOID) != 0 for flags in records["flags"].tolist()]


def test_an_opening_book_begins_and_ends_a_snapshot(tmp_path: Path) -> None:
    records, findings = read(write_capture(tmp_path, [*BOOK, "14,2001,1001,98.0,1.0,created,bid"]))
    snapshot, begin, last, sell = (int(flag) for flag in (Flag.SNAPSHOT, Flag.BEGIN, Flag.LAST, Flag.SELL))
    assert records["flags"].tolist() == [snapshot | begin, snapshot, snapshot | last | sell, 0]
    assert records["quantity"].tolist() == [100_000_000, 200_000_000, 3, 100_000_000]
    assert records["time_ns"].tolist() == [2_000_000_000] * 3 + [2_001_000_000]
    assert records["venue_ns"].tolist() == [1_000_000_000] * 3 + [1_001_000_000]
    assert records["venue_sequence"].tolist() == [1, 2, 3, 4]
    assert set(records["instrument"].tolist()) == {DEFAULT_INSTRUMENT.id}
    assert (findings.repaired, findings.rejected, findings.late) == (0, 0, 0)


def test_one_order_alone_is_no_opening_book(tmp_path: Path) -> None:
    records, _ = read(write_capture(tmp_path, BOOK[:1]))
    assert records["flags"].tolist() == [0]


def test_a_match_is_an_execution_of_the_maker_and_a_change_of_the_taker(tmp_path: Path) -> None:
    orders = [
        *BOOK,
        "20,2100,1100,98.0,4.0,created,ask",
        "11,2100,1100,100.0,0.0,deleted,bid",
        "20,2100,1100,100.0,3.0,changed,ask",  # the venue writes the price of the execution here
        "12,2100,1100,99.0,0.5,changed,bid",
        "20,2101,1100,99.0,1.5,changed,ask",
    ]
    trades = ["501,2101,1100,100.0,1.0,11,20,sell", "502,2101,1100,99.0,1.5,12,20,sell"]
    records, findings = read(write_capture(tmp_path, orders, trades))
    rows = records[3:]
    assert kinds(rows) == ["L3_ADD", "L3_EXECUTE", "L3_CHANGE", "L3_EXECUTE", "L3_CHANGE", "TRADE", "TRADE"]
    assert rows["price"].tolist() == [98, 100, 98, 99, 98, 100, 99]
    assert rows["quantity"].tolist() == [4e8, 1e8, 3e8, 1.5e8, 1.5e8, 1e8, 1.5e8]
    assert rows["id"].tolist() == [20, 11, 20, 12, 20, 11, 12]
    assert rows["id2"].tolist() == [0, 20, 0, 20, 0, 20, 20]
    assert rows["venue_sequence"].tolist() == [4, 5, 6, 7, 8, 501, 502]
    assert rows["flags"].tolist() == [1, 0, 1, 0, 1, 1, 1]
    assert findings.notes == {"trades_without_maker_row": 0, "trades_without_taker_row": 0}


def test_an_order_that_takes_and_then_rests_is_told_apart_by_its_trades(tmp_path: Path) -> None:
    orders = [
        *BOOK,
        "20,2100,1100,100.0,3.0,created,ask",
        "11,2100,1100,100.0,0.0,deleted,bid",
        "20,2100,1100,100.0,2.0,changed,ask",
        "21,2200,1200,100.0,1.0,created,bid",
        "20,2200,1200,100.0,1.0,changed,ask",
        "21,2200,1200,100.0,0.0,deleted,bid",
    ]
    trades = ["501,2100,1100,100.0,1.0,11,20,sell", "502,2200,1200,100.0,1.0,21,20,buy"]
    records, _ = read(write_capture(tmp_path, orders, trades))
    taken = [(Kind(kind).name, number) for kind, number in records[["kind", "id"]].tolist() if number == 20]
    assert [kind for kind, _ in taken] == ["L3_ADD", "L3_CHANGE", "L3_EXECUTE"]
    assert kinds(records)[-2:] == ["L3_DELETE", "TRADE"]
    assert records["quantity"][-2] == 0


def test_a_trade_without_a_row_of_its_maker_is_counted(tmp_path: Path) -> None:
    records, findings = read(write_capture(tmp_path, BOOK, ["501,2100,1100,100.0,0.25,11,20,sell"]))
    assert kinds(records) == ["L3_ADD"] * 3 + ["TRADE"]
    assert findings.notes == {"trades_without_maker_row": 1, "trades_without_taker_row": 1}


def test_a_cancel_keeps_the_limit_and_what_remained(tmp_path: Path) -> None:
    records, _ = read(write_capture(tmp_path, [*BOOK, "12,2100,1100,97.0,2.0,deleted,bid"]))
    assert kinds(records)[-1] == "L3_DELETE"
    assert records[-1][["price", "quantity"]].item() == (99, 200_000_000)


def test_closing_deletes_are_void(tmp_path: Path) -> None:
    live = "14,2100,1100,98.0,1.0,created,bid"
    records, findings = read(write_capture(tmp_path, [*BOOK, live, *CLOSING]))
    assert is_void(records) == [False] * 4 + [True] * 3
    assert findings.repairs == {"closing_delete": 3, "ghost": 0, "order_unknown": 0}


def test_a_delete_before_the_closing_run_is_not_void(tmp_path: Path) -> None:
    orders = [*BOOK, f"12,{END},{END - 70},99.0,2.0,deleted,bid", CLOSING[0], CLOSING[2]]
    records, _ = read(write_capture(tmp_path, orders))
    assert is_void(records) == [False] * 4 + [True] * 2


def test_an_untouched_order_that_takers_went_past_is_a_ghost(tmp_path: Path) -> None:
    orders = [
        *BOOK,
        "20,2100,1100,99.0,1.0,created,ask",
        "12,2100,1100,99.0,1.0,changed,bid",
        "20,2100,1100,99.0,0.0,deleted,ask",
        CLOSING[0],
        f"12,{END},{END},99.0,1.0,deleted,bid",
        CLOSING[2],
    ]
    records, findings = read(write_capture(tmp_path, orders, ["501,2100,1100,99.0,1.0,12,20,sell"]))
    void = [
        (number, Kind(kind).name)
        for (number, kind), off in zip(records[["id", "kind"]].tolist(), is_void(records), strict=True)
        if off
    ]
    assert void == [(11, "L3_ADD"), (11, "L3_DELETE"), (12, "L3_DELETE"), (13, "L3_DELETE")]
    assert findings.repairs["ghost"] == 1
    flags = records["flags"][:3].tolist()
    assert [bool(flag & int(Flag.BEGIN)) for flag in flags] == [False, True, False]
    assert [bool(flag & int(Flag.SNAPSHOT)) for flag in flags] == [True, True, True]


@pytest.mark.parametrize(
    ("trade", "touch"),
    [
        ("501,2100,1100,100.0,1.0,90,91,sell", None),  # at its price: it may have stood behind
        ("501,2100,1100,99.0,1.0,90,91,buy", None),  # a buyer does not meet a bid
        ("501,2100,1100,99.0,1.0,90,91,sell", "11,2200,1200,100.0,1.0,deleted,bid"),  # it was alive
    ],
)
def test_an_order_is_no_ghost_without_proof(tmp_path: Path, trade: str, touch: str | None) -> None:
    orders = [*BOOK, *([touch] if touch else []), *CLOSING[1:], *([] if touch else CLOSING[:1])]
    _, findings = read(write_capture(tmp_path, orders, [trade]))
    assert findings.repairs["ghost"] == 0


def test_events_of_an_order_never_created_are_kept_and_void(tmp_path: Path) -> None:
    orders = [
        *BOOK,
        "77,2100,1100,98.0,1.0,deleted,bid",
        "12,2100,1100,99.0,2.0,deleted,bid",
        "12,2101,1101,99.0,1.0,changed,bid",
    ]
    records, findings = read(write_capture(tmp_path, orders))
    assert is_void(records) == [False, False, False, True, False, True]
    assert findings.repairs["order_unknown"] == findings.repaired == 2


def test_receive_time_never_goes_back_and_the_step_is_counted(tmp_path: Path) -> None:
    orders = [*BOOK, "14,1990,1001,98.0,1.0,created,bid", "15,1995,1002,98.0,1.0,created,bid"]
    records, findings = read(write_capture(tmp_path, orders))
    assert records["time_ns"].tolist() == [2_000_000_000] * 5
    assert findings.late == 1


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("14,2100,1100,98.0,1.0,created", "expected 7 fields, found 6"),
        ("14,2100,1100,98.0,1.0,created,bid,", "expected 7 fields, found 8"),
        ("", "expected 7 fields, found 1"),
        ("x14,2100,1100,98.0,1.0,created,bid", "found 'x14'"),
        ("18446744073709551616,2100,1100,98.0,1.0,created,bid", "found '18446744073709551616'"),
        ("14,-2100,1100,98.0,1.0,created,bid", "found '-2100'"),
        ("14,2100,9223372036855,98.0,1.0,created,bid", "found '9223372036855'"),
        ("14,2100,1100,98.5,1.0,created,bid", "98.5 is not a multiple of 1"),
        ("14,2100,1100,nan,1.0,created,bid", "found 'nan'"),
        ("14,2100,1100,,1.0,created,bid", "found ''"),
        ("14,2100,1100,-98.0,1.0,created,bid", "found -98.0"),
        ("14,2100,1100,98.0,-1.0,created,bid", "found -1.0"),
        ("14,2100,1100,98.0,1e-09,created,bid", "is not a multiple of 1E-8"),
        ("14,2100,1100,98.0,1e11,created,bid", "found 1e11"),
        ("14,2100,1100,98.0,1_0.0,created,bid", "found '1_0.0'"),
        ("14,2100,1100,98.0,1.0,amended,bid", "found 'amended'"),
        ("14,2100,1100,98.0,1.0,created,buy", "found 'buy'"),
        ("14,2100,1100,98.0,1.0,created,bíd", "expected one of bid, ask"),
        ("11,2100,1100,98.0,1.0,created,bid", "expected order 11 to be created once"),
    ],
)
def test_a_bad_row_is_listed_with_its_line_and_the_rest_goes_on(tmp_path: Path, row: str, why: str) -> None:
    records, findings = read(write_capture(tmp_path, [*BOOK, row, "15,2100,1100,98.0,1.0,created,bid"]))
    assert records["id"].tolist() == [11, 12, 13, 15]
    assert records["venue_sequence"].tolist() == [1, 2, 3, 5]
    assert findings.rejected == 1
    (rejected,) = findings.rejects
    assert (rejected.file, rejected.line) == ("orders.csv", 5)
    assert why in rejected.why


def test_a_bad_trade_is_listed_with_its_file(tmp_path: Path) -> None:
    trades = ["501,2100,1100,100.0,1.0,90,91,sell", "502,2100,1100,100.0,1.0,90,91,sold"]
    records, findings = read(write_capture(tmp_path, BOOK, trades))
    assert findings.rejects == [Rejected("trades.csv", 3, "expected one of buy, sell, found 'sold'")]
    assert kinds(records).count("TRADE") == 1


def test_many_bad_rows_are_counted_to_the_last_and_listed_in_part(tmp_path: Path) -> None:
    _, findings = read(write_capture(tmp_path, [*BOOK, *["bad"] * 20_000]))
    assert (findings.rejected, len(findings.rejects)) == (20_000, 1_000)
    assert findings.rejects[-1].line == 1_004


def test_repeated_rows_are_dropped_and_counted(tmp_path: Path) -> None:
    change, trade = "12,2100,1100,99.0,1.0,changed,bid", "501,2100,1100,100.0,1.0,90,91,sell"
    records, findings = read(write_capture(tmp_path, [*BOOK, BOOK[1], change, change], [trade, trade]))
    assert records["venue_sequence"].tolist() == [1, 2, 3, 5, 501]
    assert (findings.duplicates, findings.rejected) == (3, 0)


def test_windows_line_ends_read_alike(tmp_path: Path) -> None:
    plain, _ = read(write_capture(tmp_path / "plain", BOOK))
    folder = write_capture(tmp_path / "windows", BOOK)
    for name in ("orders.csv", "trades.csv"):
        (folder / name).write_bytes((folder / name).read_bytes().replace(b"\n", b"\r\n"))
    other, findings = read(folder)
    assert other.tobytes() == plain.tobytes()
    assert findings.rejected == 0


def test_an_empty_recording_has_no_records(tmp_path: Path) -> None:
    records, findings = read(write_capture(tmp_path, []))
    assert (len(records), findings.repaired) == (0, 0)


def test_lost_connections_are_gaps(tmp_path: Path) -> None:
    folder = write_capture(tmp_path, BOOK)
    (folder / "meta.json").write_text('{"reconnects": 2}')
    assert read(folder)[1].gaps == 2
    (folder / "meta.json").write_text("[]")
    with pytest.raises(BadContainer, match=r"meta\.json"):
        read(folder)


def test_the_same_content_is_the_same_import_however_it_is_packed(tmp_path: Path) -> None:
    folder = write_capture(tmp_path / "folder", BOOK)
    packed = tmp_path / "packed"
    packed.mkdir()
    with gzip.open(packed / "orders.csv.gz", "wb") as stream:
        stream.write((folder / "orders.csv").read_bytes())
    (packed / "trades.csv").write_bytes((folder / "trades.csv").read_bytes())
    with zipfile.ZipFile(tmp_path / "capture.zip", "w") as archive:
        archive.write(packed / "orders.csv.gz", "some/where/orders.csv.gz")
        archive.write(packed / "trades.csv", "some/where/trades.csv")
    paths = [folder, folder / "orders.csv", packed, packed / "orders.csv.gz", tmp_path / "capture.zip"]
    opened = [open_source(path, DEFAULT_INSTRUMENT) for path in paths]
    assert len({source.import_id(DEFAULT_INSTRUMENT.id) for source, _ in opened}) == 1
    assert len({joined(batches).tobytes() for _, batches in opened}) == 1
    assert all(recognises(path) for path in paths)


def test_other_content_is_another_import(tmp_path: Path) -> None:
    first, _ = open_source(write_capture(tmp_path / "a", BOOK), DEFAULT_INSTRUMENT)
    second, _ = open_source(write_capture(tmp_path / "b", BOOK[:2]), DEFAULT_INSTRUMENT)
    assert first.import_id(1) != second.import_id(1)
    assert first.import_id(1) != first.import_id(2)


def test_a_wrong_header_says_that_the_format_may_be_wrong(tmp_path: Path) -> None:
    folder = write_capture(tmp_path, BOOK)
    (folder / "orders.csv").write_text("time,price\n1,2\n")
    assert not recognises(folder)
    with pytest.raises(BadContainer, match=r"found 'time,price'; is --format bitstamp-l3 right"):
        open_source(folder, DEFAULT_INSTRUMENT)


def test_missing_trades_are_a_bad_container(tmp_path: Path) -> None:
    folder = write_capture(tmp_path, BOOK)
    (folder / "trades.csv").unlink()
    with pytest.raises(BadContainer, match=r"expected trades\.csv"):
        open_source(folder, DEFAULT_INSTRUMENT)


def test_a_truncated_gzip_is_a_bad_container_and_the_store_stays_as_it_was(
    tmp_path: Path, store: Store
) -> None:
    folder = write_capture(
        tmp_path / "capture", [f"{n},2000,1000,1.0,0.{n},created,bid" for n in range(10, 9_000)]
    )
    whole = gzip.compress((folder / "orders.csv").read_bytes())
    (folder / "orders.csv").unlink()
    (folder / "orders.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadContainer, match="fetch the file again"):
        store.import_records(DEFAULT_INSTRUMENT, *open_source(folder, DEFAULT_INSTRUMENT))
    assert store.catalogue() == []
    assert store.query("SELECT count() FROM ticks") == [(0,)]


@pytest.mark.parametrize("cut", [0.3, 0.99])
def test_a_truncated_zip_is_a_bad_container(tmp_path: Path, cut: float) -> None:
    folder, whole = write_capture(tmp_path / "capture", BOOK), io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name in ("orders.csv", "trades.csv"):
            archive.write(folder / name, name)
    data = whole.getvalue()
    (tmp_path / "cut.whl").write_bytes(data[: int(len(data) * cut)])
    with pytest.raises(BadContainer, match=r"cut\.whl"):
        open_source(tmp_path / "cut.whl", DEFAULT_INSTRUMENT)


def test_a_damaged_member_of_a_zip_is_a_bad_container(tmp_path: Path) -> None:
    folder, path = write_capture(tmp_path / "capture", BOOK), tmp_path / "damaged.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("orders.csv", "trades.csv"):
            archive.write(folder / name, name)
    path.write_bytes(path.read_bytes().replace(b"created,bid", b"created,bad", 1))
    with pytest.raises(BadContainer, match="fetch the file again"):
        open_source(path, DEFAULT_INSTRUMENT)


@pytest.mark.parametrize("store", ["owner"], indirect=True)
@pytest.mark.sample
def test_the_sample_has_a_record_for_each_row_and_each_trade(sample_wheel: Path, store: Store) -> None:
    report = store.import_records(DEFAULT_INSTRUMENT, *open_source(sample_wheel, DEFAULT_INSTRUMENT))
    assert (report.rows, report.rejected, report.duplicates, report.gaps) == (314_057 + 284, 0, 0, 0)
    assert report.repairs == {"closing_delete": 6_518, "ghost": 2, "order_unknown": 13}
    assert report.repaired == 6_533
    assert report.notes == {"trades_without_maker_row": 0, "trades_without_taker_row": 2}
    assert (report.first_ns, report.last_ns) == (1777689383201000000, 1777691180507000000)
    assert report.late == 1
    stored = joined(store.stream([DEFAULT_INSTRUMENT.id]))
    assert stored.tobytes() == read(sample_wheel)[0].tobytes()
    counts = Counter(kinds(stored))
    assert counts == {
        "L3_ADD": 156_889,
        "L3_CHANGE": 152,
        "L3_DELETE": 156_732,
        "L3_EXECUTE": 284,
        "TRADE": 284,
    }


@pytest.mark.sample
def test_the_samples_ghosts_are_the_two_that_replay_finds(sample_wheel: Path) -> None:
    records, _ = read(sample_wheel)
    opening = (records["flags"] & int(Flag.SNAPSHOT)) != 0
    assert int(opening.sum()) == 6_512
    ghosts = records["id"][opening & ((records["flags"] & int(Flag.VOID)) != 0)].tolist()
    assert sorted(ghosts) == [2002347642003458, 2002347646152704]


@pytest.mark.sample
def test_the_samples_records_leave_each_order_what_its_rows_say(sample_wheel: Path) -> None:
    records, _ = read(sample_wheel)
    orders = records[records["kind"] != int(Kind.TRADE)]
    by_row = orders[np.argsort(orders["venue_sequence"])]
    with zipfile.ZipFile(sample_wheel) as archive:
        packed = archive.read("ob_analytics/_sample_data/orders.csv.gz")
    rows = list(csv.DictReader(io.StringIO(gzip.decompress(packed).decode())))
    assert len(rows) == len(by_row) == 314_057
    remaining: dict[int, int] = {}
    limits: dict[int, int] = {}
    for row, record in zip(rows, by_row[["id", "kind", "price", "quantity"]].tolist(), strict=True):
        number, kind, price, quantity = record
        assert number == int(row["id"])
        if kind == int(Kind.L3_ADD):
            limits[number] = int(Decimal(row["price"]))
        assert price == limits.get(number, price)
        left = remaining.get(number, 0) - quantity if kind == int(Kind.L3_EXECUTE) else quantity
        assert left == Decimal(row["volume"]).scaleb(8)
        remaining[number] = left


def test_a_file_that_ends_inside_a_line_is_refused_as_cut(tmp_path: Path) -> None:
    folder = write_capture(tmp_path / "capture", BOOK)
    file = folder / "orders.csv"
    file.write_text(file.read_text().rstrip("\n")[:-15])
    _, batches = open_source(folder, DEFAULT_INSTRUMENT)
    with pytest.raises(BadContainer, match=r"expected a whole last line in orders\.csv of .*, found line \d+ cut after"):
        list(batches)


def test_trades_without_order_events_are_refused(tmp_path: Path) -> None:
    folder = write_capture(tmp_path / "capture", [])
    (folder / "trades.csv").write_text(TRADE_COLUMNS + "\n1,1000,990,100,1.5,7,8,buy\n")
    _, batches = open_source(folder, DEFAULT_INSTRUMENT)
    with pytest.raises(BadContainer, match="expected order events"):
        list(batches)


def test_a_zip_whose_offsets_lead_before_it_is_a_bad_container(tmp_path: Path) -> None:
    """The size of its directory is said to be greater, so that each member begins that much earlier."""
    folder, path = write_capture(tmp_path / "capture", BOOK), tmp_path / "offsets.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("orders.csv", "trades.csv"):
            archive.write(folder / name, name)
    data = bytearray(path.read_bytes())
    end = data.rindex(b"PK\x05\x06")
    data[end + 16 : end + 20] = (int.from_bytes(data[end + 16 : end + 20], "little") + 40).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(BadContainer, match=r"offsets\.zip"):
        read(path)
