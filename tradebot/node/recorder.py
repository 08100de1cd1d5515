"""The recorder of a node: orders, fills and equity of its run into the store's tables, and market facts where they are wanted.

It reads the engine's journal and is never called by the engine, so the journal is its spool: while the store is down, full or
gone nothing is lost, and nobody waits. Where it stands is said by what is in the store: the last rows of the run in each table,
the newest block of the recording. So there is one way to begin, whether for the first time, after a death or after a store that
came back, and no row is there twice or missing.

Equity is sampled from a shadow of the engine's books. It goes into its table last of a batch: what the engine's snapshot of an
earlier time covers is in the other tables then, and a start folds from there, not from the first fact.

Where the beginning of the journal was removed and no snapshot is that old, the books begin at the oldest one: orders and fills
before it are told all the same, from the first frame there is; of equity there is a gap.
"""

from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from tradebot._core.types import FACT_DTYPE, SAMPLE_DTYPE
from tradebot.domain.errors import LocalError
from tradebot.domain.frames import Frame, FrameKind
from tradebot.engine.ports import Records
from tradebot.engine.shadow import Shadow
from tradebot.engine.taken import Numbers, events_of, market_of
from tradebot.node.config import config_from_dict
from tradebot.node.session_files import ENGINE, Prepared
from tradebot.store.client import Store
from tradebot.store.journal_range import first_head
from tradebot.store.journal_reader import JournalReader
from tradebot.store.journal_snapshots import Snapshots
from tradebot.store.results import Standing
from tradebot.store.tape import Tape, told_again

FRAMES_MAX: Final = 256  # between two looks at whether to write
EVENTS_MAX: Final = 1 << 16  # that wait to be written
SAMPLE_NS: Final = 60 * 1_000_000_000


class Recorder:
    """Over an open store; whatever it raises, another one begins where this one stood. Raises StoreError, LocalError."""

    def __init__(self, store: Store, folder: Path, prepared: Prepared) -> None:
        self.store, self.run_id = store, prepared.run_id
        config = config_from_dict(prepared.config)
        self.names = [use.name for use in config.strategy]
        standing = store.standing(self.run_id)
        if not standing.is_known:
            store.write_run(manifest_of(prepared))
        self.orders_row, self.fills_row, self.equity_ns = standing.orders, standing.fills, standing.equity_ns
        head = first_head(folder / ENGINE)
        first = head.base_sequence if head else 0
        self.shadow, self.written = find_shadow(folder / ENGINE, prepared, standing, first)
        self.tape: Tape | None = None
        start = self.written
        if config.node.record:
            told = store.told(self.run_id)
            self.tape = Tape(store, self.run_id, prepared.plan.instruments, told, told_again, first)
            start = min(start, self.tape.start)
        self.taken = self.written
        self.reader = JournalReader(folder / ENGINE, start)
        self.events: list[Records] = []
        self.numbers: list[Numbers] = []
        self.samples: list[Records] = []

    @property
    def needed(self) -> int:
        """Behind which fact the one that begins after this one may read, where no snapshot is old enough."""
        return self.written if self.tape is None else min(self.written, self.tape.needed)

    def read(self) -> bool:
        """Take in what the journal has next; False where it has nothing now."""
        frames = self.reader.poll(FRAMES_MAX)
        for frame in frames:
            if frame.kind == FrameKind.FACTS:
                self.take(frame)
        if sum(map(len, self.numbers)) >= EVENTS_MAX:
            self.write()
        return bool(frames)

    def take(self, frame: Frame) -> None:
        if self.tape is not None:
            self.tape.take(market_of(frame), frame.end_sequence, frame.time_ns)
        if frame.base_sequence < self.taken:
            return  # a frame that the tape alone goes back for
        self.taken = frame.end_sequence
        events, numbers = events_of(frame)
        if len(events):
            self.events.append(events)
            self.numbers.append(numbers)
        if frame.base_sequence >= self.shadow.sequence:
            self.take_books(frame)

    def take_books(self, frame: Frame) -> None:
        self.shadow.take(frame)
        grid_ns = self.shadow.time_ns - self.shadow.time_ns % SAMPLE_NS
        if grid_ns > self.equity_ns:
            self.equity_ns = grid_ns
            self.samples.append(self.shadow.sample(grid_ns))

    def write(self) -> None:
        """Write what was taken of orders, fills and equity, that last."""
        events = np.concatenate([np.empty(0, FACT_DTYPE), *self.events])
        numbers = np.concatenate([np.empty(0, np.uint64), *self.numbers])
        for row, write in ((self.orders_row, self.store.write_orders), (self.fills_row, self.store.write_fills)):
            is_new = numbers.astype(np.int64) > row
            write(self.run_id, events[is_new], numbers[is_new], self.names)
        if self.samples:
            self.store.write_equity(self.run_id, np.concatenate([np.empty(0, SAMPLE_DTYPE), *self.samples]), self.names)
        self.events, self.numbers, self.samples = [], [], []
        self.written = self.taken

    def end(self) -> None:
        """Write all there is, the last block of the recording though it be short."""
        while self.read():
            pass
        self.write()
        if self.tape is not None:
            self.tape.write()

    def close(self) -> None:
        self.reader.close()


def find_shadow(journal: Path, prepared: Prepared, standing: Standing, first: int = 0) -> tuple[Shadow, int]:
    """At the newest snapshot of which the store has all, else at the beginning of the journal, which is there behind fact
    `first`; and behind which fact orders and fills may be missing from the store. Raises LocalError.
    """
    snapshots = Snapshots(journal)
    for sequence in reversed(snapshots.sequences()):
        snapshot = snapshots.newest(sequence)
        shadow = snapshot and Shadow.at(prepared.plan, snapshot)
        if shadow and shadow.time_ns < standing.equity_ns and shadow.sequence >= first:
            return shadow, shadow.sequence
    if not first:
        return Shadow(prepared.plan), 0
    oldest = snapshots.oldest(first)
    shadow = oldest and Shadow.at(prepared.plan, oldest)
    if not shadow:
        raise LocalError(
            f"expected a snapshot behind fact {first} in {journal}, where it begins, found none that this version reads; go on "
            "with the version that wrote it, or begin another run with --new"
        )
    return shadow, first


def manifest_of(prepared: Prepared) -> dict[str, Any]:
    """The run as the table of runs lists it; its journal stays the record."""
    config = config_from_dict(prepared.config)
    return {
        "run_id": prepared.run_id,
        "mode": config.mode,
        "config": prepared.config,
        "instruments": msgspec.to_builtins(prepared.plan.instruments),
        "strategies": [{"number": number, "name": use.name, "use": use.use} for number, use in enumerate(config.strategy)],
    }
