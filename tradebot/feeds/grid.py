"""Decimal text to ticks and lots of one instrument: exact, and remembered, because most texts of a book come again.

Prices and quantities that are off the grid are refused. Mark and index prices are averages which no venue keeps on its grid:
they are rounded to the nearest tick, halves to the even one. Rates are counted in 1e-12.
"""

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from typing import Final

from tradebot.domain.instrument import Instrument
from tradebot.domain.units import STEPS_MAX, parse_decimal, steps_exactly

RATE_STEP: Final = Decimal("1e-12")
DECIMALS_MAX: Final = 18  # of a step; what is written finer is damage
WORD: Final = 1 << 64  # two's complement of 64 bits counts modulo this

_CACHE_MAX: Final = 1 << 16
_DIGITS_MAX: Final = 20
_RATE_MAX: Final = (1 << 63) - 1
_DIGITS: Final = frozenset("0123456789.eE+-")


class Grid:
    """An instrument's `ticks` and `lots` of a text. Both raise ValueError where it is no number, negative, or off the grid."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.ticks = _remembered("price", instrument.ticks)
        self.lots = _remembered("quantity", instrument.lots)

    def nearest_ticks(self, text: str) -> int:
        """Of a price that need not be on the grid."""
        price = _parse("price", text)
        if price.adjusted() > _DIGITS_MAX:
            raise ValueError(f"expected a price of at most {_DIGITS_MAX} digits, found {text[:40]}")
        count = (price / self.instrument.tick_size).to_integral_value(ROUND_HALF_EVEN)
        return _in_range("price", text, int(count))


def rate_word(text: str) -> int:
    """A funding rate in 1e-12, two's complement in 64 bits. Raises ValueError where it is finer, or no number."""
    count = steps_exactly(_parse("rate", text), RATE_STEP)
    if abs(count) > _RATE_MAX:
        raise ValueError(f"expected a rate of at most {_RATE_MAX} times 1e-12, found {text}")
    return count % WORD


def power_of_ten(decimals: int) -> str:
    """The step of so many decimals: "0.01" for 2. Raises ValueError for more than any market has."""
    if decimals > DECIMALS_MAX:
        raise ValueError(f"expected a step of at most {DECIMALS_MAX} decimals, found {decimals}")
    return "1" if decimals <= 0 else f"0.{'0' * (decimals - 1)}1"


def _remembered(what: str, steps: Callable[[str], int]) -> Callable[[str], int]:
    @lru_cache(maxsize=_CACHE_MAX)
    def count(text: str) -> int:
        _parse(what, text)
        return _in_range(what, text, steps(text))

    return count


def _parse(what: str, text: str) -> Decimal:
    if not text or not _DIGITS.issuperset(text):
        raise ValueError(f"expected a decimal {what}, found {text[:40]!r}")
    return parse_decimal(text)


def _in_range(what: str, text: str, count: int) -> int:
    if not 0 <= count <= STEPS_MAX:
        raise ValueError(f"expected a {what} from 0 to {STEPS_MAX} steps, found {text[:40]}")
    return count
