"""The freqtrade importer: hand-made Feather files, and the recorded ones: every venue candle from its trades."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather

from tests.reference.bars import time_bars
from tests.store.support import joined
from tests.store.tabular import COIN, SECOND, content, kinds, read, rejected, rows
from tradebot._core.types import Kind
from tradebot.domain.errors import BadContainer
from tradebot.store import freqtrade
from tradebot.store.client import Store
from tradebot.store.formats import open_import
from tradebot.store.instruments import spot_instrument

MIDNIGHT = 1_704_067_200
XRPETH = spot_instrument("XRP/ETH@binance", tick="0.00000001", lot="1")
COINS = {"ADA": 5720, "DASH": 5758, "ETC": 5759, "ETH": 5760, "LTC": 5760, "NXT": 5760, "TRX": 5754, "XLM": 5760,
         "XMR": 5758, "ZEC": 5757}  # fmt: skip


def trades(**changed: list[Any]) -> pa.Table:
    columns = {
        "timestamp": [MIDNIGHT * 1000, MIDNIGHT * 1000 + 1, MIDNIGHT * 1000 + 2],
        "id": ["1", "2", "3"],
        "type": pa.nulls(3),
        "side": ["buy", "sell", "buy"],
        "price": [100.01, 100.0, 0.1 + 0.2],
        "amount": [1.5, 2.0, 0.001],
        "cost": [1.0, 1.0, 1.0],
    }
    return pa.table({**columns, **changed})


def candles(*minutes: int) -> pa.Table:
    count = len(minutes)
    dates = pa.array([(MIDNIGHT + 60 * minute) * 1000 for minute in minutes], pa.timestamp("ms", "UTC"))
    columns = {"open": 100.0, "high": 101.0, "low": 99.0, "close": 100.5, "volume": 7.5}
    return pa.table({"date": dates, **{name: [value] * count for name, value in columns.items()}})


def write(path: Path, table: pa.Table, **options: Any) -> Path:
    feather.write_feather(table, path, **options)
    return path


def test_trades_are_brought_to_the_nearest_step(tmp_path: Path) -> None:
    path = write(tmp_path / "AAA_USD-trades.feather", trades())
    assert freqtrade.recognises(path)
    records, findings = read(freqtrade, path)
    assert rows(records, "venue_sequence", "price", "quantity", "flags") == [
        (1, 10_001, 1_500, 0), (2, 10_000, 2_000, 1), (3, 30, 1, 0)
    ]  # fmt: skip
    assert set(kinds(records)) == {"TRADE"} and findings.rejects == []


def test_bad_cells_are_listed_with_file_and_row(tmp_path: Path) -> None:
    bad = trades(price=[100.01, 100.005, None], side=["buy", "sell", "?"], amount=[-1.0, 1.0, 1.0])
    records, findings = read(freqtrade, write(tmp_path / "t.feather", bad))
    assert len(records) == 0
    assert rejected(findings) == [("t.feather", 1), ("t.feather", 2), ("t.feather", 3)]
    assert "100.005 is not a multiple of 0.01" in findings.rejects[1].why


def test_candles_have_the_interval_of_their_name(tmp_path: Path) -> None:
    records, findings = read(freqtrade, write(tmp_path / "AAA_USD-5m-futures.feather", candles(0, 5, 15)))
    assert rows(records, "venue_ns", "time_ns", "owner") == [
        ((MIDNIGHT + 60 * minute) * SECOND, (MIDNIGHT + 60 * (minute + 5)) * SECOND, 300) for minute in (0, 5, 15)
    ]
    assert (set(kinds(records)), findings.gaps, findings.notes) == ({"BAR"}, 1, {"bars_missing": 1})


@pytest.mark.parametrize("kind", ["mark", "funding_rate", "index", "premiumIndex"])
def test_candles_of_other_things_are_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(BadContainer, match="candles of something else"):
        freqtrade.open_source(write(tmp_path / f"A_B_B-8h-{kind}.feather", candles(0, 480)), COIN)


def test_the_content_is_the_values_however_they_are_packed(tmp_path: Path) -> None:
    first = write(tmp_path / "a.feather", trades(), compression="lz4")
    second = write(tmp_path / "b.feather", trades(), compression="zstd", chunksize=1)
    other = write(tmp_path / "c.feather", trades(id=["1", "2", "4"]))
    assert content(freqtrade, first) == content(freqtrade, second) != content(freqtrade, other)


@pytest.mark.parametrize("cut", [5, 200, -8, -400])
def test_a_cut_file_is_a_bad_container(tmp_path: Path, cut: int) -> None:
    path = write(tmp_path / "t.feather", trades())
    path.write_bytes(path.read_bytes()[:cut])
    assert not freqtrade.recognises(path)
    with pytest.raises(BadContainer, match=r"t\.feather"):
        freqtrade.open_source(path, COIN)


def test_damaged_offsets_of_text_are_refused_and_not_followed(tmp_path: Path) -> None:
    path = write(tmp_path / "t.feather", trades(), compression="uncompressed")
    data = path.read_bytes()
    offsets = np.array([0, 1, 2, 3], np.int32).tobytes()
    assert offsets in data
    path.write_bytes(data.replace(offsets, np.array([0, 1, -9, 3], np.int32).tobytes(), 1))
    with pytest.raises(BadContainer, match=r"t\.feather"):
        freqtrade.open_source(path, COIN)


def test_a_file_of_other_columns_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "t.feather", pa.table({"a": [1]}))
    assert not freqtrade.recognises(path)
    with pytest.raises(BadContainer, match=r"columns of trades or of bars in .*, found 'a'"):
        freqtrade.open_source(path, COIN)


@pytest.mark.shared
def test_every_recorded_candle_equals_the_one_built_from_the_stored_trades(shared_dir: Path, store: Store) -> None:
    folder = shared_dir / "data" / "trades_candles"
    for name, count in (("trades", 12_477), ("1m", 2_469), ("5m", 706)):
        opened = open_import(folder / f"XRP_ETH-{name}.feather", "auto", XRPETH.name, XRPETH.tick, XRPETH.lot)
        report = store.import_records(opened.instrument, opened.source, opened.batches)
        assert (report.format, report.rows, report.rejected, report.late) == ("freqtrade", count, 0, 0)
    stored = joined(store.stream([XRPETH.id]))
    traded = stored[stored["kind"] == int(Kind.TRADE)]
    for seconds, count in ((60, 2_469), (300, 706)):
        bars = stored[(stored["kind"] == int(Kind.BAR)) & (stored["owner"] == seconds)]
        built = time_bars(rows(traded, "time_ns", "price", "quantity"), seconds * SECOND)
        assert len(built) == count
        assert rows(bars, "venue_ns", "venue_sequence", "id", "id2", "price", "quantity") == [
            (bar.label_ns, bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in built
        ]
        assert (bars["time_ns"] == bars["venue_ns"] + seconds * SECOND).all()


@pytest.mark.shared
@pytest.mark.parametrize("coin", COINS)
def test_the_recorded_bars_come_in_to_the_last_digit(shared_dir: Path, coin: str) -> None:
    path = shared_dir / "data" / "ohlcv" / f"{coin}_BTC-5m.feather"
    instrument = spot_instrument(f"{coin}/BTC@venue", tick="0.00000001", lot="0.00000001")
    records, findings = read(freqtrade, path, instrument)
    assert (len(records), findings.rejected, findings.duplicates) == (COINS[coin], 0, 0)
    table = feather.read_table(path)
    for column, slot in {"open": "venue_sequence", "high": "id", "low": "id2", "close": "price", "volume": "quantity"}.items():
        values = np.array(table.column(column).to_pylist())
        np.testing.assert_allclose(records[slot] / 1e8, values, rtol=1e-15, atol=0)
    opens = np.array(table.column("date").cast(pa.int64()).to_pylist())
    assert records["venue_ns"].tolist() == opens.tolist()
    assert findings.gaps == int((np.diff(opens) > 300 * SECOND).sum())
