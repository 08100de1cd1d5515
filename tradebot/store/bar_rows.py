"""Bars as any table has them: open time, open, high, low, close, volume.

The formats ccxt-ohlcv, freqtrade, parquet and binance-vision agree in this. A bar is labelled by its open
time and known at its close, so that is when the engine sees it: `venue_ns` is the one, `time_ns` the other.

The interval comes from the name of the file (`XRP_ETH-5m.feather`) or else is the least distance between two
bars at its start. Bars that fail to follow each other are gaps, counted here and left as they are; whether a
market stood still or a recorder did, the file does not say.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from tradebot._core.types import RECORD_DTYPE, Kind
from tradebot.domain.errors import BadContainer
from tradebot.domain.instrument import Instrument
from tradebot.domain.units import NS_PER_SECOND, TIME_MAX_NS, duration_text, parse_duration
from tradebot.feeds.breaks import holes_between
from tradebot.store.batches import Records
from tradebot.store.imports import Findings
from tradebot.store.reorder import Lined, only_records, sort_in_time
from tradebot.store.table import Column, Rows, read_steps
from tradebot.store.times import TIMES

NAMES: Final = {
    "time": ("timestamp", "open_time", "time", "datetime", "date", ""),
    "open": ("open",),
    "high": ("high",),
    "low": ("low",),
    "close": ("close",),
    "volume": ("volume",),
}

FIELDS: Final = tuple(NAMES)  # as they stand where there is no header
ROW: Final = np.dtype([(name, "<i8") for name in (*FIELDS, "line")])

Times = npt.NDArray[np.int64]

MONTH: Final = 0  # the interval of bars that have no one length

_SECONDS_MAX: Final = (1 << 16) - 1
_WEEK_DAYS: Final = 7
_IN_NAME: Final = re.compile(r"[-_](\d+[smhdw]|1mo|1M)(?=[-_.]|$)")


def columns_of(instrument: Instrument) -> dict[str, Column]:
    """How each column is read."""
    prices = read_steps("price", instrument.ticks)
    volumes = read_steps("volume", instrument.lots)
    return {"time": TIMES, "open": prices, "high": prices, "low": prices, "close": prices, "volume": volumes}


def interval_in_name(name: str) -> int | None:
    """Nanoseconds of "5m" in XRP_ETH-5m.feather, MONTH for "1mo"; None where there is none."""
    found = _IN_NAME.search(name)
    if found is None:
        return None
    if found[1] in ("1mo", "1M"):
        return MONTH
    if found[1].endswith("w"):
        return parse_duration(f"{int(found[1][:-1]) * _WEEK_DAYS}d")
    return parse_duration(found[1])


def find_interval(name: str, blocks: Iterator[Rows]) -> int:
    """What the name says, or else the least distance between the first bars. Raises BadContainer where there is
    neither, or bars are closer than the name says.
    """
    named = interval_in_name(name)
    first = next((rows for rows in blocks if len(rows)), np.empty(0, ROW))
    distances = np.diff(np.unique(first["time"]))
    if named is None and not len(distances):
        raise BadContainer(
            f"expected two bars in {name}, or an interval in its name such as BTC_USDT-5m, found neither; "
            "rename the file"
        )
    if named and len(distances) and distances.min() < named:
        raise BadContainer(
            f"expected bars {duration_text(named)} apart in {name}, as its name says, "
            f"found two {duration_text(int(distances.min()))} apart; rename the file"
        )
    return int(distances.min()) if named is None else named


def bar_records(
    blocks: Iterable[Rows], interval_ns: int, instrument: Instrument, findings: Findings, file: str
) -> Iterator[Records]:
    """Rows of `ROW` as records in the order of time, each bar once."""
    lined = (_records(rows, interval_ns, instrument.id, findings, file) for rows in blocks)
    ordered = sort_in_time(lined, findings, file, numbered=False)
    return only_records(_follow(ordered, interval_ns, findings, file))


def close_times(opens_ns: Times, interval_ns: int) -> Times:
    """When each bar ends."""
    if interval_ns != MONTH:
        return opens_ns + interval_ns
    months = opens_ns.astype("datetime64[ns]").astype("datetime64[M]") + 1
    return months.astype("datetime64[ns]").astype(np.int64)


def _records(rows: Rows, interval_ns: int, instrument_id: int, findings: Findings, file: str) -> Lined:
    rows = _reject_impossible(rows, interval_ns, findings, file)
    records = np.zeros(len(rows), RECORD_DTYPE)
    records["time_ns"], records["venue_ns"] = close_times(rows["time"], interval_ns), rows["time"]
    records["venue_sequence"], records["price"] = rows["open"], rows["close"]
    records["id"], records["id2"], records["quantity"] = rows["high"], rows["low"], rows["volume"]
    records["kind"], records["instrument"] = int(Kind.BAR), instrument_id
    records["owner"] = _seconds(interval_ns)
    return Lined(records, rows["line"])


def _seconds(interval_ns: int) -> int:
    seconds, rest = divmod(interval_ns, NS_PER_SECOND)
    return seconds if not rest and seconds <= _SECONDS_MAX else 0


def _reject_impossible(rows: Rows, interval_ns: int, findings: Findings, file: str) -> Rows:
    lowest, highest = np.minimum(rows["open"], rows["close"]), np.maximum(rows["open"], rows["close"])
    wrong = (rows["low"] > lowest) | (rows["high"] < highest) | (rows["time"] > TIME_MAX_NS - interval_ns)
    for line in rows["line"][wrong].tolist():
        findings.reject(file, line, "expected a low below and a high above both open and close, found others")
    return rows[~wrong] if wrong.any() else rows


def _follow(blocks: Iterable[Lined], interval_ns: int, findings: Findings, file: str) -> Iterator[Lined]:
    """Each bar once, the first in the file; what is missing between two is counted."""
    last = np.zeros(1, RECORD_DTYPE)
    last["venue_ns"] = -1
    for block in blocks:
        records = np.concatenate([last, block.records])
        fresh = records["venue_ns"][1:] != records["venue_ns"][:-1]
        # The place in `records` of the bar that each one repeats, or its own.
        kept = np.maximum.accumulate(np.where(fresh, np.arange(1, len(records)), 0))
        same = ~fresh & (block.records == records[kept])
        findings.duplicates += int(same.sum())
        for line in block.lines[~fresh & ~same].tolist():
            findings.reject(file, line, "expected one bar of that time, found another with other values")
        bars = block.records[fresh]
        _count_gaps(np.concatenate([last, bars]) if last["time_ns"][0] else bars, interval_ns, findings)
        yield Lined(bars, block.lines[fresh])
        last = bars[-1:] if len(bars) else last


def _count_gaps(records: Records, interval_ns: int, findings: Findings) -> None:
    missing_ns = holes_between(records)
    findings.gaps += int((missing_ns > 0).sum())
    if interval_ns != MONTH:
        missing = int(np.maximum(missing_ns // interval_ns, 0).sum())
        findings.notes["bars_missing"] = findings.notes.get("bars_missing", 0) + missing
