"""The book at a moment, and its best prices after each event, from a stream of facts.

A book is shown between venue messages, never inside one: a message, or a book snapshot, that had begun and not ended at the
moment has not happened yet. Which of the two books a stream builds is the caller's choice: order by order (L3) or
price by price (L2). Orders that are parked, because they cross and wait for their executions, are not shown.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from tradebot._core.book import L3Book
from tradebot._core.depth import L2Book
from tradebot._core.types import Flag, Kind, Side
from tradebot.domain.errors import BadContainer
from tradebot.engine.ports import Records

MESSAGE_ROWS_MAX: Final = 1 << 20  # of one venue message

Book = L3Book | L2Book
Level = tuple[int, int]  # ticks, lots


class View(NamedTuple):
    """A book at a moment: levels from the best, and the last book record it rests on, None where there was none."""

    bids: list[Level]
    asks: list[Level]
    last: np.void | None


def view_book(book: Book, stream: Iterable[Records], levels: int) -> View:
    """Apply the whole messages of a stream. Raises BadContainer where one has too many rows to be one."""
    last = None
    for records in whole_messages(stream, isinstance(book, L3Book)):
        book.apply(records)
        last = records[-1] if len(records) else last
    sides = [[(level[0], level[1]) for level in book.depth(side, levels)] for side in (Side.BUY, Side.SELL_SIDE)]
    return View(sides[0], sides[1], last)


def whole_messages(stream: Iterable[Records], by_order: bool) -> Iterator[Records]:
    """The book records of a stream, up to the end of the last message that is whole."""
    held: list[Records] = []
    for batch in stream:
        mine = batch[is_book_record(batch, by_order)]
        if not len(mine):
            continue
        held.append(mine)
        cut = _end_of_messages(mine, by_order, any(map(len, held[:-1])))
        if cut is not None:
            yield np.concatenate([*held[:-1], mine[:cut]])
            held = [mine[cut:]]
        elif sum(map(len, held)) > MESSAGE_ROWS_MAX:
            raise BadContainer(
                f"expected book messages of at most {MESSAGE_ROWS_MAX} rows, found no end (LAST) in as many at "
                f"time_ns {int(mine['time_ns'][-1])}; see `tradebot data audit`"
            )


def is_book_record(records: Records, by_order: bool) -> npt.NDArray[np.bool_]:
    """Which records change a book of that sort."""
    kinds = (Kind.L3_ADD, Kind.L3_CHANGE, Kind.L3_DELETE, Kind.L3_EXECUTE) if by_order else (Kind.L2_LEVEL,)
    found: npt.NDArray[np.bool_] = np.isin(records["kind"], kinds)
    found &= records["flags"] & Flag.VOID == 0
    return found


def _end_of_messages(records: Records, by_order: bool, is_open: bool) -> int | None:
    """Where the last whole message ends, None where none does. An order event is a message, a snapshot of orders is one.

    `is_open` says that a message had begun before these records.
    """
    flags = records["flags"]
    if not by_order:
        ends = np.flatnonzero(flags & Flag.LAST)
        return int(ends[-1]) + 1 if len(ends) else None
    begins = np.flatnonzero(flags & Flag.BEGIN)
    ends = np.flatnonzero(flags & (Flag.SNAPSHOT | Flag.LAST) == Flag.SNAPSHOT | Flag.LAST)
    begin = int(begins[-1]) if len(begins) else -1
    end = int(ends[-1]) if len(ends) else -1
    if begin > end:
        return begin
    return None if is_open and end < 0 else len(records)
