"""The engine's books beside those of gateway and venue: at start and for ever.

Trading opens only when they agree. Until the first round has said so the gate waits: a run that was active is halted to entries,
as a fact by "reconcile", and opened by another. A difference that two rounds find shuts it: trading is halted until they agree
and an operator says to go on. What differs is shown, and never adopted: a book that takes over what it is told proves nothing.

A round counts only where the engine has taken every answer that the books rest on; otherwise it is asked for again.
Orders with a command under way are left out of it, and trading opens by a round without any. Compared are open orders on all
their terms, fills that are not so old that the venue may have forgotten them, the lots of contracts that the account holds, and
every balance to the unit: `own_book` says what of it is the engine's, `differences` what differs.
"""

from enum import StrEnum
from typing import Any, Final

from tradebot._core.kernel import Kernel
from tradebot.domain.links import VenueBooks
from tradebot.engine.differences import Difference, find_differences
from tradebot.engine.own_book import OwnBook, read_book
from tradebot.engine.plan import Plan

WHO: Final = "reconcile"
WHY_WAITING: Final = "the books are not compared yet"
WHY_AGREED: Final = "engine, gateway and venue agree"
ASK_AGAIN_NS: Final = 500_000_000  # where no books came
IN_STEP_NS: Final = 100_000_000  # where they came while something was under way
LOOK_AGAIN_NS: Final = 1_000_000_000  # after a difference
ROUNDS_TO_SHUT: Final = 2
EPOCH_SHIFT: Final = 32
WORDS_MAX: Final = 3  # differences named in the reason of a halt


class Gate(StrEnum):
    """Whether trading may be open: not before the first comparison, nor while the books differ."""

    OPEN = "open"
    WAITING = "waiting"
    SHUT = "shut"


class Reconciling:
    """When books are asked for, and what became of it. `interval_ns` 0: never, and the gate is open.

    Rounds are numbered on from the epoch: books that an earlier start asked for must not be taken for ours.
    """

    def __init__(self, interval_ns: int, epoch: int) -> None:
        self.interval_ns = interval_ns
        self.gate = Gate.WAITING if interval_ns else Gate.OPEN
        self.number = (epoch << EPOCH_SHIFT) + 1
        self.rounds = 0
        self.due_ns = 0
        self.since_ns = 0
        self.fills: dict[int, tuple[int, int, int, int]] = {}  # trade id: order, lots, price, the venue's time
        self.differences: list[Difference] = []
        self.differing = 0
        self.compared_round = self.compared_ns = self.equal_ns = 0
        self.books: VenueBooks | None = None
        self.own: OwnBook | None = None

    def is_due(self, now_ns: int) -> bool:
        return self.interval_ns > 0 and now_ns >= self.due_ns

    def ask_now(self) -> int:
        """A round on demand; its number."""
        self.due_ns = 0
        return self.number

    def note_fill(self, trade_id: int, order: int, lots: int, price: int, venue_ns: int) -> None:
        """A fill that the engine took in; kept until a round has seen it."""
        if self.interval_ns:
            self.fills[trade_id] = (order, lots, price, venue_ns)

    def compare(self, plan: Plan, kernel: Kernel, books: VenueBooks, busy: frozenset[int], now_ns: int) -> None:
        """Take in a round that was in step; `busy` are the orders with a command under way."""
        before = {(one.what, one.of) for one in self.differences}
        self.books, self.compared_round, self.compared_ns = books, books.round, now_ns
        fills = {number: fill for number, fill in self.recent().items() if fill[3] > books.forgotten_ns}
        self.own = read_book(plan, kernel, len(fills), busy)
        self.differences = list(find_differences(plan, self.own, fills, books))
        self.number += 1
        self.rounds += 1
        stays = not before or any((one.what, one.of) in before for one in self.differences)
        self.differing = self.differing + 1 if self.differences and stays else int(bool(self.differences))
        self.due_ns = now_ns + (LOOK_AGAIN_NS if self.differences else self.interval_ns)
        if not self.differences:
            self.equal_ns = now_ns
            self.since_ns = books.venue_ns
            self.fills = self.recent()

    def recent(self) -> dict[int, tuple[int, int, int, int]]:
        """Fills that the last round that agreed may not have seen."""
        return {number: fill for number, fill in self.fills.items() if fill[3] >= self.since_ns}

    @property
    def must_shut(self) -> bool:
        return self.differing >= ROUNDS_TO_SHUT and self.gate is not Gate.SHUT

    def why_shut(self) -> str:
        words = "; ".join(one.text() for one in self.differences[:WORDS_MAX])
        return words + (f"; and {len(self.differences) - WORDS_MAX} more" if len(self.differences) > WORDS_MAX else "")


def as_told(reconciling: Reconciling) -> dict[str, Any]:
    """What is shown of it in a status."""
    return {
        "gate": reconciling.gate.value,
        "rounds": reconciling.rounds,
        "equal": not reconciling.differences if reconciling.compared_round else None,
        "compared_ns": reconciling.compared_ns,
        "differences": [one.text() for one in reconciling.differences],
    }
