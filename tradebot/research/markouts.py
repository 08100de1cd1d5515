"""Markouts: where the middle price stood some seconds after each fill, against the price of the fill.

A markout is side × (middle price after the horizon − price of the fill); positive is good for us. It splits
the spread earned from what informed flow takes back. Each fill counts once, whatever its size; a fill after
which a side of the book was empty at the horizon does not count. The standard error takes fills as
independent, which neighbours are not: the true one is larger.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from tradebot.domain.instrument import Instrument
from tradebot.domain.units import NS_PER_SECOND
from tradebot.research.results import Records, RunFiles

_MARKOUT_GROUPS: Final = (
    ("both", "both"), ("buy", "both"), ("sell", "both"), ("both", "maker"), ("both", "taker"),
    ("buy", "maker"), ("sell", "maker"), ("buy", "taker"), ("sell", "taker"),
)  # fmt: skip

Floats = npt.NDArray[np.float64]


class Markout(Struct, frozen=True, kw_only=True):
    """The mean move of the middle price after fills, positive where it was good for us; each fill counts
    once."""

    instrument: str
    horizon_s: float
    side: str  # buy, sell, both
    liquidity: str  # maker, taker, both
    count: int
    mean: float | None  # quote units per base unit
    standard_error: float | None
    mean_basis_points: float | None
    standard_error_basis_points: float | None


def markouts(run: RunFiles) -> list[Markout]:
    """Mean markouts per instrument, horizon, side and liquidity, with counts and standard errors."""
    rows = run.markouts[run.markouts["middle2"] != 0]
    found: list[Markout] = []
    for instrument in run.manifest.instruments:
        own = rows[rows["instrument"] == instrument.id]
        for horizon_ns in np.unique(own["horizon_ns"]).tolist():
            at = own[own["horizon_ns"] == horizon_ns]
            found += [_markout(instrument, horizon_ns, at, side, kind) for side, kind in _MARKOUT_GROUPS]
    return found


def markout_ticks(rows: Records) -> Floats:
    """side × (middle price after the horizon − price) in ticks, for rows whose middle is known."""
    side = np.where(rows["quantity"] < 0, -1, 1)
    return np.asarray(side * (rows["middle2"] - 2 * rows["price"]) / 2.0, dtype=np.float64)


def _markout(instrument: Instrument, horizon_ns: int, rows: Records, side: str, liquidity: str) -> Markout:
    rows = rows[_on_side(rows, side) & _of_liquidity(rows, liquidity)]
    ticks = markout_ticks(rows)
    price, points = ticks * float(instrument.tick_size), ticks / rows["price"] * 10_000
    return Markout(
        instrument=instrument.name,
        horizon_s=horizon_ns / NS_PER_SECOND,
        side=side,
        liquidity=liquidity,
        count=len(rows),
        mean=_mean(price),
        standard_error=_standard_error(price),
        mean_basis_points=_mean(points),
        standard_error_basis_points=_standard_error(points),
    )


def _on_side(rows: Records, side: str) -> npt.NDArray[np.bool_]:
    keep = {"buy": rows["quantity"] > 0, "sell": rows["quantity"] < 0}
    return np.asarray(keep.get(side, np.ones(len(rows), np.bool_)), np.bool_)


def _of_liquidity(rows: Records, liquidity: str) -> npt.NDArray[np.bool_]:
    keep = {"maker": rows["maker"] == 1, "taker": rows["maker"] == 0}
    return np.asarray(keep.get(liquidity, np.ones(len(rows), np.bool_)), np.bool_)


def _mean(values: Floats) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _standard_error(values: Floats) -> float | None:
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
