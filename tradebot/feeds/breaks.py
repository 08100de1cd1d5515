"""Where bars are missing: the one rule by which an import and an audit count them.

A bar ends where the next one begins. Where the next begins later, the intervals between the two have no bar, and that is one
place, however long. A market that closes over the weekend has one such place a week: nobody who sees only the bars can tell
it from a recorder that stood still.
"""

import numpy as np
import numpy.typing as npt

from tradebot._core.types import Flag, Kind

Records = npt.NDArray[np.void]


def holes_between(bars: Records) -> npt.NDArray[np.int64]:
    """The time without a bar in front of each bar but the first, in ns; not above 0 where there is none. In order of time, of
    one interval.
    """
    holes: npt.NDArray[np.int64] = bars["venue_ns"][1:] - bars["time_ns"][:-1]
    return holes


class BarGaps:
    """Counts the places over a stream of all kinds, batch by batch; bars of each interval by themselves."""

    def __init__(self) -> None:
        self._last: dict[int, Records] = {}

    def add(self, records: Records) -> int:
        """How many there are up to the last bar of this batch, since the batch before."""
        bars = records[(records["kind"] == Kind.BAR) & (records["flags"] & Flag.VOID == 0)]
        return sum(self._add_interval(bars, owner) for owner in np.unique(bars["owner"]).tolist())

    def _add_interval(self, bars: Records, owner: int) -> int:
        mine = bars[bars["owner"] == owner]
        before = self._last.get(owner, mine[:0])
        self._last[owner] = mine[-1:].copy()
        return int((holes_between(np.concatenate([before, mine])) > 0).sum())
