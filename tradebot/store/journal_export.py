"""A journal as Parquet: a row for each fact and each output, with the slots' own names, for whoever wants to ask it in SQL.

A fact of one slot has zeros in the columns of the second. Bodies are left out: they are encoded Structs, and each has its own
reader.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from tradebot._core.types import EXTRA_DTYPE, RECORD_DTYPE, Flag
from tradebot.domain.errors import LocalError, UsageError
from tradebot.domain.frames import Frame
from tradebot.domain.market import kind_name
from tradebot.store.arrow import Cells, write_parquet
from tradebot.store.journal_segments import Chain, Place, list_segments, read_segment, walk, walk_sealed

BLOCK_SLOTS: Final = 1 << 16
LAYOUT: Final = "1"
OUTPUT: Final = -1
"""The sequence of what is no fact of the stream, but came of one: `cause` names it."""

Slots = npt.NDArray[np.void]


def export_journal(folder: Path, path: Path) -> int:
    """Write every fact and output of the journal to `path`, which appears whole or not at all; the rows.

    Raises LocalError where a frame is damaged or there is nothing to write, UsageError where the file cannot be.
    """
    partial = path.with_name(path.name + ".partial")
    blocks = _blocks(all_frames(folder))
    first = next(blocks, None)
    if first is None:
        raise LocalError(f"expected facts in the journal {folder}, found none; there is nothing to export")
    try:
        rows = write_parquet(partial, _chain(first, blocks), {"tradebot.journal": LAYOUT})
        partial.replace(path)
    except OSError as error:
        raise UsageError(f"expected to write {path}, found: {error}; give another --to") from error
    finally:
        partial.unlink(missing_ok=True)
    return rows


def all_frames(folder: Path) -> Iterator[Frame]:
    """From the first that is kept to the last that is whole. Raises LocalError at one that is damaged."""
    chain = Chain()
    segments = list_segments(folder)
    for segment in segments[:-1]:
        yield from walk_sealed(segment, chain)
    for segment in segments[-1:]:
        for offset, frame in walk(read_segment(segment)):
            chain.take(frame, Place(segment.path, offset))
            yield frame


def _chain(first: dict[str, Cells], rest: Iterator[dict[str, Cells]]) -> Iterator[dict[str, Cells]]:
    yield first
    yield from rest


def _blocks(frames: Iterator[Frame]) -> Iterator[dict[str, Cells]]:
    held: list[tuple[int, Frame]] = []
    slots = 0
    for number, frame in enumerate(frames):
        if frame.facts or frame.outputs:
            held.append((number, frame))
            slots += (len(frame.facts) + len(frame.outputs)) // RECORD_DTYPE.itemsize
        if slots >= BLOCK_SLOTS:
            yield _columns(held)
            held, slots = [], 0
    if held:
        yield _columns(held)


def _columns(held: list[tuple[int, Frame]]) -> dict[str, Cells]:
    """The facts of each frame, then its outputs."""
    slots = np.frombuffer(b"".join(part for _, frame in held for part in (frame.facts, frame.outputs)), RECORD_DTYPE)
    places = [_places(number, frame) for number, frame in held]
    frame_number, epoch, stamp, sequence = (np.concatenate(column) for column in zip(*places, strict=True))
    is_head = (slots["flags"] & Flag.CONT) == 0
    heads, tails = slots[is_head], _tails(slots, is_head)
    columns: dict[str, Cells] = {
        "frame": frame_number, "epoch": epoch, "frame_time_ns": stamp, "sequence": sequence,
        "kind_name": [kind_name(kind) for kind in heads["kind"].tolist()],
    }  # fmt: skip
    columns |= {name: np.ascontiguousarray(heads[name]) for name in RECORD_DTYPE.names or ()}
    columns |= {name: np.ascontiguousarray(tails[name]) for name in EXTRA_DTYPE.names or ()}
    return columns


def _places(number: int, frame: Frame) -> tuple[npt.NDArray[np.int64], ...]:
    """Of each row of a frame: the frame's number, epoch and stamp, and the fact's sequence."""
    facts, outputs = (_heads(part) for part in (frame.facts, frame.outputs))
    whole = [np.full(facts + outputs, value, np.int64) for value in (number, frame.epoch, frame.time_ns)]
    sequence = np.concatenate([frame.base_sequence + np.arange(facts), np.full(outputs, OUTPUT, np.int64)])
    return (*whole, sequence)


def _heads(part: bytes) -> int:
    return int(((np.frombuffer(part, RECORD_DTYPE)["flags"] & Flag.CONT) == 0).sum())


def _tails(slots: Slots, is_head: npt.NDArray[np.bool_]) -> Slots:
    """The second slot of each fact; zeros where it has none."""
    at = np.flatnonzero(is_head)
    has_tail = np.append(~is_head, False)[at + 1]
    tails = np.zeros(len(at), EXTRA_DTYPE)
    tails[has_tail] = slots.view(EXTRA_DTYPE)[at[has_tail] + 1]
    return tails
