"""The L3 book in plain Python: lists, dicts and scans; only the numbers of kinds are shared with the compiled one."""

import struct
from dataclasses import dataclass

import numpy as np

from tests.reference.digest import Digest
from tradebot._core.types import Flag, Kind

BUY, SELL = 0, 1


@dataclass
class Order:
    id: int
    side: int
    price: int
    quantity: int
    arrived: int


class ReferenceBook:
    """The same face as `_core.book.L3Book`."""

    def __init__(self) -> None:
        self.orders: dict[int, Order] = {}
        self.resting: list[Order] = []
        self.parked: list[Order] = []
        self.arrivals = 0
        self.unknown_count = 0

    def apply(self, records: np.ndarray) -> int:
        return sum(self.apply_one(record) for record in records)

    def apply_one(self, record: np.void) -> int:
        kind, flags, order_id = int(record["kind"]), int(record["flags"]), int(record["id"])
        price, quantity = int(record["price"]), int(record["quantity"])
        if not Kind.L3_ADD <= kind <= Kind.L3_EXECUTE or flags & Flag.VOID:
            return 0
        if kind == Kind.L3_ADD:
            return self.add(order_id, flags & Flag.SELL, price, quantity, bool(flags & Flag.BEGIN))
        order = self.orders.get(order_id)
        if order is None:
            self.unknown_count += 1
            return 0
        if kind == Kind.L3_EXECUTE:
            if quantity <= 0:
                return 0
            self.reduce(order, quantity)
        elif kind == Kind.L3_DELETE:
            self.remove(order)
        else:
            self.change(order, price, quantity)
        return 1

    def add(self, order_id: int, side: int, price: int, quantity: int, begin: bool) -> int:
        if begin:
            self.orders.clear()
            self.resting.clear()
            self.parked.clear()
        if quantity <= 0:
            return 0
        if order_id in self.orders:
            self.unknown_count += 1
            return 0
        order = Order(order_id, side, price, quantity, 0)
        self.orders[order_id] = order
        self.place(order)
        return 1

    def place(self, order: Order) -> None:
        order.arrived = self.arrivals
        self.arrivals += 1
        (self.parked if self.crosses(order) else self.resting).append(order)

    def crosses(self, order: Order) -> bool:
        if order.side == BUY:
            return self.ask is not None and order.price >= self.ask
        return self.bid is not None and order.price <= self.bid

    def reduce(self, order: Order, quantity: int) -> None:
        if quantity >= order.quantity:
            self.remove(order)
        else:
            order.quantity -= quantity

    def remove(self, order: Order) -> None:
        del self.orders[order.id]
        self.lift(order)

    def lift(self, order: Order) -> None:
        """Take it out of its queue; if that moved the best price, parked orders may rest."""
        if order in self.parked:
            self.parked.remove(order)
            return
        best = self.bid, self.ask
        self.resting.remove(order)
        if (self.bid, self.ask) != best:
            self.settle()

    def settle(self) -> None:
        for side in (BUY, SELL):
            for order in [one for one in self.parked if one.side == side]:
                if not self.crosses(order):
                    self.parked.remove(order)
                    self.resting.append(order)

    def change(self, order: Order, price: int, quantity: int) -> None:
        if quantity <= 0:
            self.remove(order)
        elif price == order.price and quantity <= order.quantity:
            order.quantity = quantity
        else:
            self.lift(order)
            order.price, order.quantity = price, quantity
            self.place(order)

    @property
    def bid(self) -> int | None:
        return max((one.price for one in self.resting if one.side == BUY), default=None)

    @property
    def ask(self) -> int | None:
        return min((one.price for one in self.resting if one.side == SELL), default=None)

    @property
    def order_count(self) -> int:
        return len(self.orders)

    @property
    def parked_count(self) -> int:
        return len(self.parked)

    def queue(self, price: int) -> list[tuple[int, int]]:
        return [(one.id, one.quantity) for one in self.resting if one.price == price]

    def depth(self, side: int, levels: int) -> list[tuple[int, int, int]]:
        prices = sorted({one.price for one in self.resting if one.side == side}, reverse=side == BUY)
        return [
            (price, sum(lots for _, lots in self.queue(price)), len(self.queue(price))) for price in prices[:levels]
        ]

    def would_trade(self, side: int, limit: int | None, quantity: int) -> list[tuple[int, int, int]]:
        """What `_core.match.would_trade` answers."""
        trades = []
        for price, _, _ in self.depth(1 - side, 10**9):
            if limit is not None and (price > limit if side == BUY else price < limit):
                break
            for maker, lots in self.queue(price):
                if quantity:
                    taken = min(lots, quantity)
                    quantity -= taken
                    trades.append((maker, price, taken))
        return trades

    def validate(self) -> None:
        assert self.bid is None or self.ask is None or self.bid < self.ask

    def hash(self) -> str:
        digest = Digest()
        for side in (BUY, SELL):
            for price, _, _ in self.depth(side, 10**9):
                for order_id, lots in self.queue(price):
                    digest.slot(struct.pack("<2Q2q4Q", order_id, side, price, lots, 0, 0, 0, 0))
        for side in (BUY, SELL):
            for one in self.parked:
                if one.side == side:
                    digest.slot(struct.pack("<2Q2q4Q", one.id, one.side + 2, one.price, one.quantity, 0, 0, 0, 0))
        return digest.text()
