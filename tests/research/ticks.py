"""Rows for the tests of the audit: a day's market made of one seeded generator, with faults planted on request."""

import random

import numpy as np

from tradebot._core.types import RECORD_DTYPE, Flag, Kind
from tradebot.engine.ports import Records
from tradebot.store.instruments import make_instrument

SECOND = 10**9
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND
FIRST_DAY = 19_800 * DAY
INSTRUMENT = make_instrument("BTC/USDT:USDT@venue", tick="0.1", lot="0.001")

FAULTS = ("gap", "break", "silence", "duplicate", "outlier", "crossed", "backwards", "void")


def row(time_ns: int, kind: int, **slots: int) -> np.void:
    record = np.zeros(1, RECORD_DTYPE)
    record["time_ns"], record["kind"], record["instrument"] = time_ns, kind, INSTRUMENT.id
    record["venue_ns"] = slots.pop("venue_ns", time_ns - 5_000_000)
    for name, value in slots.items():
        record[name] = value
    return record[0]


class Market:
    """Trades, a book of levels, quotes and marks around one price."""

    def __init__(self, seed: int, faults: float = 0.0) -> None:
        self.chance = random.Random(seed)
        self.faults = faults
        self.now = FIRST_DAY + 9 * 3600 * SECOND
        self.middle = 100_000
        self.numbers = dict.fromkeys((Kind.TRADE, Kind.L2_LEVEL, Kind.QUOTE), 0)
        self.levels: list[set[int]] = [set(), set()]
        self.planted: list[str] = []

    def rows(self, steps: int) -> list[np.void]:
        found: list[np.void] = []
        for _ in range(steps):
            self.now += self.chance.randrange(10_000_000, 1_500_000_000)
            fault = self.chance.choice(FAULTS) if found and self.chance.random() < self.faults else ""
            found += self.step(fault, found)
        return found

    def number(self, kind: Kind) -> int:
        self.numbers[kind] += 1
        return self.numbers[kind]

    def step(self, fault: str, before: list[np.void]) -> list[np.void]:
        self.planted += [fault] if fault else []
        if fault == "gap":
            return [row(self.now, Kind.GAP, venue_sequence=7, id=5)]
        if fault == "silence":
            self.now += 5 * MINUTE
        if fault == "break":
            self.numbers[Kind.TRADE] += 10
        if fault == "duplicate":
            copy = before[-1].copy()
            copy["time_ns"] = self.now
            return [copy]
        self.middle += self.chance.randrange(-2, 3)
        made = self.chance.choice((self.trade, self.trade, self.levels_message, self.quote, self.mark))(fault)
        if fault == "void":
            for one in made:
                one["flags"] |= int(Flag.VOID)
        if fault == "backwards":
            for one in made:
                one["venue_ns"] -= 10 * MINUTE
        return made

    def trade(self, fault: str) -> list[np.void]:
        price = self.middle * 2 if fault == "outlier" else self.middle
        lots = self.chance.randrange(1, 9)
        return [row(self.now, Kind.TRADE, venue_sequence=self.number(Kind.TRADE), price=price, quantity=lots)]

    def levels_message(self, fault: str) -> list[np.void]:
        """A whole book at first and now and then, else a few levels."""
        number = self.number(Kind.L2_LEVEL)
        whole = number % 40 == 1
        if whole:
            self.levels = [set(), set()]
        crossing = [(0, price) for price in self.levels[0] if price >= self.middle]
        crossing += [(1, price) for price in self.levels[1] if price <= self.middle]
        changes = [(side, price, 0) for side, price in sorted(crossing)]
        for side in (0, 1):
            for away in range(1, 8 if whole else 3):
                changes.append((side, self.middle + (away if side else -away), self.chance.randrange(1, 50)))
        for side, price, quantity in changes:
            (self.levels[side].add if quantity else self.levels[side].discard)(price)
        snapshot = int(Flag.SNAPSHOT) if whole else 0
        made = [
            row(self.now, Kind.L2_LEVEL, venue_sequence=number, price=price, quantity=quantity, flags=side | snapshot)
            for side, price, quantity in changes
        ]
        if whole:
            made[0]["flags"] |= int(Flag.BEGIN)
        made[-1]["flags"] |= int(Flag.LAST)
        return made

    def quote(self, fault: str) -> list[np.void]:
        bid = self.middle + 3 if fault == "crossed" else self.middle - 1
        number = self.number(Kind.QUOTE)
        return [row(self.now, Kind.QUOTE, venue_sequence=number, price=bid, quantity=2, id=self.middle + 1, id2=3)]

    def mark(self, fault: str) -> list[np.void]:
        return [row(self.now, Kind.MARK, price=self.middle, quantity=self.middle)]


def joined(rows: list[np.void]) -> Records:
    found = np.array(rows, RECORD_DTYPE) if rows else np.empty(0, RECORD_DTYPE)
    assert (np.diff(found["time_ns"]) >= 0).all()
    return found


def cut(records: Records, chance: random.Random, parts: int) -> list[Records]:
    """The same rows in batches of random sizes."""
    places = sorted(chance.randrange(len(records) + 1) for _ in range(parts - 1))
    return np.split(records, places)
