"""One run over a source: what it counts is what it recorded, and a strategy that misbehaves is named with its own line."""

import inspect
from pathlib import Path

import numpy as np
import pytest

from tests.research.market import make_plan, stream
from tests.support import Keeper
from tradebot.domain.errors import LocalError, StrategyFailed
from tradebot.domain.orders import Kind
from tradebot.engine.ports import Nobody
from tradebot.research import backtest
from tradebot.strategies.maker import InventoryMaker
from tradebot.strategies.strategy import Strategy


class Raises(Strategy):
    def on_trade(self, trade: object) -> None:
        raise ZeroDivisionError("on purpose")


class RaisesInTheFace(Strategy):
    def on_trade(self, trade: object) -> None:
        self.buy(0.01, risk="1%")


class Leaves(Strategy):
    def on_trade(self, trade: object) -> None:
        raise SystemExit(0)


class RaisesAtStart(Strategy):
    def on_start(self) -> None:
        self.bars("no interval")


class RaisesAtStop(Strategy):
    def on_stop(self) -> None:
        raise RuntimeError("at the end")


def run(*strategies: Strategy, recorder: Keeper | Nobody | None = None) -> backtest.Outcome:
    names = [f"strategy{number}" for number in range(len(strategies))]
    return backtest.run(make_plan(len(strategies)), strategies, names, [stream()], recorder or Nobody())


def last_line(strategy: type[Strategy]) -> str:
    lines, first = inspect.getsourcelines(strategy)
    return f"{Path(__file__)}:{first + len(lines) - 1}"


def test_what_is_counted_is_what_was_recorded() -> None:
    keeper = Keeper()
    found = run(InventoryMaker(), recorder=keeper)
    facts = keeper.all("facts")
    assert found.events == len(stream())
    assert np.count_nonzero(facts["kind"] == Kind.PLACE_ORDER) == found.orders > 0
    assert np.count_nonzero(facts["kind"] == Kind.ORDER_FILLED) == found.fills > 0
    commands = np.isin(facts["kind"], [Kind.PLACE_ORDER, Kind.CANCEL_ORDER])
    assert np.count_nonzero(commands) == found.commands
    assert found.failures == [] and found.events_per_s > 0


def test_the_net_is_what_the_last_sample_and_the_fees_say() -> None:
    keeper = Keeper()
    found = run(InventoryMaker(), recorder=keeper)
    last, fills = keeper.all("samples")[-1], keeper.all("facts")
    assert int(last["fees"]) == int(fills["fee"][fills["kind"] == Kind.ORDER_FILLED].sum()) > 0
    assert found.net() == int(last["realised"]) + int(last["unrealised"]) - int(last["fees"])


def test_a_recorder_changes_nothing() -> None:
    assert run(InventoryMaker(), recorder=Keeper()).digest == run(InventoryMaker()).digest


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        (Raises, "raised ZeroDivisionError: on purpose at LINE in on_trade, on fact "),
        (RaisesInTheFace, "raised NotBuiltYet: risk= is not built yet"),
        (RaisesAtStart, "raised ValueError: "),
        (RaisesAtStop, "raised RuntimeError: at the end at LINE in on_stop, on fact "),
    ],
)
def test_a_strategy_that_raises_is_named_with_its_own_line(strategy: type[Strategy], said: str) -> None:
    (failure,) = run(strategy()).failures
    assert failure.startswith("strategy 'strategy0' ") and said.replace("LINE", last_line(strategy)) in failure
    assert f" at {last_line(strategy)} in on_" in failure, "not the line of the library below it"
    assert failure.endswith("mend it and run again")


def test_the_others_are_not_disturbed_by_one_that_raises() -> None:
    alone, beside = run(InventoryMaker()), run(Raises(), InventoryMaker())
    assert (alone.orders, alone.fills) == (beside.orders, beside.fills)
    assert [failure.split("'")[1] for failure in beside.failures] == ["strategy0"]


def test_a_strategy_that_ends_the_program_fails_the_run() -> None:
    with pytest.raises(StrategyFailed, match="asked the program to end at ") as caught:
        run(Leaves())
    assert f"{last_line(Leaves)} in on_trade" in str(caught.value)


def test_facts_out_of_order_end_the_run_in_one_line() -> None:
    backwards = stream()[:2000][::-1].copy()
    with pytest.raises(LocalError, match="time runs back at record ") as caught:
        backtest.run(make_plan(), [Strategy()], ["idle"], [backwards], Nobody())
    assert "\n" not in str(caught.value)


def test_a_run_without_facts_comes_to_nothing() -> None:
    found = backtest.run(make_plan(), [InventoryMaker()], ["maker"], [], Nobody())
    assert (found.events, found.orders, found.fills, found.net()) == (0, 0, 0, 0)
