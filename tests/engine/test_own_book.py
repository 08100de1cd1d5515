"""The engine's cash against plain fractions: it is one number at a venue, or two that the rounding of a fill explains."""

import random
from fractions import Fraction
from math import floor
from types import SimpleNamespace
from typing import Any

import pytest

from tests.engine.test_contracts import INV, LIN, margin
from tests.strategies.support import BTC, plan
from tradebot._core.ledger import Ledger
from tradebot.domain.instrument import INVERSE, LINEAR, Instrument
from tradebot.engine.own_book import OwnBook, Terms, read_book
from tradebot.engine.plan import Plan, core_terms

FINE = Instrument(id=1, symbol="BTC/USD", venue="test", base="BTC", quote="USD", tick="0.01", lot="0.00000007")
TINY = Instrument(id=1, symbol="BTC/USD", venue="test", base="BTC", quote="USD", tick="0.5", lot="0.0000000003")
FINE_LIN = Instrument(
    id=1, symbol="BTC/USDT:USDT", venue="test", base="BTC", quote="USDT", tick="0.01", lot="0.00000007", kind=LINEAR
)
FILLS = 400


def traded(instrument: Instrument, seed: int) -> tuple[Plan, Any, dict[str, Fraction]]:
    """A kernel's ledger after fills back and forth, and the cash of each asset by fractions."""
    chance = random.Random(seed)
    run = plan(1, [instrument], opening={instrument.base: 0, instrument.quote: 0})
    numbers = {asset: number for number, asset in enumerate(run.assets)}
    ledger = Ledger(len(run.assets), [core_terms(instrument, run.assets)])
    cash = {asset: Fraction(0) for asset in run.assets}
    held = 0
    for _ in range(FILLS):
        ticks, fee = chance.randrange(150, 250), chance.randrange(5)
        lots = chance.randrange(1, 300)
        is_sell = held > 0 and chance.random() < 0.55 if not instrument.is_contract else chance.random() < 0.5
        lots = min(lots, held) if is_sell and not instrument.is_contract else lots
        held += -lots if is_sell else lots
        ledger.fill(0, is_sell, ticks, lots, fee, numbers[instrument.settle])
        signed = -lots if is_sell else lots
        worth = Fraction(*instrument.notional_ratio)
        cash[instrument.settle] -= fee + (-signed * worth / ticks if instrument.kind == INVERSE else signed * ticks * worth)
        if not instrument.is_contract:
            cash[instrument.base] += signed * Fraction(*instrument.base_ratio)
        if instrument.is_contract and chance.random() < 0.1:
            paid = chance.randrange(-9, 10)
            ledger.pay_funding(0, paid)
            cash[instrument.settle] -= paid
    balances, positions = ledger.state()
    kernel = SimpleNamespace(balances=lambda: balances, positions=lambda: positions, open_orders=list, fills=FILLS)
    return run, kernel, cash


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("instrument", [BTC, FINE, LIN, FINE_LIN, INV], ids=["spot", "fine", "linear", "fine linear", "inverse"])
def test_cash_is_that_of_fractions_to_the_unit(instrument: Instrument, seed: int) -> None:
    run, kernel, cash = traded(instrument, seed)
    for asset, (least, most) in zip(run.assets, read_book(run, kernel).cash, strict=True):
        assert least <= floor(cash[asset]) <= most
        assert most == least or (instrument is INV and most == least + 1)


@pytest.mark.parametrize("seed", range(20))
def test_a_lot_of_less_than_a_unit_loses_at_most_a_unit_of_base_with_each_fill(seed: int) -> None:
    run, kernel, cash = traded(TINY, seed)
    book = dict(zip(run.assets, read_book(run, kernel).cash, strict=True))
    assert book["BTC"][0] < floor(cash["BTC"]) <= book["BTC"][1] == book["BTC"][0] + FILLS
    assert book["USD"] == (floor(cash["USD"]), floor(cash["USD"]))


def test_an_inverse_contract_is_two_numbers_only_where_a_part_of_a_unit_is_missing() -> None:
    apart = 0
    for seed in range(100):
        run, kernel, _ = traded(INV, seed)
        apart += sum(most - least for least, most in read_book(run, kernel).cash)
    assert apart <= 1, "what 400 fills were taken up is a 2^-21 of a unit"


def test_a_balance_is_ours_with_positions_at_the_venues_cost() -> None:
    book = OwnBook({}, {}, frozenset(), 0, {}, {}, [(100, 101)], frozenset())
    assert [book.balance(0, 50, told) for told in (149, 150, 151, 152)] == [150, 150, 151, 151]


def test_positions_are_net_of_all_strategies() -> None:
    run = plan(2, [LIN], margins=[margin()], opening={"USDT": 0})
    rows = [(1, owner, 0, 0, lots, cost, 0, 0, 0) for owner, lots, cost in ((0, 5, 500), (1, -3, -290))]
    kernel = SimpleNamespace(balances=lambda: [(0, 0, 0)] * 2, positions=lambda: rows, open_orders=list, fills=0)
    book = read_book(run, kernel)  # type: ignore[arg-type]
    assert (book.positions, book.costs) == ({1: 2}, {1: 210})
    assert book.cash[run.assets.index("USDT")] == (-210, -210)


@pytest.mark.parametrize(
    ("terms", "instrument", "text"),
    [
        (Terms(203, 2, 1, 0), BTC, "0.002 at 101.5, 0.001 filled"),
        (Terms(203, 2, 0, 199), BTC, "0.002 at 101.5 from 99.5 on, 0.000 filled"),
        (Terms(0, 2, 0, 0), BTC, "0.002 at the market, 0.000 filled"),
        (Terms(203, 2, 0, 0), None, "2 lots at 203 ticks, 0 filled"),
    ],
)
def test_terms_are_told_as_people_say_them(terms: Terms, instrument: Instrument | None, text: str) -> None:
    assert terms.text(instrument) == text
