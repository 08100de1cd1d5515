"""Mark prices, index prices and funding rates as files write them.

They are means and formulas, not prices that anybody traded at, so they stand on no grid: a mark or an index
is rounded to the nearest tick and a rate to the nearest 1e-12, halves to the even one.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache, partial
from typing import Final

import numpy as np

from tradebot._core.types import RECORD_DTYPE, Kind
from tradebot.domain.instrument import Instrument
from tradebot.domain.units import STEPS_MAX, parse_decimal
from tradebot.store.batches import Records
from tradebot.store.table import Column

RATE_STEP: Final = Decimal("1e-12")

# The slots of a record, in its order.
Row = tuple[int, ...]

_CACHE_MAX: Final = 1 << 16
_COUNT_MAX: Final = STEPS_MAX
_U64: Final = 1 << 64


def read_marks(instrument: Instrument) -> Column:
    """Prices to the nearest tick."""
    return _read_nearest("mark or index price", instrument.tick_size, lowest=0)


def read_rates() -> Column:
    """Rates, which may be negative, in 1e-12; the record has them as two's complement."""
    return _read_nearest("rate", RATE_STEP, lowest=-_COUNT_MAX)


def _read_nearest(what: str, step: Decimal, lowest: int) -> Column:
    @lru_cache(maxsize=_CACHE_MAX)
    def read_one(text: str) -> int:
        value = parse_decimal(text)
        if not value.adjusted() < step.adjusted() + 20:
            raise ValueError(f"expected a {what} of fewer digits, found {text}")
        count = int((value / step).to_integral_value(ROUND_HALF_EVEN))
        if not lowest <= count <= _COUNT_MAX:
            raise ValueError(f"expected a {what} from {lowest} to {_COUNT_MAX} steps of {step}, found {text}")
        return count

    return Column(read_one, partial(map, read_one))


def mark_row(
    time_ns: int, venue_ns: int, mark: int, index: int, rate: int, next_ns: int, instrument_id: int
) -> Row:
    """One MARK; what is not known is 0."""
    return (time_ns, venue_ns, 0, mark, index, rate % _U64, next_ns, instrument_id, int(Kind.MARK), 0, 0)


def funding_row(
    time_ns: int, settled_ns: int, mark: int, rate: int, interval_ns: int, instrument_id: int
) -> Row:
    """One settlement, known at `time_ns`; what is not known is 0."""
    return (time_ns, settled_ns, 0, mark, 0, rate % _U64, interval_ns, instrument_id, int(Kind.FUNDING), 0, 0)


def interest_row(time_ns: int, venue_ns: int, lots: int, instrument_id: int) -> Row:
    """The lots held open."""
    return (time_ns, venue_ns, 0, 0, lots, 0, 0, instrument_id, int(Kind.OPEN_INTEREST), 0, 0)


def rows_array(rows: Sequence[Row]) -> Records:
    """Rows as records."""
    return np.array(rows, RECORD_DTYPE) if rows else np.empty(0, RECORD_DTYPE)
