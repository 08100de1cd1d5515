"""Batches of records: cut to one size, and several time-ordered streams merged into one.

Both hold a few blocks at a time, however long the streams are.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tradebot._core.types import RECORD_DTYPE

Records = npt.NDArray[np.void]


def rebatch(blocks: Iterable[Records], batch_rows: int) -> Iterator[Records]:
    """The same records in batches of exactly `batch_rows`; the last may be shorter."""
    assert batch_rows > 0
    batch, filled = np.empty(batch_rows, RECORD_DTYPE), 0
    for block in blocks:
        taken = 0
        while taken < len(block):
            count = min(batch_rows - filled, len(block) - taken)
            batch[filled : filled + count] = block[taken : taken + count]
            taken, filled = taken + count, filled + count
            if filled == batch_rows:
                yield batch
                batch, filled = np.empty(batch_rows, RECORD_DTYPE), 0
    if filled:
        yield batch[:filled]


def merge_in_time(streams: Sequence[Iterator[Records]]) -> Iterator[Records]:
    """One stream ordered by (time_ns, position of the stream, place in it) from streams ordered by time_ns."""
    heads = [next(stream, None) for stream in streams]
    held = [np.empty(0, RECORD_DTYPE) if head is None else head for head in heads]
    live = [head is not None for head in heads]
    while any(live):
        horizon = min(block["time_ns"][-1] for block, on in zip(held, live, strict=True) if on)
        # A live stream may have more records at the horizon itself, so only what is before it is settled.
        cuts = [int(np.searchsorted(block["time_ns"], horizon)) for block in held]
        yield from _ordered([block[:cut] for block, cut in zip(held, cuts, strict=True)])
        for position, stream in enumerate(streams):
            rest = held[position][cuts[position] :]
            if live[position] and rest["time_ns"][-1] == horizon:
                more = next(stream, None)
                live[position] = more is not None
                rest = rest if more is None else np.concatenate([rest, more])
            held[position] = rest
    yield from _ordered(held)


def _ordered(parts: list[Records]) -> Iterator[Records]:
    records = np.concatenate(parts) if parts else np.empty(0, RECORD_DTYPE)
    if len(records):
        yield records[np.argsort(records["time_ns"], kind="stable")]
