"""A stop and its target travel to the venue by themselves, and what became of each is told by itself; the market does not wait.

The engine and the venue are at no distance but where a test holds something back. Ten lots are held beside what is guarded, so
that what only reduces finds something to reduce.
"""

from typing import ClassVar

import numpy as np
import pytest

from tests.core.test_guards import moved
from tests.core.test_live import Session
from tests.strategies.support import book, plan, row
from tradebot._core.types import FACT_DTYPE, Kind, OrderFlag, Reject
from tradebot.strategies.strategy import Strategy

LOT, HELD, GUARDED = 0.001, 10, 6
UNITS_PER_LOT, OPENING = 10**5, 10**9


class Two(Strategy):
    """Buys ten lots, then six that are guarded."""

    guards: ClassVar = {"stop_loss": 95.0, "take_profit": 110.0}
    asked = 0

    def on_trade(self, trade) -> None:
        self.asked += 1
        if self.asked == 1:
            self.buy(HELD * LOT)
        if self.asked == 2:
            self.buy(GUARDED * LOT, **self.guards)


class Bold(Two):
    guards: ClassVar = {"take_profit": 110.0}


class Legs(Session):
    """Between the kernel's commands and the venue, as a gateway is: each leg may be sent when the test wishes."""

    def __init__(self, strategy: type[Two] = Two) -> None:
        self.holds, self.legs = False, []
        super().__init__(plan(order_latency_ns=0, answer_latency_ns=0), [strategy({})])
        self.arrive(np.concatenate([*book(), row(1, Kind.TRADE, 201, 1)]))
        self.holds = True
        self.arrive(row(2, Kind.TRADE, 201, 1))

    def pass_on(self) -> None:
        if not self.holds:
            super().pass_on()
            return
        outputs = np.frombuffer(self.live.take()[2], FACT_DTYPE).copy()
        commands = outputs[outputs["kind"] >= Kind.PLACE_ORDER]
        self.legs += [one for one in commands if one["parent"]]
        self.venue.send(np.array([one for one in commands if not one["parent"]], FACT_DTYPE))

    def send(self, leg: np.void) -> None:
        self.venue.send(np.array([leg], FACT_DTYPE))
        self.venue.advance(self.live.kernel.time_ns)

    def told(self) -> list[np.void]:
        """What the venue has said since."""
        self.venue.take_markouts()
        return list(self.venue.take_answers())

    def tell(self, *answers: np.void) -> None:
        for one in answers:
            assert self.live.why_refused(one.tobytes()) is None
            self.live.arrive(one.tobytes())
        self.live.kernel.validate()

    def market(self, *rows: np.ndarray) -> None:
        """It goes on, and nobody hears of what that does to our orders yet."""
        facts = np.concatenate(rows)
        self.live.arrive(facts.tobytes())
        self.venue.market(facts)
        self.venue.advance(int(facts["time_ns"][-1]))

    @property
    def lots(self) -> int:
        """Those that are held by the books."""
        return (self.live.kernel.balances()[0][1] - OPENING) // UNITS_PER_LOT

    @property
    def is_over(self) -> bool:
        """No order is open, and no protection waits for anything."""
        return self.live.kernel.snapshot()[8] == [] and self.live.kernel.snapshot()[11] == []


def kinds(answers: list[np.void]) -> list[Kind]:
    return [Kind(int(one["kind"])) for one in answers]


FALL = [*moved(3, 94, 96, 1), row(3.5, Kind.TRADE, 188, 1)]
RISE = [*moved(5, 108, 111, 3), row(5.5, Kind.L3_ADD, 220, 500, 9), row(6, Kind.TRADE, 220, 5)]


def test_a_target_that_comes_when_its_stop_was_met_already_is_refused_and_closes_nothing_twice() -> None:
    legs = Legs()
    stop, target = legs.legs
    assert (int(stop["flags2"]) & OrderFlag.JOINS, int(target["flags2"]) & OrderFlag.JOINS) == (0, OrderFlag.JOINS)
    legs.market(*FALL)
    legs.send(stop)
    legs.send(target)
    answers = legs.told()
    assert kinds(answers) == [Kind.ORDER_ACCEPTED, Kind.ORDER_TRIGGERED, Kind.ORDER_FILLED, Kind.ORDER_REJECTED]
    assert (answers[-1]["id"], answers[-1]["reject"]) == (target["id"], Reject.VENUE_GROUP_DONE)
    legs.tell(*answers)
    legs.market(*RISE)
    assert legs.told() == [] and legs.lots == HELD and legs.is_over


def test_a_target_without_a_stop_joins_nobody() -> None:
    legs = Legs(Bold)
    (target,) = legs.legs
    legs.send(target)
    assert kinds(legs.told()) == [Kind.ORDER_ACCEPTED]


def test_at_a_venue_that_knows_no_groups_a_fill_of_both_is_in_the_books_all_the_same() -> None:
    """The second fill has happened, whatever we had expected: one that is not taken in is lost."""
    legs = Legs()
    stop, target = legs.legs
    target["flags2"] = int(target["flags2"]) & ~OrderFlag.JOINS
    legs.market(*FALL)
    legs.send(stop)
    legs.send(target)
    legs.tell(*legs.told())
    assert legs.lots == HELD
    legs.market(*RISE)
    answers = legs.told()
    assert kinds(answers) == [Kind.ORDER_FILLED] and answers[0]["quantity"] == GUARDED
    legs.tell(*answers)
    assert legs.lots == HELD - GUARDED and legs.is_over


@pytest.mark.parametrize("first", ["stop", "target"])
def test_what_both_closed_is_in_the_books_whichever_is_told_first(first: str) -> None:
    """The target closes some, then the stop the rest; after a loss of the stream each order is asked for by itself."""
    legs = Legs()
    stop, target = legs.legs
    legs.send(stop)
    legs.send(target)
    legs.tell(*legs.told())
    legs.market(*moved(3, 108, 111, 1), row(3.5, Kind.L3_ADD, 220, 2, 9), row(4, Kind.TRADE, 220, 5))
    legs.market(*moved(5, 94, 96, 3), row(5.5, Kind.TRADE, 188, 1))
    answers = legs.told()
    of_stop, of_target = ([one for one in answers if one["id"] == leg["id"]] for leg in (stop, target))
    assert sum(int(one["quantity"]) for one in answers if one["kind"] == Kind.ORDER_FILLED) == GUARDED
    assert kinds(of_target) == [Kind.ORDER_FILLED, Kind.ORDER_CANCELLED]
    assert kinds(of_stop) == [Kind.ORDER_TRIGGERED, Kind.ORDER_FILLED]
    legs.tell(*(of_stop + of_target if first == "stop" else of_target + of_stop))
    assert legs.lots == HELD and legs.is_over
    assert len(legs.legs) == 2, "nothing is guarded anew"
