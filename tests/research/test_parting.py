"""Where runs part: nothing before the first difference, orders and fills beside their partners, no false holes at the end."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.research.conftest import SECOND, START_NS
from tradebot._core.types import FACT_DTYPE, Flag
from tradebot.domain.orders import Kind
from tradebot.research import parting
from tradebot.research.parting import part
from tradebot.research.results import RunFiles, open_results

MAKE = Callable[..., Path]


def opened(folder: Path) -> RunFiles:
    return open_results(folder)


def changed(folder: Path, change: Callable[[np.ndarray], np.ndarray]) -> RunFiles:
    """A run whose facts were changed."""
    path = folder / "facts.bin"
    path.write_bytes(change(np.frombuffer(path.read_bytes(), FACT_DTYPE).copy()).tobytes())
    return open_results(folder)


def test_equal_runs_part_nowhere(make_run: MAKE) -> None:
    one, two = opened(make_run("a", seconds=120)), opened(make_run("b", seconds=120))
    found = part([one, two])
    assert (found.time_ns, found.orders, found.fills) == (None, [], [])
    assert found.orders_alike == int((one.facts["kind"] == Kind.PLACE_ORDER).sum()) > 0
    assert found.fills_alike == int((one.facts["kind"] == Kind.ORDER_FILLED).sum()) > 0


def test_what_came_before_the_first_difference_is_counted_and_not_shown(make_run: MAKE) -> None:
    def raise_price(facts: np.ndarray) -> np.ndarray:
        at = np.flatnonzero(facts["kind"] == Kind.PLACE_ORDER)[5]
        facts["price"][at] += 100
        return facts

    one, two = opened(make_run("a", seconds=120)), changed(make_run("b", seconds=120), raise_price)
    placed = one.facts[one.facts["kind"] == Kind.PLACE_ORDER][5]
    found = part([one, two])
    assert (found.time_ns, found.orders_alike) == (int(placed["time_ns"]), 5)
    (row,) = found.orders
    assert (row.time_ns, row.strategy, row.instrument) == (int(placed["time_ns"]), "maker", "BTC/USD@bitstamp")
    assert row.cells[0] != row.cells[1] and " limit post only" in str(row.cells[0])
    assert found.fills == []


def test_an_order_that_only_one_run_sent_stands_alone(make_run: MAKE) -> None:
    def forget(facts: np.ndarray) -> np.ndarray:
        last = facts["id"][facts["kind"] == Kind.PLACE_ORDER][-1]
        return facts[facts["id"] != last]

    found = part([opened(make_run("a", seconds=120)), changed(make_run("b", seconds=120), forget)])
    (row,) = found.orders
    assert row.cells[0] is not None and row.cells[1] is None


def test_a_run_that_stops_early_has_all_alike_until_then(make_run: MAKE) -> None:
    def stop(facts: np.ndarray) -> np.ndarray:
        return facts[: len(facts) // 2]

    one, two = opened(make_run("a", seconds=120)), changed(make_run("b", seconds=120), stop)
    found = part([one, two])
    assert found.time_ns is not None and found.orders_alike > 0
    assert all(row.cells[0] is not None for row in found.orders + found.fills)


def test_fills_stand_beside_those_of_the_same_instant_at_the_venue(make_run: MAKE) -> None:
    def late(facts: np.ndarray) -> np.ndarray:
        facts["time_ns"] += 20_000_000
        return facts

    found = part([opened(make_run("a", seconds=300)), changed(make_run("b", seconds=300), late)])
    assert found.time_ns == START_NS and found.fills == [], "only the receipt differs, and the venue's time pairs them"


def test_a_fee_that_differs_shows_in_the_fills(make_run: MAKE) -> None:
    runs = [opened(make_run(name, seconds=300, maker_fee=fee)) for name, fee in (("a", "0.0005"), ("b", "0.0007"))]
    found = part(runs)
    fills = runs[0].facts[runs[0].facts["kind"] == Kind.ORDER_FILLED]
    assert len(found.fills) == int((fills["flags"] & Flag.MAKER != 0).sum()) > 3, "takers pay the same in both"
    assert all(" as maker, fee " in str(cell) for row in found.fills for cell in row.cells)


def test_a_table_ends_with_the_first_run_that_is_cut_off(make_run: MAKE, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the orders of the run that trades less would stand beside holes that are none."""
    monkeypatch.setattr(parting, "ROWS_MAX", 20)

    def thin(facts: np.ndarray) -> np.ndarray:
        return facts[facts["id"] % 4 != 1]

    whole = opened(make_run("a", seconds=600))
    found = part([whole, changed(make_run("b", seconds=600), thin)])
    sent = whole.facts["time_ns"][whole.facts["kind"] == Kind.PLACE_ORDER]
    first = found.orders_alike
    assert found.orders and found.orders[-1].time_ns < int(sent[first + 19]) < int(sent[-1]) + SECOND
