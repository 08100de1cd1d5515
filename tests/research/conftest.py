"""A maker's run out of nothing: a seeded market, orders, fills and an independent ledger, written as a
results folder.

The ledger here posts trade by trade, in whole units with the remainder carried, as the books of `_core` do;
it is the oracle for what `research` adds up by itself.
"""

import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import msgspec
import numpy as np
import pytest

from tradebot._core.types import FACT_DTYPE, MARKOUT_DTYPE, SAMPLE_DTYPE, Flag
from tradebot.domain.orders import Kind, OrderType, Reject, TimeInForce

SECOND = 1_000_000_000
START_NS = 1_767_605_400 * SECOND  # 2026-01-05T09:30:00Z
BUILD = Callable[..., Path]
HORIZONS_S = (1, 5, 30)
INSTRUMENT = {
    "id": 77,
    "symbol": "BTC/USD",
    "venue": "bitstamp",
    "base": "BTC",
    "quote": "USD",
    "tick": "0.01",
    "lot": "0.00000001",
}
MONEY_PER_TICK_LOT = Fraction(1, 100)  # tick * lot in units of 1e-8 USD


class MadeRun:
    """A seeded maker with a little taking, stepped each quarter of a second."""

    def __init__(
        self, seed: int, seconds: int, maker_fee: str, taker_fee: str, fee_asset: str = "USD"
    ) -> None:
        self.chance = random.Random(seed)
        self.seconds = seconds
        self.fees = {True: Fraction(maker_fee), False: Fraction(taker_fee)}
        self.costs = {
            "maker_fee": maker_fee,
            "taker_fee": taker_fee,
            "fee_asset": fee_asset,
            "order_latency_ns": 50_000_000,
            "answer_latency_ns": 50_000_000,
            "queue": "exact (order by order)",
        }
        self.fee_asset = ["USD", "BTC"].index(fee_asset)
        self.facts, self.samples, self.markouts = [], [], []
        self.position = self.cost = self.realised = self.fee_units = self.remainder = 0
        self.orders, self.path = 0, []
        self.mid2 = 2 * 6_512_345
        self.open: dict[int, dict[str, int]] = {}

    def run(self) -> "MadeRun":
        for step in range(self.seconds * 4):
            self.step(START_NS + step * SECOND // 4, step)
        self.sample(START_NS + self.seconds * SECOND)
        self.follow()
        return self

    def step(self, time_ns: int, step: int) -> None:
        self.mid2 += round(self.chance.gauss(0, 140)) + (self.chance.random() < 0.01) * self.chance.randint(
            -900, 900
        )
        self.path.append(self.mid2)
        if step % 4 == 0:
            self.sample(time_ns)
        if step % 24 == 0:
            self.requote(time_ns)
        if abs(self.position) > 9_000_000 and step % 40 == 5:
            self.take(time_ns)
        for id_, order in list(self.open.items()):
            if self.chance.random() < 0.02:
                self.fill(time_ns, id_, order, maker=True)

    def requote(self, time_ns: int) -> None:
        for id_, order in list(self.open.items()):
            cause = self.fact(time_ns, Kind.CANCEL_ORDER, id=id_)
            self.fact(
                time_ns + 10**8,
                Kind.ORDER_CANCELLED,
                id=id_,
                quantity=order["quantity"],
                cause=cause,
                **order_side(order),
            )
            del self.open[id_]
        skew = -self.position // 60_000
        for sell in (0, 1):
            price = (self.mid2 + skew) // 2 + (90 if sell else -90) + self.chance.randint(-20, 20)
            self.place(
                time_ns, sell, price, 1_500_000 + self.chance.randint(0, 500_000), TimeInForce.POST_ONLY
            )

    def take(self, time_ns: int) -> None:
        sell = int(self.position > 0)
        id_ = self.place(
            time_ns,
            sell,
            self.mid2 // 2 + (-60 if sell else 60),
            abs(self.position) + 1_000_000,
            TimeInForce.IOC,
        )
        if id_ in self.open:
            self.fill(time_ns + 10**8, id_, self.open[id_], maker=False)

    def place(self, time_ns: int, sell: int, price: int, quantity: int, force: TimeInForce) -> int:
        self.orders += 1
        order = {
            "price": price,
            "quantity": quantity,
            "sell": sell,
            "ahead": self.chance.randint(0, 150_000_000),
        }
        same = {"id": self.orders, "price": price, "quantity": quantity, **order_side(order)}
        cause = self.fact(time_ns, Kind.PLACE_ORDER, order_type=OrderType.LIMIT, time_in_force=force, **same)
        if self.chance.random() < 0.03:
            reject = Reject.VENUE_POST_ONLY_WOULD_TAKE
            self.fact(time_ns + 10**8, Kind.ORDER_REJECTED, reject=reject, cause=cause, **same)
        else:
            self.fact(time_ns + 10**8, Kind.ORDER_ACCEPTED, display=order["ahead"], cause=cause, **same)
            self.open[self.orders] = order
        return self.orders

    def fill(self, time_ns: int, id_: int, order: dict[str, int], maker: bool) -> None:
        part = order["quantity"] // 2 if self.chance.random() < 0.3 else order["quantity"]
        order["quantity"] -= part
        if not order["quantity"]:
            del self.open[id_]
        lots = -part if order["sell"] else part
        fee = round(part * order["price"] * MONEY_PER_TICK_LOT * self.fees[maker])
        in_asset = fee if self.fee_asset == 0 else round(part * self.fees[maker])
        if self.fee_asset:
            fee = in_asset * order["price"] // 100  # a tick is a hundredth
        self.fact(
            time_ns,
            Kind.ORDER_FILLED,
            id=id_,
            price=order["price"],
            quantity=part,
            fee=in_asset,
            maker=maker,
            fee_asset=self.fee_asset,
            trade_id=len(self.facts),
            parent=order["quantity"],
            trigger=self.mid2,
            display=order["ahead"] // 9 if maker else 0,
            **order_side(order),
        )
        self.post(lots, order["price"], in_asset if self.fee_asset else 0)
        self.fee_units += fee
        self.path_fill(time_ns, lots, order["price"], maker)

    def post(self, lots: int, price: int, taken: int) -> None:
        """Cost and quantity; a crossing closes first and opens with the rest. A tick times a lot is 1/100
        unit; `taken` lots went to a fee."""
        value, self.remainder = divmod(price * lots + self.remainder, 100)
        lots, value = lots - taken, value - price * taken // 100
        if self.position * lots >= 0:
            self.position, self.cost = self.position + lots, self.cost + value
            return
        closed = min(abs(lots), abs(self.position))
        released, closing = self.cost * closed // abs(self.position), value * closed // abs(lots)
        self.realised -= closing + released
        self.cost += value - closing - released
        self.position += lots

    def path_fill(self, time_ns: int, lots: int, price: int, maker: bool) -> None:
        for horizon_s in HORIZONS_S:
            row = np.zeros((), MARKOUT_DTYPE)
            row["time_ns"], row["trade_id"], row["horizon_ns"] = (
                time_ns,
                len(self.facts) - 1,
                horizon_s * SECOND,
            )
            row["price"], row["quantity"], row["maker"], row["instrument"], row["strategy"] = (
                price,
                lots,
                maker,
                77,
                1,
            )
            self.markouts.append(row)

    def follow(self) -> None:
        """The middle price at each horizon; the run's end leaves the last ones unknown."""
        for row in self.markouts:
            at = int(row["time_ns"] + row["horizon_ns"] - START_NS) // (SECOND // 4)
            row["middle2"] = self.path[at] if at < len(self.path) else 0

    def sample(self, time_ns: int) -> None:
        row = np.zeros((), SAMPLE_DTYPE)
        row["time_ns"], row["bid"], row["ask"] = time_ns, self.mid2 // 2 - 50, self.mid2 - self.mid2 // 2 + 50
        row["position"], row["fees"], row["instrument"], row["strategy"] = (
            self.position,
            self.fee_units,
            77,
            1,
        )
        row["realised"] = self.realised
        row["unrealised"] = self.position * self.mid2 // 200 - self.cost
        self.samples.append(row)

    def fact(self, time_ns: int, kind: Kind, sell: int = 0, maker: bool = False, **slots: int) -> int:
        row = np.zeros((), FACT_DTYPE)
        row["time_ns"], row["venue_ns"], row["kind"], row["kind2"] = time_ns, time_ns - 5 * 10**7, kind, kind
        row["flags"], row["flags2"] = sell * Flag.SELL | maker * Flag.MAKER, Flag.CONT
        row["instrument"], row["owner"] = 77, 1
        for name, value in slots.items():
            row[name] = value
        self.facts.append(row)
        return len(self.facts) - 1

    def manifest(self) -> dict[str, object]:
        return {
            "run_id": "2026-01-05-made-0001",
            "mode": "backtest",
            "created": "2026-02-01T00:00:00Z",
            "command": "tradebot backtest -c maker.toml",
            "config": {
                "mode": "backtest",
                "costs": {"latency": "50ms"},
                "seed": None,
                "strategy": [{"use": "strategies/maker.py:Maker", "params": {"spread": 1.8}}],
            },
            "instruments": [INSTRUMENT],
            "selection": {
                "rows": 314_057,
                "first_ns": START_NS,
                "last_ns": START_NS + self.seconds * SECOND,
                "checksum": "5b1e0c77",
                "imports": [1],
                "void_rows": 12,
            },
            "versions": {"tradebot": "0.1.0", "python": "3.11.2", "numpy": "2.4.6"},
            "strategies": [
                {
                    "number": 1,
                    "name": "maker",
                    "use": "tradebot.strategies.maker:Maker",
                    "params": {"spread": 1.8},
                    "source_hash": "9f31a2c4",
                }
            ],
            "costs": self.costs,
            "account": {"start": [{"asset": "USD", "amount": "10000"}]},
            "counters": {
                "events": 314_057,
                "facts": len(self.facts),
                "commands": self.orders,
                "orders": self.orders,
                "fills": 1,
                "seconds": 0.21,
                "events_per_s": 1_495_509.5,
                "gaps": 0,
            },
            "digest": "8d5f0a6b1c2e3f40",
            "quarantined": [],
            "assets": ["USD", "BTC"],
            "opening": {"USD": "10000"},
            "grid": [
                {
                    "fee": fee,
                    "latency_ns": ms * 10**6,
                    "net": (900 - 40 * ms) * 10**8 // 50 - int(Fraction(fee) * 10**13),
                    "fills": 200 - ms,
                }
                for fee in ("-0.0001", "0", "0.0005", "0.001")
                for ms in (1, 10, 50, 100)
            ],
            "book_check": {
                "takers": 170,
                "takers_exact": 168,
                "trades": 284,
                "trades_exact": 282,
                "misses": ["trade 512: another maker", "trade 513: another size"],
            },
            "assumptions": [
                "Historical flow does not react to our orders.",
                "Liquidity that we took stays taken until the level next changes.",
            ],
        }

    def write(self, folder: Path, changes: dict[str, object]) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows, dtype in (
            ("facts", self.facts, FACT_DTYPE),
            ("samples", self.samples, SAMPLE_DTYPE),
            ("markouts", self.markouts, MARKOUT_DTYPE),
        ):
            (folder / f"{name}.bin").write_bytes(np.array(rows, dtype=dtype).tobytes())
        (folder / "manifest.json").write_bytes(msgspec.json.encode({**self.manifest(), **changes}))
        return folder


def order_side(order: dict[str, int]) -> dict[str, int]:
    return {"sell": order["sell"]}


def build_run(
    folder: Path,
    seed: int = 7,
    seconds: int = 1800,
    maker_fee: str = "0.0005",
    taker_fee: str = "0.001",
    fee_asset: str = "USD",
    **changes: object,
) -> Path:
    """Write a results folder; `changes` replace keys of its manifest."""
    return MadeRun(seed, seconds, maker_fee, taker_fee, fee_asset).run().write(folder, changes)


@pytest.fixture
def make_run(tmp_path: Path) -> BUILD:
    """Build a results folder under the test's own path."""

    def make(name: str = "run", **options: object) -> Path:
        return build_run(tmp_path / name, **options)  # type: ignore[arg-type]

    return make
