"""What an order costs from Python: submit, risk gate, command, venue, match, answer, ledger, callback.

A stream of trades calls the strategy; it sends one order at each and is called back. The same run with a strategy that only
counts is subtracted. It must stay flat however many orders went before.

Run: python -m benchmarks.order_path [orders]
"""

import sys
import time

import numpy as np

from tradebot._core.types import RECORD_DTYPE, Flag, Kind
from tradebot.domain.instrument import Instrument
from tradebot.engine.drive import drive
from tradebot.engine.plan import Limits, Place, Plan, make_merge
from tradebot.engine.ports import Nobody, Records
from tradebot.strategies.strategy import Strategy

GOAL_US = 1.0
FULL = 1_000_000

INSTRUMENT = Instrument(id=1, symbol="BTC/USD", venue="bench", base="BTC", quote="USD", tick="0.1", lot="0.001")


class Count(Strategy):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def on_trade(self, trade: object) -> None:
        self.calls += 1


class Take(Count):
    """A market order at each trade, bought and sold in turn, so that capital never decides."""

    def on_trade(self, trade: object) -> None:
        self.calls += 1
        if self.calls & 1:
            self.buy(0.001)
        else:
            self.sell(0.001)

    def on_fill(self, fill: object) -> None:
        pass


class Make(Count):
    """A post-only order deep in the book at each trade, called back when accepted, then cancelled."""

    def on_trade(self, trade: object) -> None:
        self.calls += 1
        self.buy(0.001, price=9_990.0, post_only=True)

    def on_order(self, order: object) -> None:
        if not order.is_done:  # type: ignore[attr-defined]
            self.cancel(order.id)  # type: ignore[attr-defined]


def measure(orders: int) -> list[dict[str, object]]:
    """Microseconds an order, over `orders` and over a tenth of them: `flat` is the ratio of both."""
    rows = []
    for strategy in (Take, Make):
        few, many = (_cost_us(strategy, count) for count in (max(orders // 10, 1), orders))
        flat = many[0] / few[0]
        rows.append({"what": strategy.__name__.lower(), "orders": orders, "us": many[0], "flat": flat, "digest": many[1]})
    return rows


def _cost_us(strategy: type[Count], orders: int) -> tuple[float, str]:
    stream = make_stream(orders)
    base, _ = _seconds(Count, stream)
    with_orders, digest = _seconds(strategy, stream)
    return (with_orders - base) / orders * 1e6, digest


def _seconds(strategy: type[Count], stream: Records) -> tuple[float, str]:
    best = float("inf")
    for _ in range(3):
        merge = make_merge(make_plan(), [strategy()])
        batches = [stream[at : at + 65_536] for at in range(0, len(stream), 65_536)]
        started = time.perf_counter()
        drive(merge, batches, Nobody())
        best = min(best, time.perf_counter() - started)
    return best, merge.kernel.digest_text


def make_plan() -> Plan:
    return Plan(
        instruments=[INSTRUMENT],
        opening={"USD": 10**16, "BTC": 10**14},
        places=[Place([0], [Limits(band=5_000_000, orders_open_max=200, position_max=10**6)])],
        maker_fee=200_000,
        taker_fee=400_000,
        fee_in_base=False,
        order_latency_ns=100_000,
        answer_latency_ns=100_000,
    )


def make_stream(trades: int) -> Records:
    """A deep book, then trades a millisecond apart."""
    records = np.zeros(trades + 2, dtype=RECORD_DTYPE)
    records["instrument"] = INSTRUMENT.id
    records["time_ns"] = 1_700_000_000_000_000_000 + np.arange(len(records)) * 1_000_000
    records["kind"] = Kind.TRADE
    records["price"], records["quantity"] = 100_000, 1
    records[:2]["kind"] = Kind.L3_ADD
    records["kind"][:2] = Kind.L3_ADD
    records["id"][:2] = (1, 2)
    records["price"][:2] = (99_999, 100_001)
    records["quantity"][:2] = 10**12
    records["flags"][1] = Flag.SELL
    return records


def main() -> None:
    orders = int(sys.argv[1]) if len(sys.argv) > 1 else FULL
    for row in measure(orders):
        print(
            f"order path, {row['what']}: {row['us']:.3f} us an order (goal {GOAL_US}), "
            f"{row['flat']:.2f} x a tenth of the orders, {row['orders']:,} orders, digest {row['digest']}"
        )


if __name__ == "__main__":
    main()
