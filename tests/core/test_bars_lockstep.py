"""Bars of every kind in lock-step with their plain twin and restored after each fact; equal to candles that a venue recorded."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from tests.core.bar_support import Follows, stored, trade
from tests.core.recorded import Candle, candles
from tests.core.recorded import trades as recorded_trades
from tests.reference import bar_series as twin
from tests.strategies.support import BTC, ETH, SECOND, book, plan
from tests.support import MS
from tests.support import stream as market_stream
from tradebot._core.merge import Merge
from tradebot._core.types import Flag, Kind
from tradebot.domain.instrument import Instrument
from tradebot.engine import snapshot
from tradebot.engine.drive import drive, hand_over
from tradebot.engine.plan import make_merge
from tradebot.engine.ports import Nobody, Records
from tradebot.strategies.strategy import Strategy
from tradebot.testing.contract import check_restarts

MINUTE = 60 * SECOND
XRP = Instrument(id=1, symbol="XRP/ETH", venue="test", base="XRP", quote="ETH", tick="0.00000001", lot="1")

VALUE = (50_000, 1)  # a tick of 0.5 and a lot of 0.001 in money units of 1e-8
LOCKED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"interval": "1s"}, {"kind": twin.RECEIPT, "interval_ns": SECOND}),
    ({"interval": "3s", "warmup": 2}, {"kind": twin.RECEIPT, "interval_ns": 3 * SECOND}),
    ({"interval": "250ms", "source": "trades"}, {"kind": twin.RECEIPT, "interval_ns": SECOND // 4, "source_ns": 0}),
    ({"interval": "3s", "source": "1s"}, {"kind": twin.RECEIPT, "interval_ns": 3 * SECOND, "source_ns": SECOND}),
    (
        {"interval": "2s", "source": "1s", "restatements": True},
        {"kind": twin.RECEIPT, "interval_ns": 2 * SECOND, "source_ns": SECOND, "restatements": True},
    ),
    ({"interval": "1s", "by": "venue"}, {"kind": twin.VENUE, "interval_ns": SECOND, "grace_ns": SECOND}),
    (
        {"interval": "500ms", "by": "venue", "grace": "1700ms", "restatements": True},
        {"kind": twin.VENUE, "interval_ns": SECOND // 2, "grace_ns": 1_700 * MS, "restatements": True},
    ),
    (
        {"interval": "2s", "by": "venue", "grace": "0s", "restatements": True, "source": "2s"},
        {"kind": twin.VENUE, "interval_ns": 2 * SECOND, "source_ns": 2 * SECOND, "restatements": True},
    ),
    ({"ticks": 4, "source": "trades"}, {"kind": twin.TICKS, "threshold": 4, "source_ns": 0}),
    ({"volume": 0.02, "source": "trades"}, {"kind": twin.VOLUME, "threshold": 20, "source_ns": 0}),
    ({"notional": 2.5, "source": "trades"}, {"kind": twin.NOTIONAL, "threshold": 250_000_000, "value": VALUE, "source_ns": 0}),
]


def mixed(seed: int, count: int, first: np.ndarray) -> Records:
    """`first`, then trades and stored bars of two intervals: in order, late, ahead, twice, restated, in bursts."""
    chance, now, price, rows = random.Random(seed), 1.0, 200, [book()[0], first]
    for number in range(count):
        now = round(now + chance.choice([0, 0, 0.001, 0.05, 0.3, 0.3, 1.0, 4.0]) * chance.random(), 9)
        price = max(price + chance.randint(-2, 2), 1)
        late = chance.choice([0, 0, 0.01, 0.1, 0.5, -0.2, 3.0, 12.0, -50.0])
        if chance.random() < 0.7:
            shown = 0 if chance.random() < 0.05 else now - late
            fact = trade(now, price, chance.randint(1, 12), venue=shown, number=chance.choice([0, number, number // 2]))
            if shown == 0:
                fact["venue_ns"] = 0
        else:
            interval = chance.choice([1, 1, 1, 2])
            label = max(int(now - interval - max(late, 0)) // interval * interval, -4)
            prices = (price, price + chance.randint(0, 3), price - 1, price)
            fact = stored(label, max(now, label), prices, chance.randint(1, 9), interval, chance.choice([0, 0, Flag.RESTATED]))
            if fact["venue_ns"] > fact["time_ns"]:
                continue
            now = max(now, label)
        rows.append(fact)
    return np.concatenate(rows)


def one_by_one(merge: Merge, follows: Follows, call: dict[str, Any]) -> Iterator[tuple[Merge, Follows, bool]]:
    """Step fact by fact, each time in a new engine from the saved state of the one before; tells whether a stored fact was it."""
    while True:
        events = merge.events
        if not merge.run(1):
            return
        yield merge, follows, merge.events > events
        hand_over(merge, Nobody())
        saved = snapshot.to_bytes(merge)
        again = Follows(call)
        again.told, again.restated = follows.told, follows.restated
        merge, follows = make_merge(plan(), [again]), again
        snapshot.from_bytes(merge, saved)
        assert snapshot.to_bytes(merge) == saved


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("call", "terms"), LOCKED, ids=lambda value: str(value) if "kind" not in value else "")
def test_a_series_and_its_plain_twin_agree_after_every_fact(call: dict[str, Any], terms: dict[str, Any], seed: int) -> None:
    """What comes first decides the source where none is named: a trade in odd seeds, a stored bar in even ones."""
    first = trade(1) if seed % 2 or terms.get("interval_ns", 1) % SECOND else stored(0)
    facts, other, told = mixed(seed, 250, first), twin.BarSeries(**terms), []
    follows = Follows(call)
    merge = make_merge(plan(), [follows])
    merge.load(facts)
    for merge, follows, is_stored in one_by_one(merge, follows, call):  # noqa: B020
        fact = facts[merge.events - 1]
        if not is_stored:
            told += other.fire(merge.kernel.time_ns)
        elif fact["kind"] in (Kind.TRADE, Kind.BAR):
            told += other.take(fact)
        state = follows.followed[0].state()
        assert msgspec.to_builtins(state) == msgspec.to_builtins(other.state(state[3]))
    assert merge.kernel.failures == []
    assert follows.restated == [tuple(bar) for bar, restated in told if restated]
    plain = [tuple(bar) for bar, restated in told if not restated]
    assert follows.told == plain[call.get("warmup", 0) :]
    assert len(plain) > 10
    assert bool(follows.restated) is call.get("restatements", False)


class EveryKind(Strategy):
    """Every kind of bars with indicators of every kind; buys and sells by what they say."""

    def on_start(self) -> None:
        one, two, three = self.bars("1s", warmup=2), self.bars("2s", by="venue", restatements=True), self.bars(ticks=5)
        four, five = self.bars(volume=0.03), self.bars(notional=4.0, instrument="ETH/USD")
        self.all = [
            one.macd(2, 4, 2), one.rsi(3), two.bollinger(3), two.stochastic(3, 2, 2), three.wma(3), three.highest(4),
            four.lowest(3), four.ema(2), five.sma(2), five.atr(2),
        ]  # fmt: skip

    def on_bar(self, bar) -> None:
        ready = sum(one.value for one in self.all if one.ready)
        if int(ready) % 2 or bar.restated:
            self.buy(0.001, price=self.book.ask)
        else:
            self.sell(0.001, price=self.book.bid)


def test_a_strategy_on_bars_of_every_kind_survives_a_restart_after_every_fact() -> None:
    facts = market_stream(9, 220, 2)
    trades = facts["kind"] == Kind.TRADE
    facts["venue_ns"][trades] -= np.where(np.arange(trades.sum()) % 5 == 0, 3 * SECOND, 0)
    check_restarts(EveryKind, plan(instruments=[BTC, ETH]), facts)


# Recorded candles.


def candles_of(facts: Records, **call: Any) -> list[Candle]:
    """Bars with trades in them, as the venue writes its candles."""
    follows = Follows(call, tick=1e-8, lot=1.0)
    merge = make_merge(plan(instruments=[XRP], opening={"ETH": 10**12, "XRP": 10**12}), [follows])
    last = facts[-1:].copy()
    last["time_ns"] += 10 * MINUTE
    last["kind"] = Kind.GAP
    drive(merge, [facts, last], Nobody())
    assert merge.kernel.failures == []
    assert follows.followed[0].late == 0
    return [(one[0], *one[2:7]) for one in follows.told if one[7]]


def late_by(facts: Records, seed: int) -> Records:
    """Received up to 900 ms after they happened, out of order; each a fact of its own in the order of receipt."""
    found = facts.copy()
    found["time_ns"] += np.random.default_rng(seed).integers(0, 900 * MS, len(found))
    return found[np.argsort(found["time_ns"], kind="stable")]


@pytest.mark.shared
@pytest.mark.parametrize(("interval", "count"), [("1m", 2_469), ("5m", 706)])
@pytest.mark.parametrize("how", ["by receipt", "by venue time, received late and out of order"])
def test_candles_of_recorded_trades_equal_the_venues_own_in_all_columns(shared_dir: Path, interval, count, how) -> None:
    facts = recorded_trades(shared_dir)
    by = "receive" if how == "by receipt" else "venue"
    found = candles_of(facts if by == "receive" else late_by(facts, 4), interval=interval, by=by)
    expected = candles(shared_dir, interval)
    assert len(expected) == count
    assert found == expected


@pytest.mark.shared
def test_recorded_minutes_make_the_recorded_five_minutes(shared_dir: Path) -> None:
    minutes = candles(shared_dir, "1m")
    facts = np.concatenate([stored(0, interval=60) for _ in minutes])
    names = ("venue_ns", "venue_sequence", "id", "id2", "price", "quantity")
    for name, column in zip(names, zip(*minutes, strict=True), strict=True):
        facts[name] = column
    facts["time_ns"] = facts["venue_ns"] + MINUTE
    assert candles_of(facts, interval="5m") == candles(shared_dir, "5m")
