"""The simulated venue on price levels: in lock-step with a naive twin, answer by answer, then its rules one by one."""

import os
import random
from collections.abc import Iterator
from fractions import Fraction
from functools import partial

import numpy as np
import pytest

from tests.core.lockstep import Guarded, Ours, check_alike
from tests.reference.depth import BUY, SELL
from tests.reference.level_simulator import ReferenceLevelSimulator, by_weight, power, risk_averse
from tests.support import constant, place
from tradebot._core.queue_model import QueueKind, log_of
from tradebot._core.simulator import Simulator
from tradebot._core.types import RECORD_DTYPE, Flag, Kind, Reject, TimeInForce

FULL = os.environ.get("TRADEBOT_FULL") == "1"
MODELS = {
    "risk-averse": (QueueKind.RISK_AVERSE, 0, risk_averse),
    "power 1": (QueueKind.BY_POWER, 2, power(1)),
    "power 3": (QueueKind.BY_POWER, 6, power(3)),
    "log": (QueueKind.BY_LOG, 0, by_weight(lambda lots: log_of(1.0 + lots))),
}


def make(
    model: str = "risk-averse", whole: bool = False, latency: tuple[int, int] = (0, 0), fees: tuple[int, int] = (0, 0),
    in_base: bool = False, terms: tuple[Fraction, Fraction] = (Fraction(1), Fraction(1)),
) -> Simulator:  # fmt: skip
    kind, half_powers, _ = MODELS[model]
    ratios = [part for one in terms for part in one.as_integer_ratio()]
    order_ns, answer_ns = (constant(ns) for ns in latency)
    return Simulator([(1, 0, 1, 1, 1, 1, 1, *ratios, 0, 0)], order_ns, answer_ns, *fees, in_base, kind, half_powers, whole)


def fact(time_ns: int, kind: int, side: int, price: int, lots: int, flags: int = Flag.LAST) -> np.ndarray:
    row = np.zeros(1, dtype=RECORD_DTYPE)
    row["time_ns"] = row["venue_ns"] = time_ns
    row["kind"], row["price"], row["quantity"], row["flags"], row["instrument"] = kind, price, lots, side | flags, 1
    return row


def answers(venue: Simulator) -> list[tuple[int, ...]]:
    """(kind, order id, price, lots, lots that remain of a fill, lots ahead, refusal)."""
    found = []
    for one in venue.take_answers():
        kind, filled = int(one["kind"]), int(one["kind"]) == Kind.ORDER_FILLED
        left = int(one["parent"]) if filled else 0
        slots = (int(one[name]) for name in ("display", "reject"))
        found.append((kind, int(one["id"]), int(one["price"]), int(one["quantity"]), left, *slots))
    return found


def market(seed: int, count: int) -> Iterator[tuple[int, int, int, int, int]]:
    """(kind, side, price, lots, flags): levels around a wandering middle, trades at and through the best, snapshots."""
    chance, middle = random.Random(seed), 1_000
    for _ in range(count):
        draw, side = chance.random(), chance.randrange(2)
        middle += chance.choice((0, 0, 0, 1, -1))
        away = chance.randrange(-1, 6)
        price = middle - away if side == BUY else middle + 1 + away
        if draw < 0.3:
            yield Kind.TRADE, side, middle + chance.randrange(-2, 4), chance.randrange(1, 12), Flag.LAST
        elif draw < 0.97:
            yield Kind.L2_LEVEL, side, price, chance.choice((0, 0, 3, 9, 30)), Flag.LAST if chance.random() < 0.8 else 0
        else:
            for at, (level_side, offset) in enumerate([(BUY, 0), (BUY, -1), (SELL, 1), (SELL, 2)]):
                mark = (Flag.BEGIN if at == 0 else 0) | (Flag.LAST if at == 3 else 0)
                yield Kind.L2_LEVEL, level_side, middle + offset, chance.randrange(1, 20), Flag.SNAPSHOT | mark


def marked(rows: Iterator[np.ndarray], chance: random.Random) -> Iterator[np.ndarray]:
    """A mark price now and then between them."""
    for row in rows:
        yield row
        if chance.random() < 0.1:
            price = max(int(row["price"][0]) + chance.randrange(-5, 6), 1)
            yield fact(int(row["venue_ns"][0]), Kind.MARK, BUY, price, 0)


def alike(
    seed: int, model: str, whole: bool, sort: type[Ours], twin: type[ReferenceLevelSimulator], rows: Iterator[np.ndarray]
) -> int:
    """Both venues over one market, at latencies, fees and terms of chance; returns how many fills both told of."""
    chance = random.Random(seed + 1_000)
    latency = chance.choice([(0, 0), (3, 5), (40, 20), (2_000, 1)])
    fees, in_base, terms = chance.choice([(300_000, 400_000), (-25_000, 75_000), (0, 0)]), chance.random() < 0.5, (
        chance.choice([(Fraction(1), Fraction(1)), (Fraction(7, 3), Fraction(5, 2))])
    )
    reference = twin(MODELS[model][2], whole, *latency, *fees, in_base, *terms)
    build = partial(make, model, whole, latency, fees, in_base, terms)
    return check_alike(seed, marked(rows, chance), chance, sort(chance, 1_000), reference, build)


@pytest.mark.parametrize("sort", [Ours, Guarded])
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("seed", range(30 if FULL else 3))
def test_every_answer_is_that_of_the_naive_twin(model: str, whole: bool, seed: int, sort: type[Ours]) -> None:
    rows = (fact(1_000 + 10 * at, *told) for at, told in enumerate(market(seed, 1_500)))
    assert alike(seed, model, whole, sort, ReferenceLevelSimulator, rows) > 30


def opened(model: str = "risk-averse", whole: bool = False) -> Simulator:
    """Bid 100 and ask 102, ten lots each, and a bid of ours of 4 lots at 100."""
    venue = make(model, whole)
    venue.market(fact(1, Kind.L2_LEVEL, BUY, 100, 10))
    venue.market(fact(1, Kind.L2_LEVEL, SELL, 102, 10))
    venue.send(place(2, 1, BUY, 100, 4, TimeInForce.GTC))
    venue.advance(2)
    assert answers(venue) == [(Kind.ORDER_ACCEPTED, 1, 100, 4, 0, 10, 0)]
    return venue


def test_trades_at_our_price_fill_us_when_all_ahead_has_gone() -> None:
    venue = opened()
    venue.market(fact(3, Kind.TRADE, SELL, 100, 9))
    assert answers(venue) == []
    venue.market(fact(4, Kind.TRADE, SELL, 100, 3))
    assert answers(venue) == [(Kind.ORDER_FILLED, 1, 100, 2, 2, 1, 0)]
    venue.market(fact(5, Kind.TRADE, SELL, 100, 3))
    assert answers(venue) == [(Kind.ORDER_FILLED, 1, 100, 2, 0, 0, 0)]


def test_a_trade_through_our_price_fills_us_up_to_its_size() -> None:
    venue = opened()
    venue.market(fact(3, Kind.TRADE, SELL, 99, 3))
    assert answers(venue) == [(Kind.ORDER_FILLED, 1, 100, 3, 1, 0, 0)]


def test_a_trade_of_a_buyer_does_not_touch_our_bid() -> None:
    venue = opened()
    venue.market(fact(3, Kind.TRADE, BUY, 100, 50))
    assert answers(venue) == []


def test_with_whole_fills_one_lot_that_reaches_us_fills_all() -> None:
    venue = opened(whole=True)
    venue.market(fact(3, Kind.TRADE, SELL, 100, 11))
    assert answers(venue) == [(Kind.ORDER_FILLED, 1, 100, 4, 0, 10, 0)]


def test_a_decrease_that_trades_explain_is_not_counted_twice() -> None:
    """Of a level of ten before us and ten behind, six trade; the venue then tells fourteen: nothing was cancelled."""
    for model in ("power 1", "power 3", "log"):
        venue = opened(model)
        venue.market(fact(3, Kind.L2_LEVEL, BUY, 100, 20))
        venue.market(fact(4, Kind.TRADE, SELL, 100, 6))
        venue.market(fact(4, Kind.L2_LEVEL, BUY, 100, 14))
        assert venue.resting(0, BUY) == [(1, 100, 4, 4)]


@pytest.mark.parametrize(("model", "ahead"), [("risk-averse", 10), ("power 1", 5), ("power 3", 5), ("log", 5)])
def test_an_unexplained_decrease_is_shared_as_the_model_says(model: str, ahead: int) -> None:
    """Ten before and ten behind are alike, so half of a cancelled ten was ahead; the risk-averse model says none."""
    venue = opened(model)
    venue.market(fact(3, Kind.L2_LEVEL, BUY, 100, 20))
    venue.market(fact(4, Kind.L2_LEVEL, BUY, 100, 10))
    assert venue.resting(0, BUY) == [(1, 100, 4, ahead)]


def test_the_other_side_coming_to_our_price_fills_us_from_what_stands_there() -> None:
    venue = opened()
    venue.market(fact(3, Kind.L2_LEVEL, SELL, 100, 3, 0))
    assert answers(venue) == []
    venue.market(fact(3, Kind.L2_LEVEL, BUY, 100, 0))
    assert answers(venue) == [(Kind.ORDER_FILLED, 1, 100, 3, 1, 0, 0)]


def test_what_we_took_of_a_level_is_gone_until_its_total_is_told_again() -> None:
    venue = opened()
    venue.send(place(3, 2, BUY, 102, 8, TimeInForce.IOC))
    venue.send(place(3, 3, BUY, 102, 8, TimeInForce.IOC))
    venue.advance(3)
    assert [row[:4] for row in answers(venue) if row[0] == Kind.ORDER_FILLED] == [
        (Kind.ORDER_FILLED, 2, 102, 8),
        (Kind.ORDER_FILLED, 3, 102, 2),
    ]
    venue.market(fact(4, Kind.L2_LEVEL, SELL, 102, 10))
    venue.send(place(5, 4, BUY, 102, 8, TimeInForce.FOK))
    venue.advance(5)
    assert [row[0] for row in answers(venue)] == [Kind.ORDER_ACCEPTED, Kind.ORDER_FILLED]


def test_a_post_only_order_at_the_other_sides_price_is_refused() -> None:
    venue = opened()
    venue.send(place(3, 2, BUY, 102, 8, TimeInForce.POST_ONLY))
    venue.advance(3)
    assert answers(venue)[0][6] == Reject.VENUE_POST_ONLY_WOULD_TAKE
