"""Guards and conditional orders end to end: what a strategy asks for, what rests at the venue, and what is held for it.

The market is a book of bid 100, ask 101 in quote units (ticks of 0.5), with trades told at the prices of each test.
"""

import os
import random
from collections.abc import Callable

import numpy as np
import pytest

from tests.core.test_by_levels import market
from tests.strategies.support import BTC, ETH, book, plan, row, run
from tests.support import MS, Noise, stream
from tradebot._core.merge import Merge
from tradebot._core.types import Flag, Kind, OrderState, OrderType, Reject
from tradebot.engine.plan import Limits, Place, make_merge
from tradebot.strategies.strategy import Strategy
from tradebot.testing.contract import check_restarts

HELD = 0.01
FULL = os.environ.get("TRADEBOT_FULL") == "1"


def told(*prices: float) -> list[np.ndarray]:
    """Trades a second apart, the first after one second, at prices in quote units; the book stays."""
    return [row(1 + at, Kind.TRADE, int(price * 2), 1) for at, price in enumerate(prices)]


def moved(seconds: float, bid: int, ask: int, old: int) -> list[np.ndarray]:
    """A new book of two orders in the place of the one of ids `old` and `old` + 1."""
    return [
        row(seconds, Kind.L3_DELETE, 0, 0, old),
        row(seconds, Kind.L3_DELETE, 0, 0, old + 1, Flag.SELL),
        row(seconds, Kind.L3_ADD, 2 * bid, 1_000, old + 2),
        row(seconds, Kind.L3_ADD, 2 * ask, 1_000, old + 3, Flag.SELL),
    ]


class Script(Strategy):
    """One step per trade; keeps what it was told of its orders."""

    def __init__(self, *steps) -> None:
        super().__init__()
        self.steps, self.orders, self.refused, self.fills, self.held = list(steps), [], [], [], 0.0

    def on_trade(self, trade) -> None:
        if self.steps:
            step = self.steps.pop(0)
            if step:
                step(self)

    def on_order(self, order) -> None:
        self.orders.append((order.order_type, order.state, order.is_guard, order.quantity, order.remaining))

    def on_fill(self, fill) -> None:
        self.fills.append((fill.is_sell, fill.price, fill.quantity))

    def on_reject(self, reject) -> None:
        self.refused.append(reject.reason)

    on_cancel_reject = on_amend_reject = on_reject

    def on_position(self, position) -> None:
        self.held = position.quantity


def played(rows, *steps, **changes) -> tuple[Script, Merge]:
    script = Script(*steps)
    merge = run(script, [*book(), *rows], **changes)
    assert merge.kernel.failures == []
    return script, merge


def sent(merge: Merge) -> list[tuple[int, float, float, float]]:
    """(kind, price, trigger, quantity) of every command, in quote and base units."""
    facts = merge.kernel.take_audit()
    facts = facts[facts["kind"] >= Kind.PLACE_ORDER]
    return [(int(one["kind"]), one["price"] / 2, one["trigger"] / 2, int(one["quantity"]) / 1_000) for one in facts]


def test_an_entry_is_guarded_by_a_stop_and_a_target_as_soon_as_its_fill_is_known() -> None:
    script, merge = played(told(101, 101, 101), lambda me: me.buy(HELD, stop_loss=95.0, take_profit=110.0))
    assert sent(merge)[1:] == [
        (Kind.PLACE_ORDER, pytest.approx(90.0, abs=0.5), 95.0, HELD),
        (Kind.PLACE_ORDER, 110.0, 0.0, HELD),
    ]
    assert [order[:3] for order in script.orders[-2:]] == [
        (OrderType.STOP, OrderState.OPEN, True), (OrderType.LIMIT, OrderState.OPEN, True),
    ]  # fmt: skip
    assert merge.kernel.balances()[0][2] == round(HELD * 10**8)     # base held once, by the stop; BTC is asset 0


def test_a_stop_that_is_met_closes_the_position_and_ends_the_target() -> None:
    rows = [*told(101, 101, 101), *moved(3.5, 94, 96, 1), row(4, Kind.TRADE, 188, 1), row(5, Kind.TRADE, 188, 1)]
    script, merge = played(rows, lambda me: me.buy(HELD, stop_loss=95.0, take_profit=110.0))
    assert script.fills == [(False, 101.0, HELD), (True, 94.0, HELD)]
    assert script.held == 0
    assert script.orders[-1][:2] == (OrderType.STOP, OrderState.DONE)
    assert [locked for _, _, locked in merge.kernel.balances()] == [0, 0, 0]
    assert merge.kernel.snapshot()[8] == []                          # no order is open, and none is forgotten
    assert merge.kernel.snapshot()[11] == []


def test_a_target_that_fills_ends_the_stop() -> None:
    through = [row(3.6, Kind.L3_ADD, 220, 500, 9), row(4, Kind.TRADE, 220, 5), row(5, Kind.TRADE, 220, 1)]
    rows = [*told(101, 101, 101), *moved(3.5, 109, 111, 1), *through]
    script, merge = played(rows, lambda me: me.buy(HELD, stop_loss=95.0, take_profit=110.0))
    assert script.fills == [(False, 101.0, HELD), (True, 110.0, HELD)]
    assert (OrderType.STOP, OrderState.DONE, True, HELD, 0.0) in script.orders
    assert merge.kernel.snapshot()[8] == merge.kernel.snapshot()[11] == []


def test_an_entry_that_fills_bit_by_bit_is_guarded_bit_by_bit() -> None:
    rows = [
        *told(101), row(1.5, Kind.L3_ADD, 201, 4, 8, Flag.SELL), row(2, Kind.TRADE, 201, 1),
        row(2.5, Kind.L3_ADD, 201, 5, 9, Flag.SELL), row(3, Kind.TRADE, 201, 1), row(4, Kind.TRADE, 201, 1),
    ]  # fmt: skip
    script, merge = played(rows, lambda me: me.buy(0.01, price=100.5, stop_loss=95.0, take_profit=110.0))
    commands = sent(merge)
    assert [one[0] for one in commands] == [Kind.PLACE_ORDER] * 3 + [Kind.AMEND_ORDER] * 2
    assert [one[3] for one in commands[1:]] == [0.004, 0.004, 0.009, 0.009]
    opened = {(order[0], order[3]) for order in script.orders if order[2]}
    assert {(OrderType.STOP, 0.009), (OrderType.LIMIT, 0.009)} <= opened


def test_what_an_entry_fills_after_its_first_guard_is_done_is_guarded_anew() -> None:
    rows = [
        *told(101), row(1.5, Kind.L3_ADD, 201, 4, 8, Flag.SELL), row(2, Kind.TRADE, 201, 1),
        row(3, Kind.L3_DELETE, 202, 0, 2, Flag.SELL), row(3.1, Kind.L3_ADD, 210, 4, 10),
        row(3.5, Kind.L3_DELETE, 210, 0, 10), row(4, Kind.L3_ADD, 201, 5, 9, Flag.SELL),
        row(5, Kind.TRADE, 201, 1), row(6, Kind.TRADE, 201, 1),
    ]  # fmt: skip
    script, merge = played(rows, lambda me: me.buy(0.01, price=100.5, stop_loss=95.0, take_profit=105.0))
    assert script.fills == [(False, 100.5, 0.004), (True, 105.0, 0.004), (False, 100.5, 0.005)]
    guards = [one for one in sent(merge)[1:] if one[0] == Kind.PLACE_ORDER]
    assert [one[3] for one in guards] == [0.004, 0.004, 0.005, 0.005]


def test_a_trailing_stop_follows_and_never_gives_ground() -> None:
    rows = [*told(101, 101, 103, 106, 104), *moved(5.5, 102, 103, 1), row(6, Kind.TRADE, 205, 1), row(7, Kind.TRADE, 205, 1)]
    script, _ = played(rows, lambda me: me.buy(HELD, trail=3.0))
    assert script.fills == [(False, 101.0, HELD), (True, 102.0, HELD)]      # 106 - 3 is met by 102.5


def test_a_distance_may_be_given_as_a_part_of_the_price() -> None:
    _, merge = played(told(100, 100, 100), lambda me: me.buy(HELD, trail="2%"))
    assert sent(merge)[1][2] == 98.0


def test_the_stop_acts_after_the_whole_sweep_of_its_instant() -> None:
    """Two orders of the book are swept at one venue time; the stop is met by the first trade, and sells below the second."""
    rows = [
        *told(101, 101, 101), row(3.5, Kind.L3_ADD, 198, 50, 7), row(4, Kind.TRADE, 199, 1),
        row(4, Kind.L3_DELETE, 200, 0, 1), row(4, Kind.TRADE, 198, 50), row(4, Kind.L3_DELETE, 198, 0, 7),
        row(4, Kind.L3_ADD, 190, 500, 12), row(5, Kind.TRADE, 190, 1), row(6, Kind.TRADE, 190, 1),
    ]  # fmt: skip
    script, _ = played(rows, lambda me: me.buy(HELD, stop_loss=99.5))
    assert script.fills[-1] == (True, 95.0, HELD)


def test_a_guard_without_liquidity_tries_again_until_there_is_some() -> None:
    rows = [
        *told(101, 101, 101), row(3.5, Kind.L3_DELETE, 200, 0, 1), row(4, Kind.TRADE, 190, 1), row(4.5, Kind.TRADE, 190, 1),
        row(5.5, Kind.L3_ADD, 190, 500, 12), row(6, Kind.TRADE, 190, 1), row(7.5, Kind.TRADE, 190, 1), row(9, Kind.TRADE, 190, 1),
    ]  # fmt: skip
    script, merge = played(rows, lambda me: me.buy(HELD, stop_loss=99.0))
    assert script.fills[-1] == (True, 95.0, HELD)
    assert script.held == 0
    assert merge.kernel.snapshot()[11] == []


def test_close_cancels_the_guards_and_uses_what_they_held() -> None:
    script, merge = played(
        told(101, 101, 101, 101), lambda me: me.buy(HELD, stop_loss=95.0, take_profit=110.0), None, lambda me: me.close(),
        opening={"USD": 10**12},
    )  # fmt: skip
    assert script.refused == []
    assert script.fills == [(False, 101.0, HELD), (True, 100.0, HELD)]
    assert [locked for _, _, locked in merge.kernel.balances()] == [0, 0]
    assert merge.kernel.snapshot()[8] == merge.kernel.snapshot()[11] == []


LEAVES = [lambda me: me.close(), lambda me: me.target_position(0), lambda me: me.target_position(HELD / 2)]


@pytest.mark.parametrize("leaves", LEAVES)
def test_a_close_that_the_gate_refuses_leaves_the_guards_where_they_are(leaves: Callable[[Script], object]) -> None:
    """By its order rate, here: neither a cancel nor a change goes, or the position would stand bare."""
    script, merge = played(
        told(101, 101, 101, 101, 101), lambda me: me.buy(HELD, stop_loss=95.0, take_profit=110.0), None, leaves,
        opening={"USD": 10**12}, rate_orders=3, rate_interval_ns=3_600_000 * MS,
    )  # fmt: skip
    assert script.refused == [Reject.ORDER_RATE_TOO_HIGH] and script.held == HELD
    assert [one for one, *_ in sent(merge)] == [Kind.PLACE_ORDER] * 3, "the entry and its guards, and nothing else"
    assert [row[11] for row in merge.kernel.open_orders()] == [OrderState.OPEN] * 2


def test_a_position_larger_than_an_order_may_be_can_be_left_at_once() -> None:
    """What only reduces is bounded by the position; an entry is not."""
    limits = Limits(quantity_max=round(HELD * 1_000), notional_max=10**15)
    script, _ = played(
        told(*[101] * 5), lambda me: me.buy(HELD, stop_loss=95.0), lambda me: me.buy(HELD, stop_loss=95.0),
        lambda me: me.buy(2 * HELD), lambda me: me.close(), opening={"USD": 10**12}, places=[Place([0], [limits])],
    )  # fmt: skip
    assert script.refused == [Reject.QUANTITY_TOO_LARGE] and script.held == 0.0
    assert script.fills == [(False, 101.0, HELD)] * 2 + [(True, 100.0, 2 * HELD)]


def test_what_a_cancelled_guard_sets_free_is_counted_on_by_one_order_only() -> None:
    """The close uses what the stop held; a second sale finds nothing left, where it would lock the same lots again."""
    script, _ = played(
        told(101, 101, 101, 101), lambda me: me.buy(HELD, stop_loss=95.0), None,
        lambda me: [me.close(), me.sell(HELD, reduce_only=True, price=120.0)], opening={"USD": 10**12},
    )  # fmt: skip
    assert script.refused == [Reject.BALANCE_TOO_SMALL]
    assert script.fills == [(False, 101.0, HELD), (True, 100.0, HELD)]


def test_a_guard_that_the_gate_refuses_is_tried_again_and_its_target_waits_for_its_stop() -> None:
    """A sale of the strategy's own holds the base when it asks for guards, and is cancelled a while later."""
    script, merge = played(
        told(*[101] * 8), lambda me: me.buy(HELD), lambda me: me.sell(HELD, price=120.0),
        lambda me: me.protect(stop_loss=95.0, take_profit=105.0), None, lambda me: me.cancel_all(), opening={"USD": 10**12},
    )  # fmt: skip
    assert len(script.refused) in (4, 6) and set(script.refused) == {Reject.BALANCE_TOO_SMALL}
    assert [(one[9], one[2], one[4]) for one in merge.kernel.snapshot()[8]] == [
        (OrderType.STOP, 10, 10**6), (OrderType.LIMIT, 10, 0),
    ]  # fmt: skip


def test_a_target_beyond_the_band_is_tried_again_until_the_price_is_nearer() -> None:
    rows = [*told(101, 101, 101), *moved(3.5, 139, 141, 1), *told(*[101] * 3, 140, 140, 140)[3:]]
    script, merge = played(rows, lambda me: me.buy(HELD, take_profit=200.0))
    assert len(script.refused) > 1 and set(script.refused) == {Reject.PRICE_OUT_OF_BAND}
    assert [one[:3:2] for one in sent(merge)][-1] == (Kind.PLACE_ORDER, 0.0)
    assert [one[1] for one in merge.kernel.snapshot()[8]] == [400]


def test_a_guard_that_waits_to_be_tried_again_is_forgotten_with_its_position() -> None:
    script, merge = played(told(*[101] * 6), lambda me: me.buy(HELD, take_profit=200.0), None, lambda me: me.close())
    assert script.held == 0 and Reject.PRICE_OUT_OF_BAND in script.refused
    assert merge.kernel.snapshot()[11] == []


def test_a_target_made_larger_than_its_stop_holds_the_rest_itself() -> None:
    script, _ = played(
        told(101, 101, 101), lambda me: me.buy(HELD, stop_loss=95.0, take_profit=110.0),
        lambda me: me.amend(me.open_orders()[1], quantity=2 * HELD), opening={"USD": 10**12},
    )  # fmt: skip
    assert script.refused == [Reject.BALANCE_TOO_SMALL]


def test_an_order_that_is_to_be_dearer_and_smaller_holds_no_more_than_is_there() -> None:
    ids = []
    script, merge = played(
        told(101, 101, 101), lambda me: ids.append(me.buy(0.02, price=90.0)),
        lambda me: me.amend(ids[0], price=95.0, quantity=0.01),
        opening={"USD": 181_000_000}, order_latency_ns=5_000 * MS,
    )  # fmt: skip
    assert script.refused == []
    assert merge.kernel.balances()[1][1:] == (181_000_000, 181_000_000)     # 0.02 at 95 would be 190_000_000


def test_a_close_that_meets_its_own_stop_on_the_way_sells_once() -> None:
    """The stop is met at the venue while the close is under way: both reach it, one finds nothing left."""
    rows = [*told(101, 101, 101), row(3.005, Kind.TRADE, 188, 1), row(4, Kind.TRADE, 188, 1), row(5, Kind.TRADE, 188, 1)]
    script, merge = played(rows, lambda me: me.buy(HELD, stop_loss=95.0), None, lambda me: me.close(), opening={"USD": 10**12})
    assert script.fills == [(False, 101.0, HELD), (True, 100.0, HELD)]
    assert script.held == 0
    assert Reject.VENUE_REDUCE_ONLY in script.refused
    assert merge.kernel.snapshot()[8] == merge.kernel.snapshot()[11] == []


def test_guards_outlive_a_quarantine_and_entries_do_not() -> None:
    def fail(me) -> None:
        raise ZeroDivisionError

    rows = [*told(101, 101, 101, 101), *moved(4.5, 94, 96, 1), row(5, Kind.TRADE, 188, 1), row(6, Kind.TRADE, 188, 1)]
    script = Script(lambda me: [me.buy(HELD, stop_loss=95.0), me.buy(HELD, price=90.0)], None, fail)
    merge = run(script, [*book(), *rows])
    assert len(merge.kernel.failures) == 1
    assert merge.kernel.positions()[0][4] == 0
    assert merge.kernel.fills == 2
    assert merge.kernel.snapshot()[8] == []


def test_cancel_all_leaves_the_guards_unless_told() -> None:
    for guards, left in ((False, 1), (True, 0)):
        script, merge = played(
            told(101, 101, 101, 101), lambda me: [me.buy(HELD, stop_loss=95.0), me.buy(HELD, price=90.0)], None,
            lambda me, guards=guards: me.cancel_all(guards=guards),
        )  # fmt: skip
        assert len(merge.kernel.snapshot()[8]) == left
        assert script.held == HELD


def test_protect_guards_all_that_is_held_in_place_of_older_guards() -> None:
    script, merge = played(
        told(101, 101, 101, 101, 101), lambda me: me.buy(HELD, stop_loss=95.0), None, lambda me: me.buy(HELD), None,
        opening={"USD": 10**12},
    )  # fmt: skip
    assert script.held == 2 * HELD
    script, merge = played(
        told(101, 101, 101, 101, 101), lambda me: me.buy(HELD, stop_loss=95.0), lambda me: me.buy(HELD), None,
        lambda me: me.protect(stop_loss=97.0, take_profit=104.0), opening={"USD": 10**12},
    )  # fmt: skip
    assert script.refused == []
    still = {(row_of[9], row_of[2]) for row_of in merge.kernel.snapshot()[8]}
    assert still == {(OrderType.STOP, 20), (OrderType.LIMIT, 20)}


def test_protect_of_nothing_is_refused() -> None:
    script, _ = played(told(101, 101), lambda me: me.protect(stop_loss=97.0))
    assert script.refused == [Reject.NOTHING_TO_REDUCE]


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (lambda me: me.buy(HELD, stop_loss=102.0), Reject.STOP_ON_WRONG_SIDE),
        (lambda me: me.buy(HELD, take_profit=99.0), Reject.TARGET_ON_WRONG_SIDE),
        (lambda me: me.sell(HELD, stop_loss=99.0), Reject.STOP_ON_WRONG_SIDE),
        (lambda me: me.buy(HELD, reduce_only=True), Reject.NOTHING_TO_REDUCE),
    ],
)
def test_a_guard_that_makes_no_sense_refuses_its_entry(act, reason) -> None:
    script, merge = played(told(101, 101), act)
    assert script.refused == [reason]
    assert merge.kernel.orders == 0


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda me: me.buy(HELD, stop=105.0, touch=99.0), TypeError),
        (lambda me: me.buy(HELD, stop=105.0, post_only=True, price=105.0), ValueError),
        (lambda me: me.buy(HELD, follow=1.0, price=105.0), ValueError),
        (lambda me: me.buy(HELD, trail=0.1), ValueError),
        (lambda me: me.buy(HELD, trail="fast"), ValueError),
        (lambda me: me.buy(HELD, stop_loss=-1.0), ValueError),
        (lambda me: me.buy(HELD, stop_loss=90.0, reduce_only=True), ValueError),
        (lambda me: me.protect(), TypeError),
        (lambda me: me.amend(1), TypeError),
        (lambda me: me.target_position(1.0, post_only=True), ValueError),
    ],
)
def test_a_malformed_call_is_the_strategys_own_error(act, error) -> None:
    merge = run(Script(act), [*book(), *told(101, 101)])
    assert isinstance(merge.kernel.failures[0][2], error)
    assert merge.kernel.orders == 0


def test_a_stop_entry_waits_for_the_price_and_a_touch_for_a_better_one() -> None:
    script, _ = played(told(101, 101, 104, 104), lambda me: me.buy(HELD, stop=103.0))
    assert script.fills == [(False, 101.0, HELD)]                  # at what the book shows once 104 was traded
    script, _ = played(told(101, 101, 102, 102), lambda me: me.buy(HELD, stop=103.0))
    assert script.fills == []
    script, _ = played(told(101, 101, 97, 97), lambda me: me.buy(HELD, touch=98.0))
    assert script.fills == [(False, 101.0, HELD)]
    script, _ = played(told(101, 101, 104, 104), lambda me: me.buy(HELD, stop=103.0, price=99.0))
    assert script.fills == []
    assert script.orders[-1][:2] == (OrderType.STOP_LIMIT, OrderState.OPEN)


def test_amend_keeps_the_id_and_changes_what_is_held() -> None:
    ids = []
    script, merge = played(
        told(101, 101, 101, 101), lambda me: ids.append(me.buy(0.02, price=99.0)),
        lambda me: me.amend(ids[0], price=98.0, quantity=0.01),
    )  # fmt: skip
    order = merge.kernel.snapshot()[8][0]
    assert (order[0], order[1], order[2]) == (ids[0], 196, 10)
    assert merge.kernel.balances()[2][2] == round(98 * 0.01 * 1.002 * 10**8)
    assert script.orders[-1][1] == OrderState.OPEN


def test_while_a_change_is_under_way_the_dearer_of_both_is_held() -> None:
    seen = []
    played(
        told(101, 101, 101), lambda me: seen.append(me.buy(0.02, price=99.0)),
        lambda me: [me.amend(seen[0], price=100.0, quantity=0.03), seen.append(me.free())], lambda me: seen.append(me.free()),
        opening={"USD": 100 * 10**8},
    )  # fmt: skip
    assert seen[1] == pytest.approx(100 - 0.02 * 99 * 1.002)
    assert seen[2] == pytest.approx(100 - 0.03 * 100 * 1.002)


def test_an_amend_beyond_the_balance_or_of_a_done_order_is_refused() -> None:
    ids = []
    script, merge = played(
        told(101, 101, 101, 101), lambda me: ids.append(me.buy(0.02, price=99.0)), lambda me: me.amend(ids[0], quantity=5.0),
        lambda me: [me.cancel(ids[0]), me.amend(ids[0], price=90.0)], opening={"USD": 100 * 10**8},
    )  # fmt: skip
    assert script.refused == [Reject.BALANCE_TOO_SMALL, Reject.VENUE_ORDER_UNKNOWN]
    assert merge.kernel.balances()[1][2] == 0


def test_an_amend_that_comes_after_the_fill_is_refused_by_the_venue() -> None:
    ids = []
    rows = [*told(101, 101), row(2.005, Kind.L3_ADD, 201, 500, 9, Flag.SELL), *told(101, 101, 101, 101)[2:]]
    script, merge = played(rows, lambda me: ids.append(me.buy(0.02, price=100.5)), lambda me: me.amend(ids[0], price=98.0))
    assert script.refused == [Reject.VENUE_ORDER_UNKNOWN]
    assert script.fills == [(False, 100.5, 0.02)]
    assert merge.kernel.balances()[2][2] == 0


def test_a_fee_paid_out_of_what_was_bought_leaves_a_position_that_can_be_closed() -> None:
    held = []

    def note(me) -> None:
        held.append((me.position.quantity, me.position.flat))
        me.close()

    steps = [lambda me: me.buy(0.1), note, lambda me: held.append(me.position.flat)] * 3
    script, merge = played(told(*[101] * 11), *steps, opening={"USD": 10**12}, fee_in_base=True)
    assert script.refused == []
    assert held == [(0.099, False), True, (0.1, False), True, (0.1, False), True]
    assert merge.kernel.balances()[0][1] == 40_000                # three fees of 0.2 lots: 0.4 lots are left over


def test_target_position_counts_what_is_open_and_asks_once() -> None:
    script, merge = played(
        told(101, 101, 101, 101), lambda me: [me.target_position(0.02), me.target_position(0.02)],
        lambda me: me.target_position(0.02),
        lambda me: me.target_position(-0.01), opening={"USD": 10**12, "BTC": 10**8},
    )  # fmt: skip
    assert script.fills == [(False, 101.0, 0.02), (True, 100.0, 0.03)]
    assert merge.kernel.orders == 2


def test_a_smaller_target_makes_the_guards_smaller_and_sells_what_they_held() -> None:
    script, merge = played(
        told(101, 101, 101, 101, 101), lambda me: me.buy(0.04, stop_loss=95.0, take_profit=110.0), None,
        lambda me: me.target_position(0.01), lambda me: me.target_position(0.01), opening={"USD": 10**12},
    )  # fmt: skip
    assert script.refused == []
    assert script.fills == [(False, 101.0, 0.04), (True, 100.0, 0.03)]
    assert {(order[9], order[2]) for order in merge.kernel.snapshot()[8]} == {(OrderType.STOP, 10), (OrderType.LIMIT, 10)}
    assert merge.kernel.balances()[0][2] == 10**6


def test_a_target_of_zero_cancels_the_guards() -> None:
    script, merge = played(
        told(101, 101, 101, 101, 101), lambda me: me.buy(0.04, stop_loss=95.0), None, lambda me: me.target_position(0.0),
        opening={"USD": 10**12},
    )  # fmt: skip
    assert script.held == 0
    assert merge.kernel.snapshot()[8] == merge.kernel.snapshot()[11] == []


def test_a_trigger_that_watches_the_mark_price_does_not_hear_trades() -> None:
    rows = [row(0.5, Kind.MARK, 202), *told(101, 101, 90, 90), row(5, Kind.MARK, 180), row(6, Kind.TRADE, 201, 1)]
    script, _ = played(rows[:-2], lambda me: me.buy(HELD, stop_loss=95.0), triggers_by_mark=True)
    assert len(script.fills) == 1
    script, _ = played(rows, lambda me: me.buy(HELD, stop_loss=95.0), triggers_by_mark=True)
    assert script.fills[-1] == (True, 100.0, HELD)


def test_a_stop_without_a_price_to_watch_refuses_its_entry() -> None:
    script, _ = played(told(101, 101), lambda me: me.buy(HELD, stop_loss=95.0), triggers_by_mark=True)
    assert script.refused == [Reject.NO_TRIGGER_PRICE]


class Guarded(Noise):
    """As Noise, and every entry guarded one way or another; changes, closes and targets in between."""

    def on_trade(self, trade) -> None:
        draw = self.draw()
        price, spread = trade.price, max(self.book.spread, self.tick) if self.book.spread > 0 else self.tick
        ids = self.open_orders()
        if draw < 0.2:
            self.buy(5 * self.lot, stop_loss=price - 4 * spread, take_profit=price + 4 * spread)
        elif draw < 0.3:
            self.buy(7 * self.lot, price=price - self.tick, trail=3 * spread, take_profit=price + 5 * spread)
        elif draw < 0.4:
            self.buy(3 * self.lot, stop=price + self.tick, stop_loss=price - 3 * spread)
        elif draw < 0.5 and ids:
            self.amend(ids[int(self.draw() * len(ids))], quantity=(1 + int(self.draw() * 12)) * self.lot)
        elif draw < 0.6:
            self.close()
        elif draw < 0.65 and not self.position.flat:
            self.protect(stop_loss=price - 2 * spread, trail=2 * spread)
        elif draw < 0.7:
            self.target_position(4 * self.lot)
        elif draw < 0.75:
            self.cancel_all(guards=self.draw() < 0.3)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("latency_ns", [0, 30 * MS])
def test_guards_and_changes_survive_a_restart_after_every_fact(seed: int, latency_ns: int) -> None:
    settings = plan(instruments=[BTC, ETH], order_latency_ns=latency_ns, answer_latency_ns=latency_ns)
    check_restarts(lambda: Guarded({"seed": seed, "eager": 0.4}), settings, stream(seed, 250, 2))


class Holder(Guarded):
    """Only buys: whatever sells is a guard, or reduces."""

    def act(self) -> None:
        pass

    def target_position(self, quantity, **_) -> None:
        pass


def levels(seed: int, count: int) -> np.ndarray:
    """Levels and trades around a wandering middle, 20 ms apart."""
    rows = []
    for number, (kind, side, price, lots, flags) in enumerate(market(seed, count)):
        rows.append(row(number / 50, kind, price, lots, 0, side | flags))
    return np.concatenate(rows)


@pytest.mark.parametrize("by_levels", [False, True])
@pytest.mark.parametrize("in_base", [False, True])
@pytest.mark.parametrize("seed", range(200 if FULL else 12))
def test_guards_never_turn_a_position_around_and_locks_are_what_is_open(seed: int, in_base: bool, by_levels: bool) -> None:
    chance = random.Random(seed)
    latency = chance.choice((0, 5 * MS, 300 * MS))
    settings = plan(opening={"USD": 10**12}, order_latency_ns=latency, answer_latency_ns=latency, fee_in_base=in_base)
    merge = make_merge(settings, [Holder({"seed": seed + 5})])
    merge.feed(levels(seed, 4_000) if by_levels else stream(seed, 4_000))
    sells = 0
    while merge.run(1):
        assert merge.kernel.positions()[0][4] >= 0
        assert all(total >= 0 and locked >= 0 for _, total, locked in merge.kernel.balances())
        facts = merge.kernel.take_audit()
        sells += int(np.count_nonzero((facts["kind"] == Kind.ORDER_FILLED) & (facts["flags"] & Flag.SELL != 0)))
        merge.simulator.take_markouts()
    merge.kernel.validate()
    assert merge.kernel.failures == []
    assert sells > 0
