"""What became of an order is found out a step at a time, and only what proves something is told."""

import numpy as np

from tradebot._core.types import FACT_DTYPE, Kind, Reject
from tradebot.domain.venue import OK, UNKNOWN_ORDER, Ask, Capabilities, OrderStatus, VenueReply
from tradebot.execution.convergence import Convergence, Question, SendAgain, Step
from tradebot.execution.held import Held, Task, hold, take
from tradebot.execution.timing import Timing

TRIED_NS, WINDOW_NS = 1_000, 500
OPEN = OrderStatus(7, True, False, 100, 2, 0, 0, 0)


def command(kind: Kind, **slots: int) -> bytes:
    fact = np.zeros(1, FACT_DTYPE)
    fact["kind"], fact["id"], fact["price"], fact["quantity"] = kind, 7, 100, 2
    for name, value in slots.items():
        fact[name] = value
    return fact.tobytes()


def tried(ask: Ask, kind: Kind, is_accepted: bool, **slots: int) -> Held:
    held = hold(command(Kind.PLACE_ORDER))
    held.is_accepted = is_accepted
    held.tasks.append(Task(1, ask, command(kind, **slots), TRIED_NS, WINDOW_NS))
    return held


def steps(held: Held, reply: VenueReply, which: str = "on_status", **settings: int | bool) -> list[str | Question | SendAgain]:
    """Facts by the name of their kind, taken in as the gateway does before the next step."""
    convergence = Convergence(Capabilities(margin_ns=0, ahead_ns=0, **settings), Timing())  # type: ignore[arg-type]
    words = (True,) if which == "on_status" else ()
    return [said(held, one) for one in getattr(convergence, which)(held, reply, *words, 5_000)]


def said(held: Held, step: Step) -> str | Question | SendAgain:
    if not isinstance(step, bytes):
        return step
    row = np.frombuffer(step, FACT_DTYPE)[0]
    take(held, row)
    reject = int(row["reject"])
    return Kind(int(row["kind"])).name + (f" {Reject(reject).name}" if reject else "")


def not_found(venue_ns: int, forgotten_ns: int = 0) -> VenueReply:
    return VenueReply(1, 9, UNKNOWN_ORDER, venue_ns, forgotten_ns=forgotten_ns)


def test_not_found_says_nothing_until_the_venues_clock_is_past_the_window() -> None:
    held = tried(Ask.PLACE, Kind.PLACE_ORDER, is_accepted=False)
    assert steps(held, not_found(TRIED_NS + WINDOW_NS)) == [] and held.proof == 0
    assert steps(held, not_found(TRIED_NS + WINDOW_NS + 1)) == [Question(Ask.OPEN)] and held.proof == 1
    assert steps(held, VenueReply(1, 9, OK, 0), "on_open") == [Question(Ask.TRADES, since_ns=TRIED_NS)]
    assert steps(held, VenueReply(1, 9, OK, 0), "on_trades") == ["ORDER_REJECTED VENUE_NOT_ACCEPTED"]


def test_a_venue_that_may_have_forgotten_it_or_proves_no_absence_proves_nothing() -> None:
    held = tried(Ask.PLACE, Kind.PLACE_ORDER, is_accepted=False)
    assert steps(held, not_found(9_000, forgotten_ns=TRIED_NS)) == []
    assert steps(held, not_found(9_000), proves_absence=False) == []
    assert steps(held, not_found(9_000, forgotten_ns=TRIED_NS - 1)) == [Question(Ask.OPEN)]


def test_one_that_is_open_after_all_is_told_as_accepted() -> None:
    held = tried(Ask.PLACE, Kind.PLACE_ORDER, is_accepted=False)
    held.proof = 1
    assert steps(held, VenueReply(1, 9, OK, 0, orders=[OPEN]), "on_open") == ["ORDER_ACCEPTED"] and held.proof == 0


def test_trades_are_asked_for_before_an_end_is_told() -> None:
    held = tried(Ask.PLACE, Kind.PLACE_ORDER, is_accepted=True)
    ended = OrderStatus(7, False, False, 100, 2, 1, 0, 0)
    assert steps(held, VenueReply(1, 9, OK, 0, orders=[ended])) == [Question(Ask.TRADES)] and held.status == ended
    held.filled = 1
    assert steps(held, VenueReply(1, 9, OK, 0), "on_trades") == ["ORDER_CANCELLED"]


def test_a_cancel_is_sent_again_and_a_change_never() -> None:
    reply = VenueReply(1, 9, OK, TRIED_NS, orders=[OPEN])
    held = tried(Ask.CANCEL, Kind.CANCEL_ORDER, is_accepted=True)
    assert steps(held, reply) == [SendAgain(held.tasks[0])]
    held = tried(Ask.AMEND, Kind.AMEND_ORDER, is_accepted=True, price=101)
    assert steps(held, reply) == [] and held.ask_ns > 0, "it may still come"
    late = VenueReply(1, 9, OK, TRIED_NS + WINDOW_NS + 1, orders=[OPEN])
    assert steps(held, late) == ["AMEND_REJECTED VENUE_NOT_ACCEPTED"]
    held = tried(Ask.AMEND, Kind.AMEND_ORDER, is_accepted=True, price=101)
    moved = OrderStatus(7, True, False, 101, 2, 0, 0, 0)
    assert steps(held, VenueReply(1, 9, OK, TRIED_NS, orders=[moved])) == ["ORDER_AMENDED"] and held.price == 101


def test_an_answer_of_before_a_change_is_not_believed() -> None:
    held = tried(Ask.AMEND, Kind.AMEND_ORDER, is_accepted=True, price=101)
    held.old_upto = 9
    assert steps(held, VenueReply(1, 9, OK, 9_000, orders=[OPEN])) == []
    assert steps(held, not_found(9_000)) == []


def test_an_accepted_order_that_is_forgotten_is_told_of_by_nothing_and_its_cancel_came_too_late() -> None:
    held = hold(command(Kind.PLACE_ORDER))
    held.is_accepted = held.is_stale = True
    held.ask_ns = 5
    assert steps(held, not_found(9_000)) == [] and not held.is_stale and held.ask_ns == 0 and not held.is_done
    held = tried(Ask.CANCEL, Kind.CANCEL_ORDER, is_accepted=True)
    assert steps(held, not_found(9_000)) == ["CANCEL_REJECTED VENUE_ORDER_UNKNOWN", Question(Ask.QUERY)]
