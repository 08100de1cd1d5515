"""A whole backtest over a seeded order-by-order stream: engine and venue each with its book, latency both ways.

Run: python -m benchmarks.backtest [events]
"""

import sys
import time

import numpy as np

from tradebot.engine.drive import drive
from tradebot.engine.plan import Limits, Place, Plan, make_merge
from tradebot.engine.ports import Nobody
from tradebot.store import synthetic
from tradebot.strategies.crossover import Crossover
from tradebot.strategies.maker import InventoryMaker
from tradebot.strategies.strategy import Strategy

FULL = 1_000_000


def measure(events: int) -> list[dict[str, object]]:
    """Events a second: no strategy, 5-second bars, and a maker on a 250 ms timer."""
    stream = np.concatenate(list(synthetic.open_source(events=events)[1]))
    rows = []
    for strategy in (Strategy, Crossover, InventoryMaker):
        best = float("inf")
        for _ in range(3):
            merge = make_merge(make_plan(), [strategy()])
            started = time.perf_counter()
            drive(merge, [stream[at : at + 65_536] for at in range(0, len(stream), 65_536)], Nobody())
            best = min(best, time.perf_counter() - started)
        rows.append(
            {
                "what": strategy.__name__,
                "events": merge.events,
                "events_per_s": merge.events / best,
                "orders": merge.kernel.orders,
                "fills": merge.kernel.fills,
                "digest": merge.kernel.digest_text,
            }
        )
    return rows


def make_plan() -> Plan:
    return Plan(
        instruments=[synthetic.INSTRUMENT],
        opening={"USD": 10**15, "BTC": 10**12},
        places=[Place([0], [Limits(band=5_000_000, orders_open_max=200)])],
        maker_fee=300_000,
        taker_fee=400_000,
        fee_in_base=False,
        order_latency_ns=50_000_000,
        answer_latency_ns=50_000_000,
    )


def main() -> None:
    for row in measure(int(sys.argv[1]) if len(sys.argv) > 1 else FULL):
        print(
            f"backtest, {row['what']}: {row['events_per_s'] / 1e6:.2f} M events/s over {row['events']:,}, "
            f"{row['orders']} orders, {row['fills']} fills, digest {row['digest']}"
        )


if __name__ == "__main__":
    main()
