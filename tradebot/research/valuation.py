"""What trades of any kind of instrument are worth, as whole numbers that can be added and turned into money once.

A trade has a signed value of which the profit is minus the sum, as in the ledger. Spot and linear contracts: lots times
half-ticks, exact. An inverse contract: minus lots times contract over price, taken up to a 2^-30 of a money unit for each trade,
which is how the ledger takes it, so that both can be equal to the last unit. Money is in the settle asset.
"""

from collections.abc import Iterable
from fractions import Fraction
from typing import Final

from tradebot.domain.instrument import INVERSE, Instrument

INVERSE_BITS: Final = 30


def trade_values(instrument: Instrument, lots: Iterable[int], price2: Iterable[int]) -> list[int]:
    """The value of each trade of signed lots at half of `price2` ticks; `units_down` and `units_nearest` make money of a sum."""
    pairs = zip(lots, price2, strict=True)
    if instrument.kind != INVERSE:
        return [one * price for one, price in pairs]
    numerator, denominator = instrument.notional_ratio
    worth = numerator * 2 << INVERSE_BITS
    return [-(one * worth // (price * denominator)) for one, price in pairs]


def units_down(instrument: Instrument, value: int) -> int:
    """Money units, rounded down."""
    if instrument.kind == INVERSE:
        return value >> INVERSE_BITS
    numerator, denominator = instrument.notional_ratio
    return value * numerator // (2 * denominator)


def units_nearest(instrument: Instrument, value: int) -> int:
    """Money units, rounded half to even."""
    if instrument.kind == INVERSE:
        return round(Fraction(value, 1 << INVERSE_BITS))
    numerator, denominator = instrument.notional_ratio
    return round(Fraction(value * numerator, 2 * denominator))


def held_units(instrument: Instrument, lots: int, price2: int) -> int:
    """What a position of signed lots is worth at half of `price2` ticks, rounded down."""
    if instrument.kind != INVERSE:
        return units_down(instrument, lots * price2)
    numerator, denominator = instrument.notional_ratio
    return -lots * 2 * numerator // (price2 * denominator) if lots else 0
