"""The simulated venue's clearing in lock-step with a plain account: fills, marks, settlements, liquidations, each to the unit."""

import random
from fractions import Fraction
from itertools import count

import numpy as np
import pytest

from tests.reference.margin_ledger import Account, Liquidation, Rules, Terms
from tests.support import constant, place
from tradebot._core.simulator import Simulator
from tradebot._core.types import RECORD_DTYPE, Flag, Kind, Reject, TimeInForce

BASE, QUOTE = 0, 1
OPENING = 10**13
TAKER = 50_000                                                                      # 0.05 %
TIERS = [(0, 400_000, 0), (10**11, 1_000_000, 6 * 10**8), (10**12, 5_000_000, 406 * 10**8)]
KINDS = {"linear": (1, Fraction(10_000)), "inverse": (2, Fraction(10**13))}
DEEP = 10**9                                                                        # lots at the best prices


class Venue:
    """One market with a book as deep as one likes around a price, without latency."""

    def __init__(self, kind: str, leverage: int, is_cross: bool, strategies: int = 2, pays_funding: bool = True) -> None:
        number, worth = KINDS[kind]
        terms = (1, BASE, QUOTE, 1, 1, 1, 1, worth.numerator, worth.denominator, 1, 1, 0, 0, number)
        self.settle = BASE if kind == "inverse" else QUOTE
        self.simulator = Simulator(
            [terms], constant(0), constant(0), TAKER, TAKER, False, margins=[(leverage, is_cross, TIERS)],
            opening=[OPENING, OPENING], strategies=strategies, pays_funding=pays_funding,
        )
        rules = Rules(leverage, is_cross, [(floor, Fraction(rate, 10**8), amount) for floor, rate, amount in TIERS])
        self.account = Account(Terms(kind == "inverse", worth), rules, OPENING, strategies)
        self.now, self.ids, self.price, self.mark = 10**9, count(1), 0, 0

    def tell(self, kind: int, price: int = 0, lots: int = 0, flags: int = 0, **slots: int) -> None:
        record = np.zeros(1, RECORD_DTYPE)
        self.now += 1_000
        record["time_ns"] = record["venue_ns"] = self.now
        record["instrument"], record["kind"], record["price"], record["quantity"], record["flags"] = 1, kind, price, lots, flags
        for name, value in slots.items():
            record[name] = value
        self.simulator.market(record)

    def book(self, price: int) -> None:
        """Bid at `price`, ask a tick above, in one message."""
        if self.price:
            self.tell(Kind.L2_LEVEL, self.price, 0)
            self.tell(Kind.L2_LEVEL, self.price + 1, 0, Flag.SELL)
        self.tell(Kind.L2_LEVEL, price, DEEP)
        self.tell(Kind.L2_LEVEL, price + 1, DEEP, Flag.SELL | Flag.LAST)
        self.price = price

    def order(self, strategy: int, is_sell: bool, lots: int) -> None:
        """Take from the book, and let the twin post what the venue says."""
        self.now += 1_000
        command = place(self.now, next(self.ids), int(is_sell), 1 if is_sell else 10**9, lots, TimeInForce.IOC)
        command["owner"] = strategy
        self.simulator.send(command)
        self.simulator.advance(self.now)
        for fill in self.answers(Kind.ORDER_FILLED):
            self.account.fill(strategy, is_sell, int(fill["price"]), int(fill["quantity"]), int(fill["fee"]))

    def answers(self, kind: Kind) -> np.ndarray:
        found = self.simulator.take_answers()
        return found[found["kind"] == kind]

    def liquidations(self) -> list[Liquidation]:
        return [
            Liquidation(one["owner"], bool(one["flags"] & Flag.SELL), one["price"], one["quantity"], one["fee"])
            for one in self.answers(Kind.LIQUIDATED)
        ]

    def agree(self) -> None:
        balances, positions = self.simulator.clearing()
        assert [(*row[4:8], *row[11:13]) for row in positions] == [one.row() for one in self.account.positions]
        assert balances[self.settle][1] == self.account.total
        assert balances[1 - self.settle][1] == OPENING
        posted = sum(one.realised - one.fees - one.funding for one in self.account.positions)
        assert self.account.total == OPENING + posted


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_cross", [False, True])
@pytest.mark.parametrize("leverage", [1, 10, 100])
def test_the_clearing_and_its_twin_agree_after_every_fact(kind: str, is_cross: bool, leverage: int) -> None:
    venue, chance = Venue(kind, leverage, is_cross), random.Random(leverage)
    venue.book(50_000)
    liquidated = settled = 0
    for _ in range(600):
        what = chance.random()
        if what < 0.4:
            limit = OPENING // 2 // venue.account.positions[0].terms.notional(1, 100_000) + 1
            venue.order(chance.randrange(2), chance.random() < 0.5, chance.randrange(1, 3 * limit))
        elif what < 0.8:
            venue.mark = max(venue.price + chance.randrange(-6_000, 6_000), 1_000)
            venue.tell(Kind.MARK, venue.mark)
            expected = venue.account.judge(2 * venue.mark)
            assert venue.liquidations() == expected
            liquidated += len(expected)
        elif what < 0.9 and venue.mark:
            rate, price = chance.randrange(-10**10, 10**10), chance.choice((0, venue.price))
            paid = venue.account.settle(2 * (price or venue.mark), Fraction(rate, 10**12))
            venue.tell(Kind.FUNDING, price, id=rate % 2**64)
            facts = venue.simulator.take_answers()
            told = facts[facts["kind"] == Kind.FUNDING_PAID]
            assert [(int(one["owner"]), int(one["fee"])) for one in told] == paid
            settled += len(paid)
            closed = [one for one in facts if one["kind"] == Kind.LIQUIDATED]
            assert len(closed) == len(venue.account.judge(2 * venue.mark)), "a settlement is judged at once, at the mark"
        else:
            venue.book(max(venue.price + chance.randrange(-500, 500), 2_000))
            if venue.mark == 0:
                assert venue.liquidations() == venue.account.judge(2 * venue.price + 1)
            else:
                expected = venue.account.judge(2 * venue.mark)
                assert venue.liquidations() == expected
        if venue.account.total < OPENING // 10:
            venue = Venue(kind, leverage, is_cross)
            venue.book(50_000)
        venue.agree()
    assert settled > 20
    assert liquidated > 0 or leverage == 1


def test_an_isolated_position_loses_exactly_its_margin() -> None:
    venue = Venue("linear", 10, False, 1)
    venue.book(50_000)
    venue.order(0, False, 1_000)                                                    # 1,000 lots at 50,001: worth 5,000.1
    margin = 5_000_100_000_00 // 10
    fee = venue.account.positions[0].fees
    venue.tell(Kind.MARK, 45_500)
    assert venue.liquidations() == []
    venue.tell(Kind.MARK, 45_100 // 2)                                              # a gap far beyond the margin
    (closed,) = venue.liquidations()
    assert (closed.is_sell, closed.ticks, closed.lots) == (True, 22_550, 1_000)
    assert closed.fee < 0, "what is lost beyond the margin the venue's fund makes up"
    assert venue.simulator.clearing()[0][QUOTE][1] == OPENING - fee - margin


def test_a_position_is_closed_when_its_margin_meets_the_maintenance_margin_and_not_before() -> None:
    """Long 1,000 at 50,001 with a tenth: 1 % of the notional less 6 meets margin and loss at 45,394.85 ticks."""
    for mark, closes in ((45_395, False), (45_394, True)):
        venue = Venue("linear", 10, False, 1)
        venue.book(50_000)
        venue.order(0, False, 1_000)
        venue.tell(Kind.MARK, mark)
        assert bool(venue.liquidations()) is closes


def test_orders_of_a_liquidated_position_are_cancelled_with_their_number_and_others_stay() -> None:
    venue = Venue("linear", 10, False, 2)
    venue.book(50_000)
    venue.order(0, False, 1_000)
    for strategy in (0, 1):
        command = place(venue.now + 1, next(venue.ids), 0, 49_000, 5)
        command["owner"] = strategy
        venue.simulator.send(command)
    venue.simulator.advance(venue.now + 2)
    venue.simulator.take_answers()
    venue.tell(Kind.MARK, 40_000)
    facts = venue.simulator.take_answers()
    assert [Kind(one) for one in facts["kind"]] == [Kind.ORDER_CANCELLED, Kind.LIQUIDATED]
    assert (facts["owner"][0], facts["reject"][0], facts["quantity"][0]) == (0, Reject.VENUE_LIQUIDATED, 5)
    assert [row[2] for row in venue.simulator.resting(0, 0)] == [5]


def test_fees_are_taken_from_a_third_asset_while_there_is_enough_of_it() -> None:
    """An order of 10 at 50,001 costs 0.05 % of 50.001 quote, 2,500,050 units: at 600 each 4,166.75 of the third, rounded up."""
    terms = (1, BASE, QUOTE, 1, 1, 1, 1, 10_000, 1, 1, 1, 0, 0, 1)
    venue = Venue("linear", 10, False, 1)
    venue.simulator = Simulator(
        [terms], constant(0), constant(0), TAKER, TAKER, False, margins=[(10, False, TIERS)], opening=[0, OPENING, 6_000],
        strategies=1, fee_asset=(2, 600, 1),
    )  # fmt: skip
    venue.book(50_000)
    paid = []
    for order in (1, 2):
        command = place(venue.now + 1_000, order, 0, 10**9, 10, TimeInForce.IOC)
        command["owner"] = 0
        venue.simulator.send(command)
        venue.simulator.advance(venue.now + 1_000)
        (fill,) = venue.answers(Kind.ORDER_FILLED)
        paid.append((int(fill["fee_asset"]), int(fill["fee"])))
    assert paid == [(2, 4_167), (QUOTE, 2_500_050)]
    balances, (row,) = venue.simulator.clearing()
    assert [total for _, total, _ in balances] == [0, OPENING - 2_500_050, 6_000 - 4_167]
    assert (row[7], row[14]) == (4_167 * 600 + 2_500_050, 4_167 * 600)
    state = venue.simulator
    state.take_markouts()
    assert state.snapshot()[10] == 6_000 - 4_167


def test_without_marks_the_middle_of_a_whole_book_is_judged() -> None:
    venue = Venue("linear", 10, False, 1)
    venue.book(50_000)
    venue.order(0, False, 1_000)
    venue.tell(Kind.L2_LEVEL, 50_000, 0)                                            # within a message the bid is far away
    venue.tell(Kind.L2_LEVEL, 10_000, 1)
    assert venue.liquidations() == []
    venue.tell(Kind.L2_LEVEL, 49_999, 1, Flag.LAST)
    assert venue.liquidations() == []
    venue.tell(Kind.L2_LEVEL, 49_999, 0)
    venue.tell(Kind.L2_LEVEL, 10_000, 0)
    venue.book(45_000)
    (closed,) = venue.liquidations()
    assert closed.ticks == 45_000, "half of 90,001, rounded against us"


def test_a_cross_account_falls_with_all_its_positions_and_to_nothing() -> None:
    venue = Venue("inverse", 50, True, 2)
    venue.book(50_000)
    lots = 2 * OPENING // venue.account.positions[0].terms.notional(1, 100_000)
    venue.order(0, False, 10 * lots)
    venue.order(1, True, lots)
    venue.tell(Kind.MARK, 47_000)
    first, second = venue.liquidations()
    assert (first.fee, first.is_sell, second.is_sell) == (0, True, False)
    assert venue.simulator.clearing()[0][BASE][1] == 0


def test_funding_is_left_out_where_it_is_not_wanted() -> None:
    venue = Venue("linear", 1, False, 1, pays_funding=False)
    venue.book(50_000)
    venue.order(0, False, 10)
    venue.tell(Kind.FUNDING, 50_000, id=10**9)
    assert not len(venue.simulator.take_answers())


def test_a_settlement_without_any_price_is_refused_in_words() -> None:
    venue = Venue("linear", 1, False, 1)
    venue.book(50_000)
    venue.order(0, False, 10)
    venue.tell(Kind.L2_LEVEL, 50_000, 0, Flag.LAST)
    with pytest.raises(ValueError, match="comes without a price"):
        venue.tell(Kind.FUNDING, 0, id=10**9)


def test_a_restored_clearing_goes_on_alike() -> None:
    venue = Venue("inverse", 10, False, 1)
    venue.book(50_000)
    venue.order(0, True, 5)
    venue.tell(Kind.MARK, 50_100)
    saved = venue.simulator
    saved.take_markouts()
    state, fresh = saved.snapshot(), Venue("inverse", 10, False, 1)
    fresh.simulator.restore(state)
    assert fresh.simulator.clearing() == saved.clearing()
    fresh.now = venue.now
    for one in (venue, fresh):
        one.tell(Kind.MARK, 60_000)
    assert venue.liquidations() == fresh.liquidations() != []
