"""The contract suite over every strategy that the package ships, and over some made to be hard; and that it catches a cheat."""

import importlib
import inspect
import pkgutil

import numpy as np
import pytest
from msgspec import Struct

import tradebot.strategies
from tests.strategies.support import BTC, ETH, book, plan, row, trades
from tests.support import MS, Noise
from tests.support import stream as calm_stream
from tradebot._core.types import Kind
from tradebot.engine import snapshot
from tradebot.engine.plan import make_merge
from tradebot.engine.ports import Records
from tradebot.store import synthetic
from tradebot.strategies.strategy import Strategy
from tradebot.testing.contract import check_restarts


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
    check_restarts(strategy, plan(instruments=[synthetic.INSTRUMENT]), stream, every=11)


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


class Clocks(Strategy):
    """Tells its timers apart by the numbers that on_start gave, as the face invites to; both are declared there again."""

    def on_start(self) -> None:
        self.fast, self.slow = self.every(300_000_000), self.every(1_100_000_000)

    def on_timer(self, timer) -> None:
        if timer.number == self.slow:
            self.buy(0.01, price=self.book.bid)
        elif timer.number == self.fast and len(self.open_orders()) > 2:
            self.cancel_all()


class Chained(Strategy):
    """Sets a timer from a timer, stops another, and keeps both numbers in its State."""

    class State(Struct):
        next: int = 0
        spare: int = 0
        fired: list[int] = []

    def on_trade(self, trade) -> None:
        if not self.state.next:
            self.state.next = self.after(450_000_000)
            self.state.spare = self.every(2_000_000_000)

    def on_timer(self, timer) -> None:
        self.state.fired = [*self.state.fired, timer.number]
        if timer.number == self.state.next:
            self.state.next = self.after(450_000_000)
            self.sell(0.001)
            if len(self.state.fired) == 6:
                self.stop_timer(self.state.spare)


class Series(Strategy):
    """Several series of one interval, with indicators of every kind, still warming up at most restarts."""

    def on_start(self) -> None:
        self.one, self.two = self.bars("1s", warmup=3), self.bars("1s", warmup=5)
        self.three = self.bars("2s", instrument="ETH/USD")
        self.means = self.one.sma(3), self.one.ema(4), self.two.sma(2), self.three.ema(2), self.three.atr(2)

    def on_bar(self, bar) -> None:
        if self.means[0].value > 0 and self.means[0].value != self.means[1].value:
            self.buy(0.001, price=min(self.book.ask, self.means[2].value or self.book.bid))


class Refused(Strategy):
    """Lives on refusals: of the gate, of the venue, of cancels, with orders under way at every restart."""

    class State(Struct):
        reasons: list[int] = []
        last: int = 0

    def on_quote(self, book) -> None:
        self.buy(10**6)

    def on_trade(self, trade) -> None:
        self.state.last = self.buy(0.001, price=self.book.ask, post_only=True)
        self.buy(5.0, time_in_force="FOK", price=self.book.ask)
        self.cancel(self.state.last)

    def on_reject(self, reject) -> None:
        self.state.reasons = [*self.state.reasons, int(reject.reason)]

    def on_cancel_reject(self, reject) -> None:
        self.state.reasons = [*self.state.reasons, -int(reject.reason)]


@pytest.mark.parametrize("strategy", [Clocks, Chained, Series, Refused])
def test_a_tricky_strategy_keeps_the_contract(strategy: type[Strategy]) -> None:
    check_restarts(strategy, plan(instruments=[BTC, ETH]), busy_facts())


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("latency_ns", [0, 30 * MS])
def test_a_strategy_that_does_a_bit_of_everything_keeps_the_contract(seed: int, latency_ns: int) -> None:
    settings = plan(instruments=[BTC, ETH], order_latency_ns=latency_ns, answer_latency_ns=latency_ns)
    check_restarts(lambda: Noise({"seed": seed, "eager": 0.7}), settings, calm_stream(seed, 250, 2))


def test_a_quarantine_survives_restarts() -> None:
    class Fails(Strategy):
        class State(Struct):
            trades: int = 0

        def on_trade(self, trade) -> None:
            self.state.trades += 1
            self.buy(0.01, price=90.0)
            if self.state.trades == 3:
                raise ZeroDivisionError

    facts = np.concatenate([*book(), *trades(8)])
    merge = make_merge(plan(), [Fails()])
    merge.feed(facts)
    while merge.run(1):
        merge.kernel.take_audit()
        saved = snapshot.to_bytes(merge)
        merge = make_merge(plan(), [Fails()])
        snapshot.from_bytes(merge, saved)
    plain = make_merge(plan(), [Fails()])
    plain.feed(facts)
    plain.run(10**9)
    assert merge.kernel.digest_text == plain.kernel.digest_text
    assert merge.kernel.orders == 2


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


class Remembers(Strategy):
    """Keeps a list that it makes when it first needs it."""

    def on_trade(self, trade) -> None:
        self.state_of_mind = [*getattr(self, "state_of_mind", []), trade.price]
        if len(self.state_of_mind) == 5:
            self.sell(0.01)


class Drifts(Strategy):
    """Has State, and an indicator beside it that on_start makes by hand: the restored one starts from nothing."""

    class State(Struct):
        orders: int = 0

    def on_start(self) -> None:
        self.mean = 0.0

    def on_trade(self, trade) -> None:
        self.mean = 0.5 * self.mean + 0.5 * trade.price
        if self.mean > 0.9 * trade.price and self.state.orders < 3:
            self.state.orders += 1
            self.buy(0.01)


@pytest.mark.parametrize("cheat", [Remembers, Drifts])
def test_the_suite_catches_a_strategy_that_keeps_things_beside_its_state(cheat: type[Strategy]) -> None:
    with pytest.raises(AssertionError):
        check_restarts(cheat, plan(), np.concatenate([*book(), *trades(10)]))
