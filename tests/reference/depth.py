"""The L2 book in plain Python: a dict a side; only the numbers of kinds and flags are shared with the compiled one."""

import struct

import numpy as np

from tests.reference.digest import Digest
from tradebot._core.types import Flag, Kind

BUY, SELL = 0, 1


class ReferenceDepth:
    """The same face as `_core.depth.L2Book`."""

    def __init__(self) -> None:
        self.sides: list[dict[int, int]] = [{}, {}]

    def apply(self, records: np.ndarray) -> int:
        return sum(self.apply_one(record) for record in records)

    def apply_one(self, record: np.void) -> int:
        flags = int(record["flags"])
        if int(record["kind"]) != Kind.L2_LEVEL or flags & Flag.VOID:
            return 0
        if flags & Flag.BEGIN:
            self.clear()
        changed = self.set(flags & Flag.SELL, int(record["price"]), int(record["quantity"]))
        return int(changed or bool(flags & Flag.BEGIN))

    def set(self, side: int, price: int, quantity: int) -> bool:
        before = self.sides[side].pop(price, 0)
        if quantity > 0:
            self.sides[side][price] = quantity
        return before != max(quantity, 0)

    def clear(self) -> None:
        self.sides = [{}, {}]

    def depth(self, side: int, levels: int) -> list[tuple[int, int]]:
        return sorted(self.sides[side].items(), reverse=side == BUY)[:levels]

    def quantity(self, side: int, price: int) -> int:
        return self.sides[side].get(price, 0)

    @property
    def bid(self) -> int | None:
        return max(self.sides[BUY], default=None)

    @property
    def ask(self) -> int | None:
        return min(self.sides[SELL], default=None)

    @property
    def bid_quantity(self) -> int:
        return self.sides[BUY].get(self.bid, 0)

    @property
    def ask_quantity(self) -> int:
        return self.sides[SELL].get(self.ask, 0)

    def validate(self) -> None:
        assert all(quantity > 0 for side in self.sides for quantity in side.values())

    def state(self) -> list:
        return [self.depth(side, 1 << 60) for side in (BUY, SELL)]

    def restore(self, state: list) -> None:
        self.sides = [dict(rows) for rows in state]

    def hash(self) -> str:
        digest = Digest()
        for side in (BUY, SELL):
            for price, quantity in self.depth(side, 1 << 60):
                digest.slot(struct.pack("<2Q2q4Q", 0, side, price, quantity, 0, 0, 0, 0))
        return digest.text()
