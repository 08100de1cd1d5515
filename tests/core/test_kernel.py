"""The engine's step: what strategies are told and in which order, how a failure is contained, and what the books say after."""

import numpy as np
import pytest

from tests.reference.book import BUY, SELL, ReferenceBook
from tests.strategies.support import BTC, ETH, SECOND, START, book, plan, row, run, trades
from tests.support import Noise, stream
from tradebot._core.kernel import HANDLERS
from tradebot._core.types import Flag, Kind, OrderState, Reject
from tradebot.domain.orders import NEXT
from tradebot.engine.plan import Limits, Place, make_merge
from tradebot.strategies.strategy import Strategy


class Ordered(Strategy):
    """Notes the name of each callback, and acts as told by name."""

    def __init__(self, **acts) -> None:
        super().__init__()
        self.acts, self.log = acts, []

    def told(self, name: str) -> None:
        self.log.append(name)
        if name in self.acts:
            self.acts[name](self)


def _handler(name: str):
    return lambda self, *view: self.told(name)


for _name in ("on_start", *HANDLERS, "on_stop"):
    setattr(Ordered, _name, _handler(_name))


def once(act):
    """An act that is done the first time only."""
    left = [act]
    return lambda me: left.pop()(me) if left else None


def test_every_callback_is_called() -> None:
    def start(me) -> None:
        me.bars("1s")
        me.every(SECOND)

    def trade(me) -> None:
        me.buy(0.01)
        me.buy(10**6)
        me.cancel(1)
        me.amend(1, price=1.0)

    ordered = Ordered(on_start=start, on_trade=once(trade))
    run(ordered, [*book(), *trades(3), row(4, Kind.GAP)])
    assert set(ordered.log) == {"on_start", *HANDLERS, "on_stop"}
    assert (ordered.log[0], ordered.log[-1]) == ("on_start", "on_stop")


def test_a_fill_is_told_before_the_position_and_that_before_the_order() -> None:
    ordered = Ordered(on_trade=once(lambda me: me.buy(0.01)))
    run(ordered, [*book(), *trades(2)])
    after = ordered.log[ordered.log.index("on_trade") + 1 :]
    assert after[:4] == ["on_order", "on_fill", "on_position", "on_order"]


def test_a_book_change_is_told_before_the_change_of_the_best() -> None:
    ordered = Ordered()
    run(ordered, [*book(), row(1, Kind.L3_ADD, 190, 5, 9)])
    assert ordered.log == ["on_start", "on_book", "on_quote", "on_book", "on_quote", "on_book", "on_stop"]


def test_a_snapshot_is_told_once_when_it_is_whole() -> None:
    ordered = Ordered()
    rows = [
        row(1, Kind.L3_ADD, 190, 5, 7, Flag.SNAPSHOT | Flag.BEGIN),
        row(1, Kind.L3_ADD, 191, 5, 8, Flag.SNAPSHOT),
        row(1, Kind.L3_ADD, 195, 5, 9, Flag.SNAPSHOT | Flag.SELL | Flag.LAST),
    ]
    merge = run(ordered, [*book(), *rows])
    assert ordered.log.count("on_book") == 3
    assert merge.kernel.market(0)[:2] == (191, 195)


def test_strategies_are_called_in_the_order_of_the_plan() -> None:
    log: list[int] = []

    class Says(Strategy):
        def on_trade(self, trade) -> None:
            log.append(self.number)

    run([Says(), Says(), Says()], [*book(), *trades(2)])
    assert log == [0, 1, 2, 0, 1, 2]


def test_an_order_of_one_strategy_is_out_before_the_next_is_asked() -> None:
    """They share a balance: the first one's lock is seen by the second in the same fact."""
    seen: list[float] = []

    class Spends(Strategy):
        def on_trade(self, trade) -> None:
            seen.append(self.free())
            self.buy(0.1, price=100.0)

    run([Spends(), Spends()], [*book(), *trades(1)], opening={"USD": 100 * 10**8})
    assert seen == [100.0, pytest.approx(100 - 10 * 1.002)]


@pytest.mark.parametrize("name", ["on_start", *HANDLERS, "on_stop"])
def test_a_raise_in_any_callback_drops_its_wishes_and_leaves_the_other_strategy_alone(name: str) -> None:
    def start(me) -> None:
        me.bars("1s")
        me.every(SECOND)

    def trade(me) -> None:
        me.buy(0.01)
        me.buy(10**6)
        me.cancel(1)
        me.amend(1, price=1.0)
        me.buy(0.01, price=90.0)

    def fail(me) -> None:
        acts.get(name, lambda me: None)(me)
        me.doomed = me.buy(0.123, price=91.0)
        raise ZeroDivisionError(name)

    acts = {"on_start": start, "on_trade": once(trade)}
    rows = [*book(), *trades(3), row(4, Kind.GAP), row(6, Kind.TRADE, 201, 1)]
    bad, good = Ordered(**(acts | {name: fail})), Ordered(on_trade=once(lambda me: me.buy(0.01)))
    merge = run([bad, good], rows)
    assert [(number, str(error)) for number, _, error in merge.kernel.failures] == [(0, name)]
    assert bad.log[-1] == name
    assert good.log[-1] == "on_stop"
    assert "on_fill" in good.log
    facts = merge.kernel.take_audit()
    assert bad.doomed not in facts["id"][facts["kind"] == Kind.PLACE_ORDER]
    said = facts[facts["kind"] == Kind.STRATEGY_QUARANTINED]
    assert (said["owner"].tolist(), said["id"].tolist()) == ([0], [merge.kernel.failures[0][1]])
    if name != "on_stop":
        assert [locked for _, _, locked in merge.kernel.balances()] == [0, 0, 0]


def test_a_quarantined_strategy_has_its_orders_cancelled_and_is_told_nothing_more() -> None:
    def fail(me) -> None:
        raise ZeroDivisionError

    orders = Ordered(on_trade=once(lambda me: [me.buy(0.01, price=90.0 + at) for at in range(3)]), on_feed=fail)
    merge = run(orders, [*book(), *trades(1), row(2, Kind.GAP), *trades(3, first_s=3)])
    facts = merge.kernel.take_audit()
    assert np.count_nonzero(facts["kind"] == Kind.CANCEL_ORDER) == 3
    assert np.count_nonzero(facts["kind"] == Kind.ORDER_CANCELLED) == 3
    assert orders.log[-1] == "on_feed"
    assert merge.kernel.calling is None


def test_a_cancel_after_the_cancel_was_sent_and_a_fill_in_between_ends_the_order_by_its_fill() -> None:
    """The cancel is under way when the venue fills the order: the fill comes first, the refusal of the cancel after it."""
    ordered = Ordered(on_trade=once(lambda me: me.buy(0.01, price=100.5)), on_feed=lambda me: me.cancel_all())
    hit = row(2.0, Kind.L3_EXECUTE, 200, 50, 1)
    run(ordered, [*book(), *trades(1), row(1.995, Kind.GAP), hit, *trades(1, first_s=3)])
    after = ordered.log[ordered.log.index("on_feed") + 1 :]
    named = [one for one in after if one in ("on_fill", "on_order", "on_cancel_reject")]
    assert named == ["on_fill", "on_order", "on_cancel_reject"]


def test_refusals_answered_with_another_order_join_the_same_step() -> None:
    def smaller(me) -> None:
        me.tries = getattr(me, "tries", 10**6) // 10
        me.buy(me.tries)

    ordered = Ordered(on_trade=once(lambda me: me.buy(10**6)), on_reject=smaller)
    merge = run(ordered, [*book(), *trades(2)])
    facts = merge.kernel.take_audit()
    assert len(set(facts["time_ns"][: ordered.log.count("on_reject") + 1].tolist())) == 1
    assert merge.kernel.fills > 0
    assert not merge.kernel.failures


@pytest.mark.parametrize("answer", ["on_reject", "on_cancel_reject"])
def test_a_refusal_answered_with_the_same_again_ends_in_quarantine(answer: str) -> None:
    act = {"on_reject": lambda me: me.buy(10**6), "on_cancel_reject": lambda me: me.cancel(1)}[answer]
    stubborn, other = Ordered(on_trade=act, **{answer: act}), Ordered(on_trade=once(lambda me: me.buy(0.01)))
    merge = run([stubborn, other], [*book(), *trades(2)])
    assert stubborn.log.count(answer) == 65
    assert "on_fill" in other.log
    assert len(merge.kernel.failures) == 1


def test_facts_carry_the_cause_that_led_to_them() -> None:
    ordered = Ordered(on_trade=once(lambda me: me.buy(0.01)))
    merge = run(ordered, [*book(), *trades(2)])
    facts = merge.kernel.take_audit()
    assert facts["cause"].tolist() == [3, 3, 0]  # the trade is fact 3; the place, its acceptance; a fill has its trade id
    assert facts["trade_id"].tolist() == [0, 0, 1]


def test_voids_and_gaps_are_counted_and_voids_are_told_to_nobody() -> None:
    ordered = Ordered()
    merge = run(ordered, [*book(), row(1, Kind.TRADE, 201, 1, flags=Flag.VOID), row(2, Kind.GAP), row(3, Kind.GAP)])
    assert (merge.kernel.voids, merge.kernel.gaps) == (1, 2)
    assert "on_trade" not in ordered.log


@pytest.mark.parametrize("seed", range(4))
def test_the_best_prices_and_sizes_are_those_of_a_book_that_is_scanned_anew(seed: int) -> None:
    """The engine reads them off only where they may have changed; the twin looks every time."""
    facts = stream(seed, 1_500)
    expected: list[tuple] = []
    twin = ReferenceBook()
    for fact in facts:
        changed = twin.apply_one(fact)
        if changed and (not fact["flags"] & Flag.SNAPSHOT or fact["flags"] & Flag.LAST):
            tops = [twin.depth(side, 1) for side in (BUY, SELL)]
            expected.append(tuple((top[0][0] / 2, top[0][1] / 1_000) if top else None for top in tops))
    found: list[tuple] = []

    class Watches(Strategy):
        def on_book(self, book) -> None:
            bid = (book.bid, book.bid_quantity) if book.bids(1) else None
            found.append((bid, (book.ask, book.ask_quantity) if book.asks(1) else None))

    run(Watches(), [facts])
    assert found == expected


@pytest.mark.parametrize("seed", range(4))
def test_a_quote_is_told_when_one_of_its_four_numbers_changed_and_only_then(seed: int) -> None:
    tops: list[tuple] = []
    quotes: list[tuple] = []

    class Watches(Strategy):
        def on_book(self, book) -> None:
            tops.append((str(book.bid), book.bid_quantity, str(book.ask), book.ask_quantity))

        def on_quote(self, book) -> None:
            quotes.append((str(book.bid), book.bid_quantity, str(book.ask), book.ask_quantity))

    facts = stream(seed, 1_500)
    facts = facts[facts["flags"] & Flag.SNAPSHOT == 0]
    run(Watches(), [facts])
    before = [("nan", 0.0, "nan", 0.0), *tops[:-1]]
    assert quotes == [now for now, then in zip(tops, before, strict=True) if now != then]


def test_each_order_lives_by_the_table() -> None:
    """Every account fact of a busy run is a step that the table knows, and an order that is done is heard of no more."""
    settings = plan(2, [BTC, ETH])
    merge = make_merge(settings, [Noise({"seed": 5, "eager": 0.5}), Noise({"seed": 6, "eager": 0.5})])
    merge.feed(stream(9, 3_000, 2))
    merge.finish()
    merge.kernel.validate()
    states: dict[int, OrderState] = {}
    for fact in merge.kernel.take_audit():
        kind, order_id = Kind(int(fact["kind"])), int(fact["id"])
        if kind == Kind.PLACE_ORDER:
            assert order_id not in states
            states[order_id] = OrderState.SENT
        elif kind == Kind.CANCEL_REJECTED and states.get(order_id, OrderState.DONE) == OrderState.DONE:
            assert fact["reject"] == Reject.VENUE_ORDER_UNKNOWN
        elif fact["cause"] or kind == Kind.ORDER_FILLED:
            if kind == Kind.ORDER_REJECTED and order_id not in states:
                continue  # refused by the gate: it was never sent
            states[order_id] = NEXT[states[order_id], kind]
            if kind == Kind.ORDER_FILLED and fact["parent"] == 0:
                states[order_id] = OrderState.DONE
    assert list(states.values()).count(OrderState.DONE) > 100


def test_positions_and_balances_are_the_sum_of_the_fills() -> None:
    settings = plan(2, [BTC, ETH], fee_in_base=True)
    merge = make_merge(settings, [Noise({"seed": 3}), Noise({"seed": 4})])
    merge.feed(stream(5, 3_000, 2))
    merge.finish()
    facts = merge.kernel.take_audit()
    fills = facts[facts["kind"] == Kind.ORDER_FILLED]
    signed = np.where(fills["flags"] & Flag.SELL, -fills["quantity"], fills["quantity"])
    for position in merge.kernel.positions():
        mine = (fills["owner"] == position[1]) & (fills["instrument"] == position[2] + 1)
        in_base = int(fills["fee"][mine & (fills["fee_asset"] == position[2])].sum())
        lot = (10**5, 10**6)[position[2]]
        assert position[4] == signed[mine].sum() - -(-in_base // lot)
        assert (position[9], position[10]) == tuple(int(signed[mine & (sign * signed > 0)].sum()) * sign for sign in (1, -1))
    fees = [int(fills["fee"][fills["fee_asset"] == asset].sum()) for asset in range(3)]
    base = [int(signed[fills["instrument"] == number + 1].sum()) * ratio for number, ratio in ((0, 10**5), (1, 10**6))]
    for asset in (0, 1):
        opening, total, _ = merge.kernel.balances()[asset]
        assert total - opening == base[asset] - fees[asset]
    value = [50_000, 10_000]  # money units per tick and lot
    paid = sum(int(lots) * int(fill["price"]) * value[fill["instrument"] - 1] for lots, fill in zip(signed, fills, strict=True))
    opening, total, _ = merge.kernel.balances()[2]
    assert total - opening == -paid - fees[2]
    assert len(fills) > 50


def test_a_callback_that_is_not_overridden_is_never_called() -> None:
    class Bare(Strategy):
        pass

    merge = run(Bare(), [*book(), *trades(5)])
    assert merge.kernel.calls == 4  # on_start and on_stop, each opened and closed


def test_samples_stand_on_their_grid_and_show_what_was_held() -> None:
    ordered = Ordered(on_trade=once(lambda me: me.buy(0.01)))
    merge = make_merge(plan(sample_interval_ns=SECOND), [ordered])
    merge.feed(np.concatenate([*book(), *trades(1, first_s=1.5), row(9.5, Kind.GAP)]))
    merge.finish()
    samples = merge.take_samples()
    assert ((samples["time_ns"] - START) / SECOND).tolist() == [1.0, 2.0, 9.0, 9.5]
    assert samples["position"].tolist() == [0, 10, 10, 10]
    assert samples["bid"].tolist() == [200] * 4


def test_limits_are_of_one_strategy_in_one_instrument() -> None:
    tight, loose = Limits(quantity_max=5), Limits()
    places = [Place([0, 1], [tight, loose]), Place([0, 1], [loose, tight])]

    def both(me) -> None:
        me.buy(0.006)
        me.buy(0.06, instrument="ETH/USD")

    strategies = [Ordered(on_trade=once(both)), Ordered(on_trade=once(both))]
    merge = make_merge(plan(2, [BTC, ETH], places=places), strategies)
    merge.feed(np.concatenate([*book(), *book(2, 3_000), *trades(1)]))
    merge.finish()
    facts = merge.kernel.take_audit()
    refused = facts[facts["kind"] == Kind.ORDER_REJECTED]
    assert list(zip(refused["owner"].tolist(), refused["instrument"].tolist(), strict=True)) == [(0, 1), (1, 2)]
    assert set(refused["reject"].tolist()) == {Reject.QUANTITY_TOO_LARGE}
