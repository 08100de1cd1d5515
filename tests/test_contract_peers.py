"""Contracts against nautilus_trader's Position and MarginAccount over seeded fills; skipped where it is not installed.

It runs by its own interpreter, as benchmarks/peers.py finds it. docs/contracts.md says which rule explains each difference.
"""

import json
import random
import subprocess
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import pytest

from benchmarks import peers
from tradebot._core.ledger import Ledger
from tradebot._core.margin import Margin
from tradebot.domain.instrument import INVERSE, LINEAR, Instrument
from tradebot.engine.plan import core_terms, margin_tiers

UNIT = 10**8
FEE = Fraction(5, 10_000)
LEVERAGE, MAINTENANCE = 10, "0.01"
ASSETS = ["BTC", "USD", "USDT"]
LIN = Instrument(
    id=1, symbol="BTC/USDT:USDT", venue="test", base="BTC", quote="USDT", tick="0.1", lot="0.001", kind=LINEAR
)
INV = Instrument(
    id=1, symbol="BTC/USD:BTC", venue="test", base="BTC", quote="USD", tick="0.1", lot="1", multiplier="100", kind=INVERSE
)


class Fill(NamedTuple):
    is_sell: bool
    ticks: int
    lots: int


@pytest.fixture(scope="module")
def python() -> str:
    found = peers.find_python(peers.PEERS["nautilus_v1"])
    if found is None:
        pytest.skip("nautilus_trader is not installed: name its Python in TRADEBOT_PEER_NAUTILUS, or run `make peers`")
    return str(found)


def ask(python: str, instrument: Instrument, fills: list[Fill]) -> list[dict[str, str | None]]:
    case = {
        "kind": instrument.kind,
        "leverage": LEVERAGE,
        "maintenance": MAINTENANCE,
        "fills": [(one.is_sell, instrument.price_text(one.ticks), instrument.quantity_text(one.lots)) for one in fills],
    }
    program = str(peers.YARDSTICKS / "nautilus_contracts_v1.py")
    done = subprocess.run([python, program], input=json.dumps(case), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def draw(instrument: Instrument, seed: int, count: int) -> list[Fill]:
    """Fills both ways, through zero and back to it, around a price that wanders."""
    chance, held, ticks, fills = random.Random(seed), 0, 600_000, []
    for _ in range(count):
        ticks = max(ticks + chance.randrange(-6_000, 6_001), 100_000)
        is_sell, lots = chance.random() < 0.5, chance.randrange(1, 400)
        if held and chance.random() < 0.2:
            is_sell, lots = held > 0, abs(held)
        held += -lots if is_sell else lots
        fills.append(Fill(is_sell, ticks, lots))
    return fills


def units(text: str | None) -> Decimal:
    assert text is not None
    return Decimal(text) * UNIT


class AtMeanPrice:
    """Profit as nautilus_trader reckons it: against the mean of the entry prices by quantity, exact until the end."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument, self.worth = instrument, Fraction(*instrument.notional_ratio)
        self.held, self.mean, self.realised = 0, Fraction(0), Fraction(0)

    def gain(self, lots: int, ticks: int) -> Fraction:
        """Of signed lots held since the mean price."""
        if self.instrument.kind == INVERSE:
            return lots * self.worth * (1 / self.mean - Fraction(1, ticks))
        return lots * self.worth * (ticks - self.mean)

    def fill(self, fill: Fill) -> None:
        signed = -fill.lots if fill.is_sell else fill.lots
        closing = -self.held if self.held * (self.held + signed) < 0 else signed if self.held * signed < 0 else 0
        if closing:
            self.realised += self.gain(-closing, fill.ticks)
        opening = signed - closing
        self.held += closing
        if opening:
            self.mean = (self.mean * self.held + fill.ticks * opening) / (self.held + opening)
        self.held += opening


@pytest.mark.parametrize("instrument", [LIN, INV], ids=["linear", "inverse"])
@pytest.mark.parametrize("seed", range(4))
def test_commissions_and_margins_are_nautilus_traders_rounded_up(python: str, instrument: Instrument, seed: int) -> None:
    margin = Margin(core_terms(instrument, ASSETS), (LEVERAGE, False, margin_tiers([("0", MAINTENANCE)])))
    fills, fees, parts, held = draw(instrument, seed, 400), 0, 0, 0
    for fill, theirs in zip(fills, ask(python, instrument, fills), strict=True):
        before, held = held, held + (-fill.lots if fill.is_sell else fill.lots)
        parts += 2 if before * held < 0 else 1      # theirs: a fill through zero is two
        fees += fee_of(instrument, fill)
        assert 0 <= fees - units(theirs["commission"]) <= parts
        assert 0 <= margin.initial(fill.ticks, fill.lots) - units(theirs["initial"]) <= 1
        if held:
            assert 0 <= margin.maintenance(fill.lots, 2 * fill.ticks) - units(theirs["maintenance"]) <= 1


@pytest.mark.parametrize(("instrument", "one_entry"), [(LIN, False), (LIN, True), (INV, True)], ids=["linear", "one", "inverse"])
@pytest.mark.parametrize("seed", range(4))
def test_profit_is_nautilus_traders_but_for_rounding(python: str, instrument: Instrument, one_entry: bool, seed: int) -> None:
    """Any fills of a linear contract; an inverse one where each position was entered at one price."""
    fills = draw(instrument, seed, 400)
    if one_entry:
        fills = [Fill(at % 2 == 1, fill.ticks, fills[at - at % 2].lots) for at, fill in enumerate(fills)]
    ledger = Ledger(3, [core_terms(instrument, ASSETS)])
    for fill, theirs in zip(fills, ask(python, instrument, fills), strict=True):
        ledger.fill(0, *fill, 0, ASSETS.index(instrument.settle))
        row = ledger.state()[1][0]
        assert row[4] == Decimal(str(theirs["position"])) / instrument.lot_size
        assert abs(row[6] - earned(theirs)) <= 10 + len(fills) * one_entry, "each of theirs is rounded"
        if row[4]:
            assert abs(ledger.unrealised(0, 2 * fill.ticks) - units(theirs["unrealised"])) <= 10


@pytest.mark.parametrize("seed", range(4))
def test_profit_of_an_inverse_contract_differs_by_their_mean_of_entry_prices_and_by_nothing_else(python: str, seed: int) -> None:
    """Value over quantity is the entry of an inverse contract; a mean of prices by quantity makes profit out of nothing."""
    fills = draw(INV, seed, 400)
    ledger, by_mean, apart = Ledger(3, [core_terms(INV, ASSETS)]), AtMeanPrice(INV), 0
    for fill, theirs in zip(fills, ask(python, INV, fills), strict=True):
        ledger.fill(0, *fill, 0, ASSETS.index("BTC"))
        by_mean.fill(fill)
        assert abs(by_mean.realised - Fraction(earned(theirs))) <= 2 * len(fills)
        apart = max(apart, abs(ledger.state()[1][0][6] - int(by_mean.realised)))
    assert apart > 10_000


def earned(theirs: dict[str, str | None]) -> Decimal:
    """Their realised profit before commissions, which they take off."""
    return units(theirs["realised"]) + units(theirs["commission"])


def fee_of(instrument: Instrument, fill: Fill) -> int:
    return int(-(-exact_notional(instrument, fill) * FEE // 1))


def exact_notional(instrument: Instrument, fill: Fill) -> Fraction:
    worth = Fraction(*instrument.notional_ratio) * fill.lots
    return worth / fill.ticks if instrument.kind == INVERSE else worth * fill.ticks
