"""Snapshots: the newest whole one is found, a bad one is passed over and named, few are kept."""

import errno
import os
from pathlib import Path

import pytest

from tests.store.journals import RUN, SMALL, fill, overwrite
from tradebot.domain.errors import LocalError
from tradebot.store.journal import Journal
from tradebot.store.journal_snapshots import NEWEST, SPAN_S, Snapshot, Snapshots, kept


def state(sequence: int) -> Snapshot:
    return Snapshot(sequence, f"{sequence:032x}", b"state after " + bytes(str(sequence), "ascii") * 30)


def test_the_newest_that_is_not_after_what_was_asked_is_found(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    assert snapshots.newest() is None
    for sequence in (10, 200, 3_000):
        snapshots.save(*state(sequence))
    assert snapshots.newest() == state(3_000) and snapshots.newest(3_000) == state(3_000)
    assert snapshots.newest(2_999) == state(200) and snapshots.newest(9) is None


def test_the_newest_three_are_kept_and_the_oldest_of_their_second(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    for sequence in (5, 10, 200, 3_000, 40_000):
        snapshots.save(*state(sequence))
    assert snapshots.sequences() == [5, 200, 3_000, 40_000]
    snapshots.save(*state(40_000)._replace(data=b"again"))
    assert snapshots.newest() == state(40_000)._replace(data=b"again") and len(snapshots.sequences()) == 4


@pytest.mark.parametrize("every_s", [0.2, 4.0, 60.0, 400.0, 3_600.0])
def test_who_is_some_minutes_behind_finds_one_that_is_not_much_older(every_s: float) -> None:
    """However often one is taken, few are kept."""
    ages: list[float] = []
    for _ in range(5_000):
        ages = [0.0, *(age_s + every_s for age_s in ages)]
        ages = [age_s for at, age_s in enumerate(ages) if at in kept(ages)]
        assert len(ages) <= 15
    for behind_s in (1.0, 30.0, 100.0, 250.0):
        older = [age_s for age_s in ages if age_s >= behind_s]
        assert older and older[0] <= max(4 * behind_s, behind_s + 2 * every_s)
    assert sum(age_s > SPAN_S for age_s in ages[NEWEST:]) <= 1, "the journal behind it is not held longer"


def test_a_clock_that_was_set_back_lets_none_go_that_is_needed() -> None:
    assert kept([0.0, -5_000.0, -4_999.0, -4_998.0, -4_000.0]) >= {0, 1, 2}
    assert kept([]) == set()


def test_every_flipped_bit_is_passed_over_and_named(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    snapshots.save(*state(10))
    snapshots.save(*state(20))
    path = max((tmp_path / "snapshots").iterdir())
    whole = path.read_bytes()
    for bit in range(8 * len(whole)):
        broken = bytearray(whole)
        broken[bit >> 3] ^= 1 << (bit & 7)
        overwrite(path, broken)
        assert snapshots.newest() == state(10)
        assert len(snapshots.bad) == 1 and snapshots.bad[0].startswith(f"{path}: ")


@pytest.mark.parametrize("data", [b"", bytes(64), b"other bytes"])
def test_what_is_no_snapshot_is_passed_over(tmp_path: Path, data: bytes) -> None:
    snapshots = Snapshots(tmp_path)
    snapshots.save(*state(10))
    (tmp_path / "snapshots" / "00000000000000000020.tbs").write_bytes(data)
    (tmp_path / "snapshots" / "00000000000000000030.tbs.new").write_bytes(data)
    assert snapshots.newest() == state(10) and len(snapshots.bad) == 1


def test_one_under_the_name_of_another_is_passed_over(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    snapshots.save(*state(10))
    (path,) = (tmp_path / "snapshots").iterdir()
    path.rename(path.with_name("00000000000000000011.tbs"))
    assert snapshots.newest() is None and "no snapshot of fact 11" in snapshots.bad[0]


def test_a_full_disk_leaves_the_older_ones_and_nothing_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def is_full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    snapshots = Snapshots(tmp_path)
    snapshots.save(*state(10))
    monkeypatch.setattr(os, "pwrite", is_full)
    with pytest.raises(LocalError, match="found: No space left on device; the journal goes on without it"):
        snapshots.save(*state(20))
    assert len(list((tmp_path / "snapshots").iterdir())) == 1 and snapshots.newest() == state(10)


def test_a_journal_takes_no_snapshot_of_facts_it_does_not_hold(tmp_path: Path) -> None:
    fill(tmp_path, 5)
    with Journal.create_or_open(tmp_path, RUN, segment_bytes=SMALL) as journal:
        journal.save_snapshot(8, "a" * 32, b"eight")
        journal.save_snapshot(10, "b" * 32, b"ten")
        assert journal.newest_snapshot() == (10, "b" * 32, b"ten")
        assert journal.newest_snapshot(not_after=9) == (8, "a" * 32, b"eight")
        with pytest.raises(AssertionError):
            journal.save_snapshot(11, "c" * 32, b"eleven")
        Snapshots(tmp_path).save(50, "d" * 32, b"of a longer journal")
        assert journal.newest_snapshot() == (10, "b" * 32, b"ten") and journal.passed_over == []
