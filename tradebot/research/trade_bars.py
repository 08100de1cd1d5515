"""Bars by time made of stored trades, for a backtest at bar grade over data that hold ticks only.

A bar is [open, close) by time of receipt, as a strategy's own bars are, so that a run on derived bars sees what a run on the
ticks sees. The records are those of stored candles: labelled by the open time, told at the close, and before any other fact of
that instant. An interval in which nothing was traded is a bar of the last close and no volume; a silence brings at most
`SILENT_INTERVALS_MAX` of them. The first bar may be a part of its interval, and an interval that the data do not end is left out.

Where an instrument's data name no trades but the executions of single orders, those are its trades.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from tradebot._core.types import RECORD_DTYPE, Flag, Kind
from tradebot.domain.units import NS_PER_SECOND

SILENT_INTERVALS_MAX: Final = 100_000
SECONDS_MAX: Final = 0xFFFF  # what the record's slot for the interval holds

Records = npt.NDArray[np.void]
Integers = npt.NDArray[np.int64]


def trade_bars(batches: Iterable[Records], interval_ns: int) -> Iterator[Records]:
    """The same facts with BAR records of `interval_ns` among them, for each instrument that trades. Ordered by time."""
    assert interval_ns > 0
    building: dict[int, Building] = {}
    for batch in batches:
        for instrument in np.unique(batch["instrument"]).tolist():
            building.setdefault(instrument, Building(instrument, interval_ns))
        bars = [building[one].take(batch) for one in sorted(building)]
        both = np.concatenate([*bars, batch])
        yield both[np.argsort(both["time_ns"], kind="stable")]


def as_trades(batches: Iterable[Records], instruments: Collection[int]) -> Iterator[Records]:
    """Executions of these instruments become trades of the other side; void ones are left out."""
    wanted = np.array(sorted(instruments), np.uint32)
    for batch in batches:
        executes = (batch["kind"] == Kind.L3_EXECUTE) & np.isin(batch["instrument"], wanted)
        kept = batch[~(executes & (batch["flags"] & Flag.VOID != 0))]
        chosen = (kept["kind"] == Kind.L3_EXECUTE) & np.isin(kept["instrument"], wanted)
        kept[chosen] = _trades(kept[chosen])
        yield kept


def interval_code(interval_ns: int) -> int:
    """What a BAR record says of its interval: seconds, 0 where they do not fit."""
    seconds, rest = divmod(interval_ns, NS_PER_SECOND)
    return seconds if not rest and seconds <= SECONDS_MAX else 0


class Building:
    """The bars of one instrument as its trades come."""

    def __init__(self, instrument: int, interval_ns: int) -> None:
        self.instrument, self.interval_ns = instrument, interval_ns
        self.partial = np.zeros(0, RECORD_DTYPE)  # the bar that is not over, none where nothing was traded in it
        self.next_ns = 0  # label of the next interval to come out; 0 before the first
        self.close = 0  # of the last bar that came out
        self.silent = 0  # empty bars since the last trade

    def take(self, batch: Records) -> Records:
        """The bars that are over by the end of the batch."""
        now_ns = int(batch["time_ns"][-1])
        chosen = (batch["instrument"] == self.instrument) & (batch["kind"] == Kind.TRADE) & (batch["flags"] & Flag.VOID == 0)
        parts = _joined(self.partial, self._bars_of(batch[chosen]))
        is_over = parts["time_ns"] <= now_ns
        over, self.partial = parts[is_over], parts[~is_over]
        return self._with_empty(over, now_ns)

    def _bars_of(self, trades: Records) -> Records:
        """One bar for each interval with a trade."""
        labels = trades["time_ns"] - trades["time_ns"] % self.interval_ns
        starts = np.flatnonzero(np.diff(labels, prepend=-1))
        bars = self._empty(labels[starts])
        if len(bars):
            prices = trades["price"]
            bars["venue_sequence"] = prices[starts]
            bars["price"] = prices[np.append(starts[1:], len(trades)) - 1]
            bars["id"], bars["id2"] = np.maximum.reduceat(prices, starts), np.minimum.reduceat(prices, starts)
            bars["quantity"] = np.add.reduceat(trades["quantity"], starts)
        return bars

    def _empty(self, labels: Integers) -> Records:
        bars = np.zeros(len(labels), RECORD_DTYPE)
        bars["time_ns"], bars["venue_ns"] = labels + self.interval_ns, labels
        bars["kind"], bars["instrument"] = int(Kind.BAR), self.instrument
        bars["owner"] = interval_code(self.interval_ns)
        return bars

    def _with_empty(self, over: Records, now_ns: int) -> Records:
        """The bars and the silence around them, up to the last interval that is over."""
        if not self.next_ns and not len(over):
            return over
        upto_ns = now_ns - now_ns % self.interval_ns
        if len(self.partial):
            upto_ns = min(upto_ns, int(self.partial["venue_ns"][0]))
        begins = np.append(self.next_ns or over["venue_ns"][0], over["time_ns"])
        ends = np.append(over["venue_ns"], upto_ns)
        gaps = np.maximum(ends - begins, 0) // self.interval_ns
        room = np.full(len(gaps), SILENT_INTERVALS_MAX, np.int64)
        room[0] -= self.silent
        counts = np.minimum(gaps, room)
        empty = self._silence(np.append(self.close, over["price"]), begins, counts)
        self.silent = int(counts[-1]) + (0 if len(over) else self.silent)
        self.next_ns = max(int(begins[-1]), upto_ns)
        self.close = int(over["price"][-1]) if len(over) else self.close
        whole = np.concatenate([over, empty])
        return whole[np.argsort(whole["venue_ns"], kind="stable")]

    def _silence(self, closes: Integers, begins: Integers, counts: Integers) -> Records:
        """`counts` empty bars after each close."""
        which = np.repeat(np.arange(len(counts)), counts)
        place = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
        bars = self._empty(begins[which] + place * self.interval_ns)
        for slot in ("venue_sequence", "price", "id", "id2"):
            bars[slot] = closes[which]
        return bars


def _trades(executes: Records) -> Records:
    """The maker's order comes first in an execution, the buyer's in a trade."""
    trades = executes.copy()
    sells = executes["flags"] & Flag.SELL != 0
    trades["kind"], trades["flags"] = int(Kind.TRADE), np.where(sells, 0, int(Flag.SELL))
    trades["id"] = np.where(sells, executes["id2"], executes["id"])
    trades["id2"] = np.where(sells, executes["id"], executes["id2"])
    return trades


def _joined(partial: Records, parts: Records) -> Records:
    """The bar under way, then the others; as one where the first of these goes on with it."""
    if not len(partial) or not len(parts) or parts["venue_ns"][0] != partial["venue_ns"][0]:
        return np.concatenate([partial, parts])
    first = parts[:1]
    first["venue_sequence"] = partial["venue_sequence"]
    first["id"], first["id2"] = np.maximum(first["id"], partial["id"]), np.minimum(first["id2"], partial["id2"])
    first["quantity"] += partial["quantity"]
    return parts
