"""A journal stepped again from its first frame comes to the same, however often its engine died; where it does not, the place is
named."""

from typing import Any

import pytest
from msgspec import Struct

from tests.engine.test_session import MARKET, PLAN, Buyer, Edited, journal, start
from tests.strategies.support import BTC, plan, row
from tests.support import stream
from tradebot._core.types import Kind
from tradebot.domain.errors import LocalError
from tradebot.domain.frames import Frame
from tradebot.engine.replay import replay_journal
from tradebot.strategies.strategy import Strategy
from tradebot.testing.simulation import ENGINE, Faults, KeptSnapshot, MemoryJournal, Restless, World


def restless() -> list[Strategy]:
    return [Restless({"seed": 7, "eager": 0.9})]


def test_nodes_that_died_often_replay_to_their_digests() -> None:
    """A world of which trading never opened, because its books could not be compared in time, has no command."""
    commands, epochs = zip(*(replayed(seed) for seed in range(8)), strict=True)
    assert sum(commands) > 100 and sum(epochs) > 2 * len(epochs), "most engines died, some of them often"


def replayed(seed: int) -> tuple[int, int]:
    """Commands and epochs of a world's engine, by its journal."""
    settings = plan(1, [BTC], order_latency_ns=5_000_000, answer_latency_ns=0)
    world = World(seed, settings, stream(1, 700), restless, Faults(crash=0.01, snapshot=0.1))
    verdict = world.finish()
    found = replay_journal(settings, restless(), list(world.journals[ENGINE].frames()))
    assert found.is_identical and found.first_difference is None
    assert found.digest == verdict.digest
    assert found.epochs <= world.epoch, "some die before they begin"
    assert found.folded_epochs == []
    assert found.commands == world.actors[ENGINE].commands
    return found.commands, found.epochs


def test_epochs_of_other_code_are_folded_and_named() -> None:
    kept = journal()
    start(kept)[0].on_market(MARKET.tobytes())
    start(kept, 2)
    session, _ = start(kept, 3, Edited({}), "two")
    session.on_market(row(3, Kind.TRADE, 201, 1).tobytes())
    found = replay_journal(PLAN, [Edited({})], list(kept.frames()))
    assert found.is_identical and found.digest == session.live.kernel.digest_text
    assert (found.epochs, found.folded_epochs, found.fingerprint) == (3, [1, 2], "two")


def test_a_strategy_that_decides_otherwise_is_named_by_its_first_command() -> None:
    class Other(Buyer):
        def on_trade(self, trade: Any) -> None:
            self.buy(0.02, price=98.0)

    kept = journal()
    session, _ = start(kept)
    session.on_market(MARKET.tobytes())
    found = replay_journal(PLAN, [Other({})], list(kept.frames()))
    assert not found.is_identical
    assert found.expected_digest == session.live.kernel.digest_text != found.digest
    assert found.first_difference is not None and "10 lots at 198 ticks), found place_order" in found.first_difference
    assert found.commands == 0


def test_a_journal_of_no_engine_is_refused() -> None:
    with pytest.raises(LocalError, match="an engine has begun, found none"):
        replay_journal(PLAN, [Buyer({})], [])


def test_a_replay_writes_nothing() -> None:
    kept = journal()
    start(kept)[0].on_market(MARKET.tobytes())
    before = bytes(kept.body)
    replay_journal(PLAN, [Buyer({})], list(kept.frames()))
    assert kept.body == before


def behind(kept: MemoryJournal, at: int) -> tuple[Any, list[Frame]]:
    snapshot = kept.snapshots[at]
    return snapshot, [frame for frame in kept.frames() if frame.base_sequence >= snapshot.sequence]


def test_a_replay_from_any_snapshot_comes_to_the_same() -> None:
    settings = plan(1, [BTC], order_latency_ns=5_000_000, answer_latency_ns=0)
    world = World(6, settings, stream(1, 700), restless, Faults(crash=0.005, snapshot=0.3))
    verdict = world.finish()
    kept = world.journals[ENGINE]
    whole = replay_journal(settings, restless(), list(kept.frames()))
    assert len(kept.snapshots) > 5 and whole.from_fact == 0 and whole.commands > 20
    for at in range(len(kept.snapshots)):
        snapshot, frames = behind(kept, at)
        found = replay_journal(settings, restless(), frames, snapshot)
        assert found.is_identical and found.first_difference is None and found.from_fact == snapshot.sequence > 0
        assert (found.digest, found.commands, found.facts) == (verdict.digest, whole.commands, whole.facts)


def test_from_a_snapshot_the_epoch_of_other_code_is_folded_and_named() -> None:
    kept = journal()
    session, _ = start(kept)
    session.on_market(MARKET.tobytes())
    session.save()
    session.on_market(row(2, Kind.TRADE, 201, 1).tobytes())
    session, _ = start(kept, 2, Edited({}), "two")
    session.on_market(row(3, Kind.TRADE, 201, 1).tobytes())
    snapshot, frames = behind(kept, 0)
    found = replay_journal(PLAN, [Edited({})], frames, snapshot)
    assert found.is_identical and found.digest == session.live.kernel.digest_text
    assert (found.epochs, found.folded_epochs, found.fingerprint) == (2, [1], "two")


def test_from_a_snapshot_a_strategy_that_decides_otherwise_is_named() -> None:
    class Other(Buyer):
        def on_trade(self, trade: Any) -> None:
            self.buy(0.02, price=98.0)

    class Foreign(Strategy):
        class State(Struct):
            bought: str = ""

    kept = journal()
    session, _ = start(kept)
    session.on_market(MARKET.tobytes())
    session.save()
    session.on_market(row(2, Kind.TRADE, 201, 1).tobytes())
    snapshot, frames = behind(kept, 0)
    found = replay_journal(PLAN, [Other({})], frames, snapshot)
    assert not found.is_identical and "10 lots at 198 ticks), found" in str(found.first_difference)
    found = replay_journal(PLAN, [Foreign({})], frames, snapshot)
    assert not found.is_identical and "does not fit" in str(found.first_difference)


def test_a_snapshot_of_another_version_is_refused() -> None:
    with pytest.raises(LocalError, match="expected a snapshot that this version reads, found that of fact 7"):
        replay_journal(PLAN, [Buyer({})], [], KeptSnapshot(7, "a" * 32, b"other"))
