"""The contract suite over every strategy that the package ships, and over some made to be hard; and that it catches a cheat."""

import importlib
import inspect
import pkgutil

import numpy as np
import pytest
from msgspec import Struct

import tradebot.strategies
from tests.strategies.contract import check_restarts
from tests.strategies.support import BTC, ETH, book, plan, row, trades
from tradebot._core.types import Kind
from tradebot.engine.ports import Records
from tradebot.store import synthetic
from tradebot.strategies.strategy import Strategy


def shipped() -> list[type[Strategy]]:
    found = []
    for one in pkgutil.iter_modules(tradebot.strategies.__path__):
        module = importlib.import_module(f"tradebot.strategies.{one.name}")
        found += [
            value for _, value in inspect.getmembers(module, inspect.isclass)
            if issubclass(value, Strategy) and value.__module__ == module.__name__
        ]  # fmt: skip
    return found


@pytest.fixture(scope="module")
def stream() -> Records:
    """Some of a seeded market with what it takes to trade: a book, and trades."""
    records = np.concatenate(list(synthetic.open_source(events=20_000)[1]))
    first_trade = int(np.flatnonzero(records["kind"] == Kind.TRADE)[0])
    return records[: first_trade + 350]


def test_the_package_ships_strategies() -> None:
    assert {one.__name__ for one in shipped()} >= {"InventoryMaker", "Crossover"}


@pytest.mark.parametrize("strategy", shipped())
def test_a_shipped_strategy_keeps_the_contract(strategy: type[Strategy], stream: Records) -> None:
    check_restarts(strategy, plan(instruments=[synthetic.INSTRUMENT]), stream)


class Busy(Strategy):
    """Several series and timers, two instruments, orders left open across restarts."""

    class State(Struct):
        looks: int = 0
        prices: list[float] = []

    def on_start(self) -> None:
        self.short = self.bars("1s").ema(2)
        self.long = self.bars("3s", instrument="ETH/USD").atr(2)
        self.every(700_000_000)
        self.after(5_000_000_000)

    def on_timer(self, timer) -> None:
        self.state.looks += 1
        if self.state.looks % 3 == 0:
            self.cancel_all()
        elif self.state.looks % 3 == 1:
            self.buy(0.01, price=self.book.bid, post_only=True)
            self.sell(0.05, instrument="ETH/USD", time_in_force="IOC")

    def on_bar(self, bar) -> None:
        self.state.prices = [*self.state.prices[-3:], bar.close]


def busy_facts() -> Records:
    rows = [*book(), *book(2, 3_000), *trades(12), *(row(1.5 + at, Kind.TRADE, 3_001, 2, instrument=2) for at in range(12))]
    facts = np.concatenate(rows)
    return facts[np.argsort(facts["time_ns"], kind="stable")]


def test_a_busy_strategy_keeps_the_contract() -> None:
    check_restarts(Busy, plan(instruments=[BTC, ETH]), busy_facts())


class Forgetful(Strategy):
    """Keeps a count outside its State, which a restart loses."""

    def on_start(self) -> None:
        self.seen = 0

    def on_trade(self, trade) -> None:
        self.seen += 1
        if self.seen == 5:
            self.buy(0.01)


def test_the_suite_catches_state_that_is_not_declared() -> None:
    with pytest.raises(AssertionError):
        check_restarts(Forgetful, plan(), np.concatenate([*book(), *trades(10)]))
