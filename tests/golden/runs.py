"""The golden set: small backtests over seeded streams, one for each part whose arithmetic could differ between machines.

By orders and by levels, each queue model, each sort of latency, indicators of every kind on bars of every kind, a strategy on a
grid, a run that is saved and restored on its way, the matcher alone, and an import. Nothing here is a recording, so it runs
everywhere.
"""

import json
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from tests.core.test_bars_lockstep import EveryKind
from tests.fuzz.samples import laid_out, samples
from tests.strategies.support import BTC, ETH, SECOND, plan
from tests.support import MS, START, Noise, delayed, stream
from tests.testing.test_match_bench import write_stream
from tests.testing.test_replay_bench import write_events
from tradebot._core.digest import digest_bytes
from tradebot._core.latency import LatencyKind
from tradebot._core.queue_model import QueueKind
from tradebot._core.types import RECORD_DTYPE, Flag, Kind
from tradebot.engine import snapshot
from tradebot.engine.drive import drive, hand_over
from tradebot.engine.plan import Latency, make_merge
from tradebot.engine.ports import Nobody, Records
from tradebot.store.formats import open_import
from tradebot.strategies.strategy import Strategy
from tradebot.testing.match_bench import match
from tradebot.testing.replay_bench import replay

Make = Callable[[], Sequence[Strategy]]

EVENTS: Final = 1_500
MEASURED: Final = [START + at * 5 * SECOND for at in range(8)], [MS * (1 + at * at % 5) for at in range(8)]


class Steady(EveryKind):
    """The same while both sides of the book stand."""

    def on_bar(self, bar) -> None:  # type: ignore[no-untyped-def]
        if self.book.spread > 0:
            super().on_bar(bar)


def noise() -> list[Strategy]:
    return [Noise({"seed": 1}), Noise({"seed": 2, "eager": 0.6})]


def levels(seed: int) -> Records:
    """Levels and trades around one price, so that the sides never cross and orders of ours rest among them."""
    chance, middle, now = random.Random(seed), 1_000, START
    found = np.zeros(2 * EVENTS, RECORD_DTYPE)
    for at in range(len(found)):
        now += chance.randrange(1, 20 * MS)
        side, away, is_trade = chance.randrange(2), chance.randrange(0, 6), at > 40 and chance.random() < 0.4
        price = middle + 1 - side if is_trade else middle - away if side == 0 else middle + 1 + away
        lots = chance.randrange(1, 12) if is_trade else 0 if chance.random() < 0.05 else chance.randrange(4, 24)
        kind, flags = (Kind.TRADE, side) if is_trade else (Kind.L2_LEVEL, side | int(Flag.LAST))
        found[at] = (now, now, at + 1, price, lots, 0, 0, 1, int(kind), flags, 0)
    return delayed(chance, found, 15 * MS)


def digest_of(strategies: Make, facts: Records, every: int = 0, **settings: object) -> str:
    """The digest, and the hash of the state at the end; restored into a new engine after each `every` facts."""
    instruments = [BTC, ETH]
    merge = make_merge(plan(len(strategies()), instruments, **settings), strategies())
    for at in range(0, len(facts), every or len(facts)):
        merge.feed(facts[at : at + (every or len(facts))])
        hand_over(merge, Nobody())
        if every:
            saved, merge = snapshot.to_bytes(merge), make_merge(plan(len(strategies()), instruments, **settings), strategies())
            snapshot.from_bytes(merge, saved)
    drive(merge, [], Nobody())
    merge.kernel.validate()
    assert merge.kernel.failures == [] and merge.kernel.fills > 10, (merge.kernel.failures, merge.kernel.fills)
    return f"{merge.kernel.digest_text} {snapshot.state_hash(snapshot.to_bytes(merge))}"


def bars_of_every_kind() -> str:
    facts = stream(9, EVENTS, 2)
    trades = facts["kind"] == Kind.TRADE
    facts["venue_ns"][trades] -= np.where(np.arange(trades.sum()) % 5 == 0, 3 * SECOND, 0)
    return digest_of(lambda: [Steady()], facts)


def grid() -> str:
    with tempfile.TemporaryDirectory() as scratch:
        return replay(write_events(Path(scratch) / "e.npz"), "grid", 10 * MS, MS, "0.1", "0.001").digest


def matched() -> str:
    with tempfile.TemporaryDirectory() as scratch:
        return match(write_stream(Path(scratch))).digest


def imported(name: str) -> str:
    sample = samples()[name]
    with laid_out(sample.files, sample.target) as path:
        found = open_import(path, sample.format, sample.instrument, sample.tick, sample.lot)
        return digest_bytes(np.concatenate(list(found.batches)).tobytes())


def latency(kind: LatencyKind) -> dict[str, object]:
    times, values = MEASURED if kind == LatencyKind.RECORDED else ([], [])
    made = Latency(kind=int(kind), least_ns=MS, spread_ns=20 * MS, seed=5, times_ns=times, values_ns=values)
    return {"order_latency": made, "answer_latency": made}


RUNS: Final[dict[str, Callable[[], str]]] = {
    "by orders": lambda: digest_of(noise, stream(31, EVENTS, 2)),
    "by orders, restored": lambda: digest_of(noise, stream(31, EVENTS, 2), every=97),
    **{
        f"by levels, {kind.name}": (lambda kind=kind: digest_of(noise, levels(3), queue=int(kind), queue_half_powers=5))  # type: ignore[misc]
        for kind in QueueKind
    },
    "by levels, restored": lambda: digest_of(noise, levels(3), every=97, queue=int(QueueKind.BY_LOG)),
    **{
        f"latency {kind.name}": (lambda kind=kind: digest_of(noise, levels(4), **latency(kind)))  # type: ignore[misc]
        for kind in LatencyKind
        if kind != LatencyKind.CONSTANT
    },
    "bars and indicators of every kind": bars_of_every_kind,
    "grid": grid,
    "matcher": matched,
    "import of arrays": lambda: imported("hftbacktest npz"),
    "import of feather": lambda: imported("freqtrade trades"),
}


def digests() -> dict[str, str]:
    """The digest of each, and the hash of its state where there is one."""
    return {name: run() for name, run in RUNS.items()}


def golden(found: dict[str, str]) -> dict[str, str]:
    """Without the hashes of states."""
    return {name: text.split()[0] for name, text in found.items()}


if __name__ == "__main__":
    told = digests()
    sys.stdout.write(json.dumps(golden(told) if "--golden" in sys.argv else told, indent=1) + "\n")
