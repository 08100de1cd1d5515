"""The ledger in lock-step with a plain-Python twin over random trades; and what it promises at the edges."""

import os
import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.ledger import ReferencePosition
from tradebot._core.ledger import Ledger

FULL = os.environ.get("TRADEBOT_FULL") == "1"
BASE, QUOTE = 0, 1

# Money units per tick and lot, money units of base per lot.
RATIOS = {
    "whole": (Fraction(1), Fraction(1)),
    "thirds": (Fraction(1, 3), Fraction(7, 2)),
    "coarse": (Fraction(10_000), Fraction(100_000)),
    "fine": (Fraction(3, 1000), Fraction(1, 10)),
}


def make(name: str) -> tuple[Ledger, ReferencePosition]:
    value, base = RATIOS[name]
    terms = (1, BASE, QUOTE, 1, 1, 1, 1, value.numerator, value.denominator, base.numerator, base.denominator, 0, 0)
    return Ledger(2, [terms]), ReferencePosition(value, base)


def agree(ledger: Ledger, reference: ReferencePosition) -> None:
    row = ledger.state()[1][0]
    assert row[4:8] == (reference.quantity, reference.cost, reference.realised, reference.fees)
    assert row[8] == reference.left * reference.value.denominator
    assert row[9:11] == (reference.bought, reference.sold)
    assert row[15] == reference.fees_in_base


@pytest.mark.parametrize("name", RATIOS)
def test_ledger_and_twin_agree_after_every_trade(name: str) -> None:
    """100,000 trades a ratio in full; a sample of them in `make test`."""
    ledger, reference = make(name)
    chance = random.Random(11)
    fees_quote = 0
    for _ in range(100_000 if FULL else 10_000):
        is_sell, in_base = chance.random() < 0.5, chance.random() < 0.3
        ticks, lots, fee = chance.randrange(1, 10**6), chance.randrange(1, 10**5), chance.randrange(0, 5_000)
        ledger.fill(0, is_sell, ticks, lots, fee, BASE if in_base else QUOTE)
        reference.fill(is_sell, ticks, lots, fee, in_base)
        fees_quote += 0 if in_base else fee
        agree(ledger, reference)
        middle2 = chance.randrange(2, 2 * 10**6)
        assert ledger.unrealised(0, middle2) == reference.unrealised(middle2)
        assert reference.realised - reference.cost == reference.taken - reference.paid
        assert ledger.state()[0][QUOTE][1] == -reference.paid - fees_quote
    ledger.validate()


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(sorted(RATIOS)),
    st.lists(st.tuples(st.booleans(), st.integers(1, 10**7), st.integers(1, 10**6)), max_size=20),
)
def test_ledger_and_twin_agree_at_the_edges(name: str, trades: list[tuple[bool, int, int]]) -> None:
    ledger, reference = make(name)
    for is_sell, ticks, lots in trades:
        ledger.fill(0, is_sell, ticks, lots, 0, QUOTE)
        reference.fill(is_sell, ticks, lots, 0, False)
        agree(ledger, reference)


def test_a_flat_position_has_cost_nothing() -> None:
    ledger, _ = make("thirds")
    for is_sell in (False, True, True, False):
        ledger.fill(0, is_sell, 100, 7, 0, QUOTE)
    assert ledger.state()[1][0][4:6] == (0, 0)


def test_lots_that_fees_took_are_not_held_and_cost_nothing() -> None:
    """ETH/BTC, lots of 0.0001: 1 bought at 0.02 for a fee of 0.001 ETH, 0.999 sold at 0.0195 for a fee in BTC."""
    terms = (1, BASE, QUOTE, 1, 100_000, 1, 10_000, 1, 10, 10_000, 1, 0, 0)
    ledger = Ledger(2, [terms])
    ledger.fill(0, False, 2_000, 10_000, 100_000, BASE)
    row = ledger.state()[1][0]
    assert row[4:6] == (9_990, 1_998_000)
    ledger.fill(0, True, 1_950, 9_990, 1_948, QUOTE)
    row = ledger.state()[1][0]
    assert row[4:6] == (0, 0)
    cash = ledger.state()[0][QUOTE][1]
    assert cash == row[6] - row[7] == -2_000_000 + 1_948_050 - 1_948
    assert ledger.state()[0][BASE][1] == 0
    ledger.validate()


def test_a_fee_that_takes_all_that_was_bought_leaves_no_position() -> None:
    ledger, reference = make("whole")
    ledger.fill(0, False, 100, 1, 1, BASE)
    reference.fill(False, 100, 1, 1, True)
    agree(ledger, reference)
    assert ledger.state()[1][0][4:6] == (0, 0)
    ledger.validate()


def test_a_posting_beyond_64_bits_is_refused() -> None:
    ledger, _ = make("coarse")
    with pytest.raises(OverflowError, match="64 bits"):
        ledger.fill(0, False, 2**40, 2**40, 0, QUOTE)


def test_sums_beyond_64_bits_are_refused_not_wrapped() -> None:
    ledger, _ = make("whole")
    with pytest.raises(OverflowError, match="64 bits"):
        for _ in range(3):
            ledger.fill(0, False, 2**31, 2**31, 0, QUOTE)


def test_a_restored_ledger_goes_on_alike() -> None:
    ledger, reference = make("thirds")
    ledger.fill(0, False, 100, 7, 3, QUOTE)
    reference.fill(False, 100, 7, 3, False)
    other, _ = make("thirds")
    other.restore(ledger.state())
    other.fill(0, True, 101, 9, 1, BASE)
    reference.fill(True, 101, 9, 1, True)
    agree(other, reference)


def test_a_posting_that_is_refused_posts_nothing() -> None:
    ledger, _ = make("coarse")
    ledger.fill(0, False, 100, 7, 3, QUOTE)
    before = ledger.state()
    with pytest.raises(OverflowError):
        ledger.fill(0, True, 2**62, 2**40, 5, QUOTE)
    assert ledger.state() == before


def test_the_negation_of_the_least_number_is_seen_to_leave_64_bits() -> None:
    ledger, _ = make("whole")
    with pytest.raises(OverflowError):
        ledger.fill(0, True, 2**62, 2, 0, QUOTE)
    ledger.validate()
