"""Stops, trailing stops and targets at bar grade, rule by rule in worked numbers; then a run with guards of the engine's own."""

import numpy as np
import pytest

from tests.core.price_support import GTC, IOC, answers, bar, graded, run_over, trade, venue_of
from tests.reference.price_simulator import BUY, SELL
from tests.support import SECOND, START, place
from tradebot._core.simulator import Simulator
from tradebot._core.types import Flag, Kind, OrderFlag, OrderType, Reject
from tradebot.engine.plan import Grade
from tradebot.engine.ports import Records
from tradebot.strategies.strategy import Strategy

FILLED, CANCELLED, TRIGGERED = int(Kind.ORDER_FILLED), int(Kind.ORDER_CANCELLED), int(Kind.ORDER_TRIGGERED)
STOP, TARGET, TRAILING = OrderType.STOP, OrderType.TAKE_PROFIT, OrderType.TRAILING_STOP
DONE = int(Reject.VENUE_GROUP_DONE)


def guard(
    time_ns: int, order_id: int, kind: int, trigger: int, lots: int = 4, side: int = SELL, parent: int = 0, trail: int = 0,
    flags: int = 0, price: int = 1,
) -> Records:
    order = place(time_ns, order_id, side, price, lots, IOC)
    order["order_type"], order["trigger"], order["display"], order["parent"] = kind, trigger, trail, parent
    order["owner"], order["flags2"] = 0, int(Flag.CONT) | flags
    order["time_in_force"] = GTC if kind == OrderType.STOP_LIMIT else IOC
    return order


def opened(venue: Simulator, one: Records) -> None:
    """A bar opens, and what arrives at that instant is taken."""
    venue.open(one)
    venue.advance(int(one["venue_ns"][0]))


def whole(venue: Simulator, one: Records) -> None:
    opened(venue, one)
    venue.market(one)


def fills(venue: Simulator) -> list[tuple[int, ...]]:
    """(order id, price, lots)."""
    return [one[1:4] for one in answers(venue) if one[0] == FILLED]


def watching(*orders: Records) -> Simulator:
    """A venue whose last price is 1,000, with orders that were sent before the next bar."""
    venue = venue_of(Grade.BARS)
    whole(venue, bar(0, 1_000, 1_000, 1_000, 1_000, 100))
    for order in orders:
        venue.send(order)
    venue.advance(START + SECOND - 1)
    return venue


@pytest.mark.parametrize(
    ("side", "trigger", "low", "high", "paid"), [(SELL, 960, 950, 1_000, 959), (BUY, 1_040, 1_000, 1_050, 1_042)]
)
def test_a_stop_inside_the_range_fills_at_its_trigger_less_costs(side: int, trigger: int, low: int, high: int, paid: int) -> None:
    """0.1 % beyond 960 is a tick, beyond 1,040 two: rounded against us."""
    venue = watching(guard(START + 1, 1, STOP, trigger, side=side))
    opened(venue, bar(1, 1_000, high, low, 1_000, 100))
    assert fills(venue) == []
    venue.market(bar(1, 1_000, high, low, 1_000, 100))
    told = venue.take_answers()
    assert [int(one) for one in told["kind"]] == [TRIGGERED, FILLED]
    assert (told["price"][1], told["quantity"][1]) == (paid, 4)


def test_a_stop_that_the_bar_opens_beyond_fills_at_the_open() -> None:
    venue = watching(guard(START + 1, 1, STOP, 960))
    opened(venue, bar(1, 930, 1_000, 900, 1_000, 100))
    assert fills(venue) == [(1, 929, 4)]


def test_a_target_fills_at_its_trigger_and_never_better() -> None:
    for one in (bar(1, 1_000, 1_060, 990, 1_000, 100), bar(1, 1_080, 1_090, 1_070, 1_080, 100)):
        venue = watching(guard(START + 1, 1, TARGET, 1_050))
        whole(venue, one)
        assert fills(venue) == [(1, 1_048, 4)]


def test_a_guard_takes_a_tenth_of_the_volume_and_goes_on_at_the_next_open() -> None:
    venue = watching(guard(START + 1, 1, STOP, 960, lots=15))
    whole(venue, bar(1, 1_000, 1_000, 950, 955, 100))
    opened(venue, bar(2, 940, 960, 940, 950, 100))
    assert fills(venue) == [(1, 959, 10), (1, 939, 5)]


def test_a_guard_is_paid_however_far_the_price_has_gone() -> None:
    venue = watching(guard(START + 1, 1, STOP, 960, price=950))
    opened(venue, bar(1, 500, 500, 500, 500, 100))
    assert fills(venue) == [(1, 499, 4)]


def test_of_a_stop_and_a_target_in_one_bar_the_stop_comes_first_and_the_difference_is_kept() -> None:
    """Sold at 959 instead of 1,048, four lots: 356 units and a fee of 1 more on the larger sum, rounded up."""
    venue = watching(guard(START + 1, 1, STOP, 960, parent=9), guard(START + 1, 2, TARGET, 1_050, parent=9))
    whole(venue, bar(1, 1_000, 1_060, 950, 1_000, 100))
    assert answers(venue)[1:] == [(CANCELLED, 2, 1, 4, 0, DONE), (FILLED, 1, 959, 4, 0, 0)]
    (doubt,) = venue.doubts()
    assert (doubt["stop"], doubt["target"], doubt["lots"], doubt["known"]) == (1, 2, 4, 0)
    assert (doubt["stop_price"], doubt["target_price"]) == (959, 1_048)
    fees = [-(-price * 4 * 200_000 // 10**8) for price in (959, 1_048)]
    assert doubt["difference"] == (1_048 - 959) * 4 - (fees[1] - fees[0])


def test_a_bar_that_reached_one_of_the_two_leaves_no_doubt() -> None:
    for one in (bar(1, 1_000, 1_040, 950, 1_000, 100), bar(1, 1_000, 1_060, 970, 1_000, 100)):
        venue = watching(guard(START + 1, 1, STOP, 960, parent=9), guard(START + 1, 2, TARGET, 1_050, parent=9))
        whole(venue, one)
        assert len(fills(venue)) == 1 and len(venue.doubts()) == 0


@pytest.mark.parametrize(("prices", "filled"), [((1_050, 955), (2, 1_048, 4)), ((955, 1_050), (1, 954, 4))])
def test_stored_trades_of_the_bar_tell_which_came_first(prices: tuple[int, int], filled: tuple[int, ...]) -> None:
    venue = watching(guard(START + 1, 1, STOP, 960, parent=9), guard(START + 1, 2, TARGET, 1_050, parent=9))
    one = bar(1, 1_000, 1_060, 950, 1_000, 100)
    opened(venue, one)
    for at, price in enumerate(prices, 1):
        venue.market(trade(START + SECOND + at, price, 1))
    venue.market(one)
    assert fills(venue) == [filled]
    (doubt,) = venue.doubts()
    assert (doubt["stop"], doubt["target"], doubt["known"], doubt["difference"]) == (1, 2, 1, 0)


@pytest.mark.parametrize(("prices", "filled"), [((1_051, 955), (2, 1_050, 4)), ((955, 1_051), (1, 954, 4))])
def test_a_limit_that_is_the_target_is_told_apart_in_the_same_way(prices: tuple[int, int], filled: tuple[int, ...]) -> None:
    target = place(START + 1, 2, SELL, 1_050, 4)
    target["parent"], target["owner"] = 9, 0
    one = bar(1, 1_000, 1_060, 950, 1_000, 100)
    venue = watching(guard(START + 1, 1, STOP, 960, parent=9), target)
    whole(venue, one)
    (doubt,) = venue.doubts()
    assert fills(venue) == [(1, 959, 4)] and (doubt["target_price"], doubt["known"]) == (1_050, 0)
    venue = watching(guard(START + 1, 1, STOP, 960, parent=9), target)
    opened(venue, one)
    for at, price in enumerate(prices, 1):
        venue.market(trade(START + SECOND + at, price, 1))
    venue.market(one)
    (doubt,) = venue.doubts()
    assert fills(venue) == [filled] and (doubt["stop"], doubt["target"], doubt["known"], doubt["difference"]) == (1, 2, 1, 0)


def test_trades_from_before_the_guard_came_do_not_meet_it() -> None:
    venue = watching()
    one = bar(1, 1_000, 1_000, 950, 1_000, 100)
    opened(venue, one)
    venue.send(guard(START + SECOND + 1, 2, TARGET, 1_200))
    venue.advance(START + SECOND + 1)
    venue.market(trade(START + SECOND + 2, 950, 1))
    venue.send(guard(START + SECOND + 3, 1, STOP, 960))
    venue.advance(START + SECOND + 3)
    venue.market(trade(START + SECOND + 4, 970, 1))
    venue.market(one)
    assert fills(venue) == []


def test_a_stop_that_came_within_the_bar_counts_for_all_of_it_and_a_target_for_none() -> None:
    for kind, trigger, count in ((STOP, 960, 1), (TARGET, 1_050, 0)):
        venue = watching()
        one = bar(1, 1_000, 1_060, 950, 1_000, 100)
        opened(venue, one)
        venue.send(guard(START + SECOND + 1, 1, kind, trigger))
        venue.market(one)
        assert len(fills(venue)) == count


def test_a_target_that_guards_an_entry_counts_in_the_bar_of_the_entry() -> None:
    venue = watching()
    one = bar(1, 1_000, 1_060, 980, 1_000, 100)
    opened(venue, one)
    venue.send(guard(START + SECOND + 1, 1, TARGET, 1_050, parent=9))
    venue.market(one)
    assert fills(venue) == [(1, 1_048, 4)]


def test_a_trailing_stop_is_held_against_the_low_then_follows_the_high_then_meets_the_close() -> None:
    """Ten behind: from 990 the low of 991 does not meet it; it follows to 1,020 and the close of 1,015 meets that."""
    venue = watching(guard(START + 1, 1, TRAILING, 990, trail=10))
    whole(venue, bar(1, 1_000, 1_030, 991, 1_025, 100))
    assert fills(venue) == []
    whole(venue, bar(2, 1_025, 1_035, 1_021, 1_022, 100))
    assert fills(venue) == [(1, 1_023, 4)]


def test_trades_move_a_trailing_stop_in_their_order() -> None:
    venue = watching(guard(START + 1, 1, TRAILING, 990, trail=10))
    one = bar(1, 1_000, 1_030, 991, 1_010, 100)
    opened(venue, one)
    for at, price in enumerate((991, 1_030, 1_019), 1):
        venue.market(trade(START + SECOND + at, price, 1))
    venue.market(one)
    assert fills(venue) == [(1, 1_017, 4)]


def test_a_stop_with_a_limit_rests_once_it_is_met_and_fills_in_a_later_bar() -> None:
    venue = watching(guard(START + 1, 1, OrderType.STOP_LIMIT, 960, price=955))
    whole(venue, bar(1, 1_000, 1_000, 950, 952, 100))
    assert fills(venue) == []
    whole(venue, bar(2, 952, 960, 950, 955, 100))
    assert fills(venue) == [(1, 955, 4)]


def test_an_order_that_only_reduces_ends_where_there_is_nothing_to_reduce() -> None:
    venue = watching(guard(START + 1, 1, STOP, 960, flags=int(OrderFlag.REDUCE_ONLY)))
    whole(venue, bar(1, 1_000, 1_000, 950, 952, 100))
    assert [one for one in answers(venue) if one[0] == CANCELLED] == [(CANCELLED, 1, 1, 4, 0, Reject.VENUE_REDUCE_ONLY)]


def test_at_trade_grade_a_stop_is_met_by_a_trade_and_fills_at_the_next() -> None:
    venue = venue_of(Grade.TRADES)
    venue.market(trade(START, 1_000, 9))
    venue.send(guard(START + 1, 1, STOP, 960))
    for at, price in enumerate((980, 955, 950, 940), 2):
        venue.market(trade(START + at, price, 3))
    assert fills(venue) == [(1, 949, 3), (1, 939, 1)]


class Bracket(Strategy):
    """Enters once, with a stop and a target."""

    exits: tuple[float, ...] = ()

    def on_start(self) -> None:
        self.bars("1s")

    def on_bar(self, bar) -> None:
        if bar.open_ns == START:
            self.buy(0.004, stop_loss=480.0, take_profit=525.0)

    def on_fill(self, fill) -> None:
        if fill.is_sell:
            self.exits = (*self.exits, fill.price)


@pytest.mark.parametrize(("high", "low", "exit_price", "doubts"), [(1_060, 950, 479.5, 1), (1_060, 970, 525.0, 0)])
def test_the_engines_own_guards_of_an_entry_work_at_bar_grade(high: int, low: int, exit_price: float, doubts: int) -> None:
    """Entry at the open of the second bar; the third reaches the stop at 960 ticks, the target at 1,050, or both."""
    bars = [bar(0, 1_000, 1_000, 1_000, 1_000, 100), bar(1, 1_000, 1_001, 999, 1_000, 100), bar(2, 1_000, high, low, 1_000, 100)]
    strategy = Bracket()
    merge, _ = run_over(strategy, np.concatenate([*bars, bar(3, 1_000, 1_000, 1_000, 1_000, 100)]), graded(Grade.BARS))
    assert strategy.exits == (exit_price,)
    assert len(merge.simulator.doubts()) == doubts
