"""Builders for tests of the engine: a consistent order-by-order flow, and a strategy that does a bit of everything.

The flow is what a venue would publish: orders rest in price and time, an aggressor shows as an order that crosses, then as
executions of the oldest orders at the best prices, then as what is left of it. It is made of one seeded `random.Random`.
"""

import random
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from msgspec import Struct

from tradebot._core.latency import LatencyKind
from tradebot._core.types import FACT_DTYPE, RECORD_DTYPE, Flag, Kind, OrderType, TimeInForce
from tradebot.engine.ports import Records
from tradebot.strategies.strategy import Strategy
from tradebot.testing.ports import has_ipv6

BUY, SELL = 0, 1
SECOND = 1_000_000_000
MS = 1_000_000
START = 1_700_000_000 * SECOND

needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no loopback of IPv6")

Row = tuple[int, int, int, int, int, int, int]  # venue_ns, kind, price, quantity, id, id2, flags


class Flow:
    """One instrument's recorded market around `middle` ticks; `rows` gives it event by event."""

    def __init__(self, seed: int, middle: int = 1_000, gap_ns: int = 10 * MS, lots_max: int = 9) -> None:
        self.chance = random.Random(seed)
        self.now, self.middle, self.gap_ns, self.lots_max = START, middle, gap_ns, lots_max
        self.next_id = 0
        self.sides: list[list[list[int]]] = [[], []]  # [price, id, lots], in order of arrival

    def rows(self, events: int) -> Iterator[Row]:
        made = 0
        while made < events:
            for row in self.step():
                made += 1
                yield row

    def step(self) -> list[Row]:
        self.now += self.chance.randrange(0, 2 * self.gap_ns)
        draw, side = self.chance.random(), self.chance.randrange(2)
        if draw < 0.02 and self.next_id:
            return self.snapshot()
        if draw < 0.15 and len(self.sides[1 - side]) > 3:
            return self.aggress(side)
        if draw < 0.60 or len(self.sides[side]) < 4:
            return [self.add(side)]
        return [self.alter(side)]

    def best(self, side: int) -> int:
        prices = [order[0] for order in self.sides[side]]
        if not prices:
            return self.middle - 3 if side == BUY else self.middle + 3
        return max(prices) if side == BUY else min(prices)

    def row(self, kind: int, side: int, price: int, lots: int, order_id: int, id2: int = 0, flags: int = 0) -> Row:
        return self.now, int(kind), price, lots, order_id, id2, side | flags

    def new(self, side: int, price: int, lots: int, flags: int = 0) -> Row:
        self.next_id += 1
        self.sides[side].append([price, self.next_id, lots])
        return self.row(Kind.L3_ADD, side, price, lots, self.next_id, flags=flags)

    def add(self, side: int) -> Row:
        away = self.chance.randrange(1, 7)
        price = self.best(SELL) - away if side == BUY else self.best(BUY) + away
        return self.new(side, price, self.chance.randrange(1, self.lots_max))

    def alter(self, side: int) -> Row:
        order = self.chance.choice(self.sides[side])
        price, order_id, lots = order
        if lots > 1 and self.chance.random() < 0.4:
            order[2] = self.chance.randrange(1, lots)
            return self.row(Kind.L3_CHANGE, side, price, order[2], order_id)
        self.sides[side].remove(order)
        return self.row(Kind.L3_DELETE, side, price, lots, order_id)

    def aggress(self, side: int) -> list[Row]:
        """An order crosses: it is shown, its makers are executed, then it goes or rests."""
        other = 1 - side
        limit = self.best(other) + (self.chance.randrange(0, 3) if side == BUY else -self.chance.randrange(0, 3))
        lots = left = self.chance.randrange(1, 2 * self.lots_max)
        self.next_id += 1
        taker = self.next_id
        rows = [self.row(Kind.L3_ADD, side, limit, lots, taker)]
        trades = []
        while left and self.sides[other] and (self.best(other) <= limit if side == BUY else self.best(other) >= limit):
            maker = next(order for order in self.sides[other] if order[0] == self.best(other))
            taken = min(left, maker[2])
            left, maker[2] = left - taken, maker[2] - taken
            rows.append(self.row(Kind.L3_EXECUTE, other, maker[0], taken, maker[1], taker))
            buyer, seller = (taker, maker[1]) if side == BUY else (maker[1], taker)
            trades.append(self.row(Kind.TRADE, side, maker[0], taken, buyer, seller))
            if not maker[2]:
                self.sides[other].remove(maker)
        if left and self.chance.random() < 0.5:
            rows.append(self.row(Kind.L3_CHANGE, side, limit, left, taker))
            self.sides[side].append([limit, taker, left])
        else:
            rows.append(self.row(Kind.L3_DELETE, side, limit, left, taker))
        return rows + trades

    def snapshot(self) -> list[Row]:
        """The venue sends its book anew, under new ids, so that nothing we took is in it."""
        held = [(side, order[0], order[2]) for side in (BUY, SELL) for order in self.sides[side]]
        if not held:
            return []
        self.sides = [[], []]
        rows = [self.new(side, price, lots, Flag.SNAPSHOT) for side, price, lots in held]
        rows[0] = (*rows[0][:6], rows[0][6] | Flag.BEGIN)
        rows[-1] = (*rows[-1][:6], rows[-1][6] | Flag.LAST)
        return rows


def records(rows: Sequence[Row], instrument: int = 1) -> Records:
    """Rows as records that were received when the venue showed them."""
    found = np.zeros(len(rows), dtype=RECORD_DTYPE)
    for at, (venue_ns, kind, price, quantity, order_id, id2, flags) in enumerate(rows):
        found[at] = (venue_ns, venue_ns, at + 1, price, quantity, order_id, id2, instrument, kind, flags, 0)
    return found


def delayed(chance: random.Random, found: Records, lag_ns: int, stall: float = 0.02) -> Records:
    """Receive each record up to `lag_ns` late, in order; now and then the line stalls and a burst comes at once."""
    last = 0
    for record in found:
        lag = lag_ns * 20 if chance.random() < stall else chance.randrange(lag_ns + 1)
        last = max(last, int(record["venue_ns"]) + lag)
        record["time_ns"] = last
    return found


def stream(seed: int, events: int, instruments: int = 1, lag_ns: int = 20 * MS) -> Records:
    """Flows of instruments 1, 2, ... interleaved by receive time."""
    parts = [
        delayed(random.Random(seed), records(list(Flow(seed + number).rows(events)), number + 1), lag_ns)
        for number in range(instruments)
    ]
    whole = np.concatenate(parts)
    return whole[np.argsort(whole["time_ns"], kind="stable")]


def place(time_ns: int, order_id: int, side: int, price: int, lots: int, force: int = TimeInForce.GTC) -> Records:
    """A command as the kernel writes it; `cause` and `owner` differ per order, so that an answer that loses them shows."""
    fact = np.zeros(1, dtype=FACT_DTYPE)
    fact["time_ns"], fact["id"], fact["flags"], fact["price"], fact["quantity"] = time_ns, order_id, side, price, lots
    fact["kind"], fact["instrument"], fact["time_in_force"], fact["order_type"] = Kind.PLACE_ORDER, 1, force, OrderType.LIMIT
    fact["kind2"], fact["flags2"], fact["owner"], fact["cause"] = Kind.PLACE_ORDER, Flag.CONT, order_id % 7, order_id + 5
    return fact


def cancel(time_ns: int, order_id: int, side: int = BUY) -> Records:
    fact = np.zeros(1, dtype=FACT_DTYPE)
    fact["time_ns"], fact["id"], fact["flags"] = time_ns, order_id, side
    fact["kind"], fact["instrument"], fact["owner"], fact["cause"] = Kind.CANCEL_ORDER, 1, order_id % 7, time_ns % 1_000
    fact["kind2"], fact["flags2"] = Kind.CANCEL_ORDER, Flag.CONT
    return fact


def constant(ns: int) -> tuple[int, int, int, int, list[int], list[int]]:
    """A latency that is always the same, as the simulated venue takes it."""
    return int(LatencyKind.CONSTANT), ns, 0, 0, [], []


class Noise(Strategy):
    """Orders of every kind and cancels from every callback, by a generator that is part of its State."""

    class Params(Struct, frozen=True, forbid_unknown_fields=True):
        seed: int = 1
        eager: float = 0.3
        """How often a callback acts."""

    class State(Struct):
        draws: int = 0
        filled: float = 0.0

    def on_start(self) -> None:
        self.every(70 * MS)
        self.mean = self.bars("1s", warmup=2).sma(3)

    def draw(self) -> float:
        """Uniform in [0, 1): a linear congruential step, so that a restart goes on where it was."""
        value = self.state.draws or self.params.seed
        self.state.draws = (value * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407) % (1 << 63)
        return (self.state.draws >> 31) / (1 << 32)

    def act(self) -> None:
        """Place or cancel something near the best prices."""
        if self.draw() > self.params.eager or not self.book.spread > 0:
            return
        ids = self.open_orders()
        if ids and self.draw() < 0.4:
            self.cancel(ids[int(self.draw() * len(ids))])
            return
        side = self.sell if self.draw() < 0.5 else self.buy
        lots = (1 + int(self.draw() * 6)) * self.lot
        kind = ("GTC", "IOC", "FOK", "POST_ONLY", "MARKET")[int(self.draw() * 5)]
        if kind == "MARKET":
            side(lots)
            return
        price = (self.book.bid if self.draw() < 0.5 else self.book.ask) + (int(self.draw() * 5) - 2) * self.tick
        side(lots, price=price, time_in_force=kind)

    def on_trade(self, trade) -> None:
        self.act()

    def on_quote(self, book) -> None:
        self.act()

    def on_timer(self, timer) -> None:
        self.act()

    def on_bar(self, bar) -> None:
        if self.mean.value > bar.close:
            self.act()

    def on_fill(self, fill) -> None:
        self.state.filled += fill.quantity
        self.act()

    def on_order(self, order) -> None:
        self.act()


class Keeper:
    """A recorder that keeps what it is given."""

    def __init__(self) -> None:
        self.kept: dict[str, list[Records]] = {"facts": [], "samples": [], "markouts": []}

    def facts(self, facts: Records) -> None:
        self.kept["facts"].append(facts.copy())

    def samples(self, samples: Records) -> None:
        self.kept["samples"].append(samples.copy())

    def markouts(self, markouts: Records) -> None:
        self.kept["markouts"].append(markouts.copy())

    def all(self, name: str) -> Records:
        return np.concatenate(self.kept[name])
