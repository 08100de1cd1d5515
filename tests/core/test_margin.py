"""Margin, funding and liquidation prices against worked examples that venues published; and at the edges of tiers."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reference.margin_ledger import Rules, Terms
from tradebot._core.margin import Margin
from tradebot.domain.instrument import INVERSE, LINEAR, Instrument
from tradebot.engine.plan import core_terms, margin_tiers

UNIT = 10**8
ETH = Instrument(
    id=1, symbol="ETH/USDT:USDT", venue="binance", base="ETH", quote="USDT", tick="0.01", lot="0.001", kind=LINEAR
)
BTC = Instrument(
    id=2, symbol="BTC/USDT:USDT", venue="binance", base="BTC", quote="USDT", tick="0.01", lot="0.001", kind=LINEAR
)
COIN = Instrument(
    id=3, symbol="BTC/USD:BTC", venue="binance", base="BTC", quote="USD", tick="0.1", lot="1", multiplier="100", kind=INVERSE
)
DOLLAR = Instrument(id=4, symbol="BTC/USD:BTC", venue="bitmex", base="BTC", quote="USD", tick="0.5", lot="1", kind=INVERSE)
# Binance's brackets of 2021, as far as its examples reach.
ETH_TIERS = [
    ("0", "0.005"), ("10000", "0.0065"), ("100000", "0.01"), ("500000", "0.02"), ("1000000", "0.05"), ("2000000", "0.1"),
]  # fmt: skip
BTC_TIERS = [("0", "0.004"), ("50000", "0.005"), ("250000", "0.01"), ("1000000", "0.025")]
COIN_TIERS = [("0", "0.004"), ("5", "0.005"), ("10", "0.01"), ("20", "0.025"), ("50", "0.05"), ("100", "0.1"), ("200", "0.125")]


def rules(instrument: Instrument, rates: list[tuple[str, str]], leverage: int = 20, is_cross: bool = True) -> Margin:
    return Margin(core_terms(instrument, sorted({instrument.base, instrument.quote})), (leverage, is_cross, margin_tiers(rates)))


def test_amounts_of_tiers_are_those_that_the_venue_publishes() -> None:
    """Binance, "How to Calculate Liquidation Price": 16,300 at 2.5 % of USD-M bitcoin; COIN-M adds 50 BTC * (5 % - 2.5 %)."""
    assert margin_tiers(BTC_TIERS)[-1] == (10**6 * UNIT, 2_500_000, 16_300 * UNIT)
    before, level = margin_tiers(COIN_TIERS)[3:5]
    assert level == (50 * UNIT, 5_000_000, before[2] + 125_000_000)


def test_maintenance_margins_are_those_of_the_venues_example() -> None:
    """The same page: 3,500,032.458 * 2.5 % - 16,300 = 71,200.81144 and 4,918,775.081 * 10 % - 135,365 = 356,512.508 USDT."""
    assert rules(BTC, BTC_TIERS).maintenance(109_488, 2 * 3_196_727) == pytest.approx(71_200.81144 * UNIT, rel=1e-9)
    eth = Margin(core_terms(ETH, ["ETH", "USDT"]), (20, True, [(0, 10_000_000, 135_365 * UNIT)]))
    assert eth.maintenance(3_683_979, 2 * 133_518) == pytest.approx(356_512.508 * UNIT, rel=1e-5)


@pytest.mark.parametrize(
    ("instrument", "lots", "entry", "rate", "amount", "balance", "others", "expected"),
    [
        (ETH, 3_683_979, 145_684, 10_000_000, 135_365, 1_535_443.01, 0.0, 1_114.78),
        (BTC, 109_488, 3_248_198, 2_500_000, 16_300, 1_535_443.01, 0.0, 18_778.73),
        (ETH, 3_683_979, 145_684, 10_000_000, 135_365, 1_535_443.01, -56_354.57 - 71_200.81144, 1_153.26),
        (BTC, 109_488, 3_248_198, 2_500_000, 16_300, 1_535_443.01, -448_192.89 - 356_512.508, 26_316.89),
    ],
)
def test_liquidation_prices_are_those_of_the_venues_example(
    instrument: Instrument, lots: int, entry: int, rate: int, amount: int, balance: float, others: float, expected: float
) -> None:
    """Binance, USD-M: two longs, isolated with the whole wallet (no others), then cross with what the other adds and needs."""
    margin = Margin(core_terms(instrument, sorted({instrument.base, instrument.quote})), (1, True, [(0, rate, amount * UNIT)]))
    n, d = instrument.notional_ratio
    found = margin.liquidation_price(lots, lots * entry * n // d, (balance + others) * UNIT)
    assert found * float(instrument.tick) == pytest.approx(expected, abs=0.005)


def test_the_liquidation_price_of_an_inverse_contract_is_that_of_the_venues_calculator() -> None:
    """100,000 contracts of 100 dollars long at 45,000 over 101 BTC: 33,599.40 by Binance's calculator, said in its forum."""
    cost = -10_000_000 * UNIT // 45_000
    assert rules(COIN, COIN_TIERS).liquidation_price(100_000, cost, 101.0 * UNIT) / 10 == pytest.approx(33_599.40, abs=0.05)


def test_funding_of_an_inverse_contract_is_that_of_the_venues_example() -> None:
    """BitMEX: long 15,000 at 750 pays 20 XBT * 0.25 % = 0.05 XBT; a short receives it."""
    margin = rules(DOLLAR, [("0", "0.005")], 1)
    assert margin.initial(1_500, 15_000) == 20 * UNIT
    assert margin.funding(15_000, 2 * 1_500, 2_500_000_000) == 5_000_000
    assert margin.funding(-15_000, 2 * 1_500, 2_500_000_000) == -5_000_000


def test_funding_of_a_linear_contract_is_notional_times_rate_and_rounded_against_us() -> None:
    margin = rules(BTC, BTC_TIERS)
    assert margin.funding(1_000, 2 * 6_000_000, 100_000_000) == 6 * UNIT, "0.01 % of 60,000"
    assert margin.funding(-1_000, 2 * 6_000_000, 100_000_000) == -6 * UNIT
    assert margin.funding(1, 1, 1) == 1
    assert margin.funding(-1, 1, 1) == 0
    assert margin.funding(1, 1, -1) == 0


def test_initial_margin_is_rounded_up() -> None:
    assert rules(COIN, COIN_TIERS, 3).initial(3, 1) == math.ceil(math.ceil(100 / 0.3 * UNIT) / 3)


def test_maintenance_does_not_jump_where_a_tier_begins() -> None:
    margin = rules(BTC, BTC_TIERS)
    below, at, above = (margin.maintenance(lots, 2 * 5_000_000) for lots in (999, 1_000, 1_001))
    assert (at, below, above) == (200 * UNIT, 199.8 * UNIT, 200.25 * UNIT)


@given(
    st.sampled_from([BTC, COIN]), st.integers(1, 10**6), st.integers(10**3, 10**7), st.booleans(), st.integers(1, 50),
)
def test_a_position_at_its_liquidation_price_has_just_its_maintenance_margin(
    instrument: Instrument, lots: int, entry: int, is_short: bool, leverage: int
) -> None:
    """Of the formula and the exact reckoning: they are one rule said twice."""
    rates = BTC_TIERS if instrument is BTC else COIN_TIERS
    tiers = margin_tiers(rates)
    n, d = instrument.notional_ratio
    worth = n / d
    size = lots * worth * entry if instrument is BTC else lots * worth / entry
    cost = round(size) * (-1 if is_short else 1) * (1 if instrument is BTC else -1)
    wallet = abs(cost) / leverage
    held = -lots if is_short else lots
    price = rules(instrument, rates, leverage).liquidation_price(held, cost, wallet)
    if math.isnan(price):
        return
    value = held * worth * price if instrument is BTC else -held * worth / price
    notional = abs(value)
    rate, amount = next((rate, off) for floor, rate, off in reversed(tiers) if notional > floor * (1 - 1e-9) or floor == 0)
    assert wallet + value - cost == pytest.approx(notional * rate / UNIT - amount, rel=1e-6, abs=max(1e-6 * notional, 100))


@given(st.integers(-10**6, 10**6), st.integers(1, 10**7), st.booleans())
def test_maintenance_agrees_with_the_twin(lots: int, price2: int, is_inverse: bool) -> None:
    instrument, rates = (COIN, COIN_TIERS) if is_inverse else (BTC, BTC_TIERS)
    terms = Terms(is_inverse, Fraction(*instrument.notional_ratio))
    twin = Rules(1, False, [(floor, Fraction(rate, UNIT), amount) for floor, rate, amount in margin_tiers(rates)])
    if lots:
        try:
            found = rules(instrument, rates).maintenance(lots, price2)
        except OverflowError:
            return
        assert found == twin.maintenance(terms.notional(lots, price2))


@pytest.mark.parametrize(
    "wrong", [[], [("1", "0.01")], [("0", "0")], [("0", "1")], [("0", "0.01"), ("5", "0.01")], [("0", "0.01"), ("0", "0.02")]]
)
def test_tiers_that_do_not_rise_are_refused(wrong: list[tuple[str, str]]) -> None:
    with pytest.raises(ValueError, match="tier"):
        margin_tiers(wrong)
