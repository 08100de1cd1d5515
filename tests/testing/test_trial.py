"""What a user's test calls: a good strategy passes, and each kind of bad one is caught with what to do about it."""

import pytest
from msgspec import Struct

from tradebot.strategies.crossover import Crossover
from tradebot.strategies.maker import InventoryMaker
from tradebot.strategies.strategy import Strategy
from tradebot.testing.trial import check_contract, trial


def test_a_trial_trades_and_is_the_same_each_time() -> None:
    first, second = trial(InventoryMaker), trial(InventoryMaker)
    assert first.failures == [] and first.orders > 0 and first.fills > 0
    assert first.digest == second.digest


def test_parameters_reach_the_strategy() -> None:
    assert trial(Crossover, {"fast": 3, "slow": 12}).digest != trial(Crossover).digest


@pytest.mark.parametrize("strategy", [InventoryMaker, Crossover])
def test_a_shipped_strategy_keeps_the_contract(strategy: type[Strategy]) -> None:
    check_contract(strategy)


class Raises(Strategy):
    def on_trade(self, trade) -> None:
        raise KeyError("x")


class Counts(Strategy):
    """Keeps its count beside its State."""

    count = 0

    def on_trade(self, trade) -> None:
        self.count += 1
        if self.count % 5 == 0:
            self.buy(0.01)


class Differs(Strategy):
    """Does something else each time it is made."""

    class State(Struct):
        orders: int = 0

    made = 0

    def on_start(self) -> None:
        Differs.made += 1

    def on_trade(self, trade) -> None:
        if self.state.orders < Differs.made:
            self.state.orders += 1
            self.buy(0.01)


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        (Raises, "strategy 'Raises' raised KeyError"),
        (Counts, "keep all that it must remember in its State"),
        (Differs, "ask no clock, no chance, no set"),
    ],
)
def test_a_strategy_that_breaks_the_contract_is_told_how_to_mend_it(strategy: type[Strategy], words: str) -> None:
    with pytest.raises(AssertionError) as caught:
        check_contract(strategy, events=20_000)
    assert words in str(caught.value)
