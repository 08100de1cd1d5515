"""The simulated venue in lock-step with a naive one: random commands of ours to both, and each answer compared byte by byte.

`Ours` asks for plain orders; `Guarded` for orders of every type, in groups, that only reduce, of two strategies, and for changes.
"""

import random
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

from tests.support import BUY, SELL, cancel
from tests.support import place as order
from tradebot._core.simulator import Simulator
from tradebot._core.types import Flag, Kind, OrderType, TimeInForce
from tradebot.engine.ports import Records

PRICED = (Kind.TRADE, Kind.L2_LEVEL, Kind.QUOTE, Kind.MARK, Kind.BAR)


class Ours:
    """Random commands of ours: new orders near the market, cancels of recent ones, some of them long gone."""

    def __init__(self, chance: random.Random, middle: int) -> None:
        self.chance, self.middle, self.ids = chance, middle, []

    def next(self, now: int) -> Records:
        if self.ids and self.chance.random() < 0.3:
            return cancel(now, self.chance.choice(self.ids[-12:]), self.chance.randrange(2))
        self.ids.append(10**9 + len(self.ids))
        price = self.middle + self.chance.randrange(-8, 9)
        side, lots, force = self.chance.randrange(2), self.chance.randrange(1, 9), self.chance.choice(list(TimeInForce))
        return order(now, self.ids[-1], side, price, lots, force)


class Guarded(Ours):
    """As ours, of two strategies, with orders of every type, groups, orders that only reduce, and changes."""

    def next(self, now: int) -> Records:
        draw = self.chance.random()
        if self.ids and draw < 0.15:
            return self.owned(cancel(now, self.chance.choice(self.ids[-12:]), self.chance.randrange(2)))
        if self.ids and draw < 0.35:
            return self.owned(self.change(now))
        self.ids.append(10**9 + len(self.ids))
        price, side, lots = self.middle + self.chance.randrange(-8, 9), self.chance.randrange(2), self.chance.randrange(1, 9)
        fact = order(now, self.ids[-1], side, price, lots, self.chance.choice(list(TimeInForce)))
        fact["flags2"] |= self.chance.choice((0, 0, 1, 1, 5, 4, 7, 13)) & ~(2 if self.chance.random() < 0.5 else 0)
        fact["parent"] = self.chance.choice((0, 0, len(self.ids) // 4 + 1))
        kind = self.chance.choice((OrderType.LIMIT, OrderType.LIMIT, *OrderType))
        if kind > OrderType.MARKET:
            fact["order_type"], fact["trigger"] = kind, self.middle + self.chance.randrange(-6, 7)
            fact["time_in_force"] = self.chance.choice((TimeInForce.GTC, TimeInForce.IOC))
            fact["display"] = self.chance.randrange(1, 5) if kind == OrderType.TRAILING_STOP else 0
        return self.owned(fact)

    def change(self, now: int) -> Records:
        fact = cancel(now, self.chance.choice(self.ids[-12:]), self.chance.randrange(2))
        fact["kind"] = fact["kind2"] = Kind.AMEND_ORDER
        fact["price"], fact["quantity"] = self.middle + self.chance.randrange(-8, 9), self.chance.randrange(1, 12)
        fact["trigger"] = self.chance.choice((0, self.middle + self.chance.randrange(-6, 7)))
        return fact

    def owned(self, fact: Records) -> Records:
        """A group is of one strategy: ids of four in a row, and the groups named after them."""
        fact["owner"] = (int(fact["id"][0]) - 10**9) // 4 % 2
        return fact


class Bare(Guarded):
    """As guarded, with market orders: where there is no book they wait for a price, and amends of them are refused."""

    def next(self, now: int) -> Records:
        fact = super().next(now)
        if fact["kind"][0] == Kind.PLACE_ORDER and fact["order_type"][0] == OrderType.LIMIT and self.chance.random() < 0.3:
            away = self.chance.choice((3, 30, 300))
            fact["order_type"] = OrderType.MARKET
            fact["price"] = self.middle - away if fact["flags"][0] else self.middle + away
            fact["time_in_force"] = self.chance.choice((TimeInForce.IOC, TimeInForce.IOC, TimeInForce.FOK))
        return fact


def show(venue: Any, row: Records) -> None:
    """One recorded fact, to either venue; a bar marked BEGIN opens."""
    is_compiled = isinstance(venue, Simulator)
    if row["kind"][0] == Kind.BAR and row["flags"][0] & Flag.BEGIN:
        venue.open(row) if is_compiled else venue.open(row[0], int(row["venue_ns"][0]))
    else:
        venue.market(row if is_compiled else row[0])


def check_alike(
    seed: int, market: Iterable[Records], chance: random.Random, ours: Ours, reference: Any, build: Callable[[], Simulator]
) -> int:
    """Feed both venues the same; returns how many of our orders' fills both told of. `build` makes an empty compiled one."""
    compiled, fills, now = build(), 0, 0
    for row in market:
        is_close = row["kind"][0] == Kind.BAR and not row["flags"][0] & Flag.BEGIN
        now = int(row["time_ns" if is_close else "venue_ns"][0])
        while chance.random() < 0.3:
            command = ours.next(now)
            compiled.send(command)
            reference.send(command[0])
        show(compiled, row)
        show(reference, row)
        if row["kind"][0] in PRICED and row["price"][0]:
            ours.middle += (int(row["price"][0]) - ours.middle) // 4
        fills += compare(seed, compiled, reference)
        if chance.random() < 0.01:
            compiled = restored(compiled, build())
    compiled.advance(now + 10_000)
    reference.advance(now + 10_000)
    return fills + compare(seed, compiled, reference)


def compare(seed: int, compiled: Simulator, reference: Any) -> int:
    found, expected = compiled.take_answers(), reference.take_answers()
    if found.tobytes() != expected.tobytes():
        pytest.fail(f"seed {seed}:\n{found}\ninstead of\n{expected}")
    for side in (BUY, SELL):
        assert compiled.resting(0, side) == reference.resting(side), f"seed {seed}"
    return int(np.count_nonzero(found["kind"] == Kind.ORDER_FILLED))


def restored(old: Simulator, new: Simulator) -> Simulator:
    old.take_markouts()
    state = old.snapshot()
    new.restore(state)
    assert new.snapshot() == state
    return new
