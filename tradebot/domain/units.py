"""From decimal text to integers and back: ticks, lots, money units.

A price is an integer number of ticks, a quantity an integer number of lots, money an integer number of units of its
asset (1e-8 unless the asset says otherwise). Decimal text is read here and nowhere else; no float is used.
"""

from decimal import Decimal, InvalidOperation, localcontext
from fractions import Fraction

STEPS_MAX = (1 << 58) - 1  # of a price or quantity either way: the bound of the core, within which sums of a few stay in 64 bits
TIME_MAX_NS = (1 << 62) - 1  # the same for times: in the year 2116
MONEY_SCALE = 8  # decimal digits of a money unit
NS_PER_SECOND = 1_000_000_000

_PRECISION = 60
_EXPONENT_MAX = 60  # digits before or after the point; beyond it a number is a mistake, not an amount

_DURATIONS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": NS_PER_SECOND,
    "m": 60 * NS_PER_SECOND,
    "h": 3600 * NS_PER_SECOND,
    "d": 86_400 * NS_PER_SECOND,
}


def parse_decimal(text: str) -> Decimal:
    """A finite decimal. Raises ValueError that shows the text."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"expected a decimal number, found {text!r}") from None
    if not value.is_finite():
        raise ValueError(f"expected a finite decimal number, found {text!r}")
    return value


def steps_exactly(value: Decimal, step: Decimal) -> int:
    """How many `step` make `value`, exactly. Raises ValueError where it is not a whole number of them, or has too many digits."""
    if not -_EXPONENT_MAX < value.adjusted() < _EXPONENT_MAX or len(value.as_tuple().digits) > _EXPONENT_MAX:
        raise ValueError(f"{str(value)[:40]} is out of range: expected fewer than {_EXPONENT_MAX} digits")
    count = Fraction(value) / Fraction(step)
    if count.denominator != 1:
        raise ValueError(f"{value} is not a multiple of {step}")
    return count.numerator


def steps_text(count: int, step: Decimal) -> str:
    """`count` steps as plain decimal text, with the digits of the step."""
    with localcontext() as context:
        context.prec = _PRECISION
        return f"{count * step:f}"


def money_from_text(text: str, scale: int = MONEY_SCALE) -> int:
    """Units of 10**-scale. Raises ValueError on finer text."""
    return steps_exactly(parse_decimal(text), Decimal(1).scaleb(-scale))


def money_text(units: int, scale: int = MONEY_SCALE, digits: int | None = None) -> str:
    """Units as decimal text; rounded half to even where `digits` is less than `scale`."""
    with localcontext() as context:
        context.prec = _PRECISION
        value = Decimal(units).scaleb(-scale)
        if digits is not None:
            value = value.quantize(Decimal(1).scaleb(-digits))
        return f"{value:f}"


def value_ratio(tick: Decimal | Fraction, lot: Decimal, multiplier: Decimal, scale: int = MONEY_SCALE) -> tuple[int, int]:
    """(n, d): ticks * lots * n / d is a notional in money units of the quote asset."""
    ratio = Fraction(tick) * Fraction(lot) * Fraction(multiplier) * 10**scale
    return ratio.numerator, ratio.denominator


def parse_duration(text: str) -> int:
    """"50ms", "5s", "1m", "1h", "1d" in nanoseconds. Raises ValueError."""
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = _DURATIONS.get(text[len(digits) :])
    if unit is None or not digits:
        raise ValueError(f'expected a duration such as "50ms", "5s" or "1m", found {text!r}')
    return steps_exactly(parse_decimal(digits) * unit, Decimal(1))


def duration_text(ns: int) -> str:
    """The shortest exact form: 50ms, 5s, 1m."""
    for name in ("d", "h", "m", "s", "ms", "us"):
        if ns and ns % _DURATIONS[name] == 0:
            return f"{ns // _DURATIONS[name]}{name}"
    return f"{ns}ns"


def time_text(time_ns: int) -> str:
    """UTC, ISO 8601 with nanoseconds, computed without a clock."""
    seconds, ns = divmod(time_ns, NS_PER_SECOND)
    days, second = divmod(seconds, 86_400)
    year, month, day = _civil(days)
    clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    return f"{year:04}-{month:02}-{day:02}T{clock}.{ns:09}Z"


def _civil(days: int) -> tuple[int, int, int]:
    """Days since 1970-01-01 to (year, month, day), proleptic Gregorian: H. Hinnant, chrono-Compatible Low-Level
    Date Algorithms (2013)."""
    days += 719_468
    era = days // 146_097
    day_of_era = days - era * 146_097
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_shifted = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month_shifted + 2) // 5 + 1
    month = month_shifted + 3 if month_shifted < 10 else month_shifted - 9
    return year_of_era + era * 400 + (month <= 2), month, day
