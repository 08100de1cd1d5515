"""The simulated venue in lock-step with a naive one, answer by answer and byte by byte, then its rules one by one.

The streams are of two sorts: a consistent flow, as a venue publishes it, and a wild one, in which anything is said of any order.
"""

import os
import random
from collections.abc import Iterator
from fractions import Fraction
from functools import partial

import numpy as np
import pytest

from tests.core.lockstep import Guarded, Ours, check_alike
from tests.core.test_book import ADD, BUY, CHANGE, DELETE, EXECUTE, SELL, record
from tests.reference.simulator import ReferenceSimulator
from tests.support import MS, Flow, cancel, constant, records
from tests.support import place as order
from tradebot._core.simulator import Simulator
from tradebot._core.types import FACT_DTYPE, Flag, Kind, Reject, TimeInForce

FULL = os.environ.get("TRADEBOT_FULL") == "1"
FEES = (300_000, 400_000)
REBATE = (-25_000, 75_000)
# (value, base value): money units of quote per tick and lot, of base per lot.
TERMS = {
    "whole": (Fraction(1), Fraction(1)),
    "broken": (Fraction(7, 3), Fraction(5, 2)),
}


def make(
    order_ns: int = 0, answer_ns: int = 0, fees: tuple[int, int] = FEES, in_base: bool = False, terms: str = "whole"
) -> Simulator:
    value, base = TERMS[terms]
    ratios = (value.numerator, value.denominator, base.numerator, base.denominator)
    return Simulator([(1, 0, 1, 1, 1, 1, 1, *ratios, 0, 0)], constant(order_ns), constant(answer_ns), *fees, in_base)


def event(
    time_ns: int, kind: int, order_id: int, side: int = BUY, price: int = 0, quantity: int = 0, flags: int = 0, id2: int = 0
) -> np.ndarray:
    row = record(kind, order_id, side, price, quantity, flags)
    row["instrument"], row["time_ns"], row["venue_ns"], row["id2"] = 1, time_ns, time_ns, id2
    return row


def consistent(chance: random.Random) -> Iterator[np.ndarray]:
    """A market as a venue would publish it."""
    rows = records(list(Flow(chance.randrange(10**6), gap_ns=4).rows(1_500)))
    for at in range(len(rows)):
        yield rows[at : at + 1]


def wild(chance: random.Random) -> Iterator[np.ndarray]:
    """Anything of any order: executions out of turn, changes of price, sizes beyond what is there, snapshots, voids."""
    live: dict[int, tuple[int, int]] = {}
    now = 1_000
    for next_id in range(1, 1_501):
        now += chance.randrange(0, 4)
        draw, void = chance.random(), Flag.VOID if chance.random() < 0.02 else 0
        if draw < 0.5 or not live:
            side, away = chance.randrange(2), chance.randrange(-2, 8)
            price = 1_000 - away if side == BUY else 1_000 + away
            live[next_id] = (side, price)
            yield event(now, ADD, next_id, side, price, chance.randrange(0, 9), void)
        elif draw < 0.99:
            order_id = chance.choice(list(live))
            side, price = live[order_id]
            kind = EXECUTE if draw < 0.72 else CHANGE if draw < 0.85 else DELETE
            yield event(now, kind, order_id, side, price + chance.choice((0, 0, 0, 1)), chance.randrange(0, 9), void, next_id)
        else:
            live = {next_id: (BUY, 995)}
            yield event(now, ADD, next_id, BUY, 995, 5, Flag.SNAPSHOT | Flag.BEGIN | Flag.LAST)


def alike(seed: int, market: Iterator[np.ndarray], chance: random.Random, sort: type[Ours] = Ours) -> int:
    """Both venues over one market, at latencies, fees and terms of chance; returns how many fills both told of."""
    order_ns, answer_ns = chance.choice([(0, 0), (3, 5), (40, 20), (2_000, 1)])
    fees, in_base, terms = chance.choice((FEES, REBATE, (0, 0))), chance.random() < 0.5, chance.choice(list(TERMS))
    reference = ReferenceSimulator(order_ns, answer_ns, *fees, in_base, *TERMS[terms])
    build = partial(make, order_ns, answer_ns, fees, in_base, terms)
    return check_alike(seed, market, chance, sort(chance, 1_000), reference, build)


def told(market: Iterator[np.ndarray], chance: random.Random) -> Iterator[np.ndarray]:
    """A market with trades and mark prices told beside its orders, at the same instants and between them."""
    for row in market:
        yield row
        if chance.random() < 0.2:
            kind = Kind.MARK if chance.random() < 0.3 else Kind.TRADE
            price, lots = 1_000 + chance.randrange(-5, 6), chance.randrange(1, 9)
            yield event(int(row["venue_ns"][0]), kind, 0, chance.randrange(2), price, lots)


@pytest.mark.parametrize("sort", [consistent, wild])
@pytest.mark.parametrize("seed", range(150 if FULL else 6))
def test_both_venues_answer_alike(sort, seed: int) -> None:
    chance = random.Random(seed)
    assert alike(seed, sort(chance), chance) > 5  # fills: a quiet seed has ten


@pytest.mark.parametrize("sort", [consistent, wild])
@pytest.mark.parametrize("seed", range(300 if FULL else 8))
def test_both_venues_answer_alike_to_orders_of_every_type(sort, seed: int) -> None:
    chance = random.Random(seed)
    assert alike(seed, told(sort(chance), chance), chance, Guarded) > 5


def kinds(simulator: Simulator) -> list[tuple[int, int, int]]:
    return [(int(one["kind"]), int(one["price"]), int(one["quantity"])) for one in simulator.take_answers()]


def test_our_order_waits_for_what_was_there_first() -> None:
    venue = make()
    venue.market(event(1, ADD, 1, BUY, 100, 5))
    venue.send(order(2, 77, BUY, 100, 4))
    venue.advance(2)
    venue.market(event(3, ADD, 2, BUY, 100, 5))
    assert venue.resting(0, BUY) == [(77, 100, 4, 5)]
    venue.market(event(4, EXECUTE, 1, BUY, 100, 5))
    assert kinds(venue) == [(Kind.ORDER_ACCEPTED, 100, 4)]
    venue.market(event(5, EXECUTE, 2, BUY, 100, 3))
    assert kinds(venue) == [(Kind.ORDER_FILLED, 100, 3)]
    assert venue.resting(0, BUY) == [(77, 100, 1, 0)]


def test_a_cancel_ahead_moves_us_up_without_a_fill() -> None:
    venue = make()
    venue.market(event(1, ADD, 1, SELL, 100, 5))
    venue.send(order(2, 77, SELL, 100, 4))
    venue.advance(2)
    venue.market(event(3, DELETE, 1, SELL, 100))
    assert kinds(venue) == [(Kind.ORDER_ACCEPTED, 100, 4)]
    assert venue.resting(0, SELL) == [(77, 100, 4, 0)]


def test_what_we_took_stays_taken() -> None:
    venue = make()
    venue.market(event(1, ADD, 1, SELL, 100, 5))
    for number in (77, 78):
        venue.send(order(2, number, BUY, 100, 4, TimeInForce.IOC))
    venue.advance(2)
    filled = [(int(one["id"]), int(one["quantity"])) for one in venue.take_answers() if one["kind"] == Kind.ORDER_FILLED]
    assert filled == [(77, 4), (78, 1)]


def test_an_order_that_would_meet_our_own_is_ended_by_the_venue() -> None:
    venue = make()
    venue.send(order(1, 77, SELL, 100, 4))
    venue.send(order(2, 78, BUY, 101, 4))
    venue.advance(2)
    last = venue.take_answers()[-1]
    assert (last["kind"], last["id"], last["reject"]) == (Kind.ORDER_CANCELLED, 78, Reject.VENUE_SELF_TRADE)


def test_a_cancel_of_a_filled_order_is_refused() -> None:
    venue = make()
    venue.market(event(1, ADD, 1, SELL, 100, 5))
    venue.send(order(2, 77, BUY, 100, 5))
    venue.send(cancel(3, 77))
    venue.advance(3)
    last = venue.take_answers()[-1]
    assert (last["kind"], last["reject"]) == (Kind.CANCEL_REJECTED, Reject.VENUE_ORDER_UNKNOWN)


def test_the_venue_sees_the_recorded_event_of_an_instant_before_our_order() -> None:
    venue = make()
    venue.send(order(5, 77, BUY, 100, 1, TimeInForce.IOC))
    venue.market(event(5, ADD, 1, SELL, 100, 5))
    venue.advance(5)
    assert [kind for kind, _, _ in kinds(venue)] == [Kind.ORDER_ACCEPTED, Kind.ORDER_FILLED]


def answers(venue: Simulator, kind: int) -> np.ndarray:
    found = venue.take_answers()
    return found[found["kind"] == kind]


def filled(venue: Simulator) -> list[tuple[int, int, int]]:
    return [(int(one["id"]), int(one["price"]), int(one["quantity"])) for one in answers(venue, Kind.ORDER_FILLED)]


def ladder(side: int = SELL) -> Simulator:
    """5 lots at 100, 5 at 101 or 99, by orders 1 and 2."""
    venue = make()
    venue.market(event(1, ADD, 1, side, 100, 5))
    venue.market(event(1, ADD, 2, side, 101 if side == SELL else 99, 5))
    return venue


def put(venue: Simulator, time_ns: int, *place: int) -> None:
    venue.send(order(time_ns, *place))
    venue.advance(time_ns)


def test_a_limit_takes_what_it_reaches_and_rests_with_what_is_left() -> None:
    venue = ladder()
    put(venue, 2, 77, BUY, 100, 8)
    assert filled(venue) == [(77, 100, 5)]
    assert venue.resting(0, BUY) == [(77, 100, 3, 0)]


@pytest.mark.parametrize(("side", "limit", "prices"), [(BUY, 101, (100, 101)), (SELL, 99, (100, 99))])
def test_an_order_meets_better_prices_first(side: int, limit: int, prices: tuple[int, int]) -> None:
    venue = ladder(1 - side)
    put(venue, 2, 77, side, limit, 8)
    assert filled(venue) == [(77, prices[0], 5), (77, prices[1], 3)]


def test_an_ioc_takes_what_is_there_and_the_rest_is_cancelled() -> None:
    venue = ladder()
    put(venue, 2, 77, BUY, 100, 8, TimeInForce.IOC)
    found = venue.take_answers()
    assert found["kind"].tolist() == [Kind.ORDER_ACCEPTED, Kind.ORDER_FILLED, Kind.ORDER_CANCELLED]
    assert (found[2]["quantity"], found[2]["reject"]) == (3, Reject.VENUE_NO_LIQUIDITY)
    assert venue.resting(0, BUY) == []


def test_an_ioc_with_nothing_in_reach_is_accepted_and_cancelled() -> None:
    venue = ladder()
    put(venue, 2, 77, BUY, 99, 8, TimeInForce.IOC)
    assert venue.take_answers()["kind"].tolist() == [Kind.ORDER_ACCEPTED, Kind.ORDER_CANCELLED]


@pytest.mark.parametrize(("lots", "fills"), [(10, 2), (11, 0)])
def test_a_fok_fills_whole_or_not_at_all(lots: int, fills: int) -> None:
    venue = ladder()
    put(venue, 2, 77, BUY, 101, lots, TimeInForce.FOK)
    found = venue.take_answers()
    assert np.count_nonzero(found["kind"] == Kind.ORDER_FILLED) == fills
    assert found[-1]["reject"] == (0 if fills else Reject.VENUE_FILL_OR_KILL_UNFILLED)
    assert venue.resting(0, BUY) == []


@pytest.mark.parametrize(("price", "kind"), [(99, Kind.ORDER_ACCEPTED), (100, Kind.ORDER_REJECTED)])
def test_a_post_only_order_rests_or_is_refused(price: int, kind: int) -> None:
    venue = ladder()
    put(venue, 2, 77, BUY, price, 3, TimeInForce.POST_ONLY)
    assert venue.take_answers()["kind"].tolist() == [kind]
    assert len(venue.resting(0, BUY)) == (kind == Kind.ORDER_ACCEPTED)


def test_a_post_only_order_that_would_meet_our_own_is_refused() -> None:
    venue = make()
    put(venue, 1, 77, SELL, 100, 4)
    put(venue, 2, 78, BUY, 100, 4, TimeInForce.POST_ONLY)
    assert venue.take_answers()[-1]["reject"] == Reject.VENUE_POST_ONLY_WOULD_TAKE


def test_an_order_takes_what_lies_before_our_own_and_is_ended_there() -> None:
    venue = ladder()
    put(venue, 2, 77, SELL, 101, 4)
    put(venue, 3, 78, BUY, 105, 20)
    found = venue.take_answers()
    assert [(int(one["id"]), int(one["kind"]), int(one["quantity"])) for one in found[1:]] == [
        (78, Kind.ORDER_ACCEPTED, 20), (78, Kind.ORDER_FILLED, 5), (78, Kind.ORDER_CANCELLED, 15),
    ]  # fmt: skip
    assert found[-1]["reject"] == Reject.VENUE_SELF_TRADE
    assert venue.resting(0, SELL) == [(77, 101, 4, 5)]


def test_the_lots_ahead_are_told_at_acceptance_and_before_each_fill() -> None:
    venue = make()
    venue.market(event(1, ADD, 1, BUY, 100, 5))
    venue.market(event(1, ADD, 2, BUY, 100, 2))
    put(venue, 2, 77, BUY, 100, 4)
    assert answers(venue, Kind.ORDER_ACCEPTED)["display"].tolist() == [7]
    venue.market(event(3, ADD, 3, BUY, 100, 9))
    venue.market(event(4, DELETE, 1, BUY, 100))
    venue.market(event(5, CHANGE, 2, BUY, 100, 1))
    assert venue.resting(0, BUY) == [(77, 100, 4, 1)]
    venue.market(event(6, EXECUTE, 3, BUY, 100, 1))
    fill = answers(venue, Kind.ORDER_FILLED)[0]
    assert (fill["display"], fill["parent"], fill["quantity"]) == (1, 3, 1)


def test_an_order_that_grows_ahead_of_us_goes_behind_us() -> None:
    venue = make()
    venue.market(event(1, ADD, 1, BUY, 100, 5))
    put(venue, 2, 77, BUY, 100, 4)
    venue.market(event(3, CHANGE, 1, BUY, 100, 6))
    assert venue.resting(0, BUY) == [(77, 100, 4, 0)]


@pytest.mark.parametrize(("price", "lots"), [(100, 0), (101, 3)])
def test_an_execution_at_a_price_fills_better_ones_and_not_those_behind(price: int, lots: int) -> None:
    venue = make()
    venue.market(event(1, ADD, 1, BUY, 100, 5))
    put(venue, 2, 77, BUY, price, 4)
    venue.market(event(3, EXECUTE, 1, BUY, 100, 3))
    assert sum(one[2] for one in filled(venue)) == lots


def test_fills_of_an_execution_never_exceed_what_it_executed() -> None:
    venue = make()
    venue.market(event(1, ADD, 1, BUY, 100, 50))
    for number, price in ((77, 101), (78, 103), (79, 102)):
        put(venue, 2, number, BUY, price, 4)
    venue.market(event(3, EXECUTE, 1, BUY, 100, 9, id2=5))
    assert filled(venue) == [(78, 103, 4), (79, 102, 4), (77, 101, 1)]


def test_an_execution_of_an_order_the_record_never_showed_fills_only_better_prices() -> None:
    venue = make()
    put(venue, 2, 77, BUY, 101, 2)
    put(venue, 2, 78, BUY, 100, 2)
    venue.market(event(3, EXECUTE, 9, BUY, 100, 9))
    assert filled(venue) == [(77, 101, 2)]


@pytest.mark.parametrize("price", [100, 98])
def test_a_recorded_order_that_rests_at_or_through_our_price_fills_us_at_our_price(price: int) -> None:
    venue = make()
    put(venue, 2, 77, BUY, 100, 4)
    venue.market(event(3, ADD, 1, SELL, price, 3))
    assert filled(venue) == [(77, 100, 3)]
    assert venue.resting(0, BUY) == [(77, 100, 1, 0)]


def test_a_recorded_order_that_crosses_on_arrival_fills_nobody_by_itself() -> None:
    """It is parked; its executions say whom it met, and ours stood before them."""
    venue = make()
    venue.market(event(1, ADD, 1, BUY, 100, 5))
    put(venue, 2, 77, BUY, 101, 2)
    venue.market(event(3, ADD, 2, SELL, 100, 5))
    assert filled(venue) == []
    venue.market(event(3, EXECUTE, 1, BUY, 100, 5, id2=2))
    assert filled(venue) == [(77, 101, 2)]


def test_a_recorded_change_counts_what_we_took() -> None:
    venue = make()
    venue.market(event(1, ADD, 1, SELL, 100, 9))
    put(venue, 2, 77, BUY, 100, 4, TimeInForce.IOC)
    venue.market(event(3, CHANGE, 1, SELL, 100, 6))
    put(venue, 4, 78, BUY, 100, 9, TimeInForce.IOC)
    assert filled(venue) == [(77, 100, 4), (78, 100, 2)]


def test_what_we_took_stays_taken_after_a_snapshot_that_shows_it_again() -> None:
    venue = make()
    venue.market(event(1, ADD, 1, SELL, 100, 9))
    put(venue, 2, 77, BUY, 100, 4, TimeInForce.IOC)
    venue.market(event(3, ADD, 1, SELL, 100, 9, Flag.SNAPSHOT | Flag.BEGIN | Flag.LAST))
    put(venue, 4, 78, BUY, 100, 9, TimeInForce.IOC)
    assert filled(venue) == [(77, 100, 4), (78, 100, 5)]


def test_what_we_took_of_an_order_that_is_gone_is_not_counted_of_another() -> None:
    """Whichever is taken from next has its place."""
    venue, now = make(), 0
    for number in range(1, 40):
        venue.market(event(now + 1, ADD, number, SELL, 100, 9))
        put(venue, now + 2, 2 * number, BUY, 100, 4, TimeInForce.IOC)
        venue.market(event(now + 3, CHANGE, number, SELL, 100, 8))
        put(venue, now + 4, 2 * number + 1, BUY, 100, 9, TimeInForce.IOC)
        assert filled(venue) == [(2 * number, 100, 4), (2 * number + 1, 100, 4)]
        if number % 3 == 0:
            venue.restore(venue.snapshot())
        venue.market(event(now + 5, DELETE, number, SELL, 100))
        now += 5


def test_a_recorded_order_that_our_own_trade_lets_rest_meets_us_at_once() -> None:
    """Order 2 waited for ask 1; we take ask 1, so it rests, through our sale at 101, at that instant."""
    venue = make()
    venue.market(event(1, ADD, 1, SELL, 100, 1))
    put(venue, 2, 77, SELL, 101, 4)
    venue.market(event(3, ADD, 2, BUY, 102, 3))
    put(venue, 4, 78, BUY, 100, 1, TimeInForce.IOC)
    assert filled(venue) == [(78, 100, 1), (77, 101, 3)]


def test_after_a_snapshot_our_orders_stand_behind_everything_in_it() -> None:
    venue = make()
    put(venue, 2, 77, BUY, 100, 4)
    put(venue, 2, 78, BUY, 100, 4)
    venue.market(event(3, ADD, 1, BUY, 100, 5, Flag.SNAPSHOT | Flag.BEGIN))
    venue.market(event(3, ADD, 2, BUY, 100, 2, Flag.SNAPSHOT | Flag.LAST))
    assert venue.resting(0, BUY) == [(77, 100, 4, 7), (78, 100, 4, 7)]


@pytest.mark.parametrize(("side", "in_base", "asset", "fee"), [
    (BUY, True, 0, 1), (BUY, False, 1, 3), (SELL, True, 1, 3), (SELL, False, 1, 3),
])  # fmt: skip
def test_a_fee_is_rounded_up_and_paid_in_base_only_by_buys(side: int, in_base: bool, asset: int, fee: int) -> None:
    venue = make(in_base=in_base)
    venue.market(event(1, ADD, 1, 1 - side, 101, 5))
    put(venue, 2, 77, side, 101, 5)
    fill = answers(venue, Kind.ORDER_FILLED)[0]
    assert (fill["fee_asset"], fill["fee"]) == (asset, fee)  # 0.4% of 505 of quote is 2.02, of 5 of base 0.02


def test_a_rebate_is_rounded_against_us() -> None:
    venue = make(fees=(-150_000, 0))
    put(venue, 2, 77, BUY, 101, 5)
    venue.market(event(3, ADD, 1, SELL, 101, 5))
    assert answers(venue, Kind.ORDER_FILLED)["fee"].tolist() == [0]  # 0.7575 of a money unit


def test_trade_ids_count_from_one_over_all_orders() -> None:
    venue = ladder()
    put(venue, 2, 77, BUY, 101, 8)
    put(venue, 3, 78, BUY, 101, 2)
    found = answers(venue, Kind.ORDER_FILLED)
    assert found["trade_id"].tolist() == [1, 2, 3]
    assert found["parent"].tolist() == [3, 0, 0]
    assert found["id2"].tolist() == [1, 2, 2]


def test_the_middle_of_a_fill_is_that_before_its_instant() -> None:
    """A sweep shows as several records of one instant; each fill tells what stood before the first."""
    venue = ladder()
    venue.market(event(2, ADD, 3, BUY, 90, 5))
    put(venue, 3, 77, SELL, 101, 1)
    venue.market(event(4, EXECUTE, 1, SELL, 100, 5))
    venue.market(event(4, EXECUTE, 2, SELL, 101, 5))
    put(venue, 4, 78, SELL, 90, 1)
    assert answers(venue, Kind.ORDER_FILLED)["trigger"].tolist() == [190]


@pytest.mark.parametrize(("cancelled_ns", "kind"), [(4, Kind.ORDER_CANCELLED), (5, Kind.CANCEL_REJECTED)])
def test_a_cancel_races_the_recorded_event_and_loses_at_one_instant(cancelled_ns: int, kind: int) -> None:
    venue = make()
    put(venue, 1, 77, BUY, 100, 2)
    venue.send(cancel(cancelled_ns, 77))
    venue.market(event(5, ADD, 1, SELL, 100, 9))
    venue.advance(5)
    assert kind in venue.take_answers()["kind"]


def test_an_order_and_its_cancel_of_one_instant_are_taken_as_sent() -> None:
    venue = make()
    venue.send(order(1, 77, BUY, 100, 2))
    venue.send(cancel(1, 77))
    venue.advance(1)
    assert venue.take_answers()["kind"].tolist() == [Kind.ORDER_ACCEPTED, Kind.ORDER_CANCELLED]


def test_latencies_are_spent_on_the_way_there_and_on_the_way_back() -> None:
    venue = make(30, 7)
    venue.send(order(1_000, 77, BUY, 100, 2))
    venue.advance(1_029)
    assert len(venue.take_answers()) == 0
    venue.advance(1_030)
    found = venue.take_answers()
    assert (found["venue_ns"].tolist(), found["time_ns"].tolist()) == ([1_030], [1_037])


def test_void_records_and_trades_change_nothing_at_the_venue() -> None:
    venue = make()
    venue.market(event(1, ADD, 1, SELL, 100, 9, Flag.VOID))
    venue.market(event(1, Kind.TRADE, 1, SELL, 100, 9))
    put(venue, 2, 77, BUY, 100, 4, TimeInForce.IOC)
    assert filled(venue) == []


def test_a_markout_is_the_middle_at_its_horizon_on_the_venues_time() -> None:
    venue = ladder()
    venue.market(event(1, ADD, 3, BUY, 90, 5))
    put(venue, 2, 77, BUY, 100, 1)
    venue.market(event(2 + 1_000 * MS, DELETE, 1, SELL, 100))
    venue.market(event(3 + 1_000 * MS, DELETE, 3, BUY, 90))
    venue.market(event(3 + 6_000 * MS, ADD, 4, BUY, 91, 5))
    found = venue.take_markouts()
    assert found["horizon_ns"].tolist() == [1_000 * MS, 5_000 * MS]
    assert found["middle2"].tolist() == [191, 0]
    assert (found["quantity"].tolist(), found["maker"].tolist()) == ([1, 1], [0, 0])


def test_records_of_another_dtype_are_refused() -> None:
    venue = make()
    with pytest.raises(TypeError, match="RECORD_DTYPE"):
        venue.market(np.zeros(2, dtype=FACT_DTYPE))
    with pytest.raises(TypeError, match="FACT_DTYPE"):
        venue.send(event(1, ADD, 1))


def test_an_instrument_that_is_not_at_the_venue_is_refused() -> None:
    venue, command = make(), order(1, 5, BUY, 100, 1)
    strange = event(1, ADD, 1, BUY, 100, 5)
    strange["instrument"] = command["instrument"] = 9
    with pytest.raises(ValueError, match="instrument 9, which is not at this venue"):
        venue.market(strange)
    with pytest.raises(ValueError, match="instrument 9, which is not at this venue"):
        venue.send(command)
