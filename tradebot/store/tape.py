"""The market facts of a run on their way into the ticks: a recording that grows, block by block, each an import of its own.

A block is the stretch of a run's journal from one fact to another. Its import is named by the run and the number of the block,
and its manifest says where it begins and ends; so the manifests are the only record of how far a recording is, and it cannot
disagree with the ticks. The ids of a run's imports rise with their blocks: what two blocks hold of one moment is read in order.

A writer that was killed finds the newest block there and tells it again to its end: an import that is there is left alone, one
that another instrument of the block still lacks is made, and rows of one that never got its manifest are compared and filled up
(`intake`).
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import msgspec
import numpy as np
from msgspec import Struct

from tradebot._core.types import RECORD_DTYPE, Kind
from tradebot.domain.instrument import AGAIN, Instrument
from tradebot.store.backend import Backend
from tradebot.store.batches import Records
from tradebot.store.imports import Findings, ImportReport, ImportSource
from tradebot.store.instruments import instrument_id

FORMAT: Final = "node"
VERSION: Final = 1
BLOCK_FACTS: Final = 1 << 19
BLOCK_NS: Final = 600 * 1_000_000_000
BLOCK_BITS: Final = 24  # of an import's id; a block a second fills them in half a year
_BLOCK, _FROM, _TO = "block", "from_fact", "to_fact"


class Told(Struct, frozen=True):
    """A block of a run, counted from 1: the facts behind `start`, up to `end`."""

    number: int
    start: int
    end: int


class BlockSource(ImportSource):
    """Where the rows of a block come from; its content is named by the run."""

    number: int = 0

    def _id(self, instrument_id: int, place: str) -> int:
        assert 0 < self.number < 1 << BLOCK_BITS
        return super()._id(instrument_id, place) >> BLOCK_BITS << BLOCK_BITS | self.number


class Importer(Protocol):
    """An open store, as far as this file needs one."""

    def import_records(self, instrument: Instrument, source: ImportSource, batches: Any) -> ImportReport: ...


def find_told(backend: Backend, run_id: str) -> Told | None:
    """The newest block that has a manifest, of whatever instrument."""
    end = f"JSONExtractUInt(report, 'notes', '{_TO}')"
    rows = backend.rows(
        f"SELECT report FROM imports WHERE startsWith(path, {{path:String}}) ORDER BY {end} DESC LIMIT 1", {"path": _path(run_id)}
    )
    if not rows:
        return None
    notes = msgspec.json.decode(rows[0][0], type=ImportReport).notes
    return Told(notes[_BLOCK], notes[_FROM], notes[_TO])


def told_again(instrument: Instrument) -> Instrument:
    """The instrument under which facts are kept that a feed tells a second time, at another time: never that of the first."""
    venue = f"{instrument.venue}-{AGAIN}"
    return msgspec.structs.replace(
        instrument, venue=venue, id=instrument_id(instrument.symbol, venue, instrument.version)
    )


class Tape:
    """Collects what `take` is given and writes a block once it is full; `told` is where the recording stands in the store,
    `first` the fact behind which the journal is there: a block that began before it cannot be told again, and is left. `place`
    says under which instrument the facts of another are kept.
    """

    def __init__(
        self,
        store: Importer,
        run_id: str,
        instruments: Sequence[Instrument],
        told: Told | None,
        place: Callable[[Instrument], Instrument],
        first: int = 0,
    ) -> None:
        self.store, self.run_id = store, run_id
        self.places = {one.id: place(one) for one in instruments}
        if told and told.start < first:
            self.number, self.start, self.upto = told.number + 1, max(told.end, first), None
        elif told:
            self.number, self.start, self.upto = told.number, told.start, told.end
        else:
            self.number, self.start, self.upto = 1, first, None
        self.needed = self.start  # where the newest block begins that is in the store: the next writer tells it again
        self.end = self.start
        self.first_ns = 0
        self.rows = 0
        self._parts: list[Records] = []

    def take(self, records: Records, end: int, time_ns: int) -> None:
        """The market facts of a frame, which ends at fact `end`; those of a block before are passed over. Raises StoreError."""
        if end <= self.start:
            return
        self.first_ns = self.first_ns or time_ns
        self.end = end
        if len(records):
            self._parts.append(records)
            self.rows += len(records)
        if self.is_full(time_ns):
            self.write()

    def is_full(self, time_ns: int) -> bool:
        """A block that was begun before ends where it ended."""
        if self.upto is not None:
            return self.end >= self.upto
        return self.end - self.start >= BLOCK_FACTS or time_ns - self.first_ns >= BLOCK_NS

    def write(self) -> None:
        """Write what was collected, though it be less than a block: at the end of a run."""
        if self.upto is not None and self.end < self.upto:
            return  # not to be cut anew
        rows = np.concatenate(self._parts) if self._parts else np.empty(0, RECORD_DTYPE)
        for id_, place in self.places.items():
            of_one = rows[rows["instrument"] == id_]
            if len(of_one):
                of_one["instrument"] = place.id
                self.store.import_records(place, self._source(of_one), iter([of_one]))
        if self.end > self.start:
            self.number, self.needed = self.number + 1, self.start
        self.start, self.upto, self.first_ns = self.end, None, 0
        self._parts, self.rows = [], 0

    def _source(self, records: Records) -> ImportSource:
        notes = {_BLOCK: self.number, _FROM: self.start, _TO: self.end}
        findings = Findings(gaps=int((records["kind"] == Kind.GAP).sum()), notes=notes)
        path = _path(self.run_id)
        return BlockSource(FORMAT, VERSION, path, f"{path}{self.start}", findings, number=self.number)


def _path(run_id: str) -> str:
    """What the paths of a run's blocks begin with."""
    return f"run {run_id}, behind fact "
