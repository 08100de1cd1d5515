"""The orders and trades of the paper venue, and when it forgets them: an exchange, too, tells of what is over for a while only.

An order that has ended is kept for at least `Retention.time_ns` of the venue's time *and* until `orders_min` have ended after it;
what is open is kept whatever its age. With an order goes what was traded up to its end. By then nobody needs to ask:

- Of a place that was not answered the gateway asks when a reply is late (1 s) and then three times a second, until the window
  (1 s in a node), the margin (0.2 s) and two more questions have passed: seconds. Before it is tried it is at most `order_age`
  old (5 s), and the window counts from the attempt.
- Where the gateway is not there for longer, a day perhaps, nothing new comes to the venue either: no more can end than was open,
  and that many are kept by their count.
- A round of the books asks for trades since the round that agreed last, at a start since its snapshot or the first fact.

None of that is left to hope. `forgotten_ns` is told with every reply: what ended or was traded up to then may be missing. The
gateway takes "not found" for a proof only where the order cannot have ended so early; else it stays unknown until an operator
speaks. "Not found" of an order that was heard of as open proves nothing at all: it stays open in our books, and a round of them
shows the difference. The engine compares no fill that is as old. An id stays spent for ever, as a bit, so that a venue that
refuses an id for ever goes on to, and what was placed twice is seen.

What is forgotten when depends on what was taken in and on nothing else, so a start comes to the same from a snapshot as from the
whole journal.
"""

import sys
from collections import deque
from collections.abc import Iterator
from typing import Final

import numpy as np
from msgspec import Struct

from tradebot._core.types import FACT_DTYPE, Kind
from tradebot.domain.venue import OrderStatus
from tradebot.venues.spent_ids import SpentIds


class Retention(Struct, frozen=True, kw_only=True):
    """How long what is over is kept, at least: both must have passed."""

    time_ns: int = 300_000_000_000
    orders_min: int = 10_000


USUAL: Final = Retention()
FOR_EVER: Final = Retention(orders_min=sys.maxsize)


class Order(Struct, array_like=True):
    """An order as the venue has it; `fills` are its fills as facts. `number` counts all orders, `ended` those that have ended."""

    number: int
    client_id: int
    instrument: int
    price: int
    quantity: int
    trigger: int
    is_open: bool = False
    was_taken: bool = False
    is_triggered: bool = False
    has_ended: bool = False
    filled: int = 0
    reject: int = 0
    ended: int = 0
    ended_ns: int = 0
    fills: list[bytes] = []

    def status(self) -> OrderStatus:
        return OrderStatus(
            self.client_id, self.is_open, self.is_triggered, self.price, self.quantity, self.filled, self.trigger, self.reject,
            self.instrument,
        )  # fmt: skip


class SavedOrders(Struct, frozen=True, array_like=True):
    """What a snapshot has of them."""

    orders: list[list[Order]]
    trades: list[bytes]
    spent: list[tuple[int, bytes]]
    doubled: list[int]
    placed: int
    ended: int
    traded: int
    forgotten_ns: int


class PaperOrders:
    """`by_id` are all that are kept: where ids may be used again, the last is the one. `going` are those that have not ended, by
    number; `doubled` the ids that were placed more than once; `placed` and `traded` count what was forgotten too.
    """

    def __init__(self, retention: Retention) -> None:
        self.retention = retention
        self.by_id: dict[int, list[Order]] = {}
        self.going: dict[int, Order] = {}
        self.over: deque[Order] = deque()  # as they ended
        self.trades: deque[bytes] = deque()
        self.spent = SpentIds()
        self.doubled: list[int] = []
        self.placed = self.ended = self.traded = 0
        self.forgotten_ns = 0

    def place(self, client_id: int, fact: np.void) -> None:
        if self.has_seen(client_id):
            self.doubled.append(client_id)
        self.placed += 1
        order = Order(
            self.placed, client_id, int(fact["instrument"]), int(fact["price"]), int(fact["quantity"]), int(fact["trigger"]),
            fills=[],
        )  # fmt: skip
        self.by_id.setdefault(client_id, []).append(order)
        self.going[order.number] = order

    def has_seen(self, client_id: int) -> bool:
        return client_id in self.by_id or client_id in self.spent

    def last(self, client_id: int) -> Order | None:
        return self.by_id[client_id][-1] if client_id in self.by_id else None

    def all(self) -> Iterator[Order]:
        for several in self.by_id.values():
            yield from several

    def note(self, client_id: int, fact: np.void, now_ns: int) -> None:
        """What the simulator says: what it does to the order, and to the list of trades."""
        order = self.last(client_id)
        if fact["kind"] in (Kind.ORDER_FILLED, Kind.LIQUIDATED):
            self._trade(order, fact.tobytes())
        if order is None:
            return
        _apply(order, fact)
        if order.has_ended and order.number in self.going:
            self.ended += 1
            order.ended, order.ended_ns = self.ended, now_ns
            self.over.append(self.going.pop(order.number))

    def _trade(self, order: Order | None, body: bytes) -> None:
        self.traded += 1
        self.trades.append(body)
        if order is not None:
            order.fills.append(body)

    def forget(self, now_ns: int) -> None:
        """What is over for long enough; called where something was taken in, and at no other time."""
        before = self.forgotten_ns
        while len(self.over) > self.retention.orders_min and self.over[0].ended_ns + self.retention.time_ns < now_ns:
            self._forget_order(self.over.popleft())
        if self.forgotten_ns == before:
            return
        while self.trades and _time_of(self.trades[0]) <= self.forgotten_ns:
            self.trades.popleft()

    def _forget_order(self, order: Order) -> None:
        several = self.by_id[order.client_id]
        several[:] = [one for one in several if one is not order]
        if not several:
            del self.by_id[order.client_id]
        self.spent.add(order.client_id)
        self.forgotten_ns = order.ended_ns

    def trades_of(self, client_id: int) -> bytes:
        return b"".join(fill for order in self.by_id.get(client_id, []) for fill in order.fills)

    def trades_since(self, since_ns: int) -> bytes:
        """Of an instant that is forgotten in part, none."""
        facts = np.frombuffer(b"".join(self.trades), FACT_DTYPE)
        first_ns = max(since_ns, self.forgotten_ns + 1) if self.forgotten_ns else since_ns
        return facts[facts["venue_ns"] >= first_ns].tobytes()

    def to_saved(self) -> SavedOrders:
        return SavedOrders(
            list(self.by_id.values()), list(self.trades), self.spent.to_list(), self.doubled, self.placed, self.ended,
            self.traded, self.forgotten_ns,
        )  # fmt: skip

    def from_saved(self, saved: SavedOrders) -> None:
        self.by_id = {several[0].client_id: several for several in saved.orders}
        self.going = {one.number: one for one in sorted(self.all(), key=lambda one: one.number) if not one.has_ended}
        self.over = deque(sorted((one for one in self.all() if one.has_ended), key=lambda one: one.ended))
        self.trades = deque(saved.trades)
        self.spent.from_list(saved.spent)
        self.doubled, self.placed, self.ended = saved.doubled, saved.placed, saved.ended
        self.traded, self.forgotten_ns = saved.traded, saved.forgotten_ns
        bodies = {body: body for body in saved.trades}
        for order in self.all():
            order.fills = [bodies.get(body, body) for body in order.fills]  # once in memory, as before


def _apply(order: Order, fact: np.void) -> None:
    """What a fact does to the venue's own view of an order."""
    kind = int(fact["kind"])
    if kind == Kind.ORDER_ACCEPTED:
        order.is_open = order.was_taken = True
    elif kind == Kind.ORDER_FILLED:
        order.filled += int(fact["quantity"])
        if int(fact["parent"]) == 0:
            order.is_open, order.has_ended = False, True
    elif kind == Kind.ORDER_TRIGGERED:
        order.is_triggered = True
    elif kind == Kind.ORDER_AMENDED:
        order.price, order.quantity = int(fact["price"]), int(fact["quantity"])
        order.trigger = int(fact["trigger"])
    elif kind in (Kind.ORDER_CANCELLED, Kind.ORDER_REJECTED):
        order.is_open, order.has_ended = False, True
        order.reject = int(fact["reject"])


def _time_of(fact: bytes) -> int:
    return int(np.frombuffer(fact, FACT_DTYPE)[0]["venue_ns"])
