"""A strategy's hands: what a call turns into, in ticks and lots, and what a call cannot do."""

import subprocess
import sys
from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies.support import BTC, ETH, SECOND, START, book, plan, row, run, trades
from tradebot._core.types import Flag, Kind, OrderType, Reject, TimeInForce
from tradebot.domain.instrument import Instrument
from tradebot.engine.plan import Limits, Place, make_merge
from tradebot.strategies.strategy import Strategy

MILLIONTH = Fraction(1, 10**6)


class Once(Strategy):
    """Does one thing at the first trade."""

    def __init__(self, step) -> None:
        super().__init__()
        self.step, self.result, self.refused = step, None, []

    def on_trade(self, trade) -> None:
        if self.step is not None:
            step, self.step = self.step, None
            self.result = step(self)

    def on_reject(self, reject) -> None:
        self.refused.append(reject.reason)

    on_cancel_reject = on_reject


def sent(step, rows=None, **changes) -> np.ndarray:
    """The commands and refusals of a run in which a strategy does one step at its first trade."""
    once = Once(step)
    merge = run(once, rows or [*book(), *trades(3)], **changes)
    if merge.kernel.failures:
        raise merge.kernel.failures[0][2]
    facts = merge.kernel.take_audit()
    return facts[(facts["kind"] >= Kind.PLACE_ORDER) | (facts["kind"] == Kind.ORDER_REJECTED)]


@settings(max_examples=150, deadline=None)
@given(value=st.floats(0.0005, 1e6), is_sell=st.booleans())
def test_limits_and_sizes_are_rounded_on_the_safe_side(value: float, is_sell: bool) -> None:
    """Never more than asked, never worse than asked; beyond a millionth of a step, which counts as on it."""
    facts = sent(lambda me: (me.sell if is_sell else me.buy)(value, price=value), places=[Place([0], [Limits()])])
    ticks, lots = Fraction(value) / Fraction(1, 2), Fraction(value) * 1_000
    safe = ceil(ticks - MILLIONTH) if is_sell else floor(ticks + MILLIONTH)
    assert (facts[0]["price"], facts[0]["quantity"]) == (safe, floor(lots + MILLIONTH))


@pytest.mark.parametrize(
    ("words", "order_type", "force"),
    [
        ({}, OrderType.MARKET, TimeInForce.IOC),
        ({"time_in_force": "FOK"}, OrderType.MARKET, TimeInForce.FOK),
        ({"price": 99.0}, OrderType.LIMIT, TimeInForce.GTC),
        ({"price": 99.0, "post_only": True}, OrderType.LIMIT, TimeInForce.POST_ONLY),
        ({"price": 99.0, "time_in_force": "POST_ONLY"}, OrderType.LIMIT, TimeInForce.POST_ONLY),
        ({"price": 99.0, "time_in_force": "IOC"}, OrderType.LIMIT, TimeInForce.IOC),
        ({"price": 99.0, "time_in_force": "FOK"}, OrderType.LIMIT, TimeInForce.FOK),
    ],
)
def test_the_words_of_a_call_become_a_type_and_a_time_in_force(words: dict, order_type: int, force: int) -> None:
    fact = sent(lambda me: me.buy(0.01, **words))[0]
    assert (fact["order_type"], fact["time_in_force"], fact["kind"]) == (order_type, force, Kind.PLACE_ORDER)


@pytest.mark.parametrize(
    ("step", "lots"),
    [
        (lambda me: me.buy(notional=10.1), 100),  # at the ask, 101
        (lambda me: me.buy(notional=10.0999), 99),
        (lambda me: me.sell(notional=10.0), 100),  # at the bid, 100
        (lambda me: me.buy(notional=9.9, price=99.0), 100),
    ],
)
def test_a_notional_is_sized_at_the_price_it_would_trade_at(step, lots: int) -> None:
    assert sent(step)[0]["quantity"] == lots


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (lambda me: me.buy(-1.0), Reject.QUANTITY_NOT_POSITIVE),
        (lambda me: me.buy(0), Reject.QUANTITY_TOO_SMALL),
        (lambda me: me.buy(0.0009), Reject.QUANTITY_TOO_SMALL),
        (lambda me: me.buy(0.01, price=0.4), Reject.PRICE_MISSING),
        (lambda me: me.buy(0.01, price=-5), Reject.PRICE_MISSING),
    ],
)
def test_a_number_that_is_no_order_is_refused_by_its_rule(step, why: Reject) -> None:
    facts = sent(step)
    assert (facts["kind"].tolist(), facts["reject"].tolist()) == ([Kind.ORDER_REJECTED], [why])


def test_order_ids_count_up_and_are_those_of_the_commands() -> None:
    once = Once(lambda me: [me.buy(0.01, price=99.0), me.sell(0.01, price=103.0), me.buy(10**6)])
    merge = run(once, [*book(), *trades(2)])
    facts = merge.kernel.take_audit()
    placed = facts[np.isin(facts["kind"], [Kind.PLACE_ORDER, Kind.ORDER_REJECTED])]
    assert placed["id"].tolist() == once.result
    assert np.diff(np.array(once.result)).tolist() == [1, 1]


def test_what_is_open_is_told_in_order_of_placement() -> None:
    class Looks(Strategy):
        seen: tuple = ()

        def on_trade(self, trade) -> None:
            if not self.seen:
                self.placed = [self.buy(0.01 * (at + 1), price=90.0 + at) for at in range(3)]
            ids = self.open_orders()
            self.seen = (*self.seen, ([self.order_price(one) for one in ids], [self.order_remaining(one) for one in ids]))
            if len(self.seen) == 2:
                self.cancel(ids[1])

    looks = Looks()
    run(looks, [*book(), *trades(3)])
    assert looks.seen[0] == ([], [])  # wishes take effect when the callback returns
    assert looks.seen[1] == ([90.0, 91.0, 92.0], [0.01, 0.02, 0.03])
    assert looks.seen[2] == ([90.0, 92.0], [0.01, 0.03])
    assert (looks.order_price(12345), looks.order_remaining(12345)) == (None, 0.0)


def test_a_second_cancel_of_an_order_says_nothing_more() -> None:
    class Cancels(Strategy):
        def on_trade(self, trade) -> None:
            ids = self.open_orders()
            if ids:
                self.cancel(ids[0])
                self.cancel(ids[0])
            else:
                self.buy(0.01, price=90.0)

    merge = run(Cancels(), [*book(), *trades(2)])
    assert merge.kernel.take_audit()["kind"].tolist().count(Kind.CANCEL_ORDER) == 1


DUST = Instrument(id=1, symbol="BTC/USD", venue="test", base="BTC", quote="USD", tick="1", lot="0.00000001")


@pytest.mark.parametrize("lots", [1, 7, 10**8 + 1, 10**10 + 3, 10**11 + 77, 123_456_789_012, 10**13 + 9, 987_654_321_098_765])
@pytest.mark.parametrize("is_short", [False, True])
def test_a_close_leaves_nothing_whatever_the_size(lots: int, is_short: bool) -> None:
    """A position of many lots goes through no float that could lose one."""

    class InAndOut(Strategy):
        steps = 0

        def on_trade(self, trade) -> None:
            self.steps += 1
            if self.steps == 1:
                (self.sell if is_short else self.buy)((lots + 0.25) / 10**8)
            elif self.steps == 2:
                self.close()

    deep = [row(0, Kind.L3_ADD, 100, 10**16, 1), row(0, Kind.L3_ADD, 102, 10**16, 2, Flag.SELL)]
    merge = run(InAndOut(), [*deep, *trades(4)], instruments=[DUST], opening={"USD": 4 * 10**18, "BTC": 10**16})
    positions = merge.kernel.positions()[0]
    assert merge.kernel.failures == []
    assert abs(max(positions[9:11]) - lots) <= max(1, lots >> 50)
    assert positions[4] == 0


@pytest.mark.parametrize("lots", [10**10 + 3, 123_456_789_012, 10**13 + 9])
def test_what_remains_of_an_order_can_be_ordered_again_to_the_lot(lots: int) -> None:
    class Again(Strategy):
        def on_trade(self, trade) -> None:
            ids = self.open_orders()
            if not ids:
                self.buy((lots + 0.25) / 10**8, price=60)
            elif len(ids) == 1:
                self.buy(self.order_remaining(ids[0]), price=60)

    deep = [row(0, Kind.L3_ADD, 100, 5, 1), row(0, Kind.L3_ADD, 102, 5, 2, Flag.SELL)]
    merge = run(Again(), [*deep, *trades(3)], instruments=[DUST], opening={"USD": 4 * 10**18})
    facts = merge.kernel.take_audit()
    placed = facts["quantity"][facts["kind"] == Kind.PLACE_ORDER]
    assert placed[0] == placed[1]


def test_closing_when_flat_asks_for_nothing() -> None:
    once = Once(lambda me: me.close())
    merge = run(once, [*book(), *trades(2)])
    assert (once.result, merge.kernel.orders) == (0, 0)


class Ticks(Strategy):
    """Writes down which timer fired when, in milliseconds."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[tuple[int, int]] = []

    def on_timer(self, timer) -> None:
        self.log.append((timer.number, (self.time_ns - START) // 10**6))


def test_repeating_timers_keep_their_phase_and_single_ones_fire_once() -> None:
    class Mixed(Ticks):
        def on_start(self) -> None:
            self.slow, self.fast, self.single = self.every(700_000_000), self.every(300_000_000), self.after(500_000_000)

    mixed = Mixed()
    run(mixed, [*book(), *trades(1, first_s=1.5)])
    assert [when for number, when in mixed.log if number == mixed.slow] == [700, 1400]
    assert [when for number, when in mixed.log if number == mixed.fast] == [300, 600, 900, 1200, 1500]
    assert [when for number, when in mixed.log if number == mixed.single] == [500]


def test_a_timer_set_in_a_callback_counts_from_the_fact_being_handled() -> None:
    class Chain(Ticks):
        def on_trade(self, trade) -> None:
            self.after(250_000_000)

    chain = Chain()
    run(chain, [*book(), *trades(2), row(5, Kind.GAP)])
    assert [when for _, when in chain.log] == [1250, 2250]


def test_a_stopped_timer_fires_no_more() -> None:
    class Stops(Ticks):
        def on_start(self) -> None:
            self.number_of = self.every(400_000_000)

        def on_timer(self, timer) -> None:
            super().on_timer(timer)
            if len(self.log) == 2:
                self.stop_timer(timer.number)

    stops = Stops()
    run(stops, [*book(), *trades(4)])
    assert [when for _, when in stops.log] == [400, 800]


def test_a_strategy_stops_no_timer_but_its_own() -> None:
    class Rude(Strategy):
        def on_trade(self, trade) -> None:
            for number in range(1, 9):
                self.stop_timer(number)

    class Steady(Ticks):
        def on_start(self) -> None:
            self.every(SECOND)

    steady = Steady()
    run([Rude(), steady], [*book(), *trades(3, first_s=1)])
    assert [when for _, when in steady.log] == [1000, 2000, 3000]


@pytest.mark.parametrize("step", [lambda me: me.every(0), lambda me: me.after(-1), lambda me: me.timer("5 parsecs")])
def test_a_timer_without_a_time_is_refused(step) -> None:
    with pytest.raises(ValueError, match="expected"):
        sent(step)


def test_bars_declared_after_the_start_are_refused_and_the_run_goes_on() -> None:
    other = Once(lambda me: me.buy(0.01))
    merge = run([Once(lambda me: me.bars("1s")), other], [*book(), *trades(5)])
    assert [(number, type(error)) for number, _, error in merge.kernel.failures] == [(0, RuntimeError)]
    assert merge.kernel.fills == 1


class Bars(Strategy):
    def __init__(self, interval: str = "2s", warmup: int = 0) -> None:
        super().__init__()
        self.words, self.log = (interval, warmup), []

    def on_start(self) -> None:
        self.bars(*self.words)

    def on_bar(self, bar) -> None:
        self.log.append(((bar.open_ns - START) // SECOND, bar.trades, bar.open, bar.close))


def test_a_trade_at_the_edge_of_two_bars_opens_the_later_one() -> None:
    """A bar is [open, close): venues that stamp in milliseconds hit the edge every day."""
    bars = Bars()
    run(bars, [*book(), *(row(at, Kind.TRADE, 200 + at, 1) for at in (1, 2, 3, 5))])
    assert bars.log == [(0, 1, 100.5, 100.5), (2, 2, 101.0, 101.5)]


def test_bars_begin_with_the_first_trade_and_go_on_through_silence() -> None:
    bars = Bars("1s")
    run(bars, [*book(), row(2.5, Kind.TRADE, 201, 1), row(5.5, Kind.TRADE, 203, 1), row(6.5, Kind.GAP)])
    assert bars.log == [(2, 1, 100.5, 100.5), (3, 0, 100.5, 100.5), (4, 0, 100.5, 100.5), (5, 1, 101.5, 101.5)]


def test_bars_lie_on_the_grid_of_their_interval_wherever_a_run_starts() -> None:
    bars = Bars("2s")
    run(bars, [row(1.3, Kind.TRADE, 201, 1), row(5.2, Kind.TRADE, 203, 1)])
    assert [one[0] for one in bars.log] == [0, 2]


@pytest.mark.parametrize("warmup", [0, 1, 3])
def test_the_bars_of_the_warm_up_are_not_told(warmup: int) -> None:
    bars = Bars("1s", warmup)
    run(bars, [row(0.5 + at, Kind.TRADE, 201, 1) for at in range(6)])
    assert [one[0] for one in bars.log] == list(range(warmup, 5))


def test_an_instrument_is_named_with_or_without_its_venue() -> None:
    facts = sent(lambda me: [me.buy(0.01), me.buy(0.01, instrument="BTC/USD"), me.buy(0.01, instrument="BTC/USD@test")])
    assert facts["instrument"].tolist() == [1, 1, 1]


_STRANGERS_ORDER = """
from tests.core.test_trader import cancel_a_strangers_order
print(cancel_a_strangers_order())
"""


def cancel_a_strangers_order() -> list:
    """A strategy cancels an order of another in an instrument that it does not trade; returns what it is told."""

    class Owner(Strategy):
        def on_trade(self, trade) -> None:
            if not self.open_orders():
                self.order = self.buy(0.01, price=90.0)

    owner = Owner()
    thief = Once(lambda me: me.cancel(owner.order))
    places = [Place([0], [Limits()]), Place([1], [Limits()])]
    merge = make_merge(plan(2, [BTC, ETH], places=places), [owner, thief])
    rows = [*book(), *book(2, 3_000), *trades(2), row(3, Kind.TRADE, 3_001, 1, instrument=2), row(5, Kind.TRADE, 201, 1)]
    merge.feed(np.concatenate(rows))
    merge.finish()
    return [merge.kernel.failures, [int(one) for one in thief.refused], len(owner.open_orders())]


def test_a_cancel_of_a_strangers_order_is_refused_and_told() -> None:
    """In a process of its own: a refusal in an instrument without views wrote through None."""
    done = subprocess.run([sys.executable, "-c", _STRANGERS_ORDER], capture_output=True, text=True)
    assert done.stdout.strip() == f"[[], [{int(Reject.VENUE_ORDER_UNKNOWN)}], 1]", done.stderr[-500:]
