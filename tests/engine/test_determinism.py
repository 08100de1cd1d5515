"""The same run gives the same digest: in other processes, under other hash seeds, in batches of any size, and on real ticks.

Batches and restarts of the seeded stream are in test_merge and test_snapshot; here are whole processes and the sample.
"""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tests.strategies.support import BTC, ETH, plan
from tests.support import Noise, stream
from tradebot.domain.instrument import Instrument
from tradebot.engine import snapshot
from tradebot.engine.drive import drive, hand_over
from tradebot.engine.plan import Limits, Place, Plan, make_merge
from tradebot.engine.ports import Nobody, Records
from tradebot.store.formats import open_import
from tradebot.strategies.crossover import Crossover
from tradebot.strategies.maker import InventoryMaker

SEED_EVENTS = 2_500


def digests(rows: int) -> str:
    """Two strategies over two instruments that interleave: the digest, then the hash of the state."""
    facts = stream(31, SEED_EVENTS, 2)
    merge = make_merge(plan(2, [BTC, ETH]), [Noise({"seed": 1}), Noise({"seed": 2})])
    drive(merge, [facts[at : at + rows] for at in range(0, len(facts), rows)], Nobody())
    assert merge.kernel.fills > 50
    return f"{merge.kernel.digest_text} {snapshot.state_hash(snapshot.to_bytes(merge))}"


def test_two_runs_and_all_batch_sizes_agree() -> None:
    assert len({digests(rows) for rows in (1, 1_000, 1_000, 100_000)}) == 1


@pytest.mark.parametrize("seed", ["0", "1", "random"])
def test_a_process_of_another_hash_seed_comes_to_the_same(seed: str) -> None:
    code = "from tests.engine.test_determinism import digests; print(digests(1_000))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == digests(1_000)


def test_another_seed_of_a_strategy_is_another_run() -> None:
    """The digest is no constant: what it must notice, it notices."""
    facts = stream(31, SEED_EVENTS, 2)
    found = set()
    for seed in (1, 2):
        merge = make_merge(plan(1, [BTC, ETH]), [Noise({"seed": seed})])
        drive(merge, [facts], Nobody())
        found.add(merge.kernel.digest_text)
    facts["price"][-1] += 1
    drive(changed := make_merge(plan(1, [BTC, ETH]), [Noise({"seed": 1})]), [facts], Nobody())
    assert len(found | {changed.kernel.digest_text}) == 3


@cache
def sample(wheel: Path) -> tuple[Instrument, Records]:
    opened = open_import(wheel, known=[])
    return opened.instrument, np.concatenate(list(opened.batches))


def sample_plan(instrument: Instrument) -> Plan:
    return Plan(
        instruments=[instrument],
        opening={"USD": 10**15, "BTC": 10**12},
        places=[Place([0], [Limits(band=5_000_000, orders_open_max=200)])] * 2,
        maker_fee=300_000,
        taker_fee=400_000,
        fee_in_base=False,
        order_latency_ns=50_000_000,
        answer_latency_ns=50_000_000,
    )


@pytest.mark.sample
def test_real_ticks_give_one_digest_in_all_batch_sizes_and_from_a_snapshot_in_the_middle(sample_wheel: Path) -> None:
    instrument, facts = sample(sample_wheel)
    found = set()
    for rows in (1_000, 100_000, len(facts)):
        merge = make_merge(sample_plan(instrument), [InventoryMaker(), Crossover()])
        drive(merge, [facts[at : at + rows] for at in range(0, len(facts), rows)], Nobody())
        merge.kernel.validate()
        assert merge.kernel.failures == []
        assert merge.kernel.fills > 0
        found.add(merge.kernel.digest_text)
    first, second = (make_merge(sample_plan(instrument), [InventoryMaker(), Crossover()]) for _ in range(2))
    first.feed(facts[: len(facts) // 2])
    hand_over(first, Nobody())
    snapshot.from_bytes(second, snapshot.to_bytes(first))
    drive(second, [facts[second.fed :]], Nobody())
    assert found == {second.kernel.digest_text}


@pytest.mark.sample
def test_single_records_of_real_ticks_give_the_same_steps_as_one_batch(sample_wheel: Path) -> None:
    instrument, facts = sample(sample_wheel)
    some = facts[:60_000]
    found = set()
    for rows in (1, len(some)):
        merge = make_merge(sample_plan(instrument), [InventoryMaker(), Crossover()])
        drive(merge, (some[at : at + rows] for at in range(0, len(some), rows)), Nobody())
        found.add((merge.kernel.digest_text, merge.kernel.sequence))
    assert len(found) == 1
