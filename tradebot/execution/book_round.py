"""One round through the books of a venue: its open orders, trades, balances and positions, all as of one instant.

Answers that are given one after the other can be of three states. So the round is closed in by two questions where the
account stream stands: the same number before and after means that nothing changed between them, and where the gateway has heard
the stream up to that number, it knows everything that the answers rest on. Where not, the round begins again. Orders with a
command under way are named as busy: the venue may have taken it or not, and that is no difference.

The round asks and changes nothing; what is missing in our books is never taken from it.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np

from tradebot._core.types import FACT_DTYPE, Flag
from tradebot.domain.links import BookOrder, BookTrade, VenueBooks
from tradebot.domain.venue import OK, Ask, OrderStatus, PositionStatus, VenueReply
from tradebot.execution.held import Held

VERSION: Final = 2
ROUND: Final = -1  # stands where the number of a command would, in what a round asks
AGAIN_NS: Final = 50_000_000

BEFORE, BOOKS, AFTER = range(3)
ASKS: Final = {BEFORE: (Ask.SUBSCRIBE,), BOOKS: (Ask.OPEN, Ask.TRADES, Ask.BALANCES, Ask.POSITIONS), AFTER: (Ask.SUBSCRIBE,)}


class BookRound:
    """A round that the engine asked for, until it is closed."""

    def __init__(self, number: int, since_ns: int) -> None:
        self.number, self.since_ns = number, since_ns
        self.try_ns = 0
        self.reset()

    def reset(self) -> None:
        self.stage = BEFORE
        self.is_asked = False
        self.waits: dict[int, Ask] = {}
        self.stream = self.sequence = self.venue_ns = self.forgotten_ns = 0
        self.open_orders: list[OrderStatus] = []
        self.trades = b""
        self.balances: dict[str, int] = {}
        self.positions: list[PositionStatus] = []

    def begin_again(self, now_ns: int) -> None:
        """Something was under way, or was lost: what was heard so far may be of another state."""
        self.reset()
        self.try_ns = now_ns + AGAIN_NS

    def next_asks(self) -> tuple[Ask, ...]:
        """What is to be asked now; nothing while replies are waited for."""
        if self.is_asked:
            return ()
        self.is_asked = True
        return ASKS[self.stage]

    def take(self, reply: VenueReply, now_ns: int) -> bool:
        """One reply; True where with it the round is closed. A reply to what was given up says nothing."""
        ask = self.waits.pop(reply.request, None)
        if ask is None:
            return False
        if reply.code != OK or not self.keep(ask, reply):
            self.begin_again(now_ns)
            return False
        if self.waits:
            return False
        if self.stage == AFTER:
            return True
        self.stage, self.is_asked = self.stage + 1, False
        return False

    def keep(self, ask: Ask, reply: VenueReply) -> bool:
        """False where the venue's books have changed since the round began."""
        if ask is Ask.OPEN:
            self.open_orders = reply.orders
        elif ask is Ask.TRADES:
            self.trades, self.forgotten_ns = reply.facts, reply.forgotten_ns
        elif ask is Ask.BALANCES:
            self.balances = reply.balances
        elif ask is Ask.POSITIONS:
            self.positions = reply.positions
        elif self.stage == AFTER:
            return (reply.stream, reply.sequence) == (self.stream, self.sequence)
        else:
            self.stream, self.sequence, self.venue_ns = reply.stream, reply.sequence, reply.venue_ns
        return True

    def books(self, account: int, answers: int, commands: int, orders: Iterable[Held]) -> VenueBooks:
        """What the engine compares with its own."""
        several = list(orders)
        busy = [one.client_id for one in several if one.tasks or one.ask_ns]
        held = [book_order(one) for one in several]
        trades = [
            BookTrade(int(one["trade_id"]), int(one["id"]), int(one["quantity"]) * (-1 if one["flags"] & Flag.SELL else 1),
                      int(one["price"]))
            for one in np.frombuffer(self.trades, FACT_DTYPE)
        ]  # fmt: skip
        return VenueBooks(
            VERSION, account, self.number, answers, commands, self.venue_ns, busy, held, self.open_orders, trades, self.balances,
            self.positions, self.forgotten_ns,
        )  # fmt: skip


def book_order(held: Held) -> BookOrder:
    trigger = 0 if held.is_triggered else held.trigger
    instrument = int(np.frombuffer(held.place, FACT_DTYPE)[0]["instrument"])
    return BookOrder(held.client_id, held.price, held.quantity, held.filled, trigger, instrument)
