"""Results of runs: what is written can be asked for, and a run written twice is there once."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tradebot._core.types import FACT_DTYPE, SAMPLE_DTYPE, Flag, Kind, OrderType, TimeInForce
from tradebot.domain.errors import UsageError
from tradebot.store.client import Store
from tradebot.store.results import Standing


def facts(*rows: dict[str, Any]) -> npt.NDArray[np.void]:
    made = np.zeros(len(rows), FACT_DTYPE)
    for place, row in enumerate(rows):
        for name, value in row.items():
            made[name][place] = value
    return made


PLACE = {
    "kind": Kind.PLACE_ORDER,
    "time_ns": 10,
    "id": 5,
    "price": 100,
    "quantity": 7,
    "owner": 1,
    "flags": Flag.SELL,
    "order_type": OrderType.LIMIT,
    "time_in_force": TimeInForce.POST_ONLY,
    "cause": 3,
}
REJECTED = {"kind": Kind.ORDER_REJECTED, "time_ns": 11, "id": 5, "reject": 901}
FILLED = {
    "kind": Kind.ORDER_FILLED,
    "time_ns": 12,
    "id": 6,
    "id2": (1 << 64) - 1,
    "price": 99,
    "quantity": 2,
    "flags": Flag.MAKER,
    "fee": -4,
    "fee_asset": 2,
    "trade_id": (1 << 64) - 2,
    "parent": 5,
    "display": 8,
}
TIMER = {"kind": Kind.TIMER, "time_ns": 12}


def test_order_events_and_fills_are_rows(store: Store) -> None:
    chunk = facts(PLACE, TIMER, REJECTED, FILLED)
    store.write_run({"run_id": "r1", "seed": 1})
    store.write_orders("r1", chunk, first_row=40, strategies=["one", "two"])
    store.write_fills("r1", chunk, first_row=40, strategies=["one", "two"])
    assert store.query(
        "SELECT `row`, time_ns, strategy, order_id, event, side, order_type, time_in_force, price, quantity, "
        "reject, cause FROM orders WHERE run_id = 'r1' ORDER BY `row`"
    ) == [
        (40, 10, "two", 5, "PLACE_ORDER", "SELL", "LIMIT", "POST_ONLY", 100, 7, 0, 3),
        (42, 11, "one", 5, "ORDER_REJECTED", "BUY", "", "", 0, 0, 901, 0),
        (43, 12, "one", 6, "ORDER_FILLED", "BUY", "", "", 99, 2, 0, 0),
    ]
    assert store.query(
        "SELECT `row`, order_id, trade_id, other_order_id, side, maker, price, quantity, remaining, fee, fee_asset, "
        "ahead FROM fills"
    ) == [(43, 6, (1 << 64) - 2, (1 << 64) - 1, "BUY", 1, 99, 2, 5, -4, 2, 8)]


def test_equity_samples_are_rows(store: Store) -> None:
    samples = np.zeros(2, SAMPLE_DTYPE)
    samples["time_ns"] = [1, 2]
    samples["position"] = [-5, 5]
    samples["realised"] = [np.iinfo(np.int64).min, np.iinfo(np.int64).max]
    store.write_run({"run_id": "r1"})
    store.write_equity("r1", samples, ["maker"])
    assert store.query("SELECT time_ns, strategy, position, realised FROM equity ORDER BY time_ns") == [
        (1, "maker", -5, np.iinfo(np.int64).min),
        (2, "maker", 5, np.iinfo(np.int64).max),
    ]


def test_a_run_written_again_replaces_itself_and_no_other(store: Store) -> None:
    for run_id, count in (("r1", 3), ("it's", 2), ("r1", 1)):
        store.write_run({"run_id": run_id, "count": count})
        store.write_orders(run_id, facts(*[PLACE] * count))
        store.write_fills(run_id, facts(*[FILLED] * count))
        store.write_equity(run_id, np.zeros(count, SAMPLE_DTYPE))
    assert store.runs() == [{"run_id": "it's", "count": 2}, {"run_id": "r1", "count": 1}]
    for table in ("orders", "fills", "equity"):
        found = store.query(f"SELECT run_id, count() FROM {table} GROUP BY run_id ORDER BY run_id")
        assert found == [("it's", 2), ("r1", 1)]


def test_chunks_without_orders_write_nothing(store: Store) -> None:
    store.write_orders("r1", facts(TIMER))
    store.write_fills("r1", facts(PLACE))
    store.write_equity("r1", np.zeros(0, SAMPLE_DTYPE))
    assert [store.query(f"SELECT count() FROM {table}") for table in ("orders", "fills", "equity")] == [
        [(0,)]
    ] * 3


def test_a_manifest_without_a_run_id_is_refused(store: Store) -> None:
    with pytest.raises(UsageError, match="run_id"):
        store.write_run({"seed": 1})


def test_where_a_growing_run_stands_is_its_last_rows(store: Store) -> None:
    """A writer that goes on behind them writes nothing twice."""
    assert store.standing("grows") == Standing(False, -1, -1, -1)
    store.write_run({"run_id": "grows"})
    facts, samples = np.zeros(3, FACT_DTYPE), np.zeros(2, SAMPLE_DTYPE)
    facts["kind"] = [Kind.PLACE_ORDER, Kind.ORDER_FILLED, Kind.ORDER_CANCELLED]
    samples["time_ns"] = [5, 9]
    rows = np.array([1 << 16, 2 << 16, (2 << 16) + 1], np.uint64)
    store.write_orders("grows", facts, rows)
    store.write_fills("grows", facts, rows)
    store.write_equity("grows", samples)
    assert store.standing("grows") == Standing(True, (2 << 16) + 1, 2 << 16, 9)
    assert store.standing("grow") == Standing(False, -1, -1, -1)
    found = store.query("SELECT `row` FROM orders WHERE run_id = 'grows' ORDER BY `row`")
    assert [one[0] for one in found] == rows.tolist()
