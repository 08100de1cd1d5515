"""What every venue's feed is to the one who reads the frames: an importer of recordings today, a live connection tomorrow.

A feed knows one instrument and holds its book's state of synchrony. It is given the bytes of a frame and the time they came,
and answers with rows. What it cannot read it refuses with a `ValueError` that says why; the reader then calls `lose`, so that
a message of the book which was lost that way makes a gap and never a wrong book.
"""

from typing import NamedTuple, Protocol

from tradebot.feeds.rows import Row


class Feed(Protocol):
    """One instrument of one venue. `code` is the venue's name for it; `notes` counts by reason what was left out on purpose."""

    code: str
    notes: dict[str, int]

    def receive(self, time_ns: int, frame: bytes) -> list[Row]:
        """The rows of a frame: none where it is of another instrument, or tells nothing. Raises ValueError."""
        ...

    def receive_snapshot(self, time_ns: int, body: bytes) -> list[Row]:
        """The rows of a book snapshot of this instrument that was asked for. Raises ValueError."""
        ...

    def lose(self, time_ns: int) -> list[Row]:
        """What the frame refused last leaves behind."""
        ...

    def reconnect(self, time_ns: int) -> list[Row]:
        """The connection was made anew: what came between is lost."""
        ...

    def close(self) -> None:
        """No more frames come: count what still waits for one."""
        ...


class Listing(NamedTuple):
    """An instrument as its venue describes it. `code` is the venue's own name for it, `symbol` ours; texts are decimals."""

    code: str
    symbol: str
    tick: str
    lot: str
    multiplier: str = "1"
    quantity_min: str = "0"
    notional_min: str = "0"


def count(notes: dict[str, int], reason: str, number: int = 1) -> None:
    """Add to a feed's notes."""
    if number:
        notes[reason] = notes.get(reason, 0) + number
