"""The recorder of a node, over a real store and the journal of a node that died often: it dies, and every row is there once.

The oracle walks the frames fact by fact, in plain Python.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest

from tests.strategies.support import BTC, ETH, plan
from tests.support import stream
from tradebot._core.types import FACT_DTYPE, RECORD_DTYPE, Kind
from tradebot.domain.errors import LocalError
from tradebot.domain.frames import Frame
from tradebot.engine.plan import Plan
from tradebot.node import recorder as module
from tradebot.node.config import config_from_dict, config_to_dict
from tradebot.node.facts import answers_of
from tradebot.node.recorder import Recorder, find_shadow
from tradebot.node.session_files import Prepared, write_prepared
from tradebot.node.store_part import StoreWriter
from tradebot.store import tape
from tradebot.store.client import Store, open_store
from tradebot.store.journal import Journal
from tradebot.store.journal_range import first_head
from tradebot.store.journal_retention import prune_segments
from tradebot.store.results import Standing
from tradebot.store.tape import told_again
from tradebot.strategies.strategy import Strategy
from tradebot.testing.simulation import ENGINE, Faults, Restless, World

PLAN: Plan = plan(1, [BTC, ETH], order_latency_ns=5_000_000, answer_latency_ns=0)
BLOCK = 150
FULL = os.environ.get("TRADEBOT_FULL") == "1"


def strategies() -> list[Strategy]:
    return [Restless({"seed": 7, "eager": 0.9})]


@pytest.fixture(scope="module")
def world() -> World:
    world = World(3, PLAN, stream(1, 700, 2), strategies, Faults(crash=0.005, snapshot=0.2))
    world.finish()
    return world


@pytest.fixture(scope="module")
def frames(world: World) -> list[Frame]:
    return list(world.journals[ENGINE].frames())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "data") as opened:
        yield opened


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a short run has many blocks and samples."""
    monkeypatch.setattr(tape, "BLOCK_FACTS", BLOCK)
    monkeypatch.setattr(module, "SAMPLE_NS", 500_000_000)
    monkeypatch.setattr(module, "FRAMES_MAX", 64)


def prepared(run_id: str, record: bool = True) -> Prepared:
    use = {"use": "tradebot.testing.simulation:Restless", "name": "restless", "instruments": ["BTC/USD"]}
    config = config_from_dict(
        {"mode": "sandbox", "account": {"venue": "test", "start": "1000 USD"}, "strategy": [use], "node": {"record": record}}
    )
    return Prepared(run_id=run_id, config=config_to_dict(config), plan=PLAN, fingerprint="code", ticks=0)


def lay(folder: Path, frames: list[Frame], world: World, run_id: str) -> Path:
    """The run's folder, with these frames and the snapshots that were kept of them."""
    with Journal.create_or_open(folder / run_id / "engine", run_id, segment_bytes=1 << 16) as journal:
        for frame in frames:
            journal.append(frame)
        for kept in world.journals[ENGINE].snapshots:
            if kept.sequence <= frames[-1].end_sequence:
                journal.save_snapshot(*kept)
    return folder / run_id


def record_all(store: Store, folder: Path, run: Prepared) -> None:
    recorder = Recorder(store, folder, run)
    try:
        while recorder.read():
            recorder.write()
        recorder.end()
    finally:
        recorder.close()


def events(frames: list[Frame]) -> list[tuple[int, int]]:
    """(kind, order) of every command and answer, sorted."""
    found = []
    for frame in frames:
        outputs = np.frombuffer(frame.outputs, FACT_DTYPE)
        found += [(int(one["kind"]), int(one["id"])) for one in [*answers_of(frame), *outputs]]
    return sorted(found)


def market(frames: list[Frame], instrument: int) -> bytes:
    """The market facts of an instrument, slot by slot."""
    found, size = [], RECORD_DTYPE.itemsize
    for frame in frames:
        at = 0
        while at < len(frame.facts):
            one = np.frombuffer(frame.facts[at : at + size], RECORD_DTYPE)[0]
            if one["kind"] <= Kind.INSTRUMENT_CHANGED and one["kind"] != Kind.TIMER and one["instrument"] == instrument:
                found.append(one.tobytes())
            at += size * (2 if Kind.ORDER_ACCEPTED <= one["kind"] <= Kind.LIQUIDATED else 1)
    return b"".join(found)


def check(store: Store, run_id: str, frames: list[Frame]) -> None:
    """That the store has all of a run, each row once, in order."""
    names = {kind.name: int(kind) for kind in Kind}
    rows = store.query("SELECT event, order_id, `row` FROM orders WHERE run_id = {run:String} ORDER BY `row`", {"run": run_id})
    told = [one for one in events(frames) if one[0] not in (Kind.STRATEGY_QUARANTINED, Kind.LIQUIDATED)]
    assert sorted((names[event], order) for event, order, _ in rows) == told
    assert len({row for _, _, row in rows}) == len(rows)
    fills = store.query("SELECT order_id, trade_id FROM fills WHERE run_id = {run:String} ORDER BY `row`", {"run": run_id})
    of_frames = [one for frame in frames for one in answers_of(frame) if one["kind"] == Kind.ORDER_FILLED]
    assert fills == [(int(one["id"]), int(one["trade_id"])) for one in of_frames]
    samples = store.query(
        "SELECT count(), uniqExact(time_ns, instrument, strategy), uniqExact(time_ns) FROM equity WHERE run_id = {run:String}",
        {"run": run_id},
    )[0]
    assert samples[0] == samples[1] == 2 * samples[2] > 4
    for instrument in (BTC, ETH):
        place = told_again(instrument)
        only = [one.import_id for one in store.imports() if f"run {run_id}," in one.path]
        batches = list(store.stream([place.id], only=only))
        records = np.concatenate(batches)
        records["instrument"] = instrument.id
        assert records.tobytes() == market(frames, instrument.id)


def test_a_run_is_in_the_store_once_and_recorded_under_another_venue(
    store: Store, tmp_path: Path, frames: list[Frame], world: World
) -> None:
    folder = lay(tmp_path, frames, world, "run")
    for _ in range(3):
        record_all(store, folder, prepared("run"))
        check(store, "run", frames)
    assert [one["run_id"] for one in store.runs()] == ["run"]
    held = store.imports()
    assert {one.instrument for one in held} == {told_again(BTC).name, told_again(ETH).name}
    assert told_again(BTC).venue == f"{BTC.venue}-again" and told_again(BTC).id != BTC.id
    assert len(held) > 4, "blocks"


class Dies(Exception):
    pass


def test_killed_at_any_insert_no_row_is_missing_and_none_there_twice(
    store: Store, tmp_path: Path, frames: list[Frame], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before an insert or behind it: every start goes on with what is there. All of them by `TRADEBOT_FULL=1`."""
    monkeypatch.setattr(module, "FRAMES_MAX", 1_000)
    insert: Any = store._backend.insert
    some, deaths = frames[: len(frames) // 4], 0
    for number in range(1, 26, 1 if FULL else 3):
        run_id, count = f"run-{number}", 0
        folder = lay(tmp_path, some, world, run_id)

        def dying(*arguments: Any, number: int = number) -> None:
            nonlocal count
            count += 1
            if count == number and number % 2:
                raise Dies
            insert(*arguments)
            if count == number:
                raise Dies

        monkeypatch.setattr(store._backend, "insert", dying)
        try:
            record_all(store, folder, prepared(run_id))
        except Dies:
            deaths += 1
            record_all(store, folder, prepared(run_id))
        check(store, run_id, some)
    assert deaths > (15 if FULL else 5)


def test_a_run_that_grows_and_is_cut_anywhere_is_recorded_whole(
    store: Store, tmp_path: Path, frames: list[Frame], world: World
) -> None:
    """A recorder ends, and writes a short block; the next goes on behind it."""
    for count in (1, 40, 41, len(frames) // 2, len(frames)):
        folder = lay(tmp_path / str(count), frames[:count], world, "run")
        record_all(store, folder, prepared("run"))
    check(store, "run", frames)


def test_without_record_nothing_is_added_to_the_ticks(store: Store, tmp_path: Path, frames: list[Frame], world: World) -> None:
    record_all(store, lay(tmp_path, frames, world, "run"), prepared("run", record=False))
    assert store.imports() == [] and store.instruments() == []
    assert store.query("SELECT count() FROM orders")[0][0] > 20


def test_a_start_folds_from_a_snapshot_that_the_store_has_all_of(tmp_path: Path, frames: list[Frame], world: World) -> None:
    folder = lay(tmp_path, frames, world, "run") / "engine"
    last, _ = find_shadow(folder, prepared("run"), Standing(True, 0, 0, frames[-1].time_ns + 1))
    assert last.sequence == world.journals[ENGINE].snapshots[-1].sequence > 0
    whole, _ = find_shadow(folder, prepared("run"), Standing(True, 0, 0, -1))
    assert whole.sequence == 0
    for frame in frames:
        whole.take(frame)
        assert whole.waiting == 0, "who looks on for days holds nothing of what was sent"
        if frame.base_sequence >= last.sequence:
            last.take(frame)
    assert whole.sample(1).tobytes() == last.sample(1).tobytes()
    kernel = world.actors[ENGINE].live.kernel
    assert [int(one) for one in whole.sample(1)["position"]] == [row[4] for row in kernel.positions()]


def test_a_snapshot_of_the_moment_of_the_last_sample_is_passed_over(tmp_path: Path, frames: list[Frame], world: World) -> None:
    """Facts of the same moment may have come after the sample, and not be written."""
    folder = lay(tmp_path, frames, world, "run") / "engine"
    last, _ = find_shadow(folder, prepared("run"), Standing(True, 0, 0, frames[-1].time_ns + 1))
    assert find_shadow(folder, prepared("run"), Standing(True, 0, 0, last.time_ns))[0].sequence < last.sequence


def test_a_store_that_is_down_is_said_and_tried_again(tmp_path: Path, frames: list[Frame], world: World) -> None:
    """A file stands where the store's folder should be; once it is gone, all that was spooled is written."""
    folder = lay(tmp_path / "home" / "journal", frames, world, "run")
    write_prepared(folder, prepared("run"))
    blocked = tmp_path / "home" / "data"
    blocked.write_text("in the way")
    writer = StoreWriter(folder)
    thread = Thread(target=writer.run)
    thread.start()
    wait_until(lambda: writer.error is not None)
    assert str(blocked) in str(writer.status()["why_not"]) and writer.status()["is_written"] is False
    blocked.unlink()
    wait_until(lambda: writer.status() == {"facts": frames[-1].end_sequence, "is_written": True, "why_not": None})
    writer.ended.set()
    thread.join()
    with open_store(blocked) as store:
        check(store, "run", frames)


def wait_until(is_so: Callable[[], bool]) -> None:
    until_s = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < until_s, "it should have come to it"
        Event().wait(0.02)


def prune(folder: Path, frames: list[Frame], needed: int, keep_snapshots: int = 1) -> int:
    """Remove what lies before fact `needed` from the engine's journal, and its older snapshots; where it begins then."""
    paths = sorted((folder / ENGINE / "snapshots").iterdir())
    needed = min(needed, int(paths[-keep_snapshots].stem))
    for path in paths[:-keep_snapshots]:
        path.unlink()
    assert prune_segments(folder / ENGINE, frames[-1].time_ns + 1, needed)
    head = first_head(folder / ENGINE)
    assert head is not None and 0 < head.base_sequence <= needed
    return head.base_sequence


def lay_small(folder: Path, frames: list[Frame], world: World, run_id: str) -> Path:
    """As `lay`, in many segments."""
    with Journal.create_or_open(folder / run_id / "engine", run_id, segment_bytes=4_096) as journal:
        for frame in frames:
            journal.append(frame)
        for kept in world.journals[ENGINE].snapshots:
            if kept.sequence <= frames[-1].end_sequence:
                journal.save_snapshot(*kept)
    return folder / run_id


def test_a_recorder_whose_snapshots_are_all_too_new_loses_no_order_and_doubles_none(
    store: Store, tmp_path: Path, frames: list[Frame], world: World
) -> None:
    """It died early; the engine went on, its snapshots with it, and all that the recorder had written was removed."""
    some = frames[: len(frames) // 3]
    recorder = Recorder(store, lay_small(tmp_path / "early", some, world, "run"), prepared("run"))
    while recorder.read():
        recorder.write()
    needed = recorder.needed
    recorder.close()
    assert 0 < needed < some[-1].end_sequence, "the newest block is told again"
    folder = lay_small(tmp_path / "late", frames, world, "run")
    first = prune(folder, frames, needed)
    standing = store.standing("run")
    shadow, start = find_shadow(folder / ENGINE, prepared("run"), standing, first)
    assert shadow.sequence > some[-1].end_sequence and start == first
    record_all(store, folder, prepared("run"))
    check(store, "run", frames)


def test_a_store_that_was_lost_gets_what_the_journal_has(store: Store, tmp_path: Path, frames: list[Frame], world: World) -> None:
    folder = lay_small(tmp_path, frames, world, "run")
    first = prune(folder, frames, frames[len(frames) // 2].base_sequence, keep_snapshots=2)
    left = [frame for frame in frames if frame.base_sequence >= first]
    for _ in range(2):
        record_all(store, folder, prepared("run"))
        check(store, "run", left)


def test_recording_that_begins_late_begins_where_the_journal_does(
    store: Store, tmp_path: Path, frames: list[Frame], world: World
) -> None:
    folder = lay_small(tmp_path, frames, world, "run")
    record_all(store, folder, prepared("run", record=False))
    first = prune(folder, frames, frames[len(frames) // 2].base_sequence)
    record_all(store, folder, prepared("run"))
    left = [frame for frame in frames if frame.base_sequence >= first]
    for instrument in (BTC, ETH):
        records = np.concatenate(list(store.stream([told_again(instrument).id])))
        records["instrument"] = instrument.id
        assert records.tobytes() == market(left, instrument.id)


def test_without_a_snapshot_that_can_be_read_a_pruned_journal_is_refused(
    tmp_path: Path, frames: list[Frame], world: World
) -> None:
    folder = lay_small(tmp_path, frames, world, "run")
    first = prune(folder, frames, frames[len(frames) // 2].base_sequence)
    for path in (folder / ENGINE / "snapshots").iterdir():
        path.unlink()
    with pytest.raises(LocalError, match=f"expected a snapshot behind fact {first} in "):
        find_shadow(folder / ENGINE, prepared("run"), Standing(True, 0, 0, -1), first)
