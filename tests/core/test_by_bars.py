"""Bar grade: whole runs in lock-step with a naive twin, then its rules one by one, and that nothing looks ahead.

The twin is given the commands that a run sent and the bars, in the plain order of the venue's time: a bar opens at its label, or
when the one before was told; its range comes a latency and a nanosecond before it is told.
"""

import os
import random
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from tests.core.price_support import (
    CANCELLED,
    FILLED,
    FOK,
    IOC,
    POST_ONLY,
    REJECTED,
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
    trade,
    venue_of,
    walk,
)
from tests.reference.bar_simulator import ReferenceBarSimulator
from tests.reference.price_simulator import BUY, SELL
from tests.strategies.support import BTC, ETH, plan
from tests.support import MS, SECOND, START, cancel, place
from tradebot._core.simulator import Simulator
from tradebot._core.types import Flag, Reject
from tradebot.engine.plan import Grade, make_merge
from tradebot.engine.ports import Records
from tradebot.strategies.strategy import Strategy

FULL = os.environ.get("TRADEBOT_FULL") == "1"
LATENCIES = [(0, 0), (1, 1), (50 * MS, 50 * MS), (0, 400 * MS), (700 * MS, 0), (2 * SECOND, SECOND + 1)]


def twin_answers(bars: Records, commands: Records, order_ns: int, answer_ns: int) -> Records:
    """What the naive venue says to commands, all of them known beforehand."""
    twin = ReferenceBarSimulator(order_ns, answer_ns, 100_000, 200_000, 100_000)
    twin.value, twin.base_value, twin.quote = Fraction(50_000), Fraction(100_000), 2
    events: list[tuple[int, int, int, np.void]] = []
    told = 0
    for at, one in enumerate(bars):
        closes = max(int(one["time_ns"]) - 1 - answer_ns, int(one["venue_ns"]))
        events += [(min(max(int(one["venue_ns"]), told), closes), at, 0, one), (closes, at, 1, one)]
        told = int(one["time_ns"])
    for one in commands:
        twin.send(one)
    for now, _, what, record in sorted(events, key=lambda one: one[:3]):
        (twin.range if what else twin.open)(record, now)
    twin.advance(1 << 62)
    return twin.take_answers()


@pytest.mark.parametrize("latency", LATENCIES)
@pytest.mark.parametrize("conditional", [0.0, 0.5])
@pytest.mark.parametrize("seed", range(20 if FULL else 2))
def test_a_run_receives_what_the_naive_twin_says(latency: tuple[int, int], conditional: float, seed: int) -> None:
    """Conditional orders only where a command takes time: with none, the order of one instant is not in the facts."""
    bars = walk(seed, 600 if FULL else 300)
    settings = graded(Grade.BARS, order_latency_ns=latency[0], answer_latency_ns=latency[1])
    strategy = Restless({"seed": seed + 1, "eager": 0.6, "conditional": conditional if latency[0] else 0.0})
    check_against(lambda commands: twin_answers(bars, commands, *latency), strategy, bars, settings)


def told(seed: int) -> Iterator[Records]:
    """Bars that open and end; in some of them trades from one end to the other, in some marks."""
    chance = random.Random(seed)
    for one in walk(seed, 500):
        opens = one.reshape(1).copy()
        opens["flags"] |= int(Flag.BEGIN)
        yield opens
        low, high, now = int(one["id2"]), int(one["id"]), int(one["venue_ns"])
        inside = chance.choice((0, 0, 0, 4))
        for at in sorted(chance.randrange(1, SECOND) for _ in range(inside)):
            price = chance.randrange(low, high + 1)
            yield mark(now + at, price) if chance.random() < 0.2 else trade(now + at, price, 1)
        yield one.reshape(1)


@pytest.mark.parametrize("seed", range(200 if FULL else 20))
def test_orders_of_every_type_groups_and_changes_are_answered_as_by_the_naive_twin(seed: int) -> None:
    assert alike(seed, Grade.BARS, ReferenceBarSimulator, told(seed)) > 30


@pytest.mark.parametrize("latency", LATENCIES)
def test_nothing_that_was_decided_depends_on_what_came_later(latency: tuple[int, int]) -> None:
    """All bars after one are replaced: everything stays, the decisions at its close included, until the next is told or the venue
    answers once the next has opened.
    """
    bars = walk(3, 300)
    settings = graded(Grade.BARS, order_latency_ns=latency[0], answer_latency_ns=latency[1])
    _, whole = run_over(Restless({"seed": 5, "eager": 0.6, "conditional": 0.3}), bars, settings)
    for at in (40, 111, 200):
        other = bars.copy()
        for slot in ("venue_sequence", "id", "id2", "price"):
            other[slot][at + 1 :] += 37
        other["quantity"][at + 1 :] += 9
        _, changed = run_over(Restless({"seed": 5, "eager": 0.6, "conditional": 0.3}), other, settings)
        told, then = bars["time_ns"][at], bars["time_ns"][at + 1]
        early = [
            audit[: np.flatnonzero((audit["venue_ns"] >= told) | (audit["time_ns"] >= then))[0]] for audit in (whole, changed)
        ]
        assert early[0].tobytes() == early[1].tobytes()
        assert len(early[0]) > 300 and whole.tobytes() != changed.tobytes()


@pytest.mark.parametrize("latency", LATENCIES)
def test_any_split_into_batches_gives_the_same_steps(latency: tuple[int, int]) -> None:
    bars = walk(4, 250)
    settings = graded(Grade.BARS, order_latency_ns=latency[0], answer_latency_ns=latency[1])
    whole, audit = run_over(Restless({"seed": 2}), bars, settings)
    for rows in (1, 7, 100):
        merge = make_merge(settings, [Restless({"seed": 2})])
        for at in range(0, len(bars), rows):
            merge.feed(bars[at : at + rows])
        merge.finish()
        assert merge.kernel.take_audit().tobytes() == audit.tobytes()
        assert merge.kernel.digest_text == whole.kernel.digest_text


def test_a_run_survives_a_restart_after_every_fact() -> None:
    check_restarts(walk(6, 120), graded(Grade.BARS))


def opened(venue: Simulator, one: Records) -> None:
    """A bar opens, and what arrives at that instant is taken."""
    venue.open(one)
    venue.advance(int(one["venue_ns"][0]))


def test_a_decision_at_a_close_fills_at_the_next_open_and_pays_half_spread_and_slippage() -> None:
    """Open 1,000 and 0.1 % beyond it: a buy pays 1,001, a sale gets 999."""
    for side, paid in ((BUY, 1_001), (SELL, 999)):
        venue = venue_of(Grade.BARS)
        opened(venue, bar(0, 990, 995, 985, 991, 500))
        venue.market(bar(0, 990, 995, 985, 991, 500))
        venue.send(market(START + SECOND, 1, side, 4, 1_050 if side == BUY else 900))
        venue.advance(START + SECOND)
        assert answers(venue) == []
        opened(venue, bar(1, 1_000, 1_040, 960, 1_010, 100))
        assert answers(venue) == [(FILLED, 1, paid, 4, 0, 0)]


def test_an_order_that_is_on_its_way_when_the_bar_opens_fills_at_that_open_when_it_arrives() -> None:
    venue = venue_of(Grade.BARS, latency_ns=50 * MS)
    venue.send(market(START, 1, BUY, 4, 1_050))
    opened(venue, bar(0, 1_000, 1_040, 960, 1_010, 100))
    assert answers(venue) == []
    venue.advance(START + 50 * MS)
    (fill,) = [one for one in venue.take_answers() if one["kind"] == FILLED]
    assert (fill["price"], fill["venue_ns"], fill["trigger"]) == (1_001, START + 50 * MS, 2_000)


def test_an_order_that_was_sent_within_a_bar_waits_for_the_next() -> None:
    venue = venue_of(Grade.BARS)
    opened(venue, bar(0, 1_000, 1_040, 960, 1_010, 100))
    venue.send(market(START + 1, 1, BUY, 4, 1_060))
    venue.send(place(START + 1, 2, BUY, 990, 3))
    venue.market(bar(0, 1_000, 1_040, 960, 1_010, 100))
    assert answers(venue) == []
    opened(venue, bar(1, 1_010, 1_012, 980, 1_000, 100))
    venue.market(bar(1, 1_010, 1_012, 980, 1_000, 100))
    assert answers(venue) == [(FILLED, 1, 1_012, 4, 0, 0), (FILLED, 2, 990, 3, 0, 0)]


def test_a_market_order_takes_a_tenth_of_each_bar_until_it_is_filled() -> None:
    venue = venue_of(Grade.BARS)
    venue.send(market(START, 1, BUY, 10, 1_050))
    for at, lots in enumerate((55, 9, 40)):
        opened(venue, bar(at, 1_000, 1_000, 1_000, 1_000, lots))
        venue.market(bar(at, 1_000, 1_000, 1_000, 1_000, lots))
    assert answers(venue) == [(FILLED, 1, 1_001, 5, 5, 0), (FILLED, 1, 1_001, 4, 1, 0)]


def test_the_remainder_of_a_market_order_can_be_cancelled() -> None:
    venue = venue_of(Grade.BARS)
    venue.send(market(START, 1, BUY, 10, 1_050))
    opened(venue, bar(0, 1_000, 1_000, 1_000, 1_000, 55))
    venue.send(cancel(START + 1, 1))
    venue.advance(START + 1)
    assert answers(venue) == [(FILLED, 1, 1_001, 5, 5, 0), (CANCELLED, 1, 1_050, 5, 0, 0)]


def test_a_market_order_ends_where_the_open_is_beyond_what_it_may_pay() -> None:
    venue = venue_of(Grade.BARS)
    venue.send(market(START, 1, BUY, 4, 1_000))
    opened(venue, bar(0, 1_000, 1_000, 1_000, 1_000, 100))
    assert answers(venue) == [(CANCELLED, 1, 1_000, 4, 0, Reject.VENUE_NO_LIQUIDITY)]


@pytest.mark.parametrize(("low", "lots"), [(990, 0), (989, 4)])
def test_a_limit_fills_only_when_the_bar_trades_through_its_price_by_a_tick(low: int, lots: int) -> None:
    venue = venue_of(Grade.BARS)
    venue.send(place(START, 1, BUY, 990, 4))
    opened(venue, bar(0, 1_000, 1_000, low, 1_000, 100))
    venue.market(bar(0, 1_000, 1_000, low, 1_000, 100))
    assert answers(venue) == ([(FILLED, 1, 990, lots, 0, 0)] if lots else [])


def test_a_limit_that_the_bar_opens_through_fills_at_its_own_price_and_no_better() -> None:
    venue = venue_of(Grade.BARS)
    venue.send(place(START - 1, 1, BUY, 990, 4))
    venue.send(place(START - 1, 2, SELL, 1_100, 4))
    opened(venue, bar(0, 900, 1_200, 900, 950, 100))
    (fill,) = [one for one in venue.take_answers() if one["kind"] == FILLED]
    assert (fill["id"], fill["price"], fill["flags"] & Flag.MAKER) == (1, 990, Flag.MAKER)
    venue.market(bar(0, 900, 1_200, 900, 950, 100))
    assert answers(venue) == [(FILLED, 2, 1_100, 4, 0, 0)]


def test_a_limit_that_the_last_price_had_gone_through_is_a_takers() -> None:
    venue = venue_of(Grade.BARS, latency_ns=1)
    venue.send(place(START, 1, BUY, 1_001, 4))
    opened(venue, bar(0, 1_000, 1_000, 1_000, 1_000, 100))
    venue.advance(START + 1)
    (fill,) = [one for one in venue.take_answers() if one["kind"] == FILLED]
    assert (fill["price"], fill["flags"] & Flag.MAKER) == (1_001, 0)
    assert fill["fee"] == -(-1_001 * 4 * 200_000 // 10**8)


def test_a_tenth_of_the_volume_is_shared_by_all_our_orders_of_a_bar() -> None:
    """Ten lots: the market order takes four at the open, the better limit five, the other what is left."""
    venue = venue_of(Grade.BARS)
    venue.send(market(START, 1, BUY, 4, 1_050))
    venue.send(place(START, 2, BUY, 980, 5))
    venue.send(place(START, 3, BUY, 990, 5))
    opened(venue, bar(0, 1_000, 1_000, 900, 950, 109))
    venue.market(bar(0, 1_000, 1_000, 900, 950, 109))
    assert answers(venue) == [(FILLED, 1, 1_001, 4, 0, 0), (FILLED, 3, 990, 5, 0, 0), (FILLED, 2, 980, 1, 4, 0)]


def test_what_is_immediate_is_decided_at_the_open() -> None:
    venue = venue_of(Grade.BARS)
    for order_id, limit, lots, force in ((1, 1_001, 12, IOC), (2, 1_001, 2, FOK), (3, 1_000, 1, IOC), (4, 1_001, 99, FOK)):
        venue.send(place(START, order_id, BUY, limit, lots, force))
    opened(venue, bar(0, 1_000, 1_000, 900, 950, 100))
    assert answers(venue) == [
        (FILLED, 1, 1_001, 10, 2, 0),
        (CANCELLED, 1, 1_001, 2, 0, Reject.VENUE_NO_LIQUIDITY),
        (CANCELLED, 2, 1_001, 2, 0, Reject.VENUE_FILL_OR_KILL_UNFILLED),
        (CANCELLED, 3, 1_000, 1, 0, Reject.VENUE_NO_LIQUIDITY),
        (CANCELLED, 4, 1_001, 99, 0, Reject.VENUE_FILL_OR_KILL_UNFILLED),
    ]


def test_a_post_only_order_that_the_last_price_went_through_is_refused() -> None:
    venue = venue_of(Grade.BARS)
    opened(venue, bar(0, 1_000, 1_000, 1_000, 1_000, 100))
    for order_id, limit in ((1, 1_001), (2, 1_000)):
        venue.send(place(START + 1, order_id, BUY, limit, 4, POST_ONLY))
    venue.advance(START + 1)
    assert answers(venue) == [(REJECTED, 1, 1_001, 4, 0, Reject.VENUE_POST_ONLY_WOULD_TAKE)]
    assert [one[0] for one in venue.resting(0, BUY)] == [2]


def test_an_order_never_meets_one_of_ours() -> None:
    venue = venue_of(Grade.BARS)
    venue.send(place(START, 1, SELL, 1_001, 4))
    venue.send(place(START, 2, BUY, 1_001, 4))
    venue.send(market(START, 3, BUY, 4, 1_050))
    opened(venue, bar(0, 1_000, 1_000, 1_000, 1_000, 100))
    assert answers(venue) == [
        (CANCELLED, 2, 1_001, 4, 0, Reject.VENUE_SELF_TRADE),
        (CANCELLED, 3, 1_050, 4, 0, Reject.VENUE_SELF_TRADE),
    ]


@pytest.mark.parametrize("change", [{"flags": int(Flag.RESTATED)}, {"flags": int(Flag.VOID)}, {"owner": 60}])
def test_only_the_bars_of_the_named_interval_fill(change: dict[str, int]) -> None:
    settings = graded(Grade.BARS, order_latency_ns=0, answer_latency_ns=0)
    bars = walk(8, 60)
    bars["id2"][30:], bars["quantity"][30:] = 1_100, 100

    class Low(Strategy):
        def on_start(self) -> None:
            self.bars("1s", source="1s")

        def on_bar(self, _) -> None:
            if not self.open_orders() and self.position.flat:
                self.buy(self.lot, price=600.0)

    assert run_over(Low(), bars, settings)[0].kernel.fills > 0
    for slot, value in change.items():
        bars[slot][30:] = value
    merge, _ = run_over(Low(), bars, settings)
    assert (merge.kernel.orders, merge.kernel.fills) == (1, 0)


def test_a_fill_inside_a_bar_is_known_before_the_bar_is_told() -> None:
    class Told(Strategy):
        seen: tuple[str, ...] = ()

        def on_start(self) -> None:
            self.bars("1s")

        def on_bar(self, bar) -> None:
            self.seen = (*self.seen, f"bar {bar.close}")
            if len(self.seen) == 1:
                self.buy(self.lot, price=495.0)

        def on_fill(self, fill) -> None:
            self.seen = (*self.seen, f"fill {fill.price}")

    told = Told()
    bars = [bar(0, 1_000, 1_000, 1_000, 1_000, 100), bar(1, 1_000, 1_000, 980, 1_002, 100)]
    run_over(told, np.concatenate(bars), graded(Grade.BARS))
    assert told.seen == ("bar 500.0", "fill 495.0", "bar 501.0")


def test_bars_of_two_instruments_fill_their_own_orders() -> None:
    class Both(Strategy):
        filled: tuple[tuple[str, float], ...] = ()

        def on_start(self) -> None:
            self.bars("1s", warmup=1)

        def on_bar(self, _) -> None:
            if not self.filled and not self.open_orders():
                self.buy(0.001)
                self.buy(0.01, instrument="ETH/USD")

        def on_fill(self, fill) -> None:
            self.filled = (*self.filled, (fill.instrument, fill.price))

    eth = walk(10, 20, middle=900)
    eth["instrument"] = 2
    both = np.concatenate([walk(9, 20), eth])
    settings = plan(1, [BTC, ETH], grade=int(Grade.BARS), half_spread=0, participation=10**8, bars_ns=[SECOND, SECOND])
    strategy = Both()
    run_over(strategy, both[np.argsort(both["time_ns"], kind="stable")], settings)
    assert {name.partition("@")[0] for name, _ in strategy.filled} == {"BTC/USD", "ETH/USD"}


def test_without_a_book_its_view_is_empty_and_the_last_price_is_the_bars_close() -> None:
    class Looks(Strategy):
        seen: tuple[float, ...] = ()

        def on_start(self) -> None:
            self.bars("1s")

        def on_bar(self, bar) -> None:
            self.seen = (self.book.bid, self.book.ask, self.book.spread)

    looks = Looks()
    merge, _ = run_over(looks, walk(1, 20), graded(Grade.BARS))
    assert np.isnan(looks.seen).all() and merge.kernel.market(0)[2] == walk(1, 20)["price"][-1]


