"""The hftbacktest importer: events in, messages out, and books that clear held against a naive book event by event."""

import random
import tracemalloc
import zipfile
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from tests.store.tabular import COIN, content, kinds, read, rejected, rows
from tradebot._core.depth import L2Book
from tradebot._core.types import Flag
from tradebot.domain.errors import BadContainer
from tradebot.store import hftbacktest, npy
from tradebot.store.client import Store
from tradebot.store.formats import open_import

DEPTH, TRADE, CLEAR, SNAP = 1, 2, 3, 4
EXCH, LOCAL, BUY, SELL = 1 << 31, 1 << 30, 1 << 29, 1 << 28
BOTH = EXCH | LOCAL
EVENT = np.dtype(
    [("ev", "u8"), ("exch_ts", "i8"), ("local_ts", "i8"), ("px", "f8"), ("qty", "f8"), ("order_id", "u8"), ("ival", "i8"),
     ("fval", "f8")],
    align=True,
)  # fmt: skip
ASK, SNAPSHOT, BEGIN, LAST = (int(flag) for flag in (Flag.SELL, Flag.SNAPSHOT, Flag.BEGIN, Flag.LAST))

Event = tuple[int, int, int, float, float]


def write(path: Path, *events: Event) -> Path:
    data = np.array([(*event, 0, 0, 0.0) for event in events], EVENT)
    if path.suffix == ".npy":
        np.save(path, data)
    else:
        np.savez_compressed(path, data=data)
    return path


def depth(side: int, at: int, price: float, quantity: float, kind: int = DEPTH) -> Event:
    return (BOTH | side | kind, at, at + 5, price, quantity)


@pytest.mark.parametrize("name", ["e.npz", "e.npy"])
def test_depth_events_are_messages_and_trades_have_the_takers_side(tmp_path: Path, name: str) -> None:
    path = write(
        tmp_path / name,
        depth(BUY, 1, 100.01, 0.5),
        depth(SELL, 1, 0.1 + 0.2, 0.001),
        depth(SELL, 2, 100.02, 2.0, TRADE),
        depth(BUY, 3, 100.01, 0.0),
    )
    assert hftbacktest.recognises(path)
    records, findings = read(hftbacktest, path)
    assert kinds(records) == ["L2_LEVEL", "L2_LEVEL", "TRADE", "L2_LEVEL"]
    assert rows(records, "venue_ns", "time_ns", "price", "quantity", "flags") == [
        (1, 6, 10_001, 500, LAST), (1, 6, 30, 1, ASK | LAST), (2, 7, 10_002, 2_000, ASK), (3, 8, 10_001, 0, LAST)
    ]  # fmt: skip
    assert (findings.rejects, findings.late, findings.notes) == ([], 0, {"venue_only": 0})


def test_what_the_exchange_alone_sees_is_counted_and_left_away(tmp_path: Path) -> None:
    events = [(flag | BUY | DEPTH, 1, 9, 1.0, 1.0) for flag in (EXCH, LOCAL, 0)]
    path = write(tmp_path / "e.npz", *events)
    records, findings = read(hftbacktest, path)
    assert (len(records), findings.notes) == (1, {"venue_only": 2})


def test_a_receipt_that_falls_gets_the_time_before_it(tmp_path: Path) -> None:
    records, findings = read(hftbacktest, write(tmp_path / "e.npz", depth(BUY, 9, 1, 1), depth(BUY, 3, 1, 2)))
    assert (records["time_ns"].tolist(), findings.late) == ([14, 14], 1)


def test_bad_rows_are_listed_with_their_number_and_the_rest_comes_in(tmp_path: Path) -> None:
    bad = [
        depth(BUY, 1, 100.005, 1),
        depth(BUY, 1, 100, 0.0005),
        depth(BUY, 1, float("nan"), 1),
        depth(BUY, 1, 100, float("inf")),
        depth(BUY, 1, -100, 1),
        depth(BUY, 1, 100, -1),
        depth(0, 1, 100, 1),
        depth(BUY | SELL, 1, 100, 1),
        depth(BUY, 1, 100, 1, kind=10),
        depth(BUY, 1, 100, 0, kind=TRADE),
        depth(BUY, -9, 100, 1),
    ]
    path = write(tmp_path / "e.npz", depth(BUY, 1, 100, 1), *bad, depth(BUY, 2, 100, 2))
    records, findings = read(hftbacktest, path)
    assert records["quantity"].tolist() == [1_000, 2_000]
    assert rejected(findings) == [("data.npy", number) for number in range(2, 13)]
    assert "100.005 is not a multiple of 0.01" in findings.rejects[0].why
    assert "found kind 10" in findings.rejects[8].why


def test_an_opening_snapshot_is_one(tmp_path: Path) -> None:
    path = write(
        tmp_path / "e.npz",
        depth(BUY, 1, 99, 0, CLEAR), depth(BUY, 1, 100, 1, SNAP), depth(BUY, 1, 99, 2, SNAP),
        depth(SELL, 1, 102, 0, CLEAR), depth(SELL, 1, 101, 3, SNAP),
        depth(SELL, 2, 102, 4),
    )  # fmt: skip
    records, _ = read(hftbacktest, path)
    assert rows(records, "price", "quantity", "flags") == [
        (10_000, 1_000, SNAPSHOT | BEGIN), (9_900, 2_000, SNAPSHOT), (10_100, 3_000, ASK | SNAPSHOT | LAST),
        (10_200, 4_000, ASK | LAST),
    ]  # fmt: skip


def test_a_clear_of_a_part_takes_its_levels_away_in_one_message(tmp_path: Path) -> None:
    path = write(
        tmp_path / "e.npz",
        *(depth(BUY, 1, price, 1) for price in (100, 99, 98)), depth(SELL, 1, 101, 1),
        depth(BUY, 2, 99, 0, CLEAR), depth(BUY, 2, 99, 7, SNAP),
        depth(BUY, 3, 98, 0, CLEAR),
        depth(SELL, 4, float("nan"), 0, CLEAR),
        depth(SELL, 5, 0, 0, CLEAR),
    )  # fmt: skip
    records, findings = read(hftbacktest, path)
    assert rows(records[4:], "venue_ns", "price", "quantity", "flags") == [
        (2, 10_000, 0, 0), (2, 9_900, 7_000, LAST), (3, 9_800, 0, 0), (3, 9_900, 0, LAST), (4, 10_100, 0, ASK | LAST)
    ]  # fmt: skip
    assert findings.rejects == []


def test_a_clear_of_all_with_a_snapshot_behind_it_begins_anew(tmp_path: Path) -> None:
    first = [depth(BUY, 1, 100, 1), depth(SELL, 1, 101, 1)]
    path = write(tmp_path / "e.npz", *first, depth(0, 2, 0, 0, CLEAR), depth(BUY, 2, 50, 2, SNAP))
    assert rows(read(hftbacktest, path)[0][2:], "price", "quantity", "flags") == [(5_000, 2_000, SNAPSHOT | BEGIN | LAST)]
    path = write(tmp_path / "f.npz", *first, depth(0, 2, 0, 0, CLEAR))
    assert rows(read(hftbacktest, path)[0][2:], "price", "quantity", "flags") == [(10_000, 0, 0), (10_100, 0, ASK | LAST)]


class NaiveBook:
    """What the format says an event does, with one dict a side."""

    def __init__(self) -> None:
        self.sides: tuple[dict[float, float], dict[float, float]] = ({}, {})

    def apply(self, event: Event) -> None:
        kind, price, quantity = event[0] & 0xFF, event[3], event[4]
        if kind == CLEAR:
            for flag, levels in zip((BUY, SELL), self.sides, strict=True):
                for level in list(levels):
                    is_within = level >= price if flag == BUY else level <= price
                    if not event[0] & (BUY | SELL) or (event[0] & flag and (is_within or price != price)):
                        del levels[level]
        elif kind in (DEPTH, SNAP):
            levels = self.sides[bool(event[0] & SELL)]
            levels[price] = quantity
            if not quantity:
                del levels[price]

    def steps(self, side: int) -> list[tuple[int, int]]:
        found = [(round(price * 100), round(lots * 1000)) for price, lots in self.sides[side].items()]
        return sorted(found, reverse=side == 0)


def random_events(chance: random.Random, count: int) -> list[Event]:
    """Only events of one run have the same times."""
    events: list[Event] = []
    at, was_run = 1, False
    while len(events) < count:
        side = chance.choice((BUY, SELL))
        price = (chance.randrange(60, 100) if side == BUY else chance.randrange(100, 140)) / 100
        kind = chance.choices((CLEAR, DEPTH, SNAP, TRADE), (1, 10, 6, 2))[0]
        is_run = kind in (CLEAR, SNAP)
        at += chance.randrange(2) if is_run and was_run else 1
        if kind == CLEAR:
            events.append(depth(chance.choice((side, side, 0)), at, chance.choice((price, float("nan"))), 0, CLEAR))
        else:
            events.append(depth(side, at, price, chance.randrange(kind == TRADE, 5) / 1000, kind))
        was_run = is_run
    return events


@pytest.mark.parametrize("seed", range(40))
def test_the_book_equals_a_naive_one_after_every_message(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(npy, "BLOCK_ROWS", chance.choice((1, 2, 7, 100, 10_000)))
    events = random_events(chance, 600)
    records, findings = read(hftbacktest, write(tmp_path / "e.npz", *events))
    assert findings.rejects == []
    book, naive = L2Book(), NaiveBook()
    for at, group in groupby(events, lambda event: event[1]):
        for event in group:
            naive.apply(event)
        message = records[records["venue_ns"] == at]
        is_last = (message["flags"] & LAST) != 0
        assert is_last.tolist() == [False] * (len(message) - 1) + [True] or kinds(message) in (["TRADE"], [])
        book.apply(message)
        assert books(book) == (naive.steps(0), naive.steps(1)), at


def books(book: L2Book) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    return list(book.depth(0, 1000)), list(book.depth(1, 1000))


def test_other_arrays_are_not_recognised_and_refused(tmp_path: Path) -> None:
    for number, array in enumerate(
        (np.zeros(3), np.zeros((2, 2), EVENT), np.zeros(2, [("ev", "u8"), ("px", "f8")]), np.array([{}, {}]))
    ):
        path = tmp_path / f"{number}.npz"
        np.savez(path, data=array)
        assert not hftbacktest.recognises(path)
        with pytest.raises(BadContainer, match=rf"expected .*{number}\.npz"):
            hftbacktest.open_source(path, COIN)
    np.savez(tmp_path / "other.npz", something=np.zeros(2, EVENT))
    with pytest.raises(BadContainer, match=r"expected one data\.npy"):
        hftbacktest.open_source(tmp_path / "other.npz", COIN)


@pytest.mark.parametrize("name", ["e.npz", "e.npy"])
@pytest.mark.parametrize("part", [0.0, 0.02, 0.5, 0.999])
def test_a_cut_file_leaves_the_store_as_it_was(tmp_path: Path, store: Store, name: str, part: float) -> None:
    events = [depth(BUY, n, 100 + n % 13, 1 + n % 7) for n in range(20_000)]
    path = write(tmp_path / name, *events)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(BadContainer, match=name):
        store.import_records(COIN, *hftbacktest.open_source(path, COIN))
    assert store.catalogue() == []


@pytest.mark.parametrize("damage", [b"'descr': [", b"(", b"{[", b"\x00", b"'descr': 1, "])
def test_a_damaged_header_is_a_bad_container(tmp_path: Path, damage: bytes) -> None:
    path = write(tmp_path / "e.npy", depth(BUY, 1, 1, 1))
    data = bytearray(path.read_bytes())
    data[10 : 10 + len(damage)] = damage
    path.write_bytes(data)
    assert not hftbacktest.recognises(path)
    with pytest.raises(BadContainer, match=r"e\.npy"):
        hftbacktest.open_source(path, COIN)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    few, many = (peak_bytes(tmp_path / f"{count}.npz", count) for count in (200_000, 600_000))
    assert many < 1.1 * few


def peak_bytes(path: Path, count: int) -> int:
    """The most that the reading of a file with so many events holds at once."""
    data = np.zeros(count, EVENT)
    data["ev"], data["px"], data["qty"] = BOTH | BUY | DEPTH, 100 + np.arange(count) % 977, 1
    data["exch_ts"] = data["local_ts"] = np.arange(count)
    np.savez(path, data=data)
    del data
    tracemalloc.start()
    try:
        _, batches = hftbacktest.open_source(path, COIN)
        assert sum(len(batch) for batch in batches) == count
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_file_with_more_behind_its_rows_is_refused(tmp_path: Path, store: Store) -> None:
    path = write(tmp_path / "e.npy", depth(BUY, 1, 1, 1))
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(BadContainer, match="after 1 rows, found more"):
        store.import_records(COIN, *hftbacktest.open_source(path, COIN))


def test_importing_twice_gives_the_rows_once_however_it_is_packed(tmp_path: Path, store: Store) -> None:
    events = [depth(BUY, n, 100 + n % 13, 1 + n % 7) for n in range(1_000)]
    for name in ("a.npz", "b.npy"):
        opened = open_import(write(tmp_path / name, *events), instrument=COIN.name, tick=COIN.tick, lot=COIN.lot)
        report = store.import_records(*opened)
    assert (report.format, report.repeated, store.selection([COIN.id]).rows) == ("hftbacktest", True, 1_000)
    assert content(hftbacktest, tmp_path / "a.npz") == content(hftbacktest, tmp_path / "b.npy")


def test_a_stored_zip_is_read_as_well(tmp_path: Path) -> None:
    write(tmp_path / "data.npy", depth(BUY, 1, 1, 1))
    with zipfile.ZipFile(tmp_path / "stored.npz", "w", zipfile.ZIP_STORED) as archive:
        archive.write(tmp_path / "data.npy", "data.npy")
    assert len(read(hftbacktest, tmp_path / "stored.npz")[0]) == 1
