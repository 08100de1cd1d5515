"""The small fixed pieces of work whose instructions are counted: the same rows, in the same order, on every run.

A workload is prepared for its greatest count and then run over a part of it. So two runs that differ only in the part
differ by exactly the work of the rest, and start-up, imports and the making of rows cancel out; `instructions` takes that
difference. Rows come from a seeded numpy generator here, because the stream generator of the yardsticks compiles itself anew
in each process.

What an operation is stands in its name. A read from the store is absent: the embedded engine works on threads of its own, and
a count over those does not repeat.

Run: python -m benchmarks.workloads NAME COUNT COUNT_MAX
"""

import gc
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:  # numpy costs a child of ours 400 million instructions to import: only those that need it do
    from tradebot.engine.ports import Records
    from tradebot.strategies.strategy import Strategy

Work = Callable[[int], object]

SEED: Final = 42
START_NS: Final = 1_700_000_000_000_000_000
MIDDLE_TICKS: Final = 100_000
BATCH_ROWS: Final = 65_536


class Workload(NamedTuple):
    """`prepare(count_max)` gives the work to count; `count` operations make its count stand clear of noise."""

    prepare: Callable[[int], Work]
    count: int


def apply_l3_book(rows_max: int) -> Work:
    from tradebot._core.book import L3Book

    rows, book = make_l3_rows(rows_max), L3Book()
    return lambda count: book.apply_checksum(rows[:count])


def apply_l2_book(rows_max: int) -> Work:
    from tradebot._core.depth import L2Book

    rows, book = make_l2_rows(rows_max), L2Book()
    return lambda count: book.apply_checksum(rows[:count])


def step_l3_rows(rows_max: int) -> Work:
    return _drive(make_l3_rows(rows_max), _strategy("Strategy"))


def step_l2_rows(rows_max: int) -> Work:
    return _drive(make_l2_rows(rows_max), _strategy("Strategy"))


def fill_orders(orders_max: int) -> Work:
    return _drive(_trades(orders_max), _strategy("Take"))


def cancel_orders(orders_max: int) -> Work:
    return _drive(_trades(orders_max), _strategy("Make"))


def close_bars(trades_max: int) -> Work:
    rows = _trades(trades_max)
    rows["time_ns"] = START_NS + (rows["time_ns"] - START_NS) * 100  # ten trades a second
    return _drive(rows, _strategy("Bars"))


def update_indicator(updates_max: int) -> Work:
    from tradebot._core.indicators import Ema

    average = Ema(20)

    def work(count: int) -> None:
        update = average.update_one
        for close in range(count):
            update(1.0, 1.0, float(close % 100))

    return work


def digest_facts(facts_max: int) -> Work:
    from tradebot._core.digest import digest_bytes

    data = bytes(range(64)) * facts_max
    return lambda count: digest_bytes(data[: 64 * count])


WORKLOADS: Final = {
    "L3 book: apply a row": Workload(apply_l3_book, 50_000),
    "L2 book: apply a level": Workload(apply_l2_book, 50_000),
    "engine and venue: step an L3 row": Workload(step_l3_rows, 20_000),
    "engine and venue: step an L2 level": Workload(step_l2_rows, 20_000),
    "order: submit to fill": Workload(fill_orders, 1_000),
    "order: rest and cancel": Workload(cancel_orders, 1_000),
    "bars of 1 s, ten trades each, EMA, SMA, ATR, RSI: a trade": Workload(close_bars, 5_000),
    "indicator: update from Python": Workload(update_indicator, 50_000),
    "digest: a fact": Workload(digest_facts, 200_000),
}


def make_l3_rows(rows: int) -> "Records":
    """Orders that come near the middle, some that shrink, and most that leave again; the sides never cross."""
    import numpy as np

    from tradebot._core.types import Kind

    chance = np.random.default_rng(SEED)
    born, is_sell = np.arange(rows), chance.random(rows) < 0.5
    away = chance.geometric(0.1, rows)
    prices = np.where(is_sell, MIDDLE_TICKS + away, MIDDLE_TICKS - away)
    quantities, lives = 2 + chance.geometric(0.02, rows), 2 * chance.geometric(0.002, rows)
    leaves, shrinks = chance.random(rows) < 0.6, chance.random(rows) < 0.1
    parts = [
        (born, born, quantities, Kind.L3_ADD),
        ((born + lives // 2)[shrinks], born[shrinks], (quantities // 2)[shrinks], Kind.L3_CHANGE),
        ((born + lives)[leaves], born[leaves], np.zeros(int(leaves.sum()), np.int64), Kind.L3_DELETE),
    ]
    when, order, quantity = (np.concatenate([part[field] for part in parts]) for field in range(3))
    kind = np.concatenate([np.full(len(part[0]), part[3]) for part in parts])
    first = np.argsort(when, kind="stable")[:rows]
    records = _records(rows)
    records["id"], records["quantity"], records["kind"] = order[first] + 1, quantity[first], kind[first]
    records["price"], records["flags"] = prices[order[first]], is_sell[order[first]]
    return records


def make_l2_rows(rows: int) -> "Records":
    """Levels near the middle set anew, a quarter of them deleted; the sides never cross."""
    import numpy as np

    from tradebot._core.types import Flag, Kind

    chance = np.random.default_rng(SEED)
    is_sell, away = chance.random(rows) < 0.5, chance.geometric(0.05, rows)
    records = _records(rows)
    records["kind"] = Kind.L2_LEVEL
    records["price"] = np.where(is_sell, MIDDLE_TICKS + away, MIDDLE_TICKS - away)
    records["quantity"] = np.where(chance.random(rows) < 0.25, 0, chance.geometric(0.01, rows))
    records["flags"] = np.where(is_sell, Flag.SELL, 0) | Flag.LAST
    return records


def _records(rows: int) -> "Records":
    import numpy as np

    from tradebot._core.types import RECORD_DTYPE

    records = np.zeros(rows, dtype=RECORD_DTYPE)
    records["instrument"] = 1
    records["time_ns"] = START_NS + np.arange(rows) * 1_000_000
    return records


def _trades(trades: int) -> "Records":
    from benchmarks.order_path import make_stream

    return make_stream(trades)


def _strategy(name: str) -> "Strategy":
    """Strategies are made here, late, so that a workload without an engine does not import one."""
    from benchmarks import order_path

    class Bars(order_path.Strategy):
        def on_start(self) -> None:
            bars = self.bars("1s")
            self.held = (bars.ema(12), bars.sma(26), bars.atr(14), bars.rsi(14))

        def on_bar(self, bar: object) -> None:
            assert self.held[0].value > 0

    return {"Strategy": order_path.Strategy, "Take": order_path.Take, "Make": order_path.Make, "Bars": Bars}[name]()


def _drive(rows: "Records", strategy: "Strategy") -> Work:
    from benchmarks.order_path import make_plan
    from tradebot.engine.drive import drive
    from tradebot.engine.plan import make_merge
    from tradebot.engine.ports import Nobody

    merge = make_merge(make_plan(), [strategy])

    def work(count: int) -> dict[str, int]:
        drive(merge, [rows[at : min(at + BATCH_ROWS, count)] for at in range(0, count, BATCH_ROWS)], Nobody())
        return {"events": merge.events, "orders": merge.kernel.orders, "fills": merge.kernel.fills}

    return work


def main() -> None:
    name, count, count_max = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    gc.disable()
    work = WORKLOADS[name].prepare(count_max)
    work(count)


if __name__ == "__main__":
    main()
