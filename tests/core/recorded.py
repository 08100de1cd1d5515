"""The recorded trades of XRP/ETH, and the venue's own candles of them, in ticks and lots."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tradebot._core.types import RECORD_DTYPE, Kind
from tradebot.engine.ports import Records

TICK, LOT = 1e-8, 1.0
MS = 1_000_000

Candle = tuple[int, int, int, int, int, int]  # label in ns; open, high, low, close in ticks; volume in lots


def table(shared_dir: Path, name: str) -> dict[str, Any]:
    """Columns of one of the feather files."""
    feather = pytest.importorskip("pyarrow.feather")
    root = shared_dir / "data" if (shared_dir / "data").is_dir() else shared_dir
    found = feather.read_table(root / "trades_candles" / f"XRP_ETH-{name}.feather")
    return {column: found.column(column).to_numpy(zero_copy_only=False) for column in found.column_names}


def candles(shared_dir: Path, interval: str) -> list[Candle]:
    columns = table(shared_dir, interval)
    labels = columns["date"].astype("datetime64[ns]").astype(np.int64).tolist()
    prices = [np.rint(columns[name] / TICK).astype(np.int64).tolist() for name in ("open", "high", "low", "close")]
    return list(zip(labels, *prices, np.rint(columns["volume"] / LOT).astype(np.int64).tolist(), strict=True))


def trades(shared_dir: Path) -> Records:
    """As TRADE records, received when they happened."""
    columns = table(shared_dir, "trades")
    records = np.zeros(len(columns["timestamp"]), dtype=RECORD_DTYPE)
    records["time_ns"] = records["venue_ns"] = columns["timestamp"] * MS
    records["venue_sequence"] = columns["id"].astype(np.int64)
    records["price"] = np.rint(columns["price"] / TICK)
    records["quantity"] = np.rint(columns["amount"] / LOT)
    records["kind"], records["instrument"] = Kind.TRADE, 1
    assert np.array_equal(records["quantity"], columns["amount"])
    return records
