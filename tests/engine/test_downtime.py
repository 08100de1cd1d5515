"""An engine that was down for long goes on at the present: nobody acts on what came due meanwhile, and the run replays."""

from typing import Any

import numpy as np
import pytest
from msgspec import Struct

from tests.engine.test_session import MARKET, answer, journal
from tests.strategies.support import BTC, SECOND, START, plan, row
from tradebot._core.types import FACT_DTYPE, Kind, OrderFlag
from tradebot.domain.orders import TradingState
from tradebot.engine.replay import replay_journal
from tradebot.engine.session import Session, ShutOut, open_session
from tradebot.strategies.strategy import Strategy

PLAN = plan(1, [BTC])
HOUR = 3_600 * SECOND
RECONCILE_NS = 10 * SECOND


class Clockwork(Strategy):
    """Tries to trade by each bar and each timer, and notes at which seconds it was called; none of what it notes is State."""

    class State(Struct):
        bars: int = 0

    def on_start(self) -> None:
        self.average = self.bars("1s").sma(3)
        self.bar_calls: list[float] = []
        self.timer_calls: list[float] = []
        self.every(10 * SECOND)
        self.after(60 * SECOND)

    def on_bar(self, bar: Any) -> None:
        self.bar_calls.append((bar.close_ns - START) / SECOND)
        self.state.bars += 1
        self.buy(0.001, price=99.0)

    def on_timer(self, timer: Any) -> None:
        self.timer_calls.append((timer.time_ns - START) / SECOND)
        self.buy(0.001, price=98.0)


class Edited(Clockwork):
    def on_timer(self, timer: Any) -> None:
        pass


def opened(kept: Any, epoch: int, now_ns: int, kind: type[Strategy] = Clockwork, code: str = "one") -> Session:
    session, _ = open_session(PLAN, [kind({})], kept, code, epoch, now_ns, RECONCILE_NS)
    return session


def ran(kept: Any) -> Session:
    """Three and a half seconds of trading, whose books were found equal."""
    session = opened(kept, 1, START)
    session.live.arrive(state_fact(TradingState.ACTIVE))
    session.commit()
    session.on_market(MARKET.tobytes())
    session.on_market(row(3.5, Kind.TRADE, 201, 1).tobytes())
    return session


def state_fact(state: TradingState) -> bytes:
    one = row(0, Kind.TRADING_STATE_CHANGED, order_id=int(state), instrument=0)
    one["owner"] = 65_535
    return bytes(one.tobytes())


def outputs_after(kept: Any, count: int) -> np.ndarray:
    frames = list(kept.frames())[count:]
    return np.frombuffer(b"".join(one.outputs for one in frames), FACT_DTYPE)


@pytest.mark.parametrize("with_snapshot", [False, True])
def test_nobody_acts_on_what_came_due_in_an_hour_of_downtime(with_snapshot: bool) -> None:
    kept = journal()
    session = ran(kept)
    if with_snapshot:
        session.save()
    orders, before = session.live.kernel.orders, len(list(kept.frames()))
    again = opened(kept, 2, START + HOUR)
    (strategy,) = again.strategies
    assert again.live.kernel.trading_state == TradingState.HALTED
    late = [second for second in strategy.bar_calls if second > 4]
    assert late == [3595.0, 3596.0, 3597.0, 3598.0, 3599.0, 3600.0], "the last five seconds, as after any short one"
    assert [second for second in strategy.timer_calls if second > 4] == [60.0], "once, late; the other in its phase"
    assert again.live.kernel.orders == orders, "nothing was sent: the gate waits until the books are compared"
    found = outputs_after(kept, before)
    assert set(found["kind"]) == {Kind.ORDER_REJECTED}
    again.on_clock(START + HOUR + 11 * SECOND)
    assert strategy.timer_calls[-1] == 3610.0 and strategy.bar_calls[-1] == 3611.0
    assert strategy.average.value == pytest.approx(100.5), "bars of an hour without trades were made"
    replayed = replay_journal(PLAN, [Clockwork({})], list(kept.frames()))
    assert replayed.is_identical and replayed.digest == again.live.kernel.digest_text


def test_a_short_one_is_as_if_nothing_had_been() -> None:
    kept = journal()
    ran(kept)
    again = opened(kept, 2, START + 8 * SECOND)
    (strategy,) = again.strategies
    assert strategy.bar_calls[-5:] == [4.0, 5.0, 6.0, 7.0, 8.0]
    assert again.live.kernel.orders > 0
    replayed = replay_journal(PLAN, [Clockwork({})], list(kept.frames()))
    assert replayed.is_identical


def test_code_that_was_edited_meanwhile_begins_on_the_same_books() -> None:
    kept = journal()
    ran(kept)
    opened(kept, 2, START + HOUR)
    again = opened(kept, 3, START + 2 * HOUR, Edited, "two")
    replayed = replay_journal(PLAN, [Edited({})], list(kept.frames()))
    assert replayed.is_identical and replayed.folded_epochs == [1, 2]
    assert replayed.digest == again.live.kernel.digest_text


class Bare(Strategy):
    """Its guards are refused by the band, and wait to be tried again."""

    def on_trade(self, trade: Any) -> None:
        if self.position.flat and not self.open_orders():
            self.buy(0.01, take_profit=trade.price * 1.6)


@pytest.mark.parametrize("edited", [False, True])
def test_a_guard_that_waited_to_be_tried_again_is_tried_once(edited: bool) -> None:
    settings = plan(1, [BTC])

    def start(epoch: int, now_ns: int, code: str) -> Session:
        return open_session(settings, [Bare({})], kept, code, epoch, now_ns, RECONCILE_NS)[0]

    kept = journal()
    session = start(1, START, "one")
    session.live.arrive(state_fact(TradingState.ACTIVE))
    session.commit()
    commands = session.on_market(MARKET.tobytes())
    session.on_answers(answer(commands, Kind.ORDER_ACCEPTED, 1), START + 2 * SECOND)
    fill = {"quantity": 10, "price": 202, "trade_id": 1}
    session.on_answers(answer(commands, Kind.ORDER_FILLED, 2, **fill), START + 2 * SECOND)
    assert any(one[10] for one in session.live.kernel.snapshot()[11]), "it waits"
    before = len(list(kept.frames()))
    again = start(2, START + HOUR, "two" if edited else "one")
    assert len(outputs_after(kept, before)) == 0
    again.on_clock(START + HOUR + 1_500_000_000)
    found = outputs_after(kept, before)
    assert np.count_nonzero(found["flags2"] & OrderFlag.PROTECTIVE) == 1
    replayed = replay_journal(settings, [Bare({})], list(kept.frames()))
    assert replayed.is_identical and replayed.digest == again.live.kernel.digest_text


def test_who_is_shut_out_while_it_was_down_is_so_before_anything_comes_due() -> None:
    kept = journal()
    ran(kept)
    session, _ = open_session(
        PLAN, [Clockwork({})], kept, "one", 2, START + HOUR, RECONCILE_NS, ShutOut([0], "poison: it never returned", False)
    )
    assert session.live.kernel.quarantined == [0]
    assert [second for second in session.strategies[0].bar_calls if second > 4] == []
