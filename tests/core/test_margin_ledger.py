"""The books of contracts in lock-step with a plain-Python twin: fills through zero, fees in any asset, funding."""

import os
import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.margin_ledger import BITS, Position, Terms
from tradebot._core.ledger import Ledger

FULL = os.environ.get("TRADEBOT_FULL") == "1"
BASE, QUOTE, OTHER = 0, 1, 2
LINEAR, INVERSE = 1, 2

# Money units of the settle asset: for a tick and lot where it is linear, for a lot at one tick where it is inverse.
WORTH = {
    "linear": (LINEAR, Fraction(10_000)),
    "linear thirds": (LINEAR, Fraction(1, 3)),
    "inverse": (INVERSE, Fraction(10**11)),
    "inverse thirds": (INVERSE, Fraction(10**11, 3)),
}


def make(name: str) -> tuple[Ledger, Position, int]:
    kind, worth = WORTH[name]
    terms = (1, BASE, QUOTE, 1, 1, 1, 1, worth.numerator, worth.denominator, 1, 1, 0, 0, kind)
    return Ledger(3, [terms]), Position(Terms(kind == INVERSE, worth)), BASE if kind == INVERSE else QUOTE


def agree(ledger: Ledger, twin: Position) -> None:
    row = ledger.state()[1][0]
    assert (*row[4:8], *row[11:13]) == twin.row()
    scale = 2**BITS if twin.terms.is_inverse else twin.terms.worth.denominator
    assert row[8] == twin.carry * scale


def balanced(ledger: Ledger, twin: Position, settle: int, elsewhere: dict[int, int]) -> None:
    """Realised less cost is minus what was traded; each asset is its postings; the asset that is not settled in never moves."""
    assert twin.realised - twin.cost == -twin.posted
    balances = [total for _, total, _ in ledger.state()[0]]
    expected = {asset: -elsewhere.get(asset, 0) for asset in (BASE, QUOTE, OTHER)}
    expected[settle] += twin.realised - twin.fees - twin.funding
    assert balances == [expected[asset] for asset in (BASE, QUOTE, OTHER)]


@pytest.mark.parametrize("name", WORTH)
def test_the_books_of_a_contract_and_its_twin_agree_after_every_posting(name: str) -> None:
    ledger, twin, settle = make(name)
    chance, elsewhere = random.Random(5), {}
    for _ in range(100_000 if FULL else 5_000):
        if chance.random() < 0.2 and twin.quantity:
            paid = chance.randrange(-10**6, 10**6)
            ledger.pay_funding(0, paid)
            twin.pay(paid)
        else:
            asset = chance.choice((settle, settle, OTHER))
            fee, is_sell = chance.randrange(0, 10**5), chance.random() < 0.5
            ticks, lots = chance.randrange(1, 10**6), chance.randrange(1, 10**4)
            if chance.random() < 0.2 and twin.quantity:
                is_sell, lots = twin.quantity > 0, abs(twin.quantity)
            ledger.fill(0, is_sell, ticks, lots, fee, asset)
            twin.fill(is_sell, ticks, lots, fee if asset == settle else 0)
            elsewhere[asset] = elsewhere.get(asset, 0) + (0 if asset == settle else fee)
        agree(ledger, twin)
        balanced(ledger, twin, settle, elsewhere)
        price2 = chance.randrange(1, 2 * 10**6)
        assert ledger.unrealised(0, price2) == twin.unrealised(price2)
    ledger.validate()


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(WORTH)),
    st.lists(st.tuples(st.booleans(), st.integers(1, 10**7), st.integers(1, 10**5), st.integers(-10**9, 10**9)), max_size=15),
)
def test_the_books_agree_at_the_edges(name: str, trades: list[tuple[bool, int, int, int]]) -> None:
    ledger, twin, settle = make(name)
    for is_sell, ticks, lots, fee in trades:
        ledger.fill(0, is_sell, ticks, lots, fee, settle)
        twin.fill(is_sell, ticks, lots, fee)
        if twin.quantity:
            ledger.pay_funding(0, fee)
            twin.pay(fee)
        agree(ledger, twin)
        balanced(ledger, twin, settle, {})


def test_a_linear_contract_is_worth_price_times_lots() -> None:
    ledger, _, _ = make("linear")
    ledger.fill(0, False, 100, 3, 7, QUOTE)
    assert ledger.state()[0] == [(0, 0, 0), (0, -7, 0), (0, 0, 0)], "a fill moves no asset but the fee"
    ledger.fill(0, True, 110, 3, 8, QUOTE)
    assert ledger.state()[1][0][6] == (110 - 100) * 3 * 10_000
    assert ledger.state()[0][QUOTE][1] == 300_000 - 15


def test_an_inverse_contract_earns_contract_over_entry_less_contract_over_exit() -> None:
    """Binance's example for COIN-M: profit = size * multiplier * (1 / entry - 1 / exit), in the base asset."""
    ledger, _, _ = make("inverse")                              # 100 dollars a contract, a tick of 0.1 dollar, 1e-8 a money unit
    ledger.fill(0, False, 100_000, 50, 0, BASE)                 # 50 contracts at 10,000 dollars
    ledger.fill(0, True, 125_000, 50, 0, BASE)                  # sold at 12,500
    exact = 50 * 100 * (Fraction(1, 10_000) - Fraction(1, 12_500)) * 10**8
    assert ledger.state()[1][0][6] == exact == 10_000_000
    assert ledger.state()[0][BASE][1] == exact
    ledger.fill(0, True, 100_000, 50, 0, BASE)
    ledger.fill(0, False, 80_000, 50, 0, BASE)                  # a short gains as the price falls
    assert ledger.state()[1][0][6] - exact == 50 * 100 * (Fraction(1, 8_000) - Fraction(1, 10_000)) * 10**8


def test_a_thousand_inverse_trades_there_and_back_lose_nothing_to_rounding() -> None:
    ledger, _, _ = make("inverse thirds")
    for at in range(1_000):
        ledger.fill(0, at % 2 == 1, 70_001, 3, 0, BASE)
    assert ledger.state()[1][0][6] in (0, -1)


def test_funding_is_drawn_from_the_margin_of_what_is_held_and_leaves_with_it() -> None:
    ledger, _, _ = make("linear")
    ledger.fill(0, False, 100, 4, 0, QUOTE)
    ledger.pay_funding(0, 800)
    ledger.pay_funding(0, -300)
    assert ledger.state()[1][0][11:13] == (500, 500)
    ledger.fill(0, True, 100, 1, 0, QUOTE)
    assert ledger.state()[1][0][11:13] == (500, 375)
    ledger.pay_funding(0, -1_000)
    assert ledger.state()[1][0][11:13] == (-500, 0), "what is received beyond that is free money"
    ledger.fill(0, True, 100, 5, 0, QUOTE)
    assert ledger.state()[1][0][12] == 0


def test_a_fee_of_a_third_asset_is_posted_there_and_nowhere_else() -> None:
    for kind in (0, LINEAR):
        terms = (1, BASE, QUOTE, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, kind)
        ledger = Ledger(3, [terms])
        ledger.fill(0, False, 10, 2, 5, OTHER)
        assert ledger.state()[0][OTHER] == (0, -5, 0)
        assert ledger.state()[1][0][7] == 0


@pytest.mark.parametrize("kind", [0, LINEAR, INVERSE])
def test_a_fee_of_a_third_asset_with_a_stated_price_counts_at_its_worth_rounded_down(kind: int) -> None:
    terms = (1, BASE, QUOTE, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, kind)
    ledger = Ledger(3, [terms], (OTHER, 1201, 2))
    ledger.fill(0, False, 10, 2, 5, OTHER)
    ledger.fill(0, False, 10, 2, 7, BASE if kind == INVERSE else QUOTE)
    row = ledger.state()[1][0]
    assert ledger.state()[0][OTHER] == (0, -5, 0)
    assert (row[7], row[14]) == (3_002 + 7, 3_002), "600.5 each"
