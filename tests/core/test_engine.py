"""The engine on a seeded stream and on the real sample: the same run gives the same digest however it is fed, and goes on from
a snapshot; the book reproduces the venue's own trades."""

from pathlib import Path

import numpy as np
import pytest

from tradebot._core.types import RECORD_DTYPE
from tradebot.engine import snapshot
from tradebot.engine.drive import drive, hand_over
from tradebot.engine.plan import Limits, Place, Plan, make_merge
from tradebot.engine.ports import Nobody, Records
from tradebot.research.book_check import check_book
from tradebot.store import synthetic
from tradebot.store.formats import open_import
from tradebot.strategies.crossover import Crossover
from tradebot.strategies.maker import InventoryMaker
from tradebot.strategies.strategy import Strategy


@pytest.fixture(scope="module")
def stream() -> Records:
    return np.concatenate(list(synthetic.open_source(events=20_000)[1]))


def make_plan(strategies: int = 1, latency_ns: int = 50_000_000) -> Plan:
    limits = Limits(band=5_000_000, orders_open_max=200)
    return Plan(
        instruments=[synthetic.INSTRUMENT],
        opening={"USD": 10**15, "BTC": 10**12},
        places=[Place([0], [limits])] * strategies,
        maker_fee=300_000,
        taker_fee=400_000,
        fee_in_base=False,
        order_latency_ns=latency_ns,
        answer_latency_ns=latency_ns,
    )


def digest_of(stream: Records, batch_rows: int, *strategies: Strategy, latency_ns: int = 50_000_000) -> str:
    merge = make_merge(make_plan(len(strategies), latency_ns), strategies)
    drive(merge, [stream[at : at + batch_rows] for at in range(0, len(stream), batch_rows)], Nobody())
    merge.kernel.validate()
    assert not merge.kernel.failures
    return str(merge.kernel.digest_text)


@pytest.mark.parametrize("latency_ns", [0, 50_000_000])
def test_batch_size_does_not_change_the_digest(stream: Records, latency_ns: int) -> None:
    digests = {
        digest_of(stream, rows, InventoryMaker(), Crossover(), latency_ns=latency_ns) for rows in (1, 1_000, 100_000)
    }
    assert len(digests) == 1


def test_a_run_goes_on_from_a_snapshot_in_the_middle(stream: Records) -> None:
    middle = len(stream) // 2
    first = make_merge(make_plan(2), [InventoryMaker(), Crossover()])
    first.feed(stream[:middle])
    hand_over(first, Nobody())
    saved = snapshot.to_bytes(first)
    second = make_merge(make_plan(2), [InventoryMaker(), Crossover()])
    snapshot.from_bytes(second, saved)
    assert snapshot.to_bytes(second) == saved
    drive(second, [stream[middle:]], Nobody())
    assert second.kernel.digest_text == digest_of(stream, 100_000, InventoryMaker(), Crossover())


@pytest.mark.parametrize("strategy", [InventoryMaker, Crossover])
def test_a_strategy_survives_a_restart_after_every_fact(stream: Records, strategy: type[Strategy]) -> None:
    some = stream[:400]
    merge = make_merge(make_plan(), [strategy()])
    merge.feed(some)
    while merge.run(1):
        hand_over(merge, Nobody())
        saved = snapshot.to_bytes(merge)
        merge = make_merge(make_plan(), [strategy()])
        snapshot.from_bytes(merge, saved)
    plain = make_merge(make_plan(), [strategy()])
    plain.feed(some)
    plain.run(10**9)
    assert merge.kernel.digest_text == plain.kernel.digest_text


def test_time_that_runs_back_is_refused_by_name(stream: Records) -> None:
    merge = make_merge(make_plan(), [Strategy()])
    with pytest.raises(ValueError, match="time runs back at record 1"):
        merge.feed(stream[:2000][::-1].copy()[[0, -1]])


def test_another_dtype_is_refused() -> None:
    with pytest.raises(TypeError, match="RECORD_DTYPE"):
        make_merge(make_plan(), [Strategy()]).feed(np.zeros(3))


class Raises(Strategy):
    def on_trade(self, trade: object) -> None:
        self.buy(0.01)
        raise ZeroDivisionError("on purpose")


def test_a_strategy_that_raises_is_quarantined_and_its_wishes_are_dropped(stream: Records) -> None:
    merge = make_merge(make_plan(2), [Raises(), InventoryMaker()])
    drive(merge, [stream], Nobody())
    assert [number for number, _, _ in merge.kernel.failures] == [0]
    assert merge.kernel.positions()[0][4] == 0
    assert merge.kernel.orders > 0


@pytest.mark.sample
def test_the_book_reproduces_the_trades_of_the_sample(sample_wheel: Path) -> None:
    opened = open_import(sample_wheel, known=[])
    records = np.concatenate(list(opened.batches))
    assert records.dtype == RECORD_DTYPE
    assert len(records) == 314_341
    check = check_book(opened.instrument, lambda: [records])
    assert check is not None
    assert (check.takers_exact, check.takers) == (168, 170)
    assert (check.trades_exact, check.trades) == (282, 284)
    assert all("recorded with volume 0" in miss for miss in check.misses)
