"""The risk gate inside a run: what it knows of the market, of open orders, of balances and of time is true when it decides.

The rules themselves, by their numbers, are held by test_risk.
"""

import random

import msgspec
import numpy as np
import pytest

from tests.strategies.support import BTC, SECOND, book, plan, row, run, trades
from tests.support import MS, Noise, stream
from tradebot._core.merge import Merge
from tradebot._core.types import Flag, Kind, OrderState, OrderType, Reject, TradingState
from tradebot.engine.plan import Limits, Place, make_merge
from tradebot.strategies.strategy import Strategy


class Steps(Strategy):
    """Does one step per trade; notes refusals, and the free balances that it sees."""

    def __init__(self, *steps) -> None:
        super().__init__()
        self.steps, self.refused, self.states, self.free_seen = list(steps), [], [], []

    def on_trade(self, trade) -> None:
        self.free_seen.append((self.free("quote"), self.free("base")))
        if self.steps:
            self.steps.pop(0)(self)

    def on_reject(self, reject) -> None:
        self.refused.append(reject.reason)

    def on_order(self, order) -> None:
        self.states.append(order.state)


def steps_in(limits: Limits, *steps, rows=None, **changes) -> Steps:
    strategy = Steps(*steps)
    merge = run(strategy, rows or [*book(), *trades(len(steps) + 2)], places=[Place([0], [limits])], **changes)
    assert merge.kernel.failures == []
    return strategy


def under_states(*steps) -> Steps:
    """Steps of (trading state from here on, what to do): an operator's word between two facts."""

    def step(state: TradingState, act) -> object:
        return lambda me: [merge.kernel.set_trading_state(int(state)), act(me)]

    strategy = Steps(*(step(state, act) for state, act in steps))
    merge = make_merge(plan(), [strategy])
    merge.feed(np.concatenate([*book(), *trades(len(steps) + 2)]))
    merge.finish()
    assert merge.kernel.failures == []
    return strategy


@pytest.mark.parametrize(
    ("price", "refused"), [(75.5, []), (75.0, [Reject.PRICE_OUT_OF_BAND]), (125.5, []), (126.0, [Reject.PRICE_OUT_OF_BAND])]
)
@pytest.mark.parametrize("side", [Strategy.buy, Strategy.sell])
def test_a_limit_may_lie_the_band_away_from_the_middle_either_way(side, price: float, refused: list[Reject]) -> None:
    """The middle is 100.5; a quarter of it is 25.125, and whole ticks of it 25."""
    assert steps_in(Limits(band=25_000_000), lambda me: side(me, 0.01, price=price)).refused == refused


def test_the_reference_is_the_last_middle_when_a_side_has_gone() -> None:
    gone = row(1.5, Kind.L3_DELETE, 202, 1_000, 2, Flag.SELL)
    limits = Limits(band=1_000_000)
    found = steps_in(limits, lambda me: None, lambda me: me.buy(0.01, price=100.5), lambda me: me.buy(0.01, price=102.0),
                     rows=[*book(), *trades(1), gone, *trades(4, first_s=2)])  # fmt: skip
    assert found.refused == [Reject.PRICE_OUT_OF_BAND]


def test_the_reference_is_the_last_trade_where_there_was_never_a_book() -> None:
    found = steps_in(
        Limits(band=10_000_000), lambda me: me.buy(0.01, price=110.0), lambda me: me.buy(0.01, price=111.0), rows=[*trades(3)]
    )
    assert found.refused == [Reject.PRICE_OUT_OF_BAND]


@pytest.mark.parametrize("side", [Strategy.buy, Strategy.sell])
def test_the_position_limit_counts_what_is_open_until_it_is_gone(side) -> None:
    far = 90.0 if side is Strategy.buy else 110.0
    found = steps_in(
        Limits(position_max=100),
        lambda me: side(me, 0.06, price=far),
        lambda me: side(me, 0.041, price=far),  # 101 lots at worst
        lambda me: side(me, 0.04, price=far),
        lambda me: me.cancel_all(),
        lambda me: side(me, 0.1, price=far),
    )
    assert found.refused == [Reject.POSITION_TOO_LARGE]
    assert found.states.count(OrderState.OPEN) == 3


def test_open_orders_of_the_other_side_free_no_room() -> None:
    found = steps_in(
        Limits(position_max=100), lambda me: me.sell(0.1, price=110.0), lambda me: me.buy(0.101, price=90.0)
    )
    assert found.refused == [Reject.POSITION_TOO_LARGE]


def test_halted_refuses_new_orders_and_lets_cancels_pass() -> None:
    found = under_states(
        (TradingState.ACTIVE, lambda me: me.buy(0.01, price=99.0)),
        (TradingState.HALTED, lambda me: me.sell(0.01)),
        (TradingState.HALTED, lambda me: me.cancel_all()),
        (TradingState.ACTIVE, lambda me: me.buy(0.01)),
    )
    assert found.refused == [Reject.TRADING_HALTED]
    assert found.states == [OrderState.OPEN, OrderState.DONE, OrderState.OPEN, OrderState.DONE]


@pytest.mark.parametrize("turn", [(Strategy.buy, Strategy.sell), (Strategy.sell, Strategy.buy)])
def test_reducing_lets_a_position_be_closed_and_no_more(turn) -> None:
    into, out = turn
    found = under_states(
        (TradingState.ACTIVE, lambda me: into(me, 0.01)),
        (TradingState.REDUCING, lambda me: into(me, 0.001)),
        (TradingState.REDUCING, lambda me: out(me, 0.011)),
        (TradingState.REDUCING, lambda me: me.close()),
        (TradingState.REDUCING, lambda me: out(me, 0.001)),
    )
    assert found.refused == [Reject.TRADING_REDUCING] * 3
    assert found.states == [OrderState.OPEN, OrderState.DONE] * 2


def test_trading_starts_in_the_state_of_the_plan() -> None:
    assert steps_in(Limits(), lambda me: me.buy(0.01), trading_state=int(TradingState.HALTED)).refused == [Reject.TRADING_HALTED]


@pytest.mark.parametrize(("gap_ns", "refused"), [(999_999_999, [Reject.ORDER_RATE_TOO_HIGH]), (SECOND, [])])
def test_the_rate_window_ends_after_exactly_its_interval(gap_ns: int, refused: list[Reject]) -> None:
    later = row(1, Kind.TRADE, 201, 1)
    later["time_ns"] += gap_ns
    later["venue_ns"] += gap_ns

    def two(me) -> None:
        me.buy(0.01, price=99.0)
        me.buy(0.01, price=99.0)

    rows = [*book(), *trades(1), later, *trades(1, first_s=4)]
    assert steps_in(Limits(), two, lambda me: me.buy(0.01), rows=rows, rate_orders=2, rate_interval_ns=SECOND).refused == refused


def test_a_refused_order_does_not_count_against_the_rate() -> None:
    found = steps_in(
        Limits(quantity_max=20), lambda me: [me.buy(0.021) for _ in range(5)], lambda me: me.buy(0.02),
        rate_orders=1, rate_interval_ns=100 * SECOND,
    )  # fmt: skip
    assert found.refused == [Reject.QUANTITY_TOO_LARGE] * 5


def test_the_rate_is_of_the_account_not_of_a_strategy() -> None:
    first, second = Steps(lambda me: me.buy(0.01)), Steps(lambda me: me.buy(0.01))
    run([first, second], [*book(), *trades(2)], rate_orders=1, rate_interval_ns=SECOND)
    assert (first.refused, second.refused) == ([], [Reject.ORDER_RATE_TOO_HIGH])


def test_orders_count_as_open_until_the_venue_says_otherwise() -> None:
    found = steps_in(
        Limits(orders_open_max=1), lambda me: [me.buy(0.01, price=99.0), me.buy(0.01, price=99.0)],
        lambda me: [me.cancel_all(), me.buy(0.01, price=99.0)], lambda me: me.buy(0.01, price=99.0),
    )  # fmt: skip
    assert found.refused == [Reject.ORDERS_OPEN_TOO_MANY] * 2
    assert found.states == [OrderState.OPEN, OrderState.DONE, OrderState.OPEN]


@pytest.mark.parametrize(("start", "refused"), [(101_000_000 * 10 + 2_020_000, []), (101_000_000 * 10 + 2_019_999, [401])])
def test_a_buy_needs_its_notional_and_the_taker_fee_to_the_last_unit(start: int, refused: list[int]) -> None:
    found = steps_in(Limits(), lambda me: me.buy(0.1, price=101.0), opening={"USD": start})
    assert found.refused == refused


@pytest.mark.parametrize(("start", "refused"), [(10_000_000, []), (9_999_999, [401])])
def test_a_sale_needs_what_it_sells_to_the_last_unit(start: int, refused: list[int]) -> None:
    assert steps_in(Limits(), lambda me: me.sell(0.1), opening={"BTC": start}).refused == refused


def test_where_a_buy_pays_its_fee_in_base_it_locks_no_fee() -> None:
    found = steps_in(Limits(), lambda me: me.buy(0.1, price=101.0), opening={"USD": 101_000_000 * 10}, fee_in_base=True)
    assert found.refused == []


def test_a_market_order_locks_its_worst_price_and_gives_back_the_difference() -> None:
    found = steps_in(Limits(), lambda me: me.buy(1.0), lambda me: None, lambda me: None, opening={"USD": 200 * 10**8})
    # At most 106.5 by the worst band of 5%; it filled 1.0 at 101.0.
    assert found.free_seen[0] == (200.0, 0.0)
    assert found.free_seen[1] == pytest.approx((200 - 101 * 1.002, 1.0), abs=1e-7)


def test_free_is_what_open_orders_do_not_hold() -> None:
    found = steps_in(
        Limits(), lambda me: me.buy(0.5, price=98.0), lambda me: me.sell(0.25, price=110.0), lambda me: me.cancel_all(),
        lambda me: None, opening={"USD": 100 * 10**8, "BTC": 10**8},
    )  # fmt: skip
    assert found.free_seen == [(100.0, 1.0), (100 - 49 * 1.002, 1.0), (100 - 49 * 1.002, 0.75)] + [(100.0, 1.0)] * 3


def ruined(merge: Merge) -> list[int]:
    """Assets of which less than nothing is free."""
    return [at for at, (_, total, locked) in enumerate(merge.kernel.balances()) if total < locked]


@pytest.mark.parametrize("seed", range(6))
def test_locks_are_the_sum_over_open_orders_and_vanish_with_them(seed: int) -> None:
    """Random orders with little money; after every 40 facts the locks are counted again from the snapshot's open orders."""
    chance = random.Random(seed)
    in_base = chance.random() < 0.5
    settings = plan(1, opening={"USD": 3_000 * 10**8, "BTC": 3 * 10**6}, fee_in_base=in_base)
    merge = make_merge(settings, [Noise({"seed": seed + 1, "eager": 0.6})])
    merge.load(stream(seed, 1_200))
    while merge.run(40):
        locked = [0, 0, 0]
        for _, price, lots, filled, held, _, _, _, is_sell, *_ in merge.kernel.snapshot()[8]:
            assert held == expected_lock(price, lots - filled, is_sell, in_base)
            locked[0 if is_sell else 1] += held
        balances = merge.kernel.balances()
        assert [balances[0][2], balances[-1][2]] == locked[:2]
        assert ruined(merge) == []
    assert merge.kernel.fills > 20
    merge.kernel.validate()


def expected_lock(price: int, lots: int, is_sell: bool, in_base: bool) -> int:
    """Lots are 1e-3 BTC, ticks half a dollar, the taker fee 0.2%, money 1e-8."""
    if is_sell:
        return lots * 10**5
    amount = price * lots * 50_000
    return amount if in_base else amount - (-amount * 200_000 // 10**8)


@pytest.mark.parametrize("notional", [92.1e9, 92.2e9, 9e13])
def test_an_order_whose_cost_and_fee_leave_64_bits_together_is_refused(notional: float) -> None:
    """The notional alone still fits; with the fee it wrapped to less than nothing, and the gate let it pass."""
    strategy = Steps(lambda me: me.buy(notional / 100.0, price=100.0))
    merge = run(strategy, [*book(), *trades(2)])
    assert strategy.refused in ([Reject.BALANCE_TOO_SMALL], [Reject.NOTIONAL_TOO_LARGE])
    assert (merge.kernel.orders, ruined(merge)) == (0, [])


@pytest.mark.parametrize("quantity", [8.9e12, 1e6])
@pytest.mark.parametrize("side", [Strategy.buy, Strategy.sell])
def test_huge_orders_are_refused_and_change_nothing(side, quantity: float) -> None:
    strategy = Steps(lambda me: side(me, quantity), lambda me: side(me, quantity, price=4e15))
    merge = run(strategy, [*book(), *trades(3)])
    assert len(strategy.refused) == 2
    assert merge.kernel.orders == 0
    assert [locked for _, _, locked in merge.kernel.balances()] == [0, 0, 0]


def test_a_market_order_is_bound_by_the_band_beyond_the_best_and_goes_no_further() -> None:
    """The best ask is 101.0, the band 5%: 106.0 and a part of a tick, rounded up to 106.5."""
    rows = [*book(), row(0, Kind.L3_DELETE, 202, 0, 2, Flag.SELL), row(0, Kind.L3_ADD, 202, 10, 3, Flag.SELL)]
    rows += [row(0, Kind.L3_ADD, price, 10, price, Flag.SELL) for price in (213, 214)]
    strategy = Steps(lambda me: me.buy(0.03))
    merge = run(strategy, [*rows, *trades(2)])
    facts = merge.kernel.take_audit()
    placed = facts[facts["kind"] == Kind.PLACE_ORDER][0]
    assert (placed["price"], placed["order_type"]) == (213, OrderType.MARKET)
    assert facts["price"][facts["kind"] == Kind.ORDER_FILLED].tolist() == [202, 213]
    assert facts["reject"][facts["kind"] == Kind.ORDER_CANCELLED].tolist() == [Reject.VENUE_NO_LIQUIDITY]


@pytest.mark.parametrize(("side", "gone"), [(Strategy.buy, (202, 2, Flag.SELL)), (Strategy.sell, (200, 1, 0))])
def test_a_market_order_into_an_empty_side_fills_nothing_and_holds_nothing(side, gone: tuple[int, int, int]) -> None:
    price, order_id, flag = gone
    strategy = Steps(lambda me: side(me, 0.01))
    merge = run(strategy, [*book(), row(0.5, Kind.L3_DELETE, price, 0, order_id, flag), *trades(3)])
    assert merge.kernel.fills == 0
    assert [locked for _, _, locked in merge.kernel.balances()] == [0, 0, 0]


def test_the_smallest_quantity_and_notional_are_those_of_the_instrument() -> None:
    tight = msgspec.structs.replace(BTC, quantity_min="0.005", notional_min="1")
    strategy = Steps(*(lambda me, lots=lots: me.buy(lots, price=100.0) for lots in (0.004, 0.009, 0.01)))
    run(strategy, [*book(), *trades(5, gap_s=50 * MS / SECOND)], instruments=[tight])
    assert strategy.refused == [Reject.QUANTITY_TOO_SMALL, Reject.NOTIONAL_TOO_SMALL]
