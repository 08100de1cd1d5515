"""Guards make room for the order that is to close what they guard; what that order leaves of the position is guarded again."""

import random
from collections.abc import Callable

import numpy as np
import pytest

from tests.core.test_guards import FULL, HELD, Script, moved, played, sent, told
from tests.strategies.support import plan, row
from tests.support import MS, Noise, stream
from tradebot._core.merge import Merge
from tradebot._core.types import Flag, Kind, OrderFlag, OrderState, OrderType
from tradebot.engine.plan import make_merge

RICH = {"USD": 10**12}
GUARDED = {(OrderType.STOP, 95.0), (OrderType.LIMIT, 110.0)}


def enter(me: Script) -> None:
    me.buy(HELD, stop_loss=95.0, take_profit=110.0)


def thin(seconds: float, lots: int) -> list[np.ndarray]:
    """From then on the best and only bid is this small; none where it is 0."""
    return [row(seconds, Kind.L3_DELETE, 0, 0, 1), *([row(seconds, Kind.L3_ADD, 200, lots, 8)] if lots else [])]


def guards(merge: Merge) -> set[tuple[int, float, int]]:
    """(type, trigger or price, lots that remain) of the orders that are open."""
    found = set()
    for order in merge.kernel.snapshot()[8]:
        price = order[13] if order[9] == OrderType.STOP else order[1]
        found.add((order[9], price / 2, order[15] - order[3] - order[12]))
    return found


def guarding(lots: int) -> set[tuple[int, float, int]]:
    return {(kind, price, lots) for kind, price in GUARDED}


LEAVES = [lambda me: me.close(), lambda me: me.target_position(0.0)]


@pytest.mark.parametrize("leaves", LEAVES)
@pytest.mark.parametrize("lots", [0, 4])
def test_what_a_thin_market_leaves_of_a_close_is_guarded_again(leaves: Callable[[Script], object], lots: int) -> None:
    """The bid is taken away while the order is on its way to it."""
    rows = [*told(101, 101, 101), *thin(3.001, lots), row(4, Kind.TRADE, 202, 1), row(5, Kind.TRADE, 202, 1)]
    script, merge = played(rows, enter, None, leaves, opening=RICH)
    assert script.held == pytest.approx(HELD - lots / 1_000)
    assert guards(merge) == guarding(10 - lots)
    assert merge.kernel.balances()[0][2] == (10 - lots) * 10**5, "base is held once, by the stop"


def test_the_guards_that_came_back_work() -> None:
    rows = [
        *told(101, 101, 101), *thin(3.001, 4), row(4, Kind.TRADE, 202, 1), row(5, Kind.L3_ADD, 188, 500, 9),
        row(5.5, Kind.TRADE, 188, 1), row(6, Kind.TRADE, 188, 1), row(7, Kind.TRADE, 188, 1),
    ]  # fmt: skip
    script, merge = played(rows, enter, None, lambda me: me.close(), opening=RICH)
    assert script.fills == [(False, 101.0, HELD), (True, 100.0, 0.004), (True, 94.0, 0.006)]
    assert merge.kernel.snapshot()[8] == merge.kernel.snapshot()[11] == []


def test_a_limit_that_closes_and_is_taken_back_leaves_the_position_as_guarded_as_before() -> None:
    script, merge = played(
        told(*[101] * 7), enter, None, lambda me: me.target_position(0.0, price=120.0), None, lambda me: me.cancel_all(),
        opening=RICH,
    )  # fmt: skip
    assert script.refused == [] and script.held == HELD
    assert guards(merge) == guarding(10)


def test_guards_wait_for_the_last_of_the_orders_that_close() -> None:
    """A limit that is moved, by a cancel and another, is one wish to leave: no guard comes between."""
    script, merge = played(
        told(*[101] * 8), enter, None, lambda me: me.target_position(0.0, price=120.0), None,
        lambda me: [me.cancel_all(), me.sell(HELD, price=118.0, reduce_only=True)], None, lambda me: me.cancel_all(),
        opening={**RICH, "BTC": 10**8},
    )  # fmt: skip
    assert script.refused == []
    placed = [price for kind, price, _, _ in sent(merge) if kind == Kind.PLACE_ORDER]
    assert placed[2:] == [110.0, 120.0, 118.0, placed[1], 110.0], "the second guards come after both limits"
    assert guards(merge) == guarding(10)


def test_what_a_smaller_target_could_not_sell_is_guarded_too() -> None:
    rows = [*told(101, 101, 101), *thin(3.001, 2), row(4, Kind.TRADE, 202, 1), row(5, Kind.TRADE, 202, 1)]
    script, merge = played(rows, enter, None, lambda me: me.target_position(0.004), opening=RICH)
    assert script.held == pytest.approx(0.008)
    assert {(kind, lots) for kind, _, lots in guards(merge)} == {(OrderType.STOP, 8), (OrderType.LIMIT, 8)}


def test_two_entries_guard_no_more_than_what_is_left_of_both() -> None:
    rows = [*told(101, 101, 101, 101), *thin(4.001, 5), row(5, Kind.TRADE, 202, 1), row(6, Kind.TRADE, 202, 1)]
    script, merge = played(
        rows, lambda me: me.buy(HELD, stop_loss=95.0), lambda me: me.buy(HELD, stop_loss=94.0), None, lambda me: me.close(),
        opening=RICH,
    )  # fmt: skip
    assert script.held == pytest.approx(0.015)
    assert sorted((price, lots) for _, price, lots in guards(merge)) == [(94.0, 10), (95.0, 5)]


def test_guards_that_the_strategy_cancelled_stay_cancelled_whatever_becomes_of_its_close() -> None:
    rows = [*told(101, 101, 101), *thin(3.001, 4), row(4, Kind.TRADE, 202, 1), row(5, Kind.TRADE, 202, 1)]
    script, merge = played(rows, enter, None, lambda me: [me.cancel_all(guards=True), me.close()], opening=RICH)
    assert script.held == pytest.approx(0.006)
    assert merge.kernel.snapshot()[8] == merge.kernel.snapshot()[11] == []


def test_the_commands_say_for_which_order_the_guards_make_room() -> None:
    script, merge = played(told(101, 101, 101, 101), enter, None, lambda me: me.close(), opening=RICH)
    facts = merge.kernel.take_audit()
    cancels = facts[facts["kind"] == Kind.CANCEL_ORDER]
    (close,) = [one for one in facts[facts["kind"] == Kind.PLACE_ORDER] if one["flags"] & Flag.SELL and not one["trigger"]][-1:]
    assert len(cancels) == 2 and set(cancels["parent"]) == {close["id"]}
    assert script.orders[-1][1] == OrderState.DONE


def test_a_position_that_is_turned_around_needs_its_guards_no_more() -> None:
    script, merge = played(
        told(*[101] * 5), enter, None, lambda me: me.target_position(-0.005), opening={"USD": 10**12, "BTC": 10**9},
    )  # fmt: skip
    assert script.held == pytest.approx(-0.005)
    assert merge.kernel.snapshot()[8] == merge.kernel.snapshot()[11] == []


def test_a_moved_book_changes_nothing_of_it() -> None:
    """The close fills whole while the price runs: the guards are gone with the position."""
    rows = [*told(101, 101, 101), *moved(3.001, 98, 99, 1), row(4, Kind.TRADE, 196, 1), row(5, Kind.TRADE, 196, 1)]
    script, merge = played(rows, enter, None, lambda me: me.close(), opening=RICH)
    assert script.held == 0 and merge.kernel.snapshot()[8] == merge.kernel.snapshot()[11] == []


class Leaver(Noise):
    """Every entry is guarded, and it leaves by orders for which guards make room."""

    def act(self) -> None:
        pass

    def on_trade(self, trade) -> None:
        draw, size = self.draw(), (1 + int(self.draw() * 40)) * self.lot
        if draw < 0.15:
            self.buy(size, stop_loss=trade.price * 0.9, take_profit=trade.price * 1.1)
        elif draw < 0.25:
            self.buy(size, price=trade.price - self.tick, stop_loss=trade.price * 0.9)
        elif draw < 0.4 and not self.position.flat:
            self.target_position(self.position.quantity * self.draw(), price=trade.price + 2 * self.tick)
        elif draw < 0.5 and not self.position.flat:
            self.target_position(self.position.quantity * self.draw())
        elif draw < 0.6:
            self.cancel_all()
        elif draw < 0.65:
            self.close()


def test_whenever_nothing_is_under_way_all_that_is_held_is_guarded() -> None:
    counts = np.sum([watch(seed) for seed in range(200 if FULL else 12)], axis=0)
    assert counts.min() > 100, "it was looked at often, and guards made room often"


def watch(seed: int) -> tuple[int, int]:
    """How often nothing was under way, and how often a guard made room."""
    latency = random.Random(seed).choice((0, 5 * MS, 300 * MS))
    settings = plan(opening={"USD": 10**13}, order_latency_ns=latency, answer_latency_ns=latency)
    merge = make_merge(settings, [Leaver({"seed": seed})])
    merge.feed(stream(seed, 4_000))
    quiet, made_room = 0, 0
    while merge.run(1):
        state = merge.kernel.snapshot()
        is_quiet = all(order[19] & OrderFlag.PROTECTIVE and order[11] == OrderState.OPEN and not order[21] for order in state[8])
        if is_quiet and not any(one[10] for one in state[11]):
            quiet += 1
            stops = [order for order in state[8] if order[9] == OrderType.STOP]
            assert sum(order[15] - order[3] - order[12] for order in stops) >= merge.kernel.positions()[0][4], seed
        facts = merge.kernel.take_audit()
        made_room += int(np.count_nonzero((facts["kind"] >= Kind.CANCEL_ORDER) & (facts["parent"] != 0)))
        merge.simulator.take_markouts()
    merge.kernel.validate()
    assert merge.kernel.failures == []
    return quiet, made_room
