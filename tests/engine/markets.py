"""What tests of whole engines at every grade share: a market of each, plans over it, and a strategy that asks for everything.

`check_run` steps an engine fact by fact and holds it to what must be so whatever comes.
"""

import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import numpy as np
from msgspec import Struct

from tests.core.price_support import ticks, walk
from tests.core.test_by_levels import market
from tests.core.test_by_quotes import market as quoted
from tests.strategies.support import BTC, plan, row
from tests.support import MS, SECOND, Noise, stream
from tradebot._core.merge import Merge
from tradebot._core.types import Kind, OrderFlag
from tradebot.domain.instrument import INVERSE, LINEAR, Instrument
from tradebot.engine.plan import Grade, Limits, Margin, Place, Plan, make_merge, margin_tiers
from tradebot.engine.ports import Records
from tradebot.strategies.strategy import Strategy

LIN: Final = Instrument(
    id=1, symbol="BTC/USDT:USDT", venue="test", base="BTC", quote="USDT", tick="0.5", lot="0.001", kind=LINEAR
)
INV: Final = Instrument(
    id=1, symbol="BTC/USD:BTC", venue="test", base="BTC", quote="USD", tick="0.5", lot="1", multiplier="100", kind=INVERSE
)
KINDS: Final = {"spot": BTC, "linear": LIN, "inverse": INV}
GRADES: Final = {"orders": Grade.BOOK, "levels": Grade.BOOK, "quotes": Grade.BOOK, "trades": Grade.TRADES, "bars": Grade.BARS}
RATE: Final = 10**12
UNIT: Final = 10**8


def facts_of(grade: str, seed: int, count: int) -> Records:
    """What is told at a grade, with marks around it and settlements now and then."""
    if grade == "orders":
        found = stream(seed, count)
    elif grade == "levels":
        found = np.concatenate([level(at / 50, *one) for at, one in enumerate(market(seed, count))])
    elif grade == "quotes":
        found = np.concatenate([quote(at / 50, *one) for at, one in enumerate(quoted(seed, count))])
    else:
        found = ticks(seed, count) if grade == "trades" else walk(seed, count)
    return marked(random.Random(seed), found)


def level(seconds: float, kind: int, side: int, price: int, lots: int, flags: int) -> Records:
    return row(seconds, kind, price, lots, 0, side | flags)


def quote(seconds: float, kind: int, *told: int) -> Records:
    if kind:
        return row(seconds, Kind.TRADE, told[1], told[2], 0, told[0])
    return row(seconds, Kind.QUOTE, told[0], told[1], told[2], id2=told[3])


def marked(chance: random.Random, found: Records) -> Records:
    """With marks near what was told last, jumps among them, and settlements."""
    rows, price = [], 0
    for one in found:
        rows.append(one.reshape(1))
        price = int(one["price"]) or price
        if price and chance.random() < 0.05:
            mark = max(price * (100 + chance.choice((0, 0, 1, -1, 8, -8, 25, -25))) // 100, 1)
            rows.append(beside(one, Kind.MARK, mark, 0))
        if price and chance.random() < 0.01:
            rows.append(beside(one, Kind.FUNDING, price, chance.randrange(-RATE // 400, RATE // 200) % 2**64))
    return np.concatenate(rows)


def beside(one: np.void, kind: int, price: int, order_id: int) -> Records:
    shown = int(one["time_ns"] if one["kind"] == Kind.BAR else one["venue_ns"])
    found = row(0, kind, price, 0, order_id)
    found["venue_ns"], found["time_ns"] = shown, one["time_ns"]
    return found


def settings(grade: str, kind: str, latency_ns: int, fees: str = "quote", is_cross: bool = False, **changes: object) -> Plan:
    """An account that is small beside what is asked of it. `fees` are in base, in quote or in a third asset."""
    limits = Limits(band=50_000_000, orders_open_max=40)
    opening = {"USD": 40 * UNIT, "BTC": UNIT // 20 if kind == "spot" else UNIT, "USDT": 20 * UNIT}
    own: dict[str, object] = {
        "grade": int(GRADES[grade]), "order_latency_ns": latency_ns, "answer_latency_ns": latency_ns,
        "maker_fee": 100_000, "taker_fee": 200_000, "fee_in_base": fees == "base", "opening": opening,
        "bars_ns": [SECOND] if grade == "bars" else [], "half_spread": 50_000, "participation": 10**8,
        "places": [Place([0], [limits])] * 2,
    }  # fmt: skip
    if fees == "third":
        own |= {"fee_asset": "BNB", "fee_worth": (600, 1), "opening": opening | {"BNB": UNIT // 5_000}}
    if kind != "spot":
        own["margins"] = [Margin(leverage=10, is_cross=is_cross, tiers=margin_tiers([("0", "0.01")]))]
    return plan(2, [KINDS[kind]], **(own | changes))


class Everything(Noise):
    """Orders of every type, guarded entries on both sides, what only reduces, changes, closes and targets."""

    class Params(Struct, frozen=True, forbid_unknown_fields=True):
        seed: int = 1
        eager: float = 0.3
        size: int = 6
        """Lots of an order, at the most."""

    class State(Struct):
        draws: int = 0
        filled: float = 0.0
        last: float = 0.0

    def on_start(self) -> None:
        self.every(700 * MS)
        self.followed = self.bars("1s", warmup=1)

    def on_trade(self, trade) -> None:
        self.state.last = trade.price
        self.act()

    def on_bar(self, bar) -> None:
        self.state.last = bar.close
        self.act()

    def on_quote(self, book) -> None:
        if book.bid > 0:
            self.state.last = book.bid
        self.act()

    def near(self, ticks: int) -> float:
        return max(self.state.last + (int(self.draw() * (2 * ticks + 1)) - ticks) * self.tick, self.tick)

    def act(self) -> None:
        if self.draw() > self.params.eager or not self.state.last:
            return
        way, up = self.draw(), self.draw() < 0.5
        side, sign = (self.buy, 1) if up else (self.sell, -1)
        lots, last, tick = (1 + int(self.draw() * self.params.size)) * self.lot, self.state.last, self.tick
        away = sign * (1 + int(self.draw() * 9)) * tick
        stop, target = max(last - away, tick), max(last + away, tick)
        ids = self.open_orders()
        if way < 0.2:
            side(lots, price=self.near(4), time_in_force=("GTC", "IOC", "FOK", "POST_ONLY")[int(self.draw() * 4)])
        elif way < 0.3:
            side(lots, stop_loss=stop, take_profit=target)
        elif way < 0.38:
            side(lots, price=self.near(3), trail=abs(away), take_profit=target)
        elif way < 0.44:
            side(lots, stop=target, stop_loss=stop)
        elif way < 0.5:
            side(lots, touch=stop, price=self.near(3) if self.draw() < 0.5 else None)
        elif way < 0.6:
            side(lots, reduce_only=True, price=self.near(4) if self.draw() < 0.6 else None)
        elif way < 0.65:
            side(lots, reduce_only=True, stop=target)
        elif way < 0.75 and ids:
            chosen, price = ids[int(self.draw() * len(ids))], self.near(4) if self.draw() < 0.5 else None
            with suppress(ValueError):  # not every order has a limit
                self.amend(chosen, quantity=lots, price=price)
        elif way < 0.82 and ids:
            self.cancel(ids[int(self.draw() * len(ids))])
        elif way < 0.87:
            self.close()
        elif way < 0.91 and not self.position.flat:
            self.protect(stop_loss=self.near(6), take_profit=self.near(6))
        elif way < 0.95:
            self.target_position(sign * lots)
        elif way < 0.97:
            self.cancel_all(guards=self.draw() < 0.5)


def check_run(planned: Plan, facts: Records, strategies: Sequence[Strategy]) -> dict[int, int]:
    """Step to the end and hold each step; returns how many facts of each kind it wrote, and under 0 how often it was at rest."""
    merge, kinds, reducing = make_merge(planned, strategies), {0: 0}, set[int]()
    merge.load(facts)
    before, lacking = positions(merge), [0] * len(planned.assets)
    while merge.run(1):
        merge.simulator.take_markouts()
        after = positions(merge)
        for fact in merge.kernel.take_audit():
            kind = int(fact["kind"])
            kinds[kind] = kinds.get(kind, 0) + 1
            if kind == Kind.PLACE_ORDER and fact["flags2"] & OrderFlag.REDUCE_ONLY:
                reducing.add(int(fact["id"]))
            elif kind == Kind.ORDER_FILLED and int(fact["id"]) in reducing:
                check_reduced(before[int(fact["owner"])], after[int(fact["owner"])])
        lacking = check_account(planned, merge, lacking)
        before = after
        kinds[0] += check_rest(planned, merge)
    merge.kernel.validate()
    assert merge.kernel.failures == [], merge.kernel.failures
    return kinds


def positions(merge: Merge) -> list[int]:
    return [one[4] for one in merge.kernel.positions()]


def check_reduced(before: int, after: int) -> None:
    assert before and abs(after) <= abs(before), f"what only reduces took {before} lots to {after}"
    assert after == 0 or (after > 0) == (before > 0), f"what only reduces turned {before} lots round to {after}"


def check_account(planned: Plan, merge: Merge, lacking: list[int]) -> list[int]:
    """`lacking` is what may be locked beyond what is there; returned as of now: what is already, and what orders that only reduce
    lack, since it was taken by others before a guard that they counted on turned out to stay.
    """
    merge.kernel.validate()
    if planned.margins:
        return lacking
    held, more = [0] * len(lacking), [0] * len(lacking)
    for order in merge.kernel.snapshot()[8]:
        asset = planned.assets.index(BTC.base if order[8] else BTC.quote)
        held[asset] += order[4]
        if order[19] & OrderFlag.REDUCE_ONLY:
            more[asset] += max(cost(order) - order[4], 0)
    for at, (_, total, locked) in enumerate(merge.kernel.balances()):
        assert locked == held[at], f"{planned.assets[at]}: {locked} are locked, orders hold {held[at]}"
        assert total >= 0 and 0 <= locked <= total + lacking[at], f"{planned.assets[at]}: {locked} of {total} are locked"
        more[at] += max(locked - total, 0)
    return more


def cost(order: Sequence[int]) -> int:
    """Money units of the lots that an order of `BTC` may still fill, at the most that is asked of it."""
    lots = max(order[2], order[16]) - order[3] - order[12]
    if order[8]:
        return lots * UNIT // 1_000
    paid = lots * max(order[1], order[17]) * UNIT // 2_000
    return paid + paid // 5_000 + 1


def check_rest(planned: Plan, merge: Merge) -> bool:
    """Where nothing is under way, the venue holds the same orders and positions as we do."""
    venue = merge.simulator.snapshot()
    if venue[2][1] or venue[3][1]:
        return False
    rested = venue[4][0]
    there: dict[int, int] = {one[0]: one[2] for side in rested[1] for one in side}
    there |= {one[0]: one[3] for one in (*rested[8], *rested[13][5])}
    ours = {one[0]: one[2] - one[3] - one[12] for one in merge.kernel.snapshot()[8]}
    assert there == ours, f"lots by order: at the venue {there}, with us {ours}"
    if planned.margins:
        balances, rows = merge.simulator.clearing()
        assert [one[1] for one in balances] == [one[1] for one in merge.kernel.balances()]
        assert [one[:13] for one in rows] == [one[:13] for one in merge.kernel.positions()]
    held: dict[int, Any] = {one[0]: one[1] for one in rested[12]}
    assert [held.get(at, 0) for at in range(len(planned.places))] == positions(merge)
    return True
