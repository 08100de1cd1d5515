"""What became of an order: what its venue says of it, brought together with what was told of it.

A place is never sent twice, so what became of one that was not answered is found out. Where the venue has it, its status and its
trades are told as if they had been heard. Where it has not, that proves something only when the venue's own clock, read from the
answer, is past the time up to which it may take the request, and when the venue does not say that it may have forgotten what has
ended since the attempt; then open orders and trades are looked through as well, and only if it is in none of them is it told as
not accepted. A cancel may be sent again: it has no other effect. A change may not, since it costs the place in the queue: it is
looked for in the order's status.

Nothing is sent from here and nothing is written. The steps are given to the gateway one at a time: it has done each before it
asks for the next, which sees what that one has led to.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tradebot._core.types import FACT_DTYPE, Kind, Reject
from tradebot.domain.venue import OK, UNKNOWN_ORDER, Ask, Capabilities, OrderStatus, VenueReply
from tradebot.execution.held import Held, Task, accepted, make_fact, refusal
from tradebot.execution.timing import Timing


class Question(NamedTuple):
    """The venue is to be asked about the order. `QUERY` begins to find out anew, and voids what was found so far."""

    ask: Ask
    since_ns: int = 0


class SendAgain(NamedTuple):
    """A command that has no other effect the second time, unless it is under way."""

    task: Task


Step = bytes | Question | SendAgain
"""Bytes are a fact that the engine is to be told."""


class Convergence:
    """Of the orders at one venue."""

    def __init__(self, capabilities: Capabilities, timing: Timing) -> None:
        self.capabilities, self.timing = capabilities, timing

    # There

    def on_status(self, held: Held, reply: VenueReply, is_subscribed: bool, now_ns: int) -> Iterator[Step]:
        """An answer about one order; nothing where it may be of before something that is known by now."""
        if reply.code == OK and reply.orders:
            if reply.request > held.old_upto:  # else it is asked again, where it still has to be
                yield from self.converge(held, reply.orders[0], reply.venue_ns, now_ns)
        elif reply.code == UNKNOWN_ORDER and not held.is_accepted and held.tasks and held.tasks[0].ask is Ask.PLACE:
            yield from self.on_not_found(held, reply, is_subscribed, now_ns)
        elif reply.code == UNKNOWN_ORDER and held.is_accepted and reply.request > held.old_upto:
            yield from self.on_forgotten(held, now_ns)

    def converge(self, held: Held, status: OrderStatus, venue_ns: int, now_ns: int) -> Iterator[Step]:
        """Tell what the order's status says and was not told yet."""
        held.proof, held.ask_ns = 0, 0
        if held.is_done and not held.tasks:
            return
        if not held.is_accepted and not held.is_done:
            yield accepted(held, now_ns)
        if status.is_triggered and not held.is_triggered and not held.is_done:
            yield make_fact(held, Kind.ORDER_TRIGGERED, now_ns, quantity=held.quantity - held.filled, trigger=held.trigger)
        yield from self.converge_change(held, status, venue_ns, now_ns)
        yield from self.converge_terms(held, status, now_ns)
        if status.filled > held.filled:
            held.status = status
            held.ask_ns = now_ns + self.timing.reply_ns + self.timing.ask_again_ns
            yield Question(Ask.TRADES)
            return
        if held.skipped:
            yield Question(Ask.QUERY)
            return
        held.is_stale = False
        if not status.is_open and not held.is_done:
            yield make_fact(held, Kind.ORDER_CANCELLED, now_ns, quantity=held.quantity - held.filled, reject=status.reject)
        yield from self.converge_cancel(held, status, now_ns)

    def converge_change(self, held: Held, status: OrderStatus, venue_ns: int, now_ns: int) -> Iterator[Step]:
        """A change that was not answered is in the order's status, or, past its window, was never taken."""
        task = held.tasks[0] if held.tasks else None
        if task is None or task.ask is not Ask.AMEND or task.timestamp_ns == 0:
            return
        row = np.frombuffer(task.fact, FACT_DTYPE)[0]
        trigger = int(row["trigger"]) or status.trigger  # 0: as it is, and the venue moves one that follows the price
        is_as_asked = (status.price, status.trigger) == (int(row["price"]), trigger)
        # a venue makes orders smaller by itself and never larger: one that has grown was changed, and then made smaller
        is_size_asked = status.quantity == int(row["quantity"]) or held.quantity < status.quantity < int(row["quantity"])
        if is_as_asked and is_size_asked and not held.is_done:
            yield on_terms(held, status, now_ns, cause=int(row["cause"]))
        elif held.is_done or not status.is_open or venue_ns > task.deadline_ns + self.capabilities.margin_ns:
            yield refusal(task, held, Reject.VENUE_NOT_ACCEPTED, now_ns)
        else:
            held.ask_ns = now_ns + self.timing.ask_again_ns

    def converge_terms(self, held: Held, status: OrderStatus, now_ns: int) -> Iterator[Step]:
        """A venue makes an order smaller by itself, where it only reduces; that may have been missed."""
        is_asked = bool(held.tasks) and held.tasks[0].ask is Ask.AMEND and held.tasks[0].timestamp_ns > 0
        if not is_asked and not held.is_done and (status.price, status.quantity) != (held.price, held.quantity):
            yield on_terms(held, status, now_ns, reject=int(Reject.VENUE_REDUCE_ONLY))

    def converge_cancel(self, held: Held, status: OrderStatus, now_ns: int) -> Iterator[Step]:
        """A cancel whose order is still open is sent again; one whose order has ended otherwise came too late."""
        task = held.tasks[0] if held.tasks else None
        if task is None or task.ask is not Ask.CANCEL or task.timestamp_ns == 0:
            return
        if held.is_done:
            yield refusal(task, held, Reject.VENUE_ORDER_UNKNOWN, now_ns)
        elif status.is_open:
            yield SendAgain(task)

    # Not there

    def on_forgotten(self, held: Held, now_ns: int) -> Iterator[Step]:
        """The venue took it and knows it no more. Nothing is told of it, for nothing is known: it stays in our books, where the
        next round finds that it is in no other. A command that was on its way to it came too late.
        """
        task = held.tasks[0] if held.tasks else None
        if task is None:
            held.is_stale, held.ask_ns = False, 0
        elif task.timestamp_ns:
            yield refusal(task, held, Reject.VENUE_ORDER_UNKNOWN, now_ns)
            yield Question(Ask.QUERY)

    def on_not_found(self, held: Held, reply: VenueReply, is_subscribed: bool, now_ns: int) -> Iterator[Step]:
        """A step towards the proof that an order is not there; without the venue's clock past its window it is none."""
        if is_subscribed and self.may_be_absent(held, reply):
            held.proof = 1
            held.ask_ns = now_ns + self.timing.ask_again_ns + self.timing.reply_ns
            yield Question(Ask.OPEN)

    def may_be_absent(self, held: Held, reply: VenueReply) -> bool:
        """Whether that it was not found says anything."""
        is_late = reply.venue_ns > held.tasks[0].deadline_ns + self.capabilities.margin_ns
        return self.capabilities.proves_absence and is_late and self.is_remembered(held, reply)

    def is_remembered(self, held: Held, reply: VenueReply) -> bool:
        """Whether the venue would still tell of the order, however soon it had ended: not found may also mean forgotten."""
        taken_ns = held.tasks[0].timestamp_ns - self.capabilities.ahead_ns  # at the earliest
        return reply.forgotten_ns == 0 or reply.forgotten_ns < taken_ns

    def on_open(self, held: Held, reply: VenueReply, now_ns: int) -> Iterator[Step]:
        """The orders that are open at the venue, asked for because this one was not found."""
        found = [one for one in reply.orders if one.client_id == held.client_id]
        if found:
            yield from self.converge(held, found[0], reply.venue_ns, now_ns)
        else:
            held.proof = 2
            yield Question(Ask.TRADES, since_ns=held.tasks[0].timestamp_ns)

    def on_trades(self, held: Held, reply: VenueReply, now_ns: int) -> Iterator[Step]:
        """Its trades, each of which was told before."""
        if held.status is not None:
            status, held.status = held.status, None
            yield from self.converge(held, status, reply.venue_ns, now_ns)
        elif held.proof == 2 and not reply.facts and held.is_unknown and held.tasks:
            yield refusal(held.tasks[0], held, Reject.VENUE_NOT_ACCEPTED, now_ns)


def on_terms(held: Held, status: OrderStatus, now_ns: int, **slots: int) -> bytes:
    """That an order has the price, lots and trigger of its status."""
    terms = {"price": status.price, "quantity": status.quantity, "trigger": status.trigger}
    return make_fact(held, Kind.ORDER_AMENDED, now_ns, display=-1, **terms, **slots)
