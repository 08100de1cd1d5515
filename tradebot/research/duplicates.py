"""Rows that say again what a row before them said.

A row is known by what the venue numbered: with a venue_sequence, all it says but when we received it; a mark, a funding
or an open interest by its venue time; a bar by its label and interval, unless it is a restatement. A row that nothing
names cannot be a duplicate: two equal trades in one millisecond are two trades.

Copies come close together, because a stream is in order of time; so a row is held against the `WINDOW` named rows
before it, and memory does not grow.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from tradebot._core.types import Flag, Kind
from tradebot.engine.ports import Records

WINDOW: Final = 1 << 16

_BY_TIME: Final = (Kind.MARK, Kind.FUNDING, Kind.OPEN_INTEREST)
_SAID: Final = ("venue_ns", "venue_sequence", "price", "quantity", "id", "id2", "kind", "flags", "owner")
_LABEL: Final = ("venue_ns", "kind", "owner")
_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio, odd

Keys = npt.NDArray[np.uint64]


class Duplicates:
    """Finds them along a stream."""

    def __init__(self) -> None:
        self._before: Keys = np.empty(0, np.uint64)

    def find(self, records: Records) -> npt.NDArray[np.bool_]:
        """Which of these rows repeat one before."""
        named = np.flatnonzero(_is_named(records))
        keys, bars = _mixed(records, _SAID), records["kind"] == Kind.BAR
        keys[bars] = _mixed(records[bars], _LABEL)
        whole = np.concatenate([self._before, keys[named]])
        found = np.zeros(len(records), np.bool_)
        found[named] = _repeated(whole)[len(self._before) :]
        self._before = whole[-WINDOW:]
        return found


def _is_named(records: Records) -> npt.NDArray[np.bool_]:
    kind = records["kind"]
    bar = kind == Kind.BAR
    named: npt.NDArray[np.bool_] = (records["venue_sequence"] != 0) & (kind != Kind.GAP) & ~bar
    named |= np.isin(kind, _BY_TIME) & (records["venue_ns"] != 0)
    named |= bar & (records["flags"] & Flag.RESTATED == 0)
    named &= records["flags"] & Flag.VOID == 0
    return named


def _mixed(records: Records, slots: tuple[str, ...]) -> Keys:
    """One number a row; different rows have different ones but for a chance of about 2**-64 a pair."""
    key = np.zeros(len(records), np.uint64)
    for slot in slots:
        key = (key ^ records[slot].astype(np.uint64)) * _FACTOR
        key ^= key >> np.uint64(29)
    return key


def _repeated(keys: Keys) -> npt.NDArray[np.bool_]:
    """Which keys stood at one of the `WINDOW` places before."""
    found = np.zeros(len(keys), np.bool_)
    ranked = np.sort(keys)
    twice = ranked[1:][ranked[1:] == ranked[:-1]]
    if len(twice):
        at = np.flatnonzero(np.isin(keys, twice))
        at = at[np.argsort(keys[at], kind="stable")]
        again = (keys[at][1:] == keys[at][:-1]) & (at[1:] - at[:-1] <= WINDOW)
        found[at[1:][again]] = True
    return found
