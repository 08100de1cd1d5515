"""Contracts in plain Python: fractions and whole numbers without a bound, read straight from the rules of docs/contracts.md.

What a position cost is kept as the compiled one keeps it, a sum of values. The account judges after
each mark. Nothing is shared with the compiled ledger but the rules of rounding: values carried, fees and margins up, what is
received down.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor

BITS = 30


@dataclass
class Terms:
    """`worth`: money units of the settle asset, a tick and lot of a linear contract, a lot at one tick of an inverse one."""

    is_inverse: bool
    worth: Fraction

    def value(self, lots: int, price2: int) -> Fraction:
        """Signed: profit is minus the sum of these."""
        return -lots * 2 * self.worth / price2 if self.is_inverse else lots * price2 * self.worth / 2

    def notional(self, lots: int, price2: int) -> int:
        return ceil(abs(self.value(lots, price2)))


@dataclass
class Rules:
    """`tiers`: (floor, rate, amount) of maintenance margin."""

    leverage: int = 1
    is_cross: bool = False
    tiers: list[tuple[int, Fraction, int]] = field(default_factory=lambda: [(0, Fraction(1, 100), 0)])

    def maintenance(self, notional: int) -> int:
        _, rate, amount = next(tier for tier in reversed(self.tiers) if notional > tier[0] or tier[0] == 0)
        return ceil(notional * rate) - amount

    def initial(self, notional: int) -> int:
        return ceil(Fraction(notional, self.leverage))


@dataclass
class Position:
    terms: Terms
    quantity: int = 0
    cost: int = 0
    realised: int = 0
    fees: int = 0
    funding: int = 0
    drawn: int = 0
    carry: Fraction = Fraction(0)
    posted: int = 0

    def fill(self, is_sell: bool, ticks: int, lots: int, fee: int) -> int:
        """Post a trade; returns what it realised."""
        signed = -lots if is_sell else lots
        exact = self.terms.value(signed, 2 * ticks)
        if self.terms.is_inverse:
            exact = Fraction(ceil(exact * 2**BITS), 2**BITS)
        value = floor(exact + self.carry)
        self.carry += exact - value
        self.posted += value
        self.fees += fee
        before, held = self.realised, self.quantity
        if held == 0 or (held > 0) == (signed > 0):
            self.cost += value
        else:
            closed = min(lots, abs(held))
            released, of_closed = floor(Fraction(self.cost * closed, abs(held))), floor(Fraction(value * closed, lots))
            self.realised -= released + of_closed
            self.cost += value - of_closed - released
        self.quantity += signed
        self._release(held)
        return self.realised - before

    def _release(self, held: int) -> None:
        if self.quantity == 0 or (self.quantity > 0) != (held > 0):
            self.drawn = 0
        elif abs(self.quantity) < abs(held):
            self.drawn = floor(Fraction(self.drawn * abs(self.quantity), abs(held)))

    def pay(self, paid: int) -> None:
        self.funding += paid
        self.drawn = max(self.drawn + paid, 0)

    def payment(self, price2: int, rate: Fraction) -> int:
        """Of a settlement: longs pay where the rate is positive; up, against us."""
        return ceil(abs(self.terms.value(self.quantity, price2)) * rate * (1 if self.quantity > 0 else -1))

    def unrealised(self, price2: int) -> int:
        return floor(self.terms.value(self.quantity, price2)) - self.cost

    def row(self) -> tuple[int, ...]:
        return self.quantity, self.cost, self.realised, self.fees, self.funding, self.drawn


@dataclass
class Liquidation:
    strategy: int
    is_sell: bool
    ticks: int
    lots: int
    fee: int


class Account:
    """One market's positions, one a strategy, over a balance of the settle asset."""

    def __init__(self, terms: Terms, rules: Rules, opening: int, strategies: int) -> None:
        self.rules, self.opening, self.total = rules, opening, opening
        self.positions = [Position(terms) for _ in range(strategies)]

    def fill(self, strategy: int, is_sell: bool, ticks: int, lots: int, fee: int) -> None:
        self.total += self.positions[strategy].fill(is_sell, ticks, lots, fee) - fee

    def settle(self, price2: int, rate: Fraction) -> list[tuple[int, int]]:
        """(strategy, paid) of each position held."""
        found = [(at, one.payment(price2, rate)) for at, one in enumerate(self.positions) if one.quantity]
        for at, paid in found:
            self.positions[at].pay(paid)
            self.total -= paid
        return found

    def judge(self, price2: int) -> list[Liquidation]:
        held = [at for at, one in enumerate(self.positions) if one.quantity]
        if self.rules.is_cross:
            equity = self.total + sum(self.positions[at].unrealised(price2) for at in held)
            if not held or equity > sum(self.maintenance(at, price2) for at in held):
                return []
            return [self.close(at, price2, None, at == held[-1]) for at in held]
        done = []
        for at in held:
            backing = self.backing(at)
            if backing + self.positions[at].unrealised(price2) <= self.maintenance(at, price2):
                done.append(self.close(at, price2, backing, True))
        return done

    def backing(self, at: int) -> int:
        return self.rules.initial(abs(self.positions[at].cost)) - self.positions[at].drawn

    def maintenance(self, at: int, price2: int) -> int:
        return self.rules.maintenance(self.positions[at].terms.notional(self.positions[at].quantity, price2))

    def close(self, at: int, price2: int, backing: int | None, takes_rest: bool) -> Liquidation:
        position = self.positions[at]
        is_sell, lots = position.quantity > 0, abs(position.quantity)
        ticks = max(price2 // 2 if is_sell else -(-price2 // 2), 1)
        realised = position.fill(is_sell, ticks, lots, 0)
        self.total += realised
        fee = (self.total if takes_rest else 0) if backing is None else backing + realised
        position.fees += fee
        self.total -= fee
        return Liquidation(at, is_sell, ticks, lots, fee)
