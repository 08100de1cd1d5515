"""From a source to a recorder: everything that a run did is handed over once, in order, whatever the batches were."""

import numpy as np
import pytest

from tests.strategies.support import BTC, ETH, SECOND, plan
from tests.support import Keeper, Noise, stream
from tradebot._core.types import Kind
from tradebot.domain.orders import split_client_order_id
from tradebot.engine.drive import drive
from tradebot.engine.plan import ACCOUNT, Limits, Place, core_terms, make_merge
from tradebot.strategies.strategy import Strategy


def driven(rows: int) -> Keeper:
    facts, keeper = stream(41, 3_000), Keeper()
    merge = make_merge(plan(sample_interval_ns=SECOND), [Noise({"eager": 0.5})])
    drive(merge, [facts[at : at + rows] for at in range(0, len(facts), rows)], keeper)
    return keeper


@pytest.mark.parametrize("name", ["facts", "samples", "markouts"])
def test_a_recorder_is_handed_the_same_in_batches_of_any_size(name: str) -> None:
    assert driven(100).all(name).tobytes() == driven(3_000).all(name).tobytes() != b""


def test_facts_are_handed_over_in_order_of_time() -> None:
    facts = driven(100).all("facts")
    assert (np.diff(facts["time_ns"]) >= 0).all()
    fills = facts[facts["kind"] == Kind.ORDER_FILLED]
    assert fills["trade_id"].tolist() == list(range(1, len(fills) + 1))


def test_each_fill_has_a_markout_at_each_horizon_that_came() -> None:
    keeper = driven(3_000)
    facts, markouts = keeper.all("facts"), keeper.all("markouts")
    fills = facts[facts["kind"] == Kind.ORDER_FILLED]
    second = markouts[markouts["horizon_ns"] == SECOND]
    early = fills[fills["venue_ns"] < fills["venue_ns"][-1] - 2 * SECOND]
    assert second["trade_id"][: len(early)].tolist() == early["trade_id"].tolist()


def test_a_source_without_facts_is_no_run() -> None:
    class Loud(Strategy):
        called = 0

        def on_start(self) -> None:
            self.called += 1

        on_stop = on_start

    loud = Loud()
    drive(make_merge(plan(), [loud]), [], Keeper())
    assert loud.called == 0


def test_assets_are_numbered_by_name_and_terms_are_exact_ratios() -> None:
    settings = plan(1, [ETH, BTC])
    assert settings.assets == ["BTC", "ETH", "USD"]
    assert core_terms(BTC, settings.assets) == (1, 0, 2, 1, 2, 1, 1000, 50_000, 1, 100_000, 1, 0, 0, 0)
    assert core_terms(ETH, settings.assets)[1:3] == (1, 2)


def test_order_ids_name_account_and_epoch() -> None:
    class Buys(Strategy):
        ids: tuple = ()

        def on_trade(self, trade) -> None:
            self.ids = (*self.ids, self.buy(0.01))

    buys = Buys()
    facts = stream(41, 300)
    drive(make_merge(plan(epoch=5, places=[Place([0], [Limits()])]), [buys]), [facts], Keeper())
    assert [split_client_order_id(one) for one in buys.ids] == [(ACCOUNT, 5, at + 1) for at in range(len(buys.ids))]
    assert len(buys.ids) > 1
