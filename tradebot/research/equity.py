"""The equity curve of a run, added over strategies and instruments, with its days and its largest fall.

Equity is the opening equity plus P&L after fees. The drift of opening balances in the base asset is no
strategy's P&L and stays out. A strategy sampled less often than another keeps its last sample between.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from tradebot.domain.units import NS_PER_SECOND
from tradebot.research.fills import Integers, keys, samples_of
from tradebot.research.results import RunFiles
from tradebot.research.returns import max_drawdown_fraction

NS_PER_DAY: Final = 86_400 * NS_PER_SECOND

Floats = npt.NDArray[np.float64]


class Fall(Struct, frozen=True):
    """The largest drawdown: money units, a fraction of the peak before (at most zero, None without equity),
    times."""

    money: int
    fraction: float | None
    peak_ns: int
    trough_ns: int


class EquityCurve(Struct, frozen=True):
    """Money units of the quote asset at each sampled time: P&L before fees, and fees so far."""

    opening: int
    times_ns: Integers
    gross: Integers  # realised + unrealised, before fees
    fees: Integers

    @classmethod
    def of(cls, run: RunFiles, opening: int) -> "EquityCurve":
        times = np.unique(run.samples["time_ns"])
        gross, fees = np.zeros(len(times), np.int64), np.zeros(len(times), np.int64)
        for key in keys(run, run.facts[:0]):
            samples = samples_of(run, key)
            gross += _carry(times, samples["time_ns"], samples["realised"] + samples["unrealised"])
            fees += _carry(times, samples["time_ns"], samples["fees"])
        return cls(opening, times, gross, fees)

    @property
    def net(self) -> Integers:
        return self.gross - self.fees

    @property
    def equity(self) -> Integers:
        return self.opening + self.gross - self.fees

    def daily_returns(self) -> Floats:
        """One simple return per UTC day from the first to the last sample; none where the equity is not
        positive."""
        if not len(self.times_ns) or self.opening <= 0 or int(self.equity.min()) <= 0:
            return np.empty(0, np.float64)
        days = self.times_ns // NS_PER_DAY
        ends = np.arange(days[0], days[-1] + 1)
        closes = self.equity[np.searchsorted(days, ends, side="right") - 1].astype(np.float64)
        before = np.concatenate(([float(self.opening)], closes[:-1]))
        return np.asarray(closes / before - 1.0, np.float64)

    def largest_fall(self) -> Fall:
        """The largest fall in money from an earlier peak, with the largest one as a fraction of its peak."""
        equity = np.concatenate(([self.opening], self.equity)).astype(np.int64)
        times = np.concatenate((self.times_ns[:1], self.times_ns))
        falls = np.maximum.accumulate(equity) - equity
        trough = int(np.argmax(falls))
        peak = int(np.argmax(equity[: trough + 1]))
        if not falls[trough]:
            return Fall(0, 0.0, 0, 0)
        return Fall(
            int(falls[trough]),
            max_drawdown_fraction(equity.astype(np.float64)),
            int(times[peak]),
            int(times[trough]),
        )


def _carry(times_ns: Integers, at_ns: Integers, values: Integers) -> Integers:
    """The last value at or before each time; zero before the first."""
    index = np.searchsorted(at_ns, times_ns, side="right") - 1
    return np.where(index >= 0, values[np.maximum(index, 0)], 0).astype(np.int64)
