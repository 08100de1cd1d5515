"""Parquet: an export comes back as it was, and other people's trades and bars come in with exact decimals."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet as arrow_parquet

from tests.store.support import FIRST, joined, random_records, source
from tests.store.tabular import COIN, SECOND, content, kinds, read, rejected, rows
from tradebot.domain.errors import BadContainer, UsageError
from tradebot.store import parquet
from tradebot.store.client import Store, open_store
from tradebot.store.formats import open_import
from tradebot.store.instruments import make_instrument

MIDNIGHT = 1_704_067_200
INVERSE = make_instrument("BTC/USD:BTC@venue", "0.1", "1", multiplier="100")


def write(path: Path, **columns: Any) -> Path:
    arrow_parquet.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize("with_text", [False, True])
def test_an_export_gives_a_fresh_home_the_same_selection(tmp_path: Path, with_text: bool) -> None:
    records = random_records(INVERSE, 150_000)
    with open_store(tmp_path / "one") as store:
        store.import_records(INVERSE, source(), [records])
        before = store.selection([INVERSE.id])
        rows_written = parquet.export(tmp_path / "x.parquet", store.stream([INVERSE.id]), INVERSE, with_text)
    assert rows_written == 150_000
    with open_store(tmp_path / "two") as store:
        opened = open_import(tmp_path / "x.parquet")
        assert opened.instrument == INVERSE
        report = store.import_records(opened.instrument, opened.source, opened.batches)
        after = store.selection([INVERSE.id])
        assert joined(store.stream([INVERSE.id])).tobytes() == records.tobytes()
        again = store.import_records(*open_import(tmp_path / "x.parquet", known=store.instruments()))
    assert (report.format, report.rows, again.repeated) == ("parquet", 150_000, True)
    assert (after.checksum, after.rows, after.first_ns, after.last_ns) == (
        before.checksum, before.rows, before.first_ns, before.last_ns
    )  # fmt: skip


def test_text_is_for_people_and_names_nothing(tmp_path: Path) -> None:
    records = random_records(FIRST, 10)
    records["price"], records["quantity"] = np.arange(10), 1_500
    parquet.export(tmp_path / "plain.parquet", [records], FIRST)
    parquet.export(tmp_path / "text.parquet", [records], FIRST, with_text=True)
    table = arrow_parquet.read_table(tmp_path / "text.parquet")
    assert table.column("price_text").to_pylist()[:3] == ["0.00", "0.01", "0.02"]
    assert table.column("quantity_text").to_pylist()[0] == "1.500"
    assert content(parquet, tmp_path / "plain.parquet", FIRST) == content(parquet, tmp_path / "text.parquet", FIRST)


def test_an_export_that_fails_leaves_no_file(tmp_path: Path) -> None:
    def failing() -> Any:
        yield random_records(FIRST, 10)
        raise RuntimeError("the stream broke")

    with pytest.raises(RuntimeError):
        parquet.export(tmp_path / "x.parquet", failing(), FIRST)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match="give another --out"):
        parquet.export(tmp_path / "absent" / "x.parquet", [random_records(FIRST, 1)], FIRST)


def test_an_export_counts_the_steps_of_its_own_instrument(tmp_path: Path) -> None:
    parquet.export(tmp_path / "x.parquet", [random_records(FIRST, 10)], FIRST)
    with pytest.raises(UsageError, match=r"expected tick 0\.01, which the export's integers count, found 0\.1"):
        parquet.open_source(tmp_path / "x.parquet", make_instrument("AAA/USD@venue", "0.1", "0.001"))
    other = make_instrument("BBB/USD@venue", FIRST.tick, FIRST.lot)
    assert set(read(parquet, tmp_path / "x.parquet", other)[0]["instrument"].tolist()) == {other.id}


def test_an_export_that_was_spoiled_is_refused(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "x.parquet"
    parquet.export(path, [random_records(FIRST, 1000)], FIRST)
    table = arrow_parquet.read_table(path)
    falling = table.set_column(0, "time_ns", pa.array(range(1000, 0, -1), pa.int64()))
    arrow_parquet.write_table(falling, path)
    with pytest.raises(BadContainer, match="times that never fall"):
        store.import_records(FIRST, *parquet.open_source(path, FIRST))
    arrow_parquet.write_table(table.set_column(3, "price", pa.array([1.5] * 1000)), path)
    with pytest.raises(BadContainer, match="expected int64 in the column price"):
        store.import_records(FIRST, *parquet.open_source(path, FIRST))
    arrow_parquet.write_table(table.replace_schema_metadata({"tradebot.layout": "9"}), path)
    with pytest.raises(BadContainer, match=r"expected layout 1 .* found 9"):
        parquet.instruments(path)
    arrow_parquet.write_table(table.replace_schema_metadata({"tradebot.layout": "1"}), path)
    with pytest.raises(BadContainer, match="expected the instrument of the export"):
        parquet.instruments(path)
    assert store.catalogue() == []


@pytest.mark.parametrize(
    "prices",
    [[100.01, 0.1 + 0.2], ["100.01", "0.30"], [Decimal("100.01"), Decimal("0.30")], pa.array([100.01, 0.3], pa.float32())],
)
def test_trades_come_in_from_text_decimals_and_floats(tmp_path: Path, prices: Any) -> None:
    times = pa.array([MIDNIGHT * 1000, MIDNIGHT * 1000 + 1], pa.timestamp("ms"))
    path = write(tmp_path / "t.parquet", Time=times, price=prices, size=pa.array([1, 2]), side=["buy", "sell"], id=[7, 8])
    assert parquet.recognises(path)
    records, findings = read(parquet, path)
    if isinstance(prices, pa.Array):
        assert (len(records), rejected(findings)) == (0, [("t.parquet", 1), ("t.parquet", 2)])  # 32 bits are too few
        return
    assert rows(records, "time_ns", "venue_sequence", "price", "quantity", "flags") == [
        (MIDNIGHT * SECOND, 7, 10_001, 1_000, 0),
        (MIDNIGHT * SECOND + 1_000_000, 8, 30, 2_000, 1),
    ]


def test_times_are_told_by_type_or_by_size(tmp_path: Path) -> None:
    found = []
    for number, times in enumerate(
        (
            pa.array([MIDNIGHT], pa.timestamp("s", "Europe/Berlin")),
            pa.array([MIDNIGHT // 86_400], pa.date32()),
            pa.array([MIDNIGHT], pa.int32()),
            pa.array([float(MIDNIGHT * 1000)]),
            pa.array([MIDNIGHT * 10**9], pa.uint64()),
            pa.array(["2024-01-01T00:00:00Z"]).dictionary_encode(),
        )
    ):
        path = write(tmp_path / f"{number}.parquet", time=times, price=[1.0], amount=[1.0], side=["buy"])
        found.append(read(parquet, path)[0]["time_ns"].tolist())
    assert found == [[MIDNIGHT * SECOND]] * 6


def test_bars_come_in_and_bad_rows_are_listed(tmp_path: Path) -> None:
    minutes = pa.array([(MIDNIGHT + 60 * n) * 1000 for n in (0, 1, 2, 3)], pa.int64())
    columns = {"open": 100.0, "high": 101.0, "low": 99.0, "close": 100.5}
    path = write(
        tmp_path / "b.parquet",
        open_time=minutes,
        volume=pa.array([1.0, None, 3.0, 0.0001]),
        **{name: [value] * 4 for name, value in columns.items()},
    )
    records, findings = read(parquet, path)
    assert set(kinds(records)) == {"BAR"}
    assert rows(records, "venue_ns", "quantity", "owner") == [
        (MIDNIGHT * SECOND, 1_000, 60), ((MIDNIGHT + 120) * SECOND, 3_000, 60)
    ]  # fmt: skip
    assert rejected(findings) == [("b.parquet", 2), ("b.parquet", 4)]


def test_a_time_without_a_value_is_a_bad_row(tmp_path: Path) -> None:
    times = pa.array([None, MIDNIGHT * 1000], pa.int64())
    path = write(tmp_path / "t.parquet", time=times, price=[1.0, 1.0], amount=[1.0, 1.0], side=["buy", None])
    assert rejected(read(parquet, path)[1]) == [("t.parquet", 1), ("t.parquet", 2)]


@pytest.mark.parametrize("cut", [3, 100, -10])
def test_a_cut_file_is_a_bad_container(tmp_path: Path, cut: int) -> None:
    path = write(tmp_path / "t.parquet", time=[1], price=[1.0], amount=[1.0], side=["buy"])
    path.write_bytes(path.read_bytes()[:cut])
    assert not parquet.recognises(path)
    with pytest.raises(BadContainer, match=r"t\.parquet"):
        parquet.open_source(path, COIN)


def test_a_damaged_page_leaves_the_store_as_it_was(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "x.parquet"
    parquet.export(path, [random_records(FIRST, 50_000)], FIRST)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 5_000] = bytes(5_000)
    path.write_bytes(data)
    with pytest.raises(BadContainer, match=r"x\.parquet"):
        store.import_records(FIRST, *parquet.open_source(path, FIRST))
    assert store.catalogue() == []
