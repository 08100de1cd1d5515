"""Ticks of the home's store as a recording that `bench replay` runs over: what a backtest of the same range would see.

The instrument says its tick and its lot, so a number beside it may only repeat them. A book is replayed as it is stored, order by
order or by levels; where only trades are stored, orders are matched on those. Everything is read into memory first, for the
bench measures the core and not the store (`bench store` does).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from tradebot._core.types import Kind
from tradebot.domain.errors import EmptyRange, UnknownInstrument, UsageError
from tradebot.domain.instrument import Instrument
from tradebot.domain.units import parse_decimal
from tradebot.engine.plan import Grade
from tradebot.engine.ports import Records
from tradebot.node.grades import find_grade, graded_stream
from tradebot.node.inspection import check_range, held_versions, overlaps, range_ns
from tradebot.node.schema import Data
from tradebot.store.client import Store, open_store
from tradebot.testing.replay_bench import Recording

PRICED: Final = (Kind.L2_LEVEL, Kind.L3_ADD, Kind.QUOTE, Kind.TRADE, Kind.L3_EXECUTE)
BOOKS: Final = PRICED[:3]


def read_stored(
    place: Path | str, name: str, start: str | None, end: str | None, tick: str | None, lot: str | None, strategy: str
) -> Recording:
    """The newest version of an instrument that has ticks in the range.

    Raises UnknownInstrument, which names what there is, EmptyRange, or UsageError where a step differs from the instrument's or
    the ticks are not what the strategy needs.
    """
    from_ns, to_ns = range_ns(start, end)
    with open_store(place) as store:
        instrument = _find(store, name, from_ns, to_ns)
        _check_step("--tick", tick, instrument.tick, instrument)
        _check_step("--lot", lot, instrument.lot, instrument)
        graded = find_grade(store, Data(), [instrument], from_ns, to_ns)
        if graded.grade == Grade.BARS:
            raise UsageError(f"expected a book, best quotes or trades of {instrument.name}, found bars only; import ticks")
        batches = list(graded_stream(store, graded, [instrument], from_ns, to_ns))
    _check_told(batches, instrument, strategy)
    return Recording(instrument, batches, graded.grade)


def _find(store: Store, name: str, from_ns: int | None, to_ns: int | None) -> Instrument:
    try:
        held = held_versions(store, name)
    except UnknownInstrument as error:
        raise UnknownInstrument(f"--input: {_unknown(store, name)}") from error
    check_range(held, from_ns, to_ns)
    return max((one for one, data in held if overlaps(data, from_ns, to_ns)), key=lambda one: one.version)


def _unknown(store: Store, name: str) -> str:
    known = sorted({one.instrument for one in store.catalogue() if one.rows})
    there = f"the store holds {', '.join(known)}" if known else "the store holds none yet, see `tradebot data import`"
    return f"expected an event file (.npz) or one stored instrument, found {name!r}; {there}"


def _check_step(option: str, given: str | None, known: str, instrument: Instrument) -> None:
    if given is not None and parse_decimal(given) != parse_decimal(known):
        raise UsageError(f"{option}: expected {known}, the step of {instrument.name}, found {given}; leave it out")


def _check_told(batches: Sequence[Records], instrument: Instrument, strategy: str) -> None:
    """Raise where nothing tells a price, or no book stands for the grid to stand around."""
    kinds = {int(kind) for batch in batches for kind in np.unique(batch["kind"])}
    if not kinds.intersection(PRICED):
        raise EmptyRange(f"expected a book, best quotes or trades of {instrument.name} in the range, found none; import ticks")
    if strategy == "grid" and not kinds.intersection(BOOKS):
        raise UsageError(
            f"--strategy grid: expected a book or best quotes of {instrument.name}, found trades only; take --strategy none, or "
            "import a book"
        )
