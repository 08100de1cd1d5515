"""The engine's books beside those of gateway and venue: at start and for ever.

Trading opens only when they agree. Until the first round has said so the gate waits: a run that was active is halted to entries,
as a fact by "reconcile", and opened by another. A difference that two rounds find shuts it: trading is halted until they agree
and an operator says to go on. What differs is shown, and never adopted: a book that takes over what it is told proves nothing.

A round counts only where the engine has taken every answer that the books rest on; otherwise it is asked for again.
Orders with a command under way are left out of it, and trading opens by a round without any. Quantities and money are compared
to the unit. Of contracts an open position's worth is in no balance, so an asset in which one settles is left out; their fills
are compared like all others.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

from tradebot._core.kernel import Kernel
from tradebot.domain.links import VenueBooks
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


class Difference(Struct, frozen=True, kw_only=True):
    """One thing on which the books do not agree, each as text; None where a book does not have it."""

    what: str  # order, fill or balance
    of: str
    engine: str | None
    gateway: str | None = None
    venue: str | None

    def text(self) -> str:
        gateway = f", the gateway {self.gateway or 'none'}" if self.what == "order" else ""
        return f"{self.what} {self.of}: the engine has {self.engine or 'none'}{gateway}, the venue {self.venue or 'none'}"


class EngineBook(Struct, frozen=True):
    """What the engine held at the instant of a round: lots filled by open order, fills since the round before, totals."""

    orders: dict[int, int]
    fills: int
    balances: list[int]
    busy: frozenset[int]  # orders that are not compared


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
        self.engine: EngineBook | None = None

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
        fills = self.recent()
        orders = {row[0]: row[3] for row in kernel.open_orders()}
        self.engine = EngineBook(orders, len(fills), [total for _, total, _ in kernel.balances()], busy)
        self.differences = list(find_differences(plan, self.engine, fills, books))
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


def find_differences(
    plan: Plan, engine: EngineBook, fills: dict[int, tuple[int, int, int, int]], books: VenueBooks
) -> Iterator[Difference]:
    """All of it, in a fixed order: orders, fills, balances."""
    yield from order_differences(engine.orders, engine.busy, books)
    yield from fill_differences(fills, books)
    yield from balance_differences(plan, engine.balances, books)


def order_differences(orders: dict[int, int], busy: frozenset[int], books: VenueBooks) -> Iterator[Difference]:
    """Open orders that are not in all three books, or filled differently."""
    engine = {order: f"{filled} lots filled" for order, filled in orders.items()}
    gateway = {one.client_id: f"{one.filled} lots filled" for one in books.held}
    venue = {one.client_id: f"{one.filled} lots filled" for one in books.open_orders}
    for order in sorted({*engine, *gateway, *venue} - busy):
        three = engine.get(order), gateway.get(order), venue.get(order)
        if len(set(three)) > 1:
            yield Difference(what="order", of=str(order), engine=three[0], gateway=three[1], venue=three[2])


def fill_differences(fills: dict[int, tuple[int, int, int, int]], books: VenueBooks) -> Iterator[Difference]:
    """Fills that one side does not have, or has otherwise."""
    engine = {number: _fill_text(*fill[:3]) for number, fill in fills.items()}
    venue = {one.trade_id: _fill_text(one.client_id, one.lots, one.price) for one in books.trades}
    for trade in sorted({*engine, *venue}):
        if engine.get(trade) != venue.get(trade):
            yield Difference(what="fill", of=str(trade), engine=engine.get(trade), venue=venue.get(trade))


def _fill_text(order: int, lots: int, price: int) -> str:
    return f"{lots} lots at {price} ticks of order {order}"


def balance_differences(plan: Plan, balances: Sequence[int], books: VenueBooks) -> Iterator[Difference]:
    """Totals of assets, in money units."""
    settled = {one.settle for one in plan.instruments if one.is_contract}
    for asset, total in zip(plan.assets, balances, strict=True):
        if asset not in settled and asset in books.balances and total != books.balances[asset]:
            yield Difference(what="balance", of=asset, engine=str(total), venue=str(books.balances[asset]))


def as_told(reconciling: Reconciling) -> dict[str, Any]:
    """What is shown of it in a status."""
    return {
        "gate": reconciling.gate.value,
        "rounds": reconciling.rounds,
        "equal": not reconciling.differences if reconciling.compared_round else None,
        "compared_ns": reconciling.compared_ns,
        "differences": [one.text() for one in reconciling.differences],
    }
