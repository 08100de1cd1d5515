"""What an import calls gaps and what the audit finds in the same stored rows: one rule, or each by its own name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.store.raw_lines import write
from tests.store.test_sequel import LATER, Quiet, bring
from tradebot._core.types import RECORD_DTYPE, Kind
from tradebot.feeds.breaks import BarGaps
from tradebot.node.audit import audit_store
from tradebot.node.ticks import import_paths
from tradebot.store.formats import FORMATS, GAPS

HOUR = 3_600


def audited(home: Path) -> dict[str, Any]:
    (home / "results").mkdir()
    return audit_store(home, None, None, None, Quiet())


def candles(path: Path, hours: list[int]) -> Path:
    rows = [f"{1_700_002_800_000 + hour * HOUR * 1000},1.5,1.6,1.4,1.5,10" for hour in hours]
    path.write_text("\n".join(["timestamp,open,high,low,close,volume", *rows]) + "\n")
    return path


def bring_bars(home: Path, path: Path) -> dict[str, Any]:
    return import_paths(home, [path], "ccxt-ohlcv", "EUR/USD@fx", "0.00001", "1", Quiet())


def test_bars_have_the_same_gaps_in_an_import_and_in_the_audit(tmp_path: Path) -> None:
    """An hour is missing, then two days, then a week: one place each."""
    hours = [*range(30), *range(31, 60), *range(110, 140), *range(310, 330)]
    found, seen = bring_bars(tmp_path, candles(tmp_path / "A-1h.csv", hours)), audited(tmp_path)
    assert found["gaps"] == seen["bar_gaps"] == 3
    assert "bar_gaps of data audit" in found["gaps_are"]
    assert sum(day["bar_gaps"] for day in seen["audit"]) == 3 and seen["gaps"] < 3, "those inside a recording alone"


@pytest.mark.shared
def test_the_weekends_of_the_recorded_euro_are_bar_gaps_in_both(shared_dir: Path, tmp_path: Path) -> None:
    found = bring_bars(tmp_path, shared_dir / "data" / "ohlcv" / "EURUSD.csv.gz")
    assert found["gaps"] == audited(tmp_path)["bar_gaps"] == 42


def test_lost_books_are_the_same_gap_facts_in_both(tmp_path: Path) -> None:
    found = bring(tmp_path, write(tmp_path / "a.txt", *LATER[1:], *[line.replace('"pu":91', '"pu":95') for line in LATER[2:]]))
    assert found["gaps"] == audited(tmp_path)["gap_facts"] and "gap_facts" in found["gaps_are"]


@pytest.mark.parametrize("size", (1, 2, 7, 1_000))
def test_bars_are_counted_by_interval_whatever_the_batches(size: int) -> None:
    records = np.zeros(60, RECORD_DTYPE)
    records["kind"], records["owner"] = int(Kind.BAR), [60, 300] * 30
    for owner, missing in ((60, (4, 9)), (300, (17,))):
        mine = np.flatnonzero(records["owner"] == owner)
        opens = np.arange(30) + sum((np.arange(30) > at).astype(int) for at in missing)
        records["venue_ns"][mine], records["time_ns"][mine] = opens * owner, (opens + 1) * owner
    records["kind"][::26] = int(Kind.TRADE)
    counter = BarGaps()
    # Three bars of 60 s are trades instead: the first of all, which nothing precedes, and two that leave a place each.
    assert sum(counter.add(records[at : at + size]) for at in range(0, 60, size)) == 3 + 2


def test_every_rule_is_that_of_a_format_there_is() -> None:
    assert set(GAPS) <= set(FORMATS)
