"""A small market for tests of strategies: a book of two levels, trades, and a run over them."""

from collections.abc import Sequence

import numpy as np

from tradebot._core.merge import Merge
from tradebot._core.types import RECORD_DTYPE, Flag, Kind
from tradebot.domain.instrument import Instrument
from tradebot.engine.plan import Limits, Place, Plan, make_merge
from tradebot.strategies.strategy import Strategy

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
BTC = Instrument(id=1, symbol="BTC/USD", venue="test", base="BTC", quote="USD", tick="0.5", lot="0.001")
ETH = Instrument(id=2, symbol="ETH/USD", venue="test", base="ETH", quote="USD", tick="0.01", lot="0.01")


def row(seconds: float, kind: int, price: int = 0, lots: int = 0, order_id: int = 0, flags: int = 0, **slots: int) -> np.ndarray:
    record = np.zeros(1, dtype=RECORD_DTYPE)
    record["time_ns"] = record["venue_ns"] = START + int(seconds * SECOND)
    record["kind"], record["price"], record["quantity"], record["id"], record["flags"] = kind, price, lots, order_id, flags
    record["instrument"] = slots.pop("instrument", 1)
    for name, value in slots.items():
        record[name] = value
    return record


def book(instrument: int = 1, price: int = 200) -> list[np.ndarray]:
    """Bid 200 ticks, ask 202 ticks, 1,000 lots each."""
    return [
        row(0, Kind.L3_ADD, price, 1_000, 1, instrument=instrument),
        row(0, Kind.L3_ADD, price + 2, 1_000, 2, Flag.SELL, instrument=instrument),
    ]


def trades(count: int, first_s: float = 1.0, gap_s: float = 1.0, price: int = 201) -> list[np.ndarray]:
    return [row(first_s + at * gap_s, Kind.TRADE, price, 1) for at in range(count)]


def plan(strategies: int = 1, instruments: Sequence[Instrument] = (BTC,), **changes: object) -> Plan:
    limits = Limits(band=50_000_000, orders_open_max=50)
    markets = list(range(len(instruments)))
    settings: dict[str, object] = {
        "instruments": list(instruments),
        "opening": {"USD": 10**13, "BTC": 10**9, "ETH": 10**10},
        "places": [Place(markets, [limits] * len(markets))] * strategies,
        "maker_fee": 100_000,
        "taker_fee": 200_000,
        "fee_in_base": False,
        "order_latency_ns": 10_000_000,
        "answer_latency_ns": 10_000_000,
    }
    return Plan(**(settings | changes))  # type: ignore[arg-type]


def run(strategies: Strategy | Sequence[Strategy], rows: Sequence[np.ndarray], **changes: object) -> Merge:
    """Run to the end; whatever failed is in `merge.kernel.failures`."""
    several = [strategies] if isinstance(strategies, Strategy) else list(strategies)
    merge = make_merge(plan(len(several), **changes), several)  # type: ignore[arg-type]
    merge.feed(np.concatenate(rows))
    merge.finish()
    merge.kernel.validate()
    return merge
