"""What the tests of bar grade and of trade grade share: streams of bars and trades, one restless strategy, runs over them."""

import random
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import partial

import numpy as np
from msgspec import Struct

from tests.core.lockstep import Bare, check_alike
from tests.reference.price_simulator import ReferencePriceSimulator
from tests.strategies.support import plan
from tests.support import MS, SECOND, START, Noise, constant, place
from tradebot._core.merge import Merge
from tradebot._core.simulator import Simulator
from tradebot._core.types import RECORD_DTYPE, Flag, Kind, OrderType, TimeInForce
from tradebot.engine import snapshot
from tradebot.engine.drive import hand_over
from tradebot.engine.plan import Grade, Plan, make_merge
from tradebot.engine.ports import Nobody, Records
from tradebot.strategies.strategy import Strategy

PAID = 100_000  # 0.1 %
PARTICIPATION = 10**7  # 10 %
TERMS = [(1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0)]


def bar(at: int, open_: int, high: int, low: int, close: int, lots: int, interval_ns: int = SECOND) -> Records:
    """Bar number `at` since START, told at its close."""
    row = np.zeros(1, RECORD_DTYPE)
    row["kind"], row["instrument"], row["owner"] = Kind.BAR, 1, interval_ns // SECOND
    row["venue_ns"] = START + at * interval_ns
    row["time_ns"] = row["venue_ns"] + interval_ns
    row["venue_sequence"], row["id"], row["id2"], row["price"], row["quantity"] = open_, high, low, close, lots
    return row


def trade(time_ns: int, price: int, lots: int, side: int = 0) -> Records:
    row = np.zeros(1, RECORD_DTYPE)
    row["time_ns"] = row["venue_ns"] = time_ns
    row["kind"], row["instrument"], row["price"], row["quantity"], row["flags"] = Kind.TRADE, 1, price, lots, side
    return row


def walk(seed: int, count: int, middle: int = 2_000) -> Records:
    """Bars of a second that wander; some are missing, some are empty, some open far from the last close."""
    chance, close, rows = random.Random(seed), middle, []
    for at in range(count):
        if chance.random() < 0.03:
            continue
        open_ = close + chance.choice((0, 0, 0, 1, -1, 5, -7))
        close = max(open_ + chance.randrange(-6, 7), 50)
        high, low = max(open_, close) + chance.randrange(4), min(open_, close) - chance.randrange(4)
        rows.append(bar(at, open_, high, low, close, chance.choice((0, 20, 60, 300))))
    return np.concatenate(rows)


def ticks(seed: int, count: int, middle: int = 2_000) -> Records:
    """Trades that wander, received with a delay."""
    chance, price, now, rows = random.Random(seed), middle, START, []
    for _ in range(count):
        now += chance.randrange(0, 200_000_000)
        price = max(price + chance.choice((-2, -1, 0, 0, 1, 2)), 50)
        rows.append(trade(now, price, chance.randrange(1, 9), chance.choice((0, int(Flag.SELL)))))
        rows[-1]["time_ns"] += 30_000_000
    return np.concatenate(rows)


class Restless(Noise):
    """Noise that needs no book: around the last price, with market orders too large for one price and, where it is asked for,
    conditional orders.
    """

    class Params(Struct, frozen=True, forbid_unknown_fields=True):
        seed: int = 1
        eager: float = 0.3
        conditional: float = 0.0
        """How many of its orders wait for a trigger."""

    class State(Struct):
        draws: int = 0
        filled: float = 0.0
        last: float = 0.0

    def on_start(self) -> None:
        self.every(1_300_000_000)
        self.mean = self.bars("1s", warmup=1).sma(3)

    def act(self) -> None:
        if self.draw() > self.params.eager or not self.state.last:
            return
        ids = self.open_orders()
        if ids and self.draw() < 0.3:
            self.cancel(ids[int(self.draw() * len(ids))])
            return
        side = self.sell if self.draw() < 0.5 else self.buy
        lots = (1 + int(self.draw() * 12)) * self.lot
        if self.draw() < self.params.conditional:
            self.act_later(side, lots)
            return
        kind = ("GTC", "GTC", "IOC", "FOK", "POST_ONLY", "MARKET", "MARKET")[int(self.draw() * 7)]
        if kind == "MARKET":
            side(lots, time_in_force="FOK" if self.draw() < 0.2 else None)
        else:
            side(lots, price=self.state.last + (int(self.draw() * 13) - 6) * self.tick, time_in_force=kind)

    def act_later(self, side, lots: float) -> None:
        away = (1 + int(self.draw() * 8)) * self.tick
        against = self.state.last + (away if side == self.buy else -away)
        way = int(self.draw() * 5)
        if way == 0:
            side(lots, follow=away)
        elif way < 3:
            side(lots, stop=against, price=against if way == 1 else None)
        else:
            side(lots, touch=2 * self.state.last - against, price=self.state.last if way == 3 else None)

    def on_bar(self, bar) -> None:
        self.state.last = bar.close
        self.act()

    def on_trade(self, trade) -> None:
        self.state.last = trade.price
        self.act()


def graded(grade: Grade, **changes: object) -> Plan:
    settings: dict[str, object] = {
        "grade": int(grade), "half_spread": PAID // 2, "slippage": PAID // 2, "participation": PARTICIPATION,
        "bars_ns": [SECOND] if grade == Grade.BARS else [],
    }  # fmt: skip
    return plan(1, **(settings | changes))  # type: ignore[arg-type]


def run_over(strategy: Strategy, facts: Records, settings: Plan) -> tuple[Merge, Records]:
    """A finished run, and the commands and account facts that it wrote."""
    merge = make_merge(settings, [strategy])
    merge.feed(facts)
    merge.finish()
    merge.kernel.validate()
    assert merge.kernel.failures == []
    return merge, merge.kernel.take_audit()


def mark(time_ns: int, price: int) -> Records:
    row = trade(time_ns, price, 0)
    row["kind"] = Kind.MARK
    return row


def alike(seed: int, grade: Grade, twin: type[ReferencePriceSimulator], rows: Iterable[Records]) -> int:
    """The venue and its twin over one market, at latencies, fees and terms of chance; returns how many fills both told of."""
    chance = random.Random(seed + 77)
    latency = chance.choice([(0, 0), (1, 1), (50 * MS, 20 * MS), (2 * SECOND, 1)])
    fees, in_base = chance.choice([(300_000, 400_000), (-25_000, 75_000), (0, 0)]), chance.random() < 0.5
    value, base = chance.choice([(Fraction(1), Fraction(1)), (Fraction(7, 3), Fraction(5, 2))])
    terms = [(1, 0, 1, 1, 1, 1, 1, *value.as_integer_ratio(), *base.as_integer_ratio(), 0, 0)]
    bars_ns = [SECOND] if grade == Grade.BARS else []

    def build() -> Simulator:
        order_ns, answer_ns = (constant(ns) for ns in latency)
        return Simulator(terms, order_ns, answer_ns, *fees, in_base, grade=(int(grade), PAID, PARTICIPATION, bars_ns))

    return check_alike(seed, rows, chance, Bare(chance, 2_000), twin(*latency, *fees, PAID, in_base, value, base), build)


def venue_of(grade: Grade, latency_ns: int = 0) -> Simulator:
    intervals: Sequence[int] = [SECOND] if grade == Grade.BARS else []
    return Simulator(
        TERMS, constant(latency_ns), constant(0), 100_000, 200_000, False,
        grade=(int(grade), PAID, PARTICIPATION, intervals),
    )  # fmt: skip


def answers(venue: Simulator) -> list[tuple[int, ...]]:
    """(kind, order id, price, lots, lots that remain of a fill, refusal)."""
    return [
        (
            int(one["kind"]), int(one["id"]), int(one["price"]), int(one["quantity"]),
            int(one["parent"]) if one["kind"] == Kind.ORDER_FILLED else 0, int(one["reject"]),
        )
        for one in venue.take_answers()
        if one["kind"] != Kind.ORDER_ACCEPTED
    ]  # fmt: skip


GTC, IOC, FOK, POST_ONLY = TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.POST_ONLY
FILLED, CANCELLED, REJECTED = int(Kind.ORDER_FILLED), int(Kind.ORDER_CANCELLED), int(Kind.ORDER_REJECTED)


def market(time_ns: int, order_id: int, side: int, lots: int, bound: int) -> Records:
    """A market order that may pay up to `bound`."""
    order = place(time_ns, order_id, side, bound, lots, IOC)
    order["order_type"] = OrderType.MARKET
    return order


def check_against(twin: Callable[[Records], Records], strategy: Strategy, facts: Records, settings: Plan) -> None:
    """Whether a run received what a naive venue, told the commands that the run sent, would have said by its last fact."""
    _, audit = run_over(strategy, facts, settings)
    commands = np.isin(audit["kind"], [Kind.PLACE_ORDER, Kind.CANCEL_ORDER])
    received = audit[~commands & (audit["venue_ns"] != 0)]
    expected = twin(audit[commands])
    expected = expected[np.argsort(expected["time_ns"], kind="stable")]
    assert np.count_nonzero(received["kind"] == Kind.ORDER_FILLED) > 50
    assert len(received) == np.count_nonzero(expected["time_ns"] <= facts["time_ns"][-1])
    assert received.tobytes() == expected[: len(received)].tobytes()


def check_restarts(facts: Records, settings: Plan) -> None:
    """Whether a run that is saved and put back after each fact keeps its snapshot, and ends as a run without."""
    made = partial(make_merge, settings)
    merge, plain = (made([Restless({"seed": 3, "conditional": 0.4})]) for _ in range(2))
    merge.feed(facts)
    while merge.run(1):
        hand_over(merge, Nobody())
        saved = snapshot.to_bytes(merge)
        merge = made([Restless({"seed": 3, "conditional": 0.4})])
        snapshot.from_bytes(merge, saved)
        assert snapshot.to_bytes(merge) == saved
    plain.feed(facts)
    plain.run(10**9)
    assert merge.kernel.digest_text == plain.kernel.digest_text and merge.kernel.fills > 5
