"""`bench replay`: the event file is read as it is meant, the same file gives the same run, and the grid is where it should be.

That every submit, cancel and fill of the grid is the peer's is shown by `benchmarks/hftbacktest_rows.py`.
"""

import random
from pathlib import Path

import numpy as np
import pytest

from tradebot._core.types import Flag, Kind
from tradebot.domain.errors import BadContainer
from tradebot.engine import snapshot
from tradebot.engine.drive import drive, hand_over
from tradebot.testing.grid import wanted_ticks
from tradebot.testing.replay_bench import Facts, batches, load, prepare, replay

DEPTH, TRADE, BOTH, BUY, SELL = 1, 2, (1 << 31) | (1 << 30), 1 << 29, 1 << 28
FIELDS = {"ev": "u8", "exch_ts": "i8", "local_ts": "i8", "px": "f8", "qty": "f8", "order_id": "u8", "ival": "i8", "fval": "f8"}
EVENT = np.dtype(list(FIELDS.items()))
START = 1_700_000_000_000_000_000
MS = 1_000_000


def write_events(path: Path, count: int = 6_000) -> Path:
    """Levels and trades on either side of one price, 1 ms from the venue to us."""
    chance, middle, now = random.Random(5), 600_000, START
    events = np.zeros(count, EVENT)
    for at in range(count):
        now += chance.randrange(1, 2 * MS)
        side, away = chance.choice((BUY, SELL)), chance.randrange(0, 12)
        ticks = middle - away if side == BUY else middle + 1 + away
        is_trade = at > 200 and chance.random() < 0.1
        if is_trade:
            ticks = middle + 1 if side == BUY else middle
        lots = chance.randrange(1, 50) if is_trade or chance.random() < 0.8 else 0
        events[at] = ((TRADE if is_trade else DEPTH) | BOTH | side, now, now + MS, ticks / 10, lots / 1000, 0, 0, 0.0)
    np.savez(path, data=events)
    return path


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_events(tmp_path_factory.mktemp("events") / "events.npz")


def test_events_become_levels_and_trades_in_ticks_and_lots(events: Path) -> None:
    records = load(events, "0.1", "0.001")
    assert set(records["kind"].tolist()) == {Kind.L2_LEVEL, Kind.TRADE}
    assert (records["flags"] & Flag.LAST).all()
    assert (records["time_ns"] - records["venue_ns"] == MS).all()
    assert records["price"].min() > 599_000 and records["price"].max() < 601_000


@pytest.mark.parametrize("strategy", ["none", "grid"])
def test_the_same_file_gives_the_same_run(events: Path, strategy: str) -> None:
    first, again = (replay(events, strategy, 10 * MS, MS, "0.1", "0.001") for _ in range(2))
    assert (first.digest, first.orders, first.fills) == (again.digest, again.orders, again.fills)
    assert first.events == 6_000
    assert first.orders == 2 if strategy == "none" else first.orders > 50 and first.fills > 10 and first.cancels > 10


def test_the_grid_in_cython_is_the_grid_in_python(events: Path) -> None:
    found, expected = (replay(events, "grid", 10 * MS, MS, "0.1", "0.001", face) for face in ("compiled", "python"))
    names = ("orders", "cancels", "fills", "digest")
    assert [getattr(found, name) for name in names] == [getattr(expected, name) for name in names]


def test_the_grid_in_cython_survives_a_restart_after_any_fact(events: Path) -> None:
    records = load(events, "0.1", "0.001")[:3_000]
    plain = prepare(records, "grid", 10 * MS, MS, "0.1", "0.001", "compiled")
    drive(plain, [records], Facts())
    merge = prepare(records, "grid", 10 * MS, MS, "0.1", "0.001", "compiled")
    merge.feed(records)
    while merge.run(23):
        hand_over(merge, Facts())
        saved = snapshot.to_bytes(merge)
        merge = prepare(records, "grid", 10 * MS, MS, "0.1", "0.001", "compiled")
        snapshot.from_bytes(merge, saved)
    merge.finish()
    assert plain.kernel.orders > 40 and merge.kernel.failures == []
    assert merge.kernel.digest_text == plain.kernel.digest_text


def test_the_grid_stands_around_the_best_prices_and_never_holds_a_tick_twice(events: Path) -> None:
    records, facts = load(events, "0.1", "0.001"), Facts()
    merge = prepare(records, "grid", 10 * MS, MS, "0.1", "0.001")
    drive(merge, batches(records), facts)
    open_ticks: dict[int, int] = {}
    for fact in facts.all():
        kind, order_id = int(fact["kind"]), int(fact["id"])
        if kind == Kind.PLACE_ORDER:
            assert int(fact["price"]) not in open_ticks.values()
            assert int(fact["price"]) % 2 == 0
            open_ticks[order_id] = int(fact["price"])
        elif kind in (Kind.ORDER_REJECTED, Kind.ORDER_CANCELLED) or (kind == Kind.ORDER_FILLED and fact["parent"] == 0):
            del open_ticks[order_id]
    assert merge.kernel.failures == []
    assert len(open_ticks) <= 10


@pytest.mark.parametrize(
    ("bid", "ask", "bids", "asks"),
    [
        (59_999.9, 60_000.0, (599_998, 599_996), (600_002, 600_004)),
        (60_000.0, 60_000.1, (599_998, 599_996), (600_002, 600_004)),
        (60_000.0, 60_001.0, (600_000, 599_998), (600_010, 600_012)),
    ],
)
def test_the_grid_is_two_ticks_wide_and_a_tick_from_the_middle(
    bid: float, ask: float, bids: tuple[int, ...], asks: tuple[int, ...]
) -> None:
    found_bids, found_asks = wanted_ticks(bid, ask, 0.1)
    assert len(found_bids) == len(found_asks) == 5
    assert (found_bids[:2], found_asks[:2]) == (bids, asks)


def test_a_file_that_holds_no_events_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no archive")
    np.savez(tmp_path / "other.npz", data=np.zeros(3))
    np.savez(tmp_path / "unnamed.npz", rows=np.zeros(3))
    for name in ("text", "other", "unnamed", "absent"):
        with pytest.raises(BadContainer, match=rf"expected .*{name}\.npz"):
            load(tmp_path / f"{name}.npz", "0.1", "0.001")
