"""A callback that does not return ends the run with its own line named; a run that only takes long is left alone.

The watchdog looks every half second; here it looks more often, so that no test waits.
"""

import signal
import threading
from pathlib import Path

import pytest

from tests.research.market import make_plan, stream
from tradebot.domain.errors import StrategyBlocked
from tradebot.engine.ports import Nobody
from tradebot.research import backtest, watchdog
from tradebot.strategies.maker import InventoryMaker
from tradebot.strategies.strategy import Strategy

LIMIT_S = 0.1


class Endless(Strategy):
    def on_trade(self, trade: object) -> None:
        while True:
            pass


class EndlessAndDeaf(Strategy):
    def on_trade(self, trade: object) -> None:
        while True:
            try:
                self.bump()
            except Exception:
                continue

    def bump(self) -> None:
        pass


class Waits(Strategy):
    def on_trade(self, trade: object) -> None:
        threading.Event().wait()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "LOOK_S", 0.02)


def run(strategy: Strategy, limit_s: float = LIMIT_S) -> backtest.Outcome:
    return backtest.run(make_plan(), [strategy], ["mine"], [stream()], Nobody(), callback_limit_s=limit_s)


@pytest.mark.parametrize("strategy", [Endless, EndlessAndDeaf, Waits])
def test_a_callback_that_does_not_return_ends_the_run(strategy: type[Strategy]) -> None:
    with pytest.raises(StrategyBlocked) as caught:
        run(strategy())
    assert str(caught.value).startswith("strategy 'mine' did not return from a callback for 0.1 s at ")
    assert caught.value.exit_code == 5
    if strategy is not Waits:  # it waits in a file of the library
        assert f" at {Path(__file__)}:" in str(caught.value)


def test_a_run_that_takes_longer_than_the_limit_in_all_is_left_alone() -> None:
    assert run(InventoryMaker(), limit_s=0.02).failures == []


def test_afterwards_the_signal_is_as_it_was() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(StrategyBlocked):
        run(Endless())
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_in_another_thread_a_run_is_not_watched_and_comes_to_the_same() -> None:
    digests: list[str] = []
    thread = threading.Thread(target=lambda: digests.append(run(InventoryMaker()).digest))
    thread.start()
    thread.join()
    assert digests == [run(InventoryMaker()).digest]
