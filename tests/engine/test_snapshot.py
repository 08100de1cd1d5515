"""The saved state of a run: bytes that go on to the same end wherever they were taken, and that nothing else can pass for."""

import msgspec
import numpy as np
import pytest

from tests.strategies.support import BTC, ETH, SECOND, book, plan, row, trades
from tests.support import MS, Noise, stream
from tradebot._core.merge import Merge
from tradebot.domain.errors import LocalError
from tradebot.engine import snapshot
from tradebot.engine.drive import drive, hand_over
from tradebot.engine.plan import make_merge
from tradebot.engine.ports import Nobody, Records
from tradebot.strategies.strategy import Strategy

EVENTS = 4_000


def build(**changes: object) -> Merge:
    return make_merge(plan(2, [BTC, ETH], **changes), [Noise({"seed": 1}), Noise({"seed": 2, "eager": 0.6})])


@pytest.fixture(scope="module")
def facts() -> Records:
    return stream(21, EVENTS // 2, 2)


@pytest.fixture(scope="module")
def digest(facts: Records) -> str:
    merge = build()
    drive(merge, [facts], Nobody())
    assert merge.kernel.fills > 100
    return str(merge.kernel.digest_text)


def saved_at(facts: Records, at: int, rows: int = 1_000) -> bytes:
    merge = build()
    for begin in range(0, at, rows):
        merge.feed(facts[begin : min(begin + rows, at)])
    hand_over(merge, Nobody())
    return snapshot.to_bytes(merge)


@pytest.mark.parametrize("part", [0.0005, 0.1, 0.5, 0.9, 1.0])
def test_a_run_goes_on_from_anywhere_to_the_same_digest(facts: Records, digest: str, part: float) -> None:
    at = int(len(facts) * part)
    saved = saved_at(facts, at)
    merge = build()
    snapshot.from_bytes(merge, saved)
    assert merge.fed == at
    drive(merge, [facts[merge.fed :]], Nobody())
    merge.kernel.validate()
    assert merge.kernel.digest_text == digest


def test_a_restored_run_saves_to_the_same_bytes(facts: Records) -> None:
    saved = saved_at(facts, len(facts) // 2)
    merge = build()
    snapshot.from_bytes(merge, saved)
    assert snapshot.to_bytes(merge) == saved
    assert snapshot.state_hash(snapshot.to_bytes(merge)) == snapshot.state_hash(saved)


def test_the_bytes_do_not_depend_on_how_the_facts_were_batched(facts: Records) -> None:
    assert saved_at(facts, 900, rows=1) == saved_at(facts, 900, rows=900) == saved_at(facts, 900, rows=77)


def test_many_restarts_come_to_the_same_end_as_none(facts: Records, digest: str) -> None:
    merge = build()
    for begin in range(0, len(facts), 137):
        merge.feed(facts[begin : begin + 137])
        hand_over(merge, Nobody())
        saved = snapshot.to_bytes(merge)
        merge = build()
        snapshot.from_bytes(merge, saved)
    merge.finish()
    assert merge.kernel.digest_text == digest


def test_a_different_state_has_a_different_hash(facts: Records) -> None:
    hashes = {snapshot.state_hash(saved_at(facts, at)) for at in (1_500, 1_501, 1_502)}
    assert len(hashes) == 3


class Timed(Strategy):
    """Acts by a timer that it sets in on_start."""

    def on_start(self) -> None:
        self.every(300 * MS)

    def on_timer(self, timer: object) -> None:
        self.buy(0.01)


def test_a_snapshot_from_before_the_first_fact_starts_as_if_it_had_not_been_taken() -> None:
    some = np.concatenate([*book(), *trades(5)])
    plain, first, second = (make_merge(plan(), [Timed()]) for _ in range(3))
    snapshot.from_bytes(second, snapshot.to_bytes(first))
    for merge in (plain, second):
        drive(merge, [some], Nobody())
    assert plain.kernel.orders > 5
    assert second.kernel.digest_text == plain.kernel.digest_text


def test_samples_go_on_along_their_grid_after_a_restart() -> None:
    some = np.concatenate([*book(), *trades(40, gap_s=0.7), row(60, 10)])
    plain = make_merge(plan(sample_interval_ns=SECOND), [Timed()])
    plain.feed(some)
    plain.finish()
    first, second = (make_merge(plan(sample_interval_ns=SECOND), [Timed()]) for _ in range(2))
    first.feed(some[:20])
    first.feed(some[20:35])
    parts = [first.take_samples()]
    hand_over(first, Nobody())
    snapshot.from_bytes(second, snapshot.to_bytes(first))
    second.feed(some[35:])
    second.finish()
    parts.append(second.take_samples())
    assert np.concatenate(parts).tobytes() == plain.take_samples().tobytes()


@pytest.mark.parametrize("body", [b"", b"\x00", b"no snapshot at all", msgspec.msgpack.encode({"version": 1}), b"\xff" * 100])
def test_bytes_that_are_no_snapshot_are_refused_in_one_line(body: bytes) -> None:
    with pytest.raises(LocalError, match=r"expected a snapshot, found .*; start from the journal") as caught:
        snapshot.from_bytes(build(), body)
    assert "\n" not in str(caught.value)


def test_a_snapshot_of_another_version_is_refused_by_its_number() -> None:
    with pytest.raises(LocalError, match="expected a snapshot of version 6, found 99"):
        snapshot.from_bytes(build(), msgspec.msgpack.encode([99, []]))


def test_a_torn_snapshot_is_refused(facts: Records) -> None:
    saved = saved_at(facts, 500)
    with pytest.raises(LocalError, match="expected a snapshot"):
        snapshot.from_bytes(build(), saved[:-1])


def test_a_strategy_that_declares_other_bars_than_it_saved_is_named(facts: Records) -> None:
    class More(Noise):
        def on_start(self) -> None:
            super().on_start()
            self.bars("3s")

    merge = make_merge(plan(2, [BTC, ETH]), [Noise({"seed": 1}), More({"seed": 2})])
    with pytest.raises(ValueError, match="strategy 1 declared 2 bar series, the snapshot holds 1"):
        snapshot.from_bytes(merge, saved_at(facts, 800))
