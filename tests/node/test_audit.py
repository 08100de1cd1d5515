"""Audits of a store: which instruments and days, the totals, the file, and a selection that holds nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.research.ticks import DAY, FIRST_DAY, INSTRUMENT, Market, joined
from tradebot.domain.errors import EmptyRange, UnknownInstrument
from tradebot.node.audit import audit_store
from tradebot.node.home import make_home
from tradebot.node.progress import Silent
from tradebot.store.client import open_store
from tradebot.store.imports import ImportSource
from tradebot.store.instruments import spot_instrument

OTHER = spot_instrument("ETH/USD@venue", tick="0.1", lot="0.001")


class Counting(Silent):
    """How far it got, of how much."""

    def __init__(self) -> None:
        self.total = self.count = 0

    def start(self, what: str, total: int | None) -> None:
        self.total += total or 0

    def advance(self, count: int) -> None:
        self.count += count


def days_of(seed: int, instrument: Any, *days: int, faults: float = 0.0) -> np.ndarray:
    parts = []
    for number, day in enumerate(days):
        records = joined(Market(seed, faults).rows(300))
        records["instrument"] = instrument.id
        for name in ("time_ns", "venue_ns"):
            records[name] += day * DAY
        records["venue_sequence"] += np.uint64(number * 10_000)
        parts.append(records)
    return np.concatenate(parts)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_home(tmp_path_factory.mktemp("audit"))
    with open_store(folder / "data") as store:
        for instrument, stream in (
            (INSTRUMENT, days_of(1, INSTRUMENT, 0, 3)),
            (OTHER, days_of(2, OTHER, 4, faults=0.05)),
        ):
            store.import_records(instrument, ImportSource("test", 1, instrument.name, "nowhere"), iter([stream]))
    return folder


def test_all_instruments_are_audited_where_none_is_named(home: Path) -> None:
    progress = Counting()
    found: Any = audit_store(home, None, None, None, progress)
    assert [(one["instrument"], one["day"]) for one in found["audit"]] == [
        ("BTC/USDT:USDT@venue", "2024-03-18"),
        ("BTC/USDT:USDT@venue", "2024-03-21"),
        ("ETH/USD@venue", "2024-03-22"),
    ]
    assert (found["days"], found["days_without_facts"]) == (3, 2)
    assert progress.count == progress.total == found["rows"] == sum(one["rows"] for one in found["audit"])
    for name in ("gaps", "duplicates", "outliers"):
        assert found[name] == sum(one[name] for one in found["audit"])
    for name in ("score", "coverage"):
        assert found[name] == pytest.approx(sum(one[name] for one in found["audit"]) / 3, abs=0.05)
    assert found["audit"][0]["score"] == 100.0 > found["audit"][2]["score"]
    picture = Path(found["picture"])
    assert picture == home / "results" / "audit-all-20240318-20240322.html"
    assert picture.read_text().startswith("<!DOCTYPE html>")
    assert "covered" not in found["audit"][0]


def test_one_instrument_and_a_range_of_it(home: Path) -> None:
    found: Any = audit_store(home, "BTC/USDT:USDT", "2024-03-19", "2024-03-21", Silent())
    assert [one["day"] for one in found["audit"]] == ["2024-03-21"]
    assert Path(found["picture"]).name == "audit-btc-usdt-usdt-venue-20240321-20240321.html"
    middle = found["audit"][0]["first_ns"] + 60 * 10**9
    part: Any = audit_store(home, "BTC/USDT:USDT", str(middle), None, Silent())
    assert part["audit"][0]["first_ns"] >= middle and 0 < part["rows"] < found["rows"]


def test_the_same_ticks_give_the_same_bytes(home: Path) -> None:
    pages = [Path(str(audit_store(home, None, None, None, Silent())["picture"])).read_bytes() for _ in range(2)]
    assert pages[0] == pages[1]


def test_a_selection_without_facts_is_refused(home: Path, tmp_path: Path) -> None:
    with pytest.raises(EmptyRange, match=r"expected a range within the ticks of BTC/USDT:USDT@venue, ETH/USD@venue, 2024-03-18"):
        audit_store(home, None, "2025-01-01", None, Silent())
    with pytest.raises(EmptyRange, match="a hole of the recording"):
        audit_store(home, "BTC/USDT:USDT", "2024-03-19", "2024-03-20", Silent())
    with pytest.raises(UnknownInstrument):
        audit_store(home, "BTC/EUR", None, None, Silent())
    with pytest.raises(EmptyRange, match="expected ticks of any instrument, found none"):
        audit_store(make_home(tmp_path), None, None, None, Silent())
    assert FIRST_DAY // DAY == 19_800
