"""The simulated venue in lock-step with a naive one over random flow and random orders of ours, then its rules one by one."""

import os
import random

import numpy as np
import pytest

from tests.core.test_book import ADD, BUY, CHANGE, DELETE, EXECUTE, SELL, record
from tests.reference.simulator import ReferenceSimulator
from tradebot._core.simulator import Simulator
from tradebot._core.types import FACT_DTYPE, Flag, Kind, OrderType, Reject, TimeInForce

FULL = os.environ.get("TRADEBOT_FULL") == "1"
TERMS = (1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0)
FEES = (300_000, 400_000)


def make(order_ns: int = 0, answer_ns: int = 0) -> Simulator:
    return Simulator([TERMS], order_ns, answer_ns, *FEES, False)


def event(time_ns: int, kind: int, order_id: int, side: int = BUY, price: int = 0, quantity: int = 0, flags: int = 0):
    row = record(kind, order_id, side, price, quantity, flags)
    row["instrument"], row["time_ns"], row["venue_ns"] = 1, time_ns, time_ns
    return row


def order(time_ns: int, order_id: int, side: int, price: int, lots: int, force: int = TimeInForce.GTC) -> np.ndarray:
    fact = np.zeros(1, dtype=FACT_DTYPE)
    fact["time_ns"], fact["id"], fact["flags"], fact["price"], fact["quantity"] = time_ns, order_id, side, price, lots
    fact["kind"], fact["instrument"], fact["time_in_force"], fact["order_type"] = Kind.PLACE_ORDER, 1, force, OrderType.LIMIT
    return fact


def cancel(time_ns: int, order_id: int) -> np.ndarray:
    fact = np.zeros(1, dtype=FACT_DTYPE)
    fact["time_ns"], fact["id"], fact["kind"], fact["instrument"] = time_ns, order_id, Kind.CANCEL_ORDER, 1
    return fact


def plain(answers: np.ndarray) -> list[tuple]:
    return [
        (
            int(one["kind"]), int(one["time_ns"]), int(one["venue_ns"]), int(one["id"]), int(one["price"]),
            int(one["quantity"]), bool(one["flags"] & Flag.MAKER), int(one["parent"]), int(one["fee"]),
            int(one["reject"]), int(one["display"]),
        )
        for one in answers
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(200 if FULL else 12))
def test_both_venues_answer_alike(seed: int) -> None:
    chance = random.Random(seed)
    order_ns, answer_ns = chance.choice([(0, 0), (3, 5), (40, 20)])
    compiled, reference = make(order_ns, answer_ns), ReferenceSimulator(order_ns, answer_ns, *FEES)
    now, next_id, ours, seen = 1_000, 1, [], 0
    live: dict[int, tuple[int, int]] = {}
    for _ in range(1_500):
        now += chance.randrange(0, 4)
        draw = chance.random()
        if draw < 0.22:
            order_id, side = 10**9 + len(ours), chance.randrange(2)
            force = chance.choice(list(TimeInForce))
            command = order(now, order_id, side, 1_000 + chance.randrange(-8, 9), chance.randrange(1, 9), force)
            ours.append(order_id)
        elif draw < 0.30 and ours:
            command = cancel(now, chance.choice(ours[-12:]))
        else:
            row = flow(chance, reference, live, now, next_id)
            next_id += 1
            compiled.market(row)
            reference.market(row[0])
            found, expected = plain(compiled.take_answers()), reference.take_answers()
            assert found == expected
            seen += len(found)
            continue
        compiled.send(command)
        reference.send(command[0])
    compiled.advance(now + 1_000)
    reference.advance(now + 1_000)
    assert plain(compiled.take_answers()) == reference.take_answers()
    assert seen > 200


def flow(chance: random.Random, reference: ReferenceSimulator, live: dict, now: int, next_id: int) -> np.ndarray:
    """One recorded event: orders around 1,000, some crossing; executions of whatever the record still holds."""
    draw = chance.random()
    if draw < 0.5 or not live:
        side = chance.randrange(2)
        away = chance.randrange(-2, 8)
        price = 1_000 - away if side == BUY else 1_000 + away
        live[next_id] = (side, price)
        return event(now, ADD, next_id, side, price, chance.randrange(1, 9))
    order_id = chance.choice(list(live))
    side, price = live[order_id]
    if draw < 0.72:
        return event(now, EXECUTE, order_id, side, price, chance.randrange(1, 6))
    if draw < 0.90:
        del live[order_id]
        return event(now, DELETE, order_id, side, price)
    if draw < 0.99:
        return event(now, CHANGE, order_id, side, price, chance.randrange(1, 9))
    live.clear()
    live[next_id] = (BUY, 995)
    return event(now, ADD, next_id, BUY, 995, 5, Flag.SNAPSHOT | Flag.BEGIN | Flag.LAST)


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
