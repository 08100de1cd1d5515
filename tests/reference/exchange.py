"""The exchange in plain Python: a list of resting orders, sorted whenever somebody arrives."""

import struct
from typing import NamedTuple

import numpy as np

from tests.reference.digest import Digest
from tradebot._core.exchange import OperationKind

BUY, SELL = 0, 1


class Resting(NamedTuple):
    price: int
    arrived: int
    id: int
    lots: int


class ReferenceExchange:
    """The same face as `_core.exchange.Exchange`."""

    def __init__(self) -> None:
        self.sides: list[list[Resting]] = [[], []]
        self.operations = self.fills = self.refused = self.volume = 0
        self.digest = Digest()

    def apply(self, operations: np.ndarray) -> int:
        for operation in operations:
            self.take(*(int(operation[name]) for name in ("kind", "id", "side", "price", "quantity")))
        return self.fills

    def take(self, kind: int, order_id: int, side: int, price: int, lots: int) -> None:
        self.operations += 1
        known = [one for orders in self.sides for one in orders if one.id == order_id]
        if kind == OperationKind.CANCEL:
            self.refused += not known
            self.sides = [[one for one in orders if one.id != order_id] for orders in self.sides]
        elif lots <= 0 or side > SELL or kind not in (OperationKind.PLACE, OperationKind.MARKET):
            self.refused += 1
        elif kind == OperationKind.MARKET:
            self.trade(order_id, side, None, lots)
        elif known:
            self.refused += 1
        elif left := self.trade(order_id, side, price, lots):
            self.sides[side].append(Resting(price, self.operations, order_id, left))

    def trade(self, taker: int, side: int, limit: int | None, lots: int) -> int:
        """Trade against the other side; returns the lots that are left."""
        makers = sorted(self.sides[1 - side], key=lambda one: (one.price if side == BUY else -one.price, one.arrived))
        for maker in makers:
            if not lots or (limit is not None and (maker.price > limit if side == BUY else maker.price < limit)):
                break
            taken = min(lots, maker.lots)
            lots -= taken
            self.fills, self.volume = self.fills + 1, self.volume + taken
            self.digest.slot(struct.pack("<2Q2q4Q", maker.id, taker, maker.price, taken, self.operations, 0, 0, 0))
            at = self.sides[1 - side].index(maker)
            self.sides[1 - side][at : at + 1] = [maker._replace(lots=maker.lots - taken)] if taken < maker.lots else []
        return lots

    @property
    def live(self) -> int:
        return sum(map(len, self.sides))

    @property
    def digest_text(self) -> str:
        return self.digest.text()

    def best(self, side: int) -> tuple[int, int] | None:
        prices = [one.price for one in self.sides[side]]
        if not prices:
            return None
        best = max(prices) if side == BUY else min(prices)
        return best, sum(one.lots for one in self.sides[side] if one.price == best)

    def validate(self) -> None:
        bid, ask = self.best(BUY), self.best(SELL)
        assert bid is None or ask is None or bid[0] < ask[0]
