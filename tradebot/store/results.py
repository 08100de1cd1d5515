"""Results of runs in the store, so that they can be asked about with SQL: runs, orders, fills, equity.

`orders` has a row for each command and each answer, which is what happened; the state of an order at a time
is a query over them. The files in a run's folder stay the record; these tables are made from them and can be
made again.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct

from tradebot._core.types import FACT_DTYPE, SAMPLE_DTYPE, Flag, Kind, OrderType, TimeInForce
from tradebot.domain.errors import UsageError
from tradebot.store.backend import Backend, Column
from tradebot.store.schema import EQUITY_COLUMNS, FILL_COLUMNS, ORDER_COLUMNS, RUN_COLUMNS, RUN_TABLES

Chunk = npt.NDArray[np.void]
Rows = int | npt.NDArray[np.uint64]
"""Where facts stand in a run: the place of the first, those behind it counted on, or that of each."""

_ORDER_KINDS: Final = (
    Kind.PLACE_ORDER,
    Kind.CANCEL_ORDER,
    Kind.ORDER_ACCEPTED,
    Kind.ORDER_REJECTED,
    Kind.ORDER_FILLED,
    Kind.ORDER_CANCELLED,
    Kind.CANCEL_REJECTED,
    Kind.ORDER_AMENDED,
    Kind.AMEND_REJECTED,
    Kind.ORDER_TRIGGERED,
    Kind.AMEND_ORDER,
)


def write_run(backend: Backend, manifest: Mapping[str, Any]) -> None:
    """Clear what the store has of the manifest's `run_id` and write its row. Raises UsageError without a
    run_id.
    """
    run_id = manifest.get("run_id")
    if not isinstance(run_id, str) or not run_id:
        raise UsageError(f"expected a manifest with a run_id, found {run_id!r}")
    for table in RUN_TABLES:
        if backend.rows(f"SELECT 1 FROM {table} WHERE run_id = {{run:String}} LIMIT 1", {"run": run_id}):
            backend.delete(table, f"run_id = '{_quoted(run_id)}'")
    text = msgspec.json.encode(manifest, order="deterministic").decode()
    backend.insert("runs", {"run_id": [run_id], "manifest": [text]}, RUN_COLUMNS)


class Standing(Struct, frozen=True):
    """How far a run that goes on is in the tables: the last row of each; -1 where there is none."""

    is_known: bool
    orders: int
    fills: int
    equity_ns: int


def find_standing(backend: Backend, run_id: str) -> Standing:
    """What a writer goes on behind. The tables say it themselves: an insert is all there or not, so a batch is in where its last
    row is.
    """
    run = {"run": run_id}

    def last(table: str, column: str) -> int:
        rows = backend.rows(f"SELECT count(), max(`{column}`) FROM {table} WHERE run_id = {{run:String}}", run)
        return int(rows[0][1]) if rows[0][0] else -1

    is_known = bool(backend.rows("SELECT 1 FROM runs WHERE run_id = {run:String} LIMIT 1", run))
    return Standing(is_known, last("orders", "row"), last("fills", "row"), last("equity", "time_ns"))


def read_runs(backend: Backend) -> list[dict[str, Any]]:
    """The manifests, oldest first."""
    return [
        msgspec.json.decode(row[0])
        for row in backend.rows("SELECT manifest FROM runs ORDER BY written, run_id")
    ]


def write_orders(
    backend: Backend, run_id: str, facts: Chunk, first_row: Rows, strategies: Sequence[str]
) -> None:
    """Add the order events of a chunk of facts; `first_row` is the chunk's place in the run's facts."""
    assert facts.dtype == FACT_DTYPE
    at = np.flatnonzero(np.isin(facts["kind"], [int(kind) for kind in _ORDER_KINDS]))
    if len(at):
        columns = _common_columns(run_id, facts, at, first_row, strategies)
        chosen = facts[at]
        columns |= {
            "event": _names(chosen["kind"], {int(kind): kind.name for kind in _ORDER_KINDS}),
            "order_type": _names(chosen["order_type"], {int(one): one.name for one in OrderType}),
            "time_in_force": _names(chosen["time_in_force"], {int(one): one.name for one in TimeInForce}),
            "reject": np.ascontiguousarray(chosen["reject"]),
            "cause": np.ascontiguousarray(chosen["cause"]),
        }
        backend.insert("orders", {name: columns[name] for name in ORDER_COLUMNS}, ORDER_COLUMNS)


def write_fills(backend: Backend, run_id: str, facts: Chunk, first_row: Rows, strategies: Sequence[str]) -> None:
    """Add the fills among a chunk of facts, a liquidation as one of order 0; `first_row` is its place in the run's facts."""
    assert facts.dtype == FACT_DTYPE
    at = np.flatnonzero(np.isin(facts["kind"], (int(Kind.ORDER_FILLED), int(Kind.LIQUIDATED))))
    if len(at):
        columns = _common_columns(run_id, facts, at, first_row, strategies)
        chosen = facts[at]
        columns |= {
            "trade_id": np.ascontiguousarray(chosen["trade_id"]),
            "other_order_id": np.ascontiguousarray(chosen["id2"]),
            "maker": (chosen["flags"] & int(Flag.MAKER) != 0).astype(np.uint8),
            "remaining": chosen["parent"].astype(np.int64),
            "fee": np.ascontiguousarray(chosen["fee"]),
            "fee_asset": np.ascontiguousarray(chosen["fee_asset"]),
            "ahead": np.ascontiguousarray(chosen["display"]),
        }
        backend.insert("fills", {name: columns[name] for name in FILL_COLUMNS}, FILL_COLUMNS)


def write_equity(backend: Backend, run_id: str, samples: Chunk, strategies: Sequence[str]) -> None:
    """Add a chunk of the run's samples: prices in ticks, position in lots, money in units of the quote asset."""
    assert samples.dtype == SAMPLE_DTYPE
    if len(samples):
        columns: dict[str, Column] = {
            name: np.ascontiguousarray(samples[name])
            for name in EQUITY_COLUMNS
            if name not in ("run_id", "strategy")
        }
        columns["run_id"] = [run_id] * len(samples)
        columns["strategy"] = _names(samples["strategy"], dict(enumerate(strategies)))
        backend.insert("equity", {name: columns[name] for name in EQUITY_COLUMNS}, EQUITY_COLUMNS)


def _common_columns(
    run_id: str, facts: Chunk, at: npt.NDArray[np.intp], first_row: Rows, strategies: Sequence[str]
) -> dict[str, Column]:
    chosen = facts[at]
    return {
        "run_id": [run_id] * len(at),
        "row": first_row[at] if isinstance(first_row, np.ndarray) else (at + first_row).astype(np.uint64),
        "time_ns": np.ascontiguousarray(chosen["time_ns"]),
        "instrument": np.ascontiguousarray(chosen["instrument"]),
        "strategy": _names(chosen["owner"], dict(enumerate(strategies))),
        "order_id": np.ascontiguousarray(chosen["id"]),
        "side": _names(chosen["flags"] & int(Flag.SELL), {0: "BUY", int(Flag.SELL): "SELL"}),
        "price": np.ascontiguousarray(chosen["price"]),
        "quantity": np.ascontiguousarray(chosen["quantity"]),
    }


def _names(numbers: npt.NDArray[np.integer[Any]], words: Mapping[int, str]) -> list[str]:
    """Words for numbers; "" for 0 without a word, else the number itself."""
    return [words.get(number, str(number) if number else "") for number in numbers.tolist()]


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
