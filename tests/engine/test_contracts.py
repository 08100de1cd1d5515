"""Contracts through the whole engine: what the gate asks, what strategies see and are told; the books of venue and engine."""

import random
from collections.abc import Sequence

import numpy as np
import pytest
from msgspec import Struct

from tests.strategies.support import plan, row, trades
from tests.support import MS, Flow, Noise, delayed, records
from tradebot._core.merge import Merge
from tradebot._core.types import Flag, Kind, Reject
from tradebot.domain.instrument import INVERSE, LINEAR, Instrument
from tradebot.engine.plan import Grade, Limits, Margin, Place, Plan, make_merge, margin_tiers
from tradebot.engine.ports import Records
from tradebot.strategies.strategy import Strategy
from tradebot.testing.contract import check_restarts

LIN = Instrument(
    id=1, symbol="BTC/USDT:USDT", venue="test", base="BTC", quote="USDT", tick="0.5", lot="0.001", kind=LINEAR
)
INV = Instrument(
    id=1, symbol="BTC/USD:BTC", venue="test", base="BTC", quote="USD", tick="0.5", lot="1", multiplier="100", kind=INVERSE
)
UNIT = 10**8
RATE = 10**12


def margin(leverage: int = 10, is_cross: bool = False, rate: str = "0.01") -> Margin:
    return Margin(leverage=leverage, is_cross=is_cross, tiers=margin_tiers([("0", rate)]))


def settings(instrument: Instrument, backed: Margin | None = None, strategies: int = 1, **changes: object) -> Plan:
    """Half a tick of band, 100 USDT and 10 BTC, no fees."""
    own = {"opening": {"USDT": 100 * UNIT, "BTC": 10 * UNIT}, "maker_fee": 0, "taker_fee": 0, "margins": [backed or margin()]}
    return plan(strategies, [instrument], **own | changes)


def book() -> list[np.ndarray]:
    """Bid 200 ticks, ask 202 ticks, 100,000 lots each."""
    return [row(0, Kind.L3_ADD, 200, 100_000, 1), row(0, Kind.L3_ADD, 202, 100_000, 2, Flag.SELL)]


class Steps(Strategy):
    """Does one step per trade; notes what it is told."""

    def __init__(self, *steps) -> None:
        super().__init__()
        self.steps, self.refused, self.seen, self.log = list(steps), [], [], []

    def on_trade(self, trade) -> None:
        position = self.position
        self.seen.append((position.quantity, position.margin, self.free()))
        if self.steps:
            self.steps.pop(0)(self)

    def on_reject(self, reject) -> None:
        self.refused.append(reject.reason)

    def on_fill(self, fill) -> None:
        name = "liquidation" if fill.is_liquidation else "fill"
        self.log.append((name, fill.price, fill.quantity, fill.is_sell, fill.order_id != 0))

    def on_position(self, position) -> None:
        self.log.append(("position", position.quantity, position.funding))


def steps_in(instrument: Instrument, *steps, rows: Sequence[np.ndarray] | None = None, **changes: object) -> tuple[Steps, Merge]:
    strategy = Steps(*steps)
    merge = make_merge(settings(instrument, **changes), [strategy])
    merge.feed(np.concatenate(rows or [*book(), *trades(len(steps) + 2)]))
    merge.finish()
    merge.kernel.validate()
    assert merge.kernel.failures == []
    return strategy, merge


def test_a_short_is_sold_at_leverage_one_without_holding_anything() -> None:
    done, merge = steps_in(LIN, lambda me: me.sell(0.9), backed=margin(1), opening={"USDT": 100 * UNIT})
    assert done.refused == [] and done.seen[-1][0] == -0.9
    assert done.seen[-1][1:] == (90.0, 10.0)
    assert merge.kernel.balances()[0] == (0, 0, 0), "no base asset moves"


@pytest.mark.parametrize(("instrument", "most"), [(LIN, 9.9), (INV, 99)])
def test_an_order_asks_for_the_notional_over_the_leverage(instrument: Instrument, most: float) -> None:
    """100 USDT back 1,000 of 101; 1 BTC backs 10 of 100 dollars a contract at 101."""
    opening = {"USDT": 100 * UNIT, "BTC": UNIT // 10 * 99}
    step = 0.001 if instrument is LIN else 1
    asked = lambda lots: lambda me: me.buy(lots, price=101.0, time_in_force="GTC")  # noqa: E731
    assert steps_in(instrument, asked(most), opening=opening)[0].refused == []
    assert steps_in(instrument, asked(most + step * 2), opening=opening)[0].refused == [Reject.BALANCE_TOO_SMALL]


def test_buys_and_sales_do_not_add_up_the_worse_counts() -> None:
    def both(me) -> None:
        me.buy(9.0, price=99.0)
        me.sell(9.0, price=102.0)

    done, _ = steps_in(LIN, both)
    assert done.refused == [] and done.seen[-1][2] == pytest.approx(100 - 91.8)


def test_an_order_that_only_reduces_asks_for_nothing_however_little_is_free() -> None:
    opening, rows = {"USDT": 9_595 * UNIT // 100}, [*book(), *trades(4)]
    done, _ = steps_in(LIN, lambda me: me.buy(9.5, price=101.0), lambda me: me.sell(9.5), opening=opening, rows=rows)
    assert done.seen[1][2] == 0.0
    assert done.refused == [] and [entry[0] for entry in done.log] == ["fill", "position"] * 2


def test_an_order_that_turns_a_position_round_asks_for_what_it_opens() -> None:
    done, _ = steps_in(LIN, lambda me: me.buy(9.0), lambda me: me.sell(18.0), lambda me: me.buy(19.5))
    assert done.refused == [Reject.BALANCE_TOO_SMALL]
    assert done.seen[-1][0] == -9.0


def test_a_fee_is_asked_for_with_what_an_order_opens() -> None:
    assert steps_in(LIN, lambda me: me.buy(9.0, price=101.0), taker_fee=1_000_000)[0].refused == []
    assert steps_in(LIN, lambda me: me.buy(9.1, price=101.0), taker_fee=1_000_000)[0].refused == [Reject.BALANCE_TOO_SMALL]


def test_in_cross_margin_a_loss_on_paper_is_not_free_and_a_gain_is_not_either() -> None:
    def act(me) -> None:
        me.buy(3.0)

    for mark, free in ((190, 100 - 30.3 - 18.0), (240, 100 - 30.3)):
        rows = [*book(), *trades(2), row(2.5, Kind.MARK, mark), *trades(3, 3.0)]
        least = Steps(act, lambda me: None, lambda me, free=free: me.buy((free - 0.1) * 10 / 101.0, price=101.0),
                      lambda me: me.buy(0.02, price=101.0))  # fmt: skip
        merge = make_merge(settings(LIN, margin(10, True)), [least])
        merge.feed(np.concatenate(rows))
        merge.finish()
        assert least.refused == [Reject.BALANCE_TOO_SMALL], mark


@pytest.mark.parametrize(
    ("instrument", "notional", "expected"), [(LIN, 50.5, 0.5), (INV, 350.0, 3.0), (LIN, 50.4, 0.499), (INV, 299.0, 2.0)]
)
def test_a_notional_is_in_quote_for_every_kind(instrument: Instrument, notional: float, expected: float) -> None:
    done, _ = steps_in(instrument, lambda me: me.buy(notional=notional), opening={"USDT": 10**12, "BTC": 10**12})
    assert done.seen[-1][0] == expected


@pytest.mark.parametrize("instrument", [LIN, INV])
def test_a_position_shows_its_entry_margin_mark_and_liquidation_price(instrument: Instrument) -> None:
    shown = []

    def look(me) -> None:
        position = me.position
        shown.append((position.entry, position.mark, position.margin, position.liquidation_price, position.unrealised))

    size = 5.0 if instrument is LIN else 50
    rows = [*book(), *trades(2), row(2.2, Kind.MARK, 210), *trades(2, 3.0)]
    steps_in(instrument, lambda me: me.sell(size), look, look, rows=rows)
    before, after = shown
    assert before[0] == pytest.approx(100.0) and (before[1], after[1]) == (100.5, 105.0)
    assert before[2] == pytest.approx(50.0 if instrument is LIN else 5.0)
    if instrument is LIN:
        assert after[3] == pytest.approx((50 + 500) / 5 / 1.01)
        assert after[4] == pytest.approx(-25.0)
    else:
        assert after[3] == pytest.approx(5_000 * (0.01 - 1) / (5 - 50))
        assert after[4] == pytest.approx(5_000 * (1 / 105 - 1 / 100), abs=2e-8)


def test_a_settlement_is_posted_and_told_and_a_flat_position_pays_nothing() -> None:
    settled = [row(at, Kind.FUNDING, 200, id=RATE // 100) for at in (0.5, 3)]
    rows = [*book(), settled[0], *trades(2), settled[1], *trades(1, 4.0)]
    done, merge = steps_in(LIN, lambda me: me.buy(1.0), rows=rows)
    assert done.log[-1] == ("position", 1.0, 1.0), "1 % of 1 at 100"
    assert merge.kernel.balances()[1][1] == 99 * UNIT
    facts = merge.kernel.take_audit()
    (paid,) = facts[facts["kind"] == Kind.FUNDING_PAID]
    assert (paid["price"], paid["quantity"], paid["fee"]) == (200, 1_000, UNIT)


def test_funding_that_the_plan_leaves_out_is_not_paid() -> None:
    rows = [*book(), *trades(2), row(3, Kind.FUNDING, 200, id=RATE // 100), *trades(1, 4.0)]
    assert steps_in(LIN, lambda me: me.buy(1.0), rows=rows, pays_funding=False)[1].kernel.balances()[1][1] == 100 * UNIT


def test_a_liquidation_is_told_as_a_fill_of_no_order_and_orders_end_by_its_number() -> None:
    def act(me) -> None:
        me.buy(5.0)
        me.buy(1.0, price=90.0)

    rows = [*book(), *trades(2), row(3, Kind.MARK, 150), *trades(2, 4.0)]
    done, merge = steps_in(LIN, act, rows=rows)
    assert done.log[-2:] == [("liquidation", 75.0, 5.0, True, False), ("position", 0.0, 0.0)]
    assert done.seen[-1] == (0.0, 0.0, 100 - 50.5), "the margin of 5 at 101 is gone, and no more"
    facts = merge.kernel.take_audit()
    (ended,) = facts[facts["kind"] == Kind.ORDER_CANCELLED]
    assert ended["reject"] == Reject.VENUE_LIQUIDATED
    assert merge.kernel.fills == 2


def test_a_liquidation_ends_an_order_that_waits_for_the_next_trade() -> None:
    rows = [*[row(at, Kind.TRADE, 201, 9_000) for at in (1, 2)], row(2.5, Kind.MARK, 150), *trades(2, 3.0, price=150)]
    done, merge = steps_in(LIN, lambda me: me.buy(5.0), lambda me: me.buy(2.0), rows=rows, grade=int(Grade.TRADES))
    assert done.log[-2:] == [("liquidation", 75.0, 5.0, True, False), ("position", 0.0, 0.0)]
    facts = merge.kernel.take_audit()
    (ended,) = facts[facts["kind"] == Kind.ORDER_CANCELLED]
    assert (ended["quantity"], ended["reject"]) == (2_000, Reject.VENUE_LIQUIDATED)


def test_a_strategy_that_was_liquidated_trades_on_with_what_is_left() -> None:
    rows = [*book(), *trades(2), row(2.5, Kind.MARK, 150), row(2.6, Kind.MARK, 202), *trades(3, 3.0)]
    done, _ = steps_in(LIN, lambda me: me.buy(5.0), lambda me: None, lambda me: me.buy(4.5), rows=rows)
    assert done.refused == [] and done.seen[-1][0] == 4.5


class Trades(Noise):
    """Noise that cannot sell short spot is never refused for that here; it also marks what it sees of its position."""

    class State(Struct):
        draws: int = 0
        filled: float = 0.0
        paid: float = 0.0

    def on_position(self, position) -> None:
        self.state.paid = position.funding


def facts_of(seed: int, events: int) -> Records:
    """A flow with marks around its middle and a settlement every two seconds; late to arrive."""
    chance_rows = []
    flow = Flow(seed)
    mark = 1_000
    for at, one in enumerate(flow.rows(events)):
        chance_rows.append(one)
        if at % 25 == 24:
            mark = 1_000 + (at * 7919 + seed) % 240 - 120
            chance_rows.append((one[0], int(Kind.MARK), mark, mark, 0, 0, 0))
        if at % 200 == 199:
            rate = ((at * 104_729) % (RATE // 200)) - RATE // 400
            chance_rows.append((one[0], int(Kind.FUNDING), 0 if at % 400 == 199 else mark, 0, rate % 2**64, 0, 0))
    return delayed(random.Random(seed), records(chance_rows), 20 * MS)


@pytest.mark.parametrize("is_cross", [False, True])
@pytest.mark.parametrize("instrument", [LIN, INV])
def test_the_venues_books_and_ours_are_one_when_nothing_is_under_way(instrument: Instrument, is_cross: bool) -> None:
    limits = Limits(band=50_000_000, orders_open_max=50, position_max=2_000)
    traders = [Trades({"seed": 1, "eager": 0.5}), Trades({"seed": 2, "eager": 0.5})]
    backed = margin(20, is_cross, "0.005")
    opening = {"USDT": (4 if is_cross else 20) * UNIT, "BTC": (1 if is_cross else 5) * UNIT}
    places = [Place([0], [limits])] * 2
    run_ = settings(instrument, backed, 2, maker_fee=20_000, taker_fee=50_000, opening=opening, places=places)
    merge = make_merge(run_, traders)
    merge.load(facts_of(3, 6_000))
    kinds: dict[int, int] = {}
    compared = 0
    while merge.run(50):
        merge.kernel.validate()
        facts = merge.kernel.take_audit()
        for kind in facts["kind"].tolist():
            kinds[kind] = kinds.get(kind, 0) + 1
        merge.simulator.take_markouts()
        if not merge.simulator.snapshot()[3][1]:             # every answer has arrived
            compare(merge)
            compared += 1
    assert merge.kernel.failures == [] and compared > 20
    assert kinds[Kind.ORDER_FILLED] > 100 and kinds[Kind.FUNDING_PAID] > 5
    assert kinds.get(Kind.LIQUIDATED, 0) > 0


def compare(merge: Merge) -> None:
    balances, positions = merge.simulator.clearing()
    assert [row[1] for row in balances] == [row[1] for row in merge.kernel.balances()]
    assert [row[:13] for row in positions] == [row[:13] for row in merge.kernel.positions()]


@pytest.mark.parametrize("is_cross", [False, True])
@pytest.mark.parametrize("instrument", [LIN, INV])
def test_a_contract_survives_a_restart_after_every_fact(instrument: Instrument, is_cross: bool) -> None:
    facts = facts_of(5, 700)
    settings_ = settings(instrument, margin(20, is_cross, "0.005"), opening={"USDT": 20 * UNIT, "BTC": UNIT * 5})
    check_restarts(lambda: Trades({"seed": 4, "eager": 0.9}), settings_, facts)


def test_batches_of_any_size_give_the_same_digest() -> None:
    facts = facts_of(9, 3_000)
    digests = set()
    for size in (1, 7, len(facts)):
        merge = make_merge(settings(LIN, margin(20, rate="0.005")), [Trades({"seed": 4, "eager": 0.9})])
        for at in range(0, len(facts), size):
            merge.feed(facts[at : at + size])
        merge.finish()
        digests.add(merge.kernel.digest_text)
    assert len(digests) == 1


def test_fees_in_a_third_asset_leave_the_margin_whole_and_the_books_true() -> None:
    opening, rows = {"USDT": 100 * UNIT, "BNB": UNIT // 100}, [*book(), *trades(4)]
    done, merge = steps_in(
        LIN, lambda me: me.buy(9.0), lambda me: me.sell(9.0), opening=opening, rows=rows, taker_fee=100_000, fee_asset="BNB",
        fee_worth=(600, 1),
    )  # fmt: skip
    assert done.refused == []
    balances = dict(zip(["BNB", "BTC", "USDT"], merge.kernel.balances(), strict=True))
    paid = UNIT // 100 - balances["BNB"][1]
    assert paid == -(-909 * UNIT // 1_000 // 600) - (-900 * UNIT // 1_000 // 600)
    assert balances["USDT"][1] == 91 * UNIT
    assert merge.kernel.positions()[0][7] == paid * 600


def test_guards_of_a_contract_hold_nothing_and_end_with_a_liquidation() -> None:
    def guarded(me) -> None:
        me.buy(9.0, price=101.0, stop_loss=80.0, take_profit=150.0)

    rows = [*book(), *trades(3), row(3.5, Kind.MARK, 150), *trades(3, 4.0)]
    done, merge = steps_in(LIN, guarded, rows=rows)
    assert done.seen[2][2] == pytest.approx(100 - 90.9), "the position's margin, and nothing for what can only reduce it"
    facts = merge.kernel.take_audit()
    assert (facts["reject"][facts["kind"] == Kind.ORDER_CANCELLED] == Reject.VENUE_LIQUIDATED).tolist() == [True, True]
    assert done.seen[-1] == (0.0, 0.0, pytest.approx(100 - 90.9))
    assert merge.kernel.balances()[1][2] == 0 and merge.simulator.resting(0, 0) == merge.simulator.resting(0, 1) == []


def test_a_stop_of_a_contract_closes_before_the_margin_is_gone() -> None:
    rows = [*book(), *trades(3), row(3.2, Kind.TRADE, 190, 1), *trades(3, 4.0)]
    done, _ = steps_in(LIN, lambda me: me.buy(9.0, price=101.0, stop_loss=97.0), rows=rows)
    assert done.log[-2:] == [("fill", 100.0, 9.0, True, True), ("position", 0.0, 0.0)]


def test_an_amended_order_of_a_contract_holds_what_it_is_changed_to() -> None:
    def larger(me) -> None:
        me.amend(me.open_orders()[0], quantity=9.0)

    def too_large(me) -> None:
        me.amend(me.open_orders()[0], quantity=11.0)

    done, merge = steps_in(LIN, lambda me: me.buy(5.0, price=99.0), larger, too_large)
    assert done.seen[-1][2] == pytest.approx(100 - 89.1)
    facts = merge.kernel.take_audit()
    assert (facts["kind"] == Kind.ORDER_AMENDED).sum() == 1
    assert facts["reject"][facts["kind"] == Kind.AMEND_REJECTED].tolist() == [Reject.BALANCE_TOO_SMALL]


class Guarded(Trades):
    """As Trades, with guards on some entries and changes of what is open."""

    def act(self) -> None:
        if self.draw() < 0.2 and self.open_orders() and self.book.spread > 0:
            self.amend(self.open_orders()[0], quantity=(1 + int(self.draw() * 6)) * self.lot)
        elif self.draw() < 0.2 and self.book.spread > 0:
            middle, reach = self.book.middle, (2 + int(self.draw() * 8)) * self.tick
            self.buy((1 + int(self.draw() * 6)) * self.lot, stop_loss=middle - reach, take_profit=middle + reach)
        else:
            super().act()


@pytest.mark.parametrize("instrument", [LIN, INV])
def test_guards_and_changes_leave_the_books_of_venue_and_engine_one(instrument: Instrument) -> None:
    run_ = settings(
        instrument, margin(20, rate="0.005"), maker_fee=20_000, taker_fee=50_000, opening={"USDT": 20 * UNIT, "BTC": 5 * UNIT}
    )
    merge = make_merge(run_, [Guarded({"seed": 6, "eager": 0.8})])
    merge.load(facts_of(11, 5_000))
    kinds: set[int] = set()
    while merge.run(20):
        merge.kernel.validate()
        kinds |= set(merge.kernel.take_audit()["kind"].tolist())
        merge.simulator.take_markouts()
        if not merge.simulator.snapshot()[3][1]:
            compare(merge)
    assert merge.kernel.failures == []
    assert kinds >= {Kind.ORDER_AMENDED, Kind.ORDER_TRIGGERED, Kind.FUNDING_PAID, Kind.LIQUIDATED}


@pytest.mark.parametrize("lots", [1, 50])
@pytest.mark.parametrize("instrument", [LIN, INV])
def test_guards_of_contracts_cover_the_whole_position_whatever_the_fee(instrument: Instrument, lots: int) -> None:
    lot = 0.001 if instrument is LIN else 1.0
    strategy, merge = steps_in(
        instrument, lambda me: me.buy(lots * lot, stop_loss=90.0, take_profit=120.0), taker_fee=50_000, maker_fee=20_000
    )
    guards = [one for one in merge.kernel.snapshot()[8] if one[18]]
    assert strategy.refused == []
    assert [one[2] for one in guards] == [lots, lots]


def test_what_is_free_is_of_the_settle_asset_unless_another_is_named() -> None:
    opening = {"USDT": 70 * UNIT, "USD": 60 * UNIT, "BTC": 10 * UNIT}
    for instrument, free in ((LIN, (70.0, 70.0, 10.0)), (INV, (10.0, 60.0, 10.0))):
        seen: list[float] = []
        steps_in(instrument, lambda me, seen=seen: seen.extend([me.free(), me.free("quote"), me.free("base")]), opening=opening)
        assert tuple(seen) == free


def test_an_asset_that_an_account_cannot_be_asked_for_is_the_strategys_own_error() -> None:
    merge = make_merge(settings(LIN), [Steps(lambda me: me.free("USDT"))])
    merge.feed(np.concatenate([*book(), *trades(2)]))
    merge.finish()
    assert "'USDT'" in str(merge.kernel.failures[0][2])
