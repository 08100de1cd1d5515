"""The simulated venue on quotes: in lock-step with a naive twin, answer by answer, then its rules one by one, then a run."""

import os
import random
from collections.abc import Iterator

import numpy as np
import pytest

from tests.core.lockstep import Guarded, Ours
from tests.core.test_by_levels import MODELS, alike, answers, fact, make
from tests.reference.depth import BUY, SELL
from tests.reference.quote_simulator import ReferenceQuoteSimulator
from tests.strategies.support import row, run
from tests.support import place
from tradebot._core.simulator import Simulator
from tradebot._core.types import Flag, Kind, Reject, TimeInForce
from tradebot.strategies.strategy import Strategy

FULL = os.environ.get("TRADEBOT_FULL") == "1"


def quote(time_ns: int, bid: int, bid_lots: int, ask: int, ask_lots: int) -> np.ndarray:
    told = fact(time_ns, Kind.QUOTE, BUY, bid, bid_lots, 0)
    told["id"], told["id2"] = ask, ask_lots
    return told


def market(seed: int, count: int) -> Iterator[tuple[int, ...]]:
    """(0, bid, lots, ask, lots) and (1, side, price, lots): quotes that wander and lose a side at times, trades around them."""
    chance, middle, spread = random.Random(seed), 1_000, 2
    for _ in range(count):
        if chance.random() < 0.3:
            yield 1, chance.randrange(2), middle + chance.randrange(-3, 4), chance.randrange(1, 12)
            continue
        middle += chance.choice((0, 0, 0, 1, -1, 3, -3))
        spread = chance.choice((spread, spread, 1, 2, 4))
        lots = [chance.choice((3, 9, 30)), chance.choice((3, 9, 30))]
        if chance.random() < 0.04:
            lots[chance.randrange(2)] = 0
        yield 0, middle - spread // 2, lots[0], middle + (spread + 1) // 2, lots[1]


def rows(seed: int) -> Iterator[np.ndarray]:
    for at, (kind, *told) in enumerate(market(seed, 1_500)):
        yield fact(1_000 + 10 * at, Kind.TRADE, *told) if kind else quote(1_000 + 10 * at, *told)


@pytest.mark.parametrize("sort", [Ours, Guarded])
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("seed", range(30 if FULL else 3))
def test_every_answer_is_that_of_the_naive_twin(model: str, whole: bool, seed: int, sort: type[Ours]) -> None:
    assert alike(seed, model, whole, sort, ReferenceQuoteSimulator, rows(seed)) > 30


def opened(bid_at: int = 100) -> Simulator:
    """Bid 100 and ask 102, ten lots each, and a bid of ours of 4 lots."""
    venue = make()
    venue.market(quote(1, 100, 10, 102, 10))
    venue.send(place(2, 1, BUY, bid_at, 4, TimeInForce.GTC))
    venue.advance(2)
    return venue


def test_an_order_takes_at_most_the_quoted_size_until_it_is_quoted_again() -> None:
    venue = opened()
    answers(venue)
    for number, at in ((2, 3), (3, 4), (4, 6)):
        if number == 4:
            venue.market(quote(5, 100, 10, 102, 10))
        venue.send(place(at, number, BUY, 105, 8, TimeInForce.IOC))
        venue.advance(at)
    taken = [(one[1], one[2], one[3]) for one in answers(venue) if one[0] == Kind.ORDER_FILLED]
    assert taken == [(2, 102, 8), (3, 102, 2), (4, 102, 8)], "nothing is known beyond the touch, and nothing is assumed there"


def test_at_the_touch_all_that_is_quoted_is_ahead_and_trades_bring_us_to_the_front() -> None:
    venue = opened()
    assert answers(venue) == [(Kind.ORDER_ACCEPTED, 1, 100, 4, 0, 10, 0)]
    venue.market(quote(3, 100, 30, 102, 10))
    assert venue.resting(0, BUY) == [(1, 100, 4, 10)], "who came later is behind"
    venue.market(fact(4, Kind.TRADE, SELL, 100, 12))
    assert answers(venue) == [(Kind.ORDER_FILLED, 1, 100, 2, 2, 10, 0)]


def test_behind_the_touch_all_is_ahead_and_bounded_by_what_is_quoted_when_it_comes() -> None:
    venue = opened(bid_at=98)
    assert answers(venue) == [(Kind.ORDER_ACCEPTED, 1, 98, 4, 0, -1, 0)], "it is not told how much is there"
    venue.market(fact(3, Kind.TRADE, SELL, 98, 1_000))
    assert answers(venue) == []
    venue.market(quote(4, 98, 7, 102, 10))
    assert venue.resting(0, BUY) == [(1, 98, 4, 7)]
    venue.market(quote(5, 99, 50, 102, 10))
    venue.market(quote(6, 98, 90, 102, 10))
    assert venue.resting(0, BUY) == [(1, 98, 4, 7)], "who came while a better bid stood came behind us"


def test_a_touch_that_falls_back_beyond_us_leaves_us_alone_at_our_price() -> None:
    venue = opened(bid_at=99)
    answers(venue)
    venue.market(quote(3, 97, 10, 102, 10))
    assert venue.resting(0, BUY) == [(1, 99, 4, 0)]
    venue.market(quote(4, 99, 40, 102, 10))
    assert venue.resting(0, BUY) == [(1, 99, 4, 0)]
    venue.market(fact(5, Kind.TRADE, SELL, 99, 3))
    assert answers(venue) == [(Kind.ORDER_FILLED, 1, 99, 3, 1, 0, 0)]


def test_an_order_inside_the_spread_is_first() -> None:
    assert opened(bid_at=101).resting(0, BUY) == [(1, 101, 4, 0)]


@pytest.mark.parametrize("ask", [100, 99])
def test_an_ask_at_or_through_our_bid_fills_us_at_our_price_up_to_its_size(ask: int) -> None:
    venue = opened()
    answers(venue)
    venue.market(quote(3, 98, 10, ask, 3))
    assert answers(venue) == [(Kind.ORDER_FILLED, 1, 100, 3, 1, 0, 0)]
    venue.market(quote(4, 98, 10, ask, 9))
    assert answers(venue) == [(Kind.ORDER_FILLED, 1, 100, 1, 0, 0, 0)]


def test_a_side_without_a_quote_gives_no_liquidity() -> None:
    venue = opened()
    venue.market(quote(3, 100, 10, 0, 0))
    venue.send(place(4, 2, BUY, 200, 1, TimeInForce.IOC))
    venue.advance(4)
    assert answers(venue)[-1][6] == Reject.VENUE_NO_LIQUIDITY


def test_a_void_quote_changes_nothing() -> None:
    venue = opened()
    answers(venue)
    void = quote(3, 90, 1, 91, 1)
    void["flags"] |= int(Flag.VOID)
    venue.market(void)
    assert answers(venue) == [] and venue.resting(0, BUY) == [(1, 100, 4, 10)]


def test_levels_end_the_quotes_and_quotes_change_levels_no_more() -> None:
    venue = opened()
    answers(venue)
    venue.market(fact(3, Kind.L2_LEVEL, SELL, 103, 5))
    venue.market(quote(4, 90, 1, 91, 1))
    assert answers(venue) == []
    venue.send(place(5, 2, BUY, 105, 8, TimeInForce.IOC))
    venue.advance(5)
    assert [one[2:4] for one in answers(venue) if one[0] == Kind.ORDER_FILLED] == [(103, 5)], "the quoted ask of 102 is forgotten"


def test_orders_end_the_quotes_too() -> None:
    venue = opened()
    answers(venue)
    added = fact(3, Kind.L3_ADD, SELL, 103, 5)
    added["id"] = 77
    venue.market(added)
    venue.market(quote(4, 90, 1, 91, 1))
    venue.send(place(5, 2, BUY, 105, 8, TimeInForce.IOC))
    venue.advance(5)
    assert [one[2:4] for one in answers(venue) if one[0] == Kind.ORDER_FILLED] == [(103, 5)]


class Takes(Strategy):
    """Buys once at the market, and leaves a limit one tick below the ask."""

    def on_start(self) -> None:
        self.done = False

    def on_quote(self, book) -> None:
        if not self.done:
            self.done = True
            self.buy(0.005)
            self.sell(0.002, price=book.ask)


def test_a_strategy_trades_on_quotes_alone() -> None:
    rows = [row(at, Kind.QUOTE, 200 + at, 50, order_id=202 + at, id2=8) for at in range(10)]
    merge = run(Takes(), rows)
    assert merge.kernel.failures == []
    fills = [one for one in merge.kernel.take_audit() if one["kind"] == Kind.ORDER_FILLED]
    assert [(int(one["price"]), int(one["quantity"]), int(one["flags"]) & Flag.SELL) for one in fills] == [
        (202, 5, 0),
        (202, 2, Flag.SELL),
    ], "the market order at the ask; the limit when the bid had risen to it"
