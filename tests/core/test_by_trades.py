"""Trade grade: whole runs in lock-step with a naive twin, then its rules one by one."""

import os
import random
from collections.abc import Iterator
from fractions import Fraction

import pytest

from tests.core.price_support import (
    CANCELLED,
    FILLED,
    FOK,
    IOC,
    POST_ONLY,
    Restless,
    alike,
    answers,
    bar,
    check_against,
    check_restarts,
    graded,
    mark,
    market,
    run_over,
    ticks,
    trade,
    venue_of,
)
from tests.reference.price_simulator import BUY, SELL
from tests.reference.trade_simulator import ReferenceTradeSimulator
from tests.support import MS, SECOND, START, place
from tradebot._core.types import Flag, Reject
from tradebot.engine.plan import Grade
from tradebot.engine.ports import Records

FULL = os.environ.get("TRADEBOT_FULL") == "1"
LATENCIES = [(0, 0), (1, 1), (50 * MS, 50 * MS), (0, 400 * MS), (700 * MS, 0), (2 * SECOND, SECOND)]


def twin_answers(trades: Records, commands: Records, order_ns: int, answer_ns: int) -> Records:
    twin = ReferenceTradeSimulator(order_ns, answer_ns, 100_000, 200_000, 50_000)
    twin.value, twin.base_value, twin.quote = Fraction(50_000), Fraction(100_000), 2
    for one in commands:
        twin.send(one)
    for one in trades:
        twin.market(one)
    twin.advance(1 << 62)
    return twin.take_answers()


@pytest.mark.parametrize("latency", LATENCIES)
@pytest.mark.parametrize("conditional", [0.0, 0.5])
@pytest.mark.parametrize("seed", range(20 if FULL else 2))
def test_a_run_receives_what_the_naive_twin_says(latency: tuple[int, int], conditional: float, seed: int) -> None:
    """Conditional orders only where a command takes time: with none, the order of one instant is not in the facts."""
    trades = ticks(seed, 1_500)
    settings = graded(Grade.TRADES, order_latency_ns=latency[0], answer_latency_ns=latency[1])
    strategy = Restless({"seed": seed + 1, "eager": 0.2, "conditional": conditional if latency[0] else 0.0})
    check_against(lambda commands: twin_answers(trades, commands, *latency), strategy, trades, settings)


def told(seed: int) -> Iterator[Records]:
    """Trades, and marks between them."""
    chance = random.Random(seed)
    for one in ticks(seed, 1_000):
        yield one.reshape(1)
        if chance.random() < 0.1:
            yield mark(int(one["venue_ns"]), max(int(one["price"]) + chance.randrange(-5, 6), 1))


@pytest.mark.parametrize("seed", range(200 if FULL else 20))
def test_orders_of_every_type_groups_and_changes_are_answered_as_by_the_naive_twin(seed: int) -> None:
    assert alike(seed, Grade.TRADES, ReferenceTradeSimulator, told(seed)) > 30


def test_a_run_survives_a_restart_after_every_fact() -> None:
    check_restarts(ticks(6, 200), graded(Grade.TRADES))


def test_trades_after_a_fill_change_nothing_before_it() -> None:
    trades, settings = ticks(3, 800), graded(Grade.TRADES)
    _, whole = run_over(Restless({"seed": 5}), trades, settings)
    for at in (200, 500):
        other = trades.copy()
        other["price"][at:] += 31
        _, changed = run_over(Restless({"seed": 5}), other, settings)
        early = [audit[audit["time_ns"] < other["venue_ns"][at]].tobytes() for audit in (whole, changed)]
        assert early[0] == early[1] and len(early[0]) > 1_000


def test_a_market_order_fills_at_the_first_trade_after_its_latency_and_pays_half_the_spread() -> None:
    """0.1 % beyond 1,000 is a tick. The trade of the instant of its arrival came before it."""
    for side, paid in ((BUY, 1_001), (SELL, 999)):
        venue = venue_of(Grade.TRADES, latency_ns=50)
        venue.send(market(START, 1, side, 4, 1_050 if side == BUY else 900))
        venue.market(trade(START + 49, 980, 9))
        venue.market(trade(START + 50, 980, 9))
        assert answers(venue) == []
        venue.market(trade(START + 90, 1_000, 9))
        assert answers(venue) == [(FILLED, 1, paid, 4, 0, 0)]


def test_a_market_order_takes_at_most_what_was_traded_and_goes_on() -> None:
    venue = venue_of(Grade.TRADES)
    venue.send(market(START, 1, BUY, 10, 1_050))
    for at, lots in enumerate((3, 5, 9), 1):
        venue.market(trade(START + at, 1_000 + at, lots))
    assert answers(venue) == [(FILLED, 1, 1_003, 3, 7, 0), (FILLED, 1, 1_004, 5, 2, 0), (FILLED, 1, 1_005, 2, 0, 0)]


def test_a_market_order_ends_where_the_trade_is_beyond_what_it_may_pay() -> None:
    venue = venue_of(Grade.TRADES)
    venue.send(market(START, 1, SELL, 4, 1_000))
    venue.market(trade(START + 1, 1_000, 3))
    assert answers(venue) == [(CANCELLED, 1, 1_000, 4, 0, Reject.VENUE_NO_LIQUIDITY)]


def test_a_limit_fills_only_when_a_trade_goes_through_its_price_and_by_no_more_than_it_traded() -> None:
    venue = venue_of(Grade.TRADES)
    venue.send(place(START, 1, BUY, 990, 7))
    venue.market(trade(START + 1, 990, 50))
    assert answers(venue) == []
    venue.market(trade(START + 2, 989, 5))
    venue.market(trade(START + 3, 900, 5))
    assert answers(venue) == [(FILLED, 1, 990, 5, 2, 0), (FILLED, 1, 990, 2, 0, 0)]


def test_our_orders_share_what_a_trade_gives_the_market_order_first_then_the_best_limit() -> None:
    venue = venue_of(Grade.TRADES)
    venue.send(place(START, 1, SELL, 1_010, 4))
    venue.send(place(START, 2, SELL, 1_005, 4))
    venue.send(market(START, 3, SELL, 2, 900))
    venue.market(trade(START + 1, 1_020, 9))
    assert answers(venue) == [(FILLED, 3, 1_018, 2, 0, 0), (FILLED, 2, 1_005, 4, 0, 0), (FILLED, 1, 1_010, 3, 1, 0)]


def test_what_is_immediate_is_decided_at_the_first_trade() -> None:
    venue = venue_of(Grade.TRADES)
    for order_id, limit, lots, force in ((1, 1_001, 3, IOC), (2, 1_001, 8, IOC), (3, 1_001, 9, FOK), (4, 1_000, 1, IOC)):
        venue.send(place(START, order_id, BUY, limit, lots, force))
    venue.market(trade(START + 1, 1_000, 10))
    assert answers(venue) == [
        (FILLED, 1, 1_001, 3, 0, 0),
        (FILLED, 2, 1_001, 7, 1, 0),
        (CANCELLED, 2, 1_001, 1, 0, Reject.VENUE_NO_LIQUIDITY),
        (CANCELLED, 3, 1_001, 9, 0, Reject.VENUE_FILL_OR_KILL_UNFILLED),
        (CANCELLED, 4, 1_000, 1, 0, Reject.VENUE_NO_LIQUIDITY),
    ]


def test_a_post_only_order_that_the_last_trade_went_through_is_refused_and_a_takers_limit_pays_as_one() -> None:
    venue = venue_of(Grade.TRADES)
    venue.market(trade(START, 1_000, 10))
    venue.send(place(START, 1, BUY, 1_001, 4, POST_ONLY))
    venue.send(place(START, 2, BUY, 1_001, 4))
    venue.market(trade(START + 1, 1_000, 10))
    told = venue.take_answers()
    assert told["reject"][0] == Reject.VENUE_POST_ONLY_WOULD_TAKE
    fill = told[-1]
    assert (fill["kind"], fill["price"], fill["flags"] & Flag.MAKER) == (FILLED, 1_001, 0)


@pytest.mark.parametrize("flags", [int(Flag.VOID), 0])
def test_void_trades_and_bars_fill_nothing(flags: int) -> None:
    venue = venue_of(Grade.TRADES)
    venue.send(place(START, 1, BUY, 990, 4))
    venue.market(trade(START + 1, 900, 10, flags) if flags else bar(0, 900, 900, 900, 900, 100))
    assert answers(venue) == []
