"""The ledger in plain Python: fractions and whole numbers without a bound."""

from fractions import Fraction
from math import ceil, floor


class ReferencePosition:
    """One strategy in one instrument. `value` is money units per tick and lot, `base` money units of base per lot."""

    def __init__(self, value: Fraction, base: Fraction) -> None:
        self.value, self.base = value, base
        self.quantity = self.cost = self.realised = self.fees = 0
        self.bought = self.sold = 0
        self.left = Fraction(0)
        self.paid = self.taken = self.fees_in_base = 0

    def fill(self, is_sell: bool, ticks: int, lots: int, fee: int, fee_in_base: bool) -> int:
        """Post a trade; returns its signed value as posted."""
        signed = -lots if is_sell else lots
        exact = ticks * signed * self.value + self.left
        value = floor(exact)
        self.left = exact - value
        self.paid += value
        self.bought += 0 if is_sell else lots
        self.sold += lots if is_sell else 0
        self.fees += floor(ticks * fee * self.value / self.base) if fee_in_base else fee
        gone = self.take(fee) if fee_in_base else 0
        worth = floor(ticks * gone * self.value)
        self.taken += worth
        self.post(signed - gone, value - worth)
        return value

    def take(self, fee: int) -> int:
        """Lots that a fee in base begins; they leave at the price of the trade."""
        before = ceil(self.fees_in_base / self.base)
        self.fees_in_base += fee
        return ceil(self.fees_in_base / self.base) - before

    def post(self, lots: int, value: int) -> None:
        if lots == 0 and self.quantity == 0:
            self.realised -= value
        elif lots == 0 or self.quantity == 0 or (self.quantity > 0) == (lots > 0):
            self.cost += value
        else:
            closed = min(abs(lots), abs(self.quantity))
            released = floor(Fraction(self.cost * closed, abs(self.quantity)))
            value_closed = floor(Fraction(value * closed, abs(lots)))
            self.realised -= value_closed + released
            self.cost += value - value_closed - released
        self.quantity += lots

    def unrealised(self, middle2: int) -> int:
        return floor(middle2 * self.quantity * self.value / 2) - self.cost
