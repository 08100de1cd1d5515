"""Facts that are stepped in one loop, because nobody hears them, do to the venue what they do one by one."""

import numpy as np
import pytest

from tests.strategies.support import BTC, SECOND, plan, row, run
from tradebot._core.types import Flag, Kind
from tradebot.engine.plan import Grade, make_merge
from tradebot.strategies.strategy import Strategy

LAST, SELL = int(Flag.LAST), int(Flag.SELL)


class Deaf(Strategy):
    """Hears nothing."""


class Rests(Strategy):
    """One bid at 200 ticks."""

    def on_start(self) -> None:
        self.after(SECOND)

    def on_timer(self, timer: object) -> None:
        self.buy(0.001, price=100.0)


def quote(seconds: float, bid: int, ask: int) -> np.ndarray:
    return row(seconds, Kind.QUOTE, bid, 4, ask, id2=9)


@pytest.mark.parametrize("step", [1, 10**9])
def test_a_first_level_makes_the_venue_forget_the_quotes(step: int) -> None:
    """Nor is a quote heard that comes after it."""
    levels = [row(30, Kind.L2_LEVEL, 201, 4), row(31, Kind.L2_LEVEL, 199, 2, flags=LAST)]
    merge = make_merge(plan(instruments=[BTC]), [Deaf()])
    merge.load(np.concatenate([quote(1, 200, 203), levels[0], quote(30, 202, 203), levels[1], row(90, Kind.GAP)]))
    while merge.advance(step):
        pass
    merge.finish()
    assert merge.simulator.snapshot()[4][0][3] == [[(201, 4), (199, 2)], []], "bids and asks at the venue"


@pytest.mark.parametrize("step", [1, 10**9])
def test_levels_fill_nothing_at_trade_grade(step: int) -> None:
    """An ask that comes down to our bid is no trade through it."""
    facts = [row(0, Kind.TRADE, 201, 1)]
    facts += [row(20, Kind.L2_LEVEL, 202, 5, flags=SELL | LAST), row(30, Kind.L2_LEVEL, 199, 5, flags=SELL | LAST)]
    merge = make_merge(plan(instruments=[BTC], grade=int(Grade.TRADES)), [Rests()])
    merge.load(np.concatenate([*facts, row(90, Kind.GAP)]))
    while merge.advance(step):
        pass
    merge.finish()
    assert merge.kernel.failures == []
    assert (merge.kernel.orders, merge.kernel.fills) == (1, 0)


def test_a_trade_through_it_does_fill_it() -> None:
    """The order of the test above rests where it could be filled."""
    merge = run(Rests(), [row(0, Kind.TRADE, 201, 1), row(30, Kind.TRADE, 190, 5), row(90, Kind.GAP)], grade=int(Grade.TRADES))
    assert merge.kernel.fills == 1
