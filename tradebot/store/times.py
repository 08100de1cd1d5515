"""Times as files write them: a count of seconds, milliseconds, microseconds or nanoseconds since 1970, or ISO
8601 text.

A count says its unit by its size, cell by cell, because venues change units in the middle of an archive. The
ranges do not overlap for any time from March 1973 to the year 5138, and a count below them is refused.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from tradebot.domain.units import NS_PER_SECOND, TIME_MAX_NS
from tradebot.store.table import Column

# The least count of each unit, and its nanoseconds.
_UNITS: Final = ((10**17, 1), (10**14, 1_000), (10**11, 1_000_000), (10**8, NS_PER_SECOND))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ISO: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?", re.ASCII
)
_COUNT: Final = re.compile(r"(\d{1,19})(?:\.(\d{1,9})0*)?", re.ASCII)
_WANTED: Final = "a time since 1973 in s, ms, us or ns, or as 2024-01-31T12:00:00Z"


def read_time(text: str) -> int:
    """Nanoseconds since 1970. Raises ValueError."""
    count = _COUNT.fullmatch(text)
    time_ns = _read_count(count, text) if count else _read_iso(text)
    if not 0 <= time_ns <= TIME_MAX_NS:
        raise ValueError(f"expected a time from 1970 to 2116, found {text!r}")
    return time_ns


def unit_ns(count: int) -> int:
    """The nanoseconds of the unit that a count of this size is in. Raises ValueError where it is too small."""
    for least, unit in _UNITS:
        if count >= least:
            return unit
    raise ValueError(f"expected {_WANTED}, found {count}")


def _read_count(found: re.Match[str], text: str) -> int:
    unit = unit_ns(int(found[1]))
    fraction_ns, rest = divmod(int((found[2] or "").ljust(9, "0")) * unit, 10**9)
    if rest:
        raise ValueError(f"expected a time in whole nanoseconds, found {text!r}")
    return int(found[1]) * unit + fraction_ns


def _read_iso(text: str) -> int:
    found = _ISO.fullmatch(text)
    if found is None:
        raise ValueError(f"expected {_WANTED}, found {text!r}")
    zone = (found[4] or "Z").replace("Z", "+00:00")
    moment = datetime.fromisoformat(f"{found[1]}T{found[2] or '00:00'}{zone}")
    return (moment - _EPOCH) // timedelta(seconds=1) * NS_PER_SECOND + int((found[3] or "").ljust(9, "0"))


def read_many(texts: Sequence[str]) -> list[int]:
    """Nanoseconds since 1970 for each. Raises ValueError for all."""
    if not all(map(_is_count, texts)):
        return list(map(read_time, texts))
    counts = list(map(int, texts))
    unit = unit_ns(min(counts))
    if unit_ns(largest := max(counts)) != unit or largest * unit > TIME_MAX_NS:
        return list(map(read_time, texts))
    times: list[int] = (np.array(counts, np.int64) * unit).tolist()
    return times


def _is_count(text: str) -> bool:
    return text.isdigit() and text.isascii()


TIMES: Final = Column(read_time, read_many)
