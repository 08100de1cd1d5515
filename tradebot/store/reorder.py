"""Records in the order of their times, from files that have them nearly so.

Files of trades, quotes and bars carry only the venue's time, and some have rows out of order. A window of
rows is held and sorted, so memory does not grow with the file: a row may stand up to `WINDOW_ROWS` rows away
from its place. One that comes later than that cannot be put right any more and is rejected, with its line.

Messages that change a book are not for this: their order in the file is their order of arrival.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from tradebot._core.types import RECORD_DTYPE
from tradebot.domain.units import time_text
from tradebot.store.batches import Records
from tradebot.store.imports import Findings

WINDOW_ROWS: Final = 1 << 15

Lines = npt.NDArray[np.int64]


class Lined(NamedTuple):
    """Records, and the line of the file that each came from."""

    records: Records
    lines: Lines


def sort_in_time(
    blocks: Iterable[Lined], findings: Findings, file: str, numbered: bool = True
) -> Iterator[Lined]:
    """By time, at one time by the venue's number where records are numbered, then as the file has them. What
    came out of order is counted in `findings.late`.
    """
    held: list[Lined] = []
    held_rows, before_ns, settled_ns = 0, 0, 0
    for block in blocks:
        if not len(block.records):
            continue
        times = block.records["time_ns"]
        findings.late += int((np.diff(times, prepend=before_ns) < 0).sum())
        before_ns = int(times[-1])
        held.append(_reject_before(block, settled_ns, findings, file))
        held_rows += len(held[-1].records)
        if held_rows >= 2 * WINDOW_ROWS:
            whole = _sorted(held, numbered)
            settled, rest = _cut(whole, held_rows - WINDOW_ROWS)
            settled_ns = int(settled.records["time_ns"][-1])
            yield settled
            held, held_rows = [rest], WINDOW_ROWS
    if held_rows:
        yield _sorted(held, numbered)


def drop_repeats(blocks: Iterable[Lined], findings: Findings, file: str) -> Iterator[Lined]:
    """Without numbered records that say again what the one before them said. The same number at the same time
    with another content is a contradiction, and rejected. What has no number may well happen twice.
    """
    last = np.zeros(1, RECORD_DTYPE)
    for block in blocks:
        if not len(block.records):
            continue
        records = np.concatenate([last, block.records])
        again = _same_place(records[1:], records[:-1])
        same = again & (records[1:] == records[:-1])
        findings.duplicates += int(same.sum())
        _reject_contradictions(block, again & ~same, findings, file)
        yield Lined(block.records[~again], block.lines[~again])
        last = block.records[-1:]


def only_records(blocks: Iterable[Lined]) -> Iterator[Records]:
    """Without the lines."""
    for block in blocks:
        if len(block.records):
            yield block.records


def keep_order(blocks: Iterable[Records], findings: Findings) -> Iterator[Records]:
    """In the order of the file; a record received before the one in front of it gets that one's time."""
    before_ns = 0
    for records in blocks:
        if not len(records):
            continue
        times = records["time_ns"]
        findings.late += int((np.diff(times, prepend=before_ns) < 0).sum())
        records["time_ns"] = np.maximum(np.maximum.accumulate(times), before_ns)
        before_ns = int(records["time_ns"][-1])
        yield records


def _reject_before(block: Lined, settled_ns: int, findings: Findings, file: str) -> Lined:
    late = block.records["time_ns"] < settled_ns
    if not late.any():
        return block
    for time_ns, line in zip(block.records["time_ns"][late].tolist(), block.lines[late].tolist(), strict=True):
        findings.reject(
            file,
            line,
            f"expected rows at most {WINDOW_ROWS} places out of order, found {time_text(time_ns)} "
            f"after {time_text(settled_ns)}; sort the file by time",
        )
    return Lined(block.records[~late], block.lines[~late])


def _sorted(blocks: list[Lined], numbered: bool) -> Lined:
    records = np.concatenate([block.records for block in blocks])
    lines = np.concatenate([block.lines for block in blocks])
    times = records["time_ns"]
    numbers = records["venue_sequence"] if numbered else np.zeros(len(records), np.uint64)
    rises = (times[1:] > times[:-1]) | ((times[1:] == times[:-1]) & (numbers[1:] >= numbers[:-1]))
    if rises.all():
        return Lined(records, lines)
    order = np.lexsort((numbers, times))
    return Lined(records[order], lines[order])


def _cut(block: Lined, rows: int) -> tuple[Lined, Lined]:
    return Lined(block.records[:rows], block.lines[:rows]), Lined(block.records[rows:], block.lines[rows:])


def _same_place(records: Records, before: Records) -> npt.NDArray[np.bool_]:
    numbered: npt.NDArray[np.bool_] = records["venue_sequence"] != 0
    for name in ("venue_sequence", "time_ns", "venue_ns", "kind"):
        numbered &= records[name] == before[name]
    return numbered


def _reject_contradictions(block: Lined, again: npt.NDArray[np.bool_], findings: Findings, file: str) -> None:
    numbers = block.records["venue_sequence"][again].tolist()
    for number, line in zip(numbers, block.lines[again].tolist(), strict=True):
        findings.reject(file, line, f"expected number {number} once, found it again with other values")
