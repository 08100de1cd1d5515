"""The face that users write: each callback with what it is told, orders and their refusals, views, and what a failure does."""

import gc
import os
import subprocess
import sys

import numpy as np
import pytest
from msgspec import Struct

from tests.strategies.support import BTC, ETH, SECOND, START, book, plan, row, run, trades
from tradebot._core.types import Flag, Kind, OrderState, Reject
from tradebot._core.views import StaleViewError
from tradebot.domain.errors import ConfigError, NotBuiltYet, StrategyBlocked
from tradebot.engine.plan import Limits, Place
from tradebot.engine.ports import Nobody
from tradebot.research.backtest import run as run_plan
from tradebot.strategies.strategy import Int, Strategy


class Log(Strategy):
    """Writes down what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[tuple] = []

    def on_start(self):
        self.log.append(("start", self.time_ns))
        self.bars("2s")
        self.every(1_500_000_000)

    def on_trade(self, trade):
        self.log.append(("trade", trade.price, trade.quantity, trade.is_sell))

    def on_book(self, book):
        self.log.append(("book", book.bid, book.ask, book.bids(1), book.asks(1)))

    def on_quote(self, book):
        self.log.append(("quote", book.bid, book.ask, book.bid_quantity))

    def on_bar(self, bar):
        self.log.append(("bar", bar.open, bar.high, bar.low, bar.close, bar.volume, bar.open_ns - START))

    def on_timer(self, timer):
        self.log.append(("timer", self.time_ns - START))

    def on_feed(self, feed):
        self.log.append(("feed", feed.is_gap, feed.is_up))

    def on_stop(self):
        self.log.append(("stop",))

    def of(self, name):
        return [one[1:] for one in self.log if one[0] == name]


def test_market_callbacks_are_told_what_happened():
    log = Log()
    gap = row(3.2, Kind.GAP)
    down = row(3.3, Kind.FEED_STATE, order_id=0)
    first, second, last = row(1, Kind.TRADE, 203, 5, flags=Flag.SELL), row(1.5, Kind.TRADE, 199, 2), row(7, Kind.TRADE, 201, 1)
    run(log, [*book(), first, second, gap, down, last])
    assert log.of("start") == [(START,)]
    assert log.of("trade") == [(101.5, 0.005, True), (99.5, 0.002, False), (100.5, 0.001, False)]
    assert log.of("book")[-1] == (100.0, 101.0, [(100.0, 1.0)], [(101.0, 1.0)])
    assert len(log.of("quote")) == 2
    assert log.of("feed") == [(True, True), (False, False)]
    assert log.of("timer") == [(1_500_000_000,), (3_000_000_000,), (4_500_000_000,), (6_000_000_000,)]
    first, empty, _ = log.of("bar")
    assert first == (101.5, 101.5, 99.5, 99.5, 0.007, 0)
    assert empty == (99.5, 99.5, 99.5, 99.5, 0.0, 2 * SECOND)
    assert log.of("stop") == [()]


class Script(Strategy):
    """Does one thing per trade, and writes down what orders are told."""

    def __init__(self, *steps) -> None:
        super().__init__()
        self.steps, self.log, self.ids = list(steps), [], []

    def on_trade(self, trade):
        if self.steps:
            self.ids.append(self.steps.pop(0)(self))

    def on_order(self, order):
        self.log.append(("order", order.state, order.price, order.remaining))

    def on_fill(self, fill):
        self.log.append(("fill", fill.price, fill.quantity, fill.is_maker, fill.fee))

    def on_position(self, position):
        self.log.append(("position", position.quantity))

    def on_reject(self, reject):
        self.log.append(("reject", reject.reason))

    def on_cancel_reject(self, reject):
        self.log.append(("cancel_reject", reject.reason))


def test_a_market_order_is_accepted_filled_and_posted():
    script = Script(lambda me: me.buy(0.01))
    merge = run(script, [*book(), *trades(3)])
    assert script.log == [
        ("order", OrderState.OPEN, 106.5, 0.01),
        ("fill", 101.0, 0.01, False, 0.00202),
        ("position", 0.01),
        ("order", OrderState.DONE, 106.5, 0.0),
    ]
    assert merge.kernel.balances()[2][1] == 10**13 - 101_000_000 - 202_000


def test_prices_and_sizes_are_rounded_on_the_safe_side():
    script = Script(lambda me: me.buy(0.0129, price=99.9), lambda me: me.sell(0.0129, price=102.1))
    run(script, [*book(), *trades(3)])
    assert [one[2:] for one in script.log] == [(99.5, 0.012), (102.5, 0.012)]


def test_what_is_locked_is_free_again_when_all_is_done():
    script = Script(lambda me: me.buy(0.5, price=99.0), lambda me: me.sell(0.5, price=103.0), lambda me: me.cancel_all())
    merge = run(script, [*book(), *trades(6)])
    assert [locked for _, _, locked in merge.kernel.balances()] == [0, 0, 0]
    assert [one[1] for one in script.log].count(OrderState.DONE) == 2


@pytest.mark.parametrize("name", ["risk"])
def test_an_order_that_is_not_built_yet_is_refused_by_name(name):
    script = Script(lambda me: me.buy(0.01, **{name: 1.0}))
    failure = run(script, [*book(), *trades(2)]).kernel.failures[0][2]
    assert isinstance(failure, NotBuiltYet)
    assert f"{name}=" in str(failure)


@pytest.mark.parametrize(
    "step",
    [
        lambda me: me.buy(),
        lambda me: me.buy(1.0, notional=5.0),
        lambda me: me.buy(float("nan")),
        lambda me: me.buy(1e300),
        lambda me: me.buy(0.1, price=float("inf")),
        lambda me: me.buy(0.1, post_only=True),
        lambda me: me.buy(0.1, time_in_force="DAY"),
        lambda me: me.buy(0.1, instrument="DOGE/USD"),
        lambda me: me.buy(0.1, colour="red"),
    ],
)
def test_a_malformed_call_raises_and_sends_nothing(step):
    merge = run(Script(step), [*book(), *trades(2)])
    assert len(merge.kernel.failures) == 1
    assert merge.kernel.orders == 0


def test_a_cancel_of_an_unknown_order_is_told():
    script = Script(lambda me: me.cancel(12345))
    run(script, [*book(), *trades(2)])
    assert script.log == [("cancel_reject", Reject.VENUE_ORDER_UNKNOWN)]


def test_a_cancel_of_a_filled_order_is_refused():
    script = Script(lambda me: me.buy(0.01, price=101.0), lambda me: me.cancel(me.ids[0]))
    run(script, [*book(), *trades(4, gap_s=0.015)])
    assert script.log[-1] == ("cancel_reject", Reject.VENUE_ORDER_UNKNOWN)


def test_an_order_without_a_market_is_refused():
    class Early(Script):
        def on_start(self):
            self.buy(0.01)

    early = Early()
    run(early, [*book(), *trades(1)])
    assert early.log == [("reject", Reject.NO_MARKET)]


class Raises(Script):
    def on_trade(self, trade):
        super().on_trade(trade)
        if not self.steps:
            self.buy(0.01)
            raise ZeroDivisionError("on purpose")


def test_a_strategy_that_raises_loses_its_wishes_and_its_orders_and_the_other_goes_on():
    raises = Raises(lambda me: me.buy(0.1, price=99.0), lambda me: None)
    other = Script(lambda me: None, lambda me: None, lambda me: me.buy(0.01))
    merge = run([raises, other], [*book(), *trades(6)])
    assert [(number, type(error)) for number, _, error in merge.kernel.failures] == [(0, ZeroDivisionError)]
    assert merge.kernel.orders == 2  # the one before it raised, and the other's
    assert [locked for _, _, locked in merge.kernel.balances()] == [0, 0, 0]
    assert other.log[-1][:2] == ("order", OrderState.DONE)


def test_answering_a_refusal_with_the_same_order_is_ended_not_hung():
    class Stubborn(Strategy):
        def on_trade(self, trade):
            self.buy(10**6)

        def on_reject(self, reject):
            self.buy(10**6)

    merge = run(Stubborn(), [*book(), *trades(2)])
    assert "refusals" in str(merge.kernel.failures[0][2])


def test_a_view_is_shut_when_its_callback_returns():
    class Keeps(Strategy):
        def on_trade(self, trade):
            self.kept = trade, self.book, self.position

    keeps = Keeps()
    run(keeps, [*book(), *trades(2)])
    trade, book_view, position = keeps.kept
    for read in (lambda: trade.price, lambda: book_view.bid, lambda: position.quantity):
        with pytest.raises(StaleViewError):
            read()


def test_orders_outside_a_callback_are_refused():
    strategy = Strategy()
    run(strategy, [*book(), *trades(1)])
    with pytest.raises(RuntimeError, match="inside the strategy's own callbacks"):
        strategy.buy(0.01)


@pytest.mark.parametrize(
    "use",
    [
        lambda me: me.buy(0.01),
        lambda me: me.cancel(1),
        lambda me: me.cancel_all(),
        lambda me: me.close(),
        lambda me: me.bars("5s"),
        lambda me: me.timer("5s"),
        lambda me: me.stop_timer(1),
        lambda me: me.time_ns,
        lambda me: me.book,
        lambda me: me.tick,
        lambda me: me.lot,
        lambda me: me.free(),
        lambda me: me.order_price(1),
        lambda me: me.order_remaining(1),
        lambda me: me.position_of("BTC/USD"),
        lambda me: me.book_of("BTC/USD"),
        lambda me: me.open_orders(),
    ],
)
def test_a_strategy_without_a_run_says_so(use):
    with pytest.raises(RuntimeError, match="not part of a run"):
        use(Strategy())


def test_views_outlive_the_run_they_came_from():
    class Keeps(Strategy):
        def on_trade(self, trade):
            self.kept = trade, self.position

    keeps = Keeps()
    run(keeps, [*book(), *trades(2)])
    gc.collect()
    for view in (keeps.kept[0], keeps.kept[1]):
        with pytest.raises(StaleViewError):
            _ = view.time_ns


def test_a_strategy_sees_nothing_before_it_was_received_and_yet_may_be_filled_by_it():
    """The venue traded through our order 0.5 s before the message of it reached us."""
    maker = Script(lambda me: me.buy(0.01, price=100.5))
    hit = row(4.0, Kind.L3_EXECUTE, 200, 5, 1)
    hit["venue_ns"] -= SECOND // 2
    run(maker, [*book(), *trades(2), hit, *trades(2, first_s=4.5)])
    assert ("fill", 100.5, 0.005, True, 0.0005025) in maker.log


def test_position_limits_count_open_orders():
    script = Script(lambda me: me.buy(0.06, price=99.0), lambda me: me.buy(0.06, price=99.0))
    places = [Place([0], [Limits(position_max=100)])]
    run(script, [*book(), *trades(3)], places=places)
    assert ("reject", Reject.POSITION_TOO_LARGE) in script.log


def test_two_instruments_are_traded_by_name():
    script = Script(lambda me: me.buy(0.1, instrument="ETH/USD"), lambda me: me.close("ETH/USD"))
    merge = run(script, [*book(), *book(2, 3_000), *trades(4)], instruments=[BTC, ETH])
    assert not merge.kernel.failures
    assert [one[1] for one in script.log if one[0] == "position"] == [0.1, 0.0]


def test_params_out_of_bounds_or_unknown_are_refused():
    class Bounded(Strategy):
        class Params(Struct, frozen=True):
            size: Int[1, 5] = 2

    assert Bounded({"size": 5}).params.size == 5
    with pytest.raises(ConfigError, match="<= 5"):
        Bounded({"size": 6})
    with pytest.raises(ConfigError, match="no parameter"):
        Bounded({"sise": 1})


def test_a_strategy_that_does_not_return_is_ended():
    class Hangs(Strategy):
        def on_trade(self, trade):
            while True:
                pass

    with pytest.raises(StrategyBlocked, match="did not return"):
        run_plan(plan(), [Hangs()], ["hangs"], [np.concatenate([*book(), *trades(1)])], Nobody(), callback_limit_s=1.0)


_DIGEST = """
import numpy as np
from tests.strategies.support import plan
from tradebot.engine.drive import drive
from tradebot.engine.plan import make_merge
from tradebot.engine.ports import Nobody
from tradebot.store import synthetic
from tradebot.strategies.crossover import Crossover
from tradebot.strategies.maker import InventoryMaker
merge = make_merge(plan(2, [synthetic.INSTRUMENT]), [InventoryMaker(), Crossover()])
drive(merge, synthetic.open_source(events=10_000)[1], Nobody())
print(merge.kernel.digest_text)
"""


def test_the_digest_does_not_depend_on_the_hash_seed():
    digests = set()
    for seed in ("0", "1", "random"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", _DIGEST], env=environment, capture_output=True, text=True, check=True)
        digests.add(done.stdout.strip())
    assert len(digests) == 1
