"""What the store holds, looked at: the book at a moment, the best prices along a range, how good the ticks are.

The store gives the facts, `research` builds books and judges days; this file finds out where to begin to read. A book
is built from the newest whole book snapshot before the moment that is asked for, so that a moment late in a year of
ticks costs no more than one at its start; only where there is no snapshot it is built from the first fact on.

Where both an order-by-order book and price levels are there, the book is built order by order. An instrument that
changed its tick or lot has versions; a moment belongs to the newest version that has facts by then.
"""

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from tradebot._core.book import L3Book
from tradebot._core.depth import L2Book
from tradebot._core.types import Kind
from tradebot.domain.errors import EmptyRange, UsageError
from tradebot.domain.instrument import Instrument
from tradebot.domain.units import time_text
from tradebot.node.places import store_place
from tradebot.node.values import DAY_NS, parse_instant
from tradebot.research.book_view import Book, Level, view_book

if TYPE_CHECKING:
    from tradebot.store.client import Store
    from tradebot.store.ticks import Dataset

BOOK_SORTS: Final = ("auto", "l3", "l2")

_ORDER_KINDS: Final = (Kind.L3_ADD, Kind.L3_CHANGE, Kind.L3_DELETE, Kind.L3_EXECUTE)
_BOOK_KINDS: Final = {"auto": (Kind.L2_LEVEL, *_ORDER_KINDS), "l3": _ORDER_KINDS, "l2": (Kind.L2_LEVEL,)}

# time_ns, venue_sequence, bid, bid_quantity, ask, ask_quantity; decimal text, None where a side is empty
Quote = tuple[int, int, str | None, str | None, str | None, str | None]


def show_book(
    home: Path, name: str, at: str, levels: int, sort: str = "auto", dsn: str | None = None
) -> dict[str, object]:
    """The book of an instrument at a moment; the keys are those of CLI.md and where it comes from.

    Raises UsageError, UnknownInstrument, or EmptyRange where the moment is outside the facts or there is no book.
    """
    from tradebot.store.client import open_store

    at_ns = instant_ns("--at", at)
    if levels < 1:
        raise UsageError(f"expected a --depth of at least 1, found {levels}")
    with open_store(store_place(home, dsn)) as store:
        instrument = _version_at(held_versions(store, name), at_ns)
        book = _empty_book(store, instrument, None, at_ns + 1, sort)
        base_ns = _snapshot_ns(store, instrument, book, at_ns + 1)
        view = view_book(book, store.stream([instrument.id], base_ns, at_ns + 1), levels)
    return {
        "instrument": instrument.name,
        "time_ns": at_ns,
        "last_ns": None if view.last is None else int(view.last["time_ns"]),
        "venue_sequence": None if view.last is None else int(view.last["venue_sequence"]),
        "book": _sort_of(book),
        "snapshot_ns": base_ns,
        "bids": _levels_text(instrument, view.bids),
        "asks": _levels_text(instrument, view.asks),
    }


def stream_bbo(
    home: Path, name: str, start: str | None, end: str | None, sort: str = "auto", dsn: str | None = None
) -> Generator[list[Quote]]:
    """The best bid and offer after each book event from `start` to `end`, block by block.

    Raises UsageError, UnknownInstrument, or EmptyRange where there are no book facts, before the first block.
    """
    from tradebot.store.client import open_store

    from_ns, to_ns = range_ns(start, end)
    with open_store(store_place(home, dsn)) as store:
        held = held_versions(store, name)
        check_range(held, from_ns, to_ns)
        for instrument in [one for one, data in held if overlaps(data, from_ns, to_ns)]:
            book = _empty_book(store, instrument, from_ns, to_ns, sort)
            if from_ns is not None:
                base_ns = _snapshot_ns(store, instrument, book, from_ns)
                view_book(book, store.stream([instrument.id], base_ns, from_ns), 1)
            for batch in store.stream([instrument.id], from_ns, to_ns):
                yield _quotes(instrument, batch, book.apply_bbo(batch))


def instant_ns(option: str, text: str) -> int:
    """A moment from the command line. Raises UsageError, which names the option."""
    try:
        return parse_instant(text).time_ns
    except ValueError as error:
        raise UsageError(f"{option}: {error}, or nanoseconds since 1970") from error


def range_ns(start: str | None, end: str | None) -> tuple[int | None, int | None]:
    """(from_ns, to_ns), to_ns exclusive: a date as the end means all of that day. Raises UsageError."""
    from_ns = None if start is None else instant_ns("--from", start)
    to_ns = None if end is None else instant_ns("--to", end)
    if end is not None and to_ns is not None and parse_instant(end).is_day:
        to_ns += DAY_NS
    if from_ns is not None and to_ns is not None and from_ns >= to_ns:
        raise UsageError(f"expected --from before --to, found {start} and {end}")
    return from_ns, to_ns


def held_versions(store: "Store", name: str | None) -> "list[tuple[Instrument, Dataset]]":
    """The versions of an instrument, or of all, that have facts, by name and version. Raises UnknownInstrument, EmptyRange."""
    wanted = None if name is None else store.instrument(name).name
    versions = {one.id: one for one in store.instruments() if wanted in (None, one.name)}
    held = [(versions[one.instrument_id], one) for one in store.catalogue() if one.instrument_id in versions and one.rows]
    if not held:
        raise EmptyRange(f"expected ticks of {wanted or 'any instrument'}, found none; bring some with `tradebot data import`")
    return held


def check_range(held: "Sequence[tuple[Instrument, Dataset]]", from_ns: int | None, to_ns: int | None) -> None:
    """Raise EmptyRange, which names the range that exists, where none of these has facts between its ends."""
    if not any(overlaps(data, from_ns, to_ns) for _, data in held):
        start = "the beginning" if from_ns is None else time_text(from_ns)
        end = "the end" if to_ns is None else time_text(to_ns)
        raise EmptyRange(f"expected a range {_span_text(held)}, found {start} to {end}")


def overlaps(data: "Dataset", from_ns: int | None, to_ns: int | None) -> bool:
    """Whether the range from its first fact to its last has a moment in [from_ns, to_ns)."""
    return (from_ns is None or data.last_ns >= from_ns) and (to_ns is None or data.first_ns < to_ns)


def _version_at(held: "Sequence[tuple[Instrument, Dataset]]", at_ns: int) -> Instrument:
    begun = [one for one, data in held if data.first_ns <= at_ns]
    if not begun or at_ns > max(data.last_ns for _, data in held):
        raise EmptyRange(f"expected a moment {_span_text(held)}, found {time_text(at_ns)}")
    return max(begun, key=lambda one: one.version)


def _span_text(held: "Sequence[tuple[Instrument, Dataset]]") -> str:
    first, last = min(data.first_ns for _, data in held), max(data.last_ns for _, data in held)
    names = ", ".join(dict.fromkeys(one.name for one, _ in held[:3])) + (", ..." if len(held) > 3 else "")
    return f"within the ticks of {names}, {time_text(first)} to {time_text(last)}"


def _empty_book(store: "Store", instrument: Instrument, from_ns: int | None, to_ns: int | None, sort: str) -> Book:
    """A book of the sort that the range has facts for. Raises EmptyRange where it has none."""
    from tradebot.store.facts import newest_of

    newest = newest_of(store, instrument.id, _BOOK_KINDS[sort], from_ns, to_ns)
    if newest is None:
        wanted = "order-by-order or price-level" if sort == "auto" else {"l3": "order-by-order", "l2": "price-level"}[sort]
        raise EmptyRange(
            f"expected {wanted} book facts of {instrument.name} in the selection, found none; "
            "see `tradebot data list` for what there is"
        )
    kind, last_ns = newest
    if kind == Kind.L2_LEVEL and sort == "auto":
        # Looked for in one day only, so that a long recording of levels is not searched for what it never had.
        day_before = max(last_ns - DAY_NS, from_ns or 0)
        kind = (newest_of(store, instrument.id, _ORDER_KINDS, day_before, to_ns) or newest)[0]
    return L2Book() if kind == Kind.L2_LEVEL else L3Book()


def _snapshot_ns(store: "Store", instrument: Instrument, book: Book, to_ns: int) -> int | None:
    from tradebot.store.facts import newest_snapshot

    kind = Kind.L3_ADD if isinstance(book, L3Book) else Kind.L2_LEVEL
    return newest_snapshot(store, instrument.id, kind, to_ns)


def _sort_of(book: Book) -> str:
    return "l3" if isinstance(book, L3Book) else "l2"


def _levels_text(instrument: Instrument, levels: Sequence[Level]) -> list[list[str]]:
    return [[instrument.price_text(price), instrument.quantity_text(lots)] for price, lots in levels]


def _quotes(instrument: Instrument, batch: npt.NDArray[np.void], tops: npt.NDArray[np.void]) -> list[Quote]:
    events = batch[tops["row"]]
    columns: list[list[str | None]] = []
    for name in ("bid", "ask"):
        for part, text in ((name, instrument.price_text), (f"{name}_quantity", instrument.quantity_text)):
            values, places = np.unique(np.where(tops[name] == 0, 0, tops[part]), return_inverse=True)
            texts = [text(value) if value else None for value in values.tolist()]
            columns.append([texts[place] for place in places.tolist()])
    return list(zip(events["time_ns"].tolist(), events["venue_sequence"].tolist(), *columns, strict=True))
