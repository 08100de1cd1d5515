"""An order as its gateway knows it: what was told of it, and what is under way."""

from typing import Final

import numpy as np
from msgspec import Struct

from tradebot._core.types import FACT_DTYPE, Flag, Kind, Reject
from tradebot.domain.venue import Ask, OrderStatus

FACT_BYTES: Final = FACT_DTYPE.itemsize


class Task(Struct):
    """One command at work. `asked_ns` is when the venue was last asked for it, 0 before its attempt; `request` the number of
    that request, 0 where none is under way. `timestamp_ns` and `window_ns` are those of the attempt.
    """

    number: int
    ask: Ask
    fact: bytes
    timestamp_ns: int = 0
    window_ns: int = 0

    @property
    def deadline_ns(self) -> int:
        """The venue's own time after which it can no longer take this in."""
        return self.timestamp_ns + self.window_ns


class Held(Struct):
    """An order and what is known of it.

    `tasks` are the commands not yet settled, in order; the first is at work. `trades` are the fills told. `proof` counts the
    steps by which its absence has been shown; `ask_ns` is when the venue is asked about it again, 0 where it is not.
    `is_stale`: something of it may have been missed, so its status and trades are asked for; `skipped` counts what the stream
    told meanwhile. `status` waits for the trades that it speaks of. `old_upto`: what a request up to this number is answered may
    be of before its terms changed, or before something of it was missed.
    """

    client_id: int
    place: bytes
    price: int
    quantity: int
    trigger: int
    is_accepted: bool = False
    is_triggered: bool = False
    is_done: bool = False
    filled: int = 0
    trades: set[int] = {}  # type: ignore[assignment]
    tasks: list[Task] = []
    proof: int = 0
    is_stale: bool = False
    skipped: int = 0
    ask_ns: int = 0
    status: OrderStatus | None = None
    old_upto: int = 0

    @property
    def is_unknown(self) -> bool:
        """A place was tried, and nothing has been heard of it."""
        return not self.is_accepted and not self.is_done


def hold(fact: bytes) -> Held:
    """The order that a PLACE_ORDER asks for."""
    row = np.frombuffer(fact, FACT_DTYPE)[0]
    return Held(
        client_id=int(row["id"]), place=fact, price=int(row["price"]), quantity=int(row["quantity"]), trigger=int(row["trigger"]),
        trades=set(), tasks=[],
    )  # fmt: skip


def take(held: Held, fact: np.void) -> None:
    """Note what is told of an order; the same whether it is told now or read from the log."""
    kind = int(fact["kind"])
    if kind == Kind.ORDER_ACCEPTED:
        held.is_accepted = True
    elif kind == Kind.ORDER_FILLED:
        held.trades.add(int(fact["trade_id"]))
        held.filled += int(fact["quantity"])
        held.is_done = held.is_done or int(fact["parent"]) == 0
    elif kind == Kind.ORDER_TRIGGERED:
        held.is_triggered = True
    elif kind == Kind.ORDER_AMENDED:
        held.price, held.quantity = int(fact["price"]), int(fact["quantity"])
        held.trigger = int(fact["trigger"])
    elif kind in (Kind.ORDER_CANCELLED, Kind.ORDER_REJECTED):
        held.is_done = True


def ends_task(kind: int) -> Ask | None:
    """Which kind of task a told fact settles."""
    if kind in (Kind.ORDER_ACCEPTED, Kind.ORDER_REJECTED):
        return Ask.PLACE
    if kind in (Kind.ORDER_CANCELLED, Kind.CANCEL_REJECTED):
        return Ask.CANCEL
    return Ask.AMEND if kind in (Kind.ORDER_AMENDED, Kind.AMEND_REJECTED) else None


def make_fact(held: Held, kind: Kind, now_ns: int, **slots: int) -> bytes:
    """A fact about an order that the venue did not put into words itself."""
    place = np.frombuffer(held.place, FACT_DTYPE)[0]
    fact = np.zeros(1, FACT_DTYPE)
    fact["kind"] = fact["kind2"] = kind
    fact["flags2"] = Flag.CONT
    fact["time_ns"] = now_ns
    fact["id"], fact["instrument"], fact["owner"] = held.client_id, place["instrument"], place["owner"]
    fact["flags"] = int(place["flags"]) & Flag.SELL
    fact["price"], fact["quantity"] = held.price, held.quantity
    for name, value in slots.items():
        fact[name] = value
    return fact.tobytes()


def accepted(held: Held, now_ns: int) -> bytes:
    """That the venue took an order, which it did not say itself."""
    return make_fact(held, Kind.ORDER_ACCEPTED, now_ns, display=-1, cause=cause_of(held.place))


def cause_of(fact: bytes) -> int:
    return int(np.frombuffer(fact, FACT_DTYPE)[0]["cause"])


def refusal(task: Task, held: Held, reject: int, now_ns: int) -> bytes:
    """That a command was not taken, as the engine expects to hear it."""
    kind = {Ask.PLACE: Kind.ORDER_REJECTED, Ask.CANCEL: Kind.CANCEL_REJECTED}.get(task.ask, Kind.AMEND_REJECTED)
    return make_fact(held, kind, now_ns, reject=int(reject) or int(Reject.VENUE_REFUSED), cause=cause_of(task.fact))
